# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sidecar_refresh that is killed, meets another run, or an API server that fails now and then: nothing is lost, nothing done twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import workload_objects as objects
from failures import assert_told, unchanged
from faults.front import ApiFront
from faults.request import Request
from faults.rules import Fault, Rule, reset, slow, status
from mesh_clusters import Mesh, MeshCluster, told
from refreshing import Shop, outcomes
from run_module import finish_module
from write_gate import WriteGate

ENROLLED = {"openservicemesh.io/monitored-by": "osm"}
INJECTED = {"openservicemesh.io/sidecar-injection": "enabled"}


class Write(NamedTuple):
    """A write of a run: which, and whether it is the first or a later one."""

    name: str
    matches: Callable[[Request], bool]
    nth: int = 1

    def __str__(self) -> str:
        return self.name


def _is(method: str, resource: str) -> Callable[[Request], bool]:
    return lambda request: (request.method, request.resource) == (method, resource)


def _is_eviction(request: Request) -> bool:
    return request.path.endswith("/eviction")


def _is_new_pod(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/pods") and not request.dry_run


WRITES = (
    Write("the-record", _is("PATCH", "configmaps")),
    Write("the-first-rollout", _is("PATCH", "deployments")),
    Write("the-second-rollout", _is("PATCH", "deployments"), 2),
    Write("the-first-eviction", _is_eviction),
    Write("the-second-eviction", _is_eviction, 2),
    Write("dropping-the-record", _is("DELETE", "configmaps")),
)
BARE = (
    Write("the-copy", _is("POST", "secrets")),
    Write("the-eviction", _is_eviction),
    Write("the-new-pod", _is_new_pod),
    Write("dropping-the-copy", _is("DELETE", "secrets")),
)


def moments(writes: tuple[Write, ...]) -> list[Any]:
    """Each write and whether it was made when the run is killed: both ways with MESHOPS_ALL_FAULTS, else in turn."""
    everything = bool(os.environ.get("MESHOPS_ALL_FAULTS"))
    return [
        pytest.param(write, committed, id=f"{write}-{'after' if committed else 'before'}")
        for number, write in enumerate(writes)
        for committed in (False, True)
        if everything or committed is (number % 2 == 1)
    ]


@pytest.fixture(scope="module")
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh without applications."""
    mesh_cluster.reset(Mesh("1.3.9"))
    return mesh_cluster


@pytest.fixture
def shop(mesh: MeshCluster, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A namespace of the mesh for one test."""
    name = f"shop-{abs(hash(request.node.name)) % 10**8}"
    mesh.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects.namespace(name, ENROLLED, INJECTED)))
    yield Shop(mesh, name)
    mesh.cluster.kubectl("delete", "namespace", name, "--wait=false")


def kill_at(shop: Shop, write: Write, *, committed: bool, **options: object) -> None:
    """Run the refresh and kill it at one of its writes."""
    with WriteGate(shop.cluster) as gate:
        held = gate.hold(write.matches, nth=write.nth, committed=committed)
        process = shop.start(kubeconfig=str(gate.kubeconfig), **options)
        held.wait()
        process.kill()
        process.communicate()
        held.drop()
    shop.forget_the_dead()


@pytest.mark.parametrize(("write", "committed"), moments(WRITES))
def test_a_killed_run_is_finished_by_the_next_and_nothing_is_restarted_twice(shop: Shop, write: Write, *, committed: bool) -> None:
    shop.deploy(objects.deployment("api", shop.name), objects.deployment("web", shop.name, 2), objects.replica_set("lonely", shop.name, 2))
    image = shop.outdate()
    approved = shop.refresh(check=True)["plan"]["id"]
    kill_at(shop, write, committed=committed, max_parallel_workloads=1, expected_plan_id=approved)
    done = shop.refresh(expected_plan_id=approved)
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {image}
    assert shop.revisions() == {"api": 2, "web": 2}
    with unchanged(shop.cluster):
        assert not shop.refresh()["changed"]


@pytest.mark.parametrize(("write", "committed"), moments(BARE))
def test_a_bare_pod_survives_a_killed_run(shop: Shop, write: Write, *, committed: bool) -> None:
    shop.deploy(objects.bare_pod("debug", shop.name, labels={"team": "a"}))
    image = shop.outdate()
    kill_at(shop, write, committed=committed, bare_pods="recreate")
    done = shop.refresh(bare_pods="recreate")
    assert not done.get("failed"), told(done)
    assert shop.images() == {"debug": image}
    (pod,) = shop.list("Pod")
    assert pod["metadata"]["labels"]["team"] == "a"
    secrets = shop.cluster.api.get(f"/api/v1/namespaces/{shop.name}/secrets?labelSelector=meshops.lifecycle/saved-pod")["items"]
    assert secrets == []


