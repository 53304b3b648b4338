# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a pod gets a sidecar, and what it then looks like. No I/O.

Source: osm-edge v1.3.9 pkg/injector/webhook.go (``mustInject``), pkg/injector/patch.go, pkg/injector/exclusions.go,
pkg/injector/metrics.go, pkg/sidecar/providers/pipy/driver/sidecar.go; osm v1.2.4 pkg/injector/patch.go;
fsm v1.5.1 pkg/constants/constants.go (``TrafficInterceptionModePodLevel``).
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Mapping

from .api import Object
from .probes import rewrite_probes
from .products import FSM
from .settings import Settings
from .sidecar import annotations_of, healthcheck, init_container, init_image, sidecar, sidecar_image, sidecar_image_field
from .versions import V1_5, Version

_PORT_LISTS = ("outbound-port-exclusion-list", "inbound-port-exclusion-list")
_RANGE_LISTS = ("outbound-ip-range-exclusion-list", "outbound-ip-range-inclusion-list")


class Denied(Exception):
    """The injector answers with this error, and the pod is not created."""


def must_inject(pod: Object, namespace: Object, settings: Settings) -> bool:
    """The first rule that matches decides; raises Denied for an annotation that is neither yes nor no."""
    if pod["spec"].get("hostNetwork"):
        return False
    name = namespace["metadata"]["name"]
    if name in ("kube-system", "kube-public", settings.namespace):
        return False
    if namespace["metadata"].get("labels", {}).get(settings.key("monitored-by")) != settings.mesh:
        return False
    own = _switch(annotations_of(pod), settings.key("sidecar-injection"))
    inherited = _switch(annotations_of(namespace), settings.key("sidecar-injection"))
    return bool(inherited) if own is None else own


def _switch(given: Mapping[str, str], key: str) -> bool | None:
    value = given.get(key)
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
    product = settings.product
    changed = copy.deepcopy(pod)
    spec, metadata = changed["spec"], changed["metadata"]
    probes = rewrite_probes(spec["containers"], envoy=settings.envoy)
    image = sidecar_image(settings, windows=windows)
    if not image:
        raise Denied(f"MeshConfig sidecar.{sidecar_image_field(settings, windows=windows)} not set")
    if not windows:
        if not init_image(settings):
            raise Denied("MeshConfig sidecar.initContainerImage not set")
        _check_exclusions(annotations_of(pod), settings)
    if probes.tcp:
        spec["containers"].append(healthcheck(settings))
    if _metrics_enabled(annotations_of(namespace), settings):
        metadata.setdefault("annotations", {}).update(
            {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}
        )
    metadata.setdefault("labels", {})[product.proxy_label] = proxy
    secret = {"secretName": product.bootstrap_secret_prefix + proxy}
    spec.setdefault("volumes", []).append({"name": product.bootstrap_volume, "secret": secret})
    if not windows and _intercepts(settings):
        spec.setdefault("initContainers", []).append(init_container(pod, settings, init_image(settings)))
    spec["containers"].append(sidecar(pod, namespace, settings, image, probes.kinds, windows=windows))
    return _difference(pod, changed)


def _intercepts(settings: Settings) -> bool:
    """Until 1.2 there was one way; 1.3 and FSM have modes, and no default for a MeshConfig that names none."""
    mode = settings.spec.get("traffic", {}).get("interceptionMode")
    if settings.product is FSM:
        return bool(mode == ("PodLevel" if settings.version >= V1_5 else "iptables"))
    return settings.version < Version(1, 3) or bool(mode == "iptables")


def _check_exclusions(given: Mapping[str, str], settings: Settings) -> None:
    for name in _PORT_LISTS:
        key = settings.key(name)
        for port in _parts(given.get(key)):
            if not (port.isdecimal() and int(port) > 0):
                raise Denied(f"Invalid port value '{port}' specified for annotation '{key}'")
    for name in _RANGE_LISTS:
        key = settings.key(name)
        for network in _parts(given.get(key)):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError as error:
                raise Denied(f"Invalid IP range '{network}' specified for annotation '{key}'") from error
            if "/" not in network:
                raise Denied(f"Invalid IP range '{network}' specified for annotation '{key}'")


def _parts(value: str | None) -> list[str]:
    return [] if value is None else [part.strip() for part in value.split(",")]


def _metrics_enabled(given: Mapping[str, str], settings: Settings) -> bool:
    key = settings.key("metrics")
    return bool(given.get(key)) and bool(_switch(given, key))


def _difference(before: Object, after: Object) -> list[Object]:
    """Replace whole what differs below ``metadata`` and ``spec`` ("add" replaces what is there)."""
    return [
        {"op": "add", "path": f"/{part}/{key}", "value": value}
        for part in ("metadata", "spec")
        for key, value in after[part].items()
        if before[part].get(key) != value
    ]
