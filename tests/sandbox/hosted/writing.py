# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write many objects at once: layer by layer, each with the uid of its owner, over connections that stay open."""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import threading
import urllib.parse
from base64 import b64decode
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from sandboxlib.errors import SandboxError

from .definitions import CLUSTER_API, CLUSTER_API_PLURALS, OWN_KINDS
from .made import Made, Object

_THREADS = 8
_CORE = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "Service": "services",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "CSIDriver": "csidrivers",
    "StorageClass": "storageclasses",
    "CustomResourceDefinition": "customresourcedefinitions",
}
_PLURALS = _CORE | CLUSTER_API_PLURALS | {kind.kind: kind.plural for kind in OWN_KINDS}


def collection(api_version: str, kind: str, namespace: str = "") -> str:
    """The path of all objects of a kind."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return f"{root}/namespaces/{namespace}/{_PLURALS[kind]}" if namespace else f"{root}/{_PLURALS[kind]}"


class Refused(SandboxError):
    """The API server said no; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Writer:
    """Talks to one API server with a kubeconfig of the sandbox, from several threads; close it, or use it as a context."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._server = urllib.parse.urlsplit(cluster["server"])
        self._context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pem.flush()
            self._context.load_cert_chain(pem.name)
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self._pool = ThreadPoolExecutor(_THREADS)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and the connections."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The decoded answer; raises Refused."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(str(self._server.hostname), self._server.port, context=self._context, timeout=60)
            self._local.connection = connection
            self._connections.append(connection)
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "sandbox"}
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            try:
                reason = json.loads(content)["message"]
            except (ValueError, KeyError):
                reason = content.decode(errors="replace")
            raise Refused(answer.status, f"{method} {path}: {answer.status} {reason}")
        return json.loads(content)

    def patch(self, path: str, body: Object) -> Any:
        """Merge ``body`` into an object."""
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def each(self, jobs: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Make the requests (arguments of ``request``) concurrently; the answers are in their order. Raises the first refusal."""
        return list(self._pool.map(lambda job: self.request(*job), jobs))

    def make(self, objects: Iterable[Made]) -> None:
        """Make the objects. Raises Refused for the first one that is not taken; those before it stay."""
        uids: dict[tuple[str, str, str], str] = {}
        for _layer, group in groupby(sorted(objects, key=lambda made: made.layer), key=lambda made: made.layer):
            layer = list(group)
            for made, answer in zip(layer, self._pool.map(lambda made: self._make(made, uids), layer), strict=True):
                uids[(made.namespace, made.kind, made.name)] = answer["metadata"]["uid"]

    def _make(self, made: Made, uids: dict[tuple[str, str, str], str]) -> Object:
        body = made.body
        if made.owner:
            owner = made.owner
            reference: Object = {
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.name,
                "uid": uids[(made.namespace, owner.kind, owner.name)],
            }
            if owner.controller:
                reference |= {"controller": True, "blockOwnerDeletion": True}
            body = {**body, "metadata": {**body["metadata"], "ownerReferences": [reference]}}
        path = collection(body["apiVersion"], made.kind, made.namespace)
        try:
            answer: Object = self.request("POST", f"{path}?fieldManager={made.manager}", body)
        except Refused as refusal:
            if refusal.status != 409 or made.kind != "Namespace":
                raise
            return dict(self.request("GET", f"{path}/{made.name}"))
        if made.status is not None:
            written = {**answer, "status": made.status}
            self.request("PUT", f"{path}/{made.name}/status?fieldManager={made.manager}", written)
        return answer


def remove(writer: Writer, namespace: str, kinds: Sequence[tuple[str, str]]) -> None:
    """Take the finalizers off all objects of these kinds (``apiVersion, kind``) in a namespace, so that it can end."""
    for api_version, kind in kinds:
        path = collection(api_version, kind, namespace)
        try:
            items = writer.request("GET", path)["items"]
        except Refused as refusal:
            if refusal.status == 404:
                continue
            raise
        held = [item for item in items if item["metadata"].get("finalizers")]
        nothing = {"metadata": {"finalizers": None}}
        writer.each(("PATCH", f"{path}/{item['metadata']['name']}", nothing, "application/merge-patch+json") for item in held)


def finalized_kinds(cluster_api_version: str) -> list[tuple[str, str]]:
    """The kinds whose objects have finalizers here, the machines first."""
    own = [(kind.api_version, kind.kind) for kind in OWN_KINDS]
    graph = [(f"{CLUSTER_API}/{cluster_api_version}", kind) for kind in ("Machine", "MachineSet", "MachineDeployment", "Cluster")]
    return [*graph, *own, ("apps/v1", "Deployment")]
