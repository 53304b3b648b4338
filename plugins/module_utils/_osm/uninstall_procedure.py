# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An uninstallation as a procedure: sidecars first, the control plane next, what may be shared last and only on request."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.coordination import KubeRecordStore, object_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_apply import UninstallWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import control_plane_goes
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_findings import findings, notes
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import release_ref
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_plan import plan_phase
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_proof import unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_refusals import refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_result import uninstall_result
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import sidecar_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecars import SidecarRemoval
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step, StepOutcome

NAME = "mesh_uninstall"
# The mesh's own namespace may be gone, or going: there, nothing could be written any more.
PLACE = "default"
_NOBODY = "nothing"
# Telling what is left of a run that was broken off must not take as long as a run.
_LOOK_SECONDS = 15.0
# The first look finds the plan, the second is under the Lease.
_LOOKS_BEFORE_WRITES = 2
_FRESH_SECONDS = 10.0


class MeshUninstall:
    """The uninstallation of one mesh, or of what is left of one; ``check`` says that nothing will be written."""

    def __init__(self, api: Api, helm: Helm, request: UninstallRequest, deadline: Deadline, progress: Progress, *, check: bool) -> None:
        self._api = api
        self._helm = helm
        self._deadline = deadline
        self._request = request
        self._check = check
        self._writer = UninstallWriter(api, helm, deadline, progress)
        self._sidecars = SidecarRemoval(api, deadline, progress, request)
        name = request.mesh_name or request.confirm
        self._record = KubeRecordStore(api, PLACE, object_name(NAME, name)).read() if name else None
        self._first = read_inventory(api, request, self._record)
        self._last: Inventory | None = None
        self._looks = 0
        self._looked = 0.0
        self._written = False
        subject = self._first.subject
        self.name = subject.name if subject is not None else name or _NOBODY
        self.target = f"{subject.namespace}/{subject.name}" if subject is not None else self.name

    def procedure(self) -> Procedure[Inventory]:
        """Return the uninstallation as a procedure."""
        return Procedure(
            name=NAME,
            target=self.target,
            observe=self._observe,
            phases=(
                self._phase(uninstall.UNBLOCK),
                Phase(uninstall.SIDECARS, sidecar_steps, run=self._remove_sidecars, dry_run=self._sidecars.dry_run),
                *map(self._phase, _AFTER_SIDECARS),
            ),
            refuse=self._refusals,
            findings=findings,
            notes=notes,
            verify=unproven,
            merge_base=memory,
            settle=self._writer.settle,
        )

    def result(self) -> dict[str, Any]:
        """Return what is told beside plan and steps: artefacts, counts, and the workloads that are not fine."""
        return uninstall_result(self._first, self._last, self._sidecars.result, check=self._check)

    def result_of_failure(self, error: LifecycleError) -> dict[str, Any]:
        """Return the same of a run that was broken off: what is there now is looked at once more, if the cluster answers."""
        if not error.details.get("changed"):
            return uninstall_result(self._first, None, self._sidecars.result, check=self._check)
        with contextlib.suppress(LifecycleError):
            self._last = read_inventory(self._api.within(_LOOK_SECONDS), self._request, self._record)
        outcomes = [_outcome(step) for step in error.details.get("steps", ())]
        return uninstall_result(self._first, self._last, self._sidecars.result, check=self._check, outcomes=outcomes)

    def _refusals(self, inventory: Inventory) -> list[Refusal]:
        """Return why it is not begun; raises CommandNotFound or HelmFailed where helm will be needed: later, half of the mesh is gone."""
        found = refusals(inventory, check=self._check)
        if not found and control_plane_goes(inventory) and release_ref(inventory) is not None:
            self._helm.require(self._deadline)
        return found

    def _phase(self, name: str) -> Phase[Inventory]:
        phase = Phase(name, partial(plan_phase, name), self._apply, self._writer.dry_run)
        return replace(phase, enter=self._after_stop) if name == uninstall.CONVERSION else phase

    def _observe(self, record: Record | None) -> Inventory:
        # What was found to know the target is still fresh when the first look follows at once.
        if self._last is None and record == self._record:
            self._last = self._first
        elif self._last is None or self._is_outdated():
            self._written = False
            self._last = read_inventory(self._api, self._request, record)
            self._looked = time.monotonic()
        self._looks += 1
        self._record = record
        self._writer.see(self._last)
        self._sidecars.see(self._last)
        return self._last

    def _is_outdated(self) -> bool:
        """Whether the cluster has to be looked at again: always under the Lease, and after writes; most phases have nothing to do."""
        return self._looks < _LOOKS_BEFORE_WRITES or self._written or time.monotonic() - self._looked > _FRESH_SECONDS

    def _apply(self, step: Step) -> str:
        self._written = True
        return self._writer.apply(step)

    def _after_stop(self, guard: Guard) -> None:
        self._written = True
        self._writer.after_stop(guard)

    def _remove_sidecars(self, steps: Sequence[Step], guard: Guard) -> tuple[list[StepOutcome], LifecycleError | None]:
        self._written = True
        return self._sidecars.run(steps, guard)


_AFTER_SIDECARS = (
    uninstall.STOP,
    uninstall.CONVERSION,
    uninstall.RELEASE,
    uninstall.ARTEFACTS,
    uninstall.USER_RESOURCES,
    uninstall.CUSTOM_RESOURCES,
    uninstall.NAMESPACE,
    uninstall.DEFINITIONS,
)


def _outcome(step: Mapping[str, Any]) -> StepOutcome:
    return StepOutcome(step["id"], step["phase"], step["outcome"], step["duration"], step["message"])


def memory(inventory: Inventory) -> Mapping[str, object]:
    """Return what the mesh is known by, for a run that finds too little of it left to tell."""
    subject = inventory.subject
    if subject is None:
        return {}
    return {
        "name": subject.name,
        "namespace": subject.namespace,
        "product": subject.product.id,
        "version": subject.version,
        "release": [*subject.release] if subject.release is not None else [],
        "ca_secret": subject.ca_secret,
    }
