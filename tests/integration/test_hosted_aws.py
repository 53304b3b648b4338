# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``_aws`` does with the bed's AWS: uploads that are whole or not there, buckets, names, instances, and errors in words."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hosted.aws import REGION, Credentials, Fault
from hosted.aws import Aws as Bed
from hosted.shape import shape_of_size
from iam_policy import BUCKET, allowed, needed, not_allowed, policy_for
from sandboxlib.cluster import Cluster

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws import session
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import (
    BucketState,
    bucket_findings,
    bucket_refusals,
    read_bucket,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.instances import instance_states
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.objects import list_keys, read_object, stored
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.presign import MOST, signing_client, url_length
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.records import records
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.stream import MEBIBYTE, StreamMismatch
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.unfinished import abort_uploads
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import try_upload, upload_bytes, upload_stream
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

KEY = "hosted-clusters/prod-1/etcd.db"
# A part and a half.
DATA = os.urandom(12 * MEBIBYTE)
SHA256 = hashlib.sha256(DATA).hexdigest()
WHOLE = {"sha256": SHA256, "size": len(DATA)}
Asking = Callable[..., Aws]


@pytest.fixture(scope="module")
def bed(api_cluster: Cluster) -> Iterator[Bed]:
    """Running, with a bucket."""
    made = Bed(api_cluster)
    try:
        made.start()
        made.create_bucket(BUCKET)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def s3(bed: Bed) -> Any:
    """Sees what is there; making a client takes longer than asking."""
    return bed.client("s3")


@pytest.fixture
def asking(bed: Bed, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """Makes the one who asks, with the environment that a module would have; nothing is left of another test."""
    bed.clear()
    for name in [name for name in os.environ if name.startswith("AWS_") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    assert unfinished(s3) == []

    def made(credentials: Credentials | None = None, options: dict[str, Any] | None = None, **environment: Any) -> Aws:
        for name, value in bed.environment(credentials, **environment).items():
            monkeypatch.setenv(name, value)
        return Aws(options or {}, name="test")

    return made


def pieces(data: bytes = DATA, size: int = 300_000) -> Iterator[bytes]:
    """The data in chunks that fit no part."""
    return (data[start : start + size] for start in range(0, len(data), size))


def unfinished(s3: Any) -> list[str]:
    """The keys that have parts and are no objects."""
    return [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def keys(s3: Any) -> list[str]:
    """What is in the bucket."""
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def operations(bed: Bed, since: int) -> list[str]:
    """What was asked for."""
    return [request["operation"] for request in bed.requests(since)]


def told(error: LifecycleError) -> str:
    """All that a user sees of an error."""
    return "\n".join((str(error), error.why, error.state, error.next, json.dumps(error.details)))


def test_a_stream_becomes_one_object_with_checksums_and_encryption(bed: Bed, s3: Any, asking: Asking) -> None:
    aws, since, counted = asking(bed.session()), len(bed.requests()), []
    done = upload_stream(aws, pieces(), BUCKET, KEY, on_bytes=counted.append, **WHOLE)
    found = s3.get_object(Bucket=BUCKET, Key=KEY)
    assert found["Body"].read() == DATA
    assert (found["Metadata"], found["ServerSideEncryption"]) == ({"sha256": SHA256}, "AES256")
    assert (done.size, done.parts, done.sha256, sum(counted)) == (len(DATA), 2, SHA256, len(DATA))
    assert done.version_id == found["VersionId"]
    digests = [hashlib.sha256(DATA[start : start + 8 * MEBIBYTE]).digest() for start in range(0, len(DATA), 8 * MEBIBYTE)]
    # S3 adds the number of parts, moto does not.
    assert done.checksum.partition("-")[0] == base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    asked = operations(bed, since)
    assert sorted(asked[:-2]) == ["CompleteMultipartUpload", "CreateMultipartUpload", "GetBucketLocation", *["UploadPart"] * 2]
    assert asked[-2:] == ["HeadObject", "GetObject"]


def test_small_streams_and_files_are_stored_at_once(bed: Bed, asking: Asking) -> None:
    aws, small = asking(), DATA[:1000]
    digest = hashlib.sha256(small).hexdigest()
    done = upload_stream(aws, iter([small]), BUCKET, KEY, sha256=digest, size=1000)
    assert (done.parts, done.size, done.checksum) == (1, 1000, base64.b64encode(bytes.fromhex(digest)).decode())
    assert stored(aws, BUCKET, KEY, done.version_id) == stored(aws, BUCKET, KEY)
    upload_bytes(aws, small, BUCKET, "hosted-clusters/prod-1/index.json", sha256=digest, kms_key_id="alias/backups")
    found = stored(aws, BUCKET, "hosted-clusters/prod-1/index.json")
    assert found is not None
    assert (found.size, found.sha256, found.encryption, found.kms_key_id) == (1000, digest, "aws:kms", "alias/backups")
    assert read_object(aws, BUCKET, "hosted-clusters/prod-1/index.json") == small
    assert list_keys(aws, BUCKET, "hosted-clusters/prod-1/") == (KEY, "hosted-clusters/prod-1/index.json")
    assert stored(aws, BUCKET, "hosted-clusters/prod-2/etcd.db") is None
    bed.add(Fault("AccessDenied", operation="HeadObject", times=-1))
    # What AWS says of an object that is not there to those who may list only below a prefix.
    assert stored(aws, BUCKET, "hosted-clusters/prod-2/etcd.db") is None
    with pytest.raises(AwsError, match="s3:GetObject"):
        stored(aws, BUCKET, KEY)


def breaking() -> Iterator[bytes]:
    """A stream whose other end says in the end that it has failed."""
    yield from pieces()
    raise LifecycleError("exec of cat in pod etcd-0 failed", why="exit code 1")


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        (lambda: pieces(DATA[:-1]), "ended after 12582911 of 12582912 bytes"),
        (lambda: pieces(DATA + b"!"), "more than 12582912 bytes"),
        (lambda: pieces(DATA[:-1] + bytes([DATA[-1] ^ 1])), "SHA-256"),
        (breaking, "exit code 1"),
        (lambda: iter(()), "ended after 0"),
    ],
    ids=["short", "long", "altered", "failed", "empty"],
)
def test_a_stream_that_is_not_whole_never_becomes_an_object(
    bed: Bed, s3: Any, asking: Asking, chunks: Callable[[], Iterator[bytes]], why: str
) -> None:
    aws, since = asking(), len(bed.requests())
    with pytest.raises(LifecycleError, match=why) as failed:
        upload_stream(aws, chunks(), BUCKET, KEY, **WHOLE)
    assert isinstance(failed.value, StreamMismatch) == (why != "exit code 1")
    assert "no parts of it are left" in failed.value.state
    asked = operations(bed, since)
    assert "CompleteMultipartUpload" not in asked
    assert "AbortMultipartUpload" in asked
    assert (keys(s3), unfinished(s3)) == ([], [])


def test_what_passes_is_tried_again(bed: Bed, s3: Any, asking: Asking) -> None:
    faults = (
        Fault("SlowDown", operation="UploadPart"),
        Fault("reset", operation="UploadPart", at=3 * MEBIBYTE),
        Fault("lost-answer", operation="UploadPart"),
        Fault("InternalError", operation="CreateMultipartUpload"),
        Fault("lost-answer", operation="CompleteMultipartUpload"),
        Fault("reset", operation="HeadObject"),
    )
    aws = asking()
    bed.add(*faults)
    upload_stream(aws, pieces(), BUCKET, KEY, **WHOLE)
    assert [rule["hit"] for rule in bed.faults()] == [1] * len(faults)
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == DATA
    assert unfinished(s3) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("reset", "the connection broke"),
        ("SlowDown", "AWS was too busy"),
        ("AccessDenied", "lack the permission s3:PutObject"),
    ],
)
def test_what_stays_is_told_and_nothing_is_left(
    bed: Bed, s3: Any, asking: Asking, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    monkeypatch.setattr(session, "_ATTEMPTS", 2)
    aws = asking()
    bed.add(Fault(fault, operation="UploadPart", at=3 * MEBIBYTE, first=2, times=-1))
    with pytest.raises(AwsError, match=words) as failed:
        upload_stream(aws, pieces(), BUCKET, KEY, **WHOLE)
    assert "no parts of it are left" in failed.value.state
    assert (keys(s3), unfinished(s3)) == ([], [])


def test_a_long_stream_is_not_read_on_when_the_transfer_has_failed(bed: Bed, asking: Asking) -> None:
    aws, read = asking(), []
    bed.add(Fault("AccessDenied", operation="CreateMultipartUpload"))
    long = (bytes(MEBIBYTE) for _number in range(1000))
    with pytest.raises(AwsError, match="s3:PutObject"):
        upload_stream(aws, long, BUCKET, KEY, sha256=SHA256, size=1000 * MEBIBYTE, on_bytes=read.append)
    # What is in memory when the answer comes, and not the rest of it.
    assert sum(read) <= 64 * MEBIBYTE


def test_a_token_that_ends_in_the_middle_leaves_parts_for_the_next_run(bed: Bed, s3: Any, asking: Asking) -> None:
    who = bed.session()
    aws = asking(who)
    ended = ("UploadPart", "AbortMultipartUpload", "ListMultipartUploads")
    bed.add(*(Fault("ExpiredToken", operation=operation, first=1 + (operation == "UploadPart"), times=-1) for operation in ended))
    with pytest.raises(AwsError, match="temporary credentials have ended") as failed:
        upload_stream(aws, pieces(), BUCKET, KEY, **WHOLE)
    assert "the next backup to this place removes them" in failed.value.state
    assert who.token not in told(failed.value)
    assert keys(s3) == []
    bed.clear()
    other = s3.create_multipart_upload(Bucket=BUCKET, Key="hosted-clusters/prod-10/etcd.db")["UploadId"]
    assert unfinished(s3) == [KEY, "hosted-clusters/prod-10/etcd.db"]
    assert abort_uploads(aws, BUCKET, "hosted-clusters/prod-1") == 1
    assert unfinished(s3) == ["hosted-clusters/prod-10/etcd.db"]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="hosted-clusters/prod-10/etcd.db", UploadId=other)


