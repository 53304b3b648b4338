# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pod that was injected by the stand-in's injector and stripped again is the pod that it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.osm_family import products
from standins.osm_family.injection import inject
from standins.osm_family.settings import Settings
from standins.osm_family.versions import Version

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninjected_pod import without_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

Object = dict[str, Any]
STAND_INS = {OSM_EDGE.id: products.OSM_EDGE, OSM.id: products.OSM, FSM.id: products.FSM}
ENVIRONMENT = {
    f"{prefix}_DEFAULT_{what}": f"registry/{what.lower()}:1"
    for prefix in ("OSM", "FSM")
    for what in ("SIDECAR_IMAGE", "ENVOY_IMAGE", "INIT_CONTAINER_IMAGE", "HEALTHCHECK_CONTAINER_IMAGE")
}


def settings(product: Product) -> Settings:
    mode = "PodLevel" if product is FSM else "iptables"
    spec = {"traffic": {"interceptionMode": mode}, "sidecar": {}}
    return Settings(STAND_INS[product.id], "osm", "osm-system", Version(1, 5), spec, ENVIRONMENT, "IfNotPresent")


def injected(pod: Object, product: Product, *, metrics: bool = False) -> Object:
    domain = product.key_domain
    annotations = {f"{domain}/sidecar-injection": "enabled"} | ({f"{domain}/metrics": "enabled"} if metrics else {})
    namespace = {"metadata": {"name": "shop", "labels": {f"{domain}/monitored-by": "osm"}, "annotations": annotations}}
    found = copy.deepcopy(pod)
    for operation in inject(pod, namespace, settings(product), "7f3c"):
        part, key = operation["path"].strip("/").split("/")
        found[part][key] = operation["value"]
    return found


def bare(*containers: Object, **metadata: Any) -> Object:
    return {"metadata": {"name": "p", "namespace": "shop", **metadata}, "spec": {"containers": [*containers]}}


PORTS = st.integers(1, 65535).filter(lambda port: port not in (15901, 15902, 15903, 15904))
PATHS = st.text("abc/", min_size=1, max_size=8).map(lambda path: f"/{path}")
HEADERS = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["Host", "X-A"]), "value": st.just("v")}), min_size=1, max_size=2)
HTTP = st.fixed_dictionaries({"port": PORTS, "path": PATHS}, optional={"httpHeaders": HEADERS, "scheme": st.just("HTTP")})
PROBES = st.one_of(
    st.fixed_dictionaries({"httpGet": HTTP}, optional={"periodSeconds": st.integers(1, 9)}),
    st.fixed_dictionaries({"tcpSocket": st.fixed_dictionaries({"port": PORTS})}),
    st.fixed_dictionaries({"exec": st.just({"command": ["true"]})}),
)
CONTAINERS = st.fixed_dictionaries(
    {"name": st.sampled_from(["web", "api"]), "image": st.just("app:1")},
    optional={"livenessProbe": PROBES, "readinessProbe": PROBES, "startupProbe": PROBES},
)
PODS = st.builds(
    lambda containers, labels, annotations, volumes: {
        "metadata": {"name": "p", "namespace": "shop"} | labels | annotations,
        "spec": {"containers": containers} | volumes,
    },
    st.lists(CONTAINERS, min_size=1, max_size=2),
    st.sampled_from([{}, {"labels": {"app": "a"}}]),
    st.sampled_from([{}, {"annotations": {"a": "b"}}]),
    st.sampled_from([{}, {"volumes": [{"name": "data", "emptyDir": {}}], "initContainers": [{"name": "prepare", "image": "app:1"}]}]),
)


@given(PODS, st.sampled_from([OSM_EDGE, FSM]), st.booleans())
def test_stripping_is_the_inverse_of_injection(pod: Object, product: Product, metrics: bool) -> None:
    changed = injected(pod, product, metrics=metrics)
    assert changed != pod
    before = copy.deepcopy(changed)
    assert without_sidecar(changed, product) == pod
    assert changed == before


@given(PODS)
def test_a_pod_without_a_sidecar_stays(pod: Object) -> None:
    assert without_sidecar(pod, OSM_EDGE) == pod


def test_https_probe_comes_back_as_the_tcp_probe_that_it_was_in_the_mesh() -> None:
    get = {"scheme": "HTTPS", "port": 8443, "path": "/healthz"}
    found = without_sidecar(injected(bare({"name": "web", "image": "a", "livenessProbe": {"httpGet": get}}), OSM_EDGE), OSM_EDGE)
    assert found["spec"]["containers"] == [{"name": "web", "image": "a", "livenessProbe": {"tcpSocket": {"port": 8443}}}]


def test_own_prometheus_annotations_stay() -> None:
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/stats/prometheus"}
    pod = bare({"name": "web", "image": "a"}, annotations=annotations)
    assert without_sidecar(injected(pod, OSM_EDGE), OSM_EDGE) == pod


def test_upstream_keeps_no_trace_of_http_probes() -> None:
    pod = injected(bare({"name": "web", "image": "a", "readinessProbe": {"httpGet": {"port": 80, "path": "/r"}}}), OSM)
    with pytest.raises(LifecycleError, match="readinessProbe of container web cannot be restored"):
        without_sidecar(pod, OSM)
