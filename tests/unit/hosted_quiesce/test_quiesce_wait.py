# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for the pods of what was stopped: who keeps them, who starts them again, and when the waiting ends."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import quiesce_wait
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_wait import StoppedPods
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import ALL, API_SERVERS, CONTROLLERS
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.answering import Answering, stopped
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import Object

Change = Callable[[Inventory], Inventory]
# As long as a test that fails takes.
LONG = 3.0


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiesce_wait, "_INTERVAL", 0.0)


def wait(cluster: Answering, names: tuple[str, ...] = ALL, *, seconds: float = LONG, **options: Any) -> int:
    """Wait for the pods of a cluster that was as it is now when it was read."""
    pods = StoppedPods(cast(Api, cluster), cluster.of, Progress())
    return pods.wait_until_gone(Deadline(LONG), seconds, names, **options)


def at_look(cluster: Answering, number: int, change: Change) -> Callable[[], None]:
    """A guard that changes the cluster before the pods are looked at for the ``number``-th time."""

    def guard() -> None:
        if cluster.looks + 1 == number:
            cluster.of = change(cluster.of)

    return guard


def gone(of: Inventory) -> Inventory:
    """All pods have ended."""
    return replace(of, pods=())


def changed(item: Object, **spec: Any) -> Object:
    """An object with another spec, written by somebody."""
    fields = {f"f:{name}": {} for name in spec}
    found = {"manager": "argocd-controller", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}
    result = copy.deepcopy(item)
    result["spec"] |= spec
    result["metadata"]["managedFields"] = [found]
    return result


def test_it_ends_when_the_last_pod_has_and_says_how_many_there_were() -> None:
    cluster = Answering(stopped(pods_of=("kube-apiserver", "cluster-api")))
    assert wait(cluster, guard=at_look(cluster, 3, gone)) == 3 + 1
    assert cluster.looks == 3


def test_nothing_is_waited_for_when_nothing_is_there() -> None:
    cluster = Answering(stopped())
    assert (wait(cluster), cluster.looks) == (0, 1)


def test_the_controllers_are_not_waited_for_because_of_an_api_server() -> None:
    assert wait(Answering(stopped(pods_of=("kube-apiserver",))), CONTROLLERS, seconds=0.0) == 0


@pytest.mark.parametrize("names", [ALL, API_SERVERS], ids=["all", "API servers"])
def test_a_kube_apiserver_that_does_not_go_is_told(names: tuple[str, ...]) -> None:
    cluster = Answering(stopped(pods_of=("kube-apiserver",)))
    with pytest.raises(StepFailed) as failed:
        wait(cluster, names, seconds=0.0)
    assert failed.value.msg.startswith("3 pods do not end: kube-apiserver-6f7d-0, kube-apiserver-6f7d-1, kube-apiserver-6f7d-2")
    assert "held by finalizer example.com/hold" in failed.value.why
    assert failed.value.why.endswith("; after 0 s")
    assert "nothing was copied" in failed.value.state
    assert [row["pod"] for row in failed.value.details["pods"]] == [f"kube-apiserver-6f7d-{number}" for number in range(3)]


def test_a_pod_that_has_ended_is_not_waited_for_although_somebody_keeps_it() -> None:
    found = stopped(pods_of=("kube-apiserver",))
    cluster = Answering(replace(found, pods=tuple({**pod, "status": {"phase": "Succeeded"}} for pod in found.pods)))
    assert wait(cluster) == 0


def test_a_pod_is_told_that_nobody_has_deleted() -> None:
    found = stopped(pods_of=("cluster-api",))
    (pod,) = found.pods
    cluster = Answering(replace(found, pods=({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": None}},)))
    with pytest.raises(StepFailed, match="cluster-api") as failed:
        wait(cluster, seconds=0.0)
    assert "nobody has deleted it" in failed.value.why


def scaled(of: Inventory) -> Inventory:
    """Somebody scales the API server up again, which has pods that nobody deletes then."""
    up = tuple(changed(item, replicas=2) if item["metadata"]["name"] == "kube-apiserver" else item for item in of.deployments)
    pods = tuple({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": None}} for pod in of.pods)
    return replace(of, deployments=up, pods=pods)


def scaled_without_pods(of: Inventory) -> Inventory:
    """The same, before they are made."""
    return gone(scaled(of))


def unpaused(of: Inventory) -> Inventory:
    """Somebody takes the HostedCluster's pause back."""
    return replace(of, hosted_cluster=changed(of.hosted_cluster, pausedUntil="false"))


def pool_unpaused(of: Inventory) -> Inventory:
    """Somebody takes the pause of one NodePool back."""
    first, second = of.node_pools
    return replace(of, node_pools=(first, changed(second, pausedUntil="2026-01-01T00:00:00Z")))


def cluster_unpaused(of: Inventory) -> Inventory:
    """Somebody takes the Cluster's pause back."""
    (cluster,) = of.of("clusters")
    return replace(of, objects={**of.objects, "clusters": (changed(cluster, paused=False),)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (scaled, "kube-apiserver was scaled to 2 again by argocd-controller"),
        (scaled_without_pods, "kube-apiserver was scaled to 2 again by argocd-controller"),
        (unpaused, "The pause of HostedCluster clusters/prod was taken back by argocd-controller"),
        (pool_unpaused, "The pause of NodePool clusters/prod-b was taken back by argocd-controller"),
        (cluster_unpaused, "The pause of Cluster clusters-prod/prod-x1 was taken back by argocd-controller"),
    ],
)
def test_who_works_against_it_is_told_at_the_next_look(change: Change, told: str) -> None:
    cluster = Answering(stopped(pods_of=("kube-apiserver",)))
    with pytest.raises(StepFailed, match=told) as failed:
        wait(cluster, guard=at_look(cluster, 2, change))
    assert cluster.looks == 2
    assert "argocd-controller" in failed.value.next


def test_a_guard_ends_the_waiting() -> None:
    cluster = Answering(stopped(pods_of=("kube-apiserver",)))

    def guard() -> None:
        if cluster.looks:
            raise Interrupted("The Lease is somebody else's")

    with pytest.raises(Interrupted, match="somebody else's"):
        wait(cluster, guard=guard)
    assert cluster.looks == 1


def test_the_whole_run_has_less_time_left_than_the_waiting() -> None:
    cluster = Answering(stopped(pods_of=("kube-apiserver",)))
    pods = StoppedPods(cast(Api, cluster), cluster.of, Progress())
    with pytest.raises(StepFailed) as failed:
        pods.wait_until_gone(Deadline(0.0), LONG)
    assert failed.value.why.endswith("; the timeout of 0 s is over")
    assert cluster.looks == 1
