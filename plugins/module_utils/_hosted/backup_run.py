# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup as a procedure: clear what killed runs have left, stop the cluster when asked to, snapshot, objects, index, proof."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import try_upload, upload_bytes
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_difference import (
    change_findings,
    changed_objects,
    undone_findings,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_findings import backup_findings, left_stopped
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_index import Run, index_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_plan import (
    CLEAN,
    COLLECT,
    FINISH,
    SNAPSHOT,
    clean_steps,
    collect_steps,
    finish_steps,
    snapshot_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_reading import BackupReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_refusals import backup_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_request import BackupRequest, backup_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_snapshot import Copied, SnapshotCopier, without_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_view import BackupView
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import choose_member, etcd_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hosted_api import kubeconfig_secret, open_hosted_api
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.nothing_kept import NoLease, NoRecord
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_apply import Quiesce
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import stopped_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import QuiesceState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import prior_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_resume import resume_commands, still_there
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_check import set_result, store_of, verify
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import remove_dead
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import METHOD, load_key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import planned_entries, sha256_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_upload import upload_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.run_procedure import procedure_result, run_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, StepFailed, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

NAME = "hosted_cluster_backup"


def back_up(module: LifecycleModule) -> dict[str, Any]:
    """Back up the hosted cluster that the module's options name, and return the result; a backup that is broken off tells as much."""
    started, deadline = time.monotonic(), Deadline(module.params["timeout"])
    request = backup_request(module.params)
    backup = Backup(module, request, deadline)
    kept = None if request.quiesce else (NoLease(), NoRecord())
    namespace = request.target.control_plane_namespace
    try:
        report = run_procedure(module, backup.procedure(), namespace, request.target.name, deadline, kept=kept)
        if module.check_mode:
            # They are told with the proof otherwise, and nothing is proven here.
            report.findings += backup.notes
    except LifecycleError as error:
        backup.tell(error)
        raise
    finally:
        backup.close()
    return {**procedure_result(module, report, started), **backup.result()}


class Backup:
    """One backup of one hosted cluster, on a module's connection and with its credentials for AWS."""

    def __init__(self, module: LifecycleModule, request: BackupRequest, deadline: Deadline) -> None:
        now = datetime.now(UTC)
        self._module, self._request, self._deadline = module, request, deadline
        self._created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._run_id = new_run_id(request.target.name, now)
        self._key = load_key(request.key_file) if request.key_file else None
        self._aws = Aws(module.params, name=module.name)
        module.protect_values(self._aws.secrets)
        self._reader = BackupReader(module.connection, self._aws, request, self._run_id)
        self._marker = MarkerReader(self._open_hosted_api)
        self._hosted_cluster: dict[str, Any] = {}
        self._view = BackupView(self._reader, self._with_marker, under_lease=request.quiesce)
        self._quiesce: Quiesce | None = None
        if request.quiesce:
            self._quiesce = Quiesce(
                module.connection.api,
                self._view.state.inventory,
                self._marker,
                deadline=deadline,
                stop_timeout=request.stop_timeout,
                progress=module.progress,
            )
        namespace = request.target.control_plane_namespace
        self._copier = SnapshotCopier(self._reader.pods, self._aws, namespace, deadline, module.progress)
        self._files = contextlib.ExitStack()
        self._writer: SetWriter | None = None
        self._before: Inventory | None = None
        self._copied: Copied | None = None
        self._index: Index | None = None
        self._path = self._uploaded_to = ""
        self._saved: BackupState | None = None
        self._proven = False
        self._notes: list[Finding] = self._quiesce.notes if self._quiesce is not None else []
        self._undone: list[Finding] = []
        self._durations: dict[str, float] = {}

    def close(self) -> None:
        """Remove the directory of a set that is not whole; what is left in a pod needs its journal, for the next run."""
        if self._writer is not None and self._copier.left:
            self._writer.leave_journal()
        elif self._writer is not None and not self._path:
            # What cannot be removed keeps its journal; it is not the reason of a failure.
            with contextlib.suppress(LifecycleError):
                self._writer.discard()
        self._files.close()

    @property
    def notes(self) -> list[Finding]:
        """What came up on the way and is no reason to fail."""
        return self._notes

    def procedure(self) -> Procedure[BackupState]:
        """Return the phases; an online backup has none that write to a cluster."""
        stopping = self._quiesce.phases(_stopping) if self._quiesce is not None else ()
        snapshot = Phase(SNAPSHOT, snapshot_steps, self._timed(self._copy))
        if self._quiesce is not None:
            stopping = (replace(stopping[0], enter=self._try_bucket), *stopping[1:])
            snapshot = replace(snapshot, enter=self._quiesce.wait_until_stopped)
        return Procedure(
            name=NAME,
            target=self._request.target.annotated,
            observe=self._view.observe,
            phases=(
                Phase(CLEAN, clean_steps, self._timed(self._clear)),
                *(replace(phase, apply=self._timed(self._stops(phase))) for phase in stopping),
                snapshot,
                Phase(COLLECT, collect_steps, self._timed(self._collect)),
                Phase(FINISH, finish_steps, self._timed(self._finish)),
            ),
            refuse=backup_refusals,
            findings=backup_findings,
            notes=self._told,
            verify=self._unproven,
        )

    # Looking

    def _open_hosted_api(self) -> Api:
        module, hosted_cluster = self._module, self._hosted_cluster
        return open_hosted_api(module.connection.api, hosted_cluster, self._request.target, module.tmpdir, name=module.name).api

    def _with_marker(self, state: BackupState) -> BackupState:
        if not self._request.quiesce:
            return state
        self._hosted_cluster = state.inventory.hosted_cluster
        name = self._request.management_cluster_name or self._module.connection.uid
        marker = self._marker.read(state.inventory)
        return replace(state, quiesce=QuiesceState(state.inventory, marker, self._run_id, self._created, name))

    # Doing

    def _timed(self, apply: Callable[[Step], str]) -> Callable[[Step], str]:
        """Have the duration of each step for the index."""

        def timed(step: Step) -> str:
            started = time.monotonic()
            try:
                return apply(step)
            finally:
                self._durations[step.id] = time.monotonic() - started

        return timed

    def _stops(self, phase: Phase[BackupState]) -> Callable[[Step], str]:
        """Have the cluster looked at again after what is written to it."""

        def stop(step: Step) -> str:
            self._view.expect_change()
            try:
                return phase.apply(step) if phase.apply is not None else ""
            finally:
                # Somebody may have observed meanwhile, and has not seen what this was refused for.
                self._view.expect_change()

        return stop

    def _try_bucket(self, _guard: Guard) -> None:
        """Raise AwsError when nothing may be stored: no cluster is stopped for a backup that then cannot be made."""
        request = self._request
        try_upload(self._aws, request.bucket, request.key(self._run_id), **self._encryption)

    def _clear(self, step: Step) -> str:
        (run,) = (run for run in self._view.state.dead if run.run_id == step.object.name)
        left, again = self._copier.clear(run)
        self._notes += left
        if not again:
            remove_dead(run)
        return "; ".join(finding.what for finding in left)

    def _copy(self, step: Step) -> str:
        """Take the snapshot: what its etcd says now counts, not what it said when the plan was made."""
        request, inventory = self._request, self._view.state.inventory
        etcd = self._reader.read_etcd(inventory)
        self._view.state = replace(self._view.state, etcd=etcd)
        refusals = etcd_refusals(request.target, replicas_of(inventory.etcd or {}), etcd)
        if refusals:
            raise refused(f"the snapshot of {request.target.annotated}", refusals)
        choice, key = choose_member(etcd), request.key(self._run_id)
        if choice is None:
            raise StepFailed(
                f"No member of {step.object} can make a snapshot", object=step.object, why="all refusals were looked at before"
            )
        self._before = inventory
        writer = SetWriter(request.dest, self._run_id, self._key, hosted_cluster=request.target.annotated)
        self._writer = self._files.enter_context(writer)
        namespace = request.target.control_plane_namespace
        where = {"pod": choice.pod, "directory": choice.directory, "bucket": request.bucket, "key": key}
        writer.note(cluster=self._module.connection.uid, namespace=namespace, **where)
        # The objects that are saved are those that are there after the snapshot.
        self._view.expect_change()
        self._copied = self._copier.copy(choice, etcd.tools, self._run_id, request.bucket, key, **self._encryption)
        if self._copied.finding is not None:
            self._notes.append(self._copied.finding)
        snapshot = self._copied.snapshot
        return f"{snapshot.size} bytes of {snapshot.pod}, revision {snapshot.revision}, in s3://{request.bucket}/{key}"

    def _collect(self, step: Step) -> str:
        if self._writer is None or self._before is None:
            raise StepFailed(
                f"{step.object} cannot be saved", object=step.object, why="there is no snapshot that the objects would belong to"
            )
        # They were read again on entry to this phase, which is after the snapshot.
        self._notes += change_findings(
            changed_objects(self._before, self._view.state.inventory), self._request.target.ref, stopped=self._request.quiesce
        )
        refusals = [*inventory_refusals(self._view.state.inventory), *self._view.state.missing]
        if refusals:
            raise refused(f"the backup of {self._request.target.annotated}, which has changed since its snapshot,", refusals)
        self._writer.write_files(self._view.state.files)
        self._saved = self._view.state
        return f"{len(self._view.state.collected.items)} objects"

    def _finish(self, step: Step) -> str:
        if self._writer is None or self._before is None:
            raise StepFailed(f"{step.object} cannot be finished", object=step.object, why="it was not begun")
        if self._request.quiesce:
            self._require_stopped(self._before)
            # Whether it is still stopped is looked at once more, for the proof.
            self._view.expect_change()
        try:
            self._writer.finish(self._index_now())
        finally:
            # What fails after the set has its name leaves a set, whose snapshot must not be taken for one without.
            if self._writer.finished:
                self._path, self._index = self._writer.path, self._writer.index
        if self._request.upload_set:
            self._upload()
        return self._uploaded_to or self._path

    def _require_stopped(self, before: Inventory) -> None:
        """Raise StepFailed unless the cluster was stopped ever since ``before``: nobody sees from a set that its proof has failed."""
        now = self._reader.read_inventory()
        self._undone = stopped_findings(now) or undone_findings(before, now)
        if self._undone:
            raise StepFailed(
                f"{self._request.target.ref} did not stay stopped while it was backed up: {self._undone[0].what}",
                object=self._undone[0].object,
                why="; ".join(f"{finding.object}: {finding.what}" for finding in self._undone),
                state="no set was made; the hosted cluster is stopped in part, and what it was is on record",
                next="; ".join(dict.fromkeys(finding.remedy for finding in self._undone)),
            )

    def _upload(self) -> None:
        address = self._request.address(self._run_id)
        try:
            upload_set(DirectorySet(self._path), self._key, self._put)
        except LifecycleError as error:
            raise StepFailed(
                f"The set is not in the bucket: {error}",
                object=error.object,
                why=error.why,
                state=f"the set {self._path} is whole, and its snapshot is in the bucket; {address} has no index, so it is no set",
                next=f"{error.next}; then aws s3 cp --recursive {self._path} {address}, or back up again",
            ) from error
        self._uploaded_to = address

    @property
    def _encryption(self) -> dict[str, str]:
        return {"kms_key_id": self._request.kms_key_id, "default_encryption": self._view.state.bucket.encryption or ""}

    def _put(self, path: str, data: bytes) -> None:
        request = self._request
        upload_bytes(self._aws, data, request.bucket, request.key(self._run_id, path), sha256=sha256_of(data), **self._encryption)

    def _index_now(self) -> Index:
        connection, state = self._module.connection, self._saved or self._view.state
        run = Run(
            run_id=self._run_id,
            created=self._created,
            cluster={"server": connection.server, "uid": connection.uid},
            kubernetes=connection.version,
            snapshot=self._copied.as_dict() if self._copied is not None else {},
            entries=planned_entries(state.files, encrypted=self._key is not None),
            findings=[*backup_findings(state), *self._notes],
            durations=self._durations,
            encryption={"method": METHOD, "key_id": self._key.id} if self._key is not None else {"method": ""},
        )
        return index_of(state, run)

    # Proof and result

    def _unproven(self, state: BackupState) -> list[Finding]:
        """Read the set again, from disk and from the bucket, and look whether the cluster is still stopped."""
        found = stopped_findings(state.inventory) if self._request.quiesce else []
        if self._path:
            found += verify(DirectorySet(self._path), self._key, self._aws).findings
        if self._uploaded_to:
            found += verify(store_of(self._uploaded_to, self._aws), self._key, self._aws).findings
        self._proven = not any(finding.severity == "error" for finding in found)
        return found

    def _told(self, _state: BackupState) -> list[Finding]:
        commands = self._resume_commands()
        return [*self._notes, *([left_stopped(self._request.target, commands)] if commands else [])]

    def _resume_commands(self) -> list[str]:
        """What brings the cluster back; nothing where nothing is on record."""
        prior = prior_of(self._view.state.inventory) if self._request.quiesce else None
        if prior is None:
            return []
        secret = kubeconfig_secret(self._view.state.inventory.hosted_cluster, self._request.target).name
        marker = self._view.state.quiesce.management_cluster if self._view.state.quiesce is not None else ""
        return resume_commands(self._request.target, still_there(prior, self._view.state.inventory), secret=secret, marker=marker)

    def result(self) -> dict[str, Any]:
        """Return what is told beside plan and steps."""
        index = self._index or self._index_now()
        told: dict[str, Any] = {
            "set": set_result(index, self._path, self._uploaded_to),
            "index": index.as_dict(),
            "left_out": [item.as_dict() for item in self._view.state.collected.left_out],
            "presigned_url_length": self._view.state.url_length,
            "resume_commands": self._resume_commands(),
        }
        if self._copied is not None:
            told |= {"snapshot": self._copied.as_dict(), "verified": True}
        return told

    def tell(self, error: LifecycleError) -> None:
        """Add what somebody needs whose backup has failed: what it has left, and how the cluster is brought back, if it is stopped."""
        findings = [*self._undone]
        is_stored = True if self._copied is not None else self._copier.stored
        if is_stored is not False and not self._path:
            findings.append(without_set(self._request.bucket, self._request.key(self._run_id), certain=is_stored is True))
        if self._path:
            error.details["set"] = set_result(self._index or self._index_now(), self._path, self._uploaded_to)
            error.details["verified"] = self._proven
        if self._copier.in_pod is not None:
            findings.append(self._copier.in_pod)
        if findings:
            error.details.setdefault("findings", []).extend(finding.as_dict() for finding in findings)
        if not self._request.quiesce:
            return
        with contextlib.suppress(LifecycleError):
            self._view.state = self._reader.read_again(self._view.state)
        error.details["resume_commands"] = self._resume_commands()


def _stopping(state: BackupState) -> QuiesceState:
    if state.quiesce is None:
        raise ValueError("this backup does not stop the cluster")
    return state.quiesce
