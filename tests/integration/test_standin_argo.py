# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts are run and restarted as the controller of Argo Rollouts does it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from mesh_clusters import eventually
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options
from workload_objects import Object, behaving, disruption_budget, rollout


class Argo:
    """A cluster with the stand-in, and a namespace of one test in it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.kubectl("create", "namespace", namespace)

    def apply(self, *items: Object) -> None:
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))

    def get(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.api.get(f"/apis/argoproj.io/v1alpha1/namespaces/{self.namespace}/rollouts/web")
        return found

    def healthy(self) -> bool:
        found = self.get()
        status = found.get("status", {})
        return status.get("phase") == "Healthy" and status["observedGeneration"] == str(found["metadata"]["generation"])

    def becomes_healthy(self) -> None:
        eventually(self.healthy, "the rollout does not become healthy")

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return items

    def names(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods() if "deletionTimestamp" not in pod["metadata"]}

    def patch(self, spec: dict[str, Any]) -> None:
        self.cluster.kubectl("patch", "rollout", "web", "-n", self.namespace, "--type=merge", "-p", json.dumps({"spec": spec}))

    def restart(self) -> str:
        """Ask for new pods in place of all that are there now."""
        time.sleep(1.1)  # pods of the same second count as new
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.patch({"restartAt": now})
        return now


@pytest.fixture(scope="module")
def cluster(sandbox_home: Any) -> Iterator[Cluster]:
    made = Cluster("argo", sandbox_home)
    try:
        made.up(Options())
        made.argo.start()
        yield made
    finally:
        made.down()


@pytest.fixture
def argo(cluster: Cluster, request: pytest.FixtureRequest) -> Argo:
    return Argo(cluster, request.node.name.replace("_", "-")[:50].strip("-"))


def test_a_rollout_owns_replica_sets(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 3))
    argo.becomes_healthy()
    status = argo.get()["status"]
    assert (status["replicas"], status["availableReplicas"], status["stableRS"]) == (3, 3, status["currentPodHash"])
    (replica_set,) = argo.cluster.api.get(f"/apis/apps/v1/namespaces/{argo.namespace}/replicasets")["items"]
    (owner,) = replica_set["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["controller"]) == ("argoproj.io/v1alpha1", "Rollout", True)
    assert {pod["metadata"]["ownerReferences"][0]["name"] for pod in argo.pods()} == {replica_set["metadata"]["name"]}


def test_a_restart_replaces_every_pod_by_eviction_and_keeps_the_replica_set(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 3, spec={"strategy": {"canary": {"maxUnavailable": 1}}}))
    argo.becomes_healthy()
    before, mark = argo.names(), argo.cluster.mark()
    asked = argo.restart()
    fewest = 3
    while argo.get()["status"].get("restartedAt") != asked:
        fewest = min(fewest, len([pod for pod in argo.pods() if "deletionTimestamp" not in pod["metadata"]]))
    argo.becomes_healthy()
    assert not before & argo.names()
    assert len(argo.names()) == 3
    assert fewest >= 2
    assert len(argo.cluster.api.get(f"/apis/apps/v1/namespaces/{argo.namespace}/replicasets")["items"]) == 1
    evictions = [event for event in argo.cluster.audit_since(mark) if event.resource == "pods/eviction"]
    assert {event.name for event in evictions} == before


def test_even_a_single_pod_is_restarted(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 1, spec={"strategy": {"canary": {"maxUnavailable": 0}}}))
    argo.becomes_healthy()
    before = argo.names()
    argo.restart()
    eventually(lambda: argo.names() and not argo.names() & before, "the pod is not restarted")


def test_a_restart_waits_for_the_disruption_budget(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 2), disruption_budget("web", argo.namespace, minAvailable=2))
    argo.becomes_healthy()
    before, mark = argo.names(), argo.cluster.mark()
    asked = argo.restart()

    def refused() -> bool:
        return any(event.resource == "pods/eviction" and event.code == 429 for event in argo.cluster.audit_since(mark))

    eventually(refused, "nobody asks for an eviction")
    assert argo.names() == before
    status = argo.get()["status"]
    assert (status["phase"], status["message"], status.get("restartedAt")) == ("Progressing", "rollout is restarting", None)
    argo.cluster.kubectl("delete", "poddisruptionbudget", "web", "-n", argo.namespace)
    eventually(lambda: argo.get()["status"].get("restartedAt") == asked, "the restart does not go on")
    assert not before & argo.names()


def test_a_changed_template_is_rolled_out_and_cancels_a_restart(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 2), disruption_budget("web", argo.namespace, minAvailable=2))
    argo.becomes_healthy()
    asked = argo.restart()
    argo.patch({"template": {"metadata": {"annotations": {"changed": "yes"}}}})
    argo.becomes_healthy()
    assert argo.get()["status"]["restartedAt"] == asked
    sets = argo.cluster.api.get(f"/apis/apps/v1/namespaces/{argo.namespace}/replicasets")["items"]
    assert sorted((item["metadata"]["annotations"]["rollout.argoproj.io/revision"], item["spec"]["replicas"]) for item in sets) == [
        ("1", 0),
        ("2", 2),
    ]


def test_a_paused_rollout_takes_no_new_template_but_restarts(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 1))
    argo.becomes_healthy()
    before = argo.names()
    argo.patch({"paused": True})
    asked = argo.restart()
    eventually(lambda: argo.get()["status"].get("restartedAt") == asked, "a paused rollout is not restarted")
    assert not before & argo.names()
    assert argo.get()["status"]["phase"] == "Paused"


def test_a_rollout_that_makes_no_progress_is_degraded(argo: Argo) -> None:
    argo.apply(rollout("web", argo.namespace, 1, spec={"progressDeadlineSeconds": 2}, **behaving("never-ready")))
    eventually(lambda: argo.get().get("status", {}).get("phase") == "Degraded", "the rollout is not degraded")
    assert "ProgressDeadlineExceeded" in argo.get()["status"]["message"]
