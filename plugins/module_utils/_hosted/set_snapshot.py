# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the snapshot in S3 is still the one that a set's index names. Decides nothing else; how S3 is asked is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class SnapshotSeen(NamedTuple):
    """What S3 has: ``sha256`` of the whole content ("" when it is not known), ``checksum`` is S3's own ("" when it has none)."""

    size: int
    sha256: str
    checksum: str = ""


class SnapshotCheck(Protocol):
    """Looks at an object: None when it is gone; LifecycleError when S3 does not say."""

    def __call__(self, bucket: str, key: str, version_id: str) -> SnapshotSeen | None:
        """Return what S3 has of it."""


class StoredObject(Protocol):
    """An object as S3 describes it (``_aws.upload.Stored``)."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha256(self) -> str:
        """Its metadata ``sha256``, in hexadecimal; "" without it."""

    @property
    def checksum(self) -> str:
        """The checksum that S3 itself made; "" without one."""


class ByMetadata:
    """Believes what S3 says of the object: one request, whatever its size."""

    def __init__(self, stored: Callable[[str, str, str], StoredObject | None]) -> None:
        """``stored`` gets bucket, key and version id ("" for the newest)."""
        self._stored = stored

    def __call__(self, bucket: str, key: str, version_id: str) -> SnapshotSeen | None:
        """Ask S3 for the description."""
        found = self._stored(bucket, key, version_id)
        return SnapshotSeen(found.size, found.sha256, found.checksum) if found is not None else None


class ByContent:
    """Reads the whole object and counts itself; in flat memory."""

    def __init__(self, stored: Callable[[str, str, str], StoredObject | None], stream: Callable[[str, str, str], Iterable[bytes]]) -> None:
        """``stored`` says whether it is there, ``stream`` gives its bytes; both get bucket, key and version id."""
        self._stored = stored
        self._stream = stream

    def __call__(self, bucket: str, key: str, version_id: str) -> SnapshotSeen | None:
        """Read it."""
        found = self._stored(bucket, key, version_id)
        if found is None:
            return None
        size, digest = 0, hashlib.sha256()
        for chunk in self._stream(bucket, key, version_id):
            size += len(chunk)
            digest.update(chunk)
        return SnapshotSeen(size, digest.hexdigest(), found.checksum)


def snapshot_findings(snapshot: Mapping[str, Any], check: SnapshotCheck | None) -> list[Finding]:
    """Return what is wrong with the snapshot that an index names; ``check`` is None when S3 is not to be asked."""
    bucket, key, version = (str(snapshot.get(name) or "") for name in ("bucket", "key", "version_id"))
    if not (bucket and key and snapshot.get("sha256") and snapshot.get("size")):
        ref = ObjectRef("File", "index.json")
        return [
            _finding("error", "snapshot-unnamed", ref, "the index names no snapshot", "the set is not restorable", "make another backup")
        ]
    ref = ObjectRef("File", f"s3://{bucket}/{key}")
    if check is None:
        why = "the set is of use only together with it"
        return [
            _finding(
                "warning",
                "snapshot-not-checked",
                ref,
                "the snapshot was not looked at",
                why,
                "verify it with snapshot_check: metadata or content",
            )
        ]
    try:
        seen = check(bucket, key, version)
    except LifecycleError as error:
        return [_finding("error", "snapshot-unreadable", ref, f"S3 does not show the snapshot: {error}", error.why, error.next)]
    another = "use another set, or another copy of this snapshot"
    if seen is None:
        what = f"the snapshot is gone{f' (version {version})' if version else ''}"
        return [_finding("error", "snapshot-missing", ref, what, "without it nothing can be restored", another)]
    found: list[Finding] = []
    if seen.size != snapshot["size"]:
        what = f"the snapshot has {seen.size} bytes, not {snapshot['size']}"
        found.append(_finding("error", "snapshot-size-differs", ref, what, "it is not what was uploaded", another))
    if seen.sha256 and seen.sha256 != snapshot["sha256"]:
        found.append(
            _finding("error", "snapshot-checksum-differs", ref, "the snapshot has another sha256", "it is not what was uploaded", another)
        )
    elif snapshot.get("checksum") and seen.checksum and seen.checksum != snapshot["checksum"]:
        what = "S3 has another checksum of the snapshot"
        found.append(_finding("error", "snapshot-checksum-differs", ref, what, "it is not what was uploaded", another))
    elif not seen.sha256:
        why = "somebody has written the object anew, or copied it without its metadata"
        found.append(
            _finding("warning", "snapshot-checksum-unknown", ref, "the snapshot has no metadata sha256", why, "set snapshot_check: content")
        )
    return found


def _finding(severity: Any, code: str, ref: ObjectRef, what: str, why: str, remedy: str) -> Finding:
    return Finding(severity, code, ref, what, why, remedy)
