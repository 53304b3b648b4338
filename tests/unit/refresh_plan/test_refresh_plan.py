# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of whole plans: they end, touch nothing else, and name nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CRONJOB,
    DAEMONSET,
    DEPLOYMENT,
    JOB,
    REPLICASET,
    REPLICATION_CONTROLLER,
    STATEFULSET,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import ARGO_ROLLOUT, DEPLOYMENT_CONFIG, Owner
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import (
    ControllerRef,
    Options,
    PodFacts,
    PodState,
    State,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_leftovers import CODES
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan, plan_refresh
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import restart_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import (
    BEFORE,
    NEVER,
    NEW,
    OLD,
    RULES,
    WAITING,
    A,
    B,
    a_pod,
    a_scope,
    a_workload,
    carried_out,
    controller,
)

KINDS = (DEPLOYMENT, STATEFULSET, DAEMONSET, REPLICASET, REPLICATION_CONTROLLER, DEPLOYMENT_CONFIG, ARGO_ROLLOUT)
TOKENS = ("", A, f"{A}.2", B, f"{A}.t{restart_id('rotate')}", "something else")
NAMESPACES = ("mesh-system", "shop", "stock")


@st.composite
def workloads(draw: st.DrawFn, number: int) -> tuple[Workload, list[PodFacts]]:
    """A workload in any state, and its pods: those of the present template carry its token."""
    kind = draw(st.sampled_from(KINDS))
    desired = draw(st.integers(0, 4))
    labels: dict[str, str] = draw(
        st.fixed_dictionaries({"inject": st.sampled_from(["yes", "yes", "no"])}, optional={"fingerprint": st.sampled_from([A, B])})
    )
    labels |= draw(st.sampled_from([{}, {}, {}, {"written": "1"}, {"denied": "wrong"}]))
    strategy = draw(st.sampled_from(["RollingUpdate", "OnDelete"])) if kind in (STATEFULSET, DAEMONSET) else ""
    owner = a_workload(
        f"app{number}",
        kind,
        draw(st.sampled_from(NAMESPACES)),
        labels=labels,
        token=BEFORE if kind == ARGO_ROLLOUT else "" if kind == DEPLOYMENT_CONFIG else draw(st.sampled_from(TOKENS)),
        revision=draw(st.sampled_from([NEW, ""])),
        strategy=strategy,
        partition=draw(st.sampled_from([0, 0, 1, 3])) if kind == STATEFULSET and strategy == "RollingUpdate" else 0,
        paused=draw(st.booleans()) if kind in (DEPLOYMENT, DEPLOYMENT_CONFIG) else False,
        counts=Replicas(desired, desired, desired, desired),
        rollout=draw(st.sampled_from([Rollout("done", ""), WAITING, NEVER])),
    )
    return owner, [draw(pods(owner, at)) for at in range(draw(st.integers(0, 4)))]


@st.composite
def pods(draw: st.DrawFn, owner: Workload, number: int) -> PodFacts:
    states: list[PodState] = ["current", "stale", "missing", "unexpected", "outside"]
    state = draw(st.sampled_from(states))
    own_token = "" if owner.kind in (ARGO_ROLLOUT, DEPLOYMENT_CONFIG) else owner.token
    pod = a_pod(state, number, owner, token=own_token, deleting=draw(st.sampled_from([False, False, False, True])))
    return pod._replace(revision=OLD if owner.revision else "", token=draw(st.sampled_from(TOKENS))) if draw(st.booleans()) else pod


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    drawn = [draw(workloads(number)) for number in range(draw(st.integers(1, 3)))]
    bare = [a_pod(draw(st.sampled_from(["current", "stale", "missing"])), number) for number in range(draw(st.integers(0, 2)))]
    every = [pod for _owner, own in drawn for pod in own] + bare
    return a_scope([owner for owner, _own in drawn], every, namespaces={"shop": {}, "mesh-system": {}}, bare=_raw(bare))


def _raw(bare: list[PodFacts]) -> dict[str, Any]:
    return {
        pod.uid: {
            "metadata": {"name": pod.name, "namespace": pod.namespace, "resourceVersion": "3"},
            "spec": {"containers": [{"name": "app"}]},
        }
        for pod in bare
    }


STATES: st.SearchStrategy[State] = st.sampled_from(["current", "absent", "restarted"])


@settings(max_examples=150, deadline=None)
@given(scopes(), STATES, st.sampled_from(["", "rotate", "once more"]), st.booleans())
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(scope: Scope, state: State, token: str, recreate: bool) -> None:
    options = Options(state=state, token=token, recreate_bare_pods=recreate)
    plan = plan_refresh(scope, RULES, options)
    after = carried_out(scope, plan)
    again = plan_refresh(after, RULES, replace(options, began=scope.newest))
    assert again.tasks == ()
    assert again.leftovers == plan.leftovers


@settings(max_examples=100, deadline=None)
@given(scopes(), STATES, st.booleans())
def test_nothing_is_planned_twice_or_outside_the_scope(scope: Scope, state: State, recreate: bool) -> None:
    plan = plan_refresh(scope, RULES, Options(state=state, recreate_bare_pods=recreate))
    assert {task.object.namespace for task in plan.tasks} | {item.object.namespace for item in plan.leftovers} <= {"shop"}
    assert max(Counter(task.uid for task in plan.tasks).values(), default=1) == 1
    assert {item.code for item in plan.leftovers} <= CODES
    own = {pod.name for pod in scope.pods if not pod.deleting}
    assert all(set(task.stale) <= own for task in plan.tasks)
    assert all(task.pods > 0 for task in plan.tasks if task.way != "wait")
    assert all(task.token for task in plan.tasks if task.way == "rollout")
    assert all(task.token != task.token_before for task in plan.tasks if task.way == "rollout")


@settings(max_examples=100, deadline=None)
@given(scopes(), STATES)
def test_every_pod_that_needs_something_is_in_a_task_or_told(scope: Scope, state: State) -> None:
    plan = plan_refresh(scope, RULES, Options(state=state))
    told = {task.object for task in plan.tasks} | {item.object for item in plan.leftovers}
    for pod in scope.pods:
        if pod.deleting or pod.namespace != "shop" or not _wants(pod, state):
            continue
        owner = scope.workloads[pod.controller.uid] if pod.controller is not None else None
        if owner is None:
            assert pod.name in {item.name for item in told}
        elif owner.counts.desired:
            assert owner.ref in told


def _wants(pod: PodFacts, state: State) -> bool:
    return pod.verdict.state in ("stale", "missing", "unexpected") if state == "current" else pod.verdict.has_sidecar


def test_an_interrupted_run_goes_on_with_what_is_left() -> None:
    web, api = a_workload("web"), a_workload("api")
    scope = a_scope([web, api], [a_pod("stale", 0, web), a_pod("stale", 0, api)])
    plan = plan_refresh(scope, RULES, Options())
    first = RefreshPlan(tasks=plan.tasks[:1])
    again = plan_refresh(carried_out(scope, first), RULES, Options())
    assert again.tasks == plan.tasks[1:]


def test_there_and_back_again_replaces_pods_each_time_and_never_more() -> None:
    web = a_workload("web", labels={"fingerprint": A})
    scope = a_scope([web], [a_pod("stale", 0, web)])
    seen = []
    for fingerprint in (A, A, B, A, A):
        own = scope.workloads[web.uid]
        template = {**own.template, "metadata": {**own.template["metadata"], "labels": {"fingerprint": fingerprint}}}
        scope = replace(scope, workloads={web.uid: own._replace(template=template)})
        plan = plan_refresh(scope, RULES, Options())
        seen.append([task.token for task in plan.tasks])
        scope = carried_out(scope, plan)
    assert seen == [[A], [], [B], [A], []]


# Owners that cannot replace pods


def owned(kind: str, api_version: str = "batch/v1", **owner: Any) -> RefreshPlan:
    ref = ControllerRef(api_version, kind, "nightly", "uid-1")
    pod = a_pod("stale", 0)._replace(controller=ref)
    return plan_refresh(a_scope([], [pod], owners={"uid-1": Owner(ref, "shop", **owner)}), RULES, Options())


def only(plan: RefreshPlan) -> tuple[str, str, str]:
    assert plan.tasks == ()
    (left,) = plan.leftovers
    return left.code, str(left.object), left.what


def test_a_job_is_told() -> None:
    assert only(owned(JOB.kind))[:2] == ("job", "Job shop/nightly")


def test_a_cron_job_is_told_as_itself() -> None:
    cron = ControllerRef("batch/v1", CRONJOB.kind, "every-night", "uid-2")
    assert only(owned(JOB.kind, controller=cron))[:2] == ("cron-job", "CronJob shop/every-night")


def test_an_unknown_owner_is_told_with_its_group() -> None:
    code, name, what = only(owned("CloneSet", "apps.kruise.io/v1alpha1"))
    assert (code, name) == ("unknown-owner", "CloneSet shop/nightly")
    assert "CloneSet (apps.kruise.io)" in what


def test_owners_that_are_gone_or_may_not_be_read_are_told() -> None:
    assert only(owned("ReplicaSet", "apps/v1", state="gone"))[0] == "owner-gone"
    assert only(owned("ReplicaSet", "apps/v1", state="unread"))[0] == "owner-unread"


def test_pods_of_several_replica_sets_are_one_task() -> None:
    web = a_workload("web")
    refs = [ControllerRef("apps/v1", "ReplicaSet", f"web-{at}", f"rs-{at}") for at in (1, 2)]
    owners = {ref.uid: Owner(ref, "shop", controller(web)) for ref in refs}
    scope = a_scope([web], [a_pod("stale", at, web)._replace(controller=ref) for at, ref in enumerate(refs)], owners=owners)
    (task,) = plan_refresh(scope, RULES, Options()).tasks
    assert task.object == web.ref


# Pods without controller


def test_bare_pods_are_told_or_created_again() -> None:
    pod = a_pod("stale")
    scope = a_scope([], [pod], bare=_raw([pod]))
    assert only(plan_refresh(scope, RULES, Options()))[0] == "bare-pod"
    (task,) = plan_refresh(scope, RULES, Options(recreate_bare_pods=True)).tasks
    assert (task.way, task.pods, task.stale, task.resource_version) == ("recreate", 1, ("bare-0",), "3")
    assert task.manifest is not None
    assert task.manifest["metadata"] == {"name": "bare-0", "namespace": "shop"}


def test_a_bare_pod_that_would_lose_something_is_told() -> None:
    pod = a_pod("stale")
    raw = _raw([pod])
    raw[pod.uid]["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}]
    code, _name, what = only(plan_refresh(a_scope([], [pod], bare=raw), RULES, Options(recreate_bare_pods=True)))
    assert code == "bare-pod-unsafe"
    assert "the data in volume cache" in what


def test_a_mirror_pod_is_never_touched() -> None:
    pod = a_pod("missing", mirror=True)
    assert only(plan_refresh(a_scope([], [pod]), RULES, Options(recreate_bare_pods=True)))[0] == "mirror-pod"


# Order and counts


def test_what_is_ordered_goes_first_and_the_rest_by_name() -> None:
    apps = [a_workload(name, namespace=namespace) for namespace in ("stock", "shop", "mail") for name in ("web", "api")]
    apps.append(a_workload("zoo", namespace="shop", labels={"tier": "front"}))
    scope = a_scope(apps, [a_pod("stale", 0, app) for app in apps])
    namespaces = {"stock": {"first": "yes"}, "shop": {}, "mail": {}}
    plan = plan_refresh(replace(scope, namespaces=namespaces), RULES, Options(ordered=("tier=front", "first=yes", "shop", "nothing")))
    assert [f"{task.object.namespace}/{task.object.name}" for task in plan.tasks] == [
        "shop/zoo",
        "stock/api",
        "stock/web",
        "shop/api",
        "shop/web",
        "mail/api",
        "mail/web",
    ]


def test_a_label_that_nothing_has_is_told_when_something_is_ordered() -> None:
    web = a_workload(labels={"tier": "front"})
    ordered = Options(ordered=("tier=front", "tier=back", "team=a", "web"))
    scope = a_scope([web], [a_pod("stale", 0, web)], namespaces={"shop": {"team": "a"}})
    assert [item.what for item in plan_refresh(scope, RULES, ordered).findings] == ["tier=back in ordered has no effect"]
    nothing = a_scope([web], [a_pod("current", 0, web)])
    assert plan_refresh(nothing, RULES, ordered).findings == ()


def test_counts_and_the_estimate() -> None:
    web = a_workload("web", counts=Replicas(150, 150, 150, 150))
    scope = a_scope([web], [a_pod("stale", 0, web), a_pod("current", 1, web), a_pod("outside", 2, web), a_pod("missing", 3)])
    assert plan_refresh(scope, RULES, Options(pods_per_minute=50)).counts == {
        "namespaces": 1,
        "pods": 3,
        "current_pods": 1,
        "workloads": 1,
        "estimate_seconds": 180,
    }
    assert plan_refresh(scope, RULES, Options(pods_per_minute=0)).counts["estimate_seconds"] == 90


def test_what_may_not_be_read_is_a_finding() -> None:
    plan = plan_refresh(a_scope([], [], unread=("get things.example.com in namespace shop",)), RULES, Options())
    assert [(finding.code, finding.severity) for finding in plan.findings] == [("owner-unread", "warning")]
