# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which traffic between sidecars the SMI policies allow, and who calls whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account, Facts, Object, Workload, named
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class Allowed(NamedTuple):
    """One pair of a TrafficTarget: a source may call a destination."""

    target: ObjectRef
    source: Account
    destination: Account


def allowed(targets: Sequence[Object]) -> Iterator[Allowed]:
    """Yield the pairs of all TrafficTargets; other kinds than ServiceAccount mean nothing to the mesh."""
    for target in targets:
        namespace, spec = target["metadata"].get("namespace", ""), target.get("spec") or {}
        ref = ObjectRef("TrafficTarget", target["metadata"]["name"], namespace)
        destination = spec.get("destination") or {}
        if destination.get("kind", "ServiceAccount") != "ServiceAccount":
            continue
        to = Account(destination.get("namespace") or namespace, destination.get("name", ""))
        for source in spec.get("sources") or ():
            if source.get("kind", "ServiceAccount") == "ServiceAccount":
                yield Allowed(ref, Account(source.get("namespace") or namespace, source.get("name", "")), to)


class Denied(NamedTuple):
    """A service account that the policies leave alone: nobody may call it (``inbound``), or it may call nobody (``outbound``)."""

    account: Account
    direction: str
    workloads: tuple[ObjectRef, ...]
    services: tuple[ObjectRef, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "namespace": self.account.namespace,
            "service_account": self.account.name,
            "direction": self.direction,
            "workloads": [f"{ref.kind}/{ref.name}" for ref in self.workloads],
            "services": [ref.name for ref in self.services],
        }


def denied(facts: Facts) -> list[Denied]:
    """Return what would be denied for want of a TrafficTarget; nothing in permissive mode.

    Source: osm-edge v1.3.9 pkg/catalog/outbound_traffic_policies.go, inbound_traffic_policies.go. Permissive mode is what charts of 1.1
    switch off and charts since 1.2 switch on; the MeshConfig decides.
    """
    if facts.permissive or facts.mesh.mesh_config is None or "traffictargets" in facts.unread:
        return []
    pairs = [*allowed(facts.policies.traffic_targets)]
    sources, destinations = {pair.source for pair in pairs}, {pair.destination for pair in pairs}
    services = _services(facts)
    found = []
    for account, workloads in sorted(_workloads(facts).items()):
        refs, serving = tuple(workload.ref for workload in workloads), tuple(sorted(services.get(account, ())))
        if serving and account not in destinations:
            found.append(Denied(account, "inbound", refs, serving))
        if account not in sources:
            found.append(Denied(account, "outbound", refs, serving))
    return found


def _workloads(facts: Facts) -> Mapping[Account, list[Workload]]:
    found: dict[Account, list[Workload]] = {}
    for workload in facts.injected:
        found.setdefault(workload.account, []).append(workload)
    return found


def _services(facts: Facts) -> Mapping[Account, set[ObjectRef]]:
    found: dict[Account, set[ObjectRef]] = {}
    for service in facts.services:
        for workload in facts.behind(service):
            found.setdefault(workload.account, set()).add(service.ref)
    return found


def denied_traffic(facts: Facts) -> list[Finding]:
    """Accounts that no TrafficTarget names while permissive mode is off."""
    findings = []
    for item in denied(facts):
        ref = ObjectRef("ServiceAccount", item.account.name, item.account.namespace)
        inbound = item.direction == "inbound"
        # An account that serves and calls nobody is a server; one that does not serve can only be a client.
        outbound: Severity = "info" if item.services else "warning"
        findings.append(_denied("error" if inbound else outbound, ref, item, inbound))
    return findings


def _denied(severity: Severity, ref: ObjectRef, item: Denied, inbound: bool) -> Finding:
    serving = f"serves {named(item.services)}" if inbound else f"runs {named(item.workloads)}"
    role = "destination" if inbound else "source"
    return Finding(
        severity,
        "inbound-denied" if inbound else "outbound-denied",
        ref,
        f"{serving}, and is the {role} of no TrafficTarget while permissive mode is off",
        "every request to it from the mesh is denied" if inbound else "every request from it to other Services of the mesh is denied",
        f"create a TrafficTarget with this account as its {role} (with an HTTPRouteGroup or TCPRoute), "
        "or switch permissive mode on (mesh_config with spec: {traffic: {enablePermissiveTrafficPolicyMode: true}})",
    )


def callers_outside(facts: Facts) -> list[Finding]:
    """Sources of TrafficTargets that are not in the mesh: their calls come without the mesh's certificate, and are refused."""
    findings = []
    seen: set[tuple[ObjectRef, str]] = set()
    for pair in allowed(facts.policies.traffic_targets):
        if pair.destination.namespace not in facts.namespaces or facts.enrolled(pair.source.namespace):
            continue
        if (pair.target, pair.source.namespace) in seen:
            continue
        seen.add((pair.target, pair.source.namespace))
        exists = pair.source.namespace in facts.others
        findings.append(
            Finding(
                "warning",
                "caller-not-enrolled",
                pair.target,
                f"its source {pair.source} is in a namespace that {'is not enrolled' if exists else 'does not exist'}",
                "once the destination has sidecars, they refuse calls from pods without one",
                f"enrol namespace {pair.source.namespace} first" if exists else "correct the TrafficTarget",
            )
        )
    return findings


def order(facts: Facts) -> list[str]:
    """Return the namespaces to check, clients before the servers that they call; those of a circle, and unrelated ones, by name.

    A sidecar refuses calls that come without one, while a client with a sidecar still reaches what is outside of the mesh (with egress on).
    """
    waiting: dict[str, set[str]] = {name: set() for name in facts.namespaces}
    for pair in allowed(facts.policies.traffic_targets):
        client, server = pair.source.namespace, pair.destination.namespace
        if client != server and client in waiting and server in waiting:
            waiting[server].add(client)
    found: list[str] = []
    while waiting:
        free = sorted(name for name, clients in waiting.items() if not clients & waiting.keys())
        # Everything that is left is in a circle, or behind one: the one that fewest others have to go before.
        chosen = free or [min(waiting, key=lambda name: (len(waiting[name] & waiting.keys()), name))]
        found += chosen
        for name in chosen:
            del waiting[name]
    return found
