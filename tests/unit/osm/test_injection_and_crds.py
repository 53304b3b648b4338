# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is injected, with what, when a sidecar is stale, and which definitions a version installs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import conversion_webhook_crds, crds_of, known_crds, left_behind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import (
    DesiredSidecar,
    desired_init_image,
    desired_sidecar,
    desired_sidecar_image,
    expects_init,
    has_sidecar,
    must_inject,
    sidecar_of,
    stale_reason,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2, PRESET_1_3, Spec, installed

KEY = "openservicemesh.io/sidecar-injection"
MONITORED = {"openservicemesh.io/monitored-by": "osm"}


def namespace(name: str = "shop", annotation: str | None = None, **labels: str) -> Spec:
    return {
        "metadata": {"name": name, "labels": {**MONITORED, **labels}, "annotations": {KEY: annotation} if annotation is not None else None}
    }


def pod(annotation: str | None = None, **spec: Any) -> Spec:
    return {"metadata": {"annotations": {KEY: annotation}} if annotation is not None else {}, "spec": spec}


@pytest.mark.parametrize(
    ("the_pod", "the_namespace", "expected"),
    [
        (pod(), namespace(annotation="enabled"), True),
        (pod("enabled"), namespace(), True),
        (pod("enabled"), namespace(annotation="disabled"), True),
        (pod("YES"), namespace(), True),
        (pod("true"), namespace(), True),
        (pod(), namespace(annotation="True"), True),
        (pod("disabled"), namespace(annotation="enabled"), False),
        (pod("no"), namespace(annotation="enabled"), False),
        (pod(), namespace(), False),
        (pod(), namespace(annotation="disabled"), False),
        (pod(), namespace(annotation="false"), False),
        # An invalid value denies the pod, the namespace's even when the pod says what it wants.
        (pod("on"), namespace(annotation="enabled"), None),
        (pod("enabled"), namespace(annotation="on"), None),
        (pod(""), namespace(), None),
        # hostNetwork comes before the annotations.
        (pod("on", hostNetwork=True), namespace(annotation="enabled"), False),
        (pod("enabled", hostNetwork=True), namespace(), False),
        (pod("enabled"), namespace("kube-system"), False),
        (pod("enabled"), namespace("kube-public"), False),
        (pod("enabled"), namespace("osm-system"), False),
        # The webhook's selector.
        (pod("enabled"), {"metadata": {"name": "shop"}}, False),
        (pod("enabled"), namespace(**{"openservicemesh.io/monitored-by": "other"}), False),
        (pod("enabled"), namespace(**{"openservicemesh.io/ignore": "false"}), False),
        (pod("on"), namespace(**{"openservicemesh.io/ignore": "true"}), False),
        (pod("enabled"), namespace(**{"control-plane": "x"}), False),
        (pod("enabled"), namespace(**{"kubernetes.io/metadata.name": "osm-system"}), True),
    ],
)
def test_who_is_injected(the_pod: Spec, the_namespace: Spec, expected: bool | None) -> None:
    decision = must_inject(the_pod, the_namespace, OSM_EDGE, "osm", "osm-system")
    assert decision.inject is expected
    assert decision.reason


def test_a_namespace_labelled_with_the_name_of_the_mesh_namespace_is_left_out() -> None:
    labelled = namespace(annotation="enabled")
    labelled["metadata"]["labels"]["name"] = "osm-system"
    assert must_inject(pod(), labelled, OSM_EDGE, "osm", "osm-system").inject is False


def test_the_keys_of_fsm_are_its_own() -> None:
    of_fsm = {
        "metadata": {
            "name": "shop",
            "labels": {"flomesh.io/monitored-by": "fsm"},
            "annotations": {"flomesh.io/sidecar-injection": "enabled"},
        }
    }
    assert must_inject(pod(), of_fsm, FSM, "fsm", "fsm-system").inject is True
    assert must_inject(pod(), of_fsm, OSM_EDGE, "fsm", "fsm-system").inject is False


ENV = {
    "OSM_DEFAULT_SIDECAR_IMAGE": "env/sidecar:1",
    "OSM_DEFAULT_INIT_CONTAINER_IMAGE": "env/init:1",
    "OSM_DEFAULT_ENVOY_IMAGE": "env/envoy:1",
}
DRIVERS = [{"sidecarName": "envoy", "sidecarImage": "e:1"}, {"sidecarName": "Pipy", "sidecarImage": "p:1", "sidecarWindowsImage": "w:1"}]


