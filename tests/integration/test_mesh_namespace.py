# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_namespace against a real API server and a mesh whose injector answers: live, twice, in check mode, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from failures import assert_told, unchanged
from mesh_clusters import Mesh, MeshCluster, Result, eventually
from namespace_cases import SCRAPE, Namespaces, row
from run_module import finish_module, run_module
from write_gate import WriteGate

NEW_MESH = Mesh("1.3.9")
FSM_MESH = Mesh("1.5.1", name="fsm", release="fsm", namespace="fsm-system", product="fsm")
ENROLLED = {"monitored-by": "osm", "sidecar-injection": "enabled"}


@pytest.fixture(scope="module")
def new_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """One mesh for all tests of this file but the last."""
    mesh_cluster.reset(NEW_MESH)
    return mesh_cluster


@pytest.fixture
def namespaces(new_mesh: MeshCluster) -> Iterator[Namespaces]:
    """Namespaces that are removed after the test."""
    found = Namespaces(new_mesh)
    yield found
    found.clean()


# States


def test_a_namespace_joins_and_its_pods_are_counted_until_they_are_replaced(namespaces: Namespaces) -> None:
    name = namespaces.make()
    namespaces.deploy(name, 2)
    result = namespaces.run(name)
    assert result["changed"] is True, result.get("msg")
    assert namespaces.keys(name) == ENROLLED
    assert row(result, name) == {
        "name": name,
        "changed": True,
        "created": False,
        "before": {"mesh": "", "injection": "", "metrics": "", "ignored": False},
        "after": {"mesh": "osm", "injection": "enabled", "metrics": "", "ignored": False},
        "pods_to_restart": 2,
    }
    with unchanged(namespaces.cluster):
        again = namespaces.run(name)
    assert (again["changed"], again["steps"], row(again, name)["pods_to_restart"]) == (False, [], 2)
    namespaces.restart(name)
    assert namespaces.run(name)["summary"] == {
        "mesh": "osm",
        "namespace": "osm-system",
        "product": "osm-edge",
        "state": "present",
        "namespaces": 1,
        "changed": 0,
        "pods_to_restart": 0,
    }


def test_injection_of_an_enrolled_namespace_is_changed(namespaces: Namespaces) -> None:
    """``osm namespace add --disable-sidecar-injection`` says that it will be, and returns early."""
    name = namespaces.make(ENROLLED)
    namespaces.deploy(name)
    result = namespaces.run(name, injection="disabled")
    assert namespaces.keys(name) == {"monitored-by": "osm", "sidecar-injection": "disabled"}
    assert row(result, name)["pods_to_restart"] == 1, "it has a sidecar and would not get it again"
    namespaces.restart(name)
    assert all(len(pod["spec"]["containers"]) == 1 for pod in namespaces.pods(name))
    assert row(namespaces.run(name, injection="disabled"), name)["pods_to_restart"] == 0


def test_a_namespace_is_ignored_and_taken_in_again(namespaces: Namespaces) -> None:
    name = namespaces.make(ENROLLED)
    namespaces.deploy(name)
    result = namespaces.run(name, state="ignored")
    assert row(result, name)["after"] == {"mesh": "osm", "injection": "enabled", "metrics": "", "ignored": True}
    assert row(result, name)["pods_to_restart"] == 1
    with unchanged(namespaces.cluster):
        assert namespaces.run(name, state="ignored")["changed"] is False
    back = namespaces.run(name)
    assert "(it was ignored, and state=present undoes that)" in back["plan"]["phases"][0]["steps"][0]["why"]
    assert namespaces.keys(name) == ENROLLED
    assert row(back, name)["pods_to_restart"] == 0


@pytest.mark.parametrize("value", ["false", "yes", ""])
def test_any_value_of_the_label_ignores(namespaces: Namespaces, value: str) -> None:
    """The webhook's selector asks whether it exists; ``osm namespace add`` only knows "true"."""
    name = namespaces.make({**ENROLLED, "ignore": value})
    namespaces.deploy(name)
    assert len(namespaces.pods(name)[0]["spec"]["containers"]) == 1
    with unchanged(namespaces.cluster):
        assert namespaces.run(name, state="ignored")["changed"] is False
    result = namespaces.run(name)
    assert namespaces.keys(name) == ENROLLED
    assert row(result, name)["pods_to_restart"] == 1


