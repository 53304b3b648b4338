# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads that call the Kubernetes API, and what lets them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_api_access import (
    allowed_by,
    api_access,
    api_server_in_mesh,
    api_server_result,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_egress import as_ranges, lets_out, within
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account, ApiServer, Binding
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_reduction import binding
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import KUBERNETES, facts, mesh, namespace, policy, told, workload

CART = Account("shop", "cart")
CLOSED: dict[str, Any] = {"traffic": {"enableEgress": False}}
DENIED = [("warning", "api-server-access", "Deployment/cart")]
KEY = "openservicemesh.io/"


def bound(role: str = "view", *, kind: str = "ServiceAccount", name: str = "cart", place: str = "shop") -> Binding:
    subject = {"kind": kind, "name": name, **({"namespace": place} if kind == "ServiceAccount" else {})}
    raw = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "rights"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    found = binding(raw)
    assert found is not None
    return found


def caller(**template: Any) -> Any:
    return workload(**{"serviceAccountName": "cart", **template})


@pytest.mark.parametrize(
    "given_",
    [
        bound(),
        bound(kind="User", name="system:serviceaccount:shop:cart"),
        bound(kind="Group", name="system:serviceaccounts:shop"),
        bound("system:auth-delegator"),
    ],
)
def test_accounts_with_rights_of_their_own(given_: Binding) -> None:
    assert told(api_access(facts(caller(), of=mesh(**CLOSED), bindings=[given_]))) == DENIED


@pytest.mark.parametrize(
    "given_",
    [
        bound(name="other"),
        bound(place="elsewhere"),
        bound(kind="Group", name="system:serviceaccounts"),
        bound("system:image-puller"),
        bound("system:openshift:scc:privileged"),
    ],
)
def test_rights_of_others_and_of_everybody(given_: Binding) -> None:
    assert api_access(facts(caller(), of=mesh(**CLOSED), bindings=[given_])) == []


def test_pods_without_a_token() -> None:
    assert api_access(facts(caller(automountServiceAccountToken=False), of=mesh(**CLOSED), bindings=[bound()])) == []


def egress(**spec: Any) -> dict[str, Any]:
    sources = [{"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}]
    return policy(
        "Egress", **{"sources": sources, "ipAddresses": ["10.96.0.1/32"], "ports": [{"number": 443, "protocol": "https"}], **spec}
    )


@pytest.mark.parametrize(
    ("changes", "annotations", "policies", "by"),
    [
        ({}, {}, [], ""),
        ({"traffic": {"enableEgress": True}}, {}, [], "traffic.enableEgress"),
        ({"traffic": {"outboundIPRangeExclusionList": ["10.96.0.0/12"]}}, {}, [], "outbound IP range exclusion"),
        ({"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1/32"]}}, {}, [], ""),
        ({}, {"outbound-ip-range-exclusion-list": "10.96.0.1/32"}, [], "outbound IP range exclusion"),
        ({"traffic": {"outboundIPRangeInclusionList": ["172.16.0.0/12"]}}, {}, [], "outbound IP range inclusion"),
        ({"traffic": {"outboundIPRangeInclusionList": ["10.0.0.0/8"]}}, {}, [], ""),
        ({"traffic": {"outboundPortExclusionList": [443]}}, {}, [], "outbound port exclusion"),
        ({}, {"outbound-port-exclusion-list": "3306,443"}, [], "outbound port exclusion"),
        ({"traffic": {"interceptionMode": "none"}}, {}, [], "its traffic is not intercepted"),
        ({}, {}, [egress()], "Egress shop/policy"),
        ({"featureFlags": {"enableEgressPolicy": False}}, {}, [egress()], ""),
    ],
)
def test_what_lets_a_workload_out(changes: Any, annotations: dict[str, str], policies: list[Any], by: str) -> None:
    changes = {**changes, "traffic": {**CLOSED["traffic"], **changes.get("traffic", {})}}
    pods = caller(annotations={f"{KEY}{name}": value for name, value in annotations.items()})
    found = facts(pods, of=mesh(**changes), bindings=[bound()], policies={"egresses": policies})
    assert allowed_by(found, pods) == by
    assert told(api_access(found)) == ([] if by else DENIED)
    row = {"kind": "Deployment", "namespace": "shop", "name": "cart", "service_account": "cart", "allowed_by": by}
    assert api_server_result(found)["workloads"] == [row]