def test_a_reading_that_breaks_off_is_an_error(bed: Bed, s3: Any, asking: Asking) -> None:
    aws = asking()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=DATA)
    bed.add(Fault("reset-answer", operation="GetObject", at=MEBIBYTE, times=-1))
    with pytest.raises(AwsError, match="connection broke"):
        read_object(aws, BUCKET, KEY)


def test_buckets_are_judged(bed: Bed, s3: Any, asking: Asking) -> None:
    aws = asking()
    bed.create_bucket("documents", public=True)
    bed.create_bucket("far", "eu-west-1")
    good, public, far = (read_bucket(aws, name) for name in (BUCKET, "documents", "far"))
    assert good._replace(encryption=None, kms_key_id="") == BucketState(
        BUCKET, REGION, exists=True, public=False, block_public=True, versioning=True, tls_only=False
    )
    assert bucket_refusals(good, REGION, ()) == []
    assert [refusal.code for refusal in bucket_refusals(public, REGION, ["documents"])] == ["bucket-oidc", "bucket-public"]
    assert [refusal.code for refusal in bucket_refusals(far, REGION, ())] == ["bucket-region"]
    assert [refusal.code for refusal in bucket_refusals(read_bucket(aws, "nowhere-at-all"), "", ())] == ["bucket-missing"]
    assert "bucket-not-tls-only" in [finding.code for finding in bucket_findings(good)]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert bucket_findings(read_bucket(aws, BUCKET)) == []
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_what_may_not_be_read_is_not_taken_for_good(bed: Bed, asking: Asking) -> None:
    aws = asking()
    bed.add(Fault("AccessDenied", operation="GetBucketPolicyStatus", times=-1))
    closed = read_bucket(aws, BUCKET)
    assert (closed.public, closed.unknown) == (False, ("s3:GetBucketPolicyStatus",))  # public access is blocked whatever the policy says
    bed.add(Fault("AccessDenied", operation="GetBucketPublicAccessBlock", times=-1))
    unknown = read_bucket(aws, BUCKET)
    assert [refusal.code for refusal in bucket_refusals(unknown, "", ())] == ["bucket-public-unknown"]
    bed.add(Fault("AccessDenied", operation="GetBucketLocation", times=-1))
    assert [refusal.code for refusal in bucket_refusals(read_bucket(Aws({}, name="test"), BUCKET), "", ())] == ["bucket-denied"]