@pytest.mark.parametrize(
    "left",
    [
        {**ENROLLED, "metrics": "enabled", "ignore": "true"},
        {"sidecar-injection": "enabled", "metrics": "enabled"},
        {"ignore": "yes"},
    ],
    ids=["enrolled", "annotations", "ignored"],
)
def test_nothing_of_the_mesh_is_left_on_an_absent_namespace(namespaces: Namespaces, left: dict[str, str | None]) -> None:
    """``osm namespace remove`` does nothing once the label is gone."""
    name = namespaces.make(left, {"team": "payments"})
    assert namespaces.run(name, state="absent")["changed"] is True
    assert namespaces.keys(name) == {}
    assert namespaces.mesh.get(f"/api/v1/namespaces/{name}")["metadata"]["labels"]["team"] == "payments"
    with unchanged(namespaces.cluster):
        assert namespaces.run(name, state="absent")["changed"] is False


def test_names_and_selector_together(namespaces: Namespaces) -> None:
    named, selected, other = (namespaces.make(labels=labels) for labels in ({}, {"wave": "first"}, {"wave": "second"}))
    result = namespaces.run(named, selector="wave in (first, third)")
    assert sorted(item["name"] for item in result["namespaces"]) == sorted([named, selected])
    assert [namespaces.keys(name) for name in (named, selected, other)] == [ENROLLED, ENROLLED, {}]


def test_what_the_selector_meant_is_proven_when_it_does_not_match_any_more(namespaces: Namespaces) -> None:
    names = [namespaces.make(ENROLLED, {"leaves": "now"}) for _number in range(3)]
    selector = "openservicemesh.io/monitored-by=osm,leaves=now"
    result = namespaces.run(selector=selector, state="absent")
    assert (result["summary"]["namespaces"], result["summary"]["changed"]) == (3, 3), result.get("msg")
    assert [namespaces.keys(name) for name in names] == [{}, {}, {}]
    with unchanged(namespaces.cluster):
        again = namespaces.run(selector=selector, state="absent")
    assert again["changed"] is False
    assert [finding["code"] for finding in again["findings"]] == ["selector-matches-nothing"]


def test_a_namespace_is_created(namespaces: Namespaces) -> None:
    namespaces.made.append("brand-new")
    with unchanged(namespaces.cluster):
        planned = namespaces.run("brand-new", create=True, injection="disabled", check=True)
    assert planned["changed"] is True, planned.get("msg")
    result = namespaces.run("brand-new", create=True, injection="disabled", expected_plan_id=planned["plan"]["id"])
    assert (row(result, "brand-new")["created"], namespaces.keys("brand-new")) == (
        True,
        {"monitored-by": "osm", "sidecar-injection": "disabled"},
    )
    with unchanged(namespaces.cluster):
        assert namespaces.run("brand-new", create=True, injection="disabled")["changed"] is False


def test_a_namespace_is_moved_only_on_request(namespaces: Namespaces) -> None:
    name = namespaces.make({"monitored-by": "other", "sidecar-injection": "enabled"})
    with unchanged(namespaces.cluster):
        refused = namespaces.run(name)
    assert_told(refused, f"namespace {name} belongs to mesh other, not osm", "allow_move=true", cluster=namespaces.cluster)
    result = namespaces.run(name, allow_move=True)
    assert (result["changed"], result["plan"]["risk"]) == (True, "disruptive")
    assert namespaces.keys(name) == ENROLLED


# Metrics


def test_metrics_are_switched_on_the_namespace_and_on_its_pods(namespaces: Namespaces) -> None:
    name = namespaces.make(ENROLLED)
    namespaces.deploy(name, 3)
    namespaces.deploy(name, name="own", annotations={"openservicemesh.io/sidecar-injection": "disabled", "prometheus.io/port": "8080"})
    already = next(pod["metadata"]["name"] for pod in namespaces.pods(name) if pod["metadata"]["labels"]["app"] == "web")
    namespaces.cluster.kubectl("annotate", "pod", already, "-n", name, "--overwrite", *(f"{key}={value}" for key, value in SCRAPE.items()))
    mark = namespaces.cluster.mark()
    result = namespaces.run(name, metrics="enabled", diff=True)
    assert result["changed"] is True, result.get("msg")
    patched = [event for event in namespaces.cluster.writes_since(mark, user_agent="meshops") if event.resource == "pods"]
    with_sidecar = [pod for pod in namespaces.pods(name) if len(pod["spec"]["containers"]) == 2]
    assert len(with_sidecar) == 3
    assert len(patched) == len([pod for pod in with_sidecar if pod["metadata"]["name"] != already]), "one that is as wanted is left alone"
    assert sorted(namespaces.scraped(name), key=len) == [{"prometheus.io/port": "8080"}, SCRAPE, SCRAPE, SCRAPE]
    assert row(result, name)["after"]["metrics"] == "enabled"
    assert "prometheus.io/scrape: 'true'" in result["diff"][1]["after"]
    with unchanged(namespaces.cluster):
        assert namespaces.run(name, metrics="enabled")["changed"] is False
    namespaces.run(name, metrics="disabled")
    assert sorted(namespaces.scraped(name), key=len) == [{}, {}, {}, {"prometheus.io/port": "8080"}]
    with unchanged(namespaces.cluster):
        assert namespaces.run(name, metrics="disabled")["changed"] is False