def test_permissive_mode_is_about_services_of_the_mesh() -> None:
    closed = mesh(traffic={"enableEgress": False, "enablePermissiveTrafficPolicyMode": True})
    assert told(api_access(facts(caller(), of=closed, bindings=[bound()]))) == DENIED


def test_the_defaults_of_1_1_are_closed_and_those_of_1_2_are_open() -> None:
    assert told(api_access(facts(caller(), of=mesh("1.1.3"), bindings=[bound()]))) == DENIED
    assert api_access(facts(caller(), of=mesh("1.2.3"), bindings=[bound()])) == []


@pytest.mark.parametrize(
    ("change", "out"),
    [
        ({}, True),
        ({"ipAddresses": []}, True),
        ({"ipAddresses": ["10.0.0.0/8"]}, True),
        ({"ipAddresses": ["10.96.0.2/32"]}, False),
        ({"ipAddresses": [], "hosts": ["example.com"]}, False),
        ({"ipAddresses": [], "hosts": ["kubernetes.default.svc"]}, True),
        ({"ports": [{"number": 443, "protocol": "tcp"}]}, True),
        # Plain HTTP does not carry TLS.
        ({"ports": [{"number": 443, "protocol": "http"}]}, False),
        ({"ports": [{"number": 6443, "protocol": "https"}]}, False),
        ({"sources": [{"kind": "ServiceAccount", "name": "cart", "namespace": "other"}]}, False),
    ],
)
def test_egress_policies(change: dict[str, Any], out: bool) -> None:
    assert lets_out(egress(**change), CART, KUBERNETES) is out


def test_an_enrolled_default_namespace_makes_the_api_server_a_service_of_the_mesh() -> None:
    enrolled = [namespace("default", labels={"openservicemesh.io/monitored-by": "osm"})]
    found = facts(caller(), bindings=[bound()], outside=enrolled)
    assert told(api_access(found)) == DENIED
    assert told(api_server_in_mesh(found)) == [("warning", "api-server-in-mesh", "Namespace/default")]
    excluded = mesh(traffic={"outboundIPRangeExclusionList": ["10.96.0.1/32"]})
    assert api_access(facts(caller(), of=excluded, bindings=[bound()], outside=enrolled)) == []
    assert api_server_in_mesh(facts(caller())) == []


def test_addresses() -> None:
    result = api_server_result(facts(api_server=ApiServer(("10.96.0.1", "fd00::1"), ("10.96.0.1", "192.0.2.10"), 443)))
    assert result["service_ips"] == ["10.96.0.1/32", "fd00::1/128"]
    assert result["endpoint_ips"] == ["192.0.2.10/32"]
    assert result["port"] == 443


_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
_ACCOUNTS = st.builds(Account, _NAMES, _NAMES)


@given(_ACCOUNTS, _ACCOUNTS, st.lists(st.ip_addresses().map(str), min_size=1, max_size=2, unique=True), st.integers(1, 65535))
def test_the_egress_for_the_api_lets_out_its_account_and_no_other(account: Account, other: Account, ips: list[str], port: int) -> None:
    server = ApiServer(tuple(ips), (), port)
    # As the role mesh_onboard writes it.
    sources = [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}]
    made = {"spec": {"sources": sources, "ipAddresses": as_ranges(ips), "ports": [{"number": port, "protocol": "https"}]}}
    assert lets_out(made, account, server)
    assert lets_out(made, other, server) is (other == account)
    assert all(within(ip, made["spec"]["ipAddresses"]) for ip in ips)
