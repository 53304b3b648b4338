# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads that speak to the Kubernetes API, and whether their sidecar will let them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_annotations import PORT_LISTS, RANGE_LISTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_egress import as_ranges, lets_out, within
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account, Binding, Facts, Workload, named
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# Namespace of the Service kubernetes.
_API_NAMESPACE = "default"
# Roles that every account gets, or that say nothing about calling the API.
_DEFAULT_ROLES = ("system:image-puller", "system:image-builder", "system:deployer", "system:discovery", "system:basic-user")
_DEFAULT_PREFIXES = ("system:openshift:scc:", "system:public-")


def rights(facts: Facts) -> list[tuple[Workload, list[Binding]]]:
    """Return the workloads whose pods have a token of a service account with rights of its own, and the bindings that give them."""
    bindings = _bindings(facts)
    return [
        (workload, bindings[workload.account])
        for workload in facts.injected
        if workload.account in bindings and workload.spec.get("automountServiceAccountToken") is not False
    ]


def _bindings(facts: Facts) -> Mapping[Account, list[Binding]]:
    """Return the bindings of each service account that runs something here, without those that everybody has."""
    accounts = {workload.account for workload in facts.workloads}
    by_namespace: dict[str, set[Account]] = {}
    for account in accounts:
        by_namespace.setdefault(account.namespace, set()).add(account)
    found: dict[Account, list[Binding]] = {}
    for binding in facts.bindings:
        role = binding.role[1]
        if role in _DEFAULT_ROLES or role.startswith(_DEFAULT_PREFIXES):
            continue
        bound = accounts.intersection(binding.accounts)
        for group in binding.groups:
            bound |= by_namespace.get(group.removeprefix("system:serviceaccounts:"), set())
        for account in bound:
            found.setdefault(account, []).append(binding)
    return found


def allowed_by(facts: Facts, workload: Workload) -> str:
    """Say what lets the workload's pods reach the Kubernetes API, in a few words; empty when nothing does.

    The order is that of a packet: first the pod's iptables rules, then what the sidecar lets out (osm-edge v1.3.9 pkg/injector/iptables.go,
    pkg/catalog/egress.go).
    """
    if not facts.with_init or workload.windows:
        return "its traffic is not intercepted"
    addresses, port = facts.api_server.service_ips, facts.api_server.port
    if not addresses:
        return "the address of the API server is not known"
    excluded = _list(facts, workload, RANGE_LISTS[0], "outboundIPRangeExclusionList")
    if all(within(address, excluded) for address in addresses):
        return "outbound IP range exclusion"
    included = _list(facts, workload, RANGE_LISTS[1], "outboundIPRangeInclusionList")
    if included and not any(within(address, included) for address in addresses):
        return "outbound IP range inclusion"
    if str(port) in _list(facts, workload, PORT_LISTS[0], "outboundPortExclusionList"):
        return "outbound port exclusion"
    if facts.enrolled(_API_NAMESPACE):
        # Then it is a Service of the mesh, and sidecars expect one at its other end.
        return ""
    if facts.traffic.get("enableEgress"):
        return "traffic.enableEgress"
    if facts.feature_flags.get("enableEgressPolicy"):
        for egress in facts.policies.egresses:
            if lets_out(egress, workload.account, facts.api_server):
                return f"Egress {egress['metadata']['namespace']}/{egress['metadata']['name']}"
    return ""


def _list(facts: Facts, workload: Workload, annotation: str, field: str) -> list[str]:
    """Return a list of the pod's annotation together with that of the MeshConfig, as the injector merges them."""
    own = workload.annotations.get(facts.key(annotation))
    return [*(part.strip() for part in (own or "").split(",") if part.strip()), *map(str, facts.traffic.get(field) or ())]


def api_access(facts: Facts) -> list[Finding]:
    """Workloads with rights of their own whose calls the sidecar would not let out."""
    return [_denied(facts, workload, given) for workload, given in rights(facts) if not allowed_by(facts, workload)]


def _denied(facts: Facts, workload: Workload, given: list[Binding]) -> Finding:
    ranges = ", ".join(as_ranges(facts.api_server.service_ips))
    because = "egress is off, no exclusion has its address, and no Egress names the account"
    advice = (
        f"mesh_config with add: {{traffic: {{outboundIPRangeExclusionList: [{ranges}]}}}}, then restart its pods; "
        f"or an Egress for service account {workload.account.name} to {ranges}, port {facts.api_server.port}, protocol https"
    )
    if facts.enrolled(_API_NAMESPACE):
        because = f"namespace {_API_NAMESPACE} is enrolled, so the API server is taken for a Service of the mesh, and has no sidecar"
        advice = f"take namespace {_API_NAMESPACE} out of the mesh, or exclude the address: {advice.partition(';')[0]}"
    elif not facts.feature_flags.get("enableEgressPolicy"):
        advice += " (and mesh_config with spec: {featureFlags: {enableEgressPolicy: true}})"
    return Finding(
        "warning",
        "api-server-access",
        workload.ref,
        f"service account {workload.account.name} has rights ({named(binding.ref for binding in given)}), so it seems to call the API",
        f"its sidecar does not let calls to {ranges} out: {because}",
        advice,
    )


def api_server_in_mesh(facts: Facts) -> list[Finding]:
    """An enrolled namespace ``default`` makes the API server a Service of the mesh (osm-edge documentation, note on Egress policies)."""
    if not facts.enrolled(_API_NAMESPACE):
        return []
    return [
        Finding(
            "warning",
            "api-server-in-mesh",
            ObjectRef("Namespace", _API_NAMESPACE),
            "is enrolled, and has the Service kubernetes",
            "sidecars take the API server for a Service of the mesh and expect a sidecar at its other end; an Egress does not help then",
            "keep the namespace out, or exclude the address of the API server from interception (outboundIPRangeExclusionList)",
        )
    ]


def api_server_result(facts: Facts) -> dict[str, Any]:
    """Return the addresses of the Kubernetes API as ranges, and the workloads that have rights in it, with what lets them reach it."""
    server = facts.api_server
    rows = [
        {**workload.ref.as_dict(), "service_account": workload.account.name, "allowed_by": allowed_by(facts, workload)}
        for workload, _given in rights(facts)
    ]
    return {
        "service_ips": as_ranges(server.service_ips),
        "endpoint_ips": as_ranges(ip for ip in server.endpoint_ips if ip not in server.service_ips),
        "port": server.port,
        "workloads": rows,
    }