def test_an_absent_namespace_takes_the_annotations_from_its_pods(namespaces: Namespaces) -> None:
    name = namespaces.make({**ENROLLED, "metrics": "enabled"})
    namespaces.deploy(name, 2)
    assert namespaces.scraped(name) == [SCRAPE, SCRAPE]
    result = namespaces.run(name, state="absent")
    assert (namespaces.keys(name), namespaces.scraped(name)) == ({}, [{}, {}]), result.get("msg")
    assert row(result, name)["pods_to_restart"] == 2, "their sidecars are still there"
    namespaces.restart(name)
    assert row(namespaces.run(name, state="absent"), name)["pods_to_restart"] == 0


def test_a_pod_that_is_changed_meanwhile_is_read_again(namespaces: Namespaces) -> None:
    name = namespaces.make(ENROLLED)
    namespaces.deploy(name)
    pod = namespaces.pods(name)[0]["metadata"]["name"]
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "pods")
        process = namespaces.start(name, metrics="enabled", kubeconfig=str(gate.kubeconfig))
        held.wait()
        namespaces.cluster.kubectl("annotate", "pod", pod, "-n", name, "example.com/mine=1")
        mark = namespaces.cluster.mark()
        held.release()
        result = finish_module(process)
    assert result["changed"] is True, result.get("msg")
    assert [event.code for event in namespaces.cluster.writes_since(mark) if event.resource == "pods"] == [409, 200]
    assert namespaces.scraped(name) == [SCRAPE]
    assert namespaces.pods(name)[0]["metadata"]["annotations"]["example.com/mine"] == "1"


# Check mode and diff


@pytest.mark.parametrize(
    "options",
    [{}, {"injection": "disabled"}, {"metrics": "enabled"}, {"state": "absent"}, {"state": "ignored"}],
    ids=["present", "disabled", "metrics", "absent", "ignored"],
)
def test_check_mode_tells_what_comes_and_writes_nothing(namespaces: Namespaces, options: Result) -> None:
    name = namespaces.make({"monitored-by": "osm", "sidecar-injection": "maybe"})
    namespaces.cluster.kubectl("label", "namespace", name, "kubernetes.io/note=x")
    with unchanged(namespaces.cluster):
        planned = namespaces.run(name, check=True, diff=True, **options)
    assert planned["changed"] is True, planned.get("msg")
    assert {step["outcome"] for step in planned["steps"]} == {"would_do"}
    result = namespaces.run(name, diff=True, expected_plan_id=planned["plan"]["id"], **options)
    assert result["namespaces"] == planned["namespaces"]
    assert result["diff"] == planned["diff"]
    assert "maybe" in result["diff"][0]["before"]


def test_another_plan_than_the_approved_one(namespaces: Namespaces) -> None:
    name = namespaces.make()
    planned = namespaces.run(name, check=True)["plan"]["id"]
    with unchanged(namespaces.cluster):
        result = namespaces.run(name, injection="disabled", expected_plan_id=planned)
    assert_told(result, f"approved {planned}", cluster=namespaces.cluster)


def test_writes_are_one_patch_each_between_lease_and_record(namespaces: Namespaces) -> None:
    names = [namespaces.make() for _number in range(3)]
    mark = namespaces.cluster.mark()
    assert namespaces.run(*names)["changed"] is True
    writes = [(event.verb, event.resource) for event in namespaces.cluster.writes_since(mark, user_agent="meshops")]
    assert writes == [
        ("create", "leases"),
        ("patch", "configmaps"),
        *[("patch", "namespaces")] * 3,
        ("delete", "configmaps"),
        ("delete", "leases"),
    ]


def test_the_number_of_requests_does_not_grow_with_the_namespaces(namespaces: Namespaces) -> None:
    names = [namespaces.make({**ENROLLED, "metrics": "enabled"}, {"counted": "yes"}) for _number in range(30)]

    def requests(**options: Any) -> int:
        mark = namespaces.cluster.mark()
        assert namespaces.run(**options)["changed"] is False
        return sum(event.user_agent.startswith("meshops.lifecycle/") for event in namespaces.cluster.audit_since(mark))

    assert requests(selector="counted=yes", metrics="enabled") == requests(selector=f"kubernetes.io/metadata.name={names[0]}")


