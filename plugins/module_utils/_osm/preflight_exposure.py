# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that are called from outside of the mesh: sidecars admit other sidecars and the sources of IngressBackends. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_annotations import PORT_LISTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import (
    Facts,
    Route,
    Service,
    ServicePort,
    Workload,
    named,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def exposed_services(facts: Facts) -> list[Finding]:
    """Ports of Services that the outside reaches and no IngressBackend lets in.

    Source: osm-edge v1.3.9 pkg/catalog/ingress.go: a backend is meant for a Service when it has its name, and the number of its *target*
    port; only backends of the Service's namespace count.
    """
    routes: dict[tuple[str, str], list[Route]] = {}
    for route in facts.routes:
        routes.setdefault((route.namespace, route.service), []).append(route)
    backends = _backends(facts)
    findings: list[Finding] = []
    for service in facts.services:
        behind = facts.behind(service)
        # Without interception nothing refuses anybody.
        if not behind or not facts.with_init:
            continue
        ways = _ways(service, routes.get((service.ref.namespace, service.ref.name), []))
        let_in = backends.get((service.ref.namespace, service.ref.name), [])
        refused = {port: by for port, by in ways.items() if not _admitted(facts, port, let_in, behind)}
        if refused:
            findings.append(_exposed(facts, service, refused, let_in, behind))
    return findings


def _backends(facts: Facts) -> Mapping[tuple[str, str], list[int]]:
    """Return the port numbers that IngressBackends name, by namespace and Service."""
    found: dict[tuple[str, str], list[int]] = {}
    for policy in facts.policies.ingress_backends:
        for backend in (policy.get("spec") or {}).get("backends") or ():
            place = (policy["metadata"]["namespace"], str(backend.get("name")))
            found.setdefault(place, []).append(int((backend.get("port") or {}).get("number") or 0))
    return found


def _ways(service: Service, routes: list[Route]) -> dict[ServicePort, list[str]]:
    """Return by what each TCP port is reached from outside."""
    ways: dict[ServicePort, list[str]] = {}
    for port in service.ports:
        if port.protocol != "TCP":
            continue
        by = [str(route.ref) for route in routes if route.port in (None, port.number, port.name)]
        if service.type in ("LoadBalancer", "NodePort"):
            by.append(f"its type {service.type}")
        if service.external_ips:
            by.append("its externalIPs")
        if by:
            ways[port] = by
    return ways


def _admitted(facts: Facts, port: ServicePort, let_in: list[int], behind: list[Workload]) -> bool:
    """Whether requests from outside get through: an IngressBackend that is obeyed, or no interception of this port in any of the pods."""
    targets = _numbers(port, behind)
    if targets and all(targets <= _excluded(facts, workload) for workload in behind):
        return True
    return _obeyed(facts) and any(not targets or number in targets for number in let_in)


def _obeyed(facts: Facts) -> bool:
    return facts.feature_flags.get("enableIngressBackendPolicy") is not False


def _exposed(
    facts: Facts, service: Service, refused: Mapping[ServicePort, list[str]], let_in: list[int], behind: list[Workload]
) -> Finding:
    ports = ", ".join(f"{port.name or port.number} by {named(by)}" for port, by in refused.items())
    targets = ", ".join(", ".join(map(str, sorted(_numbers(port, behind)))) or str(port.target) for port in refused)
    why = "sidecars admit only other sidecars and the sources of an IngressBackend: these requests are refused once there are sidecars"
    remedy = (
        f"create an IngressBackend in namespace {service.ref.namespace} with backend {service.ref.name}, port {targets} (target port) and "
        "the ingress controller's Service or address range as its source; not needed when the caller has a sidecar of this mesh itself"
    )
    if let_in and not _obeyed(facts):
        why = "there is an IngressBackend, but featureFlags.enableIngressBackendPolicy is false, so that it means nothing"
        remedy = "mesh_config with spec: {featureFlags: {enableIngressBackendPolicy: true}}"
    elif let_in:
        why = f"its IngressBackend names port {named(let_in)}, and it is the target port ({targets}) that counts; {why}"
        remedy = f"give the IngressBackend a backend with port {targets}"
    return Finding("error", "exposed-without-ingress-backend", service.ref, f"is reached from outside: {ports}", why, remedy)


