# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done to a set is found, and the finding names the file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Entry, Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Cipher, Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import BucketSet, DirectorySet, SetStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import Verification, verify_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import (
    CANARY,
    ENCODED,
    ITEMS,
    KEY,
    OTHER_KEY,
    codes,
    content,
    errors,
    index_of,
    whole_snapshot,
    write_set,
)

EITHER = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
NAMES = ("other.json", "objects/x.json", "objects/clusters/secrets/pull-secret.json.bak", ".hidden", "etcd.db", "index.json.old")


class Memory:
    """A set in memory: where changing it costs nothing."""

    def __init__(self, files: Mapping[str, bytes], run_id: str) -> None:
        """``files`` are as they are stored."""
        self.where = f"/backups/{run_id}"
        self.files = dict(files)

    def names(self) -> Sequence[str]:
        """As in a directory."""
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        """As in a directory."""
        if name not in self.files:
            raise LifecycleError(f"{name} cannot be read", why="it does not exist")
        return self.files[name]

    def exposed(self) -> tuple[()]:
        """As in a bucket."""
        return ()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Key | None, Memory]:
    """Return a whole set of each kind."""
    paths = {key: write_set(tmp_path_factory.mktemp("sets"), key) for key in (None, KEY)}
    return {key: Memory(content(path), path.name) for key, path in paths.items()}


def copy_of(store: Memory) -> Memory:
    """Return one that may be changed."""
    return Memory(store.files, store.where.rpartition("/")[2])


def check(store: SetStore, key: Key | None) -> Verification:
    """Verify with the whole snapshot."""
    return verify_set(store, key, whole_snapshot)


@EITHER
def test_a_whole_set_has_no_findings(tmp_path: Path, whole: Mapping[Key | None, Memory], key: Key | None) -> None:
    path = write_set(tmp_path, key)
    found = check(DirectorySet(str(path)), key)
    assert found.findings == ()
    assert found.ok
    assert found.index is not None
    assert found.index.run_id == path.name
    assert check(whole[key], key).findings == ()


@EITHER
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_is_found(whole: Mapping[Key | None, Memory], key: Key | None, data: st.DataObject) -> None:
    store = copy_of(whole[key])
    name = data.draw(st.sampled_from(store.names()))
    changed = bytearray(store.files[name])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    store.files[name] = bytes(changed)
    found = check(store, key)
    assert not found.ok
    # The index and what proves it are one: which of the two was changed cannot be told.
    named = {finding.object.name.removeprefix(f"{store.where}/") for finding in found.findings if finding.severity == "error"}
    assert (name in named) or (name.startswith("index.json") and named & {"index.json", store.where})


@EITHER
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_short_or_made_longer_is_found(whole: Mapping[Key | None, Memory], key: Key | None, data: st.DataObject) -> None:
    store = copy_of(whole[key])
    name = data.draw(st.sampled_from(store.names()))
    kept = data.draw(st.integers(0, len(store.files[name])))
    store.files[name] = store.files[name][:kept] + data.draw(st.binary(min_size=kept == len(store.files[name]), max_size=5))
    if store.files[name] != whole[key].files[name]:
        assert not check(store, key).ok


@EITHER
def test_each_removed_or_renamed_file_is_found_by_its_name(whole: Mapping[Key | None, Memory], key: Key | None) -> None:
    for name in whole[key].names():
        store = copy_of(whole[key])
        removed = store.files.pop(name)
        found = check(store, key)
        assert errors(found) == {"set-incomplete" if name == "index.json" else "file-missing"}
        if name != "index.json":
            assert [finding.object.name for finding in found.findings] == [f"{store.where}/{name}"]
        for other in NAMES:
            store.files[other] = removed
            assert not check(store, key).ok
            if name != "index.json":
                assert errors(check(store, key)) == {"file-missing", "file-extra"}
            del store.files[other]


