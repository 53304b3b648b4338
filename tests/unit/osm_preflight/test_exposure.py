# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that are called from outside of the mesh."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight_exposure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Caller, Facts, Route
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import facts, mesh, namespace, policy, service, told, workload

EXPOSED = [("error", "exposed-without-ingress-backend", "Service/cart")]
INGRESS = ObjectRef("Ingress", "web", "shop")
LISTENING = [{"name": "cart", "image": "cart:1", "ports": [{"name": "web", "containerPort": 8080}]}]


def backend(number: int, name: str = "cart", place: str = "shop") -> dict[str, Any]:
    return policy("IngressBackend", place=place, backends=[{"name": name, "port": {"number": number, "protocol": "http"}}])


def case(
    *backends: dict[str, Any], ports: Any = (), route: Route | None = None, template: Any = None, of: Any = None, **spec: Any
) -> Facts:
    pods = workload(**{"containers": LISTENING, **(template or {})})
    routes = [route] if route else []
    return facts(pods, of=of, services=[service(ports=ports, **spec)], routes=routes, policies={"ingress_backends": backends})


@pytest.mark.parametrize(
    "spec",
    [{"type": "NodePort"}, {"type": "LoadBalancer"}, {"externalIPs": ["192.0.2.7"]}],
    ids=["NodePort", "LoadBalancer", "externalIPs"],
)
def test_services_that_are_open_to_the_outside(spec: dict[str, Any]) -> None:
    assert told(preflight_exposure.exposed_services(case(**spec))) == EXPOSED
    assert preflight_exposure.exposed_services(case(backend(8080), **spec)) == []


@pytest.mark.parametrize(("port", "reached"), [(80, True), ("http-web", True), (None, True), (81, False), ("other", False)])
def test_routes(port: Any, reached: bool) -> None:
    route = Route(INGRESS, "shop", "cart", port)
    assert told(preflight_exposure.exposed_services(case(route=route))) == (EXPOSED if reached else [])
    assert preflight_exposure.exposed_services(case(backend(8080), route=route)) == []


def test_a_service_of_the_cluster_only_is_not_exposed() -> None:
    assert preflight_exposure.exposed_services(case()) == []
    other = Route(INGRESS, "shop", "other", 80)
    assert preflight_exposure.exposed_services(case(route=other)) == []


def test_it_is_the_target_port_that_counts() -> None:
    found = preflight_exposure.exposed_services(case(backend(80), type="NodePort"))
    assert told(found) == EXPOSED
    assert "port 80" in found[0].why
    assert "8080" in found[0].remedy


def test_target_ports_that_are_names() -> None:
    ports = [{"port": 80, "targetPort": "web"}]
    assert preflight_exposure.exposed_services(case(backend(8080), ports=ports, type="NodePort")) == []
    assert told(preflight_exposure.exposed_services(case(backend(80), ports=ports, type="NodePort"))) == EXPOSED


@pytest.mark.parametrize("other", [backend(8080, name="other"), backend(8080, place="elsewhere")])
def test_backends_of_others_do_not_help(other: dict[str, Any]) -> None:
    assert told(preflight_exposure.exposed_services(case(other, type="NodePort"))) == EXPOSED


def test_one_port_of_two() -> None:
    ports = [{"name": "http-web", "port": 80, "targetPort": 8080}, {"name": "http-admin", "port": 81, "targetPort": 9000}]
    found = preflight_exposure.exposed_services(case(backend(8080), ports=ports, type="LoadBalancer"))
    assert told(found) == EXPOSED
    assert "http-admin" in found[0].what
    assert "http-web" not in found[0].what
    assert told(preflight_exposure.exposed_services(case(ports=ports, type="LoadBalancer"))) == EXPOSED


def test_backends_that_are_switched_off() -> None:
    off = mesh(featureFlags={"enableIngressBackendPolicy": False})
    found = preflight_exposure.exposed_services(case(backend(8080), of=off, type="NodePort"))
    assert told(found) == EXPOSED
    assert "enableIngressBackendPolicy" in found[0].remedy


def test_ports_that_are_not_intercepted_are_open_to_everybody() -> None:
    excluded = {"annotations": {"openservicemesh.io/inbound-port-exclusion-list": "9000, 8080"}}
    assert preflight_exposure.exposed_services(case(template=excluded, type="NodePort")) == []
    everywhere = mesh(traffic={"inboundPortExclusionList": [8080]})
    assert preflight_exposure.exposed_services(case(of=everywhere, type="NodePort")) == []
    nowhere = mesh(traffic={"interceptionMode": "none"})
    assert preflight_exposure.exposed_services(case(of=nowhere, type="NodePort")) == []


def test_services_without_sidecars_behind_them() -> None:
    opted_out = {"annotations": {"openservicemesh.io/sidecar-injection": "disabled"}}
    assert preflight_exposure.exposed_services(case(template=opted_out, type="NodePort")) == []
    assert preflight_exposure.exposed_services(case(selector={"app": "nobody"}, type="NodePort")) == []


def test_udp_is_not_refused() -> None:
    assert preflight_exposure.exposed_services(case(ports=[{"port": 53, "protocol": "UDP"}], type="NodePort")) == []


def test_ports_of_the_nodes() -> None:
    containers = [{"name": "c", "image": "c:1", "ports": [{"containerPort": 8080, "hostPort": 80}]}]
    excluded = {"openservicemesh.io/inbound-port-exclusion-list": "8080"}
    assert told(preflight_exposure.host_ports(facts(workload(containers=containers)))) == [("warning", "host-port", "Deployment/cart")]
    assert preflight_exposure.host_ports(facts(workload(containers=containers, annotations=excluded))) == []
    assert preflight_exposure.host_ports(facts(workload())) == []


def test_webhooks_are_called_by_the_api_server() -> None:
    caller = Caller(ObjectRef("ValidatingWebhookConfiguration", "carts"), "shop", "cart")
    assert told(preflight_exposure.called_by_api_server(facts(workload(), services=[service()], callers=[caller]))) == [
        ("error", "called-by-api-server", "Service/cart")
    ]
    excluded = workload(annotations={"openservicemesh.io/inbound-port-exclusion-list": "8080"})
    assert preflight_exposure.called_by_api_server(facts(excluded, services=[service()], callers=[caller])) == []
    assert preflight_exposure.called_by_api_server(facts(workload(), services=[service("other")], callers=[caller])) == []
    assert preflight_exposure.called_by_api_server(facts(services=[service()], callers=[caller])) == []


def test_callers_that_are_written_nowhere() -> None:
    outside = [namespace("default"), namespace("legacy"), namespace("kube-system")]
    found = preflight_exposure.unknown_callers(facts(workload(), services=[service()], outside=outside))
    assert told(found) == [("info", "callers-not-known", "Mesh/osm")]
    assert found[0].what.startswith("2 namespaces stay outside")
    assert preflight_exposure.unknown_callers(facts(workload(), outside=outside)) == []
    assert preflight_exposure.unknown_callers(facts(workload(), services=[service()], outside=[])) == []
