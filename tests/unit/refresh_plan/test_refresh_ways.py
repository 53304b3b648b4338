# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of owner, in every state that it can be in: what is done, and what is only told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    DAEMONSET,
    DEPLOYMENT,
    REPLICASET,
    REPLICATION_CONTROLLER,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import ARGO_ROLLOUT, DEPLOYMENT_CONFIG
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options, PodFacts, Task, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import WITHOUT_SIDECAR, restart_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_ways import NOTHING, Decision, decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import (
    AFTER,
    BEFORE,
    BEGAN,
    NEVER,
    OLD,
    RULES,
    WAITING,
    A,
    B,
    a_pod,
    a_workload,
)

CURRENT, ABSENT = Options(), Options(state="absent")
ROLLING: tuple[Kind, ...] = (DEPLOYMENT, STATEFULSET, DAEMONSET)


def decided(workload: Workload, *pods: PodFacts, options: Options = CURRENT) -> Decision:
    return decide(workload, pods, RULES, options)


def task_of(decision: Decision) -> Task:
    assert decision.task is not None
    return decision.task


def codes(decision: Decision) -> list[tuple[str, int]]:
    return [(left.code, left.pods) for left in decision.leftovers]


# Which way


@pytest.mark.parametrize("kind", ROLLING)
def test_a_kind_that_rolls_gets_the_fingerprint_into_its_template(kind: Kind) -> None:
    web = a_workload(kind=kind, counts=Replicas(5, 5, 5, 5))
    task = task_of(decided(web, a_pod("stale", 0, web), a_pod("missing", 1, web), a_pod("current", 2, web)))
    assert (task.way, task.token, task.token_before, task.pods, task.stale) == ("rollout", A, "", 5, ())
    assert (task.id, task.uid, task.resource_version) == (f"rollout:{kind.kind}/shop/web", web.uid, "7")


def test_a_deployment_that_stops_all_its_pods_first_does_so_by_its_own_wish() -> None:
    web = a_workload(strategy="Recreate")
    assert task_of(decided(web, a_pod("stale", 0, web))).way == "rollout"


@pytest.mark.parametrize(
    ("kind", "strategy"), [(STATEFULSET, "OnDelete"), (DAEMONSET, "OnDelete"), (REPLICASET, ""), (REPLICATION_CONTROLLER, "")]
)
def test_what_no_template_replaces_is_evicted_one_by_one_from_the_last_ordinal_down(kind: Kind, strategy: str) -> None:
    web = a_workload(kind=kind, strategy=strategy, counts=Replicas(12, 12, 12, 12))
    pods = [a_pod("stale", number, web) for number in (0, 2, 10)]
    task = task_of(decided(web, *pods, a_pod("current", 3, web)))
    assert (task.way, task.pods, task.stale, task.token) == ("evict", 3, ("web-10", "web-2", "web-0"), "")


def test_pods_that_are_evicted_need_no_word_of_a_template_that_nobody_writes() -> None:
    web = a_workload(kind=DAEMONSET, strategy="OnDelete", token=B)
    assert decided(web, a_pod("current", 0, web)) == NOTHING


def test_a_deployment_config_is_instantiated() -> None:
    web = a_workload(kind=DEPLOYMENT_CONFIG, revision="web-3", counts=Replicas(4, 4, 4, 4))
    task = task_of(decided(web, a_pod("stale", 0, web)))
    assert (task.way, task.pods, task.token) == ("instantiate", 4, "")


def test_a_deployment_config_under_way_is_waited_for_when_it_replaces_the_pods_and_left_when_it_has_made_them() -> None:
    web = a_workload(kind=DEPLOYMENT_CONFIG, revision="web-3", rollout=WAITING)
    assert task_of(decided(web, a_pod("stale", 0, web, revision="web-2"))).way == "wait"
    assert codes(decided(web, a_pod("stale", 0, web, revision="web-3"))) == [("rollout-running", 1)]


def test_an_argo_rollout_is_restarted_and_not_given_a_template() -> None:
    web = a_workload(kind=ARGO_ROLLOUT, counts=Replicas(3, 3, 3, 3))
    task = task_of(decided(web, a_pod("stale", 0, web)))
    assert (task.way, task.pods, task.token) == ("restart_at", 3, "")