@EITHER
@pytest.mark.parametrize("name", [*NAMES, "index.json.sha256", "index.json.hmac"])
def test_an_added_file_is_found(whole: Mapping[Key | None, Memory], key: Key | None, name: str) -> None:
    store = copy_of(whole[key])
    if name in store.files:
        return
    store.files[name] = b"a: 1\n"
    found = check(store, key)
    assert codes(found) == [("error", "file-extra")]
    assert found.findings[0].object.name == f"{store.where}/{name}"


@EITHER
def test_two_files_that_changed_places_are_found(whole: Mapping[Key | None, Memory], key: Key | None) -> None:
    store = copy_of(whole[key])
    one, other = (name for name in store.names() if "pull-secret" in name)
    store.files[one], store.files[other] = store.files[other], store.files[one]
    assert errors(check(store, key)) == {"file-edited"}


@EITHER
def test_any_beginning_of_the_writes_is_no_set(whole: Mapping[Key | None, Memory], key: Key | None) -> None:
    order = [name for name in whole[key].names() if name != "index.json"]
    for number in range(len(order) + 1):
        store = copy_of(whole[key])
        store.files = {name: store.files[name] for name in order[:number]}
        assert errors(check(store, key)) == {"set-incomplete" if number else "set-missing"}


def forged(store: Memory, change: Callable[[Index], Index], key: Key | None) -> Memory:
    """Return the set with another index, proven as its holder can prove it."""
    copy = copy_of(store)
    index = check(store, key).index
    assert index is not None
    replace_index(copy, change(index).as_json(), index.run_id, key)
    return copy


def replace_index(store: Memory, data: bytes, run_id: str, key: Key | None) -> None:
    """Put another index in the place of a set's, with what proves it."""
    store.files["index.json"] = data
    if key is None:
        store.files["index.json.sha256"] = f"{hashlib.sha256(data).hexdigest()}  index.json\n".encode()
    else:
        store.files["index.json.hmac"] = f"{Cipher(key, run_id).mac(data)}\n".encode()


def with_fields(store: Memory, **fields: Any) -> Memory:
    """Return a plain set whose index has other fields, also such as no Index has."""
    copy = copy_of(store)
    data = {**json.loads(store.files["index.json"]), **fields}
    replace_index(copy, json.dumps({name: value for name, value in data.items() if value is not None}).encode(), data["run_id"], None)
    return copy


def test_who_has_no_key_cannot_change_an_encrypted_set(whole: Mapping[Key | None, Memory]) -> None:
    store = copy_of(whole[KEY])
    # Somebody edits a file, corrects its checksum in the index, and proves that with a key of their own.
    path = "objects/clusters/secrets/pull-secret.json.enc"
    run_id = store.where.rpartition("/")[2]
    other = Cipher(OTHER_KEY, run_id)
    store.files[path] = other.seal(path, b"kind: Secret\n")
    index = json.loads(store.files["index.json"])
    entry = next(item for item in index["objects"] if item["path"] == path)
    entry.update(sha256=hashlib.sha256(store.files[path]).hexdigest(), size=len(store.files[path]))
    replace_index(store, json.dumps(index).encode(), run_id, OTHER_KEY)
    assert errors(check(store, KEY)) == {"index-edited"}
    # Or says that it is not encrypted at all.
    del store.files["index.json.hmac"]
    index["encryption"] = {"method": ""}
    replace_index(store, json.dumps(index).encode(), run_id, None)
    assert errors(check(store, KEY)) == {"set-not-encrypted"}


@EITHER
def test_a_proof_that_cannot_be_read_proves_nothing(tmp_path: Path, key: Key | None) -> None:
    path = write_set(tmp_path, key)
    proof, index = path / ("index.json.hmac" if key else "index.json.sha256"), path / "index.json"
    proof.unlink()
    proof.symlink_to(index)
    # Whoever does so has the index say what they like.
    index.write_bytes(index.read_bytes().replace(b'"mode": "online"', b'"mode": "quiesce"'))
    found = check(DirectorySet(str(path)), key)
    assert [(finding.code, finding.object.name.rpartition("/")[2]) for finding in found.findings if finding.severity == "error"] == [
        ("file-unreadable", proof.name)
    ]


