# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a hosted cluster is not stopped, what is said before, and what proves that it is stopped."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import CLEANUP_ANNOTATION, PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import quiesce_findings, stopped_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import PriorMarker, current, prior_from_json
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_refusals import quiesce_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_resume import resume_commands, still_there
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import (
    NO_MARKER,
    TARGET,
    USUAL,
    deployment,
    inventory,
    item,
    pod,
    recorded_as,
    state,
)

ZERO = dict.fromkeys(USUAL, 0)
RECORD = current(inventory(), PriorMarker("absent"), "run-1", "2026-11-21T23:15:00Z").as_json()


def refused(of: Inventory) -> list[str]:
    """The codes of all refusals."""
    return [refusal.code for refusal in quiesce_refusals(of)]


def test_a_healthy_cluster_is_not_refused() -> None:
    assert refused(inventory()) == []
    assert refused(recorded_as(RECORD)) == []


def test_a_cluster_that_somebody_else_has_stopped_is_refused_with_what_to_put_on_record() -> None:
    by_hand = inventory({**USUAL, "kube-apiserver": 0, "openshift-apiserver": 0, "control-plane-operator": 0}, paused_until="true")
    (refusal,) = quiesce_refusals(by_hand)
    assert refusal.code == "stopped-without-record"
    assert "control-plane-operator, kube-apiserver, openshift-apiserver" in refusal.what
    assert "kubectl scale deployment -n clusters-prod kube-apiserver --replicas=3" in refusal.next
    assert "kubectl scale deployment -n clusters-prod control-plane-operator --replicas=1" in refusal.next
    # The command that is given puts something on record that counts.
    words = shlex.split(refusal.next[refusal.next.index("kubectl annotate") :])
    key, equals, text = words[-1].partition("=")
    assert (key, equals) == (PRIOR_ANNOTATION, "=")
    prior = prior_from_json(text)
    assert prior.replicas == {name: number for name, number in USUAL.items() if name != "oauth-openshift"}
    assert prior.paused_until == "true"
    assert refused(recorded_as(text, replicas=ZERO)) == []


def test_one_api_server_is_what_a_cluster_without_high_availability_has() -> None:
    (refusal,) = quiesce_refusals(inventory({**USUAL, "kube-apiserver": 0}, availability="SingleReplica"))
    assert "kube-apiserver --replicas=1" in refusal.next


@pytest.mark.parametrize(
    ("at_zero", "paused", "codes"),
    [
        (["cluster-autoscaler", "machine-approver"], None, []),
        (["cluster-autoscaler"], "true", ["stopped-without-record"]),
        (["capi-provider"], None, ["stopped-without-record"]),
        (["oauth-openshift"], "true", []),
    ],
)
def test_what_may_be_at_zero_by_itself(at_zero: list[str], paused: str | None, codes: list[str]) -> None:
    assert refused(inventory({**USUAL, **dict.fromkeys(at_zero, 0)}, paused_until=paused)) == codes


def test_a_record_that_cannot_be_read_is_the_one_reason_that_is_told() -> None:
    assert refused(recorded_as("{", replicas=ZERO)) == ["record-unreadable"]


@pytest.mark.parametrize(("value", "codes"), [("true", ["cleanup-cloud-resources"]), ("True", ["cleanup-cloud-resources"]), ("false", [])])
def test_a_cluster_that_takes_its_cloud_along_is_refused(value: str, codes: list[str]) -> None:
    assert refused(inventory(annotations={CLEANUP_ANNOTATION: value})) == codes


def karpenter(**changes: Any) -> Inventory:
    """A cluster with nodes that no NodePool has made."""
    return replace(inventory(), **changes)


@pytest.mark.parametrize(
    "of",
    [
        karpenter(hosted_cluster={**inventory().hosted_cluster, "spec": {"autoNode": {"provisionerConfig": {"name": "Karpenter"}}}}),
        karpenter(control_plane=item("v1", "HostedControlPlane", "n", "prod", finalizers=["hypershift.openshift.io/karpenter-finalizer"])),
        karpenter(deployments=(deployment("karpenter", 1),)),
    ],
    ids=["spec", "finalizer", "deployment"],
)
def test_nodes_of_karpenter_are_refused(of: Inventory) -> None:
    assert refused(of) == ["autonode"]


def test_a_control_plane_that_is_taken_down_is_refused() -> None:
    dying = deployment(
        "cluster-api", 1, deletionTimestamp="2026-11-21T23:00:00Z", finalizers=["hypershift.openshift.io/component-finalizer"]
    )
    (refusal,) = quiesce_refusals(inventory(deployments=(dying,)))
    assert refusal.code == "deployment-being-deleted"
    assert "component-finalizer" in refusal.next


