# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3 is asked to encrypt with."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import try_upload, upload_bytes

DATA = b"{}"
SHA256 = hashlib.sha256(DATA).hexdigest()


class DeniedError(Exception):
    """As botocore's ClientError."""

    response: ClassVar = {"Error": {"Code": "AccessDenied"}}
    operation_name = "CreateMultipartUpload"


class Bucket(Aws):
    """A bucket that keeps what it was asked for, and its own client."""

    def __init__(self) -> None:
        """It is empty at first."""
        self.bucket_regions = {"backups": "us-east-2"}
        self.put: dict[str, Any] = {}
        self.open: set[str] = set()
        self.denied = False

    def client(self, service: str, region: str = "", *, addressing: str = "auto") -> Any:
        assert (service, region, addressing) == ("s3", "us-east-2", "auto")
        return self

    def put_object(self, **what: Any) -> None:
        self.put = what

    def create_multipart_upload(self, **what: Any) -> dict[str, str]:
        self.put = what
        if self.denied:
            raise DeniedError
        self.open.add(what["Key"])
        return {"UploadId": what["Key"]}

    def abort_multipart_upload(self, **what: Any) -> None:
        self.open.remove(what["UploadId"])

    def head_object(self, **_what: Any) -> dict[str, Any]:
        return {"ContentLength": len(self.put["Body"]), "Metadata": self.put["Metadata"]}


@pytest.mark.parametrize(
    ("kms_key_id", "default", "asked"),
    [
        ("", "", {"ServerSideEncryption": "AES256"}),
        ("", "AES256", {"ServerSideEncryption": "AES256"}),
        # Anything said would come before the key that the bucket's owner has chosen.
        ("", "aws:kms", {}),
        ("", "aws:kms:dsse", {}),
        ("key-1", "aws:kms", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
        ("key-1", "", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
    ],
)
def test_the_key_of_the_bucket_is_not_replaced_by_a_weaker_one(kms_key_id: str, default: str, asked: dict[str, str]) -> None:
    bucket = Bucket()
    upload_bytes(bucket, DATA, "backups", "prod/index.json", sha256=SHA256, kms_key_id=kms_key_id, default_encryption=default)
    assert {name: value for name, value in bucket.put.items() if name in ("ServerSideEncryption", "SSEKMSKeyId")} == asked


def test_an_upload_that_is_tried_leaves_nothing_and_says_what_is_missing() -> None:
    bucket = Bucket()
    try_upload(bucket, "backups", "prod/etcd.db", kms_key_id="key-1")
    assert (bucket.put["SSEKMSKeyId"], bucket.put["Key"], bucket.open) == ("key-1", "prod/etcd.db", set())
    bucket.denied = True
    with pytest.raises(AwsError) as denied:
        try_upload(bucket, "backups", "prod/etcd.db")
    assert denied.value.denied
    assert "s3:PutObject" in denied.value.why
