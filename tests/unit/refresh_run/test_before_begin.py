# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a caller does before pods of a workload are replaced: just before, and a workload for which it fails is not begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, REPLICASET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_begin import rollout_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import Clock, RefreshRun

from .simulated_cluster import SimulatedCluster, SimulatedRules


def refresh(
    cluster: SimulatedCluster, tasks: list[Task], before_begin: Callable[[Task], None], max_failures: int = 1
) -> tuple[list[StepOutcome], LifecycleError | None, RefreshRun]:
    options = Options(pods_per_minute=0, max_parallel_workloads=1, max_failures=max_failures)
    clock = Clock(cluster.now, cluster.now, cluster.sleep)
    rules = SimulatedRules(cluster)
    run = RefreshRun(cast(Api, cluster), rules, tasks, options, lambda: None, Progress(), Deadline(3600), clock, before_begin=before_begin)
    return (*run.run(), run)


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster()


def test_it_is_done_just_before_the_first_write(cluster: SimulatedCluster) -> None:
    tasks = [cluster.task(cluster.workload(DEPLOYMENT, "a")), cluster.task(cluster.workload(REPLICASET, "b"))]
    cluster.settle()
    seen: list[tuple[str, int]] = []
    outcomes, error, _run = refresh(cluster, tasks, lambda task: seen.append((task.object.name, len(cluster.writes))))
    assert error is None
    assert [outcome.outcome for outcome in outcomes] == ["done", "done"]
    # Two pods are evicted.
    assert seen == [("a", 0), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(("max_failures", "ends"), [(1, ["failed", "not_run"]), (2, ["failed", "done"])])
def test_a_workload_for_which_it_fails_is_not_begun(cluster: SimulatedCluster, max_failures: int, ends: list[str]) -> None:
    tasks = [cluster.task(cluster.workload(DEPLOYMENT, name)) for name in ("a", "b")]
    cluster.settle()

    def refuse(task: Task) -> None:
        if task.object.name == "a":
            raise StepFailed("no", why="because", next="wait", details={"code": "unenrol-failed"})

    outcomes, error, run = refresh(cluster, tasks, refuse, max_failures)
    assert [outcome.outcome for outcome in outcomes] == ends
    assert run.entries[0]["code"] == "unenrol-failed"
    assert run.entries[0]["next"] == "wait"
    assert error is not None
    assert not any(name.endswith("/a") for _time, _verb, name in cluster.writes)


def test_a_template_loses_annotations_by_the_same_write(cluster: SimulatedCluster) -> None:
    task = cluster.task(cluster.workload(DEPLOYMENT, "a"), drops=("example.com/inject",))
    assert rollout_patch(task) == {
        "spec": {"template": {"metadata": {"annotations": {"example.com/inject": None, "meshops.lifecycle/sidecar": "t1"}}}}
    }
