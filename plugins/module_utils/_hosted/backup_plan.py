# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a backup beside those that stop the cluster. Pure.

What they want is the same in every run, so that a killed run is approved by the same id: neither the run's id nor the member is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import choose_member
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import ETCD
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step

CLEAN, SNAPSHOT, COLLECT, FINISH = "clean", "snapshot", "collect", "finish"
UNFINISHED, SET = "UnfinishedBackup", "BackupSet"
_NOT_IN_CHECK_MODE = "nothing is copied in check mode"


def clean_steps(state: BackupState) -> list[Step]:
    """What killed runs have left goes first; nobody has to approve that, it was nothing whole."""
    return [
        Step(
            "clear",
            ObjectRef(UNFINISHED, run.run_id),
            "a run that was killed has left its directory, and perhaps a file in an etcd pod and an upload that was not completed",
            risk="low",
            reversible=False,
            writes=False,
            simulated=_NOT_IN_CHECK_MODE,
        )
        for run in state.dead
    ]


def snapshot_steps(state: BackupState) -> Sequence[Step]:
    """One snapshot of one member."""
    request, namespace = state.request, state.inventory.target.control_plane_namespace
    choice = choose_member(state.etcd)
    member = f"of {choice.pod}, by way of its {choice.directory}, " if choice is not None else ""
    return [
        Step(
            "snapshot",
            ObjectRef("StatefulSet", ETCD, namespace),
            f"one snapshot {member}as a stream to s3://{'/'.join(part for part in (request.bucket, request.prefix) if part)}",
            risk="low",
            desired={"bucket": request.bucket, "prefix": request.prefix, "kms_key_id": request.kms_key_id},
            simulated=_NOT_IN_CHECK_MODE,
            # What newer API servers ask for besides (create) was needed already to look at etcd.
            permissions=(Permission("get", "", "pods", namespace, subresource="exec"),),
        )
    ]


def collect_steps(state: BackupState) -> Sequence[Step]:
    """All objects, read again after the snapshot."""
    number = len(state.collected.items)
    return [
        Step(
            "collect",
            state.inventory.target.ref,
            f"{number} objects, as they are after the snapshot",
            risk="none",
            desired={"encrypted": bool(state.request.key_file)},
            simulated=_NOT_IN_CHECK_MODE,
        )
    ]


def finish_steps(state: BackupState) -> Sequence[Step]:
    """The index, with which the set is whole."""
    request = state.request
    upload = f", and the set to the bucket {request.bucket}" if request.upload_set else ""
    return [
        Step(
            "finish",
            ObjectRef(SET, request.target.name),
            f"the index with checksums of everything to {request.dest}{upload}",
            risk="none",
            desired={"dest": request.dest, "upload_set": request.upload_set},
            simulated=_NOT_IN_CHECK_MODE,
        )
    ]
