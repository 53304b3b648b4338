# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in's tests do with a mesh and its pods, by kubectl and plain requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sandboxlib import paths
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError

NEW = str(paths.CHARTS / "osm-edge-1.3.9")
MESH = ("--namespace", "osm-system")
SIDECAR = "flomesh/pipy:0.70.0-46"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/osm-webhook-osm"
VALIDATOR = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/osm-validator-mesh-osm"
CONFIG = "/apis/config.openservicemesh.io/v1alpha2/namespaces/osm-system/meshconfigs/osm-mesh-config"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/osm-system/deployments"
Manifest = dict[str, Any]


def wait(what: str, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)
    return found


def enrol(cluster: Cluster, name: str, mesh: str = "osm", domain: str = "openservicemesh.io", **annotations: str) -> str:
    """A namespace of the mesh that pods can be created in."""
    keys = {"sidecar_injection": f"{domain}/sidecar-injection", "metrics": f"{domain}/metrics"}
    metadata = {
        "name": name,
        "labels": {f"{domain}/monitored-by": mesh},
        "annotations": {keys[key]: value for key, value in annotations.items()},
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    wait(f"service account of {name}", lambda: cluster.api.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    return name


def pod(name: str, namespace: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> Manifest:
    container = {"name": "app", "image": "app:1", "ports": [{"name": "web", "containerPort": 8080}]} | spec.pop("container", {})
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}


def create(cluster: Cluster, manifest: Manifest, *arguments: str) -> Manifest:
    created: Manifest = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", *arguments, stdin=json.dumps(manifest)))
    return created


def containers(manifest: Manifest) -> dict[str, str]:
    return {entry["name"]: entry["image"] for entry in manifest["spec"]["containers"]}


def init_containers(manifest: Manifest) -> dict[str, str]:
    return {entry["name"]: entry["image"] for entry in manifest["spec"].get("initContainers", [])}


def bootstrap_secrets(cluster: Cluster, namespace: str) -> list[Manifest]:
    items: list[Manifest] = cluster.api.get(f"/api/v1/namespaces/{namespace}/secrets")["items"]
    return [item for item in items if item["metadata"]["name"].startswith("sidecar-bootstrap-config-")]


def version_label(cluster: Cluster, path: str) -> str:
    return str(cluster.api.get(path)["metadata"]["labels"]["app.kubernetes.io/version"])


def standin_log(cluster: Cluster) -> str:
    return (cluster.directory / "logs" / "standin-osm.log").read_text()


def creates(cluster: Cluster, manifest: Manifest) -> Manifest | None:
    """The object, or None when it was refused."""
    try:
        return create(cluster, manifest)
    except SandboxError:
        return None


def newest_pod(cluster: Cluster, app: str) -> Manifest:
    """The youngest pod of one of the mesh's programs."""
    path = f"/api/v1/namespaces/osm-system/pods?labelSelector=app%3D{app}"
    pods: list[Manifest] = wait(f"a pod of {app}", lambda: cluster.api.get(path)["items"])
    return max(pods, key=lambda item: str(item["metadata"]["creationTimestamp"]))


def state(item: Manifest, container: str) -> Manifest:
    """The status of a pod's container; empty when there is none yet."""
    statuses = [*item["status"].get("containerStatuses", []), *item["status"].get("initContainerStatuses", [])]
    return next((entry for entry in statuses if entry["name"] == container), {})


def waits_with(cluster: Cluster, app: str, reason: str) -> Manifest | None:
    """A pod whose program's container waits with this reason, if there is one."""
    path = f"/api/v1/namespaces/osm-system/pods?labelSelector=app%3D{app}"
    return next(
        (item for item in cluster.api.get(path)["items"] if state(item, app).get("state", {}).get("waiting", {}).get("reason") == reason),
        None,
    )


def crash(cluster: Cluster, app: str) -> tuple[Manifest, Manifest]:
    """Wait until a pod of the program crashes in a loop; returns it, and the last line of its log, which is JSON."""
    crashing = wait(f"the crash loop of {app}", lambda: waits_with(cluster, app, "CrashLoopBackOff"))
    lines = cluster.kubectl("logs", *MESH, crashing["metadata"]["name"], "-c", app, "--tail=1")
    return crashing, json.loads(lines)
