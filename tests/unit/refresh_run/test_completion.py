# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When workloads of every kind are done, whose mark is gone, which pods belong to whom."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import (
    RC_PHASE,
    counts_of,
    desired_pods,
    exhausted_budget,
    mark_lost,
    quiet_seconds,
    stamp_of,
    status_of,
    writers,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.proof import prove
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import secret_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.stall import tell
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Cause, Trouble
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.workload_pods import selector_text

from .simulated_cluster import NEW, OLD, SimulatedCluster, SimulatedRules

Object = dict[str, Any]


def workload(kind: str, spec: Object | None = None, status: Object | None = None, **metadata: Any) -> Object:
    return {"kind": kind, "metadata": {"name": "a", "namespace": "ns", **metadata}, "spec": spec or {}, "status": status or {}}


def controller(phase: str) -> Object:
    return {"metadata": {"name": "a-4", "annotations": {RC_PHASE: phase} if phase else {}}}


@pytest.mark.parametrize(
    ("mark", "latest", "phase", "state"),
    [
        ("4", 4, "Complete", "done"),
        ("3", 4, "Complete", "done"),
        ("4", 4, "Failed", "failed"),
        ("4", 4, "Running", "waiting"),
        ("4", 4, "", "waiting"),
        ("5", 4, "Complete", "waiting"),
        ("", 4, "Complete", "done"),
    ],
)
def test_a_deployment_config_is_done_when_its_newest_controller_is(mark: str, latest: int, phase: str, state: str) -> None:
    config = workload("DeploymentConfig", {"replicas": 2}, {"latestVersion": latest})
    assert status_of(config, mark, {"a-4": controller(phase)}).state == state
    assert status_of(config, "4", {}).state == "waiting"


MARK = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("restarted", "available", "state"),
    [(MARK, 2, "done"), (MARK, 1, "waiting"), ("2025-01-01T00:00:00Z", 2, "waiting"), ("", 2, "waiting")],
)
def test_a_rollout_is_done_when_it_says_so_and_its_pods_are_available(restarted: str, available: int, state: str) -> None:
    rollout = workload("Rollout", {"replicas": 2, "restartAt": MARK}, {"restartedAt": restarted, "availableReplicas": available})
    assert status_of(rollout, MARK, {}).state == state
    assert not mark_lost(rollout, MARK)
    assert mark_lost(workload("Rollout", {"replicas": 2}), MARK)


def test_marks_of_templates() -> None:
    template = {"metadata": {"annotations": {TOKEN: "t1"}}}
    assert not mark_lost(workload("Deployment", {"template": template}), "t1")
    assert TOKEN in mark_lost(workload("Deployment", {"template": template}), "t2")
    assert TOKEN in mark_lost(workload("StatefulSet", {"template": {}}), "t1")
    # Somebody else's rollout has no mark.
    assert not mark_lost(workload("Deployment", {"template": {}}), "")


def test_a_deployment_that_is_paused_has_failed() -> None:
    assert status_of(workload("Deployment", {"paused": True}), "t1", {}).state == "failed"


