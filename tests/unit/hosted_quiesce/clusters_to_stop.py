# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosted clusters to be stopped as tests write them down, and what a step does to one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, name_of, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import ENTRY, MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import (
    MARK,
    WAIT_FOR,
    QuiesceState,
    mark_steps,
    pause_steps,
    record_steps,
    stop_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import PriorMarker
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import (
    API_SERVERS,
    CONTROLLERS,
    owner_among,
    workload_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

Object = dict[str, Any]
TARGET = Target("clusters", "prod")
NAMESPACE = TARGET.control_plane_namespace
USUAL: Mapping[str, int] = {**dict.fromkeys(CONTROLLERS, 1), **dict.fromkeys(API_SERVERS, 3), "oauth-openshift": 3}
NO_MARKER = MarkerState(PriorMarker("absent"))
PHASES: tuple[Callable[[QuiesceState], list[Step]], ...] = (record_steps, mark_steps, pause_steps, stop_steps)


def item(api_version: str, kind: str, namespace: str, name: str, spec: Object | None = None, **metadata: Any) -> Object:
    """One object."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": "7", **metadata},
        "spec": spec or {},
    }


def deployment(name: str, replicas: int, **metadata: Any) -> Object:
    """A Deployment whose pods have the label ``app``."""
    return item("apps/v1", "Deployment", NAMESPACE, name, {"replicas": replicas, "selector": {"matchLabels": {"app": name}}}, **metadata)


def pod(name: str, number: int = 0, **metadata: Any) -> Object:
    """A running pod of the Deployment ``name``."""
    labels = {"app": name, "pod-template-hash": "6f7d"}
    owners = [{"kind": "ReplicaSet", "name": f"{name}-6f7d", "controller": True}]
    metadata = {"labels": labels, "ownerReferences": owners, **metadata}
    return {**item("v1", "Pod", NAMESPACE, f"{name}-6f7d-{number}", {"nodeName": "node-0"}, **metadata), "status": {"phase": "Running"}}


def inventory(
    replicas: Mapping[str, int] | None = None,
    *,
    paused_until: str | None = None,
    pools: Mapping[str, str | None] | None = None,
    cluster_paused: bool | None = None,
    availability: str = "HighlyAvailable",
    annotations: Mapping[str, str] | None = None,
    **more: Any,
) -> Inventory:
    """A hosted cluster with these Deployments and their pods; None is no such field."""
    spec = {"infraID": "prod-x1", "controllerAvailabilityPolicy": availability, **_given(pausedUntil=paused_until)}
    api = "hypershift.openshift.io/v1beta1"
    wanting = USUAL if replicas is None else replicas
    made = Inventory(
        target=TARGET,
        hosted_cluster=item(api, "HostedCluster", TARGET.namespace, TARGET.name, spec, annotations=dict(annotations or {})),
        node_pools=tuple(
            item(api, "NodePool", TARGET.namespace, name, {"clusterName": TARGET.name, **_given(pausedUntil=until)})
            for name, until in ({"prod-a": None, "prod-b": None} if pools is None else pools).items()
        ),
        objects={"clusters": (item("cluster.x-k8s.io/v1beta1", "Cluster", NAMESPACE, "prod-x1", _given(paused=cluster_paused)),)},
        deployments=tuple(deployment(name, number) for name, number in wanting.items()),
        pods=tuple(pod(name, number) for name, wanted in wanting.items() for number in range(wanted)),
        versions={"cluster.x-k8s.io": "v1beta1"},
    )
    return replace(made, **more)


def _given(**fields: object) -> Object:
    return {key: value for key, value in fields.items() if value is not None}


def recorded_as(text: str, **options: Any) -> Inventory:
    """A hosted cluster with this annotation."""
    return inventory(annotations={PRIOR_ANNOTATION: text}, **options)


def state(of: Inventory, marker: MarkerState = NO_MARKER, run_id: str = "run-1", name: str = "east") -> QuiesceState:
    """What a run on management cluster ``name`` has read."""
    return QuiesceState(of, marker, run_id, "2026-11-21T23:15:00Z", name)


def planned(found: QuiesceState) -> list[Step]:
    """Return the first steps that are left, in an order in which they may be done."""
    for phase in PHASES:
        steps = phase(found)
        if steps:
            return in_order(steps)
    return []


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Return ``steps`` with each after those that it needs."""
    left, done = list(steps), list[Step]()
    while left:
        there = {step.id for step in left}
        ready = [step for step in left if not there & set(step.needs)]
        if not ready:
            raise ValueError(f"steps need each other: {sorted(there)}")
        done += ready[:1]
        left.remove(ready[0])
    return done


def written(found: QuiesceState, step: Step) -> QuiesceState:
    """Return what is there when a step was made; pods of what is at 0 go when somebody waits for them."""
    of = found.inventory
    if step.action in WAIT_FOR:
        ended = [workload_of(one) for one in of.deployments if not replicas_of(one)]
        return replace(found, inventory=replace(of, pods=tuple(one for one in of.pods if not owner_among(one, ended))))
    if step.action == MARK:
        value = (step.after or {})["data"][ENTRY]
        return replace(found, marker=MarkerState(PriorMarker("present", value), "uid-marker", "8"))

    def changed(objects: tuple[Object, ...]) -> tuple[Object, ...]:
        return tuple(
            merged(one, step.after or {}) if (one["kind"], name_of(one)) == (step.object.kind, step.object.name) else one for one in objects
        )

    return replace(
        found,
        inventory=replace(
            of,
            hosted_cluster=changed((of.hosted_cluster,))[0],
            node_pools=changed(of.node_pools),
            objects={plural: changed(objects) for plural, objects in of.objects.items()},
            deployments=changed(of.deployments),
        ),
    )


def merged(value: Object, patch: Mapping[str, Any]) -> Object:
    """RFC 7386."""
    result = copy.deepcopy(value)
    for key, wanted in patch.items():
        if wanted is None:
            result.pop(key, None)
        elif isinstance(wanted, Mapping):
            result[key] = merged(result.get(key) or {}, wanted)
        else:
            result[key] = wanted
    return result
