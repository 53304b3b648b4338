# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers that an injector adds, and where their images come from. No I/O.

Source: osm-edge v1.3.9 pkg/injector/init_container.go, pkg/configurator/methods.go (images),
pkg/sidecar/providers/pipy/driver/pipy_container.go; osm v1.2.4 pkg/injector/envoy_container.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from .api import Object
from .interception import commands
from .settings import Settings

_SIDECAR_UID = 1500
_RESOURCES = tuple((kind, resource) for kind in ("limits", "requests") for resource in ("cpu", "memory", "storage", "ephemeral-storage"))
_POD_FIELDS = (
    ("POD_UID", "metadata.uid"),
    ("POD_NAME", "metadata.name"),
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_IP", "status.podIP"),
    ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
)


def sidecar_image_field(settings: Settings, *, windows: bool) -> str:
    """The MeshConfig's field below ``sidecar``."""
    kind = "envoy" if settings.envoy else "sidecar"
    return f"{kind}WindowsImage" if windows else f"{kind}Image"


def sidecar_image(settings: Settings, *, windows: bool) -> str:
    """Empty when nobody names one."""
    variable = "ENVOY_IMAGE" if settings.envoy else "SIDECAR_IMAGE"
    if windows:
        variable = "ENVOY_WINDOWS_IMAGE" if settings.envoy else ""
    return _image(settings, sidecar_image_field(settings, windows=windows), variable)


def init_image(settings: Settings) -> str:
    """Empty when nobody names one."""
    return _image(settings, "initContainerImage", "INIT_CONTAINER_IMAGE")


def _image(settings: Settings, field: str, variable: str) -> str:
    """The MeshConfig's own field, then that of the class's driver, then the injector's environment."""
    configured = settings.spec.get("sidecar", {})
    if configured.get(field):
        return str(configured[field])
    wanted = (configured.get("sidecarClass") or settings.default("SIDECAR_CLASS")).lower()
    for driver in configured.get("sidecarDrivers") or []:
        if driver["sidecarName"].lower() == wanted and driver.get(field):
            return str(driver[field])
    return settings.default(variable)


def healthcheck(settings: Settings) -> Object:
    """Makes the TCP connections of rewritten probes."""
    name = f"{settings.product.prefix}-healthcheck"
    return {
        "name": name,
        "image": settings.default("HEALTHCHECK_CONTAINER_IMAGE"),
        "imagePullPolicy": settings.pull_policy,
        "command": [f"/{name}"],
        "args": ["--verbosity", "info"],
        "ports": [{"containerPort": 15904}],
    }


def init_container(pod: Object, settings: Settings, image: str) -> Object:
    """Redirects the pod's traffic."""
    return {
        "name": f"{settings.product.prefix}-init",
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "securityContext": {
            "privileged": bool(settings.spec.get("sidecar", {}).get("enablePrivilegedInitContainer")),
            "capabilities": {"add": ["NET_ADMIN"]},
            "runAsNonRoot": False,
            "runAsUser": 0,
        },
        "command": ["/bin/sh"],
        "args": ["-c", commands(pod, settings)],
    }


def sidecar(pod: Object, namespace: Object, settings: Settings, image: str, probes: frozenset[str], *, windows: bool) -> Object:
    """The proxy; ``probes`` are the kinds that were rewritten to it."""
    ports = [("proxy-admin", 15000), ("proxy-inbound", 15003), ("proxy-metrics", 15010)]
    ports += [(f"{kind}-port", port) for kind, port in (("liveness", 15901), ("readiness", 15902), ("startup", 15903)) if kind in probes]
    fields = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in _POD_FIELDS]
    found = {
        "name": settings.product.sidecar,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"windowsOptions": {"runAsUserName": "EnvoyUser"}} if windows else {"runAsUser": _SIDECAR_UID},
        "ports": [{"name": name, "containerPort": port} for name, port in ports],
        "resources": _resources(pod, namespace, settings),
    }
    return found | (_envoy(pod, namespace, settings, fields) if settings.envoy else _pipy(settings, found, fields))


def _envoy(pod: Object, namespace: Object, settings: Settings, fields: list[Object]) -> Object:
    level = settings.spec.get("sidecar", {}).get("logLevel", "error")
    cluster = f"{pod['spec'].get('serviceAccountName', 'default')}.{namespace['metadata']['name']}"
    return {
        "volumeMounts": [{"name": settings.product.bootstrap_volume, "mountPath": "/etc/envoy", "readOnly": True}],
        "command": ["envoy"],
        "args": ["--log-level", level, "--config-path", "/etc/envoy/bootstrap.yaml", "--service-cluster", cluster],
        "env": fields,
    }


def _pipy(settings: Settings, found: Object, fields: list[Object]) -> Object:
    level = settings.spec.get("sidecar", {}).get("logLevel", "error")
    security = found["securityContext"]
    repository = f"http://{settings.product.program('controller')}.{settings.namespace}:6060/repo/"
    return {
        "securityContext": security if "windowsOptions" in security else security | {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": settings.product.bootstrap_volume, "mountPath": "/etc/pipy", "readOnly": True}],
        "args": ["pipy", f"--log-level={level}", "--admin-port=6060", repository],
        "env": [{"name": "MESH_NAME", "value": settings.mesh}, *fields],
    }


def _resources(pod: Object, namespace: Object, settings: Settings) -> Object:
    """Per quantity: the pod's annotation, else the namespace's; without any, the MeshConfig's."""
    found: Object = {}
    for kind, resource in () if settings.envoy else _RESOURCES:
        key = settings.key(f"sidecar-resource-{kind}-{resource}")
        if value := annotations_of(pod).get(key) or annotations_of(namespace).get(key):
            found.setdefault(kind, {})[resource] = value
    return found or dict(settings.spec.get("sidecar", {}).get("resources", {}))


def annotations_of(item: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = item["metadata"].get("annotations") or {}
    return found