def test_keys_that_are_missing_or_wrong(whole: Mapping[Key | None, Memory]) -> None:
    (missing,) = check(whole[KEY], None).findings
    assert missing.code == "key-missing"
    assert KEY.id in missing.why
    (wrong,) = check(whole[KEY], OTHER_KEY).findings
    assert wrong.code == "key-wrong"
    assert KEY.id in wrong.why
    assert OTHER_KEY.id in wrong.why
    assert errors(check(whole[None], KEY)) == {"set-not-encrypted"}
    unknown = forged(whole[None], lambda index: replace(index, encryption={"method": "ROT13"}), None)
    assert "encryption-unknown" in errors(check(unknown, None))


def test_a_file_of_another_set_does_not_open(tmp_path: Path, whole: Mapping[Key | None, Memory]) -> None:
    other = content(write_set(tmp_path, KEY))
    path = "objects/clusters/secrets/pull-secret.json.enc"

    def with_other(index: Index) -> Index:
        entries = [
            entry if entry.path != path else entry._replace(sha256=hashlib.sha256(other[path]).hexdigest(), size=len(other[path]))
            for entry in index.objects
        ]
        return replace(index, objects=tuple(entries))

    store = forged(whole[KEY], with_other, KEY)
    store.files[path] = other[path]
    assert codes(check(store, KEY)) == [("error", "file-not-decrypted")]


def test_formats(whole: Mapping[Key | None, Memory]) -> None:
    plain = whole[None]
    for fields, code in (
        ({"format_version": 2, "tool_version": "9.0.0", "objects": "otherwise"}, "format-newer"),
        ({"format_version": 0}, "format-older"),
        ({"format_version": None}, "format-newer"),
        ({"format_version": True}, "format-newer"),
        ({"format": "velero"}, "not-a-backup-set"),
        ({"machines": None}, "index-damaged"),
        ({"objects": [{"path": "a"}]}, "index-damaged"),
        ({"restored_from": "no"}, "index-damaged"),
    ):
        found = check(with_fields(plain, **fields), None)
        assert codes(found) == [("error", code)], fields
        assert found.index is None
    newer = check(with_fields(plain, format_version=2, tool_version="9.0.0"), None).findings[0]
    assert "9.0.0" in newer.what
    for data in (b"", b"[]", b"null", b"{", b"\xff\xfe", b"{}"):
        store = copy_of(plain)
        replace_index(store, data, "", None)
        assert errors(check(store, None)) <= {"index-damaged", "not-a-backup-set"}
        assert not check(store, None).ok


def test_another_tool_version_and_a_restored_source_are_told(whole: Mapping[Key | None, Memory]) -> None:
    store = with_fields(whole[None], tool_version="0.0.9", restored_from=True, something_new={"a": 1})
    found = check(store, None)
    assert found.ok
    assert codes(found) == [("info", "other-tool-version"), ("info", "restored-source")]


def test_an_index_that_leads_elsewhere_reads_nothing_there(whole: Mapping[Key | None, Memory]) -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "objects/../../x", ".hidden"):
        entry = Entry(path, hashlib.sha256(b"").hexdigest(), 0, "Secret", evidence=False)
        store = forged(whole[None], lambda index, entry=entry: replace(index, objects=(*index.objects, entry)), None)  # type: ignore[misc]
        store.files[path] = b""
        assert "path-not-allowed" in errors(check(store, None))


def test_a_file_named_twice_and_a_set_without_a_hosted_cluster(whole: Mapping[Key | None, Memory]) -> None:
    twice = forged(whole[None], lambda index: replace(index, objects=(*index.objects, index.objects[0])), None)
    assert errors(check(twice, None)) == {"file-listed-twice"}
    empty = forged(whole[None], lambda index: replace(index, objects=()), None)
    assert errors(check(empty, None)) == {"file-extra", "no-hosted-cluster"}


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666])
def test_modes_that_let_others_in(tmp_path: Path, bits: int) -> None:
    for key, severity in ((None, "error"), (KEY, "warning")):
        path = write_set(tmp_path, key)
        secret = next(path.rglob("objects/**/pull-secret.json*"))
        secret.chmod(bits)
        secret.parent.chmod(0o755)
        found = check(DirectorySet(str(path)), key)
        assert codes(found) == [(severity, "mode-too-open")] * 2
        assert {finding.object.name for finding in found.findings} == {str(secret), str(secret.parent)}
        secret.chmod(0o600)
        secret.parent.chmod(0o700)
        path.chmod(0o750)
        assert codes(check(DirectorySet(str(path)), key)) == [(severity, "mode-too-open")]


