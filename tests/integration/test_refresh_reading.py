# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh reads and plans among workloads of real controllers; the mesh is made of labels (see ToyRules)."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import workload_objects as objects
from sandboxlib.cluster import Cluster

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan, plan_refresh
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_reading import read_scope
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import RULES, A

Object = dict[str, Any]
STALE, CURRENT = {"verdict": "stale"}, {"verdict": "current"}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}
# More than are read one by one.
MANY = 45
_SECONDS = 90.0


class Caller(NamedTuple):
    """What a module is to a connection."""

    params: Mapping[str, Any]
    tmpdir: str
    name: str = "test_refresh_reading"


class Place:
    """A namespace of the shared cluster, as a refresh sees it."""

    def __init__(self, cluster: Cluster, namespace: str, directory: Path) -> None:
        self.cluster, self.name = cluster, namespace
        self._api = connect(Caller({"kubeconfig": str(cluster.kubeconfig)}, str(directory)), explicit=True).api
        self.options = Options(namespaces=(namespace,))

    def apply(self, *items: Object) -> None:
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def patch(self, kind: str, name: str, body: Object) -> None:
        self.cluster.kubectl("patch", kind, name, "-n", self.name, "--type=merge", "-p", json.dumps(body))

    def read(self) -> Scope:
        return read_scope(self._api, RULES, self.options)

    def plan(self) -> RefreshPlan:
        return plan_refresh(self.read(), RULES, self.options)

    def until(self, there: Callable[[Scope], bool]) -> Scope:
        end = time.monotonic() + _SECONDS
        while True:
            scope = self.read()
            if there(scope):
                return scope
            assert time.monotonic() < end, Counter((pod.name, pod.ready) for pod in scope.pods)
            time.sleep(0.5)


@pytest.fixture
def place(shared_cluster: Cluster, namespace: str, tmp_path: Path) -> Place:
    return Place(shared_cluster, namespace, tmp_path)


def settled(pods: int) -> Callable[[Scope], bool]:
    """So many pods are ready, and no workload is replacing any."""
    return lambda scope: (
        len(scope.pods) == pods and all(pod.ready for pod in scope.pods) and all(item.rollout.done for item in scope.workloads.values())
    )


def test_every_owner_is_known_by_what_made_it(place: Place) -> None:
    where = place.name
    place.apply(
        objects.deployment("web", where, 2, labels=STALE),
        objects.stateful_set("db", where, 2, labels=STALE),
        objects.stateful_set("cache", where, 1, labels=STALE, spec=ON_DELETE),
        objects.daemon_set("agent", where, labels=STALE),
        objects.replica_set("alone", where, 1, labels=STALE),
        objects.replication_controller("old", where, 1, labels=STALE),
        objects.job("once", where, labels=STALE),
        objects.bare_pod("bare", where, labels=STALE),
    )
    nodes = len(json.loads(place.cluster.kubectl("get", "nodes", "-o", "json"))["items"])
    scope = place.until(settled(9 + nodes))
    plan = plan_refresh(scope, RULES, place.options)
    assert [(task.way, str(task.object), task.pods) for task in plan.tasks] == [
        ("rollout", f"DaemonSet {where}/agent", nodes),
        ("rollout", f"Deployment {where}/web", 2),
        ("evict", f"ReplicaSet {where}/alone", 1),
        ("evict", f"ReplicationController {where}/old", 1),
        ("evict", f"StatefulSet {where}/cache", 1),
        ("rollout", f"StatefulSet {where}/db", 2),
    ]
    assert [(item.code, item.pods) for item in plan.leftovers] == [("bare-pod", 1), ("job", 1)]
    # The revision of each kind that rolls is that of its pods: none of them is of an earlier template.
    revisions = {item.ref.name: item.revision for item in scope.workloads.values()}
    for name in ("agent", "web", "db"):
        assert {pod.revision for pod in scope.pods if pod.name.startswith(f"{name}-")} == {revisions[name]}, name


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_a_rollout_of_ours_that_hangs_is_waited_for_and_not_begun_again(place: Place, kind: str) -> None:
    make = {"deployment": objects.deployment, "statefulset": objects.stateful_set, "daemonset": objects.daemon_set}[kind]
    place.apply(make("web", place.name, labels=STALE))
    place.until(lambda scope: bool(scope.pods) and settled(len(scope.pods))(scope) and scope.workloads != {})
    stuck = objects.behaving("never-ready")["labels"]
    template = {"metadata": {"annotations": {TOKEN: A}, "labels": {**stuck, **CURRENT}}}
    place.patch(kind, "web", {"spec": {"template": template}})
    scope = place.until(lambda scope: any(pod.token == A for pod in scope.pods))
    (task,) = plan_refresh(scope, RULES, place.options).tasks
    assert (task.way, task.token) == ("wait", A)
    # Its pods come up with another sidecar than they should: the same word would change nothing.
    worse = {"metadata": {"labels": {**stuck, **STALE}}}
    place.patch(kind, "web", {"spec": {"template": worse}})
    scope = place.until(lambda scope: any(pod.token == A and pod.verdict.state == "stale" for pod in scope.pods))
    (task,) = plan_refresh(scope, RULES, place.options).tasks
    assert (task.way, task.token) == ("rollout", f"{A}.2")


def test_many_owners_are_read_with_few_requests(place: Place) -> None:
    place.apply(*(objects.deployment(f"app-{number:02}", place.name, labels=STALE) for number in range(MANY)))
    place.until(settled(MANY))
    mark = place.cluster.mark()
    plan = place.plan()
    asked = Counter(
        (event.verb, event.resource) for event in place.cluster.audit_since(mark) if event.user_agent.startswith("meshops.lifecycle/")
    )
    assert len(plan.tasks) == MANY
    assert asked == dict.fromkeys((("list", name) for name in ("namespaces", "pods", "replicasets", "deployments")), 1)
