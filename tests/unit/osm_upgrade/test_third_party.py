# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of Prometheus, Grafana and Jaeger that were set by hand become values of the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import read_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product, product_of_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.third_party import CarriedImages, carried_images, third_parties

Object = dict[str, Any]
DEFAULTS: Object = {
    "osm": {
        "prometheus": {"image": "prom/prometheus:v2.34.0"},
        "grafana": {"image": "grafana/grafana:8.2.2", "rendererImage": "grafana/grafana-image-renderer:3.2.1"},
        "tracing": {"image": "jaegertracing/all-in-one"},
    }
}
FSM_DEFAULTS: Object = {
    "fsm": {
        "prometheus": {"image": {"registry": "prom", "name": "prometheus", "tag": "v2.34.0"}},
        "grafana": {
            "image": {"registry": "grafana", "name": "grafana", "tag": "8.2.2"},
            "rendererImage": {"registry": "grafana", "name": "grafana-image-renderer", "tag": "3.2.1"},
        },
        "tracing": {"image": {"registry": "jaegertracing", "name": "all-in-one", "tag": "latest"}},
    }
}


def deployment(name: str, namespace: str = "osm-system", **images: str) -> Object:
    containers = [{"name": container, "image": image} for container, image in images.items()]
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def carried(live: list[Object], before: list[Object], passed: Object | None = None, **options: Any) -> CarriedImages:
    given: Any = {"policy": "reset_then_reuse", "namespace": "osm-system", "chart_values": DEFAULTS, **options}
    return carried_images(live, before, given.pop("product", OSM_EDGE), passed or {}, **given)


PROMETHEUS = deployment("osm-prometheus", prometheus="prom/prometheus:v2.34.0")


@pytest.mark.parametrize(
    ("live", "before", "values"),
    [
        (
            deployment("osm-prometheus", prometheus="prom/prometheus:v2.45.0"),
            PROMETHEUS,
            {"prometheus": {"image": "prom/prometheus:v2.45.0"}},
        ),
        (
            deployment("osm-grafana", grafana="mirror/grafana:8.1.0", renderer="r:1"),
            deployment("osm-grafana", grafana="grafana/grafana:8.2.2", renderer="r:1"),
            {"grafana": {"image": "mirror/grafana:8.1.0"}},
        ),
        (
            deployment("osm-grafana", grafana="g:1", renderer="r:2"),
            deployment("osm-grafana", grafana="g:1", renderer="r:1"),
            {"grafana": {"rendererImage": "r:2"}},
        ),
        (
            deployment("osm-jaeger", jaeger="jaegertracing/all-in-one:1.26.0"),
            deployment("osm-jaeger", jaeger="jaegertracing/all-in-one"),
            {"tracing": {"image": "jaegertracing/all-in-one:1.26.0"}},
        ),
        # osm-edge 1.1 calls it jaeger, the chart that it is upgraded to osm-jaeger.
        (
            deployment("jaeger", jaeger="jaegertracing/all-in-one:1.26.0"),
            deployment("jaeger", jaeger="jaegertracing/all-in-one"),
            {"tracing": {"image": "jaegertracing/all-in-one:1.26.0"}},
        ),
    ],
    ids=["prometheus", "grafana", "renderer", "jaeger", "jaeger of 1.1"],
)
def test_an_image_set_by_hand_becomes_a_value(live: Object, before: Object, values: Object) -> None:
    result = carried([live], [before])
    assert result.values == {"osm": values}
    (finding,) = result.findings
    assert (finding.severity, finding.code, finding.object.name) == ("info", "third-party-image-carried", live["metadata"]["name"])


@pytest.mark.parametrize("product", [OSM_EDGE, OSM])
def test_what_the_release_says_already_is_no_edit(product: Product) -> None:
    assert carried([PROMETHEUS], [PROMETHEUS], product=product) == ({}, ())


def test_a_value_of_this_call_wins() -> None:
    live = deployment("osm-prometheus", prometheus="prom/prometheus:v2.45.0")
    assert carried([live], [PROMETHEUS], {"osm": {"prometheus": {"image": "x"}}}) == ({}, ())
    assert carried([live], [PROMETHEUS], {"osm": {"deployPrometheus": False}}) == ({}, ())
    assert carried([live], [PROMETHEUS], {"osm": {"prometheus": {"port": 1}}}).values != {}


def test_a_reset_carries_nothing() -> None:
    live = deployment("osm-prometheus", prometheus="prom/prometheus:v2.45.0")
    assert carried([live], [PROMETHEUS], policy="reset") == ({}, ())
    assert carried([live], [PROMETHEUS], policy="reuse").values != {}


