# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods, workloads and rules for plans; and what becomes of them when a plan is carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, POD, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import DEPLOYMENT_CONFIG
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import (
    ControllerRef,
    PodFacts,
    PodState,
    Task,
    Verdict,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout

A = "a" * 16
B = "b" * 16
BEFORE, BEGAN, AFTER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
NEW, OLD = "new-revision", "old-revision"
NEVER = Rollout("failed", "exceeded its progress deadline")
WAITING = Rollout("waiting", "Waiting for rollout to finish")


class ToyRules:
    """A mesh that reads its wishes from labels: ``inject`` (yes or no), ``fingerprint``, ``written``, ``denied``, ``verdict`` of pods."""

    target = "mesh-system/mesh"
    namespace = "mesh-system"

    def selects(self, namespace: Mapping[str, Any]) -> bool:
        return str(_labels(namespace).get("mesh", "")) == "mesh"

    def judge(self, pod: Mapping[str, Any]) -> Verdict:
        return Verdict(_labels(pod).get("verdict", "outside"))

    def injects(self, template: Mapping[str, Any]) -> bool:
        return str(_labels(template).get("inject", "yes")) == "yes"

    def denies(self, template: Mapping[str, Any]) -> str:
        return str(_labels(template).get("denied", ""))

    def written_in(self, template: Mapping[str, Any]) -> bool:
        return "written" in _labels(template)

    def fingerprint(self, template: Mapping[str, Any]) -> str:
        return str(_labels(template).get("fingerprint", A))

    def alive(self) -> list[Refusal]:
        return []

    def strip(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        spec = dict(pod["spec"])
        spec["containers"] = [item for item in spec["containers"] if item["name"] != "sidecar"]
        return {**pod, "spec": spec}


RULES = ToyRules()


def _labels(item: Mapping[str, Any]) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = (item.get("metadata") or {}).get("labels") or {}
    return labels


def a_workload(name: str = "web", kind: Kind = DEPLOYMENT, namespace: str = "shop", **fields: Any) -> Workload:
    """A workload with two replicas that has rolled out; ``labels`` are those of its template."""
    labels = fields.pop("labels", {})
    defaults: dict[str, Any] = {
        "ref": ObjectRef(kind.kind, name, namespace),
        "kind": kind,
        "uid": f"{kind.kind}/{namespace}/{name}",
        "resource_version": "7",
        "template": {"metadata": {"labels": labels, "namespace": namespace}, "spec": {}},
        "revision": NEW,
        "strategy": "RollingUpdate",
        "counts": Replicas(2, 2, 2, 2),
    }
    return Workload(**{**defaults, **fields})


def a_pod(state: PodState = "stale", number: int = 0, owner: Workload | None = None, **fields: Any) -> PodFacts:
    """A pod of the present template of ``owner``; a bare one without."""
    namespace = owner.ref.namespace if owner is not None else "shop"
    name = f"{owner.ref.name if owner is not None else 'bare'}-{number}"
    facts = PodFacts(
        namespace=namespace,
        name=name,
        uid=f"pod/{owner.uid if owner is not None else ''}/{name}",
        controller=None if owner is None else controller(owner),
        revision=owner.revision if owner is not None else "",
        token=owner.token if owner is not None else "",
        phase="Running",
        ready=True,
        deleting=False,
        mirror=False,
        verdict=Verdict(state),
        created=BEFORE,
    )
    return facts._replace(**fields)


def controller(owner: Workload) -> ControllerRef:
    """The reference that pods of a workload carry here: to itself, as if nothing were in between."""
    return ControllerRef(owner.kind.api_version, owner.kind.kind, owner.ref.name, owner.uid)


def a_scope(workloads: Sequence[Workload], pods: Iterable[PodFacts], **fields: Any) -> Scope:
    """A scope of the namespaces that pods are in."""
    pods = tuple(pods)
    return Scope(
        **{
            "namespaces": {pod.namespace: {} for pod in pods},
            "pods": pods,
            "workloads": {item.uid: item for item in workloads},
            "newest": max((pod.created for pod in pods), default=""),
            **fields,
        }
    )


def carried_out(scope: Scope, plan: RefreshPlan) -> Scope:
    """What the cluster looks like when all tasks of a plan are done."""
    for task in plan.tasks:
        scope = _done(scope, task)
    return scope


def _done(scope: Scope, task: Task) -> Scope:
    if task.kind == POD:
        return replace(scope, pods=tuple(_born_again(pod, "", "", "yes") if pod.uid == task.uid else pod for pod in scope.pods))
    before = scope.workloads[task.uid]
    after = before._replace(rollout=Rollout("done", ""))
    if task.way in ("rollout", "instantiate"):
        after = after._replace(revision=f"{before.revision}+")
    if task.way == "rollout":
        after = after._replace(token=task.token)
    if task.way == "restart_at":
        after = after._replace(token=AFTER)
    pods = tuple(_replaced(pod, task, after) for pod in scope.pods)
    return replace(scope, pods=pods, workloads={**scope.workloads, task.uid: after})


def _replaced(pod: PodFacts, task: Task, workload: Workload) -> PodFacts:
    if pod.controller is None or pod.controller.uid != task.uid or pod.deleting:
        return pod
    if task.way == "evict" and pod.name not in task.stale:
        return pod
    if workload.partition and int(pod.name.rpartition("-")[2]) < workload.partition:
        return pod
    if task.way == "wait" and pod.revision == workload.revision and pod.token == workload.token:
        return pod
    token = "" if workload.kind.group in ("argoproj.io", DEPLOYMENT_CONFIG.group) else workload.token
    return _born_again(pod, workload.revision, token, str(_labels(workload.template).get("inject", "yes")))


def _born_again(pod: PodFacts, revision: str, token: str, inject: str) -> PodFacts:
    verdict = Verdict("current" if inject == "yes" else "outside")
    return pod._replace(revision=revision, token=token, verdict=verdict, created=AFTER, uid=f"{pod.uid}+")
