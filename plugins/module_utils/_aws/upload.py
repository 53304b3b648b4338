# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects: put there encrypted and with checksums, and looked at again; a stream goes through the SDK's transfer manager."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error, code_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.objects import Stored, object_ref, stored
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.place import address, s3_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.stream import MEBIBYTE, ChunkReader, part_size
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.unfinished import abort_uploads
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, NotProven

# All parts that are in memory: those that are sent or wait for that, and the one that is read, which is there twice for a moment.
_BUFFERS = 64 * MEBIBYTE
_THREADS = 4
_TRIED = b"tried"


class Uploaded(NamedTuple):
    """An object that is there in full. ``sha256`` is hexadecimal and of its bytes, ``checksum`` is S3's, in S3's form.

    ``version_id`` is empty in a bucket without versions. ``checksum`` is empty when the store does not tell one.
    """

    bucket: str
    key: str
    size: int
    sha256: str
    version_id: str
    parts: int
    checksum: str


def upload_stream(
    aws: Aws,
    chunks: Iterator[bytes],
    bucket: str,
    key: str,
    *,
    sha256: str,
    size: int,
    kms_key_id: str = "",
    default_encryption: str = "",
    on_bytes: Callable[[int], None] | None = None,
) -> Uploaded:
    """Store ``size`` bytes with the digest ``sha256`` (hexadecimal) that come in ``chunks``, which is read in another thread.

    ``default_encryption`` is the bucket's (``BucketState.encryption``), for when no ``kms_key_id`` is given.
    ``on_bytes`` is told the number of bytes of each chunk that was read. When the stream is shorter, longer or another one, when it
    raises, or when S3 does not take it after all attempts, there is no object, and the parts that had been sent are taken back; if
    that fails, too, ``state`` of the error says so. Raises StreamMismatch, what ``chunks`` raises, AwsError and NotProven.
    """
    if size < 1:
        raise LifecycleError(f"There is nothing to store at {address(bucket, key)}", object=object_ref(bucket, key), why="it has no bytes")
    s3, part = s3_of(aws, bucket), part_size(size)
    reader = ChunkReader(iter(chunks), size=size, sha256=sha256, part=part, on_bytes=on_bytes)
    try:
        _transfer(s3, reader, bucket, key, part=part, size=size, arguments=_arguments(sha256, kms_key_id, default_encryption))
    except Exception as error:
        failure = reader.failure or error
        # When the answer to the last request was lost, the SDK asks again, and the upload is no more, for it was completed.
        found = stored(aws, bucket, key) if code_of(failure) == "NoSuchUpload" else None
        if found is None or (found.size, found.sha256) != (size, sha256):
            told = failure if reader.failure else aws_error(error, f"storing {address(bucket, key)}", object_ref(bucket, key))
            _take_back(aws, bucket, key, told)
    return _proven(aws, bucket, key, size, sha256, reader.parts, reader.checksum)


def upload_bytes(
    aws: Aws, data: bytes, bucket: str, key: str, *, sha256: str, kms_key_id: str = "", default_encryption: str = ""
) -> Uploaded:
    """Store ``data``, whose SHA-256 (hexadecimal) is ``sha256``, encrypted as ``upload_stream`` does; raises AwsError and NotProven."""
    digest = hashlib.sha256(data)
    if digest.hexdigest() != sha256:
        why = f"its SHA-256 is {digest.hexdigest()}, not {sha256}"
        raise LifecycleError(f"What is to be stored at {address(bucket, key)} has changed", object=object_ref(bucket, key), why=why)
    s3 = s3_of(aws, bucket)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=data, **_arguments(sha256, kms_key_id, default_encryption))
    except Exception as error:
        raise aws_error(error, f"storing {address(bucket, key)}", object_ref(bucket, key)) from error
    return _proven(aws, bucket, key, len(data), sha256, 1, base64.b64encode(digest.digest()).decode())


