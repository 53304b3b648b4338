# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one hosted cluster consists of on its management cluster, as it was read: no Secrets, no decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import (
    AWS_CLUSTER,
    AWS_MACHINE,
    AWS_MACHINE_TEMPLATE,
    CLUSTER_API_GROUP,
    CONTROL_PLANE_COMPONENT,
    ENDPOINT_SERVICE,
    HOSTED_CLUSTER,
    HOSTED_CONTROL_PLANE,
    NODE_POOL,
    cluster_api,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import ETCD, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = dict[str, Any]


@dataclass(frozen=True)
class Inventory:
    """All objects of the hosted cluster ``target`` but its Secrets and ConfigMaps.

    ``control_plane`` is the HostedControlPlane, ``namespace`` the Namespace that it is in; both are None where there is none.
    ``objects`` has, by plural and sorted by name, what is in that namespace of ``clusters``, ``machinedeployments``,
    ``machinesets``, ``machines``, ``machinehealthchecks``, ``awsclusters``, ``awsmachines``, ``awsmachinetemplates``,
    ``awsendpointservices``, ``controlplanecomponents``. ``versions`` is the version that each API group was read with
    (``{"cluster.x-k8s.io": "v1beta1"}``). ``neighbours`` are the other HostedClusters of its namespace, and any other whose
    control plane would be in the same namespace. ``unreadable`` says of what is not essential why it could not be read.
    """

    target: Target
    hosted_cluster: Object
    node_pools: tuple[Object, ...] = ()
    control_plane: Object | None = None
    namespace: Object | None = None
    objects: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    deployments: tuple[Object, ...] = ()
    stateful_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    routes: tuple[Object, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    neighbours: tuple[Target, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def of(self, plural: str) -> tuple[Object, ...]:
        """Return the objects of one kind of ``objects``; none when there are none."""
        return self.objects.get(plural, ())

    @property
    def spec(self) -> Object:
        """The HostedCluster's spec."""
        return mapping(self.hosted_cluster, "spec")

    @property
    def infra_id(self) -> str:
        """The infrastructure's id, which is the name of the Cluster and the value of the label on all of its machines."""
        return str(self.spec.get("infraID") or "")

    @property
    def etcd(self) -> Object | None:
        """The StatefulSet of the one etcd that a snapshot covers."""
        return next((item for item in self.stateful_sets if name_of(item) == ETCD), None)

    @property
    def cluster_api_version(self) -> str:
        """The version that Cluster API's objects were read with."""
        return self.versions[CLUSTER_API_GROUP]

    def kinds(self) -> Mapping[str, Kind]:
        """Return the resource types of ``objects`` by their plural."""
        version = self.cluster_api_version
        own = [cluster_api(kind, version) for kind in ("Cluster", "MachineDeployment", "MachineSet", "Machine", "MachineHealthCheck")]
        own += [AWS_CLUSTER, AWS_MACHINE, AWS_MACHINE_TEMPLATE, ENDPOINT_SERVICE, CONTROL_PLANE_COMPONENT]
        return {kind.plural: kind for kind in own}

    def everything(self) -> Iterator[tuple[Kind, Object]]:
        """Yield the objects that make up the hosted cluster, owners first; not the workloads that its operator makes of them."""
        yield HOSTED_CLUSTER, self.hosted_cluster
        for pool in self.node_pools:
            yield NODE_POOL, pool
        if self.control_plane is not None:
            yield HOSTED_CONTROL_PLANE, self.control_plane
        for plural, kind in self.kinds().items():
            for item in self.of(plural):
                yield kind, item


def mapping(value: Object, *path: str) -> Object:
    """Return the object at ``path``, {} where there is none: ``mapping(hosted_cluster, "spec", "platform", "aws")``."""
    for key in path:
        found = value.get(key)
        value = found if isinstance(found, dict) else {}
    return value


def metadata_of(item: Object) -> Object:
    """Return an object's metadata."""
    return mapping(item, "metadata")


def name_of(item: Object) -> str:
    """Return an object's name."""
    return str(metadata_of(item).get("name") or "")


def uid_of(item: Object) -> str:
    """Return an object's uid."""
    return str(metadata_of(item).get("uid") or "")


def annotation(item: Object, key: str) -> str:
    """Return the value of an annotation, "" without it."""
    return str(mapping(item, "metadata", "annotations").get(key) or "")


def label(item: Object, key: str) -> str:
    """Return the value of a label, "" without it."""
    return str(mapping(item, "metadata", "labels").get(key) or "")


def ref_of(item: Object) -> ObjectRef:
    """Return how people call an object."""
    return ObjectRef(str(item.get("kind") or ""), name_of(item), str(metadata_of(item).get("namespace") or ""))


def replicas_of(workload: Object) -> int:
    """Return how many pods a Deployment or StatefulSet wants: 1 where it does not say."""
    wanted = mapping(workload, "spec").get("replicas")
    return 1 if wanted is None else int(wanted)