def test_an_argo_restart_under_way_is_waited_for_when_it_replaces_these_pods() -> None:
    web = a_workload(kind=ARGO_ROLLOUT, token=BEGAN, rollout=WAITING)
    assert task_of(decided(web, a_pod("stale", 0, web, token="", created=BEFORE))).way == "wait"
    assert task_of(decided(web, a_pod("stale", 0, web, token="", created=AFTER))).way == "restart_at"


# What is only told


@pytest.mark.parametrize(
    ("code", "fields", "options"),
    [
        ("paused", {"paused": True}, CURRENT),
        ("manual-injection", {"labels": {"written": "1"}}, CURRENT),
        ("manual-injection", {"labels": {"written": "1"}}, ABSENT),
        ("pod-denied", {"labels": {"denied": "annotation x has the invalid value 'y'"}}, CURRENT),
        ("still-injected", {}, ABSENT),
        ("rollout-failed", {"rollout": NEVER}, CURRENT),
    ],
)
def test_what_a_restart_does_not_cure_is_told(code: str, fields: dict[str, Any], options: Options) -> None:
    web = a_workload(**fields)
    decision = decided(web, a_pod("stale", 0, web, revision=OLD), a_pod("stale", 1, web, revision=OLD), options=options)
    assert decision.task is None
    assert codes(decision) == [(code, 2)]
    assert decision.needy == 2


def test_a_paused_deployment_config_is_told() -> None:
    web = a_workload(kind=DEPLOYMENT_CONFIG, paused=True)
    assert codes(decided(web, a_pod("stale", 0, web))) == [("paused", 1)]


def test_the_reason_of_a_denial_is_told() -> None:
    web = a_workload(labels={"denied": "annotation x is wrong"})
    assert "annotation x is wrong" in decided(web, a_pod("stale", 0, web)).leftovers[0].what


def test_a_sidecar_in_the_template_does_not_keep_a_restart_from_being_one() -> None:
    web = a_workload(labels={"written": "1"})
    assert task_of(decided(web, a_pod("current", 0, web), options=Options(state="restarted"))).way == "rollout"


def test_a_stateful_set_replaces_from_its_partition_on() -> None:
    web = a_workload(kind=STATEFULSET, partition=2, counts=Replicas(4, 4, 4, 4))
    decision = decided(web, *(a_pod("stale", number, web) for number in range(4)))
    assert (task_of(decision).way, task_of(decision).pods) == ("rollout", 2)
    assert codes(decision) == [("partition", 2)]


def test_a_stateful_set_whose_partition_is_above_all_stale_pods_is_left() -> None:
    web = a_workload(kind=STATEFULSET, partition=2, counts=Replicas(3, 3, 3, 3))
    decision = decided(web, a_pod("stale", 0, web), a_pod("stale", 1, web), a_pod("current", 2, web))
    assert decision.task is None
    assert codes(decision) == [("partition", 2)]


@pytest.mark.parametrize("kind", [*ROLLING, REPLICASET, REPLICATION_CONTROLLER, DEPLOYMENT_CONFIG, ARGO_ROLLOUT])
def test_what_is_scaled_to_zero_needs_nothing(kind: Kind) -> None:
    web = a_workload(kind=kind, counts=Replicas(0, 0, 0, 0))
    assert decided(web, a_pod("stale", 0, web)) == NOTHING


# What the annotation says


def test_pods_without_annotation_that_look_right_are_not_restarted_to_get_one() -> None:
    web = a_workload()
    assert decided(web, a_pod("current", 0, web), a_pod("current", 1, web)) == NOTHING


def test_pods_that_look_right_but_were_started_with_another_configuration_are_stale() -> None:
    web = a_workload(token=B)
    task = task_of(decided(web, a_pod("current", 0, web), a_pod("current", 1, web)))
    assert (task.way, task.token, task.token_before) == ("rollout", A, B)
    assert task.reason == "was started with another configuration of the sidecar"


