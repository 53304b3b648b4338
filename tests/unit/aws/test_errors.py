# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of AWS in words."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSLError,
)

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.actions import action_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError, aws_error, code_of, plain
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

BUCKET = ObjectRef("Bucket", "backups")


def answered(code: str, operation: str, message: str = "", **more: str) -> ClientError:
    """An answer of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message, **more}}, operation)  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "why", "advice"),
    [
        (answered("AccessDenied", "UploadPart", "Access Denied"), "lack the permission s3:PutObject", "allow s3:PutObject"),
        (answered("403", "HeadObject", "Forbidden"), "s3:GetObject.*without s3:ListBucket", "allow s3:GetObject"),
        (answered("UnauthorizedOperation", "DescribeInstances"), "ec2:DescribeInstances", "allow ec2:DescribeInstances"),
        (
            answered("AccessDenied", "PutObject", "arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: k"),
            "lack the permission kms:GenerateDataKey.*arn:aws:iam::1:user/x",
            "in that of the key",
        ),
        (answered("ExpiredToken", "UploadPart"), "temporary credentials have ended", "get new ones"),
        (answered("RequestExpired", "DescribeInstances"), "temporary credentials have ended", "get new ones"),
        (answered("InvalidAccessKeyId", "PutObject"), "does not know the credentials", "profile"),
        (answered("PermanentRedirect", "GetObject", Region="eu-west-1"), "the bucket is in eu-west-1", "set region to eu-west-1"),
        (answered("SlowDown", "UploadPart"), "too busy", "later"),
        (answered("NoSuchBucket", "PutObject"), "no such bucket", "name"),
        (answered("KMS.DisabledException", "PutObject"), "KMS key", "kms_key_id"),
        (answered("RequestTimeTooSkewed", "PutObject"), "clock", "set the clock"),
        (answered("Unheard", "PutObject", "of"), r"PutObject was answered with Unheard \(of\)", "run it again"),
        (NoCredentialsError(), "no credentials", "profile"),
        (NoRegionError(), "which region", "set region"),
        (ProfileNotFound(profile="dr"), "dr", "list-profiles"),
        (EndpointConnectionError(endpoint_url="https://s3.example.com"), "could not be reached", "HTTPS_PROXY"),
        (ConnectionClosedError(endpoint_url="https://s3.example.com"), "connection broke", "run it again"),
        (
            SSLError(endpoint_url="https://s3.example.com", error="EOF occurred"),
            "connection broke",
            "run it again",
        ),
        (SSLError(endpoint_url="https://s3.example.com", error="[SSL: CERTIFICATE_VERIFY_FAILED] x"), "not trusted", "aws_ca_bundle"),
    ],
)
def test_says_what_why_and_what_next(error: Exception, why: str, advice: str) -> None:
    found = aws_error(error, "storing s3://backups/x", BUCKET)
    assert isinstance(found, AwsError)
    assert (found.msg, found.object, found.code) == ("AWS: storing s3://backups/x failed", BUCKET, code_of(error))
    with pytest.raises(AwsError, match=why):
        raise found
    assert advice in found.next


def test_knows_what_is_missing_and_what_is_denied() -> None:
    denied, absent = (aws_error(answered(code, "GetObject"), "reading", None) for code in ("AccessDenied", "NoSuchKey"))
    assert isinstance(denied, AwsError)
    assert isinstance(absent, AwsError)
    assert (denied.denied, denied.absent, denied.action) == (True, False, "s3:GetObject")
    assert (absent.denied, absent.absent) == (False, True)


def test_an_error_in_words_stays_as_it_is() -> None:
    known = LifecycleError("exec failed")
    assert aws_error(known, "storing", None) is known


def test_keys_tokens_and_signed_addresses_are_not_shown() -> None:
    token = "IQoJb3JpZ2luX2VjE" + "aB3/+" * 160
    url = f"https://backups.s3.us-east-2.amazonaws.com/prod/etcd.db?X-Amz-Security-Token={token}&X-Amz-Signature=0123abcd"
    shown = plain(f'Could not connect to "{url}" as AKIAIOSFODNN7EXAMPLE with {token} by http://me:canary@proxy.example.com:3128')
    assert shown == (
        'Could not connect to "https://backups.s3.us-east-2.amazonaws.com/prod/etcd.db" as *** with *** by http://proxy.example.com:3128'
    )
    assert len(plain("word " * 1000)) < 500


def test_what_is_unknown_is_told_by_its_name() -> None:
    assert "CapacityError" in str(aws_error(type("CapacityError", (BotoCoreError,), {"fmt": ""})(), "asking", None))


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("CompleteMultipartUpload", "s3:PutObject"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
        ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
        ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
        ("GetCallerIdentity", ""),
    ],
)
def test_operations_have_permissions_of_other_names(operation: str, action: str) -> None:
    assert action_of(operation) == action
