# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether S3 still has the snapshot that a set names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_snapshot import (
    ByContent,
    ByMetadata,
    SnapshotCheck,
    snapshot_findings,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

DATA = b"etcd" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
INDEX = {"bucket": "b", "key": "k/etcd.db", "version_id": "v1", "size": len(DATA), "sha256": SHA, "checksum": "abc"}


class Stored(NamedTuple):
    """As ``_aws.upload.Stored``."""

    size: int = len(DATA)
    sha256: str = SHA
    checksum: str = "abc"


class Bucket:
    """One object, as S3 describes it and as it is."""

    def __init__(self, described: Stored | None, data: bytes = DATA) -> None:
        """``described`` is None when the object is gone."""
        self.described, self.data = described, data
        self.asked: list[tuple[str, str, str]] = []

    def stored(self, bucket: str, key: str, version_id: str) -> Stored | None:
        """Describe it."""
        self.asked.append((bucket, key, version_id))
        return self.described

    def stream(self, bucket: str, key: str, version_id: str) -> Iterator[bytes]:
        """Read it."""
        self.asked.append((bucket, key, version_id))
        yield self.data[:1000]
        yield self.data[1000:]


def found(check: SnapshotCheck | None, index: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return severity and code of the findings."""
    return [(finding.severity, finding.code) for finding in snapshot_findings(INDEX if index is None else index, check)]


@pytest.mark.parametrize(
    ("described", "metadata", "whole"),
    [
        (Stored(), [], []),
        (None, [("error", "snapshot-missing")], [("error", "snapshot-missing")]),
        (Stored(size=1), [("error", "snapshot-size-differs")], []),
        (Stored(sha256="0" * 64), [("error", "snapshot-checksum-differs")], []),
        (Stored(checksum="xyz"), [("error", "snapshot-checksum-differs")], [("error", "snapshot-checksum-differs")]),
        (Stored(sha256=""), [("warning", "snapshot-checksum-unknown")], []),
        (Stored(checksum=""), [], []),
    ],
)
def test_what_s3_says_of_it(described: Stored | None, metadata: list[tuple[str, str]], whole: list[tuple[str, str]]) -> None:
    bucket = Bucket(described)
    assert found(ByMetadata(bucket.stored)) == metadata
    assert found(ByContent(bucket.stored, bucket.stream)) == whole
    assert set(bucket.asked) == {("b", "k/etcd.db", "v1")}


def test_only_the_content_shows_that_s3_is_wrong() -> None:
    changed = Bucket(Stored(), DATA[:-1] + b"!")
    assert found(ByMetadata(changed.stored)) == []
    assert found(ByContent(changed.stored, changed.stream)) == [("error", "snapshot-checksum-differs")]
    short = Bucket(Stored(), DATA[:-1])
    assert found(ByContent(short.stored, short.stream)) == [("error", "snapshot-size-differs"), ("error", "snapshot-checksum-differs")]


def test_what_cannot_be_looked_at_is_told() -> None:
    def denied(bucket: str, key: str, version_id: str) -> Stored | None:
        raise LifecycleError(f"{bucket}/{key} {version_id} cannot be read", why="AccessDenied", next="allow s3:GetObject")

    (finding,) = snapshot_findings(INDEX, ByMetadata(denied))
    assert (finding.severity, finding.code, finding.why, finding.remedy) == (
        "error",
        "snapshot-unreadable",
        "AccessDenied",
        "allow s3:GetObject",
    )
    assert found(None) == [("warning", "snapshot-not-checked")]
    for missing in ("bucket", "key", "sha256", "size"):
        assert found(None, {**INDEX, missing: ""}) == [("error", "snapshot-unnamed")]
    assert found(None, {}) == [("error", "snapshot-unnamed")]
