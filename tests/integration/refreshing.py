# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace in a mesh of the OSM family whose sidecars a test makes stale and has refreshed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from mesh_clusters import MeshCluster, eventually
from run_module import Module, run_module, start_module
from sandboxlib.cluster import Cluster

Result = dict[str, Any]
TOKEN = "meshops.lifecycle/sidecar"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/osm-system/leases/meshops-sidecar-refresh-osm"
_IMAGES = itertools.count(100)
_PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Pod": "/api/v1/namespaces/{}/pods",
}


class Shop:
    """One enrolled namespace."""

    def __init__(self, mesh: MeshCluster, name: str) -> None:
        self.mesh = mesh
        self.name = name

    @property
    def cluster(self) -> Cluster:
        """The cluster it is in."""
        return self.mesh.cluster

    def deploy(self, *manifests: Result, wait: bool = True) -> None:
        """Create the objects, and wait until each pod of the namespace has its sidecar and is ready."""
        expected = sum(_replicas(item) for item in manifests)
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*manifests]}))
        if wait:
            eventually(lambda: len(self.images()) >= expected and all(self.ready()), f"the pods of {self.name} are not ready", 60)

    def list(self, kind: str) -> list[Result]:
        """The objects of a kind that are not being deleted."""
        items: list[Result] = self.cluster.api.get(_PATHS[kind].format(self.name))["items"]
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]

    def images(self) -> dict[str, str]:
        """The sidecar image of each pod, empty without one."""
        found = {}
        for pod in self.list("Pod"):
            images = [item["image"] for item in pod["spec"]["containers"] if item["name"] == "sidecar"]
            found[pod["metadata"]["name"]] = images[0] if images else ""
        return found

    def ready(self) -> list[bool]:
        """Whether each pod is ready."""
        conditions = [pod.get("status", {}).get("conditions") or [] for pod in self.list("Pod")]
        return [any(item["type"] == "Ready" and item["status"] == "True" for item in found) for found in conditions]

    def revisions(self) -> dict[str, int]:
        """How often each Deployment has been given another template."""
        return {
            item["metadata"]["name"]: int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
            for item in self.list("Deployment")
        }

    def outdate(self) -> str:
        """Let new pods get another sidecar from now on, and return its image."""
        image = f"flomesh/pipy:0.70.0-{next(_IMAGES)}"
        self.mesh.patch_mesh_config({"sidecar": {"sidecarImage": image}})
        return image

    def options(self, **options: Any) -> Result:
        """Options of a refresh of this namespace, as fast as it can."""
        return self.mesh.options(**{"namespaces": [self.name], "pods_per_minute": 0, **options})

    def refresh(self, *, check: bool = False, diff: bool = False, **options: Any) -> Result:
        """Run the module to its end."""
        return run_module("sidecar_refresh", self.options(**options), check=check, diff=diff)

    def forget_the_dead(self) -> None:
        """Let the Lease that a killed run has left expire a second after it is watched."""
        if self.cluster.api.exists(_LEASE):
            name = _LEASE.rpartition("/")[2]
            patch = json.dumps({"spec": {"leaseDurationSeconds": 1}})
            self.cluster.kubectl("patch", "lease", name, "-n", "osm-system", "--type=merge", "-p", patch)

    def start(self, tmpdir: Path | None = None, **options: Any) -> Module:
        """Start the module."""
        return start_module("sidecar_refresh", self.options(**options), tmpdir=tmpdir)


def _replicas(manifest: Result) -> int:
    if manifest["kind"] == "Pod":
        return 1
    return int((manifest.get("spec") or {}).get("replicas") or 0)


def outcomes(result: Result) -> dict[str, str]:
    """The outcome of each step by its id."""
    return {step["id"]: step["outcome"] for step in result["steps"]}


def codes(result: Result) -> dict[str, int]:
    """The number of pods of each kind of leftover."""
    return {group["code"]: group["pods"] for group in result["leftovers"]}
