# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports that the sidecar needs for itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import find_element
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Service, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_reduction import added_containers
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

# osm-edge v1.3.9 pkg/constants/constants.go and pkg/sidecar/providers/pipy/repo/codebase/main.js.
_PORTS: Mapping[int, str] = {
    15000: "the sidecar's administration",
    15001: "outbound traffic",
    15003: "inbound traffic",
    15010: "metrics",
    15901: "liveness probes",
    15902: "readiness probes",
    15903: "startup probes",
    15904: "TCP probes",
}
_PIPY_ADMIN_PORT = 6060
_DNS_PORT = 5300


def reserved_ports(facts: Facts) -> Mapping[tuple[str, int], str]:
    """Return what the sidecar uses each port for, by protocol and number, as the MeshConfig is now."""
    ports = {("TCP", number): use for number, use in _PORTS.items()}
    if facts.pipy:
        ports["TCP", _admin_port(facts)] = "Pipy's administration (--admin-port)"
    if (facts.sidecar.get("localDNSProxy") or {}).get("enable"):
        ports["UDP", _DNS_PORT] = "the local DNS proxy"
    return ports


def _admin_port(facts: Facts) -> int:
    """Port of the Pipy process in every pod (osm-edge v1.3.9 pkg/configurator/methods.go ``GetProxyServerPort``)."""
    drivers = facts.sidecar.get("sidecarDrivers")
    at = find_element(("sidecar", "sidecarDrivers"), drivers, "pipy")
    return int(drivers[at].get("proxyServerPort") or _PIPY_ADMIN_PORT) if at is not None and drivers else _PIPY_ADMIN_PORT


def reserved_port(facts: Facts) -> list[Finding]:
    """Containers that listen on a port of the sidecar, and Services that send to one."""
    reserved = reserved_ports(facts)
    findings = [
        Finding(
            "error",
            "reserved-port",
            workload.ref,
            f"container {container} listens on {number}/{protocol}",
            f"the sidecar in the same pod uses this port for {reserved[protocol, number]}: one of the two cannot listen",
            "let the application listen on another port",
        )
        for workload in facts.injected
        for container, protocol, number in _listens(workload)
        if (protocol, number) in reserved
    ]
    return findings + [
        Finding(
            "warning",
            "reserved-target-port",
            service.ref,
            f"port {name} sends to {number}/{protocol} of its pods",
            f"the sidecar uses this port for {reserved[protocol, number]}: the Service leads to the sidecar and not to the application",
            "change targetPort, and the port of the application, unless the sidecar is what is meant (metrics: 15010)",
        )
        for service in facts.services
        if facts.behind(service)
        for name, protocol, number in _targets(service)
        if (protocol, number) in reserved
    ]


def _listens(workload: Workload) -> list[tuple[str, str, int]]:
    # A sidecar in the template is told by a finding of its own.
    added = added_containers(workload.template)
    return [
        (container["name"], port.get("protocol") or "TCP", port["containerPort"])
        for container in workload.containers
        if container["name"] not in added
        for port in container.get("ports") or ()
    ]


def _targets(service: Service) -> list[tuple[str, str, int]]:
    return [(port.name or str(port.number), port.protocol, port.target) for port in service.ports if isinstance(port.target, int)]
