# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The products' names, told apart from each other."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import (
    FSM,
    OSM,
    OSM_EDGE,
    PRODUCTS,
    Product,
    product_of_deployment,
    product_of_images,
    product_of_release,
)

# What the three control planes call their things: osm v1.2.4, osm-edge v1.3.9, fsm v1.5.1.
NAMES: dict[str, tuple[str, str, str]] = {
    "chart_name": ("osm-edge", "osm", "fsm"),
    "chart_repository": (
        "https://flomesh-io.github.io/osm-edge",
        "https://openservicemesh.github.io/osm",
        "https://flomesh-io.github.io/fsm",
    ),
    "values_root": ("osm", "osm", "fsm"),
    "namespace_value": ("osmNamespace", "osmNamespace", "fsmNamespace"),
    "default_mesh_name": ("osm", "osm", "fsm"),
    "default_namespace": ("osm-system", "osm-system", "fsm-system"),
    "app_name": ("openservicemesh.io", "openservicemesh.io", "flomesh.io"),
    "mesh_config_name": ("osm-mesh-config", "osm-mesh-config", "fsm-mesh-config"),
    "mesh_config_api_version": ("config.openservicemesh.io/v1alpha2", "config.openservicemesh.io/v1alpha2", "config.flomesh.io/v1alpha3"),
    "mesh_config_crd": ("meshconfigs.config.openservicemesh.io", "meshconfigs.config.openservicemesh.io", "meshconfigs.config.flomesh.io"),
    "injector_webhook": ("osm-inject.k8s.io", "osm-inject.k8s.io", "fsm-inject.k8s.io"),
    "ca_secret": ("osm-ca-bundle", "osm-ca-bundle", "fsm-ca-bundle"),
    "monitored_by_label": ("openservicemesh.io/monitored-by", "openservicemesh.io/monitored-by", "flomesh.io/monitored-by"),
    "ignore_label": ("openservicemesh.io/ignore", "openservicemesh.io/ignore", "flomesh.io/ignore"),
    "injection_annotation": (
        "openservicemesh.io/sidecar-injection",
        "openservicemesh.io/sidecar-injection",
        "flomesh.io/sidecar-injection",
    ),
    "metrics_annotation": ("openservicemesh.io/metrics", "openservicemesh.io/metrics", "flomesh.io/metrics"),
    "pod_uuid_label": ("osm-proxy-uuid", "osm-proxy-uuid", "fsm-proxy-uuid"),
    "sidecar_container": ("sidecar", "envoy", "sidecar"),
    "init_container": ("osm-init", "osm-init", "fsm-init"),
    "bootstrap_volume": ("sidecar-bootstrap-config-volume", "envoy-bootstrap-config-volume", "sidecar-bootstrap-config-volume"),
    "bootstrap_secret_prefix": ("sidecar-bootstrap-config-", "envoy-bootstrap-config-", "sidecar-bootstrap-config-"),
    "sidecar_image_field": ("sidecarImage", "envoyImage", "sidecarImage"),
}


@pytest.mark.parametrize("field", NAMES)
def test_names(field: str) -> None:
    assert tuple(getattr(product, field) for product in PRODUCTS) == NAMES[field]


def test_names_of_objects() -> None:
    assert OSM_EDGE.deployments == ("osm-bootstrap", "osm-controller", "osm-injector")
    assert FSM.services == ("fsm-bootstrap", "fsm-controller", "fsm-injector", "fsm-validator")
    assert OSM_EDGE.mutating_webhook("prod") == "osm-webhook-prod"
    assert FSM.validating_webhook("prod") == "fsm-validator-mesh-prod"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("flomesh/osm-edge-controller:1.3.9", OSM_EDGE),
        ("registry.example:5000/mirror/osm-edge-injector:1.2.3", OSM_EDGE),
        ("openservicemesh/osm-controller@sha256:8a8a", OSM),
        ("registry.example/openservicemesh/osm-bootstrap:v1.2.4", OSM),
        ("flomesh/fsm-controller:1.5.1", FSM),
        ("registry.example:5000/fsm-injector", FSM),
        ("flomesh/fsm-manager:0.2.4", None),
        ("curlimages/curl", None),
        ("flomesh/pipy-repo:0.90.3-38", None),
    ],
)
def test_images_tell(image: str, expected: Product | None) -> None:
    assert product_of_images(["curlimages/curl:8", image]) is expected


@pytest.mark.parametrize(
    ("chart", "version", "images", "expected"),
    [
        ("osm-edge", "1.3.9", ["flomesh/osm-edge-controller:1.3.9"], OSM_EDGE),
        ("osm", "1.2.4", ["openservicemesh/osm-controller:v1.2.4"], OSM),
        ("osm-edge", "1.3.9", [], OSM_EDGE),
        ("osm", "1.2.4", [], OSM),
        ("fsm", "1.5.1", [], FSM),
        ("fsm", "0.2.4", [], None),
        ("mesh-of-acme", "9.9.9", ["acme.example/osm-edge-controller:1.3.9"], OSM_EDGE),
        ("osm", "1.0.0", ["flomesh/osm-edge-bootstrap:1.1.1"], OSM_EDGE),
        ("bookinfo", "1.0.0", ["nginx:1"], None),
    ],
)
def test_releases(chart: str, version: str, images: list[str], expected: Product | None) -> None:
    assert product_of_release(chart, images, version) is expected


def deployment(*containers: tuple[str, str], labels: dict[str, str] | None = None) -> dict[str, Any]:
    pod_spec = {"containers": [{"name": name, "image": image} for name, image in containers]}
    return {"metadata": {"name": "osm-controller", "labels": labels}, "spec": {"template": {"spec": pod_spec}}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (deployment(("osm-controller", "flomesh/osm-edge-controller:1.3.9")), OSM_EDGE),
        (deployment(("osm-controller", "openservicemesh/osm-controller:v1.2.4")), OSM),
        (deployment(("osm-pipy-repo", "acme/p:1"), ("osm-controller", "acme/c:1")), OSM_EDGE),
        (deployment(("fsm-controller", "acme/c:1"), labels={"app.kubernetes.io/name": "flomesh.io"}), FSM),
        (deployment(("osm-controller", "acme/c:1"), labels={"app.kubernetes.io/name": "openservicemesh.io"}), None),
        ({}, None),
    ],
)
def test_deployments(obj: dict[str, Any], expected: Product | None) -> None:
    assert product_of_deployment(obj) is expected