@pytest.mark.parametrize(("token", "pods", "wanted"), [(A, A, f"{A}.2"), (f"{A}.2", f"{A}.2", f"{A}.3"), (A, f"{A}.4", f"{A}.5")])
def test_a_number_is_appended_when_pods_of_the_present_template_are_stale_although_it_asks_for_this(
    token: str, pods: str, wanted: str
) -> None:
    web = a_workload(token=token)
    assert task_of(decided(web, a_pod("stale", 0, web, token=pods))).token == wanted


def test_back_to_an_earlier_configuration_needs_no_number_when_the_template_says_the_other() -> None:
    web = a_workload(token=B)
    assert task_of(decided(web, a_pod("current", 0, web))).token == A


def test_a_workload_that_leaves_the_mesh_gets_a_token_of_its_own() -> None:
    web = a_workload(token=A, labels={"inject": "no"})
    for options in (CURRENT, ABSENT):
        assert task_of(decided(web, a_pod("unexpected", 0, web), options=options)).token == WITHOUT_SIDECAR


# Rollouts under way


@pytest.mark.parametrize("state", [WAITING, NEVER])
def test_our_rollout_is_waited_for_also_when_it_does_not_get_on(state: Any) -> None:
    web = a_workload(token=A, rollout=state)
    task = task_of(decided(web, a_pod("stale", 0, web, revision=OLD, token=""), a_pod("current", 1, web)))
    assert (task.way, task.token, task.pods) == ("wait", A, 1)


def test_our_rollout_is_waited_for_when_the_last_old_pod_is_gone() -> None:
    web = a_workload(token=f"{A}.2", rollout=WAITING)
    task = task_of(decided(web, a_pod("current", 0, web)))
    assert (task.way, task.token, task.pods, task.reason) == ("wait", f"{A}.2", 0, "is still replacing its pods")


def test_a_rollout_whose_pods_come_up_stale_is_begun_once_more() -> None:
    web = a_workload(token=A, rollout=WAITING)
    task = task_of(decided(web, a_pod("stale", 0, web, revision=OLD, token=""), a_pod("missing", 1, web)))
    assert (task.way, task.token) == ("rollout", f"{A}.2")


def test_a_rollout_of_somebody_else_replaces_old_pods_as_well() -> None:
    web = a_workload(rollout=WAITING)
    task = task_of(decided(web, a_pod("stale", 0, web, revision=OLD), a_pod("current", 1, web)))
    assert (task.way, task.token) == ("wait", "")


def test_a_rollout_of_somebody_else_is_not_enough_when_its_template_carries_an_earlier_word() -> None:
    web = a_workload(rollout=WAITING, token=B)
    old = a_pod("stale", 0, web, revision=OLD)
    assert task_of(decided(web, old)).token == A
    assert task_of(decided(web._replace(token=""), old, options=Options(state="restarted", token="x"))).way == "rollout"
    assert task_of(decided(web._replace(token=""), old, options=Options(state="restarted"))).way == "wait"


def test_a_rollout_of_somebody_else_that_makes_stale_pods_is_replaced_by_ours() -> None:
    web = a_workload(rollout=WAITING)
    assert task_of(decided(web, a_pod("stale", 0, web))).way == "rollout"


def test_without_a_known_revision_the_token_of_pods_tells_which_template_they_are_of() -> None:
    web = a_workload(token=A, revision="", rollout=WAITING)
    assert task_of(decided(web, a_pod("stale", 0, web, token=""))).way == "wait"
    assert task_of(decided(web, a_pod("stale", 0, web, token=A))).token == f"{A}.2"


def test_a_paused_rollout_of_ours_is_not_waited_for() -> None:
    web = a_workload(token=A, rollout=WAITING, paused=True)
    assert decided(web, a_pod("current", 0, web)) == NOTHING


def test_a_failed_rollout_of_somebody_else_is_left_although_its_own_pods_are_stale() -> None:
    web = a_workload(rollout=NEVER)
    decision = decided(web, a_pod("stale", 0, web), a_pod("stale", 1, web, revision=OLD))
    assert (decision.task, codes(decision)) == (None, [("rollout-failed", 2)])