def found(of: Inventory, marker: MarkerState = NO_MARKER, name: str = "east") -> list[tuple[str, str]]:
    """(severity, code) of all findings before."""
    return [(finding.severity, finding.code) for finding in quiesce_findings(state(of, marker, name=name))]


def test_a_silent_api_is_told_unless_it_was_stopped() -> None:
    silent = MarkerState(why="Cannot get ConfigMap: connection refused")
    assert found(inventory(), silent) == [("warning", "marker-not-written")]
    assert found(inventory(), silent, name="") == []
    assert found(recorded_as(RECORD, replicas=ZERO), silent._replace(stopped=True)) == [("info", "recorded-before")]


def test_a_marker_of_another_home_is_told() -> None:
    west = MarkerState(PriorMarker("present", "west"), "uid")
    assert found(inventory(), west) == [("info", "marker-replaced")]
    assert found(inventory(), west, name="west") == []


def test_a_record_that_does_not_fit_what_runs_is_told() -> None:
    assert found(recorded_as(RECORD, replicas={**USUAL, "kube-apiserver": 5})) == [
        ("info", "recorded-before"),
        ("warning", "record-differs"),
    ]


def test_a_pause_that_ends_is_told() -> None:
    assert found(inventory(paused_until="2030-01-01T00:00:00Z", pools={"a": "true", "b": "False"})) == [("info", "paused-until-a-time")]


def test_who_would_undo_it_is_told() -> None:
    annotated = inventory(annotations={"argocd.argoproj.io/tracking-id": "clusters:x"})
    (finding,) = quiesce_findings(state(annotated))
    assert (finding.severity, finding.code) == ("warning", "stop-may-be-undone")
    assert finding.what.startswith("Argo CD")


def wrong(of: Inventory) -> list[tuple[str, str]]:
    """(code, object) of what is not proven."""
    return [(finding.code, str(finding.object)) for finding in stopped_findings(of)]


STOPPED = recorded_as(RECORD, replicas={**ZERO, "oauth-openshift": 3}, paused_until="true", pools={"prod-a": "True"}, cluster_paused=True)


def by(manager: str, **fields: Any) -> list[dict[str, Any]]:
    """Managed fields of one manager."""
    return [{"manager": manager, "fieldsV1": {"f:spec": {f"f:{name}": {} for name in fields}}, "time": "2026-11-21T23:00:00Z"}]


def test_what_is_stopped_is_proven() -> None:
    assert wrong(STOPPED) == []


def test_what_is_not_stopped_is_named_with_who_did_it() -> None:
    running = deployment("kube-apiserver", 3, managedFields=by("somebody", replicas=3))
    again = replace(STOPPED, deployments=(running,), pods=(pod("kube-apiserver"), pod("kube-apiserver", 1, deletionTimestamp="now")))
    findings = stopped_findings(again)
    assert [(finding.code, finding.object.name) for finding in findings] == [
        ("not-stopped", "kube-apiserver"),
        ("pods-left", "kube-apiserver-6f7d-0"),
        ("pods-left", "kube-apiserver-6f7d-1"),
    ]
    assert findings[0].what == "it wants 3 replicas (set by somebody)"


def test_what_is_not_paused_or_on_record_is_named() -> None:
    open_ones = inventory(ZERO, paused_until="2030-01-01T00:00:00Z", pools={"prod-a": None}, cluster_paused=False, pods=())
    assert wrong(open_ones) == [
        ("not-recorded", "HostedCluster clusters/prod"),
        ("not-paused", "HostedCluster clusters/prod"),
        ("not-paused", "NodePool clusters/prod-a"),
        ("not-paused", "Cluster clusters-prod/prod-x1"),
    ]


def test_a_pod_of_another_workload_is_not_ours_and_one_without_an_owner_is() -> None:
    lookalike = pod("kube-apiserver-proxy")
    orphan = pod("capi-provider", ownerReferences=[])
    renamed = pod("cluster-api", labels={"pod-template-hash": "6f7d", "app": "other"})
    assert [name_of(one) for one in (orphan, renamed)] == [
        name.rpartition("/")[2] for code, name in wrong(replace(STOPPED, pods=(lookalike, orphan, renamed)))
    ]


