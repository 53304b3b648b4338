# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods without controller: not evicted when they could not come back, and never forgotten."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, Forbidden, Invalid, KubeError, ServerFailure
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD, SECRET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import End, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_trial import refusal_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.recreating_attempt import RecreatingAttempt
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_saved import leftovers_of_saved_pods, tasks_of_saved_pods
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import save, saved_pods

from .simulated_cluster import Object, SimulatedCluster, SimulatedRules

MANIFEST = {"metadata": {"name": "tool", "namespace": "shop", "labels": {"app": "tool"}}, "spec": {"containers": []}}


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster()


def api(cluster: SimulatedCluster) -> Api:
    return cast(Api, cluster)


def answering(verb: str, kind: Kind, error: KubeError) -> Any:
    """A fault: this verb on this kind gets this answer."""

    def fault(asked: str, of: Kind, _name: str) -> None:
        if (asked, of) == (verb, kind):
            raise error

    return fault


def refused(message: str, status: int = 403) -> KubeError:
    kind = Forbidden if status == 403 else Invalid
    return kind(Call("create", "pod", "/", "https://server"), status=status, reason="No", message=message)


def attempt_of(cluster: SimulatedCluster, pod: Object) -> RecreatingAttempt:
    return RecreatingAttempt(cluster.task(pod), Tools(api(cluster), SimulatedRules(cluster), "current"))


def verbs(cluster: SimulatedCluster) -> list[str]:
    return [verb for _time, verb, _name in cluster.writes]


def test_a_pod_that_could_not_be_created_again_is_not_evicted(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    cluster.fault = answering("dry run", POD, refused('error looking up service account shop/gone: serviceaccount "gone" not found'))
    end = attempt_of(cluster, pod).write()
    assert isinstance(end, End)
    assert (end.outcome, end.code) == ("failed", "recreate-refused")
    assert 'serviceaccount "gone" not found' in end.message
    assert (verbs(cluster), cluster.pods("tool")) == ([], [pod])


def test_a_new_pod_that_is_deleted_once_is_created_once_more(cluster: SimulatedCluster) -> None:
    """Who ends pods by their names, and is late, meets the new one; twice is somebody's will."""
    attempt = attempt_of(cluster, cluster.bare_pod("tool"))
    assert attempt.write() is None
    ended = []
    for _time in range(3):
        cluster.delete(POD, "tool", "shop")
        ended.append(attempt.look(Seen(), 1.0))
        if attempt.writes:
            assert attempt.write() is None
    assert [end and end.code for end in ended] == [None, None, "deleted-again"]
    assert verbs(cluster).count("create") == 3  # the copy, the pod, the pod once more
    assert len(cluster.all(SECRET)) == 1


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ('pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1', 403),
        ('admission webhook "x" does not support dry run', 400),
    ],
)
def test_what_says_nothing_about_the_pod_keeps_nobody(cluster: SimulatedCluster, message: str, status: int) -> None:
    cluster.fault = answering("dry run", POD, refused(message, status))
    assert refusal_of(api(cluster), MANIFEST, "shop") is None


def test_it_is_tried_under_a_name_of_its_own(cluster: SimulatedCluster) -> None:
    names = []
    cluster.fault = lambda verb, kind, name: names.append(name)
    refusal_of(api(cluster), MANIFEST, "shop")
    refusal_of(api(cluster), MANIFEST, "shop")
    assert len({*names, "shop/tool"}) == 3


def test_one_that_goes_already_is_not_tried(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    cluster.end(pod)
    cluster.fault = answering("dry run", POD, refused("never"))
    assert attempt_of(cluster, pod).write() is None
    assert verbs(cluster) == ["create", "eviction"]


def test_while_a_budget_forbids_it_there_is_no_copy(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    free = False
    cluster.budgets["tool"] = ("keep", lambda: free)
    attempt = attempt_of(cluster, pod)
    assert attempt.write() is None
    assert (attempt.budget, cluster.all(SECRET)) == ("shop/keep", [])
    free = True
    assert attempt.write() is None
    assert (attempt.budget, len(cluster.all(SECRET))) == ("", 1)


def test_the_copy_is_kept_when_the_answer_to_the_eviction_is_lost(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    lost = ServerFailure(Call("create", "eviction", "/", "https://server"), status=504, reason="Timeout", uncertain=True)
    cluster.fault = answering("eviction", POD, lost)
    attempt = attempt_of(cluster, pod)
    assert attempt.write() is None
    attempt.tidy()
    assert len(cluster.all(SECRET)) == 1


def test_a_copy_of_an_earlier_run_is_made_anew_when_the_pod_was_changed(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    save(api(cluster), pod, MANIFEST)
    attempt = attempt_of(cluster, pod)
    assert attempt.write() is None
    (copy,) = saved_pods(api(cluster))
    assert copy.manifest == cluster.task(pod).manifest


def saved_and_gone(cluster: SimulatedCluster) -> None:
    save(api(cluster), {"metadata": {"name": "tool", "namespace": "shop", "uid": "11111111-2222"}}, MANIFEST)


def test_a_pod_that_was_not_created_again_is_told(cluster: SimulatedCluster) -> None:
    saved_and_gone(cluster)
    (left,) = leftovers_of_saved_pods(api(cluster), ["shop"])
    assert (left.code, left.object.name) == ("saved-pod", "tool")
    assert "meshops-pod-tool-11111111" in left.what
    (task,) = tasks_of_saved_pods(api(cluster), ["shop"], [])
    assert (task.way, task.manifest, task.uid) == ("recreate", MANIFEST, "11111111-2222")


@pytest.mark.parametrize(("namespaces", "selector"), [([], ""), (["mail"], ""), (["shop"], "app=web")])
def test_what_is_out_of_scope_is_neither_told_nor_created(cluster: SimulatedCluster, namespaces: list[str], selector: str) -> None:
    saved_and_gone(cluster)
    assert leftovers_of_saved_pods(api(cluster), namespaces, selector) == []
    assert tasks_of_saved_pods(api(cluster), namespaces, [], selector) == []


def test_in_scope_of_a_selector_it_is_created(cluster: SimulatedCluster) -> None:
    saved_and_gone(cluster)
    assert len(tasks_of_saved_pods(api(cluster), ["shop"], [], "app in (tool)")) == 1


def test_many_namespaces_are_asked_at_once(cluster: SimulatedCluster) -> None:
    saved_and_gone(cluster)
    found: list[Leftover] = leftovers_of_saved_pods(api(cluster), ["shop", *(f"n{number}" for number in range(30))])
    assert [left.code for left in found] == ["saved-pod"]
    assert cluster.reads.count(("list", "Secret")) == 1


def test_a_pod_that_is_there_again_is_not_told(cluster: SimulatedCluster) -> None:
    cluster.bare_pod("tool")
    saved_and_gone(cluster)
    assert leftovers_of_saved_pods(api(cluster), ["shop"]) == []


def test_who_may_not_list_secrets_is_told_nothing(cluster: SimulatedCluster) -> None:
    saved_and_gone(cluster)
    cluster.fault = answering("list", SECRET, refused("no"))
    assert leftovers_of_saved_pods(api(cluster), ["shop"]) == []
