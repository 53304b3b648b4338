# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollout status of Deployments, StatefulSets and DaemonSets, in the words and by the rules of ``kubectl rollout status``.

Source: kubectl ``pkg/polymorphichelpers/rollout_status.go``. Pure: raw objects in, nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Object = Mapping[str, Any]


class Rollout(NamedTuple):
    """``done``, ``waiting`` (time may help) or ``failed`` (where kubectl ends with an error), and kubectl's sentence."""

    state: Literal["done", "waiting", "failed"]
    message: str

    @property
    def done(self) -> bool:
        """Whether the newest specification is what runs."""
        return self.state == "done"


class Replicas(NamedTuple):
    """Counts of a workload's pods: ``updated`` ones have the newest template."""

    desired: int
    updated: int
    ready: int
    available: int


def rollout_status(workload: Object) -> Rollout:
    """Return the rollout status of a raw Deployment, StatefulSet or DaemonSet; other kinds have none and fail."""
    status_of = _BY_KIND.get(workload.get("kind", ""))
    if status_of is None:
        return Rollout("failed", f"no rollout status for {workload.get('kind', 'an object without kind')}")
    return status_of(workload)


def replicas(workload: Object) -> Replicas:
    """Return the pod counts of a raw Deployment, StatefulSet or DaemonSet."""
    status = workload.get("status") or {}
    if workload.get("kind") == "DaemonSet":
        names = ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")
        return Replicas(*(_count(status, name) for name in names))
    desired = (workload.get("spec") or {}).get("replicas")
    counts = (_count(status, name) for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return Replicas(1 if desired is None else int(desired), *counts)


def _deployment(deployment: Object) -> Rollout:
    name, spec, status = deployment["metadata"]["name"], deployment.get("spec") or {}, deployment.get("status") or {}
    if _generation(deployment) > _count(status, "observedGeneration"):
        return Rollout("waiting", "Waiting for deployment spec update to be observed...")
    progressing: Object = next((item for item in status.get("conditions") or () if item.get("type") == "Progressing"), {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Rollout("failed", f'deployment "{name}" exceeded its progress deadline')
    total, updated, available = (_count(status, key) for key in ("replicas", "updatedReplicas", "availableReplicas"))
    wanted = spec.get("replicas")
    before = f'Waiting for deployment "{name}" rollout to finish:'
    if wanted is not None and updated < wanted:
        return Rollout("waiting", f"{before} {updated} out of {wanted} new replicas have been updated...")
    if total > updated:
        return Rollout("waiting", f"{before} {total - updated} old replicas are pending termination...")
    if available < updated:
        return Rollout("waiting", f"{before} {available} of {updated} updated replicas are available...")
    return Rollout("done", f'deployment "{name}" successfully rolled out')


def _daemon_set(daemon_set: Object) -> Rollout:
    name, status = daemon_set["metadata"]["name"], daemon_set.get("status") or {}
    if _strategy(daemon_set).get("type", "RollingUpdate") != "RollingUpdate":
        return _NOT_ROLLING
    if _generation(daemon_set) > _count(status, "observedGeneration"):
        return Rollout("waiting", "Waiting for daemon set spec update to be observed...")
    desired, updated, available = (_count(status, key) for key in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"))
    before = f'Waiting for daemon set "{name}" rollout to finish:'
    if updated < desired:
        return Rollout("waiting", f"{before} {updated} out of {desired} new pods have been updated...")
    if available < desired:
        return Rollout("waiting", f"{before} {available} of {desired} updated pods are available...")
    return Rollout("done", f'daemon set "{name}" successfully rolled out')


def _stateful_set(stateful_set: Object) -> Rollout:
    spec, status, strategy = stateful_set.get("spec") or {}, stateful_set.get("status") or {}, _strategy(stateful_set)
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return _NOT_ROLLING
    observed = _count(status, "observedGeneration")
    if observed == 0 or _generation(stateful_set) > observed:
        return Rollout("waiting", "Waiting for statefulset spec update to be observed...")
    wanted, ready, updated = spec.get("replicas"), _count(status, "readyReplicas"), _count(status, "updatedReplicas")
    if wanted is not None and ready < wanted:
        return Rollout("waiting", f"Waiting for {wanted - ready} pods to be ready...")
    if strategy.get("rollingUpdate") is not None:
        partition = strategy["rollingUpdate"].get("partition")
        if wanted is not None and partition is not None and updated < wanted - partition:
            done, of = updated, wanted - partition
            return Rollout("waiting", f"Waiting for partitioned roll out to finish: {done} out of {of} new pods have been updated...")
        return Rollout("done", f"partitioned roll out complete: {updated} new pods have been updated...")
    current, update = status.get("currentRevision", ""), status.get("updateRevision", "")
    if update != current:
        return Rollout("waiting", f"waiting for statefulset rolling update to complete {updated} pods at revision {update}...")
    count = _count(status, "currentReplicas")
    return Rollout("done", f"statefulset rolling update complete {count} pods at revision {current}...")


# The sentence is kubectl's for DaemonSets too.
_NOT_ROLLING = Rollout("failed", "rollout status is only available for RollingUpdate strategy type")

_BY_KIND: dict[str, Callable[[Object], Rollout]] = {
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
}


def _strategy(workload: Object) -> Mapping[str, Any]:
    strategy: Mapping[str, Any] = (workload.get("spec") or {}).get("updateStrategy") or {}
    return strategy


def _generation(workload: Object) -> int:
    return _count(workload["metadata"], "generation")


def _count(fields: Mapping[str, Any], key: str) -> int:
    return int(fields.get(key) or 0)
