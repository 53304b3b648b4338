# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on two cores: API servers of their own, each with a copy of a mesh's objects, and nobody who runs them.

Nothing has to run for a plan: what a mesh is stands in its objects, the status of its Deployments included.
"""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sandboxlib.api import Api
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

_NAMESPACE = "osm-system"
# In the order in which they can be created: the validator of MeshConfigs, which nobody runs, comes last.
_LISTS = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    f"/api/v1/namespaces/{_NAMESPACE}/secrets",
    f"/api/v1/namespaces/{_NAMESPACE}/configmaps",
    f"/api/v1/namespaces/{_NAMESPACE}/services",
    f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments",
    f"/apis/config.openservicemesh.io/v1alpha2/namespaces/{_NAMESPACE}/meshconfigs",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
)
_GIVEN_BY_THE_SERVER = ("uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "ownerReferences", "selfLink")
_ADDRESSES = ("clusterIP", "clusterIPs")
_AT_ONCE = 2
_SERVED_SECONDS = 30.0


class Member(NamedTuple):
    """An object and the path of its list."""

    path: str
    body: dict[str, Any]


def mesh_objects(cluster: Cluster) -> list[Member]:
    """Return everything that makes a mesh, without what belongs to its cluster."""
    api = Api(cluster.kubeconfig)
    return [Member(path, _portable(item)) for path in _LISTS for item in api.get(path)["items"]]


def _portable(item: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in item["metadata"].items() if name not in _GIVEN_BY_THE_SERVER}
    spec = item.get("spec")
    if isinstance(spec, dict):
        item = {**item, "spec": {name: value for name, value in spec.items() if name not in _ADDRESSES}}
    return {**item, "metadata": metadata}


def start(home: Path, number: int, objects: Sequence[Member], say: Callable[[str], None]) -> list[Cluster]:
    """Return ``number`` clusters that only have an API server and these objects; those that were started are ended by ``stop``."""
    clusters = [Cluster(f"bench-fleet-{index:02}", home) for index in range(1, number + 1)]

    def bring_up(cluster: Cluster) -> None:
        cluster.up(Options(api_only=True, nodes=0))
        _create(Api(cluster.kubeconfig), objects)

    say(f"starting {number} API servers, {_AT_ONCE} at a time")
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(bring_up, clusters))
    except BaseException:
        stop(clusters)
        raise
    return clusters


def stop(clusters: Sequence[Cluster]) -> None:
    """End the clusters and remove what is left of them."""
    for cluster in clusters:
        cluster.down()


def _create(api: Api, objects: Sequence[Member]) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    for path, body in objects:
        created = _post(api, path, body)
        if path.endswith("/deployments"):
            api.request("PUT", f"{path}/{body['metadata']['name']}/status", {**created, "status": body["status"]})


def _post(api: Api, path: str, body: dict[str, Any]) -> Any:
    """Create an object; a kind that has just been defined is served a moment later."""
    for _moment in _moments(_SERVED_SECONDS):
        try:
            return api.request("POST", path, body)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise RuntimeError(f"{path}: {error.code} {error.read()[:500]!r}") from error
    raise RuntimeError(f"{path} is not served after {_SERVED_SECONDS:g} s")


def _moments(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.2)


def inventory(clusters: Sequence[Cluster]) -> dict[str, Any]:
    """Return an inventory whose hosts are the clusters (JSON, which is YAML)."""
    hosts = {cluster.name: {"meshops_kubeconfig": str(cluster.kubeconfig)} for cluster in clusters}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {"all": {"hosts": hosts, "vars": local}}
