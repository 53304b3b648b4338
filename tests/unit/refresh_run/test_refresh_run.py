# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole refresh on a simulated cluster: every way, every end, and what must never happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, Unreachable
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    DAEMONSET,
    DEPLOYMENT,
    POD,
    REPLICASET,
    SECRET,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LeaseLost, LifecycleError, StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Options, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import Clock, RefreshRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import saved_pods

from .simulated_cluster import NEW, OLD, Object, SimulatedCluster, SimulatedRules, failing, is_ready, sidecar, template_token

FREE = {"pods_per_minute": 0}


class Lines(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


class SimulatedDeadline(Deadline):
    def __init__(self, cluster: SimulatedCluster, seconds: float) -> None:
        super().__init__(seconds)
        self._cluster, self._until = cluster, cluster.time + seconds

    def remaining(self) -> float:
        return max(0.0, self._until - self._cluster.time)


class Refresh:
    """A run, and what came out of it."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        tasks: Sequence[Task],
        *,
        guard: Callable[[], None] = lambda: None,
        timeout: float = 3600,
        fresh_rules: Callable[[], SimulatedRules] | None = None,
        **options: Any,
    ) -> None:
        self.progress, self.rules = Lines(), SimulatedRules(cluster)
        clock = Clock(cluster.now, cluster.now, cluster.sleep)
        deadline = SimulatedDeadline(cluster, timeout)
        asked = Options(**{**FREE, **options})
        self.run = RefreshRun(cast(Api, cluster), self.rules, tasks, asked, guard, self.progress, deadline, clock, fresh_rules)
        self.outcomes: list[StepOutcome] = []
        self.error: LifecycleError | None = None

    def __call__(self) -> Refresh:
        self.outcomes, self.error = self.run.run()
        return self

    @property
    def ends(self) -> list[str]:
        return [outcome.outcome for outcome in self.outcomes]

    @property
    def codes(self) -> dict[str, str]:
        return {entry["object"]["name"]: entry["code"] for entry in self.run.entries}


def refresh(cluster: SimulatedCluster, *tasks: Task, **options: Any) -> Refresh:
    return Refresh(cluster, tasks, **options)()


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster()


def deployments(cluster: SimulatedCluster, count: int, replicas: int = 2) -> list[Task]:
    return [cluster.task(cluster.workload(DEPLOYMENT, f"web-{number}", replicas)) for number in range(count)]


def sidecars(cluster: SimulatedCluster, app: str = "") -> set[str]:
    return {sidecar(pod) for pod in cluster.pods(app)}


# Every way


@pytest.mark.parametrize("kind", [DEPLOYMENT, STATEFULSET, DAEMONSET])
def test_a_workload_that_rolls_gets_one_patch_and_is_proven_by_its_pods(cluster: SimulatedCluster, kind: Kind) -> None:
    made = cluster.workload(kind, "web", 3)
    assert sidecars(cluster) == {OLD}
    done = refresh(cluster, cluster.task(made))
    assert (done.ends, done.error, done.run.entries) == (["done"], None, [])
    assert sidecars(cluster) == {NEW}
    assert template_token(made) == "t1"
    assert [verb for _time, verb, _name in cluster.writes] == ["patch"]
    assert done.run.counts == {"workloads": 1, "pods": 3, "unchanged": 0, "failed": 0, "not_run": 0}
    assert done.run.rate > 0


@pytest.mark.parametrize(("kind", "spec"), [(REPLICASET, {}), (STATEFULSET, {"type": "OnDelete"}), (DAEMONSET, {"type": "OnDelete"})])
def test_pods_that_nobody_rolls_are_evicted_one_after_the_other(cluster: SimulatedCluster, kind: Kind, spec: Object) -> None:
    made = cluster.workload(kind, "db", 3, updateStrategy=spec)
    least: list[int] = []
    cluster.watch = lambda: least.append(sum(map(is_ready, cluster.pods("db"))))
    done = refresh(cluster, cluster.task(made))
    assert (done.ends, done.error) == (["done"], None)
    assert sidecars(cluster) == {NEW}
    assert [verb for _time, verb, _name in cluster.writes] == ["eviction"] * 3
    assert min(least) == 2
    assert done.run.counts["pods"] == 3


def test_only_the_stale_pods_of_a_workload_are_evicted(cluster: SimulatedCluster) -> None:
    made = cluster.workload(REPLICASET, "db", 3)
    cluster.end(cluster.pods("db")[0])
    cluster.settle()
    done = refresh(cluster, cluster.task(made))
    assert (done.ends, len(cluster.writes), done.run.counts["pods"]) == (["done"], 2, 2)


def test_no_pod_is_evicted_while_one_that_an_earlier_run_has_replaced_does_not_come_up(cluster: SimulatedCluster) -> None:
    made = cluster.workload(REPLICASET, "db", 3)
    first = refresh(cluster, cluster.task(broken_from_now_on(made)), stall_timeout=10)
    assert (first.ends, len(cluster.writes)) == (["failed"], 1)
    cluster.writes.clear()
    again = refresh(cluster, cluster.task(made), stall_timeout=10)
    assert (again.ends, again.codes, cluster.writes) == (["failed"], {"db": "stalled"}, [])
    assert sum(map(is_ready, cluster.pods("db"))) == 2


def broken_from_now_on(made: Object) -> Object:
    """Let new pods of a workload never become ready."""
    made["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
    return made


def test_a_bare_pod_is_saved_evicted_and_created(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    done = refresh(cluster, cluster.task(pod))
    assert (done.ends, done.error) == (["done"], None)
    assert [verb for _time, verb, _name in cluster.writes] == ["create", "eviction", "create", "delete"]
    assert sidecars(cluster) == {NEW}
    assert not cluster.all(SECRET)


def test_a_statefulset_keeps_the_pods_below_its_partition(cluster: SimulatedCluster) -> None:
    made = cluster.workload(STATEFULSET, "db", 3, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
    done = refresh(cluster, cluster.task(made))
    assert (done.ends, done.run.counts["pods"]) == (["done"], 2)
    assert [sidecar(pod) for pod in cluster.pods("db")] == [OLD, NEW, NEW]


def test_what_is_under_way_is_waited_for_and_not_written(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web", 3)
    made["spec"]["template"]["metadata"]["annotations"] = {TOKEN: "t1"}
    cluster.touch(made)
    done = refresh(cluster, cluster.task(made, way="wait"))
    assert (done.ends, done.error, cluster.writes) == (["unchanged"], None, [])
    assert sidecars(cluster) == {NEW}


def test_somebody_elses_rollout_is_waited_for_without_a_token(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web", 3)
    made["spec"]["template"]["metadata"]["annotations"] = {"theirs": "1"}
    cluster.touch(made)
    done = refresh(cluster, cluster.task(made, "", way="wait"))
    assert (done.ends, done.error) == (["unchanged"], None)


# What happens meanwhile


def test_a_conflict_is_read_again_and_the_patch_made_on_the_new_state(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web")
    task = cluster.task(made)
    made["spec"]["replicas"] = 3
    cluster.touch(made)
    done = refresh(cluster, task)
    assert (done.ends, made["spec"]["replicas"]) == (["done"], 3)
    assert [verb for _time, verb, _name in cluster.writes] == ["patch", "patch"]


def test_a_template_that_has_the_token_meanwhile_is_not_patched_again(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web")
    task = cluster.task(made)
    made["spec"]["template"]["metadata"]["annotations"] = {TOKEN: "t1"}
    cluster.touch(made)
    done = refresh(cluster, task)
    assert (done.ends, len(cluster.writes)) == (["unchanged"], 1)


def test_a_workload_that_was_deleted_meanwhile_is_no_failure(cluster: SimulatedCluster) -> None:
    first, second = (cluster.workload(DEPLOYMENT, name) for name in ("web", "api"))
    tasks = [cluster.task(first), cluster.task(second)]
    cluster.drop(first)
    again = cluster.workload(DEPLOYMENT, "api")
    assert again["metadata"]["uid"] != second["metadata"]["uid"]
    done = refresh(cluster, *tasks)
    assert (done.ends, done.error) == (["unchanged", "unchanged"], None)
    assert "deleted meanwhile" in done.outcomes[0].message
    assert "made anew" in done.outcomes[1].message


def test_a_workload_that_was_paused_meanwhile_fails_untouched(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web")
    task = cluster.task(made)
    made["spec"]["paused"] = True
    cluster.touch(made)
    done = refresh(cluster, task)
    assert (done.ends, done.codes) == (["failed"], {"web": "paused"})
    assert not template_token(made)


def test_an_annotation_that_is_taken_away_is_told_with_who_did_it_and_not_written_again(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web")

    def revert() -> None:
        if template_token(made):
            del made["spec"]["template"]["metadata"]["annotations"]
            stamp = cluster.stamp()
            made["metadata"]["managedFields"] = [
                {"manager": "kube-controller-manager", "subresource": "status", "time": "2999-01-01T00:00:00Z"},
                {"manager": "argocd-controller", "time": stamp},
                {"manager": "helm", "time": "2020-01-01T00:00:00Z"},
            ]
            cluster.touch(made)

    cluster.watch = revert
    done = refresh(cluster, cluster.task(made))
    assert done.codes == {"web": "annotation-reverted"}
    assert "argocd-controller changed the workload since" in done.run.entries[0]["message"]
    assert len(cluster.writes) == 1


def test_a_pod_that_comes_back_naked_fails_its_workload_and_the_injector_is_asked(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 3)
    cluster.injected = ""
    done = refresh(cluster, *tasks, max_parallel_workloads=1)
    assert done.ends == ["failed", "not_run", "not_run"]
    assert done.codes == {"web-0": "created-without-sidecar", "web-1": "max-failures", "web-2": "max-failures"}
    assert isinstance(done.error, StepFailed)
    assert "it has no sidecar" in done.error.why
    assert done.rules.asked == 1


def test_a_dead_injector_is_noticed_at_the_first_failure_and_nothing_new_is_begun(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 4)
    cluster.injected, cluster.injector_alive = "", False
    done = refresh(cluster, *tasks, max_parallel_workloads=1, max_failures=3)
    assert done.ends == ["failed", "not_run", "not_run", "not_run"]
    assert done.codes["web-1"] == "injector-down"
    assert done.error is not None
    assert "no endpoint of the injector is ready" in done.error.why
    assert "repair it" in done.error.next


class ChangedRules(SimulatedRules):
    """The mesh after its configuration was changed."""

    def fingerprint(self, template: Mapping[str, Any]) -> str:
        return f"changed-{super().fingerprint(template)}"


def test_a_mesh_that_is_changed_meanwhile_ends_the_run_and_says_so(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 4)
    cluster.injected, cluster.injector_alive = "proxy:3", False
    done = refresh(cluster, *tasks, max_parallel_workloads=1, max_failures=3, fresh_rules=lambda: ChangedRules(cluster))
    assert done.ends == ["failed", "not_run", "not_run", "not_run"]
    assert done.codes == {"web-0": "created-with-other-sidecar", **{f"web-{number}": "mesh-changed" for number in range(1, 4)}}
    assert done.error is not None
    assert "the mesh's configuration has changed while the refresh was going on" in done.error.why
    assert done.error.next.startswith("run the same command again")


def test_an_injector_that_is_broken_while_the_mesh_is_as_before_is_told_as_such(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 2)
    cluster.injected, cluster.injector_alive = "proxy:3", False
    done = refresh(cluster, *tasks, max_parallel_workloads=1, max_failures=3, fresh_rules=lambda: SimulatedRules(cluster))
    assert done.codes == {"web-0": "created-with-other-sidecar", "web-1": "injector-down"}


def test_a_mesh_that_cannot_be_read_again_is_not_taken_for_changed(cluster: SimulatedCluster) -> None:
    def unreadable() -> SimulatedRules:
        raise LifecycleError("no mesh was found")

    tasks = deployments(cluster, 2)
    cluster.injected = "proxy:3"
    done = refresh(cluster, *tasks, max_parallel_workloads=1, fresh_rules=unreadable)
    assert done.codes == {"web-0": "created-with-other-sidecar", "web-1": "max-failures"}


def test_the_injector_is_asked_again_after_many_workloads(cluster: SimulatedCluster) -> None:
    done = refresh(cluster, *deployments(cluster, 120, 1), max_parallel_workloads=30)
    assert (set(done.ends), done.rules.asked) == ({"done"}, 2)


def test_the_injector_is_asked_again_after_a_minute(cluster: SimulatedCluster) -> None:
    done = refresh(cluster, *deployments(cluster, 4, 1), pods_per_minute=2)
    # One begins every half minute, and everything is over 90 seconds after the first.
    assert (set(done.ends), done.rules.asked) == ({"done"}, 1)


def test_an_injector_that_dies_in_a_slow_run_is_noticed_before_the_next_workload(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 4, 1)
    begun = cluster.time

    def die() -> None:
        cluster.injector_alive = cluster.time < begun + 45

    cluster.watch = die
    done = refresh(cluster, *tasks, pods_per_minute=2)
    assert done.ends == ["done", "done", "not_run", "not_run"]
    assert set(done.codes.values()) == {"injector-down"}


def test_the_rate_of_the_result_is_that_of_the_last_line(cluster: SimulatedCluster) -> None:
    cluster.workload(DEPLOYMENT, "broken")["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
    tasks = [*deployments(cluster, 3), cluster.task(cluster.there(DEPLOYMENT, "shop", "broken"))]
    done = refresh(cluster, *tasks, stall_timeout=20)
    assert done.ends == ["done", "done", "done", "failed"]
    assert done.run.rate > 0
    assert f"{done.run.rate:g} pods a minute" in done.progress.lines[-1]


def test_a_workload_that_never_becomes_ready_stalls(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web")
    made["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
    begun = cluster.time
    done = refresh(cluster, cluster.task(made), stall_timeout=20)
    assert done.codes == {"web": "stalled"}
    assert "nothing has changed for 20 s" in done.run.entries[0]["message"]
    assert "not ready" in done.run.entries[0]["message"]
    assert 20 <= cluster.time - begun < 30


def test_slow_pods_are_no_stall_but_have_a_timeout(cluster: SimulatedCluster) -> None:
    made = cluster.workload(DEPLOYMENT, "web", 4)
    cluster.start_seconds = 15
    assert refresh(cluster, cluster.task(made, "t1"), stall_timeout=20).ends == ["done"]
    done = refresh(cluster, cluster.task(made, "t2"), stall_timeout=20, wait_timeout=40)
    assert done.codes == {"web": "timeout"}


def test_a_long_end_of_pods_and_min_ready_seconds_are_no_stall(cluster: SimulatedCluster) -> None:
    made = cluster.workload(STATEFULSET, "db", 1)
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 120
    cluster.end_seconds = 100
    assert refresh(cluster, cluster.task(made), stall_timeout=20).ends == ["done"]


# The stop rule, batches, pace, windows


def test_the_stop_rule_waits_for_what_runs_and_lists_what_was_not_begun(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 6)
    bad = cluster.there(DEPLOYMENT, "shop", "web-1")
    bad["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
    cluster.start_seconds = 8
    done = refresh(cluster, *tasks, max_parallel_workloads=2, stall_timeout=10)
    assert done.ends[1] == "failed"
    count = Counter(done.ends)
    assert count["failed"] == 1
    assert count["not_run"] == sum(not template_token(cluster.there(DEPLOYMENT, "shop", f"web-{number}")) for number in range(6))
    assert count["not_run"] >= 3
    assert {entry["code"] for entry in done.run.entries if entry["outcome"] == "not_run"} == {"max-failures"}


def under_way(cluster: SimulatedCluster, name: str, behaviour: str = "") -> Task:
    """A workload whose pods an earlier run has begun to replace."""
    made = cluster.workload(DEPLOYMENT, name)
    made["spec"]["template"]["metadata"]["annotations"] = {TOKEN: "t1"}
    made["spec"]["template"]["metadata"]["labels"]["behaviour"] = behaviour
    cluster.touch(made)
    return cluster.task(made, way="wait")


def test_what_was_broken_before_keeps_nothing_else_from_being_done(cluster: SimulatedCluster) -> None:
    broken, others = under_way(cluster, "broken", "never-ready"), deployments(cluster, 3)
    done = refresh(cluster, broken, *others, max_parallel_workloads=1, stall_timeout=8)
    assert done.ends == ["failed", "done", "done", "done"]
    assert done.codes == {"broken": "stalled"}
    assert isinstance(done.error, StepFailed)
    # It is looked whether that is the injector's fault.
    assert done.rules.asked == 1


def test_what_was_begun_before_and_got_no_sidecar_keeps_others_from_that(cluster: SimulatedCluster) -> None:
    begun, others = under_way(cluster, "web"), deployments(cluster, 2)
    cluster.injected = ""
    done = refresh(cluster, begun, *others, max_parallel_workloads=1)
    assert done.ends == ["failed", "not_run", "not_run"]
    assert set(done.codes.values()) == {"created-without-sidecar", "max-failures"}
    assert not cluster.writes


def test_what_an_earlier_run_has_broken_counts_as_a_failure_of_this_one(cluster: SimulatedCluster) -> None:
    broken = replace(under_way(cluster, "broken", "never-ready"), failing=True)
    done = refresh(cluster, broken, *deployments(cluster, 3), stall_timeout=8)
    assert done.ends == ["failed", "not_run", "not_run", "not_run"]
    assert not cluster.writes
    assert done.run.entries[1]["code"] == "max-failures"
    assert "1 workload failed (1 of an earlier run), and max_failures is 1" in done.run.entries[1]["message"]
    assert "nothing new is begun: 1 workload of an earlier run did not come up, and max_failures is 1" in done.progress.lines[1]


def test_what_an_earlier_run_has_broken_leaves_room_for_other_failures(cluster: SimulatedCluster) -> None:
    broken = replace(under_way(cluster, "broken", "never-ready"), failing=True)
    done = refresh(cluster, broken, *deployments(cluster, 3), stall_timeout=8, max_failures=2)
    assert done.ends == ["failed", "done", "done", "done"]


def test_what_comes_up_after_all_lets_the_others_begin(cluster: SimulatedCluster) -> None:
    cluster.start_seconds = 6
    slow = replace(under_way(cluster, "slow"), failing=True)
    begun = cluster.time
    done = refresh(cluster, slow, *deployments(cluster, 2))
    assert (done.ends, done.error) == (["unchanged", "done", "done"], None)
    assert min(time for time, _verb, _name in cluster.writes) > begun + 6


def given_up(cluster: SimulatedCluster, name: str) -> Callable[[], None]:
    """Let the controller of a Deployment find that its rollout takes too long."""

    def give_up() -> None:
        made = cluster.there(DEPLOYMENT, "shop", name)
        refused = 'pods "broken-1" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3'
        made["status"]["conditions"] = [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out progressing."},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused},
        ]

    return give_up


def test_a_rollout_that_its_controller_gives_up_is_told_with_the_reason(cluster: SimulatedCluster) -> None:
    broken = under_way(cluster, "broken", "never-ready")
    cluster.watch = given_up(cluster, "broken")
    done = refresh(cluster, broken)
    assert done.codes == {"broken": "rollout-failed"}
    entry = done.run.entries[0]
    assert entry["message"].startswith('deployment "broken" exceeded its progress deadline; ')
    assert "exceeded quota: few" in entry["message"]
    assert "kubectl describe resourcequota" in entry["next"]


def test_the_last_line_is_told_once(cluster: SimulatedCluster) -> None:
    done = refresh(cluster, *deployments(cluster, 3, 1))
    assert [line.startswith("refresh: 3 of 3 workloads") for line in done.progress.lines] == [False, False, True]


def test_two_failures_may_be_allowed(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 5)
    for number in (0, 2):
        labels = cluster.there(DEPLOYMENT, "shop", f"web-{number}")["spec"]["template"]["metadata"]["labels"]
        labels["behaviour"] = "never-ready"
    done = refresh(cluster, *tasks, max_parallel_workloads=1, max_failures=3, stall_timeout=10)
    assert done.ends == ["failed", "done", "failed", "done", "done"]
    assert isinstance(done.error, StepFailed)
    assert done.error.msg == "2 workloads could not be refreshed"


def test_a_batch_is_healthy_before_the_next_begins(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 6)
    done = refresh(cluster, *tasks, batch_size=2)
    times = [time for time, _verb, _name in cluster.writes]
    assert set(done.ends) == {"done"}
    assert times[0] == times[1] < times[2] == times[3] < times[4] == times[5]
    assert times[2] - times[0] >= 3


def test_the_pace_is_kept(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 12, 5)
    begun = cluster.time
    done = refresh(cluster, *tasks, pods_per_minute=60, max_parallel_workloads=100)
    times = [time - begun for time, _verb, _name in cluster.writes]
    assert set(done.ends) == {"done"}
    for number, time in enumerate(times):
        assert 5 * number <= time + 5.01
    assert 50 <= times[-1] <= 56
    assert 45 <= done.run.rate <= 66


def test_nothing_new_is_begun_after_the_window(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 4)
    done = refresh(cluster, *tasks, max_parallel_workloads=1, until=cluster.time + 2)
    assert done.ends == ["done", "not_run", "not_run", "not_run"]
    assert done.codes["web-1"] == "until"
    assert isinstance(done.error, Interrupted)
    assert "3 workloads not refreshed" in done.error.msg
    assert done.error.next == "run again with a later until"


def test_the_timeout_of_the_call_ends_it_and_says_what_was_begun(cluster: SimulatedCluster) -> None:
    cluster.start_seconds = 30
    done = refresh(cluster, *deployments(cluster, 3), max_parallel_workloads=1, timeout=20)
    assert done.ends == ["failed", "not_run", "not_run"]
    assert done.codes["web-0"] == "unfinished"
    assert isinstance(done.error, Interrupted)
    assert "timeout of 20 s" in done.error.msg


def test_a_lost_lease_stops_at_once(cluster: SimulatedCluster) -> None:
    held = [True]

    def guard() -> None:
        if not held[0]:
            raise LeaseLost("the Lease is held by somebody else")

    tasks = deployments(cluster, 3)
    cluster.watch = lambda: held.__setitem__(0, len(cluster.writes) < 2)
    done = refresh(cluster, *tasks, guard=guard, max_parallel_workloads=2)
    assert isinstance(done.error, LeaseLost)
    assert done.ends == ["failed", "failed", "not_run"]
    assert len(cluster.writes) == 2


# Budgets


def test_a_budget_that_allows_nothing_blocks_only_its_own_workload(cluster: SimulatedCluster) -> None:
    blocked = cluster.task(cluster.workload(REPLICASET, "db", 2))
    others = deployments(cluster, 3)
    cluster.budgets["db"] = ("keep-db", lambda: False)
    done = refresh(cluster, blocked, *others, max_parallel_workloads=1, wait_timeout=60)
    assert done.ends == ["not_run", "done", "done", "done"]
    assert done.codes == {"db": "blocked-by-budget"}
    assert "PodDisruptionBudget shop/keep-db" in done.run.entries[0]["message"]
    assert isinstance(done.error, Interrupted)
    assert any("shop/db is waiting for PodDisruptionBudget shop/keep-db" in line for line in done.progress.lines)
    asked = [time for time, verb, _name in cluster.writes if verb == "eviction"]
    assert all(later - earlier >= 5 for earlier, later in pairwise(asked))


def test_a_budget_that_allows_again_is_used(cluster: SimulatedCluster) -> None:
    made = cluster.workload(REPLICASET, "db", 3)
    free_from = cluster.time + 30
    cluster.budgets["db"] = ("keep-db", lambda: cluster.time >= free_from)
    done = refresh(cluster, cluster.task(made), stall_timeout=10)
    assert (done.ends, done.error, sidecars(cluster)) == (["done"], None, {NEW})


def test_a_budget_that_closes_half_way_is_told_with_what_was_done(cluster: SimulatedCluster) -> None:
    made = cluster.workload(REPLICASET, "db", 3)
    cluster.budgets["db"] = ("keep-db", lambda: sum(verb == "eviction" for _time, verb, _name in cluster.writes) <= 1)
    done = refresh(cluster, cluster.task(made), wait_timeout=30)
    assert (done.ends, done.codes) == (["failed"], {"db": "blocked-by-budget"})
    assert "1 of 3 pods were replaced" in done.run.entries[0]["message"]
    # It is no failure that would count for max_failures.
    assert isinstance(done.error, Interrupted)


def test_a_bare_pod_that_its_budget_keeps_leaves_no_copy(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    cluster.budgets["tool"] = ("keep", lambda: False)
    done = refresh(cluster, cluster.task(pod), wait_timeout=20)
    assert (done.ends, done.codes) == (["not_run"], {"tool": "blocked-by-budget"})
    assert cluster.pods("tool") == [pod]
    assert not cluster.all(SECRET)


def test_evictions_end_after_the_pod_that_is_away_when_something_breaks(cluster: SimulatedCluster) -> None:
    db, bad = cluster.workload(REPLICASET, "db", 10), cluster.workload(DEPLOYMENT, "web")
    bad["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
    cluster.touch(bad)
    done = refresh(cluster, cluster.task(db), cluster.task(bad), stall_timeout=8)
    assert done.codes == {"web": "stalled", "db": "stopped"}
    assert {sidecar(pod) for pod in cluster.pods("db")} == {NEW, OLD}
    assert all("deletionTimestamp" not in pod["metadata"] for pod in cluster.pods("db"))


# Killed, and run again


class Killed(BaseException):
    """SIGKILL: nothing is caught, nothing is cleaned up."""


def killed_after(writes: int, cluster: SimulatedCluster) -> Callable[[str, Kind, str], None]:
    def fault(verb: str, kind: Kind, name: str) -> None:
        if verb not in ("get", "list") and len(cluster.writes) >= writes:
            raise Killed(f"{verb} {kind.kind} {name}")

    return fault


def plan_again(cluster: SimulatedCluster, made: Sequence[Object]) -> list[Task]:
    """What a plan makes of the cluster: what has the token and still rolls is waited for, what is fine is left."""
    tasks = []
    for workload in made:
        name = workload["metadata"]["name"]
        stale = any(sidecar(pod) != NEW for pod in cluster.pods(name))
        if template_token(workload) == "t1":
            tasks += [cluster.task(workload, way="wait")] if stale else []
        elif stale:
            tasks.append(cluster.task(workload))
    return tasks


@pytest.mark.parametrize("writes", range(8))
def test_after_a_kill_the_second_run_restarts_nothing_twice(cluster: SimulatedCluster, writes: int) -> None:
    made = [
        cluster.workload(kind, f"w{number}", 2) for number, kind in enumerate([DEPLOYMENT, STATEFULSET, REPLICASET, DAEMONSET, DEPLOYMENT])
    ]
    cluster.writes.clear()
    born: Counter[str] = Counter()
    known = {pod["metadata"]["uid"] for pod in cluster.pods()}

    def count() -> None:
        for pod in cluster.pods():
            if pod["metadata"]["uid"] not in known:
                known.add(pod["metadata"]["uid"])
                born[pod["metadata"]["labels"]["app"]] += 1

    cluster.watch = count
    cluster.fault = killed_after(writes, cluster)
    try:
        refresh(cluster, *plan_again(cluster, made), max_parallel_workloads=2)
    except Killed:
        pass
    cluster.fault = lambda verb, kind, name: None
    done = refresh(cluster, *plan_again(cluster, made), max_parallel_workloads=2)
    assert done.error is None
    assert sidecars(cluster) == {NEW}
    assert born == {f"w{number}": 2 for number in range(5)}


@pytest.mark.parametrize("writes", range(5))
def test_a_bare_pod_survives_a_kill_at_any_point(cluster: SimulatedCluster, writes: int) -> None:
    pod = cluster.bare_pod("tool")
    task = cluster.task(pod)
    cluster.fault = killed_after(writes, cluster)
    try:
        refresh(cluster, task)
    except Killed:
        pass
    cluster.fault = lambda verb, kind, name: None
    saved = saved_pods(cast(Api, cluster))
    there = bool(cluster.pods("tool"))
    if not there:
        assert [item.uid for item in saved] == [task.uid]
    if saved or (there and sidecar(cluster.pods("tool")[0]) != NEW):
        done = refresh(cluster, task)
        assert done.error is None
    assert [sidecar(item) for item in cluster.pods("tool")] == [NEW]
    assert not cluster.all(SECRET)


def test_a_pod_that_cannot_be_created_again_keeps_its_copy_and_says_where(cluster: SimulatedCluster) -> None:
    pod = cluster.bare_pod("tool")
    task = cluster.task(pod)

    def refuse(verb: str, kind: Kind, name: str) -> None:
        if kind == POD:
            failing("create")(verb, kind, name)

    cluster.fault = refuse
    done = refresh(cluster, task)
    assert done.codes == {"tool": "recreate-failed"}
    assert "kubectl get secret -n shop meshops-pod-tool-" in done.run.entries[0]["next"]
    assert len(cluster.all(SECRET)) == 1
    cluster.fault = lambda verb, kind, name: None
    assert refresh(cluster, task).ends == ["done"]


# Faults of the API


def test_a_write_that_fails_is_a_failure_of_its_workload(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 3)
    cluster.fault = failing("patch")
    done = refresh(cluster, *tasks, max_parallel_workloads=1, max_failures=2)
    assert done.ends == ["failed", "failed", "not_run"]
    assert done.codes["web-0"] == "write-refused"


def test_an_api_that_does_not_answer_any_more_ends_the_run(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 2)

    def fault(verb: str, kind: Kind, _name: str) -> None:
        if verb == "list" and cluster.writes:
            raise Unreachable(Call(verb, kind.plural, "/", "simulated"), reason="connection refused")

    cluster.fault = fault
    done = refresh(cluster, *tasks, max_parallel_workloads=1)
    assert isinstance(done.error, Unreachable)
    assert done.ends == ["failed", "not_run"]
    assert done.error.next


def test_a_defect_at_one_workload_hides_nothing_of_the_others(cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = deployments(cluster, 3)
    judge = SimulatedRules.judge

    def broken(self: SimulatedRules, pod: Object) -> Any:
        if pod["metadata"]["labels"]["app"] == "web-1":
            raise KeyError("spec")
        return judge(self, pod)

    monkeypatch.setattr(SimulatedRules, "judge", broken)
    done = refresh(cluster, *tasks)
    assert done.ends == ["done", "failed", "done"]
    assert done.codes == {"web-1": "defect"}
    assert "KeyError" in done.run.entries[0]["message"]


def test_one_look_is_one_list_per_kind_however_many_workloads(cluster: SimulatedCluster) -> None:
    tasks = deployments(cluster, 40, 1)
    cluster.reads.clear()
    cluster.start_seconds = 20
    begun = cluster.time
    refresh(cluster, *tasks, max_parallel_workloads=40)
    looks = sum(read == ("list", "Deployment") for read in cluster.reads)
    assert looks <= cluster.time - begun + 1
    assert sum(read == ("list", "Pod") for read in cluster.reads) <= 4


# What must always hold


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    kinds = st.sampled_from([DEPLOYMENT, STATEFULSET, DAEMONSET, REPLICASET])
    workload = st.tuples(kinds, st.integers(1, 4), st.sampled_from(["", "", "", "never-ready", "blocked"]))
    return {
        "workloads": draw(st.lists(workload, min_size=1, max_size=8)),
        "max_parallel_workloads": draw(st.integers(1, 4)),
        "batch_size": draw(st.sampled_from([0, 0, 2, 3])),
        "max_failures": draw(st.integers(1, 3)),
        "pods_per_minute": draw(st.sampled_from([0, 30, 200])),
        "naked": draw(st.sampled_from([False, False, False, True])),
    }


@settings(max_examples=60, deadline=None)
@given(scenarios())
def test_invariants(scenario: dict[str, Any]) -> None:
    cluster = SimulatedCluster()
    tasks = []
    for number, (kind, replicas, behaviour) in enumerate(scenario.pop("workloads")):
        made = cluster.workload(kind, f"w{number}", replicas)
        if behaviour == "never-ready":
            made["spec"]["template"]["metadata"]["labels"]["behaviour"] = "never-ready"
        if behaviour == "blocked" and kind == REPLICASET:
            cluster.budgets[f"w{number}"] = (f"budget-{number}", lambda: False)
        tasks.append(cluster.task(made))
    cluster.writes.clear()
    if scenario.pop("naked"):
        cluster.injected = ""
    begun = cluster.time
    run = Refresh(cluster, tasks, stall_timeout=15, wait_timeout=120, **scenario)
    working: list[int] = []
    cluster.fault = lambda verb, kind, name: working.append(run.run._working)
    run()
    limit = scenario["max_parallel_workloads"]
    assert max(working) <= limit
    # Every task ends with exactly one outcome, and what is not fine has an entry.
    assert [outcome.id for outcome in run.outcomes] == [task.id for task in tasks]
    assert len(run.run.entries) == sum(outcome.outcome in ("failed", "not_run") for outcome in run.outcomes)
    assert (run.error is None) == (not run.run.entries)
    # No workload is patched twice.
    patches = Counter(name for _time, verb, name in cluster.writes if verb == "patch")
    assert set(patches.values()) <= {1}
    # The stop rule: at most those that ran when it came fail beyond it.
    own = [entry for entry in run.run.entries if entry["outcome"] == "failed" and entry["code"] not in ("stopped", "blocked-by-budget")]
    assert len(own) < scenario["max_failures"] + limit
    # The pace.
    if scenario["pods_per_minute"]:
        taken = 0
        by_name = {f"{task.object.namespace}/{task.object.name}": task for task in tasks}
        for time, verb, name in cluster.writes:
            if verb == "patch":
                assert taken <= scenario["pods_per_minute"] * (time - begun + 5.1) / 60
                taken += by_name[name].pods
    # Who is done has the new sidecar everywhere.
    for task, outcome in zip(tasks, run.outcomes, strict=True):
        if outcome.outcome == "done":
            assert sidecars(cluster, task.object.name) == {NEW}
