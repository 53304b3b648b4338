# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the mesh makes of the ports of Services: their protocol is told, or guessed; some are not intercepted. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Service, ServicePort
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

# osm-edge v1.3.9 pkg/constants/constants.go SupportedProtocolsInMesh.
SUPPORTED = ("tcp-server-first", "http", "tcp", "grpc")
# Ports whose protocol is not HTTP: what it is, and how to tell the mesh. In server-first protocols the client waits for a greeting.
KNOWN_PORTS: Mapping[int, tuple[str, str]] = {
    21: ("FTP", "tcp-server-first"),
    22: ("SSH", "tcp-server-first"),
    25: ("SMTP", "tcp-server-first"),
    53: ("DNS", "tcp"),
    110: ("POP3", "tcp-server-first"),
    143: ("IMAP", "tcp-server-first"),
    389: ("LDAP", "tcp"),
    443: ("TLS", "tcp"),
    587: ("SMTP", "tcp-server-first"),
    636: ("LDAP over TLS", "tcp"),
    1433: ("Microsoft SQL Server", "tcp"),
    1521: ("Oracle", "tcp"),
    1883: ("MQTT", "tcp"),
    2181: ("ZooKeeper", "tcp"),
    2379: ("etcd over gRPC", "grpc"),
    3306: ("MySQL", "tcp-server-first"),
    4222: ("NATS", "tcp-server-first"),
    5432: ("PostgreSQL", "tcp-server-first"),
    5671: ("AMQP over TLS", "tcp"),
    5672: ("AMQP", "tcp"),
    6379: ("Redis", "tcp"),
    6443: ("TLS", "tcp"),
    8443: ("TLS", "tcp"),
    9042: ("Cassandra", "tcp"),
    9092: ("Kafka", "tcp"),
    11211: ("memcached", "tcp"),
    26379: ("Redis Sentinel", "tcp"),
    27017: ("MongoDB", "tcp"),
    33060: ("MySQL X", "tcp-server-first"),
}
# Names of ports that say what runs there.
_KNOWN_NAMES: Mapping[str, tuple[str, str]] = {
    "amqp": ("AMQP", "tcp"),
    "https": ("TLS", "tcp"),
    "kafka": ("Kafka", "tcp"),
    "ldap": ("LDAP", "tcp"),
    "memcache": ("memcached", "tcp"),
    "mongo": ("MongoDB", "tcp"),
    "mqtt": ("MQTT", "tcp"),
    "mysql": ("MySQL", "tcp-server-first"),
    "postgres": ("PostgreSQL", "tcp-server-first"),
    "redis": ("Redis", "tcp"),
    "smtp": ("SMTP", "tcp-server-first"),
    "tls": ("TLS", "tcp"),
}


class Guess(NamedTuple):
    """How the mesh reads a port: ``how`` is told, guessed, case or unsupported."""

    protocol: str
    how: Literal["told", "guessed", "case", "unsupported"]


def protocol_of(port: ServicePort) -> Guess:
    """Read a TCP port as the controller does: appProtocol, else the prefix of its name, else HTTP.

    Source: osm-edge v1.3.9 pkg/k8s/client.go ``ServiceToMeshServices``. The prefix ends with a hyphen: a port called ``tcp`` is HTTP.
    """
    if port.app_protocol is not None:
        if port.app_protocol in SUPPORTED:
            return Guess(port.app_protocol, "told")
        lower = port.app_protocol.lower()
        return Guess(lower, "case") if lower in SUPPORTED else Guess(port.app_protocol, "unsupported")
    for protocol in SUPPORTED:
        if port.name.startswith(f"{protocol}-"):
            return Guess(protocol, "told")
    if port.name == "http":
        # Not read by the mesh, and what it guesses is what was meant.
        return Guess("http", "told")
    return Guess("http", "guessed")


def meant(port: ServicePort) -> tuple[str, str] | None:
    """Say what a port is known for when that is not HTTP, and the protocol to tell the mesh; None when nothing is known."""
    if port.name in SUPPORTED:
        return port.name, port.name
    for word, known in _KNOWN_NAMES.items():
        if word in port.name:
            return known
    return KNOWN_PORTS.get(port.number) or (KNOWN_PORTS.get(port.target) if isinstance(port.target, int) else None)


def service_protocols(facts: Facts) -> list[Finding]:
    """Ports whose protocol is guessed, written in the wrong case, or unknown to the mesh; one finding for equal ports of a Service."""
    findings = []
    for service in _in_mesh(facts):
        doubtful: dict[str, list[ServicePort]] = {}
        for port in service.ports:
            doubt = doubt_about(port) if port.protocol == "TCP" else ""
            if doubt:
                doubtful.setdefault(doubt, []).append(port)
        findings += [_DOUBTS[doubt](service, ports) for doubt, ports in doubtful.items()]
    return findings


