# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sidecar_refresh on a mesh of the OSM family: every kind of owner, twice, in check mode, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import workload_objects as objects
from failures import assert_told, unchanged
from mesh_clusters import Mesh, MeshCluster, eventually, told
from refreshing import TOKEN, Shop, codes, outcomes
from run_module import finish_module, run_module

ENROLLED = {"openservicemesh.io/monitored-by": "osm"}
INJECTED = {"openservicemesh.io/sidecar-injection": "enabled"}


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


def test_every_owner_gets_what_injection_would_give_now(shop: Shop) -> None:
    shop.deploy(
        objects.deployment("web", shop.name, 3),
        objects.stateful_set("db", shop.name, 2),
        objects.stateful_set("cache", shop.name, 2, spec={"updateStrategy": {"type": "OnDelete"}}),
        objects.replica_set("lonely", shop.name, 2),
        objects.replication_controller("old", shop.name, 2),
        objects.bare_pod("debug", shop.name),
    )
    image = shop.outdate()

    with unchanged(shop.cluster):
        planned = shop.refresh(check=True)
    assert planned["changed"], told(planned)
    actions = {step["id"].partition(":")[0] for step in planned["steps"]}
    assert actions == {"rollout", "evict"}
    assert set(outcomes(planned).values()) == {"would_do"}

    done = shop.refresh(expected_plan_id=planned["plan"]["id"])
    assert not done.get("failed"), told(done)
    assert set(outcomes(done)) == set(outcomes(planned))
    assert set(outcomes(done).values()) == {"done"}
    assert codes(done) == {"bare-pod": 1}
    found = shop.images()
    assert found.pop("debug") != image
    assert set(found.values()) == {image}
    assert len(found) == 11
    assert all(shop.ready())
    assert (done["summary"]["refreshed_workloads"], done["summary"]["refreshed_pods"]) == (5, 11)

    with unchanged(shop.cluster):
        again = shop.refresh()
    assert (again["changed"], again["steps"]) == (False, [])


def test_a_bare_pod_is_created_again_only_when_asked(shop: Shop) -> None:
    shop.deploy(objects.bare_pod("debug", shop.name, labels={"team": "a"}))
    image = shop.outdate()
    done = shop.refresh(bare_pods="recreate")
    assert not done.get("failed"), told(done)
    assert shop.images() == {"debug": image}
    (pod,) = shop.list("Pod")
    assert pod["metadata"]["labels"]["team"] == "a"
    assert [item["name"] for item in pod["spec"]["containers"]].count("sidecar") == 1


def test_configuration_that_only_new_pods_get_counts(shop: Shop) -> None:
    """The written procedure asks to restart after the exclusion list was changed."""
    shop.deploy(objects.deployment("web", shop.name))
    before = shop.images()
    shop.mesh.patch_mesh_config({"traffic": {"outboundIPRangeExclusionList": ["10.96.0.1/32"]}})
    try:
        done = shop.refresh()
        assert not done.get("failed"), told(done)
        assert list(outcomes(done).values()) == ["done"]
        assert set(shop.images()) != set(before)
        with unchanged(shop.cluster):
            assert not shop.refresh()["changed"]
    finally:
        shop.mesh.patch_mesh_config({"traffic": {"outboundIPRangeExclusionList": []}})


def test_sidecars_go_when_the_namespace_has_left_the_mesh(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name, 2), objects.replica_set("lonely", shop.name))
    kept = shop.refresh(state="absent")
    assert not kept["changed"]
    assert codes(kept) == {"still-injected": 3}

    shop.cluster.kubectl("label", "namespace", shop.name, "openservicemesh.io/monitored-by-")
    assert set(shop.images().values()) != {""}
    done = shop.refresh(state="absent")
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {""}
    with unchanged(shop.cluster):
        assert not shop.refresh(state="absent")["changed"]


def test_a_restart_with_a_name_is_done_once(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name, 2))
    first = shop.refresh(state="restarted", token="CHG-1")
    assert not first.get("failed"), told(first)
    assert first["changed"]
    with unchanged(shop.cluster):
        assert not shop.refresh(state="restarted", token="CHG-1")["changed"]
    assert shop.refresh(state="restarted", token="CHG-2")["changed"]
    assert shop.revisions() == {"web": 3}


@pytest.mark.parametrize("token", ["", "CHG-1"])
def test_what_is_evicted_is_restarted_too(shop: Shop, token: str) -> None:
    shop.deploy(objects.replica_set("lonely", shop.name, 2))
    before = set(shop.images())
    done = shop.refresh(state="restarted", token=token)
    assert not done.get("failed"), told(done)
    assert before.isdisjoint(shop.images())


