# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding one stale workload in a cluster with many pods: the LISTs that nobody can do without, an empty module, and sidecar_refresh."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import large_cluster
from measuring import Candidate, Measurement, side_by_side
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

HERE = Path(__file__).resolve().parent
MODULE = "ansible_collections.meshops.lifecycle.plugins.modules.sidecar_refresh"
# large_cluster.py makes pods as the injector of this version leaves them.
VERSION = "1.2.3"
PODS_EACH = 50
STALE = 5
_NAMESPACE = "stale"
Object = dict[str, Any]
Say = Callable[[str], None]


def find(home: Path, runs: int, say: Say, pods: int) -> list[Measurement]:
    """Measure the check mode of sidecar_refresh among so many pods; it proves the injector as well, and reads two owners."""
    cluster = Cluster("bench-refresh-find", home)
    cluster.up(Options(mesh=f"osm-edge={VERSION}"), say)
    try:
        # Nobody is to replace or collect pods meanwhile.
        cluster.stop("kube-controller-manager")
        say(f"creating {pods:,} pods")
        large_cluster.fill(cluster.kubeconfig, range(pods // PODS_EACH), PODS_EACH)
        _default_service_accounts(cluster)
        _stale_workload(cluster)
        candidates = [
            Candidate("raw paged LISTs", [sys.executable, str(HERE / "raw_lists.py"), str(cluster.kubeconfig)], expect="/api/v1/pods"),
            _module("empty module of kubernetes.core", [str(HERE / "empty_module.py")], cluster, '"changed": false'),
            _module("sidecar_refresh, check mode", ["-m", MODULE], cluster, f'"current_pods": {pods}'),
        ]
        say(f"measuring {len(candidates)} commands, {runs} times each")
        return side_by_side(candidates, runs, {**os.environ, **cluster.environment()})
    finally:
        cluster.down()


def _module(name: str, arguments: list[str], cluster: Cluster, expect: str) -> Candidate:
    internal = {"_ansible_check_mode": True, "_ansible_module_name": name.partition(",")[0]}
    options = {"ANSIBLE_MODULE_ARGS": {"kubeconfig": str(cluster.kubeconfig), **internal}}
    return Candidate(name, [sys.executable, *arguments], json.dumps(options), expect)


def _default_service_accounts(cluster: Cluster) -> None:
    """Make what the controllers that were stopped would have made: admission waits seconds for one that is missing."""
    for item in cluster.api.get("/api/v1/namespaces")["items"]:
        place = f"/api/v1/namespaces/{item['metadata']['name']}/serviceaccounts"
        if not cluster.api.exists(f"{place}/default"):
            cluster.api.request("POST", place, {"metadata": {"name": "default"}})


def _stale_workload(cluster: Cluster) -> None:
    """Create a Deployment with its ReplicaSet and pods, and enrol its namespace last: until then nobody injects."""
    place = f"/apis/apps/v1/namespaces/{_NAMESPACE}"
    cluster.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    cluster.api.request("POST", f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts", {"metadata": {"name": "app"}})
    labels = {"app": "web"}
    spec = {"replicas": STALE, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": _pod_spec()}}
    deployment = cluster.api.request("POST", f"{place}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    owned = {"name": "web-5d4f8c7b6d", "labels": labels, "ownerReferences": [_owner(deployment)]}
    replica_set = cluster.api.request("POST", f"{place}/replicasets", {"metadata": owned, "spec": spec})
    for number in range(STALE):
        sidecar = {"name": "sidecar", "image": "flomesh/pipy:0.50.0", "env": [{"name": "MESH_NAME", "value": large_cluster.MESH}]}
        spec = _pod_spec(sidecar)
        spec["volumes"] = [{"name": "sidecar-bootstrap-config-volume", "secret": {"secretName": f"sidecar-bootstrap-config-{number}"}}]
        metadata = {"name": f"web-5d4f8c7b6d-{number}", "labels": labels, "ownerReferences": [_owner(replica_set)]}
        cluster.api.request("POST", f"/api/v1/namespaces/{_NAMESPACE}/pods", {"metadata": metadata, "spec": spec})
    enrolled = {
        "labels": {"openservicemesh.io/monitored-by": large_cluster.MESH},
        "annotations": {"openservicemesh.io/sidecar-injection": "enabled"},
    }
    cluster.kubectl("patch", "namespace", _NAMESPACE, "--type=merge", "-p", json.dumps({"metadata": enrolled}))


def _pod_spec(*sidecars: Object) -> Object:
    containers = [{"name": "app", "image": "registry.example.com/app:1.0"}, *sidecars]
    return {"schedulerName": "none", "serviceAccountName": "app", "automountServiceAccountToken": False, "containers": containers}


def _owner(item: Object) -> Object:
    metadata = item["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet" if "ownerReferences" in metadata else "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
