# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set on disk: what is in it, who may read it, and that runs do not disturb each other."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock, patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import cleaned, original
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import index_from
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import dead_runs, remove_dead
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import is_run_of, new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import (
    files_of,
    needed_bytes,
    planned_entries,
    read_items,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import verify_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import (
    CANARY,
    ENCODED,
    ITEMS,
    KEY,
    NOW,
    OTHER_KEY,
    Item,
    content,
    index_of,
    sets_in,
    snapshot_of,
    whole_snapshot,
    write_set,
)
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.test_set_destination import umask

EITHER = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
FILES = [
    "objects/_cluster/namespaces/clusters-prod.json",
    "objects/clusters/hostedclusters.hypershift.openshift.io/prod.json",
    "objects/clusters/secrets/pull-secret.json",
    "removed/clusters/hostedclusters.hypershift.openshift.io/prod.json",
    "removed/clusters/secrets/pull-secret.json",
]


def test_the_layout_of_a_set(tmp_path: Path) -> None:
    path = write_set(tmp_path / "sets", None)
    assert [*content(path)] == ["index.json", "index.json.sha256", *FILES]
    assert [entry.path for entry in index_from(json.loads((path / "index.json").read_bytes())).objects if entry.evidence] == [FILES[0]]
    assert os.listdir(tmp_path / "sets") == [path.name]


def test_the_layout_of_an_encrypted_set(tmp_path: Path) -> None:
    path = write_set(tmp_path / "sets", KEY)
    assert [*content(path)] == ["index.json", "index.json.hmac", *(f"{name}.enc" for name in FILES)]
    for name, data in content(path).items():
        assert not any(text.encode() in data for text in (CANARY, ENCODED, KEY.secret.hex())), name


@EITHER
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o377])
def test_only_its_owner_may_read_a_set_whatever_the_umask(tmp_path: Path, key: Key | None, mask: int) -> None:
    with umask(mask):
        path = write_set(tmp_path / "sets", key)
    modes = {stat.S_IMODE(found.stat().st_mode) for found in path.rglob("*") if found.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(found.stat().st_mode) for found in (path, *path.rglob("*")) if found.is_dir()} == {0o700}


@EITHER
def test_what_was_collected_is_read_again(tmp_path: Path, key: Key | None) -> None:
    path = write_set(tmp_path / "sets", key)
    store = DirectorySet(str(path))
    index = verify_set(store, key, whole_snapshot).index
    assert index is not None
    read = read_items(store, index, key)
    assert {item.path.removesuffix(".enc"): tuple(item) for item in read} == {item.path: tuple(item) for item in ITEMS}


@EITHER
def test_the_original_of_an_object_is_in_the_set(tmp_path: Path, key: Key | None) -> None:
    live = {
        "apiVersion": "hypershift.openshift.io/v1beta1",
        "kind": "HostedCluster",
        "metadata": {
            "name": "prod",
            "namespace": "clusters",
            "uid": "1",
            "finalizers": ["hypershift.openshift.io/finalizer"],
            "labels": {"a": "yes"},
        },
        "spec": {"infraID": "prod-x", "pausedUntil": "true", "services": [{"service": "APIServer"}], "replicas": 3},
        "status": {"conditions": [{"type": "Available", "status": "True", "message": "a: b\n- c"}]},
    }
    kept, removed = cleaned(live)
    path = write_set(tmp_path / "sets", key, [Item(ITEMS[0].path, kept, removed)])
    store = DirectorySet(str(path))
    index = verify_set(store, key, whole_snapshot).index
    assert index is not None
    (item,) = read_items(store, index, key)
    assert item.object == kept
    assert original(item.object, item.removed) == live


def test_an_encrypted_set_is_read_with_its_key_only(tmp_path: Path) -> None:
    path = write_set(tmp_path / "sets", KEY)
    store = DirectorySet(str(path))
    index = verify_set(store, KEY, None).index
    assert index is not None
    with pytest.raises(Refused, match="cannot be opened"):
        read_items(store, index, None)
    with pytest.raises(LifecycleError, match="is damaged"):
        read_items(store, index, OTHER_KEY)