def test_buckets_are_asked_and_signed_for_in_their_own_region(bed: Bed, asking: Asking) -> None:
    bed.create_bucket("far-backups", "eu-west-1")
    aws, since = asking(own_names=True), len(bed.requests())
    upload_bytes(aws, DATA[:100], "far-backups", KEY, sha256=hashlib.sha256(DATA[:100]).hexdigest())
    assert aws.bucket_regions == {"far-backups": "eu-west-1"}
    assert {request["outcome"] for request in bed.requests(since) if request["operation"] != "GetBucketLocation"} == {"200"}
    url = signing_client(aws, "far-backups").generate_presigned_url("get_object", Params={"Bucket": "far-backups", "Key": KEY})
    assert url.startswith(f"https://far-backups.s3.eu-west-1.amazonaws.com/{KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert url_length(aws, "far-backups", KEY, 3600) == len(url)
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(bed.ca_bundle)))
    with urllib.request.build_opener(urllib.request.ProxyHandler({"https": bed.proxy}), tls).open(url, timeout=30) as answer:
        assert answer.read() == DATA[:100]


def test_the_length_of_an_address_is_known_before_it_is_made(bed: Bed, asking: Asking) -> None:
    user, temporary = bed.user, bed.session()
    assert url_length(asking(user), BUCKET, KEY, 3600) < MOST
    assert url_length(asking(temporary), BUCKET, KEY, 3600) > MOST


