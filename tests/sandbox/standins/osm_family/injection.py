# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a pod gets a sidecar, and what it then looks like. No I/O.

Source: osm-edge v1.3.9 pkg/injector/webhook.go (``mustInject``), pkg/injector/patch.go, pkg/injector/exclusions.go,
pkg/injector/metrics.go, pkg/configurator/methods.go (images), pkg/sidecar/providers/pipy/driver/sidecar.go and pipy_container.go.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from .api import Object
from .probes import rewrite_probes
from .versions import Version

BOOTSTRAP_PREFIX = "sidecar-bootstrap-config-"
BOOTSTRAP_VOLUME = "sidecar-bootstrap-config-volume"
PROXY_LABEL = "osm-proxy-uuid"
_KEYS = "openservicemesh.io"
_SIDECAR_UID = 1500
_PORT_LISTS = ("outbound-port-exclusion-list", "inbound-port-exclusion-list")
_RANGE_LISTS = ("outbound-ip-range-exclusion-list", "outbound-ip-range-inclusion-list")
_RESOURCES = tuple((kind, resource) for kind in ("limits", "requests") for resource in ("cpu", "memory", "storage", "ephemeral-storage"))


class Denied(Exception):
    """The injector answers with this error, and the pod is not created."""


class Settings(NamedTuple):
    """What the injector knows: its flags, the MeshConfig's ``spec``, its environment."""

    mesh: str
    namespace: str
    version: Version
    spec: Mapping[str, Any]
    environment: Mapping[str, str]
    pull_policy: str


def must_inject(pod: Object, namespace: Object, settings: Settings) -> bool:
    """The first rule that matches decides; raises Denied for an annotation that is neither yes nor no."""
    if pod["spec"].get("hostNetwork"):
        return False
    name = namespace["metadata"]["name"]
    if name in ("kube-system", "kube-public", settings.namespace):
        return False
    if namespace["metadata"].get("labels", {}).get(f"{_KEYS}/monitored-by") != settings.mesh:
        return False
    own = _switch(_annotations(pod), f"{_KEYS}/sidecar-injection")
    inherited = _switch(_annotations(namespace), f"{_KEYS}/sidecar-injection")
    return bool(inherited) if own is None else own


def _switch(annotations: Mapping[str, str], key: str) -> bool | None:
    value = annotations.get(key)
    if value is None:
        return None
    if value.lower() in ("enabled", "yes", "true"):
        return True
    if value.lower() in ("disabled", "no", "false"):
        return False
    raise Denied(f'Invalid annotation value for key "{key}": {value}')


def inject(pod: Object, namespace: Object, settings: Settings, proxy: str) -> list[Object]:
    """The JSON patch that makes ``pod`` an injected one with ``proxy`` as its identity; raises Denied."""
    windows = pod["spec"].get("nodeSelector", {}).get("kubernetes.io/os") == "windows"
    changed = copy.deepcopy(pod)
    spec, metadata = changed["spec"], changed["metadata"]
    probes = rewrite_probes(spec["containers"])
    image = _sidecar_image(settings, windows)
    init_image = _init_image(settings)
    if not windows:
        if not init_image:
            raise Denied("MeshConfig sidecar.initContainerImage not set")
        _check_exclusions(_annotations(pod))
    if probes.tcp:
        spec["containers"].append(_healthcheck(settings))
    if _metrics_enabled(_annotations(namespace)):
        metadata.setdefault("annotations", {}).update(
            {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}
        )
    metadata.setdefault("labels", {})[PROXY_LABEL] = proxy
    spec.setdefault("volumes", []).append({"name": BOOTSTRAP_VOLUME, "secret": {"secretName": BOOTSTRAP_PREFIX + proxy}})
    if not windows and _intercepts(settings):
        spec.setdefault("initContainers", []).append(_init_container(settings, init_image))
    spec["containers"].append(_sidecar(pod, namespace, settings, image, probes.kinds, windows=windows))
    return _difference(pod, changed)


def _intercepts(settings: Settings) -> bool:
    """Until 1.2 there was one way; 1.3 has modes, and no default for a MeshConfig that names none."""
    if settings.version < Version(1, 3):
        return True
    return bool(settings.spec.get("traffic", {}).get("interceptionMode") == "iptables")


def _sidecar_image(settings: Settings, windows: bool) -> str:
    field = "sidecarWindowsImage" if windows else "sidecarImage"
    image = _image(settings, field, "" if windows else "OSM_DEFAULT_SIDECAR_IMAGE")
    if not image:
        raise Denied(f"MeshConfig sidecar.{field} not set")
    return image


def _init_image(settings: Settings) -> str:
    return _image(settings, "initContainerImage", "OSM_DEFAULT_INIT_CONTAINER_IMAGE")


