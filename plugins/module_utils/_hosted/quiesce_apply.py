# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop a hosted cluster: the writes, one function per action."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, annotation
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import HOSTED_CLUSTER, NODE_POOL, cluster_api
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import marker_refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import NAMESPACE, MarkerReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import (
    MARK,
    RECORD,
    WAIT_FOR,
    QuiesceState,
    mark_steps,
    pause_steps,
    record_steps,
    stop_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_record import KeptRecord
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_wait import StoppedPods
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, DEPLOYMENT, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

State = TypeVar("State")
# The marker is one write that a stopped cluster can do without.
_MARK_SECONDS = 15.0


class Quiesce:
    """Stops the hosted cluster of ``inventory``, from which names and kinds are taken; ``stop_timeout`` is in seconds, for each wait.

    ``notes`` are findings about what could not be done and is not needed.
    """

    def __init__(
        self, api: Api, inventory: Inventory, marker: MarkerReader, *, deadline: Deadline, stop_timeout: float, progress: Progress
    ) -> None:
        self._api, self._inventory, self._marker = api, inventory, marker
        self._deadline, self._stop_timeout = deadline, stop_timeout
        self._pods = StoppedPods(api, inventory, progress)
        self.notes: list[Finding] = []
        self._record = KeptRecord(api, inventory.target)

    def phases(self, view: Callable[[State], QuiesceState]) -> tuple[Phase[State], ...]:
        """Return the phases of a procedure whose observation is seen through ``view``; what follows them has
        ``enter=quiesce.wait_until_stopped``."""
        return (
            Phase("record", lambda state: record_steps(view(state)), self.apply, self.dry_run),
            Phase("mark", lambda state: mark_steps(view(state)), self.apply, self.dry_run, enter=self.require_record),
            Phase("pause", lambda state: pause_steps(view(state)), self.apply, self.dry_run, enter=self.require_record),
            Phase("stop", lambda state: stop_steps(view(state)), self.apply, self.dry_run, enter=self.require_record),
        )

    def apply(self, step: Step) -> str:
        """Make one step's change, or wait for what a step waits for."""
        if step.action in WAIT_FOR:
            number = self._pods.wait_until_gone(self._deadline, self._stop_timeout, WAIT_FOR[step.action], self._record.require)
            return f"{number} pods have ended"
        if step.action == MARK:
            return self._mark(step, dry_run=False)
        ref = step.object
        self._api.patch(self._kind(ref.kind), ref.name, step.after, ref.namespace, uid=step.uid, resource_version=step.resource_version)
        if step.action != RECORD:
            return ""
        text = annotation(dict(step.after or {}), PRIOR_ANNOTATION)
        self._record.written(text)
        # So that it is not lost either when somebody takes the annotation away.
        return f"on record: {text}"

    def dry_run(self, step: Step) -> None:
        """Ask the server whether it would accept a step."""
        if step.action == MARK:
            self._mark(step, dry_run=True)
        elif step.action not in WAIT_FOR:
            ref = step.object
            self._api.patch(self._kind(ref.kind), ref.name, step.after, ref.namespace, uid=step.uid, dry_run=True)

    def require_record(self, _guard: Guard) -> None:
        """Raise Interrupted when what everything was is not on record any more."""
        self._record.require()

    def wait_until_stopped(self, guard: Guard) -> None:
        """Return when everything is recorded, paused, at 0 and gone; raises StepFailed or Interrupted, with who has changed it."""

        def all_ours() -> None:
            guard()
            self._record.require()

        self._pods.wait_until_gone(self._deadline, self._stop_timeout, guard=all_ours)

    def _kind(self, kind: str) -> Kind:
        known = {item.kind: item for item in (HOSTED_CLUSTER, NODE_POOL, DEPLOYMENT)}
        return known.get(kind) or cluster_api(kind, self._inventory.cluster_api_version)

    def _mark(self, step: Step, *, dry_run: bool) -> str:
        """Write the marker; a cluster whose API refuses that (a webhook that is dead, say) is stopped all the same."""
        try:
            return self._write_marker(step, dry_run=dry_run)
        except WriteConflict:
            raise
        except KubeError as error:
            self.notes.append(marker_refused(error.why))
            return f"not written: {error.why}"

    def _write_marker(self, step: Step, *, dry_run: bool) -> str:
        api, ref, body = self._marker.api.within(_MARK_SECONDS), step.object, {**(step.after or {})}
        if step.uid:
            version = "" if dry_run else step.resource_version
            api.patch(CONFIGMAP, ref.name, body, NAMESPACE, uid=step.uid, resource_version=version, dry_run=dry_run)
            return "its old value is on record"
        metadata = {"name": ref.name, "namespace": NAMESPACE}
        api.create(CONFIGMAP, {"apiVersion": "v1", "kind": ref.kind, "metadata": metadata, **body}, dry_run=dry_run)
        return ""
