# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of Services: protocols, what is not intercepted, headless ones, traffic splits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import ServicePort
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_protocols import (
    KNOWN_PORTS,
    SUPPORTED,
    doubt_about,
    headless_services,
    not_intercepted,
    protocol_of,
    service_protocols,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_splits import traffic_splits
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import facts, mesh, policy, service, told, workload


def port(name: str = "", number: int = 80, app_protocol: str | None = None) -> ServicePort:
    return ServicePort(name, number, "TCP", app_protocol, number)


@pytest.mark.parametrize(
    ("name", "app_protocol", "protocol", "doubt"),
    [
        ("", "http", "http", ""),
        ("", "tcp-server-first", "tcp-server-first", ""),
        ("", "HTTP", "http", "case"),
        ("", "gRPC", "grpc", "case"),
        ("", "https", "https", "unsupported"),
        ("", "kubernetes.io/h2c", "kubernetes.io/h2c", "unsupported"),
        # appProtocol goes before the name.
        ("tcp-db", "grpc", "grpc", ""),
        ("tcp-db", None, "tcp", ""),
        ("tcp-server-first-db", None, "tcp-server-first", ""),
        ("grpc-api", None, "grpc", ""),
        ("http-web", None, "http", ""),
        ("http", None, "http", ""),
        # Only a prefix with a hyphen counts.
        ("tcp", None, "http", "misread"),
        ("grpc", None, "http", "misread"),
        ("grpcapi", None, "http", "guessed"),
        ("https", None, "http", "misread"),
        ("web", None, "http", "guessed"),
        ("", None, "http", "guessed"),
    ],
)
def test_protocol_of_a_port(name: str, app_protocol: str | None, protocol: str, doubt: str) -> None:
    assert protocol_of(port(name, app_protocol=app_protocol)).protocol == protocol
    assert doubt_about(port(name, app_protocol=app_protocol)) == doubt


@pytest.mark.parametrize("number", sorted({3306, 5432, 6379, 27017, 9092, 5672, 11211, 1433} | KNOWN_PORTS.keys()))
def test_known_ports_are_not_http(number: int) -> None:
    assert doubt_about(port("", number)) == "misread"
    assert doubt_about(port("data", number)) == "misread"
    assert doubt_about(port("tcp-data", number)) == ""


@pytest.mark.parametrize(("number", "protocol"), [(3306, "tcp-server-first"), (6379, "tcp"), (2379, "grpc")])
def test_known_ports_get_the_protocol_that_fits(number: int, protocol: str) -> None:
    found = service_protocols(facts(services=[service(ports=[{"port": number}])]))
    assert told(found) == [("warning", "protocol-misread", "Service/cart")]
    assert f'"value":"{protocol}"' in found[0].remedy


def test_one_finding_for_equal_ports() -> None:
    ports = [
        {"name": "web", "port": 80},
        {"name": "admin", "port": 81},
        {"name": "mysql", "port": 3306},
        {"name": "api", "port": 90, "appProtocol": "GRPC"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    found = service_protocols(facts(services=[service(ports=ports)]))
    assert sorted(told(found)) == [
        ("info", "protocol-guessed", "Service/cart"),
        ("warning", "app-protocol-case", "Service/cart"),
        ("warning", "protocol-misread", "Service/cart"),
    ]


_NAMES = st.one_of(
    st.just(""), st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True), st.sampled_from([f"{p}-x" for p in SUPPORTED])
)
_APP_PROTOCOLS = st.one_of(st.none(), st.sampled_from([*SUPPORTED, "HTTP", "Tcp", "https", "kubernetes.io/ws"]))
_PORTS = st.builds(
    lambda name, number, app: {"name": name, "port": number, **({"appProtocol": app} if app is not None else {})},
    _NAMES,
    st.one_of(st.integers(1, 65535), st.sampled_from([*KNOWN_PORTS])),
    _APP_PROTOCOLS,
)


# The API server wants the names of ports to be unique.
@given(st.lists(_PORTS, min_size=1, max_size=5, unique_by=lambda each: each["name"]))
def test_the_remedies_leave_no_doubt(ports: list[dict[str, Any]]) -> None:
    """The patches of all remedies, applied as kubectl does, name a protocol of the mesh for every port."""
    raw = {"metadata": {"name": "cart", "namespace": "shop"}, "ports": ports}
    for finding in service_protocols(facts(services=[service(ports=ports)])):
        found = re.search(r"-p '(.*)'", finding.remedy)
        assert found is not None
        for operation in json.loads(found[1]):
            where = re.fullmatch(r"/spec/ports/(\d+)/appProtocol", operation["path"])
            assert where is not None
            raw["ports"][int(where[1])]["appProtocol"] = operation["value"]
    assert service_protocols(facts(services=[service(ports=ports)])) == []


def test_mere_names_are_not_judged() -> None:
    assert service_protocols(facts(services=[service(type="ExternalName", ports=[{"port": 3306}])])) == []


def test_udp_and_sctp_are_not_intercepted() -> None:
    ports = [{"port": 80}, {"port": 53, "protocol": "UDP"}, {"port": 54, "protocol": "SCTP"}]
    found = not_intercepted(facts(services=[service(ports=ports), service("other")]))
    assert told(found) == [("info", "not-intercepted", "Service/cart")]
    assert found[0].what == "has 53/UDP, 54/SCTP"


@pytest.mark.parametrize(("version", "severity"), [("1.1.3", "warning"), ("1.2.3", "info"), ("1.3.9", "info")])
def test_headless_services(version: str, severity: str) -> None:
    found = headless_services(facts(of=mesh(version), services=[service(clusterIP="None"), service("other")]))
    assert told(found) == [(severity, "headless-service", "Service/cart")]


SPLIT = policy("TrafficSplit", "split", service="root.shop.svc.cluster.local", backends=[{"service": "v1"}, {"service": "v2"}])
V1, V2 = {"app": "cart", "version": "v1"}, {"app": "cart", "version": "v2"}
LEAVES = [service("v1", selector=V1), service("v2", selector=V2)]


def split_findings(root: dict[str, str], *, version: str = "1.3.9", pods: bool = True) -> list[tuple[str, str, str]]:
    workloads = [workload(name="v1", labels=V1), workload(name="v2", labels=V2)] if pods else []
    services = [service("root", selector=root), *LEAVES]
    return told(traffic_splits(facts(*workloads, of=mesh(version), services=services, policies={"traffic_splits": [SPLIT]})))


ROOT = [("error", "traffic-split-root-selector", "Service/root")]


@pytest.mark.parametrize("pods", [True, False])
def test_the_root_of_a_split_selects_the_pods_of_its_backends(pods: bool) -> None:
    assert split_findings({"app": "cart"}, pods=pods) == []
    assert split_findings({}, pods=pods) == ROOT
    assert split_findings(V1, pods=pods) == ROOT
    assert split_findings({"app": "other"}, pods=pods) == ROOT


def test_before_1_2_the_root_needs_no_selector() -> None:
    assert split_findings({}, version="1.1.3") == []
    assert split_findings({}, version="1.2.3") == ROOT


def test_splits_that_name_nothing() -> None:
    without_root = facts(services=LEAVES, policies={"traffic_splits": [SPLIT]})
    assert told(traffic_splits(without_root)) == [("warning", "traffic-split-without-service", "TrafficSplit/split")]
    unread = facts(policies={"traffic_splits": [SPLIT]}, unread={"services": "not allowed"})
    assert traffic_splits(unread) == []
    elsewhere = facts(policies={"traffic_splits": [policy("TrafficSplit", place="elsewhere", service="x")]})
    assert traffic_splits(elsewhere) == []