def _image(settings: Settings, field: str, variable: str) -> str:
    """The MeshConfig's own field, then that of the class's driver, then the injector's environment."""
    sidecar = settings.spec.get("sidecar", {})
    if sidecar.get(field):
        return str(sidecar[field])
    wanted = (sidecar.get("sidecarClass") or settings.environment.get("OSM_DEFAULT_SIDECAR_CLASS", "")).lower()
    for driver in sidecar.get("sidecarDrivers") or []:
        if driver["sidecarName"].lower() == wanted and driver.get(field):
            return str(driver[field])
    return settings.environment.get(variable, "")


def _check_exclusions(annotations: Mapping[str, str]) -> None:
    for name in _PORT_LISTS:
        key = f"{_KEYS}/{name}"
        for port in _parts(annotations.get(key)):
            if not (port.isdecimal() and int(port) > 0):
                raise Denied(f"Invalid port value '{port}' specified for annotation '{key}'")
    for name in _RANGE_LISTS:
        key = f"{_KEYS}/{name}"
        for network in _parts(annotations.get(key)):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError as error:
                raise Denied(f"Invalid IP range '{network}' specified for annotation '{key}'") from error
            if "/" not in network:
                raise Denied(f"Invalid IP range '{network}' specified for annotation '{key}'")


def _parts(value: str | None) -> list[str]:
    return [] if value is None else [part.strip() for part in value.split(",")]


def _metrics_enabled(annotations: Mapping[str, str]) -> bool:
    key = f"{_KEYS}/metrics"
    return bool(annotations.get(key)) and bool(_switch(annotations, key))


def _healthcheck(settings: Settings) -> Object:
    return {
        "name": "osm-healthcheck",
        "image": settings.environment.get("OSM_DEFAULT_HEALTHCHECK_CONTAINER_IMAGE", ""),
        "imagePullPolicy": settings.pull_policy,
        "command": ["/osm-healthcheck"],
        "args": ["--verbosity", "info"],
        "ports": [{"containerPort": 15904}],
    }


def _init_container(settings: Settings, image: str) -> Object:
    return {
        "name": "osm-init",
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "securityContext": {
            "privileged": bool(settings.spec.get("sidecar", {}).get("enablePrivilegedInitContainer")),
            "capabilities": {"add": ["NET_ADMIN"]},
            "runAsNonRoot": False,
            "runAsUser": 0,
        },
        "command": ["/bin/sh"],
        "args": ["-c", "iptables-restore --noflush"],
    }


def _sidecar(pod: Object, namespace: Object, settings: Settings, image: str, probes: frozenset[str], *, windows: bool) -> Object:
    ports = [("proxy-admin", 15000), ("proxy-inbound", 15003), ("proxy-metrics", 15010)]
    ports += [(f"{kind}-port", port) for kind, port in (("liveness", 15901), ("readiness", 15902), ("startup", 15903)) if kind in probes]
    security = (
        {"windowsOptions": {"runAsUserName": "EnvoyUser"}} if windows else {"runAsUser": _SIDECAR_UID, "allowPrivilegeEscalation": False}
    )
    level = settings.spec.get("sidecar", {}).get("logLevel", "error")
    return {
        "name": "sidecar",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": security,
        "ports": [{"name": name, "containerPort": port} for name, port in ports],
        "volumeMounts": [{"name": BOOTSTRAP_VOLUME, "mountPath": "/etc/pipy", "readOnly": True}],
        "resources": _resources(pod, namespace, settings),
        "args": ["pipy", f"--log-level={level}", "--admin-port=6060", f"http://osm-controller.{settings.namespace}:6060/repo/"],
        "env": [
            {"name": "MESH_NAME", "value": settings.mesh},
            *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in _POD_FIELDS),
        ],
    }


_POD_FIELDS = (
    ("POD_UID", "metadata.uid"),
    ("POD_NAME", "metadata.name"),
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_IP", "status.podIP"),
    ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
)


def _resources(pod: Object, namespace: Object, settings: Settings) -> Object:
    """Per quantity: the pod's annotation, else the namespace's; without any, the MeshConfig's."""
    found: Object = {}
    for kind, resource in _RESOURCES:
        key = f"{_KEYS}/sidecar-resource-{kind}-{resource}"
        if value := _annotations(pod).get(key) or _annotations(namespace).get(key):
            found.setdefault(kind, {})[resource] = value
    return found or dict(settings.spec.get("sidecar", {}).get("resources", {}))


def _difference(before: Object, after: Object) -> list[Object]:
    """Replace whole what differs below ``metadata`` and ``spec`` ("add" replaces what is there)."""
    return [
        {"op": "add", "path": f"/{part}/{key}", "value": value}
        for part in ("metadata", "spec")
        for key, value in after[part].items()
        if before[part].get(key) != value
    ]


def _annotations(item: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = item["metadata"].get("annotations") or {}
    return found