def test_a_restart_without_a_name_restarts_each_time(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name))
    for _time in range(2):
        done = shop.refresh(state="restarted")
        assert not done.get("failed"), told(done)
        assert done["changed"]
    assert shop.revisions() == {"web": 3}


def test_what_cannot_be_replaced_is_told_with_what_to_do(shop: Shop) -> None:
    shop.deploy(
        objects.deployment("paused", shop.name),
        objects.stateful_set("split", shop.name, 2, spec={"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}),
        objects.job("batch", shop.name),
    )
    shop.cluster.kubectl("rollout", "pause", "deployment/paused", "-n", shop.name)
    image = shop.outdate()
    done = shop.refresh()
    assert not done.get("failed"), told(done)
    assert codes(done) == {"paused": 1, "partition": 1, "job": 1}
    assert all(group["remedy"] and group["reason"] and group["objects"] for group in done["leftovers"])
    assert sorted(name for name, found in shop.images().items() if found == image) == ["split-1"]
    with unchanged(shop.cluster):
        assert not shop.refresh()["changed"]


def test_a_budget_that_allows_nothing_keeps_nobody_else(shop: Shop) -> None:
    shop.deploy(objects.replica_set("guarded", shop.name), objects.deployment("web", shop.name))
    shop.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects.disruption_budget("guarded", shop.name, minAvailable=1)))
    image = shop.outdate()
    result = shop.refresh(wait_timeout=8)
    assert_told(result, f"{shop.name}/guarded", cluster=shop.cluster)
    assert outcomes(result)[f"rollout:Deployment/{shop.name}/web"] == "done"
    assert outcomes(result)[f"evict:ReplicaSet/{shop.name}/guarded"] == "not_run"
    assert [entry["object"]["name"] for entry in result["workloads"]] == ["guarded"]
    assert sum(found == image for found in shop.images().values()) == 1
    shop.cluster.kubectl("delete", "pdb", "guarded", "-n", shop.name)
    done = shop.refresh()
    assert list(outcomes(done).values()) == ["done"]


@pytest.mark.parametrize("behaviour", ["crash-loop", "never-ready", "image-pull"])
def test_a_rollout_of_somebody_else_that_fails_keeps_nobody_else(shop: Shop, behaviour: str) -> None:
    shop.deploy(objects.deployment("web", shop.name, 2), objects.deployment("api", shop.name, 2))
    image = shop.outdate()
    # Somebody else's new template, whose pods are broken, is on its way.
    label = {"spec": {"template": {"metadata": {"labels": {objects.BEHAVIOUR: behaviour}}}}}
    shop.cluster.kubectl("patch", "deployment", "web", "-n", shop.name, "--type=merge", "-p", json.dumps(label))
    result = shop.refresh(max_parallel_workloads=1, stall_timeout=6)
    assert_told(result, f"{shop.name}/web", cluster=shop.cluster)
    assert outcomes(result) == {f"wait:Deployment/{shop.name}/web": "failed", f"rollout:Deployment/{shop.name}/api": "done"}
    assert [entry["object"]["name"] for entry in result["workloads"]] == ["web"]
    assert shop.revisions() == {"web": 2, "api": 2}
    # What serves still serves: the broken rollout has taken away no more than its strategy allows.
    assert sum(shop.ready()) == 4
    # Its own new pod has the new sidecar, and so have both pods of the other one.
    assert sum(found == image for found in shop.images().values()) == 3


def test_a_deployment_that_has_failed_before_any_refresh_is_left_and_told(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name, 2))
    broken = objects.deployment("broken", shop.name, **objects.behaving("crash-loop"))
    broken["spec"]["progressDeadlineSeconds"] = 2
    shop.deploy(broken, wait=False)

    def given_up() -> bool:
        status = next(item for item in shop.list("Deployment") if item["metadata"]["name"] == "broken").get("status", {})
        return any(condition.get("reason") == "ProgressDeadlineExceeded" for condition in status.get("conditions", ()))

    eventually(given_up, "the controller has not given up the broken Deployment", 60)
    shop.outdate()
    done = shop.refresh(max_parallel_workloads=1)
    assert not done.get("failed"), told(done)
    assert outcomes(done) == {f"rollout:Deployment/{shop.name}/web": "done"}
    assert codes(done) == {"rollout-failed": 1}
    assert shop.revisions() == {"web": 2, "broken": 1}


