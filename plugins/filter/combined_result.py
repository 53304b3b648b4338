# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of several tasks as the result of one procedure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: combined_result
short_description: The results of several tasks as the result of one procedure
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - A role that calls several modules leaves one result this way, which has the shape of a module's.
  - Steps, findings, leftovers and workloads are put one after the other, durations are added, tasks that were skipped are left out.
  - Objects that M(kubernetes.core.k8s) applied become steps of the phase C(objects).
options:
  _input:
    description: The registered results, in the order in which the tasks ran.
    type: list
    elements: dict
    required: true
  plan:
    description: The plan that was approved; its id, procedure and target become those of the whole.
    type: dict
    required: true
  summary:
    description: The summary of the whole.
    type: dict
    required: true
  planned:
    description: Whether nothing was written, so that what M(kubernetes.core.k8s) says to have changed was only tried.
    type: bool
    default: false
seealso:
  - plugin: meshops.lifecycle.result_lines
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Leave one result
  ansible.builtin.set_fact:
    result: "{{ [enrolled, refreshed] | meshops.lifecycle.combined_result(enrolled.plan, refreshed.summary) }}"
"""

RETURN = r"""
_value:
  description: The result of the whole.
  type: dict
  sample:
    changed: true
    plan: {id: 0d5c1c8f2e9b7a64, procedure: mesh_onboard, target: osm-system/osm, phases: []}
    plan_table: ""
    steps: []
    summary: {}
    findings: []
    leftovers: []
    workloads: []
    duration: 1.5
    cluster: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

_LISTS = ("findings", "leftovers", "workloads", "refresh")


def combined_result(
    results: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], summary: Mapping[str, Any], planned: bool = False
) -> dict[str, Any]:
    """One result of all ``results``; the keys are those of RETURN, and ``diff`` where a task has one."""
    ran = [each for result in results for each in _without_loop(result) if each and not each.get("skipped")]
    steps = [step for result in ran for step in _steps(result, "would_do" if planned else "done")]
    phases = [phase for result in ran for phase in (result.get("plan") or {}).get("phases") or []]
    combined: dict[str, Any] = {
        "changed": any(result.get("changed") for result in ran),
        "plan": {**plan, "phases": phases},
        "plan_table": "\n".join(filter(None, (_table(result) for result in ran))),
        "steps": steps,
        "summary": dict(summary),
        "duration": round(sum(float(result.get("duration") or 0) for result in ran), 3),
        "cluster": next((result["cluster"] for result in ran if result.get("cluster")), {}),
    }
    for key in _LISTS:
        combined[key] = _each_once(item for result in ran for item in result.get(key) or [])
    diffs = [item for result in ran for item in _diffs(result)]
    return {**combined, "diff": diffs} if diffs else combined


def _without_loop(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The results of a task that loops, or the only one."""
    several: Sequence[Mapping[str, Any]] = result.get("results", [result])
    return several


def _each_once(items: Iterator[Any]) -> list[Any]:
    """The items without repetitions: a preflight and what comes after it may tell the same finding."""
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _steps(result: Mapping[str, Any], done: str) -> Iterator[Mapping[str, Any]]:
    yield from result.get("steps") or []
    for each in _applied(result):
        outcome = done if each.get("changed") else "unchanged"
        yield {"id": f"apply:{_named(each)}", "phase": "objects", "outcome": outcome, "duration": 0, "message": ""}


def _table(result: Mapping[str, Any]) -> str:
    """The plan of a module's result, or a line per object that was applied."""
    lines = [f"apply {_named(each)}{'' if each.get('changed') else ': nothing to do'}" for each in _applied(result)]
    return "\n".join(lines) if lines else str(result.get("plan_table") or "").rstrip("\n")


def _applied(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What kubernetes.core.k8s tells of each object: one in ``result``, or several in ``result.results``."""
    told = result.get("result")
    if not isinstance(told, Mapping) or "steps" in result:
        return []
    several: list[Mapping[str, Any]] | None = told.get("results")
    return several if several is not None else [result]


def _named(each: Mapping[str, Any]) -> str:
    told = each["result"]
    return f"{told['kind']}/{told['metadata'].get('namespace', '')}/{told['metadata']['name']}"


def _diffs(result: Mapping[str, Any]) -> Iterator[Any]:
    for each in _applied(result) or [result]:
        diff = each.get("diff") or []
        yield from diff if isinstance(diff, list) else [diff]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"combined_result": combined_result}