def test_what_helm_did_in_an_upgrade_that_failed_is_not_by_hand() -> None:
    """jaeger is there still, and osm-jaeger already."""
    before, attempted = deployment("jaeger", jaeger="all-in-one:1"), deployment("osm-jaeger", jaeger="all-in-one:2")
    assert carried([before, attempted], [before], attempted=[attempted]) == ({}, ())
    by_hand = deployment("osm-jaeger", jaeger="all-in-one:3")
    assert carried([before, by_hand], [before], attempted=[attempted]).values == {"osm": {"tracing": {"image": "all-in-one:3"}}}


def test_what_the_target_has_anyway_needs_no_value() -> None:
    assert carried([PROMETHEUS], [deployment("osm-prometheus", prometheus="prom/prometheus:v2.19.1")]) == ({}, ())


def test_what_is_not_the_release_s_is_left_alone() -> None:
    live = deployment("osm-prometheus", prometheus="prom/prometheus:v2.45.0")
    assert carried([live], []) == ({}, ())
    elsewhere = deployment("osm-prometheus", "monitoring", prometheus="prom/prometheus:v2.45.0")
    assert carried([elsewhere], [PROMETHEUS]) == ({}, ())
    assert carried([live], [PROMETHEUS], chart_values={"osm": {}}) == ({}, ())


@pytest.mark.parametrize(
    ("image", "older"),
    [
        ("prom/prometheus:v2.19.1", True),
        ("mirror.example:5000/prom/prometheus:v2.9", True),
        ("prom/prometheus:v2.34.1", False),
        ("prom/prometheus:v3", False),
        ("prom/prometheus:latest", False),
        ("prom/prometheus@sha256:0", False),
        ("somebody/else:v1", False),
    ],
)
def test_an_older_image_is_kept_and_told(image: str, older: bool) -> None:
    result = carried([deployment("osm-prometheus", prometheus=image)], [PROMETHEUS])
    assert result.values == {"osm": {"prometheus": {"image": image}}}
    (finding,) = result.findings
    assert ("is older than the chart's prom/prometheus:v2.34.0" in finding.what) is older
    assert "set osm.prometheus.image to prom/prometheus:v2.34.0" in finding.remedy


@pytest.mark.parametrize(
    ("image", "value"),
    [
        ("prom/prometheus:v2.45.0", {"registry": "prom", "name": "prometheus", "tag": "v2.45.0"}),
        ("mirror.example:5000/a/b/prometheus:v1", {"registry": "mirror.example:5000/a/b", "name": "prometheus", "tag": "v1"}),
        ("prometheus:v1", {"registry": "docker.io/library", "name": "prometheus", "tag": "v1"}),
        ("prom/prometheus", {"registry": "prom", "name": "prometheus", "tag": "latest"}),
        ("prom/prometheus@sha256:0123", {"registry": "prom", "name": "prometheus@sha256", "tag": "0123"}),
        ("prom/prometheus:v1@sha256:0123", {"registry": "prom", "name": "prometheus:v1@sha256", "tag": "0123"}),
    ],
)
def test_fsm_writes_an_image_in_parts(image: str, value: Object) -> None:
    live = deployment("fsm-prometheus", "fsm-system", prometheus=image)
    before = deployment("fsm-prometheus", "fsm-system", prometheus="prom/prometheus:v2.34.0")
    result = carried([live], [before], product=FSM, namespace="fsm-system", chart_values=FSM_DEFAULTS)
    assert result.values == {"fsm": {"prometheus": {"image": value}}}
    rendered = f"{value['registry']}/{value['name']}:{value['tag']}"
    assert rendered.removeprefix("docker.io/library/").removesuffix(":latest") == image.removesuffix(":latest")


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).resolve().parents[2] / "sandbox" / "charts").glob("*/values.yaml")), ids=lambda path: path.parent.name
)
def test_every_chart_of_the_family_has_these_values(path: Path) -> None:
    chart = read_chart(str(path.parent))
    product = product_of_chart(chart.name, chart.version)
    assert product is not None
    for part in third_parties(product):
        name = part.deployments[-1]
        before = deployment(name, product.default_namespace, **{part.container: "chart/own:1"})
        live = deployment(name, product.default_namespace, **{part.container: "by/hand:2"})
        result = carried([live], [before], product=product, namespace=product.default_namespace, chart_values=chart.values)
        value = result.values[product.values_root][part.value[0]][part.value[1]]
        assert value in ("by/hand:2", {"registry": "by", "name": "hand", "tag": "2"})
        assert isinstance(value, str) == isinstance(chart.values[product.values_root][part.value[0]][part.value[1]], str)
        assert part.deployed_by in chart.values[product.values_root]
