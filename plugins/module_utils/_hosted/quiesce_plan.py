# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that stop a hosted cluster: record, mark, pause, stop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hosted_api import kubeconfig_secret
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    annotation,
    metadata_of,
    ref_of,
    replicas_of,
    uid_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import CLUSTER_API_GROUP, HOSTED_CLUSTER, NODE_POOL
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT, PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import ENTRY, REF, MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import (
    cluster_paused,
    completed,
    current,
    paused_for_good,
    paused_until,
    recorded,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import (
    API_SERVERS,
    CONTROLLERS,
    owner_among,
    runs,
    to_stop,
    workload_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Risk, Step

RECORD, MARK, PAUSE, STOP = "record", "mark", "pause", "stop"
WAIT_FOR: Mapping[str, tuple[str, ...]] = {
    "wait_for_controllers_to_end": CONTROLLERS,
    "wait_for_api_servers_to_end": API_SERVERS,
}
_Object = dict[str, Any]


@dataclass(frozen=True)
class QuiesceState:
    """What the steps depend on: the cluster as it was read, and what this run wants.

    ``run_id`` and ``time`` (RFC 3339) are put on record; ``management_cluster`` is what the marker is to say, "": no marker.
    """

    inventory: Inventory
    marker: MarkerState
    run_id: str
    time: str
    management_cluster: str = ""


def record_steps(state: QuiesceState) -> list[Step]:
    """Return the step that records what everything is now; none when that is on record, or when what is there cannot be read."""
    hosted_cluster = state.inventory.hosted_cluster
    found = recorded(state.inventory)
    wanted = completed(found.prior, current(state.inventory, state.marker.prior, state.run_id, state.time))
    if found.problem or wanted == found.prior:
        return []
    before = annotation(hosted_cluster, PRIOR_ANNOTATION) or None
    step = _patch(RECORD, hosted_cluster, _annotated(before), _annotated(wanted.as_json()))
    return [
        _like(
            step,
            why="what is changed next is put back from this record: it is written before anything else",
            # The marker may be unknown one moment and known the next, which is no other intent.
            desired={key: value for key, value in wanted.values.items() if key != "marker"},
        )
    ]


def mark_steps(state: QuiesceState) -> list[Step]:
    """Return the step that says in the hosted cluster where it is; none when it says so, or when its API does not answer."""
    found, wanted = state.marker, state.management_cluster
    if not wanted or found.prior.state == "unknown" or found.prior == ("present", wanted):
        return []
    secret = kubeconfig_secret(state.inventory.hosted_cluster, state.inventory.target)
    before = {"data": {ENTRY: found.prior.value}} if found.prior.state == "present" else None
    return [
        Step(
            MARK,
            REF,
            "what is restored says with this which management cluster it came from; it can be written only while the API server runs",
            desired={"data": {ENTRY: wanted}},
            before=before,
            after={"data": {ENTRY: wanted}},
            uid=found.uid,
            resource_version=found.resource_version,
            permissions=(Permission("get", "", "secrets", secret.namespace, secret.name),),
        )
    ]


def pause_steps(state: QuiesceState) -> list[Step]:
    """Return a step for whatever is not paused for good: the HostedCluster first, as its operator would take back the others."""
    inventory = state.inventory
    steps = []
    for item in (inventory.hosted_cluster, *inventory.node_pools):
        if not paused_for_good(item):
            steps.append(_patch(PAUSE, item, _paused_until(paused_until(item)), _paused_until("true")))
    for cluster in inventory.of("clusters"):
        if not cluster_paused(cluster):
            steps.append(_patch(PAUSE, cluster, {"spec": {"paused": cluster_paused(cluster)}}, {"spec": {"paused": True}}))
    first = ref_of(inventory.hosted_cluster)
    why = "nothing may be reconciled from now on: what is stopped stays stopped, and no machine is made or ended"
    return [
        _like(step, why=why, needs=tuple(other.id for other in steps if other.object == first and step.object != first)) for step in steps
    ]


def stop_steps(state: QuiesceState) -> list[Step]:
    """Return the steps that scale to 0, one after the other, what writes to etcd and what runs machines; and those that wait for pods.

    The controllers' pods are seen gone before the API servers are stopped: the control plane operator scales those up again.
    """
    steps: list[Step] = []
    for action, names in WAIT_FOR.items():
        why = "it runs machines, or makes stopped workloads again" if names is CONTROLLERS else "etcd's data changes as long as it runs"
        for deployment in to_stop(state.inventory, names):
            if replicas_of(deployment):
                before, after = ({"spec": {"replicas": number}} for number in (replicas_of(deployment), 0))
                step = _patch(STOP, deployment, before, after)
                steps.append(_like(step, why=why, risk="disruptive", needs=tuple(other.id for other in steps[-1:])))
        if _still_runs(state.inventory, names):
            steps.append(_wait(state.inventory, action, steps[-1:]))
    return steps


def _still_runs(inventory: Inventory, names: Iterable[str]) -> bool:
    deployments = to_stop(inventory, names)
    workloads = [workload_of(deployment) for deployment in deployments]
    return any(map(replicas_of, deployments)) or any(runs(pod) and owner_among(pod, workloads) for pod in inventory.pods)


def _wait(inventory: Inventory, action: str, after: list[Step]) -> Step:
    namespace = inventory.target.control_plane_namespace
    return Step(
        action,
        ObjectRef("Namespace", namespace),
        f"a pod that is ending still works: {', '.join(WAIT_FOR[action])}",
        risk="none",
        needs=tuple(step.id for step in after),
        writes=False,
        simulated="in check mode nothing ends",
        permissions=(Permission("list", "", "pods", namespace),),
    )


_RESOURCES = {
    HOSTED_CLUSTER.kind: (HYPERSHIFT, HOSTED_CLUSTER.plural),
    NODE_POOL.kind: (HYPERSHIFT, NODE_POOL.plural),
    "Cluster": (CLUSTER_API_GROUP, "clusters"),
    "Deployment": ("apps", "deployments"),
}


def _patch(action: str, item: _Object, before: _Object, after: _Object) -> Step:
    """Return a step whose merge patch is ``after``, on the object as it was read."""
    ref = ref_of(item)
    group, resource = _RESOURCES[ref.kind]
    return Step(
        action,
        ref,
        "",
        desired=after,
        before=before,
        after=after,
        uid=uid_of(item),
        resource_version=str(metadata_of(item).get("resourceVersion") or ""),
        # After a conflict the object is read again.
        permissions=tuple(Permission(verb, group, resource, ref.namespace) for verb in ("get", "patch")),
    )


def _like(step: Step, *, why: str, risk: Risk = "low", desired: Mapping[str, Any] | None = None, needs: tuple[str, ...] = ()) -> Step:
    return replace(step, why=why, risk=risk, desired=step.desired if desired is None else desired, needs=needs)


def _annotated(text: str | None) -> _Object:
    return {"metadata": {"annotations": {PRIOR_ANNOTATION: text}}}


def _paused_until(value: str | None) -> _Object:
    return {"spec": {"pausedUntil": value}}