def test_what_is_not_a_file_is_not_read(tmp_path: Path) -> None:
    for name, kind in (("link", 0), ("fifo", 1), ("directory", 2)):
        path = write_set(tmp_path / name, None)
        secret = path / "objects/clusters/secrets/pull-secret.json"
        (tmp_path / f"{name}-kept").write_bytes(secret.read_bytes())
        secret.unlink()
        if kind == 0:
            secret.symlink_to(tmp_path / f"{name}-kept")
        elif kind == 1:
            os.mkfifo(secret, 0o600)
        else:
            secret.mkdir(0o700)
        found = check(DirectorySet(str(path)), None)
        assert errors(found) == {"file-missing" if kind == 2 else "file-unreadable"}
    outside = write_set(tmp_path / "outside", None)
    (outside / "objects" / "more").symlink_to(tmp_path)
    assert errors(check(DirectorySet(str(outside)), None)) == {"file-extra"}


def test_places(tmp_path: Path) -> None:
    path = write_set(tmp_path, None)
    renamed = path.rename(tmp_path / "usb-stick")
    assert codes(check(DirectorySet(str(renamed)), None)) == [("warning", "set-renamed")]
    partial = renamed.rename(tmp_path / f".{path.name}.partial")
    assert errors(check(DirectorySet(str(partial)), None)) == {"set-incomplete"}
    assert errors(check(DirectorySet(str(tmp_path / "nothing")), None)) == {"set-unreadable"}
    (tmp_path / "empty").mkdir()
    assert errors(check(DirectorySet(str(tmp_path / "empty")), None)) == {"set-missing"}
    (tmp_path / "file").touch()
    assert errors(check(DirectorySet(str(tmp_path / "file")), None)) == {"set-unreadable"}


def test_a_set_in_a_bucket_has_its_snapshot_beside_it(whole: Mapping[Key | None, Memory]) -> None:
    run_id = whole[KEY].where.rpartition("/")[2]
    objects = {f"hosted/{run_id}/{name}": data for name, data in whole[KEY].files.items()}
    objects[f"hosted/{run_id}/etcd.db"] = b"the snapshot"

    def keys(prefix: str) -> list[str]:
        return [key for key in objects if key.startswith(prefix)]

    store = BucketSet("backups", f"/hosted/{run_id}/", keys, objects.__getitem__)
    assert store.where == f"s3://backups/hosted/{run_id}"
    assert check(store, KEY).findings == ()
    objects[f"hosted/{run_id}/more.db"] = b"no snapshot"
    assert codes(check(store, KEY)) == [("error", "file-extra")]
    del objects[f"hosted/{run_id}/more.db"]
    # The same bucket, copied: the snapshot that is looked at is still the one that the index names.
    copied = BucketSet("copy", f"hosted/{run_id}", keys, objects.__getitem__)
    assert codes(check(copied, KEY)) == [("warning", "snapshot-elsewhere")]
    del objects[f"hosted/{run_id}/index.json"]
    assert errors(check(store, KEY)) == {"set-incomplete"}


@EITHER
def test_no_finding_quotes_a_secret(whole: Mapping[Key | None, Memory], key: Key | None) -> None:
    for name in whole[key].names():
        store = copy_of(whole[key])
        store.files[name] = f"{CANARY} {ENCODED}".encode()
        for finding in check(store, key).findings:
            assert CANARY not in str(finding)
            assert ENCODED not in str(finding)
    assert index_of("prod-20261121T231500Z-1f3a9c").method == ""
    assert len(ITEMS) == 3
