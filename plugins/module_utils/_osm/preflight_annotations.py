# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Annotations of pods and namespaces that the injector cannot read. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import quantity

# Says what is wrong with a value, None when it is right.
Rule = Callable[[str], "str | None"]

_SWITCH = ("enabled", "yes", "true", "disabled", "no", "false")
PORT_LISTS = ("outbound-port-exclusion-list", "inbound-port-exclusion-list")
RANGE_LISTS = ("outbound-ip-range-exclusion-list", "outbound-ip-range-inclusion-list")
RESOURCES = tuple(
    f"sidecar-resource-{kind}-{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "storage", "ephemeral-storage")
)
# Go's strconv.Atoi: a sign is read, a blank, an underscore or a point is not.
_INTEGER = re.compile(r"[+-]?[0-9]+")


def wrong_switch(value: str) -> str | None:
    """Say what is wrong with the value of an on/off annotation, None when it is right (osm-edge v1.3.9 pkg/injector/webhook.go)."""
    return None if value.lower() in _SWITCH else f"{value!r} is none of {', '.join(_SWITCH)}"


def wrong_ports(value: str) -> str | None:
    """Say what is wrong with a list of ports, None when it is right (osm-edge v1.3.9 pkg/injector/exclusions.go)."""
    for part in (each.strip() for each in value.split(",")):
        if not _INTEGER.fullmatch(part) or int(part) <= 0:
            return f"{part!r} is not a port"
    return None


def wrong_ranges(value: str) -> str | None:
    """Say what is wrong with a list of address ranges, None when it is right (osm-edge v1.3.9 pkg/injector/exclusions.go)."""
    for part in (each.strip() for each in value.split(",")):
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            return f"{part!r} is not an address range (CIDR)"
        if not re.fullmatch(r"[^/]+/[0-9]+", part):
            return f"{part!r} has no prefix length, such as /32"
    return None


def wrong_quantity(value: str) -> str | None:
    """Say what is wrong with an amount of a resource, None when it is right."""
    try:
        quantity(value)
    except ValueError:
        return f"{value!r} is not an amount"
    return None if value == value.strip() else f"{value!r} has blanks"


def invalid_annotations(facts: Facts) -> list[Finding]:
    """Values that make pod creation fail, and amounts that are passed over."""
    injected = {workload.ref for workload in facts.injected}
    findings = []
    for workload in facts.workloads:
        if workload.spec.get("hostNetwork") is not True:
            wrong = _wrong(workload.annotations, {facts.mesh.product.injection_annotation: wrong_switch})
            if workload.ref in injected:
                wrong |= _wrong(workload.annotations, _pod_rules(facts))
            findings += [_fails_creation(workload.ref, key, what, "its pods") for key, what in wrong.items()]
            findings += _passed_over(facts, workload.ref, workload.annotations) if workload.ref in injected else []
    return findings + _of_namespaces(facts)


def _pod_rules(facts: Facts) -> dict[str, Rule]:
    return {
        **{facts.key(name): wrong_ports for name in PORT_LISTS},
        **{facts.key(name): wrong_ranges for name in RANGE_LISTS},
    }


def _of_namespaces(facts: Facts) -> list[Finding]:
    findings = []
    for name, namespace in sorted(facts.namespaces.items()):
        ref, given = ObjectRef("Namespace", name), namespace.annotations
        rules: dict[str, Rule] = {facts.mesh.product.injection_annotation: wrong_switch}
        # An empty value switches metrics off (osm-edge v1.3.9 pkg/injector/metrics.go).
        if given.get(facts.mesh.product.metrics_annotation):
            rules[facts.mesh.product.metrics_annotation] = wrong_switch
        findings += [_fails_creation(ref, key, what, "all pods in it") for key, what in _wrong(given, rules).items()]
        findings += _passed_over(facts, ref, given)
    return findings


def _wrong(given: Mapping[str, str], rules: Mapping[str, Rule]) -> dict[str, str]:
    found = {}
    for key, rule in rules.items():
        what = rule(str(given[key])) if key in given else None
        if what is not None:
            found[key] = what
    return found


def _fails_creation(ref: ObjectRef, key: str, what: str, pods: str) -> Finding:
    return Finding(
        "error",
        "invalid-annotation",
        ref,
        f"annotation {key}: {what}",
        f"the injector answers with an error, so {pods} cannot be created",
        "correct the annotation, or take it away",
    )


def _passed_over(facts: Facts, ref: ObjectRef, given: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            "warning",
            "invalid-sidecar-resource",
            ref,
            f"annotation {key}: {what}",
            "the injector passes the value over, and the sidecar gets that of the namespace or of the MeshConfig",
            "write an amount, such as 100m or 128Mi",
        )
        for key, what in _wrong(given, {facts.key(name): wrong_quantity for name in RESOURCES}).items()
    ]