# Somebody else


def test_a_concurrent_edit_of_something_else_is_kept(namespaces: Namespaces) -> None:
    name = namespaces.make()
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "namespaces")
        process = namespaces.start(name, kubeconfig=str(gate.kubeconfig))
        held.wait()
        namespaces.cluster.kubectl("label", "namespace", name, "team=payments")
        held.release()
        result = finish_module(process)
    assert [step["outcome"] for step in result["steps"]] == ["done"], result.get("msg")
    assert namespaces.keys(name) == ENROLLED
    assert namespaces.mesh.get(f"/api/v1/namespaces/{name}")["metadata"]["labels"]["team"] == "payments"


def test_a_namespace_that_joins_another_mesh_meanwhile_is_not_taken_from_it(namespaces: Namespaces) -> None:
    name = namespaces.make()
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "namespaces")
        process = namespaces.start(name, kubeconfig=str(gate.kubeconfig))
        held.wait()
        namespaces.cluster.kubectl("label", "namespace", name, "openservicemesh.io/monitored-by=other")
        held.release()
        result = finish_module(process)
    assert_told(result, f"Namespace {name} was changed by somebody else", "run again")
    assert namespaces.keys(name) == {"monitored-by": "other"}
    # What the failed run left is taken up by the next; here, somebody has to decide first.
    assert_told(namespaces.run(name), "belongs to mesh other")
    namespaces.cluster.kubectl("label", "namespace", name, "openservicemesh.io/monitored-by-")
    assert namespaces.run(name)["changed"] is True


def test_what_somebody_takes_back_at_once_is_told(namespaces: Namespaces) -> None:
    """As GitOps tools do with annotations that their source does not have (kapp-controller issue 823)."""
    first, second = namespaces.make(), namespaces.make()
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "namespaces", nth=2, committed=True)
        process = namespaces.start(first, second, max_parallel_requests=1, kubeconfig=str(gate.kubeconfig))
        held.wait()
        namespaces.cluster.kubectl("annotate", "namespace", first, "openservicemesh.io/sidecar-injection-")
        held.release()
        result = finish_module(process)
    assert_told(result, "applied but not proven", first, "sidecar-injection (none) → enabled", "declare")
    assert namespaces.run(first, second)["changed"] is True


# Bad input


BAD: dict[str, tuple[Result, tuple[str, ...]]] = {
    "nothing": ({}, ("both are empty",)),
    "missing": ({"namespaces": ["osm-sistem"]}, ("namespace osm-sistem does not exist", "did you mean osm-system?", "create=true")),
    "no-name": ({"namespaces": ["Team A"], "create": True}, ("'Team A' is no name of a namespace",)),
    "selector": ({"selector": "a=b=("}, ("selector 'a=b=(' is no label selector", "expected: ',' or 'end of string'")),
    "control-plane": ({"namespaces": ["osm-system"]}, ("namespace osm-system has the control plane of mesh osm",)),
    "control-plane-absent": ({"namespaces": ["osm-system"], "state": "absent"}, ("namespace osm-system has the control plane",)),
    "kube": ({"namespaces": ["kube-system"]}, ("namespace kube-system is the cluster's own",)),
    "no-mesh": ({"namespaces": ["default"], "mesh_name": "osn"}, ("no mesh named osn", "did you mean osm?")),
    "injection-absent": ({"namespaces": ["default"], "state": "absent", "injection": "enabled"}, ("injection=enabled says nothing",)),
    "metrics-ignored": ({"namespaces": ["default"], "state": "ignored", "metrics": "enabled"}, ("metrics=enabled contradicts",)),
    "expected-cluster": (
        {"namespaces": ["default"], "expected_cluster": "0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11"},
        ("not the expected cluster",),
    ),
}


@pytest.mark.parametrize("check", [False, True], ids=["live", "check"])
@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_refused_before_any_write(namespaces: Namespaces, case: str, check: bool) -> None:
    options, words = BAD[case]
    with unchanged(namespaces.cluster):
        result = run_module("mesh_namespace", namespaces.mesh.options(**options), check=check)
    assert_told(result, *words, "nothing was")


def test_everything_that_is_wrong_is_told_at_once(namespaces: Namespaces) -> None:
    fine = namespaces.make()
    foreign = namespaces.make({"monitored-by": "other"})
    with unchanged(namespaces.cluster):
        result = namespaces.run(fine, foreign, "nowhere", "kube-public", "osm-system", selector="(")
    assert {refusal["code"] for refusal in result["refusals"]} == {
        "invalid-selector",
        "namespace-missing",
        "control-plane-namespace",
        "system-namespace",
        "namespace-of-another-mesh",
    }
    assert_told(result, foreign, "nowhere", "kube-public", "osm-system", "'('")


