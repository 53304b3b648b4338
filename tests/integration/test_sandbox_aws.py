# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bed's AWS: it keeps what it is given, refuses what AWS refuses, and fails when it is told to."""

from __future__ import annotations

import io
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from hosted.aws import Aws, Credentials, Fault
from hosted.shape import shape_of_size
from sandboxlib.cluster import Cluster

BUCKET, KEY = "backups", "prod/run 1/snapshot+ü.db"
MEBIBYTE = 1024 * 1024
PARTS = TransferConfig(multipart_threshold=5 * MEBIBYTE, multipart_chunksize=5 * MEBIBYTE, max_concurrency=2)


@pytest.fixture(scope="module")
def aws(api_cluster: Cluster) -> Iterator[Aws]:
    """Running, with a bucket."""
    made = Aws(api_cluster)
    try:
        made.start()
        made.create_bucket(BUCKET)
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def _no_faults(aws: Aws) -> None:
    aws.clear()


def refusal(call: Any, **arguments: Any) -> str:
    """The code of the refusal of an operation that must not be carried out."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def fetched(aws: Aws, url: str, byte_range: str = "") -> tuple[int, bytes]:
    """Status and body of a GET as anybody does it."""
    request = urllib.request.Request(url, headers={"Range": byte_range} if byte_range else {})
    context = ssl.create_default_context(cafile=str(aws.ca_bundle))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_an_upload_in_parts_is_kept_with_its_checksum(aws: Aws) -> None:
    data = os.urandom(11 * MEBIBYTE)
    s3 = aws.client("s3", aws.session())
    since = len(aws.requests())
    arguments = {"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": "abc"}}
    s3.upload_fileobj(io.BytesIO(data), BUCKET, KEY, Config=PARTS, ExtraArgs=arguments)
    found = s3.get_object(Bucket=BUCKET, Key=KEY)
    assert found["Body"].read() == data
    assert found["Metadata"] == {"sha256": "abc"}
    asked = [request["operation"] for request in aws.requests(since)]
    assert sorted(asked) == ["CompleteMultipartUpload", "CreateMultipartUpload", "GetObject", *["UploadPart"] * 3]


def test_presigned_urls_are_good_until_they_end_or_are_altered(aws: Aws) -> None:
    s3 = aws.client("s3", aws.session())
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"0123456789abcdef")
    wanted = {"Bucket": BUCKET, "Key": KEY}
    url = s3.generate_presigned_url("get_object", Params=wanted)
    assert fetched(aws, url, "bytes=0-3") == (206, b"0123")
    assert len(url) > 1024  # more than a HostedCluster takes
    for altered in (url.replace("snapshot", "other"), url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200")):
        status, body = fetched(aws, altered)
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    short = aws.client("s3").generate_presigned_url("get_object", Params=wanted, ExpiresIn=1)
    assert len(short) < 1024
    time.sleep(2)
    status, body = fetched(aws, short)
    assert (status, body[:5], b"Request has expired" in body) == (403, b"<?xml", True)
    assert fetched(aws, f"{aws.endpoint}/{BUCKET}/{KEY.partition('/')[0]}")[0] == 403  # anonymous


def test_who_is_not_known_is_refused_in_each_services_own_words(aws: Aws) -> None:
    wrong, ended, unknown = Credentials(aws.user.access_key, "wrong"), aws.session(-1), Credentials("AKIAUNKNOWN", "x")
    expected = {
        ("s3", "list_buckets"): ["SignatureDoesNotMatch", "ExpiredToken", "InvalidAccessKeyId"],
        ("ec2", "describe_instances"): ["AuthFailure", "RequestExpired", "AuthFailure"],
        ("route53", "list_hosted_zones"): ["SignatureDoesNotMatch", "ExpiredToken", "InvalidClientTokenId"],
        ("sts", "get_caller_identity"): ["SignatureDoesNotMatch", "ExpiredToken", "InvalidClientTokenId"],
    }
    for (service, operation), codes in expected.items():
        found = [refusal(getattr(aws.client(service, who), operation)) for who in (wrong, ended, unknown)]
        assert found == codes, service
    options = {"endpoint_url": aws.endpoint, "verify": str(aws.ca_bundle), "region_name": "us-east-2"}
    old = boto3.client(
        "s3",
        aws_access_key_id=aws.user.access_key,
        aws_secret_access_key=aws.user.secret,
        config=Config(signature_version="s3", retries={"max_attempts": 0}),
        **options,
    )
    assert refusal(old.list_buckets) == "InvalidRequest"
    role = {"RoleArn": "arn:aws:iam::123456789012:role/backup", "RoleSessionName": "test"}
    assumed = aws.client("sts").assume_role(**role)["Credentials"]
    assert len(assumed["SessionToken"]) >= 700
    aws.client("s3", Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])).list_buckets()


def test_regions_are_told_apart_behind_their_own_names(aws: Aws) -> None:
    aws.create_bucket("far-away", "eu-west-1")
    far = aws.client("s3", own_names=True, region="eu-west-1")
    far.put_object(Bucket="far-away", Key="x", Body=b"1")
    assert aws.client("s3").get_bucket_location(Bucket="far-away")["LocationConstraint"] == "eu-west-1"
    since = len(aws.requests())
    aws.client("s3", own_names=True, region="us-east-2").get_object(Bucket="far-away", Key="x")
    # boto3 has followed.
    assert [request["outcome"] for request in aws.requests(since)][-1] == "200"
    assert aws.requests(since)[0]["outcome"] == "PermanentRedirect"
    session = boto3.session.Session(*aws.user[:2], region_name="us-east-2")
    options = {"verify": str(aws.ca_bundle), "config": Config(proxies={"https": aws.proxy}, retries={"max_attempts": 0})}
    elsewhere = session.client("ec2", endpoint_url="https://ec2.eu-west-1.amazonaws.com", **options)
    assert refusal(elsewhere.describe_instances) == "AuthorizationHeaderMalformed"


def test_faults_hit_what_they_are_meant_for_as_often_as_told(aws: Aws) -> None:
    s3 = aws.client("s3")
    aws.add(Fault("SlowDown", operation="UploadPart", first=2), Fault("Throttling", service="route53"))
    with pytest.raises(Exception, match="SlowDown"):
        s3.upload_fileobj(io.BytesIO(bytes(11 * MEBIBYTE)), BUCKET, "slow", Config=PARTS)
    assert refusal(aws.client("route53").list_hosted_zones) == "Throttling"
    aws.client("route53").list_hosted_zones()
    assert [rule["hit"] for rule in aws.faults()] == [1, 1]
    aws.clear()
    aws.add(Fault("reset", operation="PutObject", at=MEBIBYTE))
    with pytest.raises(BotoCoreError):
        s3.put_object(Bucket=BUCKET, Key="cut", Body=bytes(4 * MEBIBYTE))
    assert refusal(s3.head_object, Bucket=BUCKET, Key="cut") == "404"
    aws.clear()
    aws.add(Fault("lost-answer", operation="PutObject"))
    with pytest.raises(BotoCoreError):
        s3.put_object(Bucket=BUCKET, Key="lost", Body=bytes(2 * MEBIBYTE))
    assert s3.head_object(Bucket=BUCKET, Key="lost")["ContentLength"] == 2 * MEBIBYTE
    aws.clear()
    aws.add(Fault("reset-answer", operation="GetObject", at=MEBIBYTE))
    with pytest.raises(BotoCoreError):
        s3.get_object(Bucket=BUCKET, Key="lost")["Body"].read()


def test_machines_have_instances_and_names_have_owners(aws: Aws) -> None:
    shape = shape_of_size("prod", 7)
    instances = aws.run_instances(shape)
    machines = shape.machines(instances)
    assert {machine.instance for machine in machines} == set(instances.values())
    assert aws.instance_states(machines) == {machine.instance: "running" for machine in machines}
    zone = aws.create_zone(shape, "owner-of-source")
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    texts = {record["Name"]: record["ResourceRecords"][0]["Value"] for record in records if record["Type"] == "TXT"}
    assert "external-dns/owner=owner-of-source" in texts["api-prod-external-dns.hosted.example.com."]


def test_a_bucket_that_all_the_world_may_read_says_so(aws: Aws) -> None:
    aws.create_bucket("identity-documents", public=True)
    s3 = aws.client("s3")
    assert s3.get_bucket_policy_status(Bucket="identity-documents")["PolicyStatus"]["IsPublic"] is True
    blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