def test_it_stops_when_the_new_sidecar_does_not_come_up(shop: Shop) -> None:
    names = [f"web-{number}" for number in range(4)]
    shop.deploy(*(objects.deployment(name, shop.name, 2) for name in names))
    shop.mesh.patch_mesh_config({"sidecar": {"sidecarImage": "flomesh/pipy:0.70.0-missing"}})
    result = shop.refresh(max_parallel_workloads=1, stall_timeout=6)
    assert_told(result, f"{shop.name}/web-0", "flomesh/pipy:0.70.0-missing", cluster=shop.cluster)
    assert list(outcomes(result).values()) == ["failed", "not_run", "not_run", "not_run"]
    assert [entry["object"]["name"] for entry in result["workloads"]] == names
    assert sum(shop.ready()) == 8
    # Run again, it breaks no other.
    result = shop.refresh(max_parallel_workloads=1, stall_timeout=6)
    assert_told(result, "1 of an earlier run", cluster=shop.cluster)
    assert list(outcomes(result).values()) == ["failed", "not_run", "not_run", "not_run"]
    assert shop.revisions() == {"web-0": 2, "web-1": 1, "web-2": 1, "web-3": 1}
    image = shop.outdate()
    done = shop.refresh()
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {image}
    assert shop.revisions() == {"web-0": 3, "web-1": 2, "web-2": 2, "web-3": 2}


def test_a_mesh_that_is_changed_meanwhile_ends_the_run_and_the_next_one_does_the_rest(shop: Shop) -> None:
    names = [f"web-{number}" for number in range(3)]
    shop.deploy(*(objects.deployment(name, shop.name, 2, **objects.behaving("slow-start", 2)) for name in names))
    shop.outdate()
    running = shop.start(max_parallel_workloads=1, max_failures=3)
    eventually(lambda: shop.revisions()["web-0"] == 2, "the refresh has not begun", 60)
    image = shop.outdate()
    result = finish_module(running)
    assert_told(result, f"{shop.name}/web-", "the mesh's configuration has changed while the refresh was going on", cluster=shop.cluster)
    found = {entry["object"]["name"]: entry["code"] for entry in result["workloads"]}
    assert list(found.values()).count("created-with-other-sidecar") == 1
    assert found["web-2"] == "mesh-changed"
    done = shop.refresh()
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {image}


def test_nothing_is_touched_while_the_injector_is_down(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name))
    shop.outdate()
    shop.cluster.standin.stop()
    try:
        with unchanged(shop.cluster):
            result = shop.refresh()
        assert_told(result, "injector", cluster=shop.cluster)
        assert {refusal["code"] for refusal in result["refusals"]} <= {"injector-down", "injector-no-answer"}
        assert shop.revisions() == {"web": 1}
    finally:
        shop.cluster.standin.start()
    eventually(lambda: not shop.refresh(check=True).get("failed"), "the injector does not come back", 60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"namespaces": ["nowhere"]}, ["nowhere"]),
        ({"mesh_name": "mesh-x"}, ["mesh-x"]),
        ({"mesh": "istio"}, ["Istio"]),
        ({"until": "soon"}, ["soon", "04:00"]),
        ({"max_failures": 0}, ["max_failures"]),
        ({"namespace_selector": "a in ("}, ["a in ("]),
        ({"selector": "=b="}, ["=b="]),
        ({"expected_plan_id": "0123456789abcdef"}, ["0123456789abcdef"]),
    ],
)
def test_bad_input_is_refused_before_the_first_write(shop: Shop, options: dict[str, object], words: list[str]) -> None:
    shop.deploy(objects.deployment("web", shop.name))
    shop.outdate()
    with unchanged(shop.cluster):
        result = shop.refresh(**options)
    assert_told(result, *words)


def test_the_nearest_namespace_is_named(shop: Shop) -> None:
    result = shop.refresh(namespaces=[f"{shop.name}s"])
    assert_told(result, shop.name)


def test_the_whole_cluster_without_what_is_left_out(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name, labels={"tier": "front"}), objects.deployment("api", shop.name))
    shop.outdate()
    everything = {"namespaces": []}
    excluded = shop.refresh(check=True, exclude_namespaces=["shop-*"], **everything)
    assert not [step for step in excluded["steps"] if shop.name in step["id"]]
    chosen = shop.refresh(check=True, selector="tier=front", namespace_selector=f"kubernetes.io/metadata.name={shop.name}", **everything)
    assert list(outcomes(chosen)) == [f"rollout:Deployment/{shop.name}/web"]
    everywhere = shop.refresh(check=True, **everything)
    assert {f"rollout:Deployment/{shop.name}/{name}" for name in ("web", "api")} <= set(outcomes(everywhere))


def test_the_diff_is_the_annotation(shop: Shop) -> None:
    shop.deploy(objects.deployment("web", shop.name))
    shop.outdate()
    (diff,) = shop.refresh(check=True, diff=True)["diff"]
    assert TOKEN in diff["after"]
    assert TOKEN not in diff["before"]


def test_auto_takes_the_mesh_that_is_there(shop: Shop) -> None:
    result = run_module("sidecar_refresh", shop.mesh.options(mesh="auto", namespaces=[shop.name]), check=True)
    assert result["summary"]["mesh"] == "osm-system/osm", told(result)
