# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosted clusters as they are read, made of the sandbox's own objects: healthy until a test changes something."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hosted.control_plane_objects import workload_names, workloads
from hosted.hypershift_objects import components, endpoint_services, hosted_cluster, hosted_control_plane, node_pools
from hosted.machine_objects import cluster_api, machine_graph
from hosted.made import Made
from hosted.operator_objects import Management as Settings
from hosted.operator_objects import operator_objects
from hosted.shape import Pool, Shape

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState, Member, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management, management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target

Object = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROD = Shape("prod", pools=(Pool("prod-a", 2), Pool("prod-b", 1, upgrade="InPlace"), Pool("prod-c", 1, autoscaling=(1, 4))))


def inventory(shape: Shape = PROD) -> Inventory:
    """What is read of a hosted cluster with everything that the sandbox gives it, all of it running."""
    endpoint = (shape.hostname("api"), 443)
    graph = _bodies([*machine_graph(shape, endpoint, shape.machines()), *endpoint_services(shape), *components(shape, workload_names())])
    placed = _bodies(workloads(shape, ()))
    for item in placed:
        if item["kind"] in ("Deployment", "StatefulSet"):
            item["status"] = {"readyReplicas": item["spec"]["replicas"]}
    objects: dict[str, list[Object]] = {}
    for item in graph:
        objects.setdefault(f"{item['kind'].lower()}s", []).append(item)
    return Inventory(
        target=Target(shape.namespace, shape.name),
        hosted_cluster=_body(hosted_cluster(shape, endpoint)),
        node_pools=tuple(_bodies(node_pools(shape))),
        control_plane=_body(hosted_control_plane(shape, endpoint, cluster_api(shape))),
        namespace={"kind": "Namespace", "metadata": {"name": shape.control_plane_namespace}},
        objects={plural: tuple(found) for plural, found in objects.items()},
        deployments=tuple(item for item in placed if item["kind"] == "Deployment"),
        stateful_sets=tuple(item for item in placed if item["kind"] == "StatefulSet"),
        services=tuple(item for item in placed if item["kind"] == "Service"),
        versions={
            "hypershift.openshift.io": "v1beta1",
            "cluster.x-k8s.io": shape.cluster_api_version,
            "infrastructure.cluster.x-k8s.io": "v1beta2",
        },
    )


def settings(ready: int = 1, **options: Any) -> Management:
    """What the sandbox's management cluster has once; ``options`` are those of its settings, ``ready`` the pods of each Deployment."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in _bodies(operator_objects(Settings(**options)))}
    for (kind, _name), item in found.items():
        if kind == "Deployment":
            item["status"] = {"readyReplicas": ready}
    return management(
        found.get(("Deployment", "operator")),
        found.get(("Deployment", "external-dns")),
        found.get(("ConfigMap", "oidc-storage-provider-s3-config")),
        {},
    )


def nodes(shape: Shape = PROD) -> tuple[Object, ...]:
    """The nodes of the hosted cluster, ready."""
    return tuple(
        {
            "kind": "Node",
            "metadata": {"name": machine.node},
            "spec": {"providerID": machine.provider_id},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        for machine in shape.machines()
    )


def etcd(split: bool = False) -> EtcdState:
    """Three healthy members of one cluster, or with ``split`` each of one of its own."""
    ids = ("a", "b", "c")
    members = tuple(
        Member(
            f"etcd-{number}",
            member_id=own,
            name=f"etcd-{number}",
            version="3.5.21",
            leader=split or number == 0,
            leader_id=own if split else "a",
            healthy=True,
            member_ids=(own,) if split else ids,
            cluster_id=f"cluster-{own}" if split else "cluster",
            tools=Tools("/etc/etcd/tls/etcd-ca/ca.crt", client=True, etcdctl=True, etcdutl=True),
            free={"/tmp": 1 << 40},
        )
        for number, own in enumerate(ids)
    )
    return EtcdState(members, 3)


def condition_of(item: Object, kind: str) -> Object:
    """The condition itself."""
    (found,) = (entry for entry in item["status"]["conditions"] if entry["type"] == kind)
    return found  # type: ignore[no-any-return]


def _bodies(made: Iterable[Made]) -> list[Object]:
    return [_body(item) for item in made]


def _body(made: Made) -> Object:
    body = copy.deepcopy(made.body)
    body["metadata"]["generation"] = 1
    if made.status is not None:
        body["status"] = copy.deepcopy(made.status)
    if made.owner:
        body["metadata"]["ownerReferences"] = [{"kind": made.owner.kind, "name": made.owner.name, "controller": made.owner.controller}]
    return body