def _numbers(port: ServicePort, behind: list[Workload]) -> set[int]:
    """Return the numbers of a target port; empty when a name is not to be found in the pods."""
    if isinstance(port.target, int):
        return {port.target}
    containers = [container for workload in behind for container in workload.containers]
    return {each["containerPort"] for container in containers for each in container.get("ports") or () if each.get("name") == port.target}


def _excluded(facts: Facts, workload: Workload) -> set[int]:
    """Return the inbound ports that are not intercepted."""
    own = workload.annotations.get(facts.key(PORT_LISTS[1]), "").split(",")
    numbers = {int(part) for part in own if part.strip().isdecimal()}
    return numbers | {int(number) for number in facts.traffic.get("inboundPortExclusionList") or ()}


def host_ports(facts: Facts) -> list[Finding]:
    """Ports of the node that lead into a pod with a sidecar; an IngressBackend is about Services and does not help."""
    findings = []
    for workload in facts.injected:
        ports = [port for container in workload.containers for port in container.get("ports") or () if port.get("hostPort")]
        numbers = [port["hostPort"] for port in ports if port["containerPort"] not in _excluded(facts, workload)]
        if numbers and facts.with_init:
            findings.append(
                Finding(
                    "warning",
                    "host-port",
                    workload.ref,
                    f"is reached by ports of its nodes: {named(numbers, 5)}",
                    "what comes that way comes without a sidecar, and is refused once the pod has one",
                    f"exclude the container's ports with the annotation {facts.key(PORT_LISTS[1])}, or have it called through a Service",
                )
            )
    return findings


def called_by_api_server(facts: Facts) -> list[Finding]:
    """Admission webhooks and aggregated APIs: the API server has no sidecar, and what it asks fails without an answer."""
    if not facts.with_init:
        return []
    findings = []
    for caller in facts.callers:
        service = facts.by_service.get((caller.namespace, caller.service))
        behind = facts.behind(service) if service is not None else []
        open_ = [workload for workload in behind if _all_excluded(facts, service, workload)]
        if service is not None and len(open_) < len(behind):
            findings.append(
                Finding(
                    "error",
                    "called-by-api-server",
                    service.ref,
                    f"is called by the API server itself, for {caller.ref}",
                    "the API server has no sidecar, so its calls are refused once the pods have one: admission, or an API group, fails",
                    f"exclude the port with the annotation {facts.key(PORT_LISTS[1])} on the pods, or keep them out of the mesh",
                )
            )
    return findings


def _all_excluded(facts: Facts, service: Service | None, workload: Workload) -> bool:
    ports = service.ports if service is not None else ()
    return all(_numbers(port, [workload]) <= _excluded(facts, workload) for port in ports)


def unknown_callers(facts: Facts) -> list[Finding]:
    """Who calls a Service is not written anywhere; only TrafficTargets and routes tell."""
    outside = [name for name in facts.others if not facts.enrolled(name) and not name.startswith("kube-") and name != facts.mesh.namespace]
    serving = sorted({service.ref.namespace for service in facts.services if facts.behind(service)})
    if not serving or not outside or not facts.with_init:
        return []
    return [
        Finding(
            "info",
            "callers-not-known",
            ObjectRef("Mesh", facts.mesh.name, facts.mesh.namespace),
            f"{len(outside)} namespaces stay outside of the mesh; which of their pods call Services of {named(serving)} cannot be read",
            "sidecars refuse calls that come without one, whatever the policies say",
            "enrol callers before what they call; else add an IngressBackend with their addresses (kind IPRange) as its source",
        )
    ]