def test_damage_is_told_without_the_content(tmp_path: Path) -> None:
    path = write_set(tmp_path / "sets", None, [*ITEMS, Item("clusters/secrets/a.json", {"kind": "Secret", "data": {"a": CANARY}}, {})])
    store = DirectorySet(str(path))
    index = verify_set(store, None, None).index
    assert index is not None
    (path / "objects/clusters/secrets/a.json").write_text(f"data: [{CANARY}: :")
    with pytest.raises(LifecycleError) as told:
        read_items(store, index, None)
    assert CANARY not in f"{told.value} {told.value.__cause__}"


@EITHER
def test_the_index_that_a_check_run_shows_is_that_of_the_set(tmp_path: Path, key: Key | None) -> None:
    files = files_of(ITEMS)
    planned = planned_entries(files, encrypted=key is not None)
    path = write_set(tmp_path / "sets", key)
    written = index_from(json.loads((path / "index.json").read_bytes())).objects
    assert [entry._replace(sha256="") for entry in written] == [entry._replace(sha256="") for entry in planned]
    if key is None:
        assert [*written] == [*planned]
    assert needed_bytes(files) >= sum(found.stat().st_blocks * 512 for found in path.rglob("*"))


def test_a_second_set_does_not_touch_the_first(tmp_path: Path) -> None:
    first = write_set(tmp_path, None)
    before = content(first), first.stat().st_mtime_ns
    second = write_set(tmp_path, KEY)
    assert first != second
    assert (content(first), first.stat().st_mtime_ns) == before
    assert sets_in(tmp_path) == {first.name, second.name}


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    ids = [new_run_id("prod", NOW) for _number in range(2)]
    with SetWriter(str(tmp_path), ids[0], None) as one, SetWriter(str(tmp_path), ids[1], KEY) as other:
        for writer in (one, other):
            writer.write_files(files_of(ITEMS))
        assert dead_runs(str(tmp_path)) == []
        paths = [Path(writer.finish(index_of(run_id))) for writer, run_id in zip((one, other), ids, strict=True)]
        assert dead_runs(str(tmp_path)) == []
    assert sorted(os.listdir(tmp_path)) == sorted(ids)
    for path, key in zip(paths, (None, KEY), strict=True):
        assert verify_set(DirectorySet(str(path)), key, whole_snapshot).findings == ()


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "", "a//b", "a/./b", "a\nb", ".hidden", "a\x00b"])
def test_no_file_leads_out_of_the_set(tmp_path: Path, path: str) -> None:
    with SetWriter(str(tmp_path), new_run_id("prod", NOW), None) as writer:
        with pytest.raises(LifecycleError, match="cannot be the name"):
            writer.write(path, b"")
        writer.discard()
    assert os.listdir(tmp_path) == []


def test_two_objects_are_never_one_file(tmp_path: Path) -> None:
    with SetWriter(str(tmp_path), new_run_id("prod", NOW), None) as writer:
        writer.write("objects/a.json", b"1")
        with pytest.raises(LifecycleError, match="cannot be written") as told:
            writer.write("objects/a.json", b"2")
        assert "nothing is overwritten" in told.value.why


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "full"), (errno.EDQUOT, "quota"), (errno.EIO, "failed")])
def test_a_disk_that_fails_in_the_middle_is_told_in_words(tmp_path: Path, number: int, words: str) -> None:
    run_id = new_run_id("prod", NOW)

    failing = Mock(side_effect=OSError(number, os.strerror(number)))
    with SetWriter(str(tmp_path), run_id, None) as writer:
        writer.write("objects/a.json", b"1")
        with patch.object(os, "write", failing), pytest.raises(LifecycleError) as told:
            writer.write("objects/b.json", b"22")
        assert words in told.value.why
        assert "not finished" in told.value.state
        with patch.object(os, "write", failing), pytest.raises(LifecycleError, match="journal"):
            writer.note(bucket="b")
        with patch.object(os, "fsync", side_effect=OSError(number, "")), pytest.raises(LifecycleError):
            writer.finish(index_of(run_id))
        assert sets_in(tmp_path) == set()
        writer.discard()
    assert os.listdir(tmp_path) == []


