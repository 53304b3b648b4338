# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollout status by kubectl's rules (pkg/polymorphichelpers/rollout_status.go), one row per branch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, replicas, rollout_status

Object = dict[str, Any]


def workload(kind: str, spec: Object, status: Object, generation: int = 2) -> Object:
    return {"kind": kind, "metadata": {"name": "x", "generation": generation}, "spec": spec, "status": status}


def deployment(**status: Any) -> Object:
    return workload("Deployment", {"replicas": 3}, {"observedGeneration": 2, **status})


def daemon_set(strategy: str = "RollingUpdate", **status: Any) -> Object:
    return workload("DaemonSet", {"updateStrategy": {"type": strategy}}, {"observedGeneration": 2, "desiredNumberScheduled": 3, **status})


def stateful_set(strategy: Object, **status: Any) -> Object:
    return workload("StatefulSet", {"replicas": 3, "updateStrategy": strategy}, {"observedGeneration": 2, **status})


ROLLING: Object = {"type": "RollingUpdate"}
PARTITIONED: Object = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
DONE: Object = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("obj", "state", "message"),
    [
        (deployment(**DONE), "done", 'deployment "x" successfully rolled out'),
        (deployment(observedGeneration=1, **DONE), "waiting", "Waiting for deployment spec update to be observed..."),
        (
            deployment(conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}], **DONE),
            "failed",
            'deployment "x" exceeded its progress deadline',
        ),
        (
            deployment(conditions=[{"type": "Available", "reason": "ProgressDeadlineExceeded"}], **DONE),
            "done",
            'deployment "x" successfully rolled out',
        ),
        (
            deployment(replicas=3, updatedReplicas=1, availableReplicas=3),
            "waiting",
            'Waiting for deployment "x" rollout to finish: 1 out of 3 new replicas have been updated...',
        ),
        (
            deployment(replicas=4, updatedReplicas=3, availableReplicas=3),
            "waiting",
            'Waiting for deployment "x" rollout to finish: 1 old replicas are pending termination...',
        ),
        (
            deployment(replicas=3, updatedReplicas=3, availableReplicas=2),
            "waiting",
            'Waiting for deployment "x" rollout to finish: 2 of 3 updated replicas are available...',
        ),
        (workload("Deployment", {"replicas": 0}, {"observedGeneration": 2}), "done", 'deployment "x" successfully rolled out'),
        (workload("Deployment", {}, {}), "waiting", "Waiting for deployment spec update to be observed..."),
        (
            daemon_set("OnDelete", updatedNumberScheduled=3, numberAvailable=3),
            "failed",
            "rollout status is only available for RollingUpdate strategy type",
        ),
        (daemon_set(observedGeneration=1), "waiting", "Waiting for daemon set spec update to be observed..."),
        (
            daemon_set(updatedNumberScheduled=1, numberAvailable=3),
            "waiting",
            'Waiting for daemon set "x" rollout to finish: 1 out of 3 new pods have been updated...',
        ),
        (
            daemon_set(updatedNumberScheduled=3, numberAvailable=2),
            "waiting",
            'Waiting for daemon set "x" rollout to finish: 2 of 3 updated pods are available...',
        ),
        (daemon_set(updatedNumberScheduled=3, numberAvailable=3), "done", 'daemon set "x" successfully rolled out'),
        (stateful_set({"type": "OnDelete"}), "failed", "rollout status is only available for RollingUpdate strategy type"),
        (stateful_set(ROLLING, observedGeneration=0), "waiting", "Waiting for statefulset spec update to be observed..."),
        (stateful_set(ROLLING, readyReplicas=1), "waiting", "Waiting for 2 pods to be ready..."),
        (
            stateful_set(PARTITIONED, readyReplicas=3, updatedReplicas=0),
            "waiting",
            "Waiting for partitioned roll out to finish: 0 out of 1 new pods have been updated...",
        ),
        (
            stateful_set(PARTITIONED, readyReplicas=3, updatedReplicas=1),
            "done",
            "partitioned roll out complete: 1 new pods have been updated...",
        ),
        (
            stateful_set({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, readyReplicas=3, updatedReplicas=3),
            "done",
            "partitioned roll out complete: 3 new pods have been updated...",
        ),
        (
            stateful_set(ROLLING, readyReplicas=3, updatedReplicas=1, currentRevision="a", updateRevision="b"),
            "waiting",
            "waiting for statefulset rolling update to complete 1 pods at revision b...",
        ),
        (
            stateful_set(ROLLING, readyReplicas=3, currentReplicas=3, currentRevision="b", updateRevision="b"),
            "done",
            "statefulset rolling update complete 3 pods at revision b...",
        ),
        ({"kind": "Job", "metadata": {"name": "x"}}, "failed", "no rollout status for Job"),
    ],
)
def test_every_branch(obj: Object, state: str, message: str) -> None:
    assert rollout_status(obj) == (state, message)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_done_means_that_only_the_newest_runs(wanted: int, total: int, updated: int, available: int) -> None:
    status = {"observedGeneration": 2, "replicas": total, "updatedReplicas": updated, "availableReplicas": available}
    if rollout_status(workload("Deployment", {"replicas": wanted}, status)).done:
        assert updated >= wanted
        assert total <= updated <= available


def test_counts_of_each_kind() -> None:
    status = {"updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1}
    assert replicas(workload("Deployment", {"replicas": 3}, status)) == Replicas(desired=3, updated=2, ready=1, available=1)
    assert replicas(workload("StatefulSet", {}, {})) == Replicas(desired=1, updated=0, ready=0, available=0)
    scheduled = {"desiredNumberScheduled": 4, "updatedNumberScheduled": 3, "numberReady": 2, "numberAvailable": 1}
    assert replicas(workload("DaemonSet", {}, scheduled)) == Replicas(desired=4, updated=3, ready=2, available=1)
