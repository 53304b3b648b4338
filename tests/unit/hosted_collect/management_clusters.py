# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Management clusters in memory: the sandbox's own objects of hosted clusters, answered to GET and LIST as an API server does."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from hosted.control_plane_objects import workload_names, workloads
from hosted.definitions import OWN_KINDS
from hosted.hypershift_objects import components, endpoint_services, hosted_cluster, hosted_control_plane, node_pools
from hosted.machine_objects import cluster_api, machine_graph
from hosted.made import Made, metadata
from hosted.secret_objects import secrets_and_config
from hosted.shape import Pool, Shape
from hosted.writing import collection

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer

Object = dict[str, Any]
PROD = Shape(
    "prod",
    pools=(
        Pool("prod-a", 3, config=("kubelet-limits",)),
        Pool("prod-b", 2, upgrade="InPlace", tuning=("hugepages",)),
        Pool("prod-c", 1, autoscaling=(1, 4), old_templates=3, auto_repair=False),
    ),
)


class Management:
    """One management cluster; ``requests`` are the paths that were asked for, those for metadata only with ``#`` behind.

    ``forbidden`` are paths that are answered with 403, ``broken`` those that are answered with 503.
    """

    def __init__(self, shapes: Iterable[Shape], served: tuple[str, ...] = ("v1beta1",)) -> None:
        self.server = "https://management.example.com:6443"
        self.served = served
        self.requests: list[str] = []
        self.forbidden: set[str] = set()
        self.broken: set[str] = set()
        self._objects: dict[str, Object] = {}
        self._lock = threading.Lock()
        for shape in shapes:
            self.add(shape)

    @property
    def api(self) -> Api:
        """What talks to it."""
        return Api(self)  # type: ignore[arg-type]

    def inventory(self, shape: Shape) -> Inventory:
        """What is read of a hosted cluster."""
        return read_inventory(self.api, Target(shape.namespace, shape.name))

    def add(self, shape: Shape) -> None:
        """Make a hosted cluster with everything that the sandbox gives it."""
        endpoint = (shape.hostname("api"), 443)
        made = [Made(0, _namespace(shape.namespace)), hosted_cluster(shape, endpoint), *node_pools(shape), *secrets_and_config(shape, {})]
        if shape.control_plane:
            made.append(Made(0, _namespace(shape.control_plane_namespace)))
            made.append(hosted_control_plane(shape, endpoint, cluster_api(shape)))
            made += machine_graph(shape, endpoint, shape.machines())
            made += [*endpoint_services(shape), *components(shape, workload_names()), *workloads(shape, ())]
        for item in made:
            self._make(item)

    def _make(self, made: Made) -> None:
        body = copy.deepcopy(made.body)
        identity = f"{made.kind}/{made.namespace}/{made.name}"
        body["metadata"] |= {"uid": f"uid of {identity}", "resourceVersion": "4711", "generation": 1}
        body["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": made.manager}]}
        if made.owner:
            owner = made.owner
            reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name}
            reference |= {"uid": f"uid of {owner.kind}/{made.namespace}/{owner.name}"}
            body["metadata"]["ownerReferences"] = [reference | ({"controller": True} if owner.controller else {})]
        if made.status is not None:
            body["status"] = copy.deepcopy(made.status)
        self.put(body)

    def put(self, body: Object) -> None:
        """Store an object, as it is."""
        self._objects[self.path(body)] = body

    @staticmethod
    def path(body: Object) -> str:
        """Where an object is."""
        described = body["metadata"]
        return f"{collection(body['apiVersion'], body['kind'], described.get('namespace', ''))}/{described['name']}"

    def find(self, kind: str, name: str, namespace: str) -> Object:
        """The stored object itself: what is changed in it is changed on the server."""
        (found,) = (
            item
            for item in self._objects.values()
            if (item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) == (kind, name, namespace)
        )
        return found

    def all(self, kind: str, namespace: str) -> list[Object]:
        """The stored objects of a kind themselves."""
        return [item for item in self._objects.values() if item["kind"] == kind and item["metadata"].get("namespace") == namespace]

    def drop(self, body: Object) -> None:
        """Take an object away."""
        del self._objects[self.path(body)]

    # What Api asks of a transport

    def exchange(self, method: str, path: str, _query: object, headers: Mapping[str, str], *_rest: object) -> Answer:
        """Answer one request."""
        assert method == "GET", f"{method} {path}: nothing is written here"
        partial = "PartialObjectMetadata" in headers["Accept"]
        with self._lock:
            self.requests.append(f"{path}#" if partial else path)
        status, content = self._answer(path)
        if partial and status == 200:
            content = copy.deepcopy(content)
            for item in content.get("items", [content]):
                for key in set(item) - {"metadata"}:
                    del item[key]
        return Answer(status, {}, json.dumps(content).encode())

    def _answer(self, path: str) -> tuple[int, Object]:
        if path in self.forbidden:
            resource = path.rpartition("/")[2]
            message = f'{resource} is forbidden: User "backup" cannot list resource "{resource}" in API group "" at the cluster scope'
            return 403, {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": message, "details": {}}
        if path in self.broken:
            message = "the server is currently unable to handle the request"
            return 503, {"kind": "Status", "status": "Failure", "reason": "ServiceUnavailable", "message": message, "details": {}}
        if path == "/apis/cluster.x-k8s.io" and self.served:
            return 200, {"kind": "APIGroup", "versions": [{"version": version} for version in self.served]}
        if path in self._objects:
            return 200, copy.deepcopy(self._objects[path])
        if self._is_list(path):
            place, _slash, plural = path.rpartition("/")
            found = [item for known, item in self._objects.items() if known.rpartition("/")[0] == path]
            if "/namespaces/" not in place and plural != "namespaces":
                found = [item for known, item in self._objects.items() if known.startswith(place) and known.split("/")[-2] == plural]
            return 200, {"kind": "List", "metadata": {}, "items": copy.deepcopy(found)}
        return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": f"{path} not found", "details": {}}

    def _is_list(self, path: str) -> bool:
        plural = path.rpartition("/")[2]
        if path.startswith("/apis/cluster.x-k8s.io/"):
            return path.split("/")[3] in self.served
        own = {kind.plural for kind in OWN_KINDS}
        return plural in own | {"secrets", "configmaps", "services", "pods", "deployments", "statefulsets"}


def _namespace(name: str) -> Object:
    annotations = {"openshift.io/sa.scc.uid-range": "1000680000/10000", "kept": "yes"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, annotations=annotations)}
