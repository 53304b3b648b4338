# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces and pods that another mesh claims, or that this one passes over; and what the mesh itself lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight_enrolment, preflight_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import facts, mesh, namespace, told, workload

MESHES = {"osm": mesh(), "fsm": mesh("1.5.1", product=FSM, name="fsm")}


@pytest.mark.parametrize(
    ("of", "labels", "codes"),
    [
        ("osm", {}, []),
        ("osm", {"openservicemesh.io/monitored-by": "osm"}, []),
        ("osm", {"openservicemesh.io/monitored-by": "blue"}, ["namespace-of-another-mesh"]),
        ("osm", {"flomesh.io/monitored-by": "fsm"}, ["two-meshes"]),
        ("fsm", {"openservicemesh.io/monitored-by": "osm"}, ["two-meshes"]),
        ("fsm", {"flomesh.io/monitored-by": "fsm"}, []),
        ("osm", {"openservicemesh.io/monitored-by": "osm", "flomesh.io/monitored-by": "fsm"}, ["two-meshes"]),
        ("osm", {"istio-injection": "enabled"}, ["istio-injection"]),
        ("osm", {"istio.io/rev": "asm-managed"}, ["istio-injection"]),
        ("osm", {"istio-injection": "disabled"}, []),
        # Any value counts.
        ("osm", {"openservicemesh.io/ignore": "false"}, ["namespace-ignored"]),
        ("fsm", {"flomesh.io/ignore": ""}, ["namespace-ignored"]),
        ("osm", {"control-plane": "x"}, ["left-out-by-webhook"]),
        ("osm", {"name": "osm-system"}, ["left-out-by-webhook"]),
        ("osm", {"name": "shop"}, []),
    ],
)
def test_labels_of_namespaces(of: str, labels: dict[str, str], codes: list[str]) -> None:
    found = preflight_enrolment.namespaces(facts(of=MESHES[of], namespaces=[namespace(labels=labels)]))
    severity = "warning" if codes == ["namespace-ignored"] else "error"
    assert told(found) == [(severity, code, "Namespace/shop") for code in codes]


@pytest.mark.parametrize("name", ["kube-system", "kube-public", "kube-flannel", "openshift-dns"])
def test_namespaces_of_the_cluster(name: str) -> None:
    found = preflight_enrolment.namespaces(facts(namespaces=[namespace(name)]))
    assert told(found) == [("error", "system-namespace", f"Namespace/{name}")]


@pytest.mark.parametrize("name", ["osm-system", "fsm-system"])
def test_namespaces_of_control_planes(name: str) -> None:
    found = preflight_enrolment.namespaces(facts(namespaces=[namespace(name)], control_planes=frozenset({"osm-system", "fsm-system"})))
    assert told(found) == [("error", "control-plane-namespace", f"Namespace/{name}")]


def test_a_namespace_that_is_being_deleted() -> None:
    leaving = namespace()._replace(terminating=True)
    assert told(preflight_enrolment.namespaces(facts(namespaces=[leaving]))) == [("error", "namespace-terminating", "Namespace/shop")]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"sidecar.istio.io/inject": "true"}, True),
        ({"istio.io/rev": "canary"}, True),
        ({"sidecar.istio.io/inject": "false", "istio.io/rev": "canary"}, False),
        ({}, False),
    ],
)
def test_pods_that_ask_for_istio(labels: dict[str, str], found: bool) -> None:
    expected = [("error", "istio-sidecar", "Deployment/cart")] if found else []
    assert told(preflight_enrolment.pods(facts(workload(labels=labels)))) == expected


@pytest.mark.parametrize("part", ["containers", "initContainers"])
def test_pods_that_have_the_sidecar_of_istio(part: str) -> None:
    """Native sidecars are init containers."""
    proxy = {part: [{"name": "istio-proxy", "image": "proxyv2:1"}]}
    assert told(preflight_enrolment.pods(facts(workload(**proxy)))) == [("error", "istio-sidecar", "Deployment/cart")]


def sidecar(of: Mesh) -> dict[str, object]:
    containers = [
        {"name": "cart", "image": "cart:1"},
        {"name": of.product.sidecar_container, "image": "pipy:1", "ports": [{"containerPort": 15000}]},
    ]
    init = [{"name": of.product.init_container, "image": "init:1"}]
    return {"containers": containers, "initContainers": init, "volumes": [{"name": of.product.bootstrap_volume}]}


@pytest.mark.parametrize("of", MESHES.values(), ids=MESHES)
def test_a_sidecar_in_the_template(of: Mesh) -> None:
    found = facts(workload(**sidecar(of)), of=of)
    assert told(preflight_enrolment.sidecar_in_template(found)) == [("warning", "sidecar-in-template", "Deployment/cart")]


def test_the_sidecar_of_a_running_pod_is_the_injectors() -> None:
    pod = workload("Pod", **sidecar(MESHES["osm"]))
    assert preflight_enrolment.sidecar_in_template(facts(pod)) == []
    assert [item["name"] for item in pod.containers] == ["cart"]


@pytest.mark.parametrize(("value", "found"), [("disabled", True), ("no", True), ("enabled", False), ("sometimes", False)])
def test_pods_that_opted_out(value: str, found: bool) -> None:
    pods = workload(annotations={"openservicemesh.io/sidecar-injection": value})
    assert told(preflight_enrolment.opted_out(facts(pods))) == ([("info", "opted-out", "Deployment/cart")] if found else [])


def test_namespaces_are_judged_as_if_they_were_enrolled() -> None:
    """Whatever stands on them now: disabled injection, another mesh, an ignore label."""
    labels = {"openservicemesh.io/ignore": "true", "openservicemesh.io/monitored-by": "blue"}
    disabled = namespace(labels=labels, annotations={"openservicemesh.io/sidecar-injection": "disabled"})
    assert [item.ref.name for item in facts(workload(), namespaces=[disabled]).injected] == ["cart"]


@pytest.mark.parametrize(
    ("mode", "code"),
    [("iptables", None), (None, "interception-off"), ("none", "interception-elsewhere"), ("ebpf", "interception-elsewhere")],
)
def test_interception(mode: str | None, code: str | None) -> None:
    severity = "error" if mode is None else "info"
    found = preflight_mesh.mesh_config(facts(of=mesh(traffic={"interceptionMode": mode})))
    assert told(found) == ([(severity, code, "MeshConfig/osm-mesh-config")] if code else [])


def test_before_1_3_there_was_one_way_of_interception() -> None:
    assert preflight_mesh.mesh_config(facts(of=mesh("1.2.3"))) == []


def test_a_mesh_without_settings() -> None:
    found = preflight_mesh.mesh_config(facts(of=replace(mesh(), mesh_config=None)))
    assert told(found) == [("error", "mesh-config-absent", "MeshConfig/osm-mesh-config")]


def test_what_could_not_be_read_is_told() -> None:
    found = preflight_mesh.not_checked(facts(unread={"pods": "not allowed to list pods cluster-wide"}))
    assert told(found) == [("warning", "not-checked", "Mesh/osm")]
    assert "not allowed to list pods cluster-wide" in found[0].what
