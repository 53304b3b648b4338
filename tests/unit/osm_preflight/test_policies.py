# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic that policies deny, callers outside, and the order of enrolment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_policies import (
    callers_outside,
    denied,
    denied_traffic,
    order,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import (
    facts,
    mesh,
    namespace,
    policy,
    service,
    target,
    told,
    workload,
)

STRICT = mesh(traffic={"enablePermissiveTrafficPolicyMode": False})
INBOUND = ("error", "inbound-denied", "ServiceAccount/cart")
OUTBOUND = ("warning", "outbound-denied", "ServiceAccount/cart")
SERVER_OUTBOUND = ("info", "outbound-denied", "ServiceAccount/cart")


def findings(*targets: Any, serving: bool = True, of: Mesh = STRICT) -> list[tuple[str, str, str]]:
    services = [service()] if serving else []
    pods = workload(serviceAccountName="cart")
    return told(denied_traffic(facts(pods, of=of, services=services, policies={"traffic_targets": targets})))


@pytest.mark.parametrize(
    ("version", "permissive"),
    # The defaults of the charts.
    [("1.1.3", False), ("1.2.3", True), ("1.3.9", True)],
)
def test_the_mesh_config_decides_and_its_default_changed_with_1_2(version: str, permissive: bool) -> None:
    assert findings(of=mesh(version)) == ([] if permissive else [INBOUND, SERVER_OUTBOUND])


def test_an_absent_field_is_off() -> None:
    assert findings(of=mesh(traffic={"enablePermissiveTrafficPolicyMode": None})) == [INBOUND, SERVER_OUTBOUND]


def test_targets() -> None:
    assert findings(target("web/web", "shop/cart")) == [SERVER_OUTBOUND]
    assert findings(target("shop/cart", "stock/stock")) == [INBOUND]
    assert findings(target("web/web", "shop/cart"), target("shop/cart", "stock/stock")) == []
    assert findings(target("web/web", "shop/other")) == [INBOUND, SERVER_OUTBOUND]


def test_who_serves_nothing_can_only_be_a_client() -> None:
    assert findings(serving=False) == [OUTBOUND]
    assert findings(target("shop/cart", "stock/stock"), serving=False) == []


def test_pods_without_a_sidecar_are_not_denied() -> None:
    opted_out = workload(annotations={"openservicemesh.io/sidecar-injection": "disabled"})
    assert denied(facts(opted_out, of=STRICT, services=[service()])) == []


def test_targets_that_could_not_be_read_are_not_missed() -> None:
    assert denied(facts(workload(), of=STRICT, services=[service()], unread={"traffictargets": "not allowed"})) == []


def test_the_result_names_workloads_and_services() -> None:
    found = denied(facts(workload(serviceAccountName="cart"), of=STRICT, services=[service()]))
    assert found[0].as_dict() == {
        "namespace": "shop",
        "service_account": "cart",
        "direction": "inbound",
        "workloads": ["Deployment/cart"],
        "services": ["cart"],
    }


def test_sources_of_other_kinds_mean_nothing() -> None:
    group = policy(
        "TrafficTarget",
        destination={"kind": "ServiceAccount", "name": "cart", "namespace": "shop"},
        sources=[{"kind": "Group", "name": "x"}],
    )
    assert INBOUND in findings(group)


def test_callers_that_are_not_enrolled() -> None:
    calls = {"traffic_targets": [target("web/web", "shop/cart"), target("gone/web", "shop/cart"), target("web/web", "elsewhere/x")]}
    found = callers_outside(facts(workload(), outside=[namespace("web")], policies=calls))
    assert [finding.code for finding in found] == ["caller-not-enrolled"] * 2
    assert [finding.remedy for finding in found] == ["enrol namespace web first", "correct the TrafficTarget"]
    enrolled = namespace("web", labels={"openservicemesh.io/monitored-by": "osm"})
    only = {"traffic_targets": [target("web/web", "shop/cart")]}
    assert callers_outside(facts(workload(), outside=[enrolled], policies=only)) == []
    together = [namespace("web"), namespace("shop")]
    assert callers_outside(facts(workload(), namespaces=together, policies=only)) == []


def ordered(names: list[str], calls: list[tuple[str, str]]) -> list[str]:
    targets = [target(f"{client}/x", f"{server}/y") for client, server in calls]
    return order(facts(namespaces=[namespace(name) for name in names], policies={"traffic_targets": targets}))


def test_clients_go_first() -> None:
    assert ordered(["a", "b", "c"], [("c", "b"), ("b", "a")]) == ["c", "b", "a"]
    assert ordered(["b", "a"], []) == ["a", "b"]
    assert ordered(["a", "b"], [("outside", "a"), ("b", "b")]) == ["a", "b"]


def test_circles_are_broken() -> None:
    assert sorted(ordered(["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "c")])) == ["a", "b", "c"]
    assert ordered(["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "c")])[-1] == "c"


_NUMBERS = st.integers(0, 7)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=20), st.permutations(range(8)))
def test_the_order_has_every_namespace_once_and_follows_calls(calls: list[tuple[int, int]], ranks: list[int]) -> None:
    names = [f"n{number}" for number in range(8)]
    everything = ordered(names, [(f"n{client}", f"n{server}") for client, server in calls])
    assert sorted(everything) == names
    # Without circles: calls only from a lower rank to a higher one.
    straight = [(f"n{client}", f"n{server}") for client, server in calls if ranks[client] < ranks[server]]
    found = ordered(names, straight)
    assert all(found.index(client) < found.index(server) for client, server in straight)
