# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declarative edits of a MeshConfig, and which of them need new pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_edit import edit
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Change
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.restart import restart_required
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2, PRESET_1_3, Spec, installed

# A slow machine is no failure.
PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

RANGES = "outboundIPRangeExclusionList"


@pytest.mark.parametrize(
    ("patch", "paths", "restart"),
    [
        # The kubectl patches of the written procedures.
        ({"sidecar": {"sidecarImage": "flomesh/pipy:latest"}}, ["sidecar.sidecarImage"], True),
        ({"traffic": {RANGES: ["10.0.0.1/32"]}}, [f"traffic.{RANGES}"], True),
        ({"featureFlags": {"enableEgressPolicy": False}}, ["featureFlags.enableEgressPolicy"], False),
        ({"traffic": {"enableEgress": True}}, [], False),
        ({"traffic": {"enablePermissiveTrafficPolicyMode": False}}, ["traffic.enablePermissiveTrafficPolicyMode"], False),
        ({"observability": {"osmLogLevel": "debug"}}, ["observability.osmLogLevel"], False),
    ],
)
def test_the_patches_of_the_written_procedures(patch: Spec, paths: list[str], restart: bool) -> None:
    result = edit(installed(PRESET_1_2), patch)
    assert [change.path for change in result.changes] == paths
    assert bool(restart_required(result.changes)) is restart
    assert edit(result.spec, patch).changes == []


def test_elements_are_added_once_at_the_end_and_others_keep_their_order() -> None:
    live = installed(PRESET_1_2)
    live["traffic"][RANGES] = ["10.0.0.1/32", "192.168.0.0/16"]
    result = edit(live, add={"traffic": {RANGES: ["172.16.0.0/12", "10.0.0.1/32", "172.16.0.0/12"], "inboundPortExclusionList": [6379]}})
    assert result.spec["traffic"][RANGES] == ["10.0.0.1/32", "192.168.0.0/16", "172.16.0.0/12"]
    assert result.spec["traffic"]["inboundPortExclusionList"] == [6379]
    assert [(change.path, change.before, change.after) for change in result.changes] == [
        ("traffic.inboundPortExclusionList", [], [6379]),
        (f"traffic.{RANGES}", ["10.0.0.1/32", "192.168.0.0/16"], ["10.0.0.1/32", "192.168.0.0/16", "172.16.0.0/12"]),
    ]


def test_elements_are_removed_where_they_are() -> None:
    live = installed(PRESET_1_2)
    live["traffic"]["outboundPortExclusionList"] = [1, 2, 3, 2]
    result = edit(live, remove={"traffic": {"outboundPortExclusionList": [2, 9]}})
    assert result.spec["traffic"]["outboundPortExclusionList"] == [1, 3]
    assert edit(result.spec, remove={"traffic": {"outboundPortExclusionList": [2, 9]}}).changes == []


def test_removing_from_an_absent_list_leaves_it_absent_and_adding_makes_it() -> None:
    assert edit({}, remove={"traffic": {RANGES: ["10.0.0.1/32"]}}) == ({}, [])
    assert edit({}, add={"traffic": {RANGES: []}}) == ({}, [])
    assert edit({}, add={"traffic": {RANGES: ["10.0.0.1/32"]}}).spec == {"traffic": {RANGES: ["10.0.0.1/32"]}}


def test_true_is_not_one() -> None:
    assert edit({"x": {"list": [1]}}, add={"x": {"list": [True]}}).spec == {"x": {"list": [1, True]}}
    assert [change.path for change in edit({"x": 1}, {"x": True}).changes] == ["x"]


def test_drivers_and_plugins_are_edited_by_name() -> None:
    live = installed(PRESET_1_3)
    result = edit(
        live,
        {
            "sidecar": {"sidecarDrivers": [{"sidecarName": "PIPY", "sidecarImage": "mine:1"}, {"sidecarName": "extra"}]},
            "pluginChains": {"inbound-tcp": [{"plugin": "modules/inbound-tcp-routing", "disable": True}]},
        },
    )
    assert [change.path for change in result.changes] == [
        "sidecar.sidecarDrivers[pipy].sidecarImage",
        "sidecar.sidecarDrivers[extra]",
        "pluginChains.inbound-tcp[modules/inbound-tcp-routing].disable",
    ]
    assert [driver["sidecarName"] for driver in result.spec["sidecar"]["sidecarDrivers"]] == ["pipy", "envoy", "extra"]
    assert result.spec["pluginChains"]["inbound-tcp"][1] == {"plugin": "modules/inbound-tcp-routing", "priority": 120, "disable": True}
    without = edit(
        result.spec,
        remove={"sidecar": {"sidecarDrivers": ["Extra"]}, "pluginChains": {"inbound-tcp": [{"plugin": "modules/inbound-tls-termination"}]}},
    )
    assert [driver["sidecarName"] for driver in without.spec["sidecar"]["sidecarDrivers"]] == ["pipy", "envoy"]
    assert len(without.spec["pluginChains"]["inbound-tcp"]) == 1