def try_upload(aws: Aws, bucket: str, key: str, *, kms_key_id: str = "", default_encryption: str = "") -> None:
    """Begin an upload to ``key``, send one part and take it back.

    S3 asks for kms:GenerateDataKey when an upload begins, and for kms:Decrypt not before a part comes (its user guide, "Uploading
    and copying objects using multipart upload", on permissions). There is never an object. Raises AwsError.
    """
    s3, arguments = s3_of(aws, bucket), _arguments("", kms_key_id, default_encryption)
    try:
        begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **{**arguments, "Metadata": {}})
        try:
            s3.upload_part(Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=_TRIED, ChecksumAlgorithm="SHA256")
        finally:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun["UploadId"])
    except Exception as error:
        raise aws_error(error, f"beginning to store {address(bucket, key)}", object_ref(bucket, key)) from error


def _arguments(sha256: str, kms_key_id: str, default_encryption: str) -> dict[str, Any]:
    if kms_key_id:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}
    elif default_encryption.startswith("aws:kms"):
        # Whatever is said here comes before the bucket's own key, and AES256 is less than that.
        encryption = {}
    else:
        encryption = {"ServerSideEncryption": "AES256"}
    return {"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": sha256}, **encryption}


def _transfer(s3: Any, reader: ChunkReader, bucket: str, key: str, *, part: int, size: int, arguments: dict[str, Any]) -> None:
    """Let the SDK send the parts: it takes back what it has sent when one of them, or the reader, fails."""
    from s3transfer.manager import TransferConfig, TransferManager
    from s3transfer.subscribers import BaseSubscriber

    class Announced(BaseSubscriber):  # type: ignore[misc]
        def on_queued(self, future: Any, **_rest: Any) -> None:
            future.meta.provide_transfer_size(size)
            reader.give_up_when(future.done)

    config = TransferConfig(
        multipart_threshold=part,
        multipart_chunksize=part,
        max_request_concurrency=_THREADS,
        max_in_memory_upload_chunks=max(1, _BUFFERS // part - 2),
    )
    with TransferManager(s3, config) as transfers:
        transfers.upload(reader, bucket, key, extra_args=arguments, subscribers=[Announced()]).result()


def _take_back(aws: Aws, bucket: str, key: str, told: BaseException) -> NoReturn:
    """Raise ``told``, after making sure that nothing of the upload is left."""
    try:
        abort_uploads(aws, bucket, key)
    except LifecycleError as error:
        if isinstance(told, LifecycleError):
            told.state = (
                f"there is no object {address(bucket, key)}, but parts of it may be left that cost money and could not be taken back "
                f"({error.why}); aws s3api list-multipart-uploads --bucket {bucket} shows them, the next backup to this place removes them"
            )
    else:
        if isinstance(told, LifecycleError) and not told.state:
            told.state = f"nothing is stored at {address(bucket, key)}, and no parts of it are left"
    raise told


def _proven(aws: Aws, bucket: str, key: str, size: int, sha256: str, parts: int, checksum: str) -> Uploaded:
    """Return what S3 says of the object, which must be what was sent."""
    found = stored(aws, bucket, key)
    if found is None:
        raise _not_proven(bucket, key, "it is not there")
    differences = [
        f"its {what} is {there or 'not told'}, not {sent}" for what, there, sent in _pairs(found, size, sha256, checksum) if there != sent
    ]
    if differences:
        raise _not_proven(bucket, key, "; ".join(differences))
    return Uploaded(bucket, key, size, sha256, found.version_id, parts, found.checksum)


def _pairs(found: Stored, size: int, sha256: str, checksum: str) -> Iterator[tuple[str, object, object]]:
    yield "size", found.size, size
    yield "metadata sha256", found.sha256, sha256
    # Stores that are like S3 do not all keep it, or tell it without the number of parts; what they took was checked part by part.
    if found.checksum:
        yield "checksum", found.checksum, checksum if "-" in found.checksum else checksum.partition("-")[0]


def _not_proven(bucket: str, key: str, why: str) -> NotProven:
    return NotProven(
        f"What is stored at {address(bucket, key)} is not what was sent",
        object=object_ref(bucket, key),
        why=why,
        state="do not restore from it",
        next="run it again; if it stays so, look who else writes to the bucket, and at what answers at endpoint_url",
    )
