# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster was asked to be."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from .binary_sets import API_ONLY_SETS, CLUSTER_SETS, HOSTED_SETS, ISTIO_VERSIONS, KUBERNETES_VERSION, OLDER_VERSIONS
from .errors import SandboxError

_HOSTED = re.compile(r"-|[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?(=single)?(,[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?(=single)?)*")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|[MGTPE]i?|Ki)?")
_NEWEST = KUBERNETES_VERSION.rpartition(".")[0]
KUBERNETES_VERSIONS = (*OLDER_VERSIONS, _NEWEST)
# What the products' own command lines call a mesh and its namespace.
_MESH_NAMES = {"fsm": ("fsm", "fsm-system")}
_OTHER_MESH = ("osm", "osm-system")


@dataclass(frozen=True)
class Options:
    """The options of ``sandbox up``; raises SandboxError when they do not fit together.

    ``mesh`` is ``PRODUCT=VERSION`` such as "osm-edge=1.2.3"; its name and namespace are the product's own unless given.
    ``istio`` is a version of Istio; with ``istio_native_sidecars`` its proxies are init containers that go on running.
    ``pod_start_seconds`` is how long a pod takes to become ready (0: at once), for measurements that compare rollouts.
    ``hosted`` makes it a management cluster: "-" is one for tests, which make everything themselves; names of hosted clusters
    ("prod,stage=single") are those that it gets, with AWS beside it.
    ``node_cpu`` and ``node_memory`` are what each node has for pods, as quantities ("2", "4Gi"); by default there is room for all.
    """

    nodes: int = 3
    mesh: str = ""
    mesh_name: str = ""
    mesh_namespace: str = ""
    apps: str = ""
    kubernetes_version: str = _NEWEST
    api_only: bool = False
    pod_start_seconds: float = 0
    node_cpu: str = "1k"
    node_memory: str = "4Ti"
    istio: str = ""
    istio_native_sidecars: bool = False
    hosted: str = ""

    def __post_init__(self) -> None:
        name, namespace = _MESH_NAMES.get(self.mesh.partition("=")[0], _OTHER_MESH)
        object.__setattr__(self, "mesh_name", self.mesh_name or name)
        object.__setattr__(self, "mesh_namespace", self.mesh_namespace or namespace)
        if self.nodes < 0:
            raise SandboxError(f"--nodes {self.nodes}: a cluster has no negative number of nodes")
        for name, quantity in (("cpu", self.node_cpu), ("memory", self.node_memory)):
            if not _QUANTITY.fullmatch(quantity):
                raise SandboxError(f"--node-{name} {quantity}: this is no quantity such as 500m, 2 or 4Gi")
        if self.kubernetes_version not in KUBERNETES_VERSIONS:
            raise SandboxError(f"--kubernetes-version {self.kubernetes_version}: this sandbox can be {', '.join(KUBERNETES_VERSIONS)}")
        if self.api_only and (self.mesh or self.apps or self.istio or self.hosted):
            raise SandboxError(
                "--api-only has no controllers and no nodes: --mesh, --istio, --hosted and --apps need the full control plane"
            )
        if self.hosted and not _HOSTED.fullmatch(self.hosted):
            raise SandboxError(f"--hosted {self.hosted}: these are no names of hosted clusters, such as prod,stage=single")
        if self.istio and self.istio not in ISTIO_VERSIONS:
            raise SandboxError(f"--istio {self.istio}: there is no such release here, only {', '.join(ISTIO_VERSIONS)}")

    @property
    def older_version(self) -> str | None:
        """The older minor version that the newest code acts as, if any."""
        return None if self.kubernetes_version == _NEWEST else self.kubernetes_version

    @property
    def binary_sets(self) -> tuple[str, ...]:
        older = (f"kube-apiserver-{self.older_version}",) if self.older_version else ()
        istio = (f"istio-{self.istio}",) if self.istio else ()
        hosted = HOSTED_SETS if self.hosted else ()
        return (*(API_ONLY_SETS if self.api_only else CLUSTER_SETS), *older, *istio, *hosted)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def difference(self, other: Options) -> str:
        """Where ``other`` asks for something else, as "nodes 3 instead of 5, mesh ..."; empty when nowhere."""
        mine, theirs = self.as_dict(), other.as_dict()
        return ", ".join(
            f"{name.replace('_', '-')} {mine[name]!r} instead of {theirs[name]!r}" for name in mine if mine[name] != theirs[name]
        )


DEFAULTS = Options()