@pytest.mark.parametrize(
    ("sidecar", "product", "expected"),
    [
        ({"sidecarImage": "field:1", "sidecarClass": "pipy", "sidecarDrivers": DRIVERS}, OSM_EDGE, "field:1"),
        ({"sidecarImage": "", "sidecarClass": "pipy", "sidecarDrivers": DRIVERS}, OSM_EDGE, "p:1"),
        ({"sidecarClass": "ENVOY", "sidecarDrivers": DRIVERS}, OSM_EDGE, "e:1"),
        ({"sidecarClass": "other", "sidecarDrivers": DRIVERS}, OSM_EDGE, "env/sidecar:1"),
        ({"sidecarClass": "pipy", "sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": ""}]}, OSM_EDGE, "env/sidecar:1"),
        ({"sidecarDrivers": DRIVERS}, OSM_EDGE, "env/sidecar:1"),
        ({}, OSM_EDGE, "env/sidecar:1"),
        ({"envoyImage": "envoy:2", "sidecarImage": "x"}, OSM, "envoy:2"),
        ({}, OSM, "env/envoy:1"),
        ({"sidecarImage": "fsm:1"}, FSM, "fsm:1"),
        ({"sidecarClass": "pipy", "sidecarDrivers": DRIVERS}, FSM, None),
    ],
)
def test_the_image_of_new_sidecars(sidecar: Spec, product: Product, expected: str | None) -> None:
    assert desired_sidecar_image({"sidecar": sidecar}, ENV, product) == expected


def test_images_of_windows_pods_and_init_containers() -> None:
    spec = {"sidecar": {"sidecarClass": "pipy", "sidecarDrivers": DRIVERS, "initContainerImage": "mine/init:1"}}
    assert desired_sidecar_image(spec, ENV, windows=True) == "w:1"
    assert desired_init_image(spec, ENV) == "mine/init:1"
    assert desired_init_image({}, ENV) == "env/init:1"
    assert desired_init_image({}, {}) is None
    assert desired_init_image(spec, {"FSM_DEFAULT_INIT_CONTAINER_IMAGE": "f:1"}, FSM) == "f:1"


@pytest.mark.parametrize(
    ("mode", "product", "version", "expected"),
    [
        ("iptables", OSM_EDGE, "1.3.9", True),
        (None, OSM_EDGE, "1.3.9", False),
        ("ebpf", OSM_EDGE, "1.3.0", False),
        ("none", OSM_EDGE, "v1.3.9", False),
        (None, OSM_EDGE, "1.3.0-beta.1", False),
        (None, OSM_EDGE, "1.2.3", True),
        (None, OSM_EDGE, "1.1.1", True),
        (None, OSM, "v1.2.4", True),
        ("PodLevel", FSM, "v1.5.1", True),
        ("NodeLevel", FSM, "v1.5.1", False),
        ("iptables", FSM, "v1.4.0", True),
    ],
)
def test_whether_new_pods_get_the_init_container(mode: str | None, product: Product, version: str, expected: bool) -> None:
    spec = {"traffic": {} if mode is None else {"interceptionMode": mode}}
    assert expects_init(spec, product, version) is expected


def injected(
    image: str = "flomesh/pipy:0.70.0-46", init: str | None = "flomesh/init:1.2.3", product: Product = OSM_EDGE, **extra: Any
) -> Spec:
    spec: Spec = {
        "containers": [
            {"name": "app", "image": "a"},
            {"name": product.sidecar_container, "image": image, "env": [{"name": "MESH_NAME", "value": "osm"}]},
        ],
        "volumes": [{"name": product.bootstrap_volume}],
        **extra,
    }
    if init is not None:
        spec["initContainers"] = [{"name": product.init_container, "image": init}]
    return {"metadata": {"labels": {product.pod_uuid_label: "u"}}, "spec": spec}


def test_a_sidecar_is_container_and_volume() -> None:
    assert sidecar_of(injected(), OSM_EDGE) == ("flomesh/pipy:0.70.0-46", "osm", "flomesh/init:1.2.3")
    without_volume = injected()
    without_volume["spec"]["volumes"] = []
    assert not has_sidecar(without_volume, OSM_EDGE)
    assert not has_sidecar({"metadata": {"labels": {"osm-proxy-uuid": "u"}}, "spec": {"containers": [{"name": "app"}]}}, OSM_EDGE)
    assert has_sidecar(injected(product=OSM), OSM)
    assert not has_sidecar(injected(product=OSM), OSM_EDGE)
    assert sidecar_of(injected(init=None), OSM_EDGE) == ("flomesh/pipy:0.70.0-46", "osm", None)


@pytest.mark.parametrize(
    ("the_pod", "desired", "expected"),
    [
        (injected("p:1", "i:1"), DesiredSidecar("p:1", "i:1", with_init=True), None),
        (injected("p:1", "i:1"), DesiredSidecar("p:2", "i:1", with_init=True), "runs p:1, new pods get p:2"),
        (injected("p:1", None), DesiredSidecar("p:1", "i:1", with_init=True), "no osm-init: the pod's traffic bypasses the mesh"),
        (injected("p:1", None), DesiredSidecar("p:2", "i:1", with_init=True), "no osm-init: the pod's traffic bypasses the mesh"),
        (injected("p:1", "i:1"), DesiredSidecar("p:1", "i:1", with_init=False), "has osm-init, which new pods do not get"),
        (injected("p:1", "i:1"), DesiredSidecar("p:1", "i:2", with_init=True), "was started by i:1, new pods by i:2"),
        (injected("p:1", "i:1"), DesiredSidecar(None, None, with_init=True), None),
        (injected("w:1", None, nodeSelector={"kubernetes.io/os": "windows"}), DesiredSidecar("p:1", "i:1", with_init=True), None),
        (pod(), DesiredSidecar("p:1", "i:1", with_init=True), None),
    ],
)
def test_stale_sidecars(the_pod: Spec, desired: DesiredSidecar, expected: str | None) -> None:
    assert stale_reason(the_pod, OSM_EDGE, desired) == expected