def test_counts() -> None:
    status = {"updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 3}
    assert counts_of(workload("Rollout", {"replicas": 4}, status)) == (4, 1, 2, 3)
    assert counts_of(workload("DaemonSet", {}, {"desiredNumberScheduled": 5, "numberReady": 1})).desired == 5
    assert desired_pods(workload("DaemonSet", {}, {"desiredNumberScheduled": 5})) == 5
    assert desired_pods(workload("ReplicaSet", {"replicas": 0})) == 0
    assert desired_pods(workload("Custom")) is None


def budget(allowed: int, selector: Object) -> Object:
    return {"metadata": {"name": "keep"}, "spec": {"selector": selector}, "status": {"disruptionsAllowed": allowed}}


@pytest.mark.parametrize(
    ("allowed", "selector", "name"),
    [
        (0, {"matchLabels": {"app": "web"}}, "keep"),
        (1, {"matchLabels": {"app": "web"}}, ""),
        (0, {"matchLabels": {"app": "db"}}, ""),
        (0, {}, ""),
        (0, {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, ""),
    ],
)
def test_a_budget_that_allows_nothing_is_found_by_the_labels_of_pods(allowed: int, selector: Object, name: str) -> None:
    rollout = workload("Rollout", {"template": {"metadata": {"labels": {"app": "web", "tier": "1"}}}})
    assert exhausted_budget(rollout, [budget(allowed, selector)]) == name


def test_who_ends_slowly_may_stand_still_for_longer() -> None:
    slow = {"template": {"spec": {"terminationGracePeriodSeconds": 90}}, "minReadySeconds": 20}
    assert quiet_seconds(workload("Deployment", slow)) == 80
    assert quiet_seconds(workload("Deployment")) == 0
    assert quiet_seconds(workload("Deployment", {"template": {"spec": {"terminationGracePeriodSeconds": 0}}})) == 0


def entry(manager: str, time: str, *, template: bool = False, **more: str) -> Object:
    return {"manager": manager, "time": time, "fieldsV1": {"f:spec": {"f:template": {}} if template else {"f:replicas": {}}}, **more}


def test_who_may_have_taken_the_annotation_away() -> None:
    fields = [
        entry("kubectl", "2026-01-01T00:00:00Z", template=True),
        entry("hpa", "2026-01-01T00:00:00Z"),
        entry("meshops.lifecycle", "2026-01-02T00:00:00Z"),
        entry("kube-controller-manager", "2026-01-03T00:00:00Z", subresource="status"),
    ]
    live = workload("Deployment", managedFields=fields)
    assert stamp_of(live) == "2026-01-02T00:00:00Z"
    assert writers(live, stamp_of(live)) == "the API server does not record who takes a field away; its pod template is written by kubectl"
    fields.append(entry("argocd", "2026-01-02T00:00:05Z"))
    assert writers(live, stamp_of(live)) == "argocd changed the workload since"
    assert writers(workload("Deployment"), "") == "the API server does not record who takes a field away"


def test_selectors_as_queries() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "NotIn", "values": ["x"]},
        {"key": "kept", "operator": "Exists"},
        {"key": "gone", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": rules}
    assert selector_text(workload("Deployment", {"selector": selector})) == "app=web,tier in (a,b),old notin (x),kept,!gone"
    assert selector_text(workload("DeploymentConfig", {"selector": {"app": "web"}})) == "app=web"
    assert selector_text(workload("Custom")) == ""


# Proofs


def pods(image: str, *, ready: bool = True, count: int = 1, **metadata: Any) -> list[Object]:
    cluster = SimulatedCluster()
    cluster.injected = image
    made = []
    for number in range(count):
        pod = cluster.bare_pod(f"web-{number}")
        pod["spec"]["containers"] = [{"name": "app", "image": "app:1"}, *([{"name": "sidecar", "image": image}] if image else [])]
        pod["status"]["containerStatuses"] = [{"name": item["name"], "ready": ready} for item in pod["spec"]["containers"]]
        pod["metadata"] |= metadata
        made.append(pod)
    return made


RULES = SimulatedRules(SimulatedCluster())


@pytest.mark.parametrize(
    ("made", "state", "result", "code"),
    [
        (pods(NEW), "current", "proven", ""),
        (pods(NEW, ready=False), "current", "waiting", ""),
        (pods(OLD), "current", "wrong", "created-with-other-sidecar"),
        (pods(""), "current", "wrong", "created-without-sidecar"),
        (pods("", ready=False), "current", "wrong", "created-without-sidecar"),
        (pods(NEW), "restarted", "proven", ""),
        (pods(""), "absent", "proven", ""),
        (pods(OLD), "absent", "wrong", "still-injected"),
        (pods(OLD, deletionTimestamp="2026-01-01T00:00:00Z"), "current", "proven", ""),
        ([], "current", "proven", ""),
    ],
)
def test_proofs(made: list[Object], state: Any, result: str, code: str) -> None:
    proof = prove(made, RULES, state, lambda pod: True)
    assert (proof.state, proof.code) == (result, code)


def test_old_pods_are_waited_for_and_long_lists_cut() -> None:
    proof = prove(pods(OLD, count=5), RULES, "current", lambda pod: False)
    assert (proof.state, proof.pods) == ("waiting", 0)
    assert proof.message == "pods of the earlier template are still there: web-0, web-1, web-2 and 2 more"


def test_pods_that_have_ended_do_not_count() -> None:
    (pod,) = pods(OLD)
    pod["status"] = {"phase": "Failed", "reason": "Evicted"}
    assert prove([pod], RULES, "current", lambda pod: True) == ("proven", "", 0, "")


# Reasons


def trouble(name: str, cause: Cause, message: str, remedy: str) -> Trouble:
    return Trouble(ObjectRef("Pod", name, "ns"), cause, message, remedy)


def test_a_reason_is_about_templates_and_says_how_many_are_alike() -> None:
    found = [
        trouble("a", "progress-deadline", "no new pod", "look"),
        trouble(
            "b", "image-pull", "ErrImagePull", "there is no x: correct the image in its template (imagePullSecrets in the chart values)"
        ),
        trouble("c", "image-pull", "ErrImagePull", "same"),
        trouble("d", "not-ready", "not ready: app", "read its log"),
    ]
    reason = tell(found)
    assert reason.why == "Pod ns/b: ErrImagePull (and 1 more pods alike); Pod ns/d: not ready: app"
    assert reason.remedy == "there is no x: correct the image in its template (imagePullSecrets in its template)"
    assert tell([]) == ("", "")
    assert tell(found[:1]).why == "Pod ns/a: no new pod"


def test_the_name_of_a_copy_is_never_too_long() -> None:
    assert secret_name("tool", "0123456789ab") == "meshops-pod-tool-01234567"
    assert len(secret_name("x" * 253, "0123456789ab")) <= 253