def test_a_bare_pod_comes_back_as_it_was_changed_since_it_was_applied(shop: Shop) -> None:
    shop.deploy(objects.bare_pod("debug", shop.name, labels={"team": "a"}))
    shop.cluster.kubectl("label", "pod", "debug", "-n", shop.name, "team=b", "serves=yes", "--overwrite")
    shop.cluster.kubectl("annotate", "pod", "debug", "-n", shop.name, "example.com/note=mine")
    container = next(item["name"] for item in shop.list("Pod")[0]["spec"]["containers"] if item["name"] != "sidecar")
    shop.cluster.kubectl("set", "image", "pod/debug", "-n", shop.name, f"{container}=registry.example.com/app:changed")
    image = shop.outdate()
    done = shop.refresh(bare_pods="recreate")
    assert not done.get("failed"), told(done)
    (pod,) = shop.list("Pod")
    labels, annotations = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    assert (labels["app"], labels["team"], labels["serves"]) == ("debug", "b", "yes")
    assert annotations["example.com/note"] == "mine"
    assert "kubectl.kubernetes.io/last-applied-configuration" in annotations
    images = {item["name"]: item["image"] for item in pod["spec"]["containers"]}
    assert images == {container: "registry.example.com/app:changed", "sidecar": image}


@pytest.mark.parametrize("check", [False, True], ids=["applied", "checked"])
def test_a_bare_pod_that_could_not_come_back_is_not_evicted(shop: Shop, *, check: bool) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "passing", "namespace": shop.name}}
    shop.deploy(account, objects.bare_pod("debug", shop.name, pod={"serviceAccountName": "passing"}))
    shop.outdate()
    shop.cluster.kubectl("delete", "serviceaccount", "passing", "-n", shop.name)
    before = shop.list("Pod")
    failed = shop.refresh(bare_pods="recreate", check=check)
    assert failed["failed"]
    assert 'serviceaccount "passing" not found' in told(failed)
    assert [pod["metadata"]["uid"] for pod in shop.list("Pod")] == [pod["metadata"]["uid"] for pod in before]
    assert shop.cluster.api.get(f"/api/v1/namespaces/{shop.name}/secrets?labelSelector=meshops.lifecycle/saved-pod")["items"] == []
    if not check:
        assert [entry["code"] for entry in failed["workloads"]] == ["recreate-refused"]


def test_a_bare_pod_that_an_earlier_run_has_evicted_is_told(shop: Shop) -> None:
    shop.deploy(objects.bare_pod("debug", shop.name))
    image = shop.outdate()
    kill_at(shop, BARE[2], committed=False, bare_pods="recreate")
    told_of = shop.refresh(namespaces=[shop.name])
    assert {group["code"]: group["objects"] for group in told_of["leftovers"]} == {"saved-pod": [f"Pod {shop.name}/debug"]}
    done = shop.refresh(bare_pods="recreate", selector="app=debug")
    assert not done.get("failed"), told(done)
    assert shop.images() == {"debug": image}


def test_a_second_run_is_refused_and_names_the_first(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name))
    shop.outdate()
    with WriteGate(shop.cluster) as gate:
        held = gate.hold(WRITES[1].matches)
        first = shop.start(kubeconfig=str(gate.kubeconfig))
        held.wait()
        second = shop.refresh()
        assert_told(second, "Another run", f"/{first.pid}/")
        held.release()
        done = finish_module(first)
    assert outcomes(done) == {f"rollout:Deployment/{shop.name}/web": "done"}
    assert shop.revisions() == {"web": 2}


@pytest.mark.parametrize(
    "fault",
    [status(429, retry_after=1), status(500), status(503), reset(), reset(committed=True), slow(2)],
    ids=["429", "500", "503", "reset", "lost-answer", "slow"],
)
def test_an_api_server_that_fails_now_and_then_keeps_nothing(shop: Shop, fault: Fault) -> None:
    shop.deploy(*(objects.deployment(f"web-{number}", shop.name) for number in range(3)), objects.replica_set("lonely", shop.name))
    image = shop.outdate()
    with ApiFront(shop.cluster) as front:
        front.add(Rule(fault, lambda request: not request.watch, first=3, every=4, times=12))
        done = shop.refresh(kubeconfig=str(front.kubeconfig))
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {image}
    assert shop.revisions() == {f"web-{number}": 2 for number in range(3)}


def test_a_gitops_tool_that_undoes_the_annotation_is_named(shop: Shop) -> None:
    """It is not fought: the annotation is written once, and who took it away is told."""
    shop.deploy(objects.deployment("web", shop.name, 3, **objects.behaving("slow-start", 8)))
    shop.outdate()
    process = shop.start()
    path = f"/apis/apps/v1/namespaces/{shop.name}/deployments/web"

    def annotated() -> bool:
        return bool(shop.cluster.api.get(path)["spec"]["template"]["metadata"].get("annotations", {}).get("meshops.lifecycle/sidecar"))

    while not annotated() and process.poll() is None:
        pass
    # The API server keeps no trace of who only takes a field away, so it puts its own value there.
    take = [{"op": "replace", "path": "/spec/template/metadata/annotations/meshops.lifecycle~1sidecar", "value": "theirs"}]
    shop.cluster.kubectl("patch", "deployment", "web", "-n", shop.name, "--type=json", "--field-manager=argocd", "-p", json.dumps(take))
    result = finish_module(process)
    assert_told(result, "argocd", cluster=shop.cluster)
    assert [entry["code"] for entry in result["workloads"]] == ["annotation-reverted"]