def test_an_upgrade_without_its_mesh_config_leaves_the_old_image_and_no_interception() -> None:
    env = {"OSM_DEFAULT_SIDECAR_IMAGE": "", "OSM_DEFAULT_INIT_CONTAINER_IMAGE": "flomesh/osm-edge-sidecar-init:1.3.9"}
    left = desired_sidecar(installed(PRESET_1_2), env, OSM_EDGE, "1.3.9")
    assert left == ("flomesh/pipy:0.70.0-46", "flomesh/osm-edge-sidecar-init:1.3.9", False)
    completed = desired_sidecar(installed(PRESET_1_3), env, OSM_EDGE, "1.3.9")
    assert completed == ("flomesh/pipy:0.90.3-38", "flomesh/osm-edge-sidecar-init:1.3.9", True)


# name: (1.1, 1.2, 1.3), from the definitions that osm-edge v1.1.0, v1.2.3 and v1.3.9 ship.
INSTALLED = [
    "",
    "meshconfigs.config.openservicemesh.io 111",
    "multiclusterservices.config.openservicemesh.io 100",
    "meshrootcertificates.config.openservicemesh.io 011",
    "egresses.policy.openservicemesh.io 111",
    "ingressbackends.policy.openservicemesh.io 111",
    "retries.policy.openservicemesh.io 111",
    "upstreamtrafficsettings.policy.openservicemesh.io 111",
    "accesscerts.policy.openservicemesh.io 011",
    "accesscontrols.policy.openservicemesh.io 011",
    "egressgateways.policy.openservicemesh.io 011",
    "plugins.plugin.flomesh.io 001",
    "pluginchains.plugin.flomesh.io 001",
    "pluginconfigs.plugin.flomesh.io 001",
    "globaltrafficpolicies.flomesh.io 001",
    "serviceexports.flomesh.io 001",
    "serviceimports.flomesh.io 001",
    "httproutegroups.specs.smi-spec.io 111",
    "tcproutes.specs.smi-spec.io 111",
    "traffictargets.access.smi-spec.io 111",
    "trafficsplits.split.smi-spec.io 111",
    "",
][1:-1]


@pytest.mark.parametrize(("column", "version", "count"), [(0, "1.1.3", 10), (1, "1.2.3", 13), (1, "v1.2.3-ubi8", 13), (2, "1.3.9", 19)])
def test_definitions_of_a_version(column: int, version: str, count: int) -> None:
    crds = crds_of(OSM_EDGE, version)
    assert crds is not None
    assert {crd.name for crd in crds} == {row.split()[0] for row in INSTALLED if row.split()[1][column] == "1"}
    assert len(crds) == count
    assert all(crd.storage in crd.served for crd in crds)
    assert {crd.name for crd in crds} <= set(known_crds(OSM_EDGE))


def test_details_of_definitions() -> None:
    by_name = {crd.name: crd for crd in crds_of(OSM_EDGE, "1.3.9") or ()}
    assert by_name["trafficsplits.split.smi-spec.io"][1:3] == (("v1alpha4", "v1alpha2"), "v1alpha4")
    assert [name for name, crd in by_name.items() if not crd.namespaced] == ["plugins.plugin.flomesh.io"]
    flomesh = {"globaltrafficpolicies.flomesh.io", "serviceexports.flomesh.io", "serviceimports.flomesh.io"}
    assert {name for name, crd in by_name.items() if crd.app_name == "flomesh.io"} == flomesh
    assert (by_name["tcproutes.specs.smi-spec.io"].plural, by_name["tcproutes.specs.smi-spec.io"].group) == (
        "tcproutes",
        "specs.smi-spec.io",
    )


def test_other_products_and_versions() -> None:
    assert len(crds_of(OSM, "v1.2.4") or ()) == 10
    assert crds_of(FSM, "1.5.1") is None
    assert crds_of(OSM_EDGE, "1.4.0") is None
    assert crds_of(OSM_EDGE, "latest") is None
    assert "meshconfigs.config.flomesh.io" in known_crds()
    assert known_crds(FSM) == ("meshconfigs.config.flomesh.io",)


def test_what_an_upgrade_leaves_behind_and_who_converts() -> None:
    assert left_behind(OSM_EDGE, "1.1.3", "1.2.3") == ("multiclusterservices.config.openservicemesh.io",)
    assert left_behind(OSM_EDGE, "1.2.3", "1.3.9") == ()
    assert left_behind(OSM_EDGE, "1.2.3", "1.4.0") == ()
    assert conversion_webhook_crds(OSM_EDGE, "1.1.3") == ("meshconfigs.config.openservicemesh.io",)
    assert conversion_webhook_crds(OSM_EDGE, "1.2.0") == ()
