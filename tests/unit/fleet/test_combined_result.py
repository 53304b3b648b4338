# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several results as one."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.filter.combined_result import combined_result

PLAN = {"id": "f00", "procedure": "mesh_onboard", "target": "osm-system/osm", "phases": [{"name": "namespaces", "steps": []}]}
FINDING = {"severity": "warning", "code": "c", "object": {}, "what": "w", "why": "y", "remedy": "r"}


def module_result(**more: Any) -> dict[str, Any]:
    """The result of a module that patched one namespace."""
    return {
        "changed": True,
        "plan": PLAN,
        "plan_table": "mesh_namespace osm-system/osm: plan f00, 1 steps\n",
        "steps": [{"id": "patch:Namespace/shop", "phase": "namespaces", "outcome": "done", "duration": 0.1, "message": ""}],
        "findings": [FINDING],
        "duration": 1.25,
        "cluster": {"server": "https://x", "uid": "u"},
        **more,
    }


def applied(name: str, *, changed: bool) -> dict[str, Any]:
    """What kubernetes.core.k8s tells of one object."""
    manifest = {"kind": "Egress", "metadata": {"name": name, "namespace": "shop"}}
    return {"changed": changed, "method": "apply", "result": manifest, "diff": {"before": {}, "after": manifest}}


def test_steps_findings_and_durations_of_all() -> None:
    second = module_result(changed=False, steps=[], plan_table="nothing to do", leftovers=[{"code": "bare-pod"}])
    combined = combined_result([module_result(), second], PLAN, {"pods": 3})
    assert (combined["changed"], combined["duration"], combined["summary"]) == (True, 2.5, {"pods": 3})
    assert combined["plan"]["id"] == "f00"
    assert [phase["name"] for phase in combined["plan"]["phases"]] == ["namespaces", "namespaces"]
    assert combined["plan_table"] == "mesh_namespace osm-system/osm: plan f00, 1 steps\nnothing to do"
    assert [step["id"] for step in combined["steps"]] == ["patch:Namespace/shop"]
    assert combined["findings"] == [FINDING]
    assert combined["leftovers"] == [{"code": "bare-pod"}]
    assert combined["cluster"] == {"server": "https://x", "uid": "u"}
    assert "diff" not in combined


def test_objects_of_one_task_of_several_and_of_a_loop() -> None:
    several = {"changed": True, "result": {"results": [applied("b", changed=True), applied("c", changed=False)]}}
    loop = {"changed": True, "results": [{**applied("d", changed=True), "item": {}}]}
    combined = combined_result([applied("a", changed=True), several, loop], PLAN, {})
    assert [(step["id"], step["outcome"]) for step in combined["steps"]] == [
        ("apply:Egress/shop/a", "done"),
        ("apply:Egress/shop/b", "done"),
        ("apply:Egress/shop/c", "unchanged"),
        ("apply:Egress/shop/d", "done"),
    ]
    assert combined["plan_table"].splitlines()[2] == "apply Egress/shop/c: nothing to do"
    assert len(combined["diff"]) == 4


def test_what_was_only_tried_is_told_as_such() -> None:
    (step,) = combined_result([applied("a", changed=True)], PLAN, {}, planned=True)["steps"]
    assert step["outcome"] == "would_do"


def test_skipped_tasks_and_empty_loops_count_for_nothing() -> None:
    skipped = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
    combined = combined_result([skipped, {"changed": False, "skipped": True, "results": []}, {}], PLAN, {})
    assert (combined["changed"], combined["steps"], combined["duration"], combined["cluster"]) == (False, [], 0, {})
