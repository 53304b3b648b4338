# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that are stored: what S3 knows of them, what is in them, and which there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError, aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.place import address, bucket_ref, s3_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_CHUNK = 1024 * 1024


class Stored(NamedTuple):
    """``sha256`` is what the uploader has noted (hexadecimal), ``checksum`` is S3's own, in its form; empty: not told."""

    size: int
    sha256: str
    checksum: str
    encryption: str
    kms_key_id: str
    version_id: str


def object_ref(bucket: str, key: str) -> ObjectRef:
    """Return how an object in a bucket is named in errors."""
    return ObjectRef("S3 object", address(bucket, key))


def stored(aws: Aws, bucket: str, key: str, version_id: str = "") -> Stored | None:
    """Return what S3 knows of an object; None when it is not there. Raises AwsError."""
    s3, which = s3_of(aws, bucket), {"VersionId": version_id} if version_id else {}
    try:
        found = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **which)
    except Exception as error:
        made = aws_error(error, f"looking at {address(bucket, key)}", object_ref(bucket, key))
        # Who may list only below a prefix is told 403 of what is not there.
        if isinstance(made, AwsError) and (made.absent or (made.denied and not which and key not in list_keys(aws, bucket, key))):
            return None
        raise made from error
    return Stored(
        int(found["ContentLength"]),
        str((found.get("Metadata") or {}).get("sha256") or ""),
        str(found.get("ChecksumSHA256") or ""),
        str(found.get("ServerSideEncryption") or ""),
        str(found.get("SSEKMSKeyId") or ""),
        str(found.get("VersionId") or "").replace("null", ""),
    )


def read_object(aws: Aws, bucket: str, key: str, version_id: str = "") -> bytes:
    """Return the whole content of a small object; raises AwsError (``absent``)."""
    return b"".join(stream_object(aws, bucket, key, version_id))


def stream_object(aws: Aws, bucket: str, key: str, version_id: str = "") -> Iterator[bytes]:
    """Yield the content of an object; raises AwsError, also when it breaks off in the middle."""
    s3, which = s3_of(aws, bucket), {"VersionId": version_id} if version_id else {}
    try:
        body: Any = s3.get_object(Bucket=bucket, Key=key, **which)["Body"]
    except Exception as error:
        raise aws_error(error, f"reading {address(bucket, key)}", object_ref(bucket, key)) from error
    try:
        while chunk := _read(body, bucket, key):
            yield chunk
    finally:
        body.close()


def list_keys(aws: Aws, bucket: str, prefix: str) -> tuple[str, ...]:
    """Return the keys that begin with ``prefix``, in order; raises AwsError."""
    s3 = s3_of(aws, bucket)
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return tuple(item["Key"] for page in pages for item in page.get("Contents") or ())
    except Exception as error:
        raise aws_error(error, f"listing {address(bucket, prefix)}", bucket_ref(bucket)) from error


def _read(body: Any, bucket: str, key: str) -> bytes:
    try:
        return bytes(body.read(_CHUNK))
    except Exception as error:
        raise aws_error(error, f"reading {address(bucket, key)}", object_ref(bucket, key)) from error
