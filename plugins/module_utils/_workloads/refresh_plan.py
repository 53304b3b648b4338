# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a refresh: which workloads, in which order and which way, and what is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import Climb, climb
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_copy import copy_of, risks
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, Options, PodFacts, SidecarRules, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_leftovers import leftover
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_needs import Need, reason_to_replace
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_ways import NOTHING, Decision, decide, obstacle

# What the written procedure reckons with, for plans without a limit.
_PODS_PER_MINUTE = 100


@dataclass(frozen=True)
class RefreshPlan:
    """``tasks`` in the order in which they are begun.

    ``counts``: ``namespaces`` in scope; their ``pods`` that have or would get a sidecar, and of these ``current_pods``, which may stay;
    ``workloads`` to refresh or to wait for; ``estimate_seconds`` that the pace takes for them.
    """

    tasks: tuple[Task, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def plan_refresh(scope: Scope, rules: SidecarRules, options: Options) -> RefreshPlan:
    """Return the plan for what was read.

    Order: what ``options.ordered`` names comes first, in its order; then by namespace, kind and name.
    """
    pods = [pod for pod in scope.pods if not pod.deleting and pod.namespace in scope.namespaces and pod.namespace != rules.namespace]
    decisions = [*_decisions(pods, scope, rules, options)]
    tasks = [decision.task for decision in decisions if decision.task is not None]
    tasks.sort(key=lambda task: (_rank(task, scope, options.ordered), _place(task.object)))
    left = [item for decision in decisions for item in decision.leftovers]
    in_mesh = sum(1 for pod in pods if pod.verdict.state != "outside")
    return RefreshPlan(
        tasks=tuple(tasks),
        leftovers=tuple(sorted(left, key=lambda item: (item.code, _place(item.object)))),
        refusals=scope.refusals,
        findings=(*scope.findings, *_findings(scope), *_without_order(scope, tasks, options.ordered)),
        counts={
            "namespaces": len(scope.namespaces),
            "pods": in_mesh,
            "current_pods": in_mesh - sum(decision.needy for decision in decisions),
            "workloads": len(tasks),
            "estimate_seconds": _estimate(tasks, options.pods_per_minute),
        },
    )


def _decisions(pods: Iterable[PodFacts], scope: Scope, rules: SidecarRules, options: Options) -> Iterator[Decision]:
    # The pods of a Deployment have several ReplicaSets, and one end.
    ends: dict[str, tuple[Climb, list[PodFacts]]] = {}
    climbed: dict[str, Climb] = {}
    for pod in pods:
        if pod.mirror or pod.controller is None:
            yield _lonely(pod, scope, rules, options)
            continue
        end = climbed.get(pod.controller.uid)
        if end is None:
            end = climbed[pod.controller.uid] = climb(pod.controller, scope.owners, scope.workloads)
        ends.setdefault(end.ref.uid, (end, []))[1].append(pod)
    for end, members in ends.values():
        if end.end == "workload":
            yield decide(scope.workloads[end.ref.uid], members, rules, options)
        else:
            yield _of_another(end, members, options)


def _of_another(end: Climb, pods: Sequence[PodFacts], options: Options) -> Decision:
    """Return what is left of pods that belong to nothing that could replace them."""
    needy = sum(1 for pod in pods if _reason(pod, options))
    # Owners that were not read have no pod that needs anything.
    if not needy or end.end in ("to-read", "workload"):
        return NOTHING
    ref = ObjectRef(end.ref.kind, end.ref.name, pods[0].namespace)
    code = {"job": "job", "cron-job": "cron-job", "gone": "owner-gone", "unread": "owner-unread"}.get(end.end, "unknown-owner")
    group = end.ref.api_version.rpartition("/")[0]
    return Decision(None, (leftover(code, ref, needy, f"{end.ref.kind} ({group})" if group else end.ref.kind),), needy)


def _lonely(pod: PodFacts, scope: Scope, rules: SidecarRules, options: Options) -> Decision:
    """Decide about a pod without controller."""
    reason = _reason(pod, options)
    if not reason:
        return NOTHING
    ref = ObjectRef("Pod", pod.name, pod.namespace)
    raw = scope.bare.get(pod.uid)
    if pod.mirror or not options.recreate_bare_pods or raw is None:
        return Decision(None, (leftover("mirror-pod" if pod.mirror else "bare-pod", ref, 1),), 1)
    try:
        manifest = copy_of(raw, rules)
    except LifecycleError as error:
        return Decision(None, (leftover("bare-pod-unsafe", ref, 1, str(error)),), 1)
    unsafe = risks(raw, manifest)
    blocked = obstacle(manifest, ref, 1, rules, options)
    if blocked is None and unsafe:
        blocked = leftover("bare-pod-unsafe", ref, 1, "; ".join(unsafe))
    if blocked is not None:
        return Decision(None, (blocked,), 1)
    metadata = raw["metadata"]
    task = Task(
        id=step_id("recreate", ref),
        object=ref,
        kind=POD,
        way="recreate",
        pods=1,
        reason=reason,
        uid=pod.uid,
        resource_version=metadata.get("resourceVersion", ""),
        stale=(pod.name,),
        manifest=manifest,
    )
    return Decision(task, (), 1)


def _reason(pod: PodFacts, options: Options) -> str:
    return reason_to_replace(pod, Need(options.state, began=options.began))


def _rank(task: Task, scope: Scope, ordered: Sequence[str]) -> int:
    namespace = task.object.namespace
    places = [scope.namespaces.get(namespace) or {}]
    if ordered and task.uid in scope.workloads:
        metadata: Mapping[str, Any] = scope.workloads[task.uid].template["metadata"]
        places.append(metadata.get("labels") or {})
    return rank(namespace, places, ordered)


def rank(namespace: str, places: Sequence[Mapping[str, str]], ordered: Sequence[str]) -> int:
    """Return the place in ``ordered``: names of namespaces, or ``key=value`` labels of the namespace or of the pod template."""
    for at, entry in enumerate(ordered):
        key, equals, value = entry.partition("=")
        if any(labels.get(key) == value for labels in places) if equals else entry == namespace:
            return at
    return len(ordered)


def _without_order(scope: Scope, tasks: Sequence[Task], ordered: Sequence[str]) -> Iterator[Finding]:
    """Yield the labels in ``ordered`` that nothing to do has; names are looked at where all namespaces are known."""
    for entry in ordered:
        if "=" in entry and tasks and not any(_rank(task, scope, [entry]) == 0 for task in tasks):
            yield Finding(
                "info",
                "matches-nothing",
                ObjectRef("Option", "ordered"),
                f"{entry} in ordered has no effect",
                "no workload that is refreshed now has this label in its pod template, and none is in a namespace that has it",
                "correct ordered if that is a surprise",
            )


def _place(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.namespace, ref.kind, ref.name


def _estimate(tasks: Iterable[Task], pods_per_minute: int) -> int:
    pods = sum(task.pods for task in tasks if task.way != "wait")
    return round(pods * 60 / (pods_per_minute or _PODS_PER_MINUTE))


def _findings(scope: Scope) -> Iterator[Finding]:
    for what in scope.unread:
        yield Finding(
            "warning",
            "owner-unread",
            ObjectRef("SelfSubjectAccessReview", what),
            f"owners of pods could not be read: {what}",
            "how their pods are replaced is not known, so they are left as they are",
            "grant it (the module's documentation has the ClusterRole), then run again",
        )
