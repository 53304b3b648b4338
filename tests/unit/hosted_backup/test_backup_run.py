# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup whose cluster and bucket are in memory, and whose set is on the disk: what is left of it, and who observes when."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock, patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import Uploaded
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import backup_run, backup_snapshot, set_writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_run import Backup
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_snapshot import Copied, SnapshotCopier
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_snapshot import Snapshot
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import dead_runs
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import files_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.hosted_backup.backup_states import REQUEST, SHAPE, state_of

SNAPSHOT = Snapshot("etcd-0", "/tmp/x.db", 4, "ab", 1, 2, 3, 4, "3.6.7")
UPLOADED = Uploaded("backups", "nightly/x/etcd.db", 4, "ab", "", 1, "")
LEFT = Finding("warning", "snapshot-left-in-pod", ObjectRef("Pod", "etcd-0"), "it is left", "", "")


@dataclass
class Copier:
    """Copies nothing; ``in_pod`` is told when its file could not be removed."""

    in_pod: Finding | None = None
    stored: bool | None = False
    fails: bool = False
    asked: list[Any] = field(default_factory=list)

    @property
    def left(self) -> bool:
        return self.in_pod is not None

    def copy(self, *what: Any, **_options: Any) -> Copied:
        self.asked.append(what)
        if self.fails:
            raise LifecycleError("the upload failed")
        return Copied(SNAPSHOT, UPLOADED, self.in_pod)


@dataclass
class Reader:
    """Finds the same each time."""

    state: BackupState
    pods: Any = None
    readings: int = 0

    def read(self) -> BackupState:
        return self.state

    def read_again(self, state: BackupState) -> BackupState:
        self.readings += 1
        return replace(state, quiesce=None)

    def read_etcd(self, _inventory: Any) -> Any:
        return self.state.etcd


@dataclass
class Marker:
    """Asks ``before_reading`` first, as the API of the hosted cluster may take its time."""

    before_reading: Callable[[], None] = field(default=lambda: None)

    def read(self, _inventory: Any) -> MarkerState:
        self.before_reading()
        return MarkerState()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nobody; they are not used."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")


def made(dest: Path, copier: Copier, marker: Marker, *, quiesce: bool = False) -> Backup:
    """A backup that has read a cluster in which everything is as it should be."""
    request = replace(REQUEST, dest=str(dest), quiesce=quiesce)
    state = state_of(request=request)
    reader = Reader(replace(state, files=files_of(state.collected.items)))
    connection = SimpleNamespace(api=None, server="https://management.example.com", uid="u", version="1.34.1")
    module = Mock(params={}, tmpdir=str(dest), connection=connection)
    module.name = "hosted_cluster_backup"
    with (
        patch.object(backup_run, "BackupReader", Mock(return_value=reader)),
        patch.object(backup_run, "SnapshotCopier", Mock(return_value=copier)),
        patch.object(backup_run, "MarkerReader", Mock(return_value=marker)),
    ):
        return Backup(module, request, Deadline(60))


def carried_out(backup: Backup) -> None:
    """Do all steps, and end."""
    try:
        procedure = backup.procedure()
        for phase in procedure.phases:
            for step in phase.plan(procedure.observe(None)):
                assert phase.apply is not None
                phase.apply(step)
    except LifecycleError as error:
        backup.tell(error)
        raise
    finally:
        backup.close()


def test_the_journal_stays_while_the_snapshot_is_in_the_pod(tmp_path: Path) -> None:
    carried_out(made(tmp_path, Copier(in_pod=LEFT), Marker()))
    (dead,) = dead_runs(str(tmp_path))
    assert (dead.finished, "pod" in dead.noted) == (True, True)
    assert dead.run_id.startswith(f"{SHAPE.name}-")
    carried_out(made(tmp_path, Copier(), Marker()))
    assert [run.run_id for run in dead_runs(str(tmp_path))] == [dead.run_id]


def test_a_set_that_has_its_name_is_one_whatever_fails_then(tmp_path: Path) -> None:
    backup, real = made(tmp_path, Copier(), Marker()), set_writer.sync

    def sync(path: str) -> None:
        if path == str(tmp_path):
            raise OSError(5, os.strerror(5))
        real(path)

    with patch.object(set_writer, "sync", sync), pytest.raises(LifecycleError, match="cannot be written") as failed:
        carried_out(backup)
    (path,) = tmp_path.iterdir()
    details = failed.value.details
    assert (details["set"]["path"], details["verified"]) == (str(path), False)
    # Nobody is told to remove the snapshot of a set.
    assert "findings" not in details
    assert "has all of its files" in failed.value.state


@pytest.mark.parametrize(
    ("stored", "words"), [(False, []), (True, ["has stored this snapshot"]), (None, ["may have stored this snapshot"])]
)
def test_a_snapshot_that_may_be_in_the_bucket_is_named(tmp_path: Path, stored: bool | None, words: list[str]) -> None:
    with pytest.raises(LifecycleError, match="the upload failed") as failed:
        carried_out(made(tmp_path, Copier(stored=stored, fails=True), Marker()))
    told = [finding for finding in failed.value.details.get("findings", []) if finding["code"] == "snapshot-without-set"]
    assert [all(word in finding["what"] for word in words) for finding in told] == [True for word in words]
    assert all(f"{SHAPE.name}-" in finding["remedy"] for finding in told)


@pytest.mark.parametrize(("found", "told"), [(None, False), (UPLOADED, True), (LifecycleError("not allowed to look"), None)])
def test_whether_a_snapshot_is_there_may_not_be_known(found: object, told: bool | None) -> None:
    copier = SnapshotCopier(Mock(), Mock(), "clusters-prod", Deadline(60), Mock())
    made_at = {"take_snapshot": Mock(return_value=SNAPSHOT), "snapshot_stream": MagicMock(), "remove_snapshot": Mock()}
    failing = Mock(side_effect=LifecycleError("not allowed to look"))
    looked = Mock(side_effect=found if isinstance(found, Exception) else [found])
    replaced = patch.multiple(backup_snapshot, upload_stream=failing, abort_uploads=Mock(), stored=looked, **made_at)
    with replaced, pytest.raises(LifecycleError):
        copier.copy(Mock(), Mock(), "prod-x", "backups", "k", kms_key_id="", default_encryption="")
    # Where it is not known, the journal stays for a run that may look.
    assert (copier.stored, copier.left) == (told, told is None)


def test_who_observes_sees_the_whole_state_while_somebody_else_does(tmp_path: Path) -> None:
    """Steps that go on after a conflict observe side by side."""
    began, go_on = Event(), Event()
    marker = Marker()
    backup = made(tmp_path, Copier(), marker, quiesce=True)
    observe = backup.procedure().observe

    def held() -> None:
        began.set()
        assert go_on.wait(60)

    marker.before_reading = held
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The second look is one that reads again.
        observe(None)
        first = pool.submit(observe, None)
        assert began.wait(60)
        second = pool.submit(observe, None)
        wait([second], timeout=0.2)
        go_on.set()
        assert first.result().quiesce is not None
        assert second.result().quiesce is not None