def test_a_namespace_that_is_being_deleted(namespaces: Namespaces) -> None:
    name = namespaces.make()
    holder = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hold", "namespace": name, "finalizers": ["example.com/hold"]}}
    namespaces.cluster.kubectl("create", "-f", "-", stdin=json.dumps(holder))
    namespaces.cluster.kubectl("delete", "namespace", name, "--wait=false")
    try:
        with unchanged(namespaces.cluster):
            result = namespaces.run(name)
        assert_told(result, f"namespace {name} is being deleted", cluster=namespaces.cluster)
        assert namespaces.run(name, state="absent")["changed"] is False
    finally:
        namespaces.cluster.kubectl("patch", "configmap", "hold", "-n", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_a_controller_of_another_mesh_is_a_control_plane_too(namespaces: Namespaces) -> None:
    """By the label that ``osm namespace add`` looks for, also when nothing else says that a mesh is there."""
    name = namespaces.make()
    labels = {"app": "osm-controller"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    body = {
        "metadata": {"name": "mine", "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", **body}
    namespaces.cluster.kubectl("create", "-n", name, "-f", "-", stdin=json.dumps(manifest))
    assert_told(namespaces.run(name), f"namespace {name} has Deployment mine", cluster=namespaces.cluster)


def test_nobody_joins_while_the_injector_is_down(namespaces: Namespaces) -> None:
    """Its webhook fails closed: no pod could be created in the namespace any more. Leaving is always possible."""
    outside, inside = namespaces.make(), namespaces.make(ENROLLED)
    scale = ("scale", "deployment", "osm-injector", "-n", "osm-system")
    endpoints = "/apis/discovery.k8s.io/v1/namespaces/osm-system/endpointslices"

    def ready() -> int:
        items = namespaces.mesh.get(endpoints)["items"]
        injector = [item for item in items if item["metadata"]["labels"]["kubernetes.io/service-name"] == "osm-injector"]
        return sum(endpoint["conditions"]["ready"] for item in injector for endpoint in item.get("endpoints") or ())

    namespaces.cluster.kubectl(*scale, "--replicas=0")
    try:
        eventually(lambda: ready() == 0, "the injector's endpoints stay")
        with unchanged(namespaces.cluster):
            result = namespaces.run(outside, inside)
        assert_told(result, "injector of mesh osm does not answer", outside, "osm-injector", cluster=namespaces.cluster)
        assert namespaces.run(inside)["changed"] is False
        assert namespaces.run(inside, state="absent")["changed"] is True
    finally:
        namespaces.cluster.kubectl(*scale, "--replicas=1")
        eventually(lambda: ready() > 0, "the injector's endpoints do not come back")


# FSM


def test_the_keys_of_fsm(mesh_cluster: MeshCluster) -> None:
    """The last one: it replaces the mesh."""
    mesh_cluster.reset(FSM_MESH)
    namespaces = Namespaces(mesh_cluster, "flomesh.io")
    name = namespaces.make()
    namespaces.deploy(name)
    result = namespaces.run(name, metrics="enabled")
    assert namespaces.keys(name) == {"monitored-by": "fsm", "sidecar-injection": "enabled", "metrics": "enabled"}, result.get("msg")
    assert (result["summary"]["product"], row(result, name)["pods_to_restart"]) == ("fsm", 1)
    namespaces.restart(name)
    assert namespaces.scraped(name) == [SCRAPE]
    assert row(namespaces.run(name), name)["pods_to_restart"] == 0
    namespaces.run(name, state="ignored", metrics="disabled")
    assert namespaces.keys(name) == {"monitored-by": "fsm", "sidecar-injection": "enabled", "ignore": "true"}
    assert namespaces.scraped(name) == [{}]
    result = namespaces.run(name, state="absent")
    assert (namespaces.keys(name), row(result, name)["pods_to_restart"]) == ({}, 1)
    other = Namespaces(mesh_cluster)
    moved = other.make({"monitored-by": "osm", "sidecar-injection": "enabled", "metrics": "enabled"})
    assert_told(namespaces.run(moved), f"namespace {moved} belongs to mesh osm, not fsm", cluster=mesh_cluster.cluster)
    assert namespaces.run(moved, allow_move=True)["changed"] is True
    assert (namespaces.keys(moved), other.keys(moved)) == ({"monitored-by": "fsm", "sidecar-injection": "enabled"}, {})
