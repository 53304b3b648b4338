# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a procedure as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

DOCUMENTATION = r"""
name: result_lines
short_description: The result of a procedure as lines for people
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Turns the result of a module that carries out a procedure, for instance M(meshops.lifecycle.mesh_upgrade), into a list of lines.
  - They show the plan, or when it was applied what became of each step, and then what there is to know.
  - Of a refresh of sidecars they show the pods that are left, by reason.
  - Of an uninstallation they show all that goes, and all that stays with the reason.
  - Of a backup they show the set, its snapshot, what is not in it, and the commands that bring back a hosted cluster that was stopped.
options:
  _input:
    description: The registered result.
    type: dict
    required: true
seealso:
  - plugin: meshops.lifecycle.fleet_outcomes
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what was done
  ansible.builtin.debug:
    msg: "{{ upgrade | meshops.lifecycle.result_lines | meshops.lifecycle.readable }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - "mesh_upgrade osm-system/osm: nothing to do"
"""

# What becomes of an artefact, in the order of the lines; why it is still there is what the reader must know.
_FATES = {"failed": "not removed", "to_remove": "to remove", "kept": "kept", "gone": "gone"}
_EXPLAINED = ("kept", "failed")
_MOST_NAMES = 20


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """Lines for the plan or the steps of ``result``, then for its findings; findings of severity ``info`` are left to the report."""
    steps = result.get("steps") or []
    applied = any(step["outcome"] not in ("would_do", "not_run") for step in steps)
    lines = list(_steps(steps)) if applied else str(result.get("plan_table", "")).splitlines()
    artefacts, leftovers, findings = (result.get(key) or [] for key in ("artefacts", "leftovers", "findings"))
    return [*lines, *_artefacts(artefacts), *_leftovers(leftovers), *_set(result), *_findings(findings), *_resume(result)]


def _steps(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    width = max(len(step["id"]) for step in steps)
    for step in steps:
        message = f"  {step['message']}" if step.get("message") else ""
        yield f"{step['outcome']:<9}  {step.get('duration') or 0:6.1f} s  {step['id']:<{width if message else 0}}{message}"


def _artefacts(artefacts: list[Mapping[str, Any]]) -> Iterator[str]:
    """For instance ``kept (2) osm-crd: CustomResourceDefinition a, b: not asked for``; those of one row, kind and fate together."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for artefact in sorted(artefacts, key=lambda each: list(_FATES).index(each["outcome"])):
        about, why = artefact["object"], f": {artefact['why']}" if artefact["outcome"] in _EXPLAINED else ""
        groups.setdefault((artefact["outcome"], artefact["what"], about["kind"], why), []).append(_place(about) + _count(artefact))
    for (outcome, what, kind, why), names in groups.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        yield f"{_FATES[outcome]} ({len(names)}) {what}: {kind} {', '.join(names[:_MOST_NAMES])}{more}{why}"


def _count(artefact: Mapping[str, Any]) -> str:
    """How many objects are behind it (custom resources of a definition, Secrets of a namespace) when it is not just one: ``" (12)"``."""
    count = artefact.get("count", 1)
    return "" if count in (0, 1) else f" ({'not counted' if count is None else count})"


def _leftovers(leftovers: list[Mapping[str, Any]]) -> Iterator[str]:
    """For instance ``left (1 pod): no controller would create it again: Pod shop/debug. Remedy: use bare_pods: recreate``."""
    for group in leftovers:
        more = f" and {group['more']} more" if group.get("more") else ""
        pods = f"{group['pods']} pod{'' if group['pods'] == 1 else 's'}"
        yield f"left ({pods}): {group['reason']}: {', '.join(group['objects'])}{more}. Remedy: {group['remedy']}"


def _set(result: Mapping[str, Any]) -> Iterator[str]:
    """Where a backup is, and what it does not have; in check mode there is no place yet."""
    made, snapshot = result.get("set") or {}, result.get("snapshot") or {}
    places = [place for place in (made.get("path"), made.get("uploaded_to")) if place]
    if places:
        yield f"set {made['run_id']}: {' and '.join(places)}, {made['files']} files, {made['bytes']} bytes"
    if snapshot:
        about = f"{snapshot.get('size')} bytes, revision {snapshot.get('revision')}, sha256 {snapshot.get('sha256')}"
        yield f"snapshot: s3://{snapshot.get('bucket')}/{snapshot.get('key')}, {about}"
    left = [f"{item['what']}{f' ({number})' if (number := item.get('number')) else ''}" for item in result.get("left_out") or []]
    if left:
        yield f"not in the set, for reasons that left_out and the report have: {'; '.join(left)}"


def _resume(result: Mapping[str, Any]) -> Iterator[str]:
    commands = result.get("resume_commands") or []
    if commands:
        yield "The hosted cluster is stopped. These commands bring it back:"
        yield from (f"  {command}" for command in commands)


def _findings(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    for finding in findings:
        if finding["severity"] != "info":
            yield f"{finding['severity']}: {_object(finding)}{finding['what']}. {finding['why']}. Remedy: {finding['remedy']}"


def _object(finding: Mapping[str, Any]) -> str:
    """For instance ``Deployment osm-system/osm-controller: ``; empty where the finding names none."""
    about = finding.get("object") or {}
    if not about.get("name") or about["name"] in finding["what"]:
        return ""
    return f"{about.get('kind', '')} {_place(about)}: "


def _place(about: Mapping[str, Any]) -> str:
    return f"{about['namespace']}/{about['name']}" if about.get("namespace") else str(about["name"])


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"result_lines": result_lines}
