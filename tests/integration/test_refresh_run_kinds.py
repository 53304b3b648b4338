# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of a refresh on kinds that are not Kubernetes' own: DeploymentConfigs and Rollouts, and the controllers below them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from refresh_by_hand import NEW, OLD, SIDECAR, Done, image_of, refresh
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options
from workload_objects import deployment_config, disruption_budget, replication_controller, rollout

Object = dict[str, Any]
_SECONDS = 60.0


@pytest.fixture(scope="module")
def cluster(sandbox_home: Path) -> Iterator[Cluster]:
    made = Cluster("refresh-kinds", sandbox_home)
    try:
        made.up(Options(nodes=1))
        made.openshift.start()
        made.argo.start()
        yield made
    finally:
        made.down()


@pytest.fixture
def place(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name.replace("_", "-")[:50].strip("-")
    cluster.kubectl("create", "namespace", name)
    return name


def apply(cluster: Cluster, place: str, count: int, *items: Object) -> None:
    """Make these objects with the old sidecar, and wait until so many pods are ready, and older than the second that comes."""
    for item in items:
        item["spec"]["template"]["spec"]["containers"].append({"name": SIDECAR, "image": OLD})
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    deadline = time.monotonic() + _SECONDS
    while len(ready(cluster, place)) < count:
        assert time.monotonic() < deadline, cluster.kubectl("get", "pods", "-n", place)
        time.sleep(0.2)
    time.sleep(1.1)


def pods(cluster: Cluster, place: str) -> list[Object]:
    found: list[Object] = cluster.api.get(f"/api/v1/namespaces/{place}/pods")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(cluster: Cluster, place: str) -> list[Object]:
    conditions = [(pod, pod.get("status", {}).get("conditions", ())) for pod in pods(cluster, place)]
    return [pod for pod, items in conditions if any(item["type"] == "Ready" and item["status"] == "True" for item in items)]


def run(cluster: Cluster, place: str, **options: Any) -> Done:
    return refresh(str(cluster.kubeconfig), place, **options)


def test_every_other_kind_in_one_run(cluster: Cluster, place: str) -> None:
    apply(
        cluster,
        place,
        8,
        rollout("canary", place, 3, labels={"by-age": "yes"}),
        replication_controller("old", place, 2),
        deployment_config("config", place, 3),
    )
    # Without a trigger a new template is deployed only when somebody asks for it.
    cluster.kubectl("patch", "deploymentconfig", "config", "-n", place, "--type=merge", "-p", '{"spec": {"triggers": []}}')
    for kind, name in (("deploymentconfig", "config"), ("replicationcontroller", "old")):
        containers = [{"name": "app", "image": "web:1"}, {"name": SIDECAR, "image": NEW}]
        patch = json.dumps({"spec": {"template": {"spec": {"containers": containers}}}})
        cluster.kubectl("patch", kind, name, "-n", place, "--type=merge", "-p", patch)
    time.sleep(1.1)
    before = {pod["metadata"]["uid"] for pod in pods(cluster, place)}
    mark = cluster.mark()
    done = run(cluster, place)
    assert (done.error, done.run.entries) == (None, [])
    assert done.ends == {"old": "done", "config": "done", "canary": "done"}
    after = pods(cluster, place)
    assert len(after) == 8
    assert not before & {pod["metadata"]["uid"] for pod in after}
    assert {image_of(pod["spec"]) for pod in after if "by-age" not in pod["metadata"]["labels"]} == {NEW}
    assert len(ready(cluster, place)) == 8
    ours = [event for event in cluster.writes_since(mark) if event.user_agent.startswith("meshops")]
    assert sorted(f"{event.verb} {event.resource}" for event in ours) == [
        "create deploymentconfigs/instantiate",
        "create pods/eviction",
        "create pods/eviction",
        "patch rollouts",
    ]
    # The rules of another run find the Rollout's pods too old again; all others are as they should be.
    assert [*run(cluster, place).ends] == ["canary"]


def test_a_rollout_whose_budget_allows_nothing_waits_for_it_and_the_rest_finishes(cluster: Cluster, place: str) -> None:
    apply(cluster, place, 4, rollout("canary", place, 2, labels={"by-age": "yes"}), replication_controller("old", place, 2))
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(disruption_budget("keep", place, "canary", maxUnavailable=0)))
    containers = [{"name": "app", "image": "web:1"}, {"name": SIDECAR, "image": NEW}]
    patch = json.dumps({"spec": {"template": {"spec": {"containers": containers}}}})
    cluster.kubectl("patch", "replicationcontroller", "old", "-n", place, "--type=merge", "-p", patch)
    done = run(cluster, place, wait_timeout=25, stall_timeout=5, max_parallel_workloads=1)
    assert done.ends["old"] == "done"
    assert done.codes == {"canary": "blocked-by-budget"}
    assert f"PodDisruptionBudget {place}/keep" in done.entry("canary")["message"]


def test_a_deployment_config_that_is_paused_is_left(cluster: Cluster, place: str) -> None:
    apply(cluster, place, 1, deployment_config("config", place, 1))
    cluster.kubectl("patch", "deploymentconfig", "config", "-n", place, "--type=merge", "-p", '{"spec": {"paused": true}}')
    done = run(cluster, place)
    assert done.codes == {"config": "paused"}
    assert "resume" in done.entry("config")["next"]