def test_options_say_who_asks_and_where(bed: Bed, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    asking()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    place = {"endpoint_url": bed.endpoint, "aws_ca_bundle": str(bed.ca_bundle), "region": REGION, "validate_certs": True}
    who = {"access_key": bed.user.access_key, "secret_key": bed.user.secret}
    assert list_keys(Aws({**place, **who}, name="test"), BUCKET, "none/") == ()
    with pytest.raises(AwsError, match="there are no credentials"):
        list_keys(Aws(place, name="test"), BUCKET, "none/")
    with pytest.raises(AwsError, match="certificate is not trusted") as untrusted:
        list_keys(Aws({**place, **who, "aws_ca_bundle": None}, name="test"), BUCKET, "none/")
    assert "aws_ca_bundle" in untrusted.value.next
    assert list_keys(Aws({**place, **who, "aws_ca_bundle": None, "validate_certs": False}, name="test"), BUCKET, "none/") == ()


@pytest.mark.parametrize(("kind", "words"), [("wrong", "does not know the credentials"), ("ended", "temporary credentials have ended")])
def test_errors_never_show_keys_or_tokens(bed: Bed, asking: Asking, kind: str, words: str) -> None:
    who = bed.session(-1) if kind == "ended" else Credentials("AKIAUNKNOWN000000001", "canary-of-a-secret-key", "canary-token" * 80)
    aws = asking(who)
    assert set(aws.secrets) == set(who)
    questions = (
        partial(read_bucket, aws, BUCKET),
        partial(records, aws, "Z1", ["a.example.com"]),
        partial(instance_states, aws, ["i-1"], REGION),
    )
    for ask in questions:
        with pytest.raises(AwsError, match=words) as failed:
            ask()
        assert not [secret for secret in who if secret in told(failed.value)]


def test_only_what_the_example_policy_allows_is_asked(bed: Bed, s3: Any, asking: Asking) -> None:
    """Everything that a backup and an info ask for, as the front has seen it, against the policy that the guide gives to users."""
    shape = shape_of_size("prod", 7)
    instances = sorted(bed.run_instances(shape).values())
    bed.create_zone(shape, "owner-of-source")
    leftover = "hosted-clusters/prod-0/etcd.db"
    s3.create_multipart_upload(Bucket=BUCKET, Key=leftover)
    aws, since = asking(), len(bed.requests())
    read_bucket(aws, BUCKET)
    url_length(aws, BUCKET, KEY, 3600)
    try_upload(aws, BUCKET, KEY)
    assert (keys(s3), unfinished(s3)) == ([], [leftover])
    assert abort_uploads(aws, BUCKET, "hosted-clusters/prod-0") == 1
    done = upload_stream(aws, pieces(), BUCKET, KEY, **WHOLE)
    upload_bytes(aws, b"{}", BUCKET, "hosted-clusters/prod-1/index.json", sha256=hashlib.sha256(b"{}").hexdigest())
    assert stored(aws, BUCKET, KEY, done.version_id)
    assert read_object(aws, BUCKET, "hosted-clusters/prod-1/index.json") == b"{}"
    list_keys(aws, BUCKET, "hosted-clusters/prod-1/")
    states = instance_states(aws, [*instances, "i-00000000000000000"], shape.region)
    assert states == {**dict.fromkeys(instances, "running"), "i-00000000000000000": "absent"}
    hostnames = [shape.hostname(service) for service in ("api", "oauth", "konnectivity", "ignition")]
    found = records(aws, None, [*hostnames, f"other.{shape.domain}"])
    assert [(one.state, one.owner) for one in found] == [*[("owned", "owner-of-source")] * 4, ("absent", "")]
    assert found[0].target == "lb.source.example.com"
    asked, policy = bed.requests(since), policy_for()
    assert len(needed(asked)) > 12
    assert not_allowed(asked, policy) == []
    assert allowed(policy, "s3:GetObjectVersion", BUCKET, KEY)
    assert not allowed(policy, "s3:PutObject", BUCKET, "others/x")
    assert not allowed(policy, "s3:DeleteObject", BUCKET, KEY)
    denied = [statement for statement in policy["Statement"] if statement["Effect"] == "Deny"]
    assert [statement["Action"] for statement in denied] == ["ec2:TerminateInstances"]
