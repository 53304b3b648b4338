# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pod without what injection has added to it. Pure.

Source: istio pkg/kube/inject/webhook.go, app_probe.go, and files/injection-template.yaml of the chart istio-discovery; istio 1.6
manifests of the injection template for what older releases added.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.sidecars import (
    AUTO_IMAGE,
    OVERRIDES,
    PROXY,
    REVISION,
    STATUS,
    injected_names,
    proxy_container,
    read_json,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

# What a pod has whose status annotation is empty.
_CONTAINERS = (PROXY, "istio-init", "istio-validation", "enable-core-dump")
_VOLUMES = (
    *("istio-envoy", "istio-data", "istio-podinfo", "istio-token", "istiod-ca-cert", "istio-certs", "istio-ca-crl"),
    *("workload-socket", "credential-socket", "workload-certs"),
)
_PROBES = {"readinessProbe": "readyz", "livenessProbe": "livez", "startupProbe": "startupz"}
_HANDLERS = {"preStop": "prestopz", "postStart": "poststartz"}
_ACTIONS = ("httpGet", "tcpSocket", "grpc")
_REWRITTEN = ("/app-health/", "/app-lifecycle/")
_PROMETHEUS_PATH = "/stats/prometheus"
_NETWORKS = "k8s.v1.cni.cncf.io/networks"
_CNI = "istio-cni"
# pkg/kube/inject of 1.5 and 1.6 lets the proxy read its certificates this way.
_PROXY_GROUP = 1337


def without_sidecar(pod: Object) -> dict[str, Any]:
    """Return a copy of a raw pod as it was before it was injected; named ports of its probes stay the numbers that they became.

    Raises LifecycleError when a probe was rewritten and the pod does not say what it was.
    """
    found: dict[str, Any] = copy.deepcopy(dict(pod))
    metadata, spec = found["metadata"], found["spec"]
    environment = _environment(spec)
    _restore_probes(spec, read_json(environment.get("ISTIO_KUBE_APP_PROBERS")), metadata)
    _remove_parts(found)
    _restore_overrides(spec, metadata)
    _restore_prometheus(metadata, environment)
    _restore_networks(metadata)
    _remove_metadata(metadata, spec, environment)
    security = spec.get("securityContext") or {}
    if security.get("fsGroup") == _PROXY_GROUP:
        del security["fsGroup"]
    for part in ("labels", "annotations"):
        if part in metadata and not metadata[part]:
            del metadata[part]
    return found


def _environment(spec: Object) -> dict[str, str]:
    container = proxy_container(spec)[0] or {}
    return {str(item["name"]): str(item.get("value") or "") for item in container.get("env") or ()}


def _remove_parts(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    names = injected_names(pod)
    if not any(names.values()):
        names = {"containers": [*_CONTAINERS], "initContainers": [*_CONTAINERS], "volumes": [*_VOLUMES], "imagePullSecrets": []}
    # A native sidecar is told among the init containers, also by releases that say otherwise.
    names["initContainers"] = [*names["initContainers"], PROXY]
    for part, gone in names.items():
        if part in spec:
            spec[part] = [item for item in spec[part] or () if item["name"] not in gone]
            if not spec[part]:
                del spec[part]
    for container in _containers(spec):
        mounts = container.get("volumeMounts")
        if mounts:
            container["volumeMounts"] = [mount for mount in mounts if mount["name"] not in names["volumes"]]


def _containers(spec: Object) -> Iterable[dict[str, Any]]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _restore_probes(spec: Object, probers: Mapping[str, Any], metadata: Object) -> None:
    for container in _containers(spec):
        if container["name"] == PROXY:
            continue
        name = container["name"]
        for probe, key in _PROBES.items():
            if probe in container:
                _restore(container[probe], probers.get(f"/app-health/{name}/{key}"), f"{probe} of container {name}", metadata)
        lifecycle = container.get("lifecycle") or {}
        for handler, key in _HANDLERS.items():
            if handler in lifecycle:
                _restore(lifecycle[handler], probers.get(f"/app-lifecycle/{name}/{key}"), f"{handler} of container {name}", metadata)


def _restore(probe: dict[str, Any], original: Mapping[str, Any] | None, what: str, metadata: Object) -> None:
    if not str((probe.get("httpGet") or {}).get("path", "")).startswith(_REWRITTEN):
        return
    action = next((name for name in _ACTIONS if original is not None and original.get(name)), None)
    if original is None or action is None:
        raise LifecycleError(
            f"The {what} cannot be restored",
            object=ObjectRef("Pod", metadata["name"], metadata["namespace"]),
            why="injection has put the proxy's port over it, and the pod does not say what was there",
            state="the pod was not touched",
            next="create the pod again from its own manifest",
        )
    del probe["httpGet"]
    probe[action] = original[action]


def _restore_overrides(spec: dict[str, Any], metadata: Object) -> None:
    """Put back the containers that the application itself had begun for the proxy."""
    overrides = read_json((metadata.get("annotations") or {}).get(OVERRIDES))
    for part in ("containers", "initContainers"):
        for container in overrides.get(part) or ():
            own = {**container, "image": container.get("image") or AUTO_IMAGE}
            own.pop("resources", None) if not own.get("resources") else None
            spec.setdefault(part, []).append(own)


def _restore_prometheus(metadata: Object, environment: Mapping[str, str]) -> None:
    annotations = metadata.get("annotations") or {}
    if annotations.get("prometheus.io/path") != _PROMETHEUS_PATH:
        return
    before = read_json(environment.get("ISTIO_PROMETHEUS_ANNOTATIONS"))
    for name in ("scrape", "path", "port"):
        annotations.pop(f"prometheus.io/{name}", None)
        if before.get(name):
            annotations[f"prometheus.io/{name}"] = str(before[name])


def _restore_networks(metadata: Object) -> None:
    """Take Istio's entry out of the list for Multus, which is names with commas or JSON."""
    annotations = metadata.get("annotations") or {}
    text = annotations.get(_NETWORKS)
    if text is None or _CNI not in text:
        return
    if text.strip().startswith("["):
        left = [item for item in json.loads(text) if item.get("name") != _CNI]
        text = json.dumps(left) if left else ""
    else:
        text = ",".join(name.strip() for name in text.split(",") if name.strip().rpartition("/")[2] != _CNI)
    if text:
        annotations[_NETWORKS] = text
    else:
        del annotations[_NETWORKS]


def _remove_metadata(metadata: Object, spec: Object, environment: Mapping[str, str]) -> None:
    """Remove what was added; what has another value than injection gives is the application's own."""
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    first = next((container["name"] for container in spec["containers"] if container["name"] != PROXY), "")
    for key in (STATUS, REVISION, OVERRIDES, "prometheus.istio.io/secure-port"):
        annotations.pop(key, None)
    for key in ("kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container"):
        if annotations.get(key) == first:
            del annotations[key]
    workload = environment.get("ISTIO_META_WORKLOAD_NAME", "")
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or workload
    version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    given = {
        "security.istio.io/tlsMode": "istio",
        "networking.istio.io/tunnel": "http",
        "service.istio.io/canonical-name": name[:63].strip("-_."),
        "service.istio.io/canonical-revision": version[:63].strip("-_."),
        "topology.istio.io/network": environment.get("ISTIO_META_NETWORK", ""),
    }
    for key, value in given.items():
        if key in labels and labels[key] == value:
            del labels[key]
