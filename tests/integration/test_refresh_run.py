# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of a refresh against real controllers, budgets and the eviction API; no mesh (see refresh_by_hand.py)."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from refresh_by_hand import NEW, OLD, SIDECAR, Done, image_of, refresh, start
from sandboxlib.audit import Event
from sandboxlib.cluster import Cluster
from workload_objects import bare_pod, behaving, daemon_set, deployment, disruption_budget, replica_set, stateful_set

Object = dict[str, Any]
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}
_SECONDS = 60.0


class Place:
    """A namespace of the shared cluster, and what was asked of it since the last ``apply``."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.name = cluster, namespace
        self._mark = cluster.mark()

    def apply(self, *items: Object) -> None:
        """Make these objects, give the pods their old sidecar, and wait until all are ready."""
        for item in items:
            spec = item["spec"].get("template", item).get("spec", {})
            if "containers" in spec:
                spec["containers"].append({"name": SIDECAR, "image": OLD})
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self.wait(lambda: bool(self.pods()) and all(map(_ready, self.pods())))
        self._mark = self.cluster.mark()

    def change(self, kind: str, name: str, **of_template: Any) -> None:
        """Put the new sidecar into a template (what an injector does otherwise), and ``of_template`` over it."""
        template = {"spec": {"containers": [{"name": SIDECAR, "image": NEW}]}, **of_template}
        patch = json.dumps({"spec": {"template": template}})
        self.cluster.kubectl("patch", kind, name, "-n", self.name, "--type=strategic", "-p", patch)
        self._mark = self.cluster.mark()

    def refresh(self, **options: Any) -> Done:
        return refresh(str(self.cluster.kubeconfig), self.name, **options)

    def pods(self, app: str = "") -> list[Object]:
        query = f"?labelSelector=app%3D{app}" if app else ""
        found: list[Object] = self.cluster.api.get(f"/api/v1/namespaces/{self.name}/pods{query}")["items"]
        return found

    def images(self, app: str) -> set[str]:
        return {image_of(pod["spec"]) for pod in self.pods(app)}

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not done():
            assert time.monotonic() < deadline, self.cluster.kubectl("get", "all", "-n", self.name)
            time.sleep(0.2)

    def writes(self) -> list[Event]:
        return [event for event in self.cluster.writes_since(self._mark) if f"/namespaces/{self.name}/" in event.uri]

    def evicted(self) -> list[str]:
        """The pods whose eviction was allowed, in order."""
        return [event.uri.split("/")[-2] for event in self.writes() if "/eviction" in event.uri and event.code == 201]


@pytest.fixture
def place(shared_cluster: Cluster, namespace: str) -> Place:
    return Place(shared_cluster, namespace)


def _ready(pod: Object) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod.get("status", {}).get("conditions", ()))


def test_every_kind_of_workload_in_one_run(place: Place) -> None:
    where = place.name
    place.apply(
        deployment("web", where, 3),
        stateful_set("db", where, 3),
        daemon_set("agent", where),
        stateful_set("queue", where, 3, spec=ON_DELETE),
        daemon_set("log", where, spec=ON_DELETE),
        replica_set("old", where, 3),
        bare_pod("tool", where),
    )
    for kind, name in (("statefulset", "queue"), ("daemonset", "log"), ("replicaset", "old")):
        place.change(kind, name)
    nodes = len(place.pods("log"))
    uids = {pod["metadata"]["uid"] for pod in place.pods()}
    done = place.refresh()
    assert (done.error, done.run.entries) == (None, [])
    assert set(done.ends.values()) == {"done"}
    assert not uids & {pod["metadata"]["uid"] for pod in place.pods()}
    assert all(map(_ready, place.pods()))
    assert place.images("queue") | place.images("log") | place.images("old") | place.images("tool") == {NEW}
    patches = Counter(event.uri.split("?")[0].split("/")[-1] for event in place.writes() if event.verb == "patch")
    assert patches == {"web": 1, "db": 1, "agent": 1}
    assert len(place.evicted()) == 7 + nodes
    assert done.run.counts["pods"] == len(place.pods())
    assert place.cluster.kubectl("get", "secret", "-n", where, "-o", "name") == ""
    again = place.refresh()
    assert (again.outcomes, again.error) == ([], None)


def test_a_budget_that_allows_nothing_is_named_and_the_rest_finishes(place: Place) -> None:
    place.apply(replica_set("kept", place.name, 2), deployment("web", place.name, 2), replica_set("old", place.name, 2))
    place.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(disruption_budget("kept", place.name, maxUnavailable=0)))
    place.change("replicaset", "kept")
    place.change("replicaset", "old")
    done = place.refresh(wait_timeout=15, max_parallel_workloads=1)
    assert done.ends == {"web": "done", "kept": "not_run", "old": "done"}
    assert done.codes == {"kept": "blocked-by-budget"}
    assert f"PodDisruptionBudget {place.name}/kept" in done.entry("kept")["message"]
    assert place.images("kept") == {OLD}
    assert done.error is not None
    assert any(f"{place.name}/kept is waiting for PodDisruptionBudget {place.name}/kept" in line for line in done.lines)


def test_a_budget_is_kept_pod_by_pod(place: Place) -> None:
    place.apply(replica_set("old", place.name, 4))
    place.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(disruption_budget("old", place.name, minAvailable=3)))
    place.change("replicaset", "old")
    done = place.refresh()
    assert (done.ends, done.error) == ({"old": "done"}, None)
    assert len(place.evicted()) == 4


def test_two_budgets_on_one_pod_are_told(place: Place) -> None:
    place.apply(replica_set("old", place.name, 2))
    for name in ("one", "two"):
        place.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(disruption_budget(name, place.name, "old", maxUnavailable=1)))
    place.change("replicaset", "old")
    begun = time.monotonic()
    done = place.refresh()
    assert done.codes == {"old": "budgets-overlap"}
    assert "can never be evicted" in done.entry("old")["message"]
    assert time.monotonic() - begun < 20


def test_a_crash_loop_is_told_with_its_reason_and_evicts_no_further_pod(place: Place) -> None:
    place.apply(stateful_set("queue", place.name, 3, spec=ON_DELETE), deployment("web", place.name, 1))
    place.change("statefulset", "queue", metadata={"labels": behaving("crash-loop")["labels"]})
    done = place.refresh(stall_timeout=6)
    assert done.codes == {"queue": "stalled"}
    assert "container app ends" in done.entry("queue")["message"]
    assert "kubectl logs" in done.entry("queue")["next"]
    assert len(place.evicted()) == 1


def test_pods_that_cannot_be_created_are_told_with_who_refuses_them(place: Place) -> None:
    rolling = {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    place.apply(deployment("web", place.name, 2, spec=rolling))
    place.cluster.kubectl("create", "quota", "few", "--hard=pods=2", "-n", place.name)
    place.wait(lambda: "pods: 2/2" in place.cluster.kubectl("get", "quota", "few", "-n", place.name))
    done = place.refresh(stall_timeout=6)
    assert done.codes == {"web": "stalled"}
    assert "exceeded quota: few" in done.entry("web")["message"]
    assert "kubectl describe resourcequota" in done.entry("web")["next"]


def test_a_naked_pod_is_a_failure_and_nothing_more_is_begun(place: Place) -> None:
    place.apply(*(deployment(f"web-{number}", place.name, 1, labels={"naked": "yes"}) for number in range(3)))
    done = place.refresh(max_parallel_workloads=1)
    assert sorted(done.ends.values()) == ["failed", "not_run", "not_run"]
    assert set(done.codes.values()) == {"created-without-sidecar", "max-failures"}


def test_an_annotation_that_somebody_takes_away_is_told(place: Place) -> None:
    place.apply(deployment("web", place.name, 1, **behaving("slow-start", 5)))
    live = json.loads(place.cluster.kubectl("get", "deployment", "web", "-n", place.name, "-o", "json"))
    kept = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": place.name}, "spec": live["spec"]}

    def revert() -> None:
        place.wait(lambda: bool(place.writes()))
        place.cluster.kubectl("replace", "-f", "-", stdin=json.dumps(kept))

    other = threading.Thread(target=revert)
    other.start()
    done = place.refresh()
    other.join()
    assert done.codes == {"web": "annotation-reverted"}
    assert "its pod template is written by kubectl-client-side-apply" in done.entry("web")["message"]


@pytest.mark.parametrize("writes", [1, 5])
def test_a_run_that_is_killed_is_followed_by_one_that_does_only_the_rest(place: Place, writes: int) -> None:
    slow = behaving("slow-start", 2)
    names = [f"web-{number}" for number in range(4)]
    place.apply(
        *(deployment(name, place.name, 2, **slow) for name in names),
        replica_set("old", place.name, 3, **slow),
    )
    place.change("replicaset", "old")
    killed = start(str(place.cluster.kubeconfig), place.name, max_parallel_workloads=2)
    place.wait(lambda: len(place.writes()) >= writes)
    killed.kill()
    killed.wait()
    assert killed.stdout is not None
    killed.stdout.close()
    assert len(place.evicted()) < 3
    done = place.refresh(max_parallel_workloads=2)
    assert (done.error, done.run.entries) == (None, [])
    patches = Counter(event.uri.split("?")[0].split("/")[-1] for event in place.writes() if event.verb == "patch")
    assert patches == dict.fromkeys(names, 1)
    assert len(set(place.evicted())) == len(place.evicted()) == 3
    sets = Counter(
        item["metadata"]["ownerReferences"][0]["name"]
        for item in place.cluster.api.get(f"/apis/apps/v1/namespaces/{place.name}/replicasets")["items"]
        if item["metadata"].get("ownerReferences")
    )
    assert sets == dict.fromkeys(names, 2)
