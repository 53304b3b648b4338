# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stopping a hosted cluster: which steps, in which order, and the same end whenever a run is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import stopped_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import (
    QuiesceState,
    mark_steps,
    pause_steps,
    record_steps,
    stop_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import PriorMarker, prior_of
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import (
    NO_MARKER,
    TARGET,
    USUAL,
    deployment,
    in_order,
    inventory,
    item,
    planned,
    pod,
    state,
    written,
)

ORDER = [
    "record:HostedCluster/clusters/prod",
    "mark:ConfigMap/default/mgmt-parent-cluster",
    "pause:HostedCluster/clusters/prod",
    "pause:NodePool/clusters/prod-a",
    "pause:NodePool/clusters/prod-b",
    "pause:Cluster/clusters-prod/prod-x1",
    "stop:Deployment/clusters-prod/control-plane-operator",
    "stop:Deployment/clusters-prod/hosted-cluster-config-operator",
    "stop:Deployment/clusters-prod/cluster-api",
    "stop:Deployment/clusters-prod/capi-provider",
    "stop:Deployment/clusters-prod/cluster-autoscaler",
    "stop:Deployment/clusters-prod/machine-approver",
    "wait_for_controllers_to_end:Namespace/clusters-prod",
    "stop:Deployment/clusters-prod/kube-apiserver",
    "stop:Deployment/clusters-prod/openshift-apiserver",
    "stop:Deployment/clusters-prod/openshift-oauth-apiserver",
    "wait_for_api_servers_to_end:Namespace/clusters-prod",
]


def run(found: QuiesceState, most: int = 100) -> tuple[QuiesceState, list[str]]:
    """Do up to ``most`` steps, planning again after each, and return what is there then and what was done."""
    done: list[str] = []
    while len(done) < most and (steps := planned(found)):
        found = written(found, steps[0])
        done.append(steps[0].id)
    return found, done


def test_everything_is_stopped_in_the_order_in_which_nothing_is_started_again() -> None:
    stopped, done = run(state(inventory()))
    assert done == ORDER
    assert stopped_findings(stopped.inventory) == []
    assert {one["metadata"]["name"]: replicas_of(one) for one in stopped.inventory.deployments} == {
        **dict.fromkeys(USUAL, 0),
        "oauth-openshift": 3,
    }


def test_the_steps_of_one_plan_are_in_that_order_too() -> None:
    everything = state(inventory())
    steps = [step.id for phase in (record_steps, mark_steps, pause_steps, stop_steps) for step in in_order(phase(everything))]
    assert steps == ORDER


@pytest.mark.parametrize("killed_after", range(len(ORDER)))
def test_a_run_that_was_killed_is_finished_by_another_with_the_same_record(killed_after: int) -> None:
    begun = state(inventory(paused_until="2026-12-01T00:00:00Z", pools={"prod-a": "true", "prod-b": None}, cluster_paused=False))
    whole, dummy = run(begun)
    killed, dummy = run(begun, killed_after)
    again, dummy = run(replace(killed, run_id="run-2", time="2026-11-22T00:00:00Z"))
    prior, first = prior_of(again.inventory), prior_of(whole.inventory)
    assert prior is not None
    assert first is not None
    assert prior.values == first.values
    assert prior.replicas == {name: number for name, number in USUAL.items() if name != "oauth-openshift"}
    assert (prior.paused_until, prior.node_pools, prior.cluster_paused) == (
        "2026-12-01T00:00:00Z",
        {"prod-a": "true", "prod-b": None},
        False,
    )
    assert prior.run_id == ("run-2" if killed_after == 0 else "run-1")
    assert stopped_findings(again.inventory) == []
    assert planned(again) == []


def test_what_came_later_is_added_to_the_record_and_nothing_in_it_changes() -> None:
    stopped, dummy = run(state(inventory({"kube-apiserver": 2}, pools={"prod-a": None})))
    of = stopped.inventory
    new = item("hypershift.openshift.io/v1beta1", "NodePool", TARGET.namespace, "prod-new", {"pausedUntil": "2030-01-01T00:00:00Z"})
    grown = replace(
        of, node_pools=(*of.node_pools, new), deployments=(*of.deployments, deployment("cluster-api", 1)), pods=(pod("cluster-api"),)
    )
    again, done = run(replace(stopped, inventory=grown, run_id="run-2"))
    assert done == [
        "record:HostedCluster/clusters/prod",
        "pause:NodePool/clusters/prod-new",
        "stop:Deployment/clusters-prod/cluster-api",
        "wait_for_controllers_to_end:Namespace/clusters-prod",
    ]
    prior = prior_of(again.inventory)
    assert prior is not None
    assert prior.run_id == "run-1"
    assert prior.replicas == {"kube-apiserver": 2, "cluster-api": 1}
    assert prior.node_pools == {"prod-a": None, "prod-new": "2030-01-01T00:00:00Z"}