def test_a_run_that_fails_leaves_its_journal_to_the_next(tmp_path: Path) -> None:
    run_id = new_run_id("prod", NOW)
    older = write_set(tmp_path, None)
    with suppress(LifecycleError), SetWriter(str(tmp_path), run_id, None, hosted_cluster="clusters/prod") as writer:
        writer.note(pod="etcd-0", directory="/tmp")
        writer.note(bucket="b", directory="/var/lib")
        writer.write_files(files_of(ITEMS))
        raise LifecycleError("etcd is gone")
    (dead,) = dead_runs(str(tmp_path))
    assert dead.run_id == run_id
    assert {name: dead.noted[name] for name in ("pod", "directory", "bucket")} == {"pod": "etcd-0", "directory": "/var/lib", "bucket": "b"}
    assert dead.is_of(Target("clusters", "prod"))
    assert not dead.is_of(Target("clusters", "prod-2"))
    assert not dead.is_of(Target("other", "prod"))
    assert not dead.finished
    assert remove_dead(dead)
    assert os.listdir(tmp_path) == [older.name]
    assert remove_dead(dead)


def test_a_run_that_fails_after_its_set_was_whole_keeps_the_set(tmp_path: Path) -> None:
    run_id = new_run_id("prod", NOW)
    with suppress(LifecycleError), SetWriter(str(tmp_path), run_id, None) as writer:
        writer.write_files(files_of(ITEMS))
        writer.finish(index_of(run_id))
        raise LifecycleError("the upload failed")
    (dead,) = dead_runs(str(tmp_path))
    assert dead.finished
    assert remove_dead(dead)
    assert os.listdir(tmp_path) == [run_id]
    assert verify_set(DirectorySet(str(tmp_path / run_id)), None, whole_snapshot).ok


def test_the_journal_holds_no_secret_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with umask(0), SetWriter(str(tmp_path), new_run_id("prod", NOW), KEY) as writer:
        writer.note(bucket="b")
        writer.write_files(files_of(ITEMS))
        (journal,) = tmp_path.glob(".*.journal")
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        assert not any(text in journal.read_text() for text in (CANARY, ENCODED, KEY.secret.hex()))


def test_a_living_run_is_not_removed(tmp_path: Path) -> None:
    run_id = new_run_id("prod", NOW)
    with pytest.raises(KeyboardInterrupt), SetWriter(str(tmp_path), run_id, None):
        raise KeyboardInterrupt
    (dead,) = dead_runs(str(tmp_path))
    assert remove_dead(dead)
    with SetWriter(str(tmp_path), run_id, None):
        # What was listed as dead has come to life (in truth a run between creating its journal and locking it).
        assert not remove_dead(dead)
        assert (tmp_path / f".{run_id}.partial").is_dir()


def test_only_runs_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".cache.partial").mkdir()
    (tmp_path / "notes.journal").touch()
    (tmp_path / "target").mkdir()
    run_id = new_run_id("prod", NOW)
    (tmp_path / f".{run_id}.partial").symlink_to(tmp_path / "target")
    (tmp_path / "target" / "file").touch()
    (dead,) = dead_runs(str(tmp_path))
    assert remove_dead(dead)
    assert (tmp_path / "target" / "file").exists()
    assert (tmp_path / ".cache.partial").exists()
    assert sets_in(tmp_path) == set()


def test_a_dest_that_does_not_exist_has_nothing(tmp_path: Path) -> None:
    assert not dead_runs(str(tmp_path / "nothing"))


def test_whose_run_an_id_is() -> None:
    for name in ("prod", "prod-2", "prod.example", "a" * 253):
        run_id = new_run_id(name, NOW)
        assert is_run_of(run_id, name)
        assert not is_run_of(run_id, f"a-{name}")
        assert not is_run_of(run_id, name[1:4])
    assert not is_run_of(new_run_id("prod-2", NOW), "prod")
    assert len({new_run_id("prod", NOW) for _number in range(200)}) == 200
    assert snapshot_of(new_run_id("prod", NOW))["key"].startswith("hosted/prod-20261121T231500Z-")
