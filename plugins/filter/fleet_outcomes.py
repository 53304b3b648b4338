# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each cluster of a fleet, from the results of planning and of applying."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: fleet_outcomes
short_description: What became of each cluster of a fleet
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Tells for each inventory host (a cluster) where a procedure stands, from the result of planning it and that of applying it.
  - Hosts that turn out to be the same cluster (by C(cluster.uid)) and mean the same target in it are all refused.
options:
  _input:
    description: The result of planning by host. Empty for a host that has none.
    type: dict
    required: true
  applied:
    description: The result of applying by host. Empty, or no entry, for a host that has none.
    type: dict
    default: {}
  ended:
    description:
      - Nothing more will be applied. What is still only planned becomes V(not_reached), with the clusters that stopped the run as the
        reason.
    type: bool
    default: false
seealso:
  - plugin: meshops.lifecycle.result_lines
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show a line per cluster
  ansible.builtin.debug:
    msg: "{{ planned | meshops.lifecycle.fleet_outcomes(applied) | map(attribute='line') }}"
  vars:
    planned: {east: "{{ hostvars.east.plan }}", west: "{{ hostvars.west.plan }}"}
    applied: {east: "{{ hostvars.east.upgrade | default({}) }}"}
"""

RETURN = r"""
_value:
  description: One entry per host, in the order of the input.
  type: list
  elements: dict
  contains:
    cluster:
      description: The host.
      type: str
    outcome:
      description:
        - V(unplanned) when there is no plan, V(refused) when the plan may not be applied, V(planned) when it was not applied (yet).
        - V(not_reached) when it will not be applied any more because the run was stopped.
        - V(changed), V(unchanged) or V(failed) when it was applied.
      type: str
    changed:
      description: Whether anything was written, or for V(planned) would be.
      type: bool
    before:
      description: The version found.
      type: str
    after:
      description: The version that is there now (also after a rollback that is proven), or for V(planned) would be. Empty when it is not
        known.
      type: str
    target:
      description: What the procedure worked on, for instance V(osm-system/osm).
      type: str
    plan_id:
      description: The id of the plan.
      type: str
    duration:
      description: Seconds that applying took; for V(planned) and before, planning.
      type: float
    reason:
      description: Why it is not at its target.
      type: str
    next:
      description: What to do about it.
      type: str
    server:
      description: URL of the API server.
      type: str
    uid:
      description: UID of the cluster's namespace C(kube-system).
      type: str
    what:
      description: What it is about in a few words, such as V(1.2.3 → 1.3.9) or V(298 of 312 pods refreshed).
      type: str
    stale_pods:
      description: Number of pods that run another sidecar than they would get now, and that the procedure leaves as they are.
      type: int
    line:
      description: All of it that matters in one line.
      type: str
    plan:
      description: The plan.
      type: dict
    steps:
      description: What became of each step.
      type: list
      elements: dict
    rollback:
      description: What became of each step of the way back, when an upgrade that failed was taken back.
      type: list
      elements: dict
    findings:
      description: What there is to know.
      type: list
      elements: dict
    refresh:
      description: Workloads whose pods run another sidecar than they would get now.
      type: list
      elements: dict
    workloads:
      description: Workloads whose pods were not all replaced as they should, and why.
      type: list
      elements: dict
    leftovers:
      description: Pods that the procedure does not replace, by reason, and what to do about them.
      type: list
      elements: dict
    artefacts:
      description: Everything of a mesh that is uninstalled, with what became of it and why. Where applying failed before it looked again,
        what was planned.
      type: list
      elements: dict
    set:
      description: The backup set that was made.
      type: dict
    snapshot:
      description: The snapshot of etcd that belongs to it.
      type: dict
    left_out:
      description: What is not in the set, and why.
      type: list
      elements: dict
    resume_commands:
      description: The commands that bring a hosted cluster back that was stopped.
      type: list
      elements: str
