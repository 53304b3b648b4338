# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads whose controller replaces the pods by itself, after one write or none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import PDB, REPLICATION_CONTROLLER, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import (
    counts_of,
    exhausted_budget,
    mark_lost,
    partition_of,
    quiet_seconds,
    status_of,
    writers,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.eviction import RETRY_SECONDS
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen, Want
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.proof import lives, prove
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_begin import Begun, begin

Object = Mapping[str, Any]

_BESIDE: dict[str, Kind] = {"DeploymentConfig": REPLICATION_CONTROLLER, "Rollout": PDB}
_ORDINAL = re.compile(r"-(\d+)$")


class RollingAttempt(Attempt):
    """Ways rollout, instantiate, restart_at and wait."""

    def __init__(self, task: Task, tools: Tools, wall: float) -> None:
        super().__init__(task, tools)
        self.writes = True
        self._wall = wall
        self._begun = Begun("already")
        self._finished: Object | None = None
        self._status = ""
        self._held = False

    @property
    def finished(self) -> Object | None:
        """The raw workload when its controller says that all is done, and its pods are to be judged."""
        return self._finished

    def wants(self) -> list[Want]:
        """Return the workload, the controllers of a DeploymentConfig, the budgets of a Rollout (its pods are evicted)."""
        ref = self.task.object
        more = _BESIDE.get(self.task.kind.kind)
        return [Want(self.task.kind, ref.namespace, ref.name), *([Want(more, ref.namespace)] if more is not None else ())]

    def write(self) -> End | None:
        """Begin."""
        self._begun = begin(self.tools.api, self.task, self._wall)
        self.writes = False
        self.touched = self._begun.state == "begun"
        return End("unchanged", self._begun.message) if self._begun.state == "gone" else None

    def look(self, seen: Seen, now: float) -> End | None:
        """Compare the workload's status with what was begun."""
        ref = self.task.object
        workload = seen.get(self.task.kind, ref.namespace, ref.name)
        if workload is None or (self.task.uid and workload["metadata"]["uid"] != self.task.uid):
            return End("unchanged", "it was deleted meanwhile")
        lost = mark_lost(workload, self._begun.mark)
        if lost:
            return self._reverted(workload, lost)
        status = status_of(workload, self._begun.mark, seen.all(REPLICATION_CONTROLLER, ref.namespace))
        self._status, self.quiet = status.message, quiet_seconds(workload)
        self.note((counts_of(workload), (workload.get("status") or {}).get("replicas"), status.state), now)
        self._finished = workload if status.done else None
        if status.state == "failed":
            paused = (workload.get("spec") or {}).get("paused")
            code, advice = ("paused", "resume it (kubectl rollout resume)") if paused else ("rollout-failed", "")
            return End("failed", status.message, code, advice)
        self.waits_for = status.message
        if self.task.kind.kind == "Rollout":
            self._look_at_budgets(workload, seen, now)
        return None

    def _look_at_budgets(self, rollout: Object, seen: Seen, now: float) -> None:
        """A Rollout of which no pod is away, and whose budget allows none to go, waits for that: it does not stand still."""
        counts = counts_of(rollout)
        waits = self._finished is None and counts.available >= counts.desired
        name = exhausted_budget(rollout, seen.all(PDB, self.task.object.namespace).values()) if waits else ""
        self.budget = f"{self.task.object.namespace}/{name}" if name else ""
        self.retry = now + RETRY_SECONDS
        if not name and self._held:
            self.changed = now
        self._held = bool(name)

    def prove(self, pods: Sequence[Object], now: float) -> End | None:
        """Judge every pod of the finished workload."""
        proof = prove(self._replaced(pods), self.tools.rules, self.tools.state, self._is_new)
        self.note((proof.state, proof.pods, proof.message), now)
        self.waits_for = proof.message
        if proof.state == "wrong":
            return End("failed", proof.message, proof.code, _NEXT_WRONG, proof.pods)
        if proof.state == "waiting":
            return None
        return End("done" if self._begun.state == "begun" else "unchanged", self._status, pods=proof.pods)

    def _is_new(self, pod: Object) -> bool:
        """Whether a pod is of the template that was begun."""
        metadata, workload = pod["metadata"], self._finished or {}
        mark = self._begun.mark
        if not mark:
            return True
        if self.task.kind.kind == "Rollout":
            return "T" not in mark or str(metadata.get("creationTimestamp", "")) >= mark
        if self.task.kind.kind == "DeploymentConfig":
            owner = next((ref.get("name") for ref in metadata.get("ownerReferences") or () if ref.get("controller")), "")
            return bool(owner == f"{self.task.object.name}-{(workload.get('status') or {}).get('latestVersion')}")
        return (metadata.get("annotations") or {}).get(TOKEN) == mark

    def _replaced(self, pods: Sequence[Object]) -> list[Object]:
        """Return the pods that the rollout replaces: a StatefulSet keeps those below its partition."""
        below = partition_of(self._finished or {})
        return [pod for pod in pods if not below or _ordinal(pod) >= below]

    def pods_for_diagnosis(self, pods: Sequence[Object]) -> list[Object]:
        """Return the new pods; the old ones only when there is no new one."""
        new = [pod for pod in pods if lives(pod) and self._is_new(pod)]
        return new or [pod for pod in pods if lives(pod)]

    def _reverted(self, workload: Object, lost: str) -> End:
        who = writers(workload, self._begun.stamp)
        advice = (
            f"tell that tool to leave the annotation {TOKEN} of pod templates alone (Argo CD: ignoreDifferences; Flux: a merging field "
            "policy), or restart the workload from there; then run the same command again"
        )
        return End("failed", f"{lost}: {who}; it may be rolled back to its earlier template now", "annotation-reverted", advice)


_NEXT_WRONG = (
    "look at the injector (its pods, webhook configuration and log) and at the pod's own injection annotations and labels, unless the "
    "configuration of the mesh was changed meanwhile; then run the same command again"
)


def _ordinal(pod: Object) -> int:
    match = _ORDINAL.search(pod["metadata"]["name"])
    return int(match[1]) if match else 0
