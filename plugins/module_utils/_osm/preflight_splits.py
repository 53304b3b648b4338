# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic splits whose root Service does not lead to the pods of its backends. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Object, Service, matches, named
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def traffic_splits(facts: Facts) -> list[Finding]:
    """Since 1.2 the root Service needs a selector that matches the pods of all backends (osm-edge release notes 1.2, breaking changes)."""
    findings: list[Finding] = []
    for split in facts.policies.traffic_splits:
        if split["metadata"]["namespace"] in facts.namespaces:
            findings += _split(facts, split)
    return findings


def _split(facts: Facts, split: Object) -> list[Finding]:
    namespace, spec = split["metadata"]["namespace"], split.get("spec") or {}
    ref = ObjectRef("TrafficSplit", split["metadata"]["name"], namespace)
    # The root may be written as a name of the cluster's DNS.
    names = [str(spec.get("service", "")).partition(".")[0], *(str(backend["service"]) for backend in spec.get("backends") or ())]
    if "services" in facts.unread:
        return []
    missing = [name for name in dict.fromkeys(names) if (namespace, name) not in facts.by_service]
    if missing:
        return [
            Finding(
                "warning",
                "traffic-split-without-service",
                ref,
                f"names Services that do not exist: {named(missing)}",
                "requests that the split gives them fail",
                "create them, or take them out of the split",
            )
        ]
    if facts.line < (1, 2):
        return []
    root, *leaves = (facts.by_service[namespace, name] for name in dict.fromkeys(names))
    outside = [str(leaf.ref) for leaf in leaves if not _covers(facts, root, leaf)]
    if root.selector and not outside:
        return []
    state = f"has a selector that does not match the pods behind {named(outside)}" if root.selector else "has no selector"
    return [
        Finding(
            "error",
            "traffic-split-root-selector",
            root.ref,
            f"is the root of {ref}, and {state}",
            "since 1.2 the root Service must select the pods of all its backends; without that the split has no effect",
            "give it a selector with labels that the pods of all backends have in common",
        )
    ]


def _covers(facts: Facts, root: Service, leaf: Service) -> bool:
    """Whether the root selects the pods of a backend: those that are known, else whatever has the labels that the backend asks for."""
    behind = [workload for workload in facts.workloads if leaf.selects(workload)]
    if behind:
        return all(root.selects(workload) for workload in behind)
    wanted: dict[str, Any] = dict(leaf.selector)
    return matches(root.selector, wanted)
