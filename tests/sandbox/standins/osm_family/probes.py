# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the kubelet's probes past the sidecar. Source: osm-edge v1.3.9 pkg/injector/health_probes.go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .api import Object

_PORTS = {"liveness": 15901, "readiness": 15902, "startup": 15903}
_HEALTHCHECK_PORT = 15904
_PATH = "/osm-healthcheck"
# Upstream's proxy knows each probe by its path; there is nothing to say about where it went (osm v1.2.4 pkg/injector/health_probes.go).
_ENVOY_PATH = "/osm-{}-probe"


class Rewritten(NamedTuple):
    """Which kinds of probes were rewritten, and whether one needs the container that makes TCP connections."""

    kinds: frozenset[str]
    tcp: bool


def rewrite_probes(containers: Iterable[Object], *, envoy: bool) -> Rewritten:
    """Rewrite the probes of ``containers`` in place: HTTP, HTTPS and TCP ones; ``exec`` stays."""
    kinds, tcp = set(), False
    for container in containers:
        for kind in _PORTS:
            probe = container.get(f"{kind}Probe")
            if probe is None or not ("httpGet" in probe or "tcpSocket" in probe):
                continue
            kinds.add(kind)
            if "httpGet" in probe:
                tcp |= _rewrite_http(probe["httpGet"], kind, container, envoy=envoy)
            else:
                _rewrite_tcp(probe, container)
                tcp = True
    return Rewritten(frozenset(kinds), tcp)


def _rewrite_http(get: dict[str, Any], kind: str, container: Object, *, envoy: bool) -> bool:
    secure = get.get("scheme") == "HTTPS"
    port, path = _number(get["port"], container), get.get("path", "")
    headers = get.setdefault("httpHeaders", [])
    if secure:
        get["scheme"] = "HTTP"
        headers.append({"name": "Original-Tcp-Port", "value": str(port)})
    elif not envoy:
        headers += [{"name": "Original-Http-Port", "value": str(port)}, {"name": "Original-Http-Path", "value": path}]
    get.update(path=_ENVOY_PATH.format(kind) if envoy else _PATH, port=_PORTS[kind])
    if not headers:
        del get["httpHeaders"]
    return secure


def _rewrite_tcp(probe: dict[str, Any], container: Object) -> None:
    port = _number(probe.pop("tcpSocket")["port"], container)
    headers = [{"name": "Original-Tcp-Port", "value": str(port)}]
    probe["httpGet"] = {"path": _PATH, "port": _HEALTHCHECK_PORT, "httpHeaders": headers}


def _number(port: int | str, container: Object) -> int:
    """The number of a port that may be a name; 0 when no port has it."""
    if isinstance(port, int):
        return port
    return next((entry["containerPort"] for entry in container.get("ports", []) if entry.get("name") == port), 0)
