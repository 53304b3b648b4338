# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade's own changes go, everybody else's stay."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult, merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_restore import restore
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

CONFIG = ObjectRef("MeshConfig", "osm-mesh-config", "osm-system")
SAVED: dict[str, Any] = {
    "sidecar": {"sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": "flomesh/pipy:0.70.0-46"}], "logLevel": "error"},
    "traffic": {"enableEgress": True},
}
WRITTEN: dict[str, Any] = {
    "sidecar": {"sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": "flomesh/pipy:0.90.3-38"}], "logLevel": "error"},
    "traffic": {"enableEgress": True, "interceptionMode": "iptables"},
    "pluginChains": {"inbound-tcp": [{"plugin": "a", "priority": 1}]},
}

scalars = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "b"]))
specs = st.dictionaries(
    st.sampled_from(["traffic", "sidecar", "featureFlags"]),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), scalars, max_size=3),
    max_size=3,
)


def back(live: dict[str, Any]) -> MergeResult:
    return restore(live, SAVED, [WRITTEN], CONFIG)


def test_what_the_upgrade_wrote_is_put_back() -> None:
    result = back(WRITTEN)
    assert result.spec == SAVED
    assert {change.path for change in result.changes} == {
        "sidecar.sidecarDrivers[pipy].sidecarImage",
        "traffic.interceptionMode",
        "pluginChains",
    }
    assert result.findings == []


def test_an_upgrade_that_did_not_come_to_the_meshconfig_leaves_nothing_to_do() -> None:
    assert back(SAVED).changes == []


def test_what_an_earlier_run_of_the_same_upgrade_wrote_is_put_back_too() -> None:
    earlier = {**WRITTEN, "observability": {"osmLogLevel": "warn"}}
    later = {**WRITTEN, "observability": {"osmLogLevel": "debug"}}
    for live in (earlier, later):
        assert restore(live, SAVED, [later, earlier], CONFIG).spec == SAVED


def test_somebodys_edit_since_stays_and_is_told() -> None:
    live = copy.deepcopy(WRITTEN)
    live["traffic"]["enableEgress"] = False
    live["pluginChains"]["inbound-tcp"][0]["priority"] = 9
    result = back(live)
    assert result.spec["traffic"] == {"enableEgress": False}
    assert result.spec["pluginChains"] == {"inbound-tcp": [{"plugin": "a", "priority": 9}]}
    assert {finding.code for finding in result.findings} == {"edit-kept"}


def test_an_element_that_somebody_added_stays_and_one_that_the_upgrade_added_goes() -> None:
    live = copy.deepcopy(WRITTEN)
    live["sidecar"]["sidecarDrivers"].append({"sidecarName": "mine", "sidecarImage": "x:1"})
    assert [driver["sidecarName"] for driver in back(live).spec["sidecar"]["sidecarDrivers"]] == ["pipy", "mine"]


def test_zeros_that_a_typed_client_wrote_go() -> None:
    live = copy.deepcopy(WRITTEN)
    live["traffic"]["enablePermissiveTrafficPolicyMode"] = False
    live["certificate"] = {"serviceCertValidityDuration": ""}
    assert back(live).spec == SAVED


@given(specs, specs)
def test_restoring_what_was_written_gives_what_was_saved(saved: dict[str, Any], written: dict[str, Any]) -> None:
    assert restore(written, saved, [written], CONFIG).spec == saved


@given(specs, specs, specs)
def test_a_nonzero_value_that_is_neither_saved_nor_written_is_never_lost(
    live: dict[str, Any], saved: dict[str, Any], written: dict[str, Any]
) -> None:
    result = restore(live, saved, [written], CONFIG).spec
    for section, fields in live.items():
        for field, value in fields.items():
            known = [spec.get(section, {}).get(field) for spec in (saved, written)]
            if value and value not in known:
                assert result[section][field] == value


@given(specs, specs)
def test_the_way_there_and_back_through_the_merge_loses_nothing(live: dict[str, Any], preset: dict[str, Any]) -> None:
    written = merge(live, None, preset, None, OSM_EDGE).spec
    assert restore(written, live, [written], CONFIG).spec == live
