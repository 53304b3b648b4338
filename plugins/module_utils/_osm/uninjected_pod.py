# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pod without what injection has added to it. Pure.

Source: osm-edge v1.3.9 pkg/injector/patch.go (what is added), pkg/injector/health_probes.go (what is changed), pkg/injector/metrics.go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
# 15904 is osm-healthcheck, which makes the TCP connections of probes (pkg/constants/constants.go).
_PROBE_PORTS = (15901, 15902, 15903, 15904)
_METRICS = {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}


def without_sidecar(pod: Object, product: Product) -> dict[str, Any]:
    """Return a copy of a raw pod as it was before it was injected.

    An HTTPS probe comes back as a TCP probe of the same port, which is what it was in the mesh: injection does not keep its path.
    Raises LifecycleError for a probe whose target was kept nowhere in the pod: upstream OSM rewrites HTTP probes without a trace.
    """
    found: dict[str, Any] = copy.deepcopy(dict(pod))
    metadata, spec = found["metadata"], found["spec"]
    ours = (product.sidecar_container, f"{product.name_prefix}-healthcheck", product.init_container)
    _leave_out(spec, "containers", ours)
    _leave_out(spec, "initContainers", ours)
    _leave_out(spec, "volumes", (product.bootstrap_volume,))
    for container in spec["containers"]:
        for name in _PROBES:
            if name in container:
                _restore(container[name], f"{name} of container {container['name']}", metadata)
    _drop(metadata, "labels", (product.pod_uuid_label,))
    annotations = metadata.get("annotations") or {}
    # The port is the sidecar's: with another one they are the application's own.
    if annotations.get("prometheus.io/port") == _METRICS["prometheus.io/port"]:
        _drop(metadata, "annotations", [key for key, value in _METRICS.items() if annotations.get(key) == value])
    return found


def _leave_out(spec: dict[str, Any], part: str, names: tuple[str, ...]) -> None:
    if part in spec:
        spec[part] = [item for item in spec[part] or () if item["name"] not in names]
        if not spec[part]:
            del spec[part]


def _drop(metadata: dict[str, Any], part: str, keys: Any) -> None:
    for key in keys:
        (metadata.get(part) or {}).pop(key, None)
    if part in metadata and not metadata[part]:
        del metadata[part]


def _restore(probe: dict[str, Any], what: str, metadata: Object) -> None:
    """Put the application's own probe back; one that does not lead to the sidecar is left alone."""
    get = probe.get("httpGet") or {}
    if get.get("port") not in _PROBE_PORTS:
        return
    headers = {item["name"]: item["value"] for item in get.get("httpHeaders") or ()}
    if "Original-Http-Port" in headers:
        get["port"] = int(headers["Original-Http-Port"])
        get["path"] = headers.get("Original-Http-Path") or "/"
        get["httpHeaders"] = [item for item in get["httpHeaders"] if not item["name"].startswith("Original-Http-")]
        if not get["httpHeaders"]:
            del get["httpHeaders"]
    elif "Original-Tcp-Port" in headers:
        del probe["httpGet"]
        probe["tcpSocket"] = {"port": int(headers["Original-Tcp-Port"])}
    else:
        raise LifecycleError(
            f"The {what} cannot be restored",
            object=ObjectRef("Pod", metadata["name"], metadata["namespace"]),
            why="injection has put the sidecar's port over it, and the pod does not say what was there",
            state="the pod was not touched",
            next="create the pod again from its own manifest",
        )