"""

# In check mode a planner sees this finding; for an apply it means a refusal before its first write.
_NOT_PERMITTED = "apply-needs-permissions"
_FATES = {"to_remove": "to remove", "gone": "gone", "kept": "kept", "failed": "not removed"}
# Done, and to be done.
_ENROLLED = {"present": ("enrolled", "to enrol"), "absent": ("taken out", "to take out")}
_STALE = ("runs another sidecar than new pods would get", "run another sidecar than new pods would get")
_OF_CONNECTION = "The filter plugin 'meshops.lifecycle.cluster_connection' failed: "
_OF_HOSTED_CLUSTERS = "hosted_cluster_"
_STOPPING = ("unplanned", "refused", "failed")
_NOT_REACHED = {"outcome": "not_reached", "changed": False, "after": "", "next": "run it again for this cluster"}


def fleet_outcomes(
    planned: Mapping[str, Mapping[str, Any]], applied: Mapping[str, Mapping[str, Any]] | None = None, ended: bool = False
) -> list[dict[str, Any]]:
    """One record per host of ``planned``; the keys are those of RETURN."""
    twins = _same_target(planned)
    records = [_record(host, plan, (applied or {}).get(host) or {}, twins.get(host, [])) for host, plan in planned.items()]
    if ended:
        stoppers = [record["cluster"] for record in records if record["outcome"] in _STOPPING]
        for record in records:
            if record["outcome"] == "planned":
                record.update(_NOT_REACHED, reason=f"the run was stopped because of {', '.join(stoppers)}")
    return [{**record, "line": _line(record)} for record in records]


def _same_target(planned: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """For each host that means what another one means: the names of those others."""
    hosts = defaultdict(list)
    for host, plan in planned.items():
        uid = (plan.get("cluster") or {}).get("uid")
        if uid and not _failed(plan):
            hosts[uid, plan["plan"]["target"]].append(host)
    return {host: [other for other in group if other != host] for group in hosts.values() for host in group if len(group) > 1}


def _record(host: str, plan: Mapping[str, Any], apply: Mapping[str, Any], twins: list[str]) -> dict[str, Any]:
    result = apply or plan
    summary = {**(plan.get("summary") or {}), **(apply.get("summary") or {})}
    outcome, reason, next_step = _applied(apply) if apply else _planned(plan, twins)
    # An upgrade that is proven stays one when the refresh after it fails.
    at_rest = outcome in ("planned", "changed", "unchanged") or summary.get("refresh") == "failed"
    rollback = apply.get("rollback") or {}
    rolled_back_to = str(rollback.get("version") or "") if rollback.get("proven") else ""
    artefacts = result.get("artefacts") or plan.get("artefacts") or []
    record = {
        "cluster": host,
        "outcome": outcome,
        "changed": bool(result.get("changed")) and outcome not in ("unplanned", "refused"),
        "before": str(summary.get("before") or ""),
        "after": str(summary.get("after") or "") if at_rest else rolled_back_to,
        "target": str((plan.get("plan") or {}).get("target") or ""),
        "plan_id": str((plan.get("plan") or {}).get("id") or ""),
        "duration": round(float(result.get("duration") or 0), 1),
        "reason": reason,
        "next": next_step,
        "server": str((result.get("cluster") or {}).get("server") or ""),
        "uid": str((result.get("cluster") or {}).get("uid") or ""),
        "what": "",
        "stale_pods": int(summary.get("stale_pods") or summary.get("leftover_pods") or 0),
        "plan": plan.get("plan") or {},
        "rollback": rollback.get("steps") or [],
        **{key: result.get(key) or [] for key in ("steps", "findings", "refresh", "workloads", "leftovers")},
        "artefacts": artefacts,
        # In check mode it is nowhere yet.
        "set": made if (made := result.get("set") or {}).get("path") or made.get("uploaded_to") else {},
        "snapshot": result.get("snapshot") or {},
        # Of a run that failed before it looked, what the plan said.
        **{key: result.get(key) or plan.get(key) or [] for key in ("left_out", "resume_commands")},
    }
    return {**record, "what": _what(plan, record, summary)}


def _planned(plan: Mapping[str, Any], twins: list[str]) -> tuple[str, str, str]:
    """Outcome, reason and what to do of a host to which nothing was applied."""
    if not plan:
        return "unplanned", "the host did not answer", "see the host's own error above"
    if _failed(plan):
        return "refused" if plan.get("refusals") else "unplanned", _message(plan), str(plan.get("next") or "")
    if twins:
        what = "hosted cluster" if _procedure(plan).startswith(_OF_HOSTED_CLUSTERS) else "mesh"
        reason = f"the same {what} of the same cluster as {', '.join(twins)} (uid {plan['cluster']['uid']})"
        return "refused", reason, "take all but one of them out of the inventory or the limit, or correct their connection"
    for finding in plan.get("findings") or []:
        if finding["code"] == _NOT_PERMITTED:
            return "refused", finding["what"], finding["remedy"]
    return "planned", "", ""


def _applied(apply: Mapping[str, Any]) -> tuple[str, str, str]:
    if _failed(apply):
        return "failed", _message(apply), str(apply.get("next") or "")
    return "changed" if apply.get("changed") else "unchanged", "", ""


def _failed(result: Mapping[str, Any]) -> bool:
    return bool(result.get("failed")) or not result.get("plan")


def _message(result: Mapping[str, Any]) -> str:
    # Ansible tells what every layer failed at before it comes to the reason.
    return " ".join(str(result.get("msg") or "it ended without a result").split()).rpartition(_OF_CONNECTION)[2]


def _what(plan: Mapping[str, Any], record: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    if "artefacts" in plan:
        return _artefacts(record["artefacts"])
    if _procedure(plan).startswith(_OF_HOSTED_CLUSTERS):
        return _backup(plan, record)
    return _pods(summary, record["outcome"]) or _versions(record)


def _backup(plan: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """For instance ``online backup, prod-20261121T231500Z-1f3a9c, snapshot of 104.9 MB``."""
    parts = [f"{(plan.get('index') or {}).get('mode', '')} backup".strip()]
    if record["set"]:
        parts.append(str(record["set"].get("run_id", "")))
    if record["snapshot"].get("size"):
        parts.append(f"snapshot of {record['snapshot']['size'] / 1e6:.1f} MB")
    return ", ".join(parts)


def _procedure(plan: Mapping[str, Any]) -> str:
    return str((plan.get("plan") or {}).get("procedure") or "")


def _versions(record: Mapping[str, Any]) -> str:
    before, after = record["before"] or "?", record["after"]
    return f"{before} → {after}" if after and after != before else before


def _artefacts(artefacts: list[Mapping[str, Any]]) -> str:
    """For instance ``31 artefacts gone, 4 kept``."""
    counts = Counter(artefact["outcome"] for artefact in artefacts)
    if not counts:
        return "nothing of a mesh"
    first, *others = [(counts[outcome], fate) for outcome, fate in _FATES.items() if counts[outcome]]
    noun = "artefact" if first[0] == 1 else "artefacts"
    return ", ".join([f"{first[0]} {noun} {first[1]}", *(f"{count} {fate}" for count, fate in others)])


def _pods(summary: Mapping[str, Any], outcome: str) -> str:
    """What a procedure that replaces pods is about; empty for one that goes from one version to another."""
    if "before" in summary or "pods" not in summary:
        return ""
    done = outcome in ("changed", "unchanged", "failed")
    waiting = summary.get("pods_to_refresh", summary["pods"] - summary.get("current_pods", 0) - summary.get("leftover_pods", 0))
    pods = f"{summary.get('refreshed_pods', 0)}{{}} pods refreshed" if done else f"{waiting}{{}} pods to refresh"
    if "enrolled" not in summary:
        return pods.format(f" of {summary['pods']}")
    enrolled = _ENROLLED[summary["state"]][not done]
    return f"{summary['enrolled']} of {summary['namespaces']} namespaces {enrolled}, {pods.format('')}"


def _line(record: Mapping[str, Any]) -> str:
    """For instance ``east  1.2.3 → 1.3.9  changed  31.4 s  (12 pods still run an older sidecar)``."""
    outcome = "nothing to do" if record["outcome"] == "planned" and not record["changed"] else record["outcome"].replace("_", " ")
    line = f"{record['cluster']}  {record['what']}  {outcome}  {record['duration']:.1f} s"
    if record["reason"]:
        return f"{line}: {record['reason']}"
    if record["stale_pods"] and record["outcome"] != "planned":
        one, several = ("has a sidecar", "have a sidecar") if record["artefacts"] else _STALE
        pods = f"1 pod still {one}" if record["stale_pods"] == 1 else f"{record['stale_pods']} pods still {several}"
        return f"{line}  ({pods})"
    return line


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"fleet_outcomes": fleet_outcomes}
