# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw owners, reduced."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DAEMONSET, DEPLOYMENT, REPLICASET, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import ARGO_ROLLOUT, DEPLOYMENT_CONFIG
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_workload import NO_REVISION, workload


def raw(kind: Kind, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    template = {"metadata": {"annotations": {TOKEN: "word"}, "labels": {"app": "web"}}, "spec": {"containers": []}}
    return {
        "kind": kind.kind,
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "9", "generation": 2, **metadata},
        "spec": {"replicas": 3, "template": template, **(spec or {})},
        "status": {"observedGeneration": 2, **(status or {})},
    }


COUNTS = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}


def reduced(kind: Kind, *args: Any, newest: str = "", **metadata: Any) -> Workload:
    return workload(raw(kind, *args, **metadata), kind, newest)


def progressing(reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Progressing", "reason": reason}]}


def test_a_deployment() -> None:
    found = reduced(DEPLOYMENT, {"paused": True, "strategy": {"type": "Recreate"}}, COUNTS, newest="5d4f")
    assert (str(found.ref), found.uid, found.resource_version, found.token) == ("Deployment shop/web", "u", "9", "word")
    assert (found.revision, found.strategy, found.paused, found.rollout.state) == ("5d4f", "Recreate", True, "done")
    assert found.template["metadata"]["namespace"] == "shop"
    assert found.counts.desired == 3


def test_a_deployment_whose_newest_replica_set_has_no_pods_yet() -> None:
    assert reduced(DEPLOYMENT, {}, COUNTS).revision == NO_REVISION
    assert reduced(DEPLOYMENT, {}, {**COUNTS, "observedGeneration": 1}, newest="5d4f").revision == ""


def test_a_rollout_that_was_finished_stays_so_when_a_pod_fails_later() -> None:
    later = {**COUNTS, "availableReplicas": 2}
    assert reduced(DEPLOYMENT, {}, later).rollout.state == "waiting"
    assert reduced(DEPLOYMENT, {}, {**later, **progressing("ReplicaSetUpdated")}).rollout.state == "waiting"
    assert reduced(DEPLOYMENT, {}, {**later, **progressing("NewReplicaSetAvailable")}).rollout.state == "done"
    unseen = {**later, **progressing("NewReplicaSetAvailable"), "observedGeneration": 1}
    assert reduced(DEPLOYMENT, {}, unseen).rollout.state == "waiting"


def test_a_stateful_set() -> None:
    status = {**COUNTS, "updateRevision": "web-2", "currentRevision": "web-1"}
    found = reduced(STATEFULSET, {"updateStrategy": {"type": "RollingUpdate"}}, status)
    assert (found.revision, found.strategy, found.partition, found.rollout.state) == ("web-2", "RollingUpdate", 0, "waiting")
    failing = {**status, "currentRevision": "web-2", "readyReplicas": 1}
    assert reduced(STATEFULSET, {}, failing).rollout.state == "done"


@pytest.mark.parametrize(("start", "partition", "first"), [(0, 2, 2), (5, 2, 7), (5, 0, 0)])
def test_the_partition_counts_from_the_first_ordinal(start: int, partition: int, first: int) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    assert reduced(STATEFULSET, {"updateStrategy": strategy, "ordinals": {"start": start}}, COUNTS).partition == first


@pytest.mark.parametrize("kind", [STATEFULSET, DAEMONSET])
def test_who_waits_for_a_deletion_has_no_rollout(kind: Kind) -> None:
    found = reduced(kind, {"updateStrategy": {"type": "OnDelete"}}, COUNTS)
    assert (found.strategy, found.rollout.state) == ("OnDelete", "done")


def test_a_daemon_set_is_known_by_the_generation_of_its_template() -> None:
    status = {"desiredNumberScheduled": 4, "updatedNumberScheduled": 3, "numberReady": 4, "numberAvailable": 4}
    found = reduced(DAEMONSET, {}, status, annotations={"deprecated.daemonset.template.generation": "7"})
    assert (found.revision, found.counts.desired, found.rollout.state) == ("7", 4, "waiting")


def test_a_replica_set_has_only_pods() -> None:
    found = reduced(REPLICASET, {}, COUNTS)
    assert (found.strategy, found.revision, found.rollout.state, found.counts.desired) == ("", "", "done", 3)


def test_an_argo_rollout_tells_its_last_restart() -> None:
    asked = {"restartAt": "2026-02-01T00:00:00Z"}
    assert reduced(ARGO_ROLLOUT).rollout.state == "done"
    assert reduced(ARGO_ROLLOUT, asked, {"restartedAt": "2026-01-01T00:00:00Z"}).rollout.state == "waiting"
    found = reduced(ARGO_ROLLOUT, asked, {"restartedAt": "2026-02-01T00:00:00Z"})
    assert (found.rollout.state, found.token) == ("done", "2026-02-01T00:00:00Z")


def test_an_argo_rollout_may_have_its_template_elsewhere() -> None:
    item = raw(ARGO_ROLLOUT, {"template": None, "workloadRef": {"kind": "Deployment", "name": "web"}})
    assert workload(item, ARGO_ROLLOUT).template == {"metadata": {"namespace": "shop"}}
    found = workload(item, ARGO_ROLLOUT, template={"metadata": {"labels": {"app": "web"}}, "spec": {}})
    assert found.template["metadata"] == {"labels": {"app": "web"}, "namespace": "shop"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({**COUNTS, **progressing("NewReplicationControllerAvailable")}, "done"),
        ({**COUNTS, **progressing("ReplicationControllerUpdated")}, "waiting"),
        ({**COUNTS, **progressing("ProgressDeadlineExceeded")}, "failed"),
        (COUNTS, "done"),
        ({**COUNTS, "updatedReplicas": 1}, "waiting"),
        ({**COUNTS, "observedGeneration": 1}, "waiting"),
    ],
)
def test_a_deployment_config(status: dict[str, Any], state: str) -> None:
    found = reduced(DEPLOYMENT_CONFIG, {"paused": False}, {"latestVersion": 3, **status})
    assert found.rollout.state == state
    assert found.revision == ("" if status.get("observedGeneration") == 1 else "web-3")
    assert (found.token, found.strategy) == ("", "Rolling")
