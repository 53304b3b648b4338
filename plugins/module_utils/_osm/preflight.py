# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application requirements of a mesh as findings: reads, judges, and changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import (
    preflight_annotations,
    preflight_api_access,
    preflight_enrolment,
    preflight_exposure,
    preflight_mesh,
    preflight_openshift,
    preflight_pod_security,
    preflight_pods,
    preflight_policies,
    preflight_ports,
    preflight_protocols,
    preflight_splits,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import MESH_CONFIGS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_reading import read
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_scope import chosen
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

Check = Callable[[Facts], list[Finding]]

CHECKS: tuple[Check, ...] = (
    preflight_mesh.mesh_config,
    preflight_mesh.not_checked,
    preflight_enrolment.namespaces,
    preflight_enrolment.pods,
    preflight_enrolment.sidecar_in_template,
    preflight_enrolment.opted_out,
    preflight_annotations.invalid_annotations,
    preflight_pod_security.host_network,
    preflight_pod_security.reserved_user,
    preflight_pod_security.non_root_without_user,
    preflight_pod_security.pod_security,
    preflight_openshift.openshift,
    preflight_pods.jobs,
    preflight_pods.windows_pods,
    preflight_pods.windows_nodes,
    preflight_ports.reserved_port,
    preflight_protocols.service_protocols,
    preflight_protocols.not_intercepted,
    preflight_protocols.headless_services,
    preflight_splits.traffic_splits,
    preflight_api_access.api_access,
    preflight_api_access.api_server_in_mesh,
    preflight_policies.denied_traffic,
    preflight_policies.callers_outside,
    preflight_exposure.exposed_services,
    preflight_exposure.host_ports,
    preflight_exposure.called_by_api_server,
    preflight_exposure.unknown_callers,
)
_ORDER = {"error": 0, "warning": 1, "info": 2}
# Which severities make the module fail.
_FATAL: Mapping[str, Sequence[str]] = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
_NAMED = 3


class Request(NamedTuple):
    """What is to be checked: ``selector`` is a label selector of namespaces, ``policies`` are raw objects that will be applied."""

    namespaces: Sequence[str] = ()
    selector: str = ""
    mesh_name: str | None = None
    mesh_namespace: str | None = None
    policies: Sequence[Mapping[str, Any]] = ()


def preflight(api: Api, request: Request) -> dict[str, Any]:
    """Read the cluster and return the result of ``mesh_preflight``.

    Raises Refused when there is no such mesh or namespace, KubeError when namespaces or control planes may not be read.
    """
    _check_policies(request.policies)
    observed = discover(api, mesh_name=request.mesh_name, data_plane=False)
    mesh = select_mesh(observed, request.mesh_name, request.mesh_namespace)
    found = api.list(NAMESPACE, label_selector=request.selector, metadata_only=True) if request.selector else None
    selected = None if found is None else [item["metadata"]["name"] for item in found]
    namespaces = chosen(mesh, observed.namespaces, request.namespaces, selected)
    unread = {part: reason for part, reason in observed.unknown.items() if part == MESH_CONFIGS}
    facts = read(api, mesh, namespaces, observed.namespaces, unread, request.policies)
    return result(replace(facts, control_planes=frozenset(each.namespace for each in observed.meshes)))


def _check_policies(policies: Sequence[Mapping[str, Any]]) -> None:
    for number, policy in enumerate(policies):
        metadata = policy.get("metadata")
        if not isinstance(metadata, Mapping) or not metadata.get("name") or not metadata.get("namespace") or not policy.get("kind"):
            raise Refused(
                f"Element {number} of policies is no manifest of a policy",
                why="kind, metadata.name and metadata.namespace are needed to judge it",
                state="nothing was changed",
                next="give whole manifests, with their namespaces",
            )


def findings_of(facts: Facts) -> list[Finding]:
    """Judge everything; the most severe first, then by code and object."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: (_ORDER[finding.severity], finding.code, finding.object, finding.what))


def result(facts: Facts) -> dict[str, Any]:
    """Return the result without ``duration`` and ``cluster``."""
    findings = findings_of(facts)
    counted = Counter(finding.severity for finding in findings)
    mesh = facts.mesh
    return {
        "changed": False,
        "findings": [finding.as_dict() for finding in findings],
        "summary": {
            "mesh": mesh.name,
            "mesh_namespace": mesh.namespace,
            "product": mesh.product.id,
            "version": mesh.version,
            "permissive": facts.permissive,
            "namespaces": len(facts.namespaces),
            "workloads": len(facts.workloads),
            "injected_workloads": len(facts.injected),
            "errors": counted["error"],
            "warnings": counted["warning"],
            "infos": counted["info"],
        },
        "api_server": preflight_api_access.api_server_result(facts),
        "order": preflight_policies.order(facts),
        "denied_without_policies": [item.as_dict() for item in preflight_policies.denied(facts)],
    }


def fail_if_needed(result_: Mapping[str, Any], fail_on: str) -> None:
    """Raise LifecycleError, with the whole result in its details, when there are findings of the severity ``fail_on`` or above."""
    fatal = [finding for finding in result_["findings"] if finding["severity"] in _FATAL[fail_on]]
    if not fatal:
        return
    first = fatal[:_NAMED]
    told = "; ".join(f"{_object(finding)} {finding['what']} ({finding['code']})" for finding in first)
    rest = f"; and {len(fatal) - len(first)} more" if len(fatal) > len(first) else ""
    counted = Counter(finding["severity"] for finding in fatal)
    numbers = " and ".join(
        f"{counted[severity]} {severity}{'s' if counted[severity] > 1 else ''}" for severity in _ORDER if counted[severity]
    )
    raise LifecycleError(
        f"{numbers} in the namespaces to be enrolled: {told}{rest}",
        why=f"fail_on is {fail_on}",
        state="nothing was changed",
        next="do what the remedy of each finding says (they are all in findings), or leave these namespaces out; then run again",
        details=dict(result_),
    )


def _object(finding: Mapping[str, Any]) -> str:
    named = finding["object"]
    return f"{named['kind']} {named['namespace'] + '/' if named['namespace'] else ''}{named['name']}"
