# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw objects become small facts; nothing that is decided on may get lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import must_inject, sidecar_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import crd, namespace, pod, webhook

VALUES = st.sampled_from(["enabled", "disabled", "True", "no", "maybe"])


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    product = draw(st.sampled_from(PRODUCTS))
    annotations = {item.injection_annotation: draw(VALUES) for item in draw(st.sets(st.sampled_from(PRODUCTS)))}
    image = draw(st.sampled_from(["", "flomesh/pipy:1"]))
    init = draw(st.sampled_from(["", "init:1"])) if image else ""
    extra: dict[str, Any] = {"hostNetwork": True} if draw(st.booleans()) else {}
    return pod(image=image, init=init, mesh=draw(st.sampled_from(["osm", "red"])), product=product, annotations=annotations, **extra)


@given(pods(), st.sampled_from(PRODUCTS))
def test_traits_decide_as_the_pod_does(raw: dict[str, Any], product: Product) -> None:
    traits = reduction.pod_traits(raw)
    assert traits is not None
    place = namespace("shop", mesh="osm", product=product)
    assert must_inject(traits.as_pod(), place, product, "osm", "osm-system") == must_inject(raw, place, product, "osm", "osm-system")
    assert sidecar_of(traits.as_pod(), product) == sidecar_of(raw, product)


@pytest.mark.parametrize("product", [OSM_EDGE, OSM, FSM])
def test_sidecar_is_container_and_volume(product: Product) -> None:
    raw = pod(image="proxy:1", init="init:1", product=product)
    traits = reduction.pod_traits(raw)
    assert traits is not None
    assert (traits.mesh, traits.sidecar_image, traits.init_image) == ("osm", "proxy:1", "init:1")
    raw["spec"]["volumes"] = []
    without = reduction.pod_traits(raw)
    assert without is not None
    assert not without.injected


@pytest.mark.parametrize(
    "change", [{"metadata": {"deletionTimestamp": "now"}}, {"status": {"phase": "Succeeded"}}, {"status": {"phase": "Failed"}}]
)
def test_pods_that_end_are_no_data_plane(change: dict[str, Any]) -> None:
    raw = pod()
    for part, values in change.items():
        raw[part].update(values)
    assert reduction.pod_traits(raw) is None


@pytest.mark.parametrize(
    ("owners", "workload"),
    [
        ([{"kind": "ReplicaSet", "name": "app-5d7f", "controller": True}], ("Deployment", "app")),
        ([{"kind": "ReplicaSet", "name": "bare", "controller": True}], ("ReplicaSet", "bare")),
        ([{"kind": "StatefulSet", "name": "db", "controller": True}], ("StatefulSet", "db")),
        ([{"kind": "Node", "name": "n"}], ("", "")),
        ([], ("", "")),
    ],
)
def test_workload_of_a_pod(owners: list[dict[str, Any]], workload: tuple[str, str]) -> None:
    raw = pod()
    raw["metadata"]["ownerReferences"] = owners
    traits = reduction.pod_traits(raw)
    assert traits is not None
    assert traits.workload == workload


def test_endpoints_count_unless_they_are_not_ready() -> None:
    def part(service: str, *conditions: Any) -> dict[str, Any]:
        return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": [{"conditions": item} for item in conditions]}

    slices = [part("a", {"ready": True}, {"ready": False}), part("a", {}, None), part("b"), {"metadata": {}, "endpoints": None}]
    assert reduction.ready_endpoints(slices) == {"a": 3, "b": 0, "": 0}


@pytest.mark.parametrize(
    ("data", "spec"),
    [
        ({"preset-mesh-config.json": json.dumps({"traffic": {}})}, {"traffic": {}}),
        ({"preset-mesh-config.json": json.dumps({"kind": "MeshConfig", "spec": {"traffic": {}}})}, {"traffic": {}}),
        ({"preset-mesh-config.json": "{"}, None),
        ({"preset-mesh-config.json": "[]"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_preset(data: Any, spec: Any) -> None:
    assert reduction.preset_spec({"data": data}) == spec
    assert reduction.preset_spec(None) is None


def test_webhook_configuration() -> None:
    found = reduction.webhook(webhook(version="1.2.0"))
    assert (found.mesh_name, found.app, found.version, found.fails_closed, found.has_ca_bundle) == (
        "osm",
        "osm-injector",
        "1.2.0",
        True,
        True,
    )
    assert found.services == (("osm-system", "osm-injector", 9090),)
    by_url = reduction.webhook(webhook(clientConfig={"url": "https://localhost"}, failurePolicy="Ignore"))
    assert (by_url.services, by_url.fails_closed, by_url.has_ca_bundle) == ((), False, False)


def test_custom_resource_definition() -> None:
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"namespace": "osm-system", "name": "osm-bootstrap"}}}}
    found = reduction.custom_resource(crd("meshconfigs.config.openservicemesh.io", "v1alpha2", "v1alpha1", conversion=conversion))
    assert (found.versions, found.storage, found.conversion) == (("v1alpha2", "v1alpha1"), "v1alpha2", "Webhook")
    assert found.conversion_service == ("osm-system", "osm-bootstrap")
    assert reduction.custom_resource(crd("a.b", "v1")).conversion == "None"