APP = {"metadata": {"namespace": "shop"}, "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "migrate"}]}}


@pytest.mark.parametrize(
    ("failing", "way"),
    [(("sidecar",), "rollout"), (("osm-init",), "rollout"), (("sidecar", "app"), ""), (("migrate",), ""), ((), "")],
)
def test_a_failed_rollout_of_somebody_else_is_refreshed_when_only_its_old_sidecar_fails(failing: tuple[str, ...], way: str) -> None:
    web = a_workload(rollout=NEVER, template=APP)
    decision = decided(web, a_pod("stale", 0, web, ready=False, failing=failing), a_pod("stale", 1, web, revision=OLD))
    assert (decision.task.way if decision.task else "") == way
    assert codes(decision) == ([] if way else [("rollout-failed", 2)])


def test_every_new_pod_of_a_failed_rollout_must_fail_for_want_of_a_sidecar() -> None:
    web = a_workload(rollout=NEVER, template=APP)
    broken = a_pod("stale", 0, web, ready=False, failing=("sidecar",))
    # This one has the sidecar of today already, and fails all the same.
    right = a_pod("current", 1, web, ready=False, failing=("sidecar",))
    assert codes(decided(web, broken, right)) == [("rollout-failed", 1)]


@pytest.mark.parametrize("kind", ROLLING)
def test_what_an_earlier_refresh_has_begun_and_does_not_come_up_is_waited_for_as_such(kind: Kind) -> None:
    web = a_workload(kind=kind, token=A, rollout=WAITING)
    old = a_pod("stale", 0, web, revision=OLD, token="")
    starting = a_pod("current", 1, web, ready=False)
    assert not task_of(decided(web, old, starting)).failing
    assert task_of(decided(web, old, starting._replace(failing=("sidecar",)))).failing
    # One of the earlier template says nothing about it.
    assert not task_of(decided(web, old._replace(ready=False, failing=("app",)), starting)).failing
    assert task_of(decided(web._replace(rollout=NEVER), old, starting)).failing
    assert not task_of(decided(web._replace(rollout=WAITING, token=""), old)).failing


def test_a_failed_rollout_of_an_earlier_refresh_is_followed_by_one_with_the_sidecar_of_today() -> None:
    web = a_workload(rollout=NEVER, token=B)
    task = task_of(decided(web, a_pod("stale", 0, web), a_pod("stale", 1, web, revision=OLD, token="")))
    assert (task.way, task.token, task.token_before) == ("rollout", A, B)


# Restarts


def test_a_restart_with_a_name_is_done_once() -> None:
    options = Options(state="restarted", token="rotate-2026")
    web = a_workload()
    task = task_of(decided(web, a_pod("current", 0, web), options=options))
    assert (task.way, task.token) == ("rollout", f"{A}.t{restart_id('rotate-2026')}")
    after = web._replace(token=task.token)
    assert decided(after, a_pod("current", 0, after), options=options) == NOTHING


def test_a_restart_with_a_name_is_no_other_configuration() -> None:
    web = a_workload(token=f"{A}.t{restart_id('rotate-2026')}")
    assert decided(web, a_pod("current", 0, web)) == NOTHING


def test_a_restart_without_a_name_counts_on() -> None:
    options = Options(state="restarted")
    for before, wanted in (("", A), (A, f"{A}.2"), (f"{A}.7", f"{A}.8"), (B, A)):
        web = a_workload(token=before)
        assert task_of(decided(web, a_pod("current", 0, web), options=options)).token == wanted


def test_a_restart_without_a_name_is_over_for_pods_that_were_created_since_it_began() -> None:
    options = Options(state="restarted", began=BEGAN)
    web = a_workload(token=A)
    assert decided(web, a_pod("current", 0, web, created=AFTER), options=options) == NOTHING
    assert task_of(decided(web, a_pod("current", 0, web), options=options)).token == f"{A}.2"
    under_way = web._replace(rollout=WAITING)
    old, new = a_pod("current", 0, web, revision=OLD), a_pod("current", 1, web, created=AFTER)
    assert task_of(decided(under_way, old, new, options=options)).way == "wait"
    assert task_of(decided(under_way, new, options=options)).way == "wait"


def test_pods_without_a_sidecar_are_not_restarted() -> None:
    web = a_workload()
    assert decided(web, a_pod("missing", 0, web), options=Options(state="restarted")) == NOTHING