def test_deployments_that_do_not_exist_are_not_missed() -> None:
    stopped, done = run(state(inventory({"kube-apiserver": 1, "control-plane-operator": 1})))
    assert [step for step in done if step.startswith("stop:")] == [
        "stop:Deployment/clusters-prod/control-plane-operator",
        "stop:Deployment/clusters-prod/kube-apiserver",
    ]
    assert stopped_findings(stopped.inventory) == []


@pytest.mark.parametrize(
    ("value", "replaced"),
    [(None, True), ("false", True), ("False", True), ("2030-01-01T00:00:00Z", True), ("true", False), ("True", False)],
)
def test_only_a_pause_without_an_end_is_left_as_it_is(value: str | None, replaced: bool) -> None:
    steps = {step.object.kind: step for step in pause_steps(state(inventory(paused_until=value, pools={"a": value}, cluster_paused=True)))}
    assert set(steps) == ({"HostedCluster", "NodePool"} if replaced else set())
    for step in steps.values():
        assert step.after == {"spec": {"pausedUntil": "true"}}
        assert step.before == {"spec": {"pausedUntil": value}}
        assert (step.uid, step.resource_version) == (f"uid-{step.object.name}", "7")


def test_nothing_but_the_intent_is_in_the_plan_so_that_a_killed_run_keeps_its_approval() -> None:
    one, other = (record_steps(replace(state(inventory()), run_id=run_id, time=run_id))[0] for run_id in ("run-1", "run-2"))
    assert one.desired == other.desired
    assert one.after != other.after
    unknown = record_steps(state(inventory(), MarkerState(why="no answer")))[0]
    assert unknown.desired == one.desired


def test_a_marker_that_was_unknown_is_recorded_when_it_is_known() -> None:
    silent, done = run(state(inventory(), MarkerState(why="no answer")), most=3)
    assert done == [ORDER[0], ORDER[2], ORDER[3]]
    again, done = run(replace(silent, marker=NO_MARKER, run_id="run-2"), most=2)
    assert done == ORDER[:2]
    prior = prior_of(again.inventory)
    assert prior is not None
    assert prior.marker == PriorMarker("absent")
    assert prior.run_id == "run-1"


def test_a_marker_of_an_earlier_home_is_recorded_and_replaced() -> None:
    found = MarkerState(PriorMarker("present", "west"), "uid-marker", "3")
    (step,) = mark_steps(state(inventory(), found))
    assert (step.before, step.after) == ({"data": {"from": "west"}}, {"data": {"from": "east"}})
    assert (step.uid, step.resource_version) == ("uid-marker", "3")
    stopped, dummy = run(state(inventory(), found))
    prior = prior_of(stopped.inventory)
    assert prior is not None
    assert prior.marker == PriorMarker("present", "west")


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        (MarkerState(PriorMarker("present", "east"), "uid-marker"), "east"),
        (MarkerState(why="no answer"), "east"),
        (NO_MARKER, ""),
    ],
    ids=["says so already", "unknown", "no name given"],
)
def test_no_marker_is_written(marker: MarkerState, name: str) -> None:
    assert mark_steps(state(inventory(), marker, name=name)) == []


def test_pods_that_are_still_ending_are_waited_for_by_the_next_run() -> None:
    zero = dict.fromkeys(USUAL, 0)
    ending = pod("capi-provider", deletionTimestamp="2026-11-21T23:00:00Z")
    ended = {**pod("kube-apiserver"), "status": {"phase": "Failed", "reason": "Evicted"}}
    (step,) = stop_steps(state(inventory(zero, pods=(ending, ended))))
    assert step.id == "wait_for_controllers_to_end:Namespace/clusters-prod"
    assert not step.writes
    assert stop_steps(state(inventory(zero, pods=(ended,)))) == []


def test_each_step_says_which_permission_it_needs() -> None:
    everything = state(inventory())
    found = {
        str(permission)
        for phase in (record_steps, mark_steps, pause_steps, stop_steps)
        for step in phase(everything)
        for permission in step.permissions
    }
    assert found == {
        "get hostedclusters.hypershift.openshift.io in namespace clusters",
        "patch hostedclusters.hypershift.openshift.io in namespace clusters",
        "get nodepools.hypershift.openshift.io in namespace clusters",
        "patch nodepools.hypershift.openshift.io in namespace clusters",
        "get clusters.cluster.x-k8s.io in namespace clusters-prod",
        "patch clusters.cluster.x-k8s.io in namespace clusters-prod",
        "get deployments.apps in namespace clusters-prod",
        "patch deployments.apps in namespace clusters-prod",
        "list pods in namespace clusters-prod",
        "get secrets prod-admin-kubeconfig in namespace clusters",
    }
