# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3 is asked to encrypt with."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import try_upload, upload_bytes

DATA = b"{}"
SHA256 = hashlib.sha256(DATA).hexdigest()


class DeniedError(Exception):
    """As botocore's ClientError."""

    def __init__(self, operation: str, message: str = "") -> None:
        """``message`` is what AWS says beside its code."""
        super().__init__(operation)
        self.operation_name = operation
        self.response = {"Error": {"Code": "AccessDenied", "Message": message}}


class Bucket(Aws):
    """A bucket that keeps what it was asked for, and its own client."""

    def __init__(self) -> None:
        """It is empty at first."""
        self.bucket_regions = {"backups": "us-east-2"}
        self.put: dict[str, Any] = {}
        self.open: set[str] = set()
        self.parts: list[str] = []
        self.denied: dict[str, str] = {}

    def client(self, service: str, region: str = "", *, addressing: str = "auto") -> Any:
        assert (service, region, addressing) == ("s3", "us-east-2", "auto")
        return self

    def put_object(self, **what: Any) -> None:
        self.put = what

    def create_multipart_upload(self, **what: Any) -> dict[str, str]:
        self.put = what
        self._ask("CreateMultipartUpload")
        self.open.add(what["Key"])
        return {"UploadId": what["Key"]}

    def upload_part(self, **what: Any) -> None:
        self._ask("UploadPart")
        self.parts.append(what["UploadId"])

    def _ask(self, operation: str) -> None:
        if operation in self.denied:
            raise DeniedError(operation, self.denied[operation])

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
    assert bucket.parts == ["prod/etcd.db"]


@pytest.mark.parametrize(
    ("operation", "message", "action"),
    [
        ("CreateMultipartUpload", "", "s3:PutObject"),
        ("CreateMultipartUpload", "User: x is not authorized to perform: kms:GenerateDataKey on y", "kms:GenerateDataKey"),
        # S3 asks for it when a part comes.
        ("UploadPart", "User: x is not authorized to perform: kms:Decrypt on y", "kms:Decrypt"),
    ],
)
def test_what_may_not_be_stored_is_refused_before(operation: str, message: str, action: str) -> None:
    bucket = Bucket()
    bucket.denied[operation] = message
    with pytest.raises(AwsError) as denied:
        try_upload(bucket, "backups", "prod/etcd.db", kms_key_id="key-1")
    assert (denied.value.denied, denied.value.action) == (True, action)
    assert (bucket.open, bucket.parts) == (set(), [])