def doubt_about(port: ServicePort) -> str:
    """Return what is doubtful about a TCP port: case, unsupported, misread, guessed; empty when nothing is."""
    guess = protocol_of(port)
    if guess.how == "guessed":
        return "misread" if meant(port) else "guessed"
    return "" if guess.how == "told" else guess.how


def _case(service: Service, ports: Sequence[ServicePort]) -> Finding:
    return Finding(
        "warning",
        "app-protocol-case",
        service.ref,
        f"appProtocol is not in lower case: {_listed(ports, lambda port: str(port.app_protocol))}",
        "the mesh compares some of it as it is written, and takes what it does not recognise for HTTP",
        _set_protocols(service, [(port, protocol_of(port).protocol) for port in ports]),
    )


def _unsupported(service: Service, ports: Sequence[ServicePort]) -> Finding:
    return Finding(
        "warning",
        "app-protocol-unsupported",
        service.ref,
        f"appProtocol is unknown to the mesh: {_listed(ports, lambda port: str(port.app_protocol))}",
        f"the mesh knows {', '.join(SUPPORTED)}, and gives everything else the routes of HTTP",
        _set_protocols(service, [(port, (meant(port) or ("", "tcp"))[1]) for port in ports]),
    )


def _misread(service: Service, ports: Sequence[ServicePort]) -> Finding:
    return Finding(
        "warning",
        "protocol-misread",
        service.ref,
        f"says nothing that the mesh understands about ports that do not look like HTTP: {_listed(ports, _looks)}",
        "the mesh takes them for HTTP, and other connections hang or are closed; of a name, only a prefix with a hyphen counts",
        _set_protocols(service, [(port, (meant(port) or ("", "tcp"))[1]) for port in ports]),
    )


def _guessed(service: Service, ports: Sequence[ServicePort]) -> Finding:
    return Finding(
        "info",
        "protocol-guessed",
        service.ref,
        f"says nothing about the protocol of {_listed(ports, lambda port: '')}",
        "the mesh takes it for HTTP; anything else does not get through",
        _set_protocols(service, [(port, "http") for port in ports]),
    )


_DOUBTS: Mapping[str, Callable[[Service, Sequence[ServicePort]], Finding]] = {
    "case": _case,
    "unsupported": _unsupported,
    "misread": _misread,
    "guessed": _guessed,
}


def _listed(ports: Sequence[ServicePort], about: Callable[[ServicePort], str]) -> str:
    """Return for instance ``mysql (3306): MySQL, 6379: Redis``."""
    labels = [f"{port.name} ({port.number})" if port.name else f"port {port.number}" for port in ports]
    return ", ".join(f"{label}: {text}" if (text := about(port)) else label for label, port in zip(labels, ports, strict=True))


def _looks(port: ServicePort) -> str:
    known = meant(port)
    return known[0] if known else ""


def _set_protocols(service: Service, wanted: Sequence[tuple[ServicePort, str]]) -> str:
    operations = [
        {"op": "add", "path": f"/spec/ports/{service.ports.index(port)}/appProtocol", "value": protocol} for port, protocol in wanted
    ]
    patch = json.dumps(operations, separators=(",", ":"))
    return f"kubectl patch service {service.ref.name} -n {service.ref.namespace} --type=json -p '{patch}' (and in its manifest)"


def not_intercepted(facts: Facts) -> list[Finding]:
    """Only TCP goes through the sidecar."""
    return [
        Finding(
            "info",
            "not-intercepted",
            service.ref,
            f"has {', '.join(f'{port.number}/{port.protocol}' for port in service.ports if port.protocol != 'TCP')}",
            "only TCP is intercepted: this traffic passes beside the mesh, neither encrypted nor restricted by it",
            "nothing, when that is acceptable",
        )
        for service in _in_mesh(facts)
        if any(port.protocol != "TCP" for port in service.ports)
    ]


def headless_services(facts: Facts) -> list[Finding]:
    """Headless Services work since 1.2 (osm-edge release notes)."""
    old = facts.line < (1, 2)
    return [
        Finding(
            "warning" if old else "info",
            "headless-service",
            service.ref,
            "is headless (clusterIP: None)",
            f"the control plane is {facts.mesh.version}, and headless Services work since 1.2: calls to it get no route"
            if old
            else "works since 1.2: by the names of its pods (StatefulSet), else by its own name",
            "upgrade the mesh, or give the Service a cluster IP" if old else "nothing",
        )
        for service in _in_mesh(facts)
        if service.headless
    ]


def _in_mesh(facts: Facts) -> list[Service]:
    """Return the Services that the mesh knows: all of an enrolled namespace, except mere names."""
    return [service for service in facts.services if service.type != "ExternalName"]
