# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The front of moto: signatures by AWS' own examples, operations by their form, faults by count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standins.aws_front.operations import Place, place_of, wanted
from standins.aws_front.rules import Rule, Rules
from standins.aws_front.signature import Asked, Credential, Denied, Scope, verify

SECRETS = {
    "AKIDEXAMPLE": Credential("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    "AKIAIOSFODNN7EXAMPLE": Credential("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, the example of IAM
SIGNED = Asked(
    "GET",
    "/?Action=ListUsers&Version=2010-05-08",
    {
        "host": "iam.amazonaws.com",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    },
)
SIGNED_AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
PRESIGNED = Asked(
    "GET",
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    {"host": "examplebucket.s3.amazonaws.com"},
)
PRESIGNED_AT = datetime(2013, 5, 24, tzinfo=UTC)


def code(asked: Asked, now: datetime, body: bytes = b"") -> str:
    """The code of the refusal."""
    with pytest.raises(Denied) as denied:
        verify(asked, body, SECRETS.get, now)
    return denied.value.code


def test_a_signed_request_is_known_by_its_signature() -> None:
    assert verify(SIGNED, b"", SECRETS.get, SIGNED_AT) == Scope("AKIDEXAMPLE", "us-east-1", "iam")
    assert code(SIGNED, SIGNED_AT, b"other") == "SignatureDoesNotMatch"
    assert code(SIGNED._replace(target="/?Action=DeleteUser&Version=2010-05-08"), SIGNED_AT) == "SignatureDoesNotMatch"
    assert code(SIGNED, SIGNED_AT + timedelta(minutes=16)) == "RequestTimeTooSkewed"


def test_a_presigned_url_ends_and_cannot_be_changed() -> None:
    scope = verify(PRESIGNED, b"", SECRETS.get, PRESIGNED_AT + timedelta(hours=23))
    assert (scope.service, scope.presigned) == ("s3", True)
    assert code(PRESIGNED, PRESIGNED_AT + timedelta(hours=25)) == "AccessDenied"
    assert code(PRESIGNED._replace(target=PRESIGNED.target.replace("86400", "86401")), PRESIGNED_AT) == "SignatureDoesNotMatch"
    assert code(PRESIGNED._replace(target=PRESIGNED.target.replace("86400", "700000")), PRESIGNED_AT) == "AuthorizationQueryParametersError"
    assert code(PRESIGNED._replace(headers={"host": "other.s3.amazonaws.com"}), PRESIGNED_AT) == "SignatureDoesNotMatch"


def test_what_is_older_than_version_4_or_not_signed_is_refused() -> None:
    old = SIGNED._replace(headers={"authorization": "AWS AKIDEXAMPLE:c2lnbmF0dXJl"})
    assert code(old, SIGNED_AT) == "InvalidRequest"
    assert code(SIGNED._replace(headers={}), SIGNED_AT) == "AccessDenied"


@pytest.mark.parametrize(
    ("method", "target", "operation", "bucket", "key"),
    [
        ("PUT", "/b/k/x?uploadId=1&partNumber=2", "UploadPart", "b", "k/x"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload", "b", "k"),
        ("POST", "/b/k?uploadId=1", "CompleteMultipartUpload", "b", "k"),
        ("DELETE", "/b/k?uploadId=1", "AbortMultipartUpload", "b", "k"),
        ("GET", "/b?uploads", "ListMultipartUploads", "b", ""),
        ("GET", "/b/a%20b", "GetObject", "b", "a b"),
        ("GET", "/b?location", "GetBucketLocation", "b", ""),
        ("GET", "/b?policyStatus", "GetBucketPolicyStatus", "b", ""),
        ("GET", "/b?list-type=2&prefix=x", "ListObjects", "b", ""),
        ("HEAD", "/b", "HeadBucket", "b", ""),
        ("GET", "/", "ListBuckets", "", ""),
    ],
)
def test_operations_of_s3_are_known_by_their_form(method: str, target: str, operation: str, bucket: str, key: str) -> None:
    found = wanted(Asked(method, target, {}), b"", "s3", Place())
    assert (found.operation, found.bucket, found.key) == (operation, bucket, key)


def test_a_name_says_service_region_and_bucket() -> None:
    assert place_of("backups.s3.us-east-2.amazonaws.com") == Place("s3", "us-east-2", "backups")
    assert place_of("s3.amazonaws.com:443") == Place("s3")
    assert place_of("127.0.0.1:4711") == Place()
    assert wanted(Asked("POST", "/", {}), b"Action=DescribeInstances&Version=1", "ec2", Place()).operation == "DescribeInstances"


def test_a_rule_hits_from_its_first_on_every_so_many_and_not_too_often() -> None:
    rules = Rules()
    rules.replace([{"fault": "SlowDown", "operation": "UploadPart", "first": 2, "every": 2, "times": 2}])
    part = wanted(Asked("PUT", "/b/k?uploadId=1&partNumber=2", {}), b"", "s3", Place())
    other = wanted(Asked("PUT", "/b/k", {}), b"", "s3", Place())
    hits = [rules.meet(request) is not None for request in (part, other, part, part, part, part, part)]
    assert hits == [False, False, True, False, True, False, False]
    with pytest.raises(ValueError, match="there is no fault"):
        Rule("Nothing")