@pytest.mark.parametrize(
    ("spec", "add", "remove", "text"),
    [
        ({"traffic": {RANGES: []}}, {"traffic": {RANGES: ["10.0.0.1/32"]}}, None, f"spec and add both name traffic.{RANGES}"),
        ({"traffic": {RANGES: []}}, None, {"traffic": {RANGES: ["10.0.0.1/32"]}}, f"spec and remove both name traffic.{RANGES}"),
        (None, {"traffic": {RANGES: ["a", "b"]}}, {"traffic": {RANGES: ["b"]}}, f"add and remove both name 'b' in traffic.{RANGES}"),
        (None, {"traffic": {"enableEgress": True}}, None, "add: traffic.enableEgress must be a list of elements"),
        (None, {"traffic": {"enableEgress": [True]}}, None, "traffic.enableEgress is not a list in this MeshConfig"),
        (None, {"traffic": {"enableEgress": {"x": [1]}}}, None, "traffic.enableEgress.x is not a list in this MeshConfig"),
        (None, {"sidecar": {"sidecarDrivers": [{"sidecarName": "x"}]}}, None, "add: the elements of sidecar.sidecarDrivers have names"),
        (
            {"sidecar": {"sidecarDrivers": [{"sidecarName": "envoy", "sidecarImage": "x"}]}},
            None,
            {"sidecar": {"sidecarDrivers": ["envoy"]}},
            "spec and remove both name envoy in sidecar.sidecarDrivers",
        ),
        ({"sidecar": {"sidecarDrivers": [{"sidecarImage": "x"}]}}, None, None, "has no sidecarName"),
        ({"sidecar": {"logLevel": None}}, None, None, "MeshConfig field sidecar.logLevel has no value"),
    ],
)
def test_contradictions_are_refused(spec: Spec | None, add: Spec | None, remove: Spec | None, text: str) -> None:
    live = installed(PRESET_1_2)
    before = copy.deepcopy(live)
    with pytest.raises(LifecycleError) as error:
        edit(live, spec, add, remove)
    assert text in error.value.msg
    assert error.value.why
    assert error.value.next
    assert live == before


lists = st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.integers(0, 5), max_size=5, unique=True), max_size=2)


@PROPERTY
@given(live=lists, spec=st.dictionaries(st.sampled_from(["x", "y"]), st.integers() | st.booleans()), add=lists, remove=lists)
def test_an_edit_repeated_changes_nothing(live: Spec, spec: Spec, add: Spec, remove: Spec) -> None:
    remove = {key: [item for item in items if item not in add.get(key, [])] for key, items in remove.items()}
    once = edit({"traffic": live}, {"traffic": spec}, {"traffic": add}, {"traffic": remove}).spec
    assert edit(once, {"traffic": spec}, {"traffic": add}, {"traffic": remove}).changes == []


@PROPERTY
@given(live=lists, elements=lists)
def test_adding_and_removing_are_inverse(live: Spec, elements: Spec) -> None:
    new: dict[str, Any] = {key: [item for item in items if item not in live.get(key, [])] for key, items in elements.items()}
    added = edit({"traffic": live}, add={"traffic": new}).spec
    removed = edit(added, remove={"traffic": new}).spec["traffic"]
    assert {key: items for key, items in removed.items() if items} == {key: items for key, items in live.items() if items}


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("traffic.interceptionMode", None, "iptables", True),
        ("traffic.outboundIPRangeExclusionList", [], ["10.0.0.1/32"], True),
        ("traffic.outboundIPRangeInclusionList", [], ["10.0.0.1/32"], True),
        ("traffic.outboundPortExclusionList", [1], [], True),
        ("traffic.inboundPortExclusionList", [1], [2], True),
        ("traffic.networkInterfaceExclusionList", None, ["eth1"], True),
        ("traffic.networkInterfaceExclusionList", None, [], False),
        ("sidecar.sidecarImage", "", "x", True),
        ("sidecar.envoyImage", "", "x", True),
        ("sidecar.initContainerImage", "", "x", True),
        ("sidecar.sidecarDrivers[pipy].sidecarImage", "x", "y", True),
        ("sidecar.sidecarDrivers[envoy].sidecarImage", "x", "y", False),
        ("sidecar.sidecarDrivers[pipy].sidecarDisabledMTLS", False, True, False),
        ("sidecar.sidecarDrivers", None, [{"sidecarName": "pipy", "sidecarImage": "x"}], True),
        ("sidecar.sidecarDrivers", None, [{"sidecarName": "envoy", "sidecarImage": "x"}], False),
        ("sidecar.sidecarDrivers[pipy]", None, {"sidecarName": "pipy", "proxyServerPort": 6060}, True),
        ("sidecar.enablePrivilegedInitContainer", False, True, True),
        ("sidecar.logLevel", "error", "debug", True),
        ("sidecar.resources.limits.cpu", "1", "2", True),
        ("sidecar.localDNSProxy", None, {"enable": False}, False),
        ("sidecar.localDNSProxy", None, {"enable": True}, True),
        ("sidecar", None, {"logLevel": "error"}, True),
        ("traffic", None, {"enableEgress": True}, False),
        ("traffic.enableEgress", False, True, False),
        ("observability.osmLogLevel", "info", "debug", False),
        ("certificate.serviceCertValidityDuration", "24h", "1h", False),
        ("pluginChains", None, {"inbound-tcp": []}, False),
    ],
)
def test_which_changes_need_new_pods(path: str, before: Any, after: Any, expected: bool) -> None:
    reasons = restart_required([Change(path, before, after, "")], "pipy")
    assert [reason.path for reason in reasons[:1]] == ([path] if expected else [])
    assert all(reason.reason for reason in reasons)
