# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh that loses its data plane, on real controllers: who goes when, what stays, and what a run that ended early leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import workload_objects as objects
from faults.request import Request
from mesh_clusters import Mesh, MeshCluster, eventually
from refreshing import Shop
from sandboxlib.audit import Event
from uninstall_sidecars_by_hand import Removed, remove, start
from write_gate import WriteGate

DOMAIN = "openservicemesh.io"
KEY = f"{DOMAIN}/sidecar-injection"
SCRAPE = ("prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path")
CLIENT = "meshops"


class Plane:
    """The enrolled namespaces of one test."""

    def __init__(self, mesh: MeshCluster) -> None:
        self.mesh, self.cluster = mesh, mesh.cluster
        self.made: list[str] = []
        self._mark = self.cluster.mark()

    def shop(self, name: str, *manifests: Any, enrolled: str = "osm", annotations: dict[str, str] | None = None, wait: bool = True) -> Shop:
        """An enrolled namespace with these workloads (made by a function of its name)."""
        labels = {f"{DOMAIN}/monitored-by": enrolled} if enrolled else {}
        given = {KEY: "enabled"} if annotations is None else annotations
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects.namespace(name, labels, given)))
        self.made.append(name)
        shop = Shop(self.mesh, name)
        if manifests:
            shop.deploy(*manifests, wait=wait)
        return shop

    def remove(self, **options: Any) -> Removed:
        self._mark = self.cluster.mark()
        return remove(str(self.cluster.kubeconfig), **options)

    def writes(self) -> list[Event]:
        """What the collection has written since the last removal began."""
        return self.cluster.writes_since(self._mark, user_agent=CLIENT)

    def order(self) -> list[str]:
        """Namespaces and workloads in the order in which they were patched."""
        found = [event for event in self.writes() if event.verb == "patch" and event.resource in ("namespaces", "deployments")]
        return [event.name if event.resource == "namespaces" else f"{event.namespace}/{event.name}" for event in found]

    def keys(self, name: str) -> dict[str, str]:
        """The family's labels and annotations of a namespace."""
        metadata = self.mesh.get(f"/api/v1/namespaces/{name}")["metadata"]
        pairs = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        return {key.partition("/")[2]: value for key, value in pairs.items() if key.startswith(f"{DOMAIN}/")}

    def clean(self) -> None:
        self.cluster.kubectl("delete", "namespace", *self.made, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh without applications."""
    mesh_cluster.reset(Mesh("1.3.9"))
    return mesh_cluster


@pytest.fixture
def plane(mesh: MeshCluster) -> Iterator[Plane]:
    made = Plane(mesh)
    yield made
    made.clean()


def api(name: str, replicas: int = 1, **options: Any) -> dict[str, Any]:
    return objects.deployment("api", name, replicas, **options)


def web(name: str, replicas: int = 1, **options: Any) -> dict[str, Any]:
    return objects.deployment("web", name, replicas, **options)


def has_no_sidecar(shop: Shop) -> bool:
    return set(shop.images().values()) == {""} and all(shop.ready())


def test_each_namespace_leaves_just_before_its_first_workload(plane: Plane) -> None:
    """Servers first as the user orders it; ignored and empty ones as well; who has not had a turn is still injected meanwhile."""
    clients = plane.shop("a-clients", api("a-clients"), web("a-clients", 2))
    servers = plane.shop("z-servers", api("z-servers"), web("z-servers"), annotations={KEY: "enabled", f"{DOMAIN}/metrics": "enabled"})
    ignored = plane.shop("b-ignored", web("b-ignored"))
    plane.cluster.kubectl("label", "namespace", "b-ignored", f"{DOMAIN}/ignore=true")
    plane.shop("c-empty")
    left = plane.shop("d-left", web("d-left"))
    plane.cluster.kubectl("label", "namespace", "d-left", f"{DOMAIN}/monitored-by-")
    plane.shop("e-never", enrolled="", annotations={})
    with WriteGate(plane.cluster) as gate:
        second = gate.hold(_of("PATCH", "namespaces", "a-clients"))
        process = start(str(gate.kubeconfig), ordered=["z-servers"], max_parallel_workloads=1)
        second.wait()
        assert has_no_sidecar(servers)
        assert plane.keys("a-clients") == {"monitored-by": "osm", "sidecar-injection": "enabled"}
        clients.deploy(objects.replica_set("late", "a-clients"))
        (late,) = (image for name, image in clients.images().items() if name.startswith("late"))
        assert late
        second.release()
        assert process.wait(90) == 0
    assert plane.order() == [
        *("z-servers", "z-servers/api", "z-servers/web"),
        *("a-clients", "a-clients/api", "a-clients/web"),
        *("b-ignored", "b-ignored/web"),
        *("c-empty", "d-left", "d-left/web"),
    ]
    assert all(plane.keys(name) == {} for name in plane.made)
    assert has_no_sidecar(ignored)
    assert has_no_sidecar(left)
    # What came after the plan was made is found by the next one.
    rest = plane.remove()
    assert rest.ids == ["evict:ReplicaSet/a-clients/late"]
    assert rest.error is None
    assert has_no_sidecar(clients)
    assert plane.remove(plan_only=True).ids == []


def _of(method: str, resource: str, name: str = "") -> Callable[[Request], bool]:
    def matches(request: Request) -> bool:
        return (request.method, request.resource) == (method, resource) and (not name or request.path.endswith(f"/{name}"))

    return matches


def test_an_injector_that_is_down_blocks_nothing(plane: Plane) -> None:
    shop = plane.shop("shop-dead", api("shop-dead"), objects.bare_pod("debug", "shop-dead"))
    plane.cluster.standin.stop()
    try:
        assert plane.remove(check=True, recreate_bare_pods=True).error is None
        assert plane.writes() == []
        done = plane.remove(recreate_bare_pods=True)
        assert done.error is None
        assert set(done.ends.values()) == {"done"}
        eventually(lambda: has_no_sidecar(shop), "there are pods with a sidecar")
    finally:
        plane.cluster.standin.start()


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
def test_a_killed_run_is_finished_by_the_next_and_nothing_is_restarted_twice(plane: Plane, *, committed: bool) -> None:
    first, second = (plane.shop(name, api(name), web(name)) for name in (f"kill-a-{committed}".lower(), f"kill-b-{committed}".lower()))
    with WriteGate(plane.cluster) as gate:
        held = gate.hold(_of("PATCH", "deployments"), nth=2, committed=committed)
        process = start(str(gate.kubeconfig), max_parallel_workloads=1)
        held.wait()
        process.kill()
        process.wait()
        held.drop()
    assert plane.keys(first.name) == {}
    assert plane.keys(second.name)
    done = plane.remove()
    assert done.error is None
    assert has_no_sidecar(first)
    assert has_no_sidecar(second)
    assert first.revisions() == second.revisions() == {"api": 2, "web": 2}


def test_what_is_not_begun_after_a_failure_stays_enrolled(plane: Plane) -> None:
    plane.shop("fail-a", api("fail-a", **objects.behaving("never-ready")), wait=False)
    later = plane.shop("fail-b", web("fail-b"))
    plane.shop("fail-c")
    eventually(lambda: bool(Shop(plane.mesh, "fail-a").images()), "there is no pod")
    done = plane.remove(max_parallel_workloads=1, stall_timeout=4)
    assert done.error is not None
    assert done.codes == {"api": "stalled", "web": "max-failures"}
    assert done.ends == {
        "unenrol:Namespace/fail-a": "done",
        "rollout:Deployment/fail-a/api": "failed",
        "unenrol:Namespace/fail-b": "not_run",
        "rollout:Deployment/fail-b/web": "not_run",
        "unenrol:Namespace/fail-c": "not_run",
    }
    assert plane.keys("fail-b")
    assert plane.keys("fail-c")
    assert later.revisions() == {"web": 1}


def test_pods_that_stay_are_told_and_not_scraped_any_more(plane: Plane) -> None:
    both = {KEY: "enabled", f"{DOMAIN}/metrics": "enabled"}
    shop = plane.shop("stay", web("stay"), objects.bare_pod("debug", "stay"), annotations=both)
    assert all(key in shop.list("Pod")[0]["metadata"]["annotations"] for key in SCRAPE)
    done = plane.remove()
    assert done.error is None
    assert done.leftovers == {"Pod stay/debug": "bare-pod", "Namespace stay": "scrape-annotations"}
    assert done.ends["annotate_pods:Namespace/stay"] == "done"
    assert done.messages["annotate_pods:Namespace/stay"] == "1 pods"
    assert {name.partition("-")[0]: bool(image) for name, image in shop.images().items()} == {"web": False, "debug": True}
    assert not any(key in pod["metadata"].get("annotations", {}) for pod in shop.list("Pod") for key in SCRAPE)
    assert plane.remove(plan_only=True).ids == []
    again = plane.remove(recreate_bare_pods=True)
    assert again.ids == ["recreate:Pod/stay/debug"]
    assert again.error is None
    assert has_no_sidecar(shop)


def test_templates_that_inject_by_themselves(plane: Plane) -> None:
    """They are told, and edited on request: with the restart in one write, and not restarted when nothing else has to."""
    own = {"annotations": {KEY: "enabled"}}
    shop = plane.shop(
        "own",
        web("own", **own),
        api("own", annotations={KEY: "disabled"}),
        objects.stateful_set("off", "own", 0, **own),
        annotations={},
        wait=False,
    )
    eventually(lambda: len(shop.images()) == 2 and all(shop.ready()), "pods are not ready")
    told = plane.remove(plan_only=True)
    found = {str(item.ref): (item.owner, item.state["value"], item.state["alone"]) for item in told.inventory.artefacts}
    assert found == {
        "Deployment own/api": ("named", "disabled", False),
        "Deployment own/web": ("named", "enabled", True),
        "StatefulSet own/off": ("named", "enabled", True),
    }
    assert told.ids == ["unenrol:Namespace/own", "rollout:Deployment/own/web"]
    plane.remove(check=True, edit_templates=True)
    assert plane.writes() == []
    done = plane.remove(edit_templates=True)
    assert done.error is None
    assert list(done.ends.items()) == [
        ("unenrol:Namespace/own", "done"),
        ("edit_template:StatefulSet/own/off", "done"),
        ("edit_template:Deployment/own/web", "done"),
        ("edit_template:Deployment/own/api", "done"),
    ]
    assert has_no_sidecar(shop)
    assert shop.revisions() == {"api": 2, "web": 2}
    assert plane.remove(plan_only=True, edit_templates=True).ids == []
    assert plane.remove(plan_only=True).inventory.artefacts == ()


def test_a_namespace_that_moved_keeps_its_new_mesh_and_a_mesh_that_is_gone_is_found(plane: Plane) -> None:
    moved = plane.shop("moved", web("moved"))
    plane.cluster.kubectl("label", "namespace", "moved", f"{DOMAIN}/monitored-by=blue", "--overwrite")
    assert plane.remove(mesh_name="blue", plan_only=True).ids == ["unenrol:Namespace/moved"]
    assert plane.remove(gone=True, plan_only=True).ids == ["rollout:Deployment/moved/web"]
    done = plane.remove()
    assert done.ids == ["rollout:Deployment/moved/web"]
    assert "mesh blue" in done.why["rollout:Deployment/moved/web"]
    assert done.error is None
    assert plane.keys("moved") == {"monitored-by": "blue", "sidecar-injection": "enabled"}
    assert has_no_sidecar(moved)