COMMANDS = [
    "kubectl scale deployment.apps -n clusters-prod kube-apiserver --replicas=3",
    "kubectl scale deployment.apps -n clusters-prod openshift-apiserver --replicas=3",
    "kubectl scale deployment.apps -n clusters-prod openshift-oauth-apiserver --replicas=3",
    "kubectl rollout status deployment.apps -n clusters-prod kube-apiserver --timeout=15m",
    "kubectl scale deployment.apps -n clusters-prod machine-approver --replicas=1",
    "kubectl scale deployment.apps -n clusters-prod cluster-autoscaler --replicas=1",
    "kubectl scale deployment.apps -n clusters-prod capi-provider --replicas=1",
    "kubectl scale deployment.apps -n clusters-prod cluster-api --replicas=1",
    "kubectl scale deployment.apps -n clusters-prod hosted-cluster-config-operator --replicas=1",
    "kubectl scale deployment.apps -n clusters-prod control-plane-operator --replicas=1",
    """kubectl patch clusters.cluster.x-k8s.io -n clusters-prod prod-x1 --type merge -p '{"spec":{"paused":null}}'""",
    """kubectl patch nodepools.hypershift.openshift.io -n clusters prod-a --type merge -p '{"spec":{"pausedUntil":null}}'""",
    """kubectl patch nodepools.hypershift.openshift.io -n clusters prod-b --type merge -p '{"spec":{"pausedUntil":null}}'""",
    """kubectl patch hostedclusters.hypershift.openshift.io -n clusters prod --type merge -p '{"spec":{"pausedUntil":null}}'""",
]
LAST = "kubectl annotate hostedclusters.hypershift.openshift.io -n clusters prod lifecycle.meshops/before-backup-"


def test_the_commands_put_everything_back_and_take_the_record_away_last() -> None:
    prior = prior_from_json(RECORD)
    assert resume_commands(TARGET, prior) == [*COMMANDS, LAST]
    assert resume_commands(TARGET, prior, marker="east", secret="other") == [
        *COMMANDS,
        "(umask 077 && kubectl get secret -n clusters other -o jsonpath='{.data.kubeconfig}' | base64 -d > clusters-prod.kubeconfig)",
        "timeout 15m sh -c 'until kubectl --kubeconfig clusters-prod.kubeconfig get --raw /readyz; do sleep 3; done'",
        "kubectl --kubeconfig clusters-prod.kubeconfig -n default delete configmap mgmt-parent-cluster --ignore-not-found",
        "rm clusters-prod.kubeconfig",
        LAST,
    ]


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        (PriorMarker("present", "it's west"), {"data": {"from": "it's west"}}),
        (PriorMarker("present"), {"data": {"from": None}}),
        (PriorMarker("present", "east"), None),
        (PriorMarker("unknown"), None),
    ],
    ids=["another", "without a value", "the same", "unknown"],
)
def test_a_marker_that_was_there_is_put_back(marker: PriorMarker, told: dict[str, Any] | None) -> None:
    commands = resume_commands(TARGET, replace(prior_from_json(RECORD), marker=marker), marker="east")
    patches = [shlex.split(command)[-1] for command in commands if " patch configmap " in command]
    assert [json.loads(patch) for patch in patches] == ([] if told is None else [told])


def test_what_was_deleted_meanwhile_does_not_end_the_commands_in_the_middle() -> None:
    prior = prior_from_json(RECORD)
    whole = recorded_as(RECORD, replicas=ZERO, pools={"prod-a": "true", "prod-b": "true"})
    assert still_there(prior, whole) == prior
    less = replace(
        whole,
        node_pools=tuple(pool for pool in whole.node_pools if name_of(pool) != "prod-b"),
        deployments=tuple(item for item in whole.deployments if name_of(item) != "cluster-autoscaler"),
        objects={},
    )
    gone = [
        command for command in COMMANDS if any(name in command for name in ("prod-b", "cluster-autoscaler", "clusters.cluster.x-k8s.io"))
    ]
    assert resume_commands(TARGET, still_there(prior, less)) == [*(command for command in COMMANDS if command not in gone), LAST]
    assert len(gone) == 3


def test_what_was_paused_or_at_zero_stays_so() -> None:
    prior = replace(
        prior_from_json(RECORD),
        replicas={"cluster-autoscaler": 0, "kube-apiserver": 2},
        paused_until="true",
        node_pools={"prod-a": "2030-01-01T00:00:00Z"},
        cluster_paused=True,
    )
    assert [command.partition(" -n ")[2] for command in resume_commands(TARGET, prior)[:-1]] == [
        "clusters-prod kube-apiserver --replicas=2",
        "clusters-prod kube-apiserver --timeout=15m",
        """clusters-prod prod-x1 --type merge -p '{"spec":{"paused":true}}'""",
        """clusters prod-a --type merge -p '{"spec":{"pausedUntil":"2030-01-01T00:00:00Z"}}'""",
        """clusters prod --type merge -p '{"spec":{"pausedUntil":"true"}}'""",
    ]
