# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Annotations that the injector cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_annotations import (
    PORT_LISTS,
    RANGE_LISTS,
    RESOURCES,
    invalid_annotations,
    wrong_ports,
    wrong_quantity,
    wrong_ranges,
    wrong_switch,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import ALL_PRODUCTS, facts, namespace, told, workload

KEY = "openservicemesh.io/"
ON_POD = [("error", "invalid-annotation", "Deployment/cart")]


@pytest.mark.parametrize("value", ["enabled", "Yes", "TRUE", "disabled", "no", "False"])
def test_switches(value: str) -> None:
    assert wrong_switch(value) is None


@pytest.mark.parametrize("value", ["", "on", "enable", " true", "1"])
def test_wrong_switches(value: str) -> None:
    assert wrong_switch(value) is not None


@pytest.mark.parametrize("value", ["3306", "3306,6379", " 3306 , 6379 ", "+80", "70000"])
def test_port_lists(value: str) -> None:
    """As Go reads them: blanks around a port are cut off, and only positive numbers are asked for."""
    assert wrong_ports(value) is None


@pytest.mark.parametrize("value", ["", "0", "-1", "http", "3306,", "3306;6379", "33 06", "1_000", "80.0"])
def test_wrong_port_lists(value: str) -> None:
    assert wrong_ports(value) is not None


@pytest.mark.parametrize("value", ["10.0.0.1/32", "10.0.0.1/8, 192.0.2.0/24", "fd00::/8"])
def test_range_lists(value: str) -> None:
    assert wrong_ranges(value) is None


@pytest.mark.parametrize("value", ["", "10.0.0.1", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "example.com/32", "10.0.0.1/32,", "fd00::1"])
def test_wrong_range_lists(value: str) -> None:
    assert wrong_ranges(value) is not None


@given(st.lists(st.integers(1, 65535), min_size=1, max_size=5))
def test_any_list_of_ports_is_one(ports: list[int]) -> None:
    assert wrong_ports(",".join(map(str, ports))) is None


@given(st.lists(st.ip_addresses(v=4), min_size=1, max_size=3), st.integers(0, 32))
def test_any_list_of_ranges_is_one(addresses: list[object], length: int) -> None:
    assert wrong_ranges(", ".join(f"{address}/{length}" for address in addresses)) is None


@given(st.lists(st.one_of(st.integers(1, 65535).map(str), st.sampled_from(["", "x", "0", "-3"])), min_size=1, max_size=4))
def test_one_wrong_element_spoils_the_list(parts: list[str]) -> None:
    right = all(part.isdecimal() and int(part) > 0 for part in parts)
    assert (wrong_ports(",".join(parts)) is None) is right


@pytest.mark.parametrize(
    ("value", "right"), [("100m", True), ("128Mi", True), ("0.5", True), ("", False), ("lots", False), ("1 Gi", False)]
)
def test_amounts(value: str, right: bool) -> None:
    assert (wrong_quantity(value) is None) is right


@pytest.mark.parametrize("mesh", ALL_PRODUCTS, ids=lambda mesh: mesh.product.id)
@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("sidecar-injection", "sometimes", "error"),
        *((name, "none", "error") for name in (*PORT_LISTS, *RANGE_LISTS)),
        *((name, "a lot", "warning") for name in RESOURCES),
    ],
)
def test_annotations_of_pods(mesh: Mesh, name: str, value: str, severity: str) -> None:
    key = f"{mesh.product.key_domain}/{name}"
    given_ = {key: value}
    if name != "sidecar-injection" and severity == "error":
        assert told(invalid_annotations(facts(workload(annotations=given_), of=mesh))) == ON_POD
    found = invalid_annotations(facts(workload(annotations=given_), of=mesh))
    assert [(finding.severity, key in finding.what) for finding in found] == [(severity, True)]


def test_lists_of_pods_without_a_sidecar_are_not_read() -> None:
    opted_out = {f"{KEY}sidecar-injection": "disabled", f"{KEY}outbound-port-exclusion-list": "none"}
    assert invalid_annotations(facts(workload(annotations=opted_out))) == []
    assert invalid_annotations(facts(workload(hostNetwork=True, annotations={f"{KEY}sidecar-injection": "sometimes"}))) == []


def test_annotations_of_namespaces() -> None:
    wrong = {f"{KEY}sidecar-injection": "on", f"{KEY}metrics": "on", f"{KEY}sidecar-resource-limits-cpu": "much"}
    found = invalid_annotations(facts(namespaces=[namespace(annotations=wrong)]))
    assert sorted(told(found)) == [
        ("error", "invalid-annotation", "Namespace/shop"),
        ("error", "invalid-annotation", "Namespace/shop"),
        ("warning", "invalid-sidecar-resource", "Namespace/shop"),
    ]
    right = {f"{KEY}sidecar-injection": "no", f"{KEY}metrics": "", f"{KEY}sidecar-resource-limits-cpu": "1"}
    assert invalid_annotations(facts(namespaces=[namespace(annotations=right)])) == []
