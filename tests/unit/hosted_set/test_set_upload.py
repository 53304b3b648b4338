# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set in a bucket: encrypted, whole, and the index last."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import BucketSet, DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_upload import upload_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import verify_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import (
    CANARY,
    ENCODED,
    KEY,
    OTHER_KEY,
    content,
    errors,
    whole_snapshot,
    write_set,
)


class Bucket:
    """What was put, in its order; the upload ends after ``most`` objects."""

    def __init__(self, most: int = 10**6) -> None:
        """``most`` objects can be put, the next one fails."""
        self.objects: dict[str, bytes] = {}
        self._most, self._lock = most, Lock()

    def put(self, name: str, data: bytes) -> None:
        """Store an object; never twice."""
        with self._lock:
            if len(self.objects) >= self._most:
                raise LifecycleError("S3 is gone", why="SlowDown")
            assert name not in self.objects
            self.objects[name] = data

    def store(self, run_id: str) -> BucketSet:
        """Return it as a set is read."""
        return BucketSet("backups", f"hosted/{run_id}", self._keys, self._read)

    def _keys(self, prefix: str) -> list[str]:
        return [prefix + name for name in self.objects]

    def _read(self, key: str) -> bytes:
        return self.objects[key.split("/", 2)[2]]


def test_all_files_go_and_the_index_goes_last(tmp_path: Path) -> None:
    path, bucket = write_set(tmp_path, KEY), Bucket()
    upload_set(DirectorySet(str(path)), KEY, bucket.put)
    assert bucket.objects == content(path)
    assert [*bucket.objects][-2:] == ["index.json.hmac", "index.json"]
    assert verify_set(bucket.store(path.name), KEY, whole_snapshot).findings == ()
    assert not any(text.encode() in data for data in bucket.objects.values() for text in (CANARY, ENCODED))


def test_an_upload_that_ends_early_is_no_set(tmp_path: Path) -> None:
    path = write_set(tmp_path, KEY)
    for most in range(len(content(path))):
        bucket = Bucket(most)
        with pytest.raises(LifecycleError, match="S3 is gone"):
            upload_set(DirectorySet(str(path)), KEY, bucket.put)
        assert "index.json" not in bucket.objects
        assert errors(verify_set(bucket.store(path.name), KEY, whole_snapshot)) == {"set-incomplete" if most else "set-missing"}


@pytest.mark.parametrize(("made_with", "key"), [(None, None), (KEY, None), (None, KEY), (KEY, OTHER_KEY)])
def test_nothing_leaves_this_machine_without_its_key(tmp_path: Path, made_with: Key | None, key: Key | None) -> None:
    bucket = Bucket()
    with pytest.raises(Refused, match="is not uploaded"):
        upload_set(DirectorySet(str(write_set(tmp_path, made_with))), key, bucket.put)
    assert bucket.objects == {}
