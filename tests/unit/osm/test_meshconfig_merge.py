# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Completing a MeshConfig: what comes in, what stays, and what the reader is told."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult, gaps, lost_settings, merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_1, PRESET_1_2, PRESET_1_3, Spec, installed

# A slow machine is no failure.
PROPERTY = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def complete(
    live: Spec, old: Spec | None, new: Spec, user: Spec | None = None, target: str = "1.3.9", *, downgrade: bool = False
) -> MergeResult:
    return merge(live, old, new, user, OSM_EDGE, target_version=target, namespace="osm-system", downgrade=downgrade)


def driver_image(spec: Spec, name: str = "pipy") -> str:
    return next(str(driver["sidecarImage"]) for driver in spec["sidecar"]["sidecarDrivers"] if driver["sidecarName"] == name)


def findings(result: MergeResult, code: str) -> list[str]:
    return [finding.what for finding in result.findings if finding.code == code]


def test_from_1_2_to_1_3_the_mesh_gets_what_the_new_injector_needs() -> None:
    live = installed(PRESET_1_2)
    result = complete(live, PRESET_1_2, PRESET_1_3)
    assert result.spec["traffic"]["interceptionMode"] == "iptables"
    assert result.spec["pluginChains"] == PRESET_1_3["pluginChains"]
    # The CRD requires both keys of repoServer, the empty one too.
    assert result.spec["repoServer"] == {"ipaddr": "127.0.0.1", "codebase": ""}
    assert driver_image(result.spec) == "flomesh/pipy:0.90.3-38"
    assert gaps(live, PRESET_1_3) == ["sidecar.sidecarTimeout", "traffic.interceptionMode", "repoServer", "pluginChains"]
    assert gaps(result.spec, PRESET_1_3) == []
    assert {change.path for change in result.changes} == {
        "sidecar.sidecarDrivers[pipy].sidecarImage",
        "sidecar.sidecarTimeout",
        "sidecar.localDNSProxy",
        "traffic.interceptionMode",
        "featureFlags.enablePluginPolicy",
        "clusterSet",
        "repoServer",
        "pluginChains",
    }
    assert all(change.why for change in result.changes)
    assert result.findings == []


def test_inputs_are_not_changed() -> None:
    live, old, new, user = installed(PRESET_1_2), copy.deepcopy(PRESET_1_2), copy.deepcopy(PRESET_1_3), {"traffic": {"enableEgress": False}}
    before = copy.deepcopy((live, old, new, user))
    result = complete(live, old, new, user)
    result.spec["pluginChains"].clear()
    assert (live, old, new, user) == before


def test_a_mesh_of_the_target_version_needs_nothing() -> None:
    live = installed(PRESET_1_3)
    assert complete(live, PRESET_1_3, PRESET_1_3).changes == []
    # Without the old preset as well: an absent zero is a zero.
    assert complete(live, None, PRESET_1_3).changes == []
    assert gaps(live, PRESET_1_3) == []


@pytest.mark.parametrize("key", ["enableEgress", "enablePermissiveTrafficPolicyMode"])
def test_1_1_to_1_2_does_not_open_the_mesh(key: str) -> None:
    live = installed(PRESET_1_1)
    result = complete(live, PRESET_1_1, PRESET_1_2, target="1.2.3")
    assert result.spec["traffic"][key] is False
    (finding,) = [item for item in result.findings if key in item.what]
    assert finding.code == "changed-default-not-applied"
    assert finding.severity == "warning"
    assert finding.remedy == f'to take the new default, set mesh_config: {{"traffic": {{"{key}": true}}}}'
    assert str(finding.object) == "MeshConfig osm-system/osm-mesh-config"


@pytest.mark.parametrize("old", [PRESET_1_1, None], ids=["old preset known", "old preset not known"])
def test_an_absent_boolean_stays_false_whatever_the_new_default(old: Spec | None) -> None:
    live = installed(PRESET_1_1)
    del live["traffic"]["enableEgress"]
    result = complete(live, old, PRESET_1_2, target="1.2.3")
    assert result.spec["traffic"]["enableEgress"] is False
    assert any("enableEgress stays false" in what for what in findings(result, "changed-default-not-applied"))
    # The next run knows only the new preset as the old one.
    again = complete(result.spec, PRESET_1_2, PRESET_1_2, target="1.2.3")
    assert again.changes == []


def test_an_absent_zero_is_no_gap_and_is_not_written() -> None:
    live = installed(PRESET_1_2)
    assert "maxDataPlaneConnections" not in complete(live, PRESET_1_2, PRESET_1_3).spec["sidecar"]


def test_an_absent_zero_is_not_moved_by_a_new_default_now_or_later() -> None:
    new = copy.deepcopy(PRESET_1_3)
    new["sidecar"]["maxDataPlaneConnections"] = 500
    first = complete(installed(PRESET_1_2), PRESET_1_2, new)
    assert first.spec["sidecar"]["maxDataPlaneConnections"] == 0
    assert findings(first, "changed-default-not-applied") == [
        "sidecar.maxDataPlaneConnections stays 0; the chart's default changed from 0 to 500"
    ]
    assert complete(first.spec, new, new).changes == []


def test_a_changed_default_is_a_finding_and_a_setting_of_the_user_less_of_one() -> None:
    new = copy.deepcopy(PRESET_1_3)
    new["observability"]["osmLogLevel"] = "warn"
    untouched = complete(installed(PRESET_1_2), PRESET_1_2, new)
    assert untouched.spec["observability"]["osmLogLevel"] == "info"
    assert [finding.severity for finding in untouched.findings] == ["warning"]
    live = installed(PRESET_1_2)
    live["observability"]["osmLogLevel"] = "debug"
    edited = complete(live, PRESET_1_2, new)
    assert edited.spec["observability"]["osmLogLevel"] == "debug"
    assert [finding.severity for finding in edited.findings] == ["info"]
    given = complete(live, PRESET_1_2, new, {"observability": {"osmLogLevel": "trace"}})
    assert given.spec["observability"]["osmLogLevel"] == "trace"
    assert given.findings == []


@pytest.mark.parametrize(
    ("live_image", "expected"),
    [
        ("flomesh/pipy:0.50.0-25", "flomesh/pipy:0.90.3-38"),
        ("flomesh/pipy:0.70.0-2", "flomesh/pipy:0.90.3-38"),
        ("flomesh/pipy:0.70.0-46", "flomesh/pipy:0.90.3-38"),
        ("flomesh/pipy:0.90.2-14", "flomesh/pipy:0.90.3-38"),
        ("flomesh/pipy-ubi8:0.70.0-46", "flomesh/pipy:0.90.3-38"),
        ("registry.example/flomesh/pipy:0.70.0-46", "registry.example/flomesh/pipy:0.90.3-38"),
        ("registry.example:5000/flomesh/pipy:0.70.0-46", "registry.example:5000/flomesh/pipy:0.90.3-38"),
        ("localhost/flomesh/pipy:0.70.0-46", "localhost/flomesh/pipy:0.90.3-38"),
        # Not a default of any release: somebody's choice.
        ("flomesh/pipy:0.70.0-47", None),
        ("flomesh/pipy:latest", None),
        ("flomesh/pipy", None),
        ("example/pipy:0.70.0-46", None),
        ("registry.example/pipy:0.70.0-46", None),
        ("flomesh/pipy:0.70.0-46@sha256:0f0f", None),
        ("flomesh/pipy-ubi8:0.90.0-18", None),
        ("", None),
    ],
)
def test_the_sidecar_image_moves_only_from_a_default_of_an_earlier_release(live_image: str, expected: str | None) -> None:
    live = installed(PRESET_1_2)
    live["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = live_image
    result = complete(live, PRESET_1_2, PRESET_1_3)
    assert driver_image(result.spec) == (live_image if expected is None else expected)
    mirrored = findings(result, "mirrored-sidecar-image")
    assert bool(mirrored) == (expected is not None and expected.split("/")[0] != "flomesh")


def test_a_later_default_than_the_target_is_a_choice() -> None:
    new = copy.deepcopy(PRESET_1_3)
    new["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "flomesh/pipy:0.90.1-10"
    live = installed(PRESET_1_2)
    live["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "flomesh/pipy:0.90.3-38"
    assert driver_image(complete(live, PRESET_1_2, new, target="1.3.4").spec) == "flomesh/pipy:0.90.3-38"


def test_a_mesh_upgraded_before_by_hand_gets_its_image_although_the_preset_did_not_change() -> None:
    live = installed(PRESET_1_3)
    live["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "flomesh/pipy:0.50.0-25"
    result = complete(live, PRESET_1_3, PRESET_1_3)
    assert [(change.path, change.after) for change in result.changes] == [
        ("sidecar.sidecarDrivers[pipy].sidecarImage", "flomesh/pipy:0.90.3-38")
    ]


def test_the_image_pinned_as_the_written_procedure_does_moves_to_the_new_default() -> None:
    live = installed(PRESET_1_2)
    live["sidecar"]["sidecarImage"] = "flomesh/pipy:0.70.0-46"
    assert complete(live, PRESET_1_2, PRESET_1_3).spec["sidecar"]["sidecarImage"] == "flomesh/pipy:0.90.3-38"
    live["sidecar"]["sidecarImage"] = "flomesh/pipy:latest"
    assert complete(live, PRESET_1_2, PRESET_1_3).spec["sidecar"]["sidecarImage"] == "flomesh/pipy:latest"


def test_an_image_of_the_new_values_with_a_registry_is_taken_as_it_is() -> None:
    new = copy.deepcopy(PRESET_1_3)
    new["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "mirror.example/flomesh/pipy:0.90.3-38"
    live = installed(PRESET_1_2)
    live["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "registry.example/flomesh/pipy:0.70.0-46"
    assert driver_image(complete(live, PRESET_1_2, new).spec) == "mirror.example/flomesh/pipy:0.90.3-38"


@pytest.mark.parametrize("product", [OSM, FSM])
def test_without_recorded_defaults_the_image_of_the_old_preset_is_the_default(product: Any) -> None:
    field = product.sidecar_image_field
    old, new = {"sidecar": {field: "example/proxy:1"}}, {"sidecar": {field: "example/proxy:2"}}
    assert merge(old, old, new, None, product).spec == new
    somebodys = {"sidecar": {field: "example/proxy:1-patched"}}
    kept = merge(somebodys, old, new, None, product)
    assert kept.spec == somebodys
    assert findings(kept, "changed-default-not-applied") != []
    assert merge(old, None, new, None, product).spec == old, "an unknown preset tells no default"


def test_a_downgrade_takes_the_image_back_and_only_a_default() -> None:
    live = installed(PRESET_1_3)
    assert driver_image(complete(live, PRESET_1_3, PRESET_1_2, target="1.2.3", downgrade=True).spec) == "flomesh/pipy:0.70.0-46"
    live["sidecar"]["sidecarDrivers"][0]["sidecarImage"] = "flomesh/pipy:latest"
    assert driver_image(complete(live, PRESET_1_3, PRESET_1_2, target="1.2.3", downgrade=True).spec) == "flomesh/pipy:latest"


def test_drivers_are_merged_by_name_and_keep_what_users_set() -> None:
    live = installed(PRESET_1_2)
    live["sidecar"]["sidecarDrivers"] = [{"sidecarName": "mine", "sidecarImage": "x:1"}, {"sidecarName": "Pipy", "proxyServerPort": 7070}]
    result = complete(live, PRESET_1_2, PRESET_1_3)
    assert result.spec["sidecar"]["sidecarDrivers"] == [
        {"sidecarName": "mine", "sidecarImage": "x:1"},
        {"sidecarName": "Pipy", "proxyServerPort": 7070, "sidecarImage": "flomesh/pipy:0.90.3-38"},
    ]
    assert findings(result, "removed-element-not-restored") == [
        "sidecar.sidecarDrivers[envoy] is in the target version's preset but not in the live list"
    ]


def test_new_plugins_come_in_by_name_and_removed_ones_stay_away() -> None:
    new = copy.deepcopy(PRESET_1_3)
    new["pluginChains"]["inbound-tcp"].append({"plugin": "modules/new", "priority": 90})
    live = installed(PRESET_1_3)
    live["pluginChains"]["inbound-tcp"] = [{"plugin": "mine", "priority": 200}, {"plugin": "modules/inbound-tcp-routing", "priority": 7}]
    result = complete(live, PRESET_1_3, new)
    assert result.spec["pluginChains"]["inbound-tcp"] == [
        {"plugin": "mine", "priority": 200},
        {"plugin": "modules/inbound-tcp-routing", "priority": 7},
        {"plugin": "modules/new", "priority": 90},
    ]
    assert len(findings(result, "removed-element-not-restored")) == 1


def test_other_lists_are_one_value() -> None:
    live, new = installed(PRESET_1_2), copy.deepcopy(PRESET_1_3)
    live["traffic"]["outboundPortExclusionList"] = [6379]
    new["traffic"]["outboundPortExclusionList"] = [5432]
    result = complete(live, PRESET_1_2, new)
    assert result.spec["traffic"]["outboundPortExclusionList"] == [6379]
    assert len(findings(result, "changed-default-not-applied")) == 1


def test_what_the_user_gives_wins_by_name_and_as_a_whole() -> None:
    live = installed(PRESET_1_2)
    user = {
        "sidecar": {"sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": "flomesh/pipy:0.50.0-25"}]},
        "traffic": {"outboundPortExclusionList": [1, 2]},
        "repoServer": {"codebase": "mine"},
    }
    result = complete(live, PRESET_1_2, PRESET_1_3, user)
    assert driver_image(result.spec) == "flomesh/pipy:0.50.0-25"
    assert result.spec["sidecar"]["sidecarDrivers"][0]["proxyServerPort"] == 6060
    assert driver_image(result.spec, "envoy") == "envoyproxy/envoy:v1.19.3"
    assert result.spec["traffic"]["outboundPortExclusionList"] == [1, 2]
    assert result.spec["repoServer"] == {"ipaddr": "127.0.0.1", "codebase": "mine"}
    whys = {change.path: change.why for change in result.changes}
    assert whys["sidecar.sidecarDrivers[pipy].sidecarImage"] == "given in mesh_config"
    assert whys["traffic.interceptionMode"].startswith("missing in the live MeshConfig")


@pytest.mark.parametrize(
    "user",
    [
        {"traffic": None},
        {"traffic": {"enableEgress": None}},
        {"sidecar": {"sidecarDrivers": [{"sidecarImage": "x"}]}},
        {"sidecar": {"sidecarDrivers": [{"sidecarName": "pipy"}, {"sidecarName": "PIPY"}]}},
        {"pluginChains": {"inbound-tcp": ["modules/x"]}},
        {"traffic": {"outboundPortExclusionList": [None]}},
    ],
)
def test_a_spec_that_would_delete_or_is_not_clear_is_refused(user: Spec) -> None:
    with pytest.raises(LifecycleError) as error:
        complete(installed(PRESET_1_2), PRESET_1_2, PRESET_1_3, user)
    assert error.value.state == "nothing was changed"
    assert error.value.next


# --- properties ---------------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "info", "flomesh/pipy:0.70.0-46", "x.io/flomesh/pipy:0.50.0-25"])
)
images = st.sampled_from(["", "flomesh/pipy:0.50.0-25", "r.example/flomesh/pipy:0.70.0-46", "flomesh/pipy:0.90.3-38", "mine:1"])
names = st.sampled_from(["pipy", "envoy", "mine"])


def elements(key: str, keys: st.SearchStrategy[str], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Spec]]:
    return st.lists(st.fixed_dictionaries({key: keys}, optional=fields), max_size=3, unique_by=lambda item: str(item[key]))


specs: st.SearchStrategy[Spec] = st.fixed_dictionaries(
    {},
    optional={
        "sidecar": st.fixed_dictionaries(
            {},
            optional={
                "sidecarImage": images,
                "sidecarClass": st.just("pipy"),
                "logLevel": scalars,
                "localDNSProxy": st.dictionaries(st.sampled_from(["enable", "primary"]), scalars),
                "sidecarDrivers": elements("sidecarName", names, {"sidecarImage": images, "proxyServerPort": st.integers(0, 2)}),
            },
        ),
        "traffic": st.dictionaries(
            st.sampled_from(["enableEgress", "mode", "ports"]), st.one_of(scalars, st.lists(st.integers(1, 3), max_size=2))
        ),
        "pluginChains": st.dictionaries(
            st.sampled_from(["inbound-tcp", "outbound-http"]),
            elements("plugin", st.sampled_from(["p", "q", "r"]), {"priority": st.integers(0, 2)}),
        ),
        "repoServer": st.fixed_dictionaries({}, optional={"ipaddr": scalars, "codebase": scalars}),
    },
)


def every_path_is_kept(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return isinstance(after, dict) and all(key in after and every_path_is_kept(before[key], after[key]) for key in before)
    return True


@PROPERTY
@given(live=specs, old=st.none() | specs, new=specs, user=specs)
def test_merging_again_changes_nothing(live: Spec, old: Spec | None, new: Spec, user: Spec) -> None:
    once = complete(live, old, new, user).spec
    assert complete(once, old, new, user).changes == []
    # A later run whose old preset is this new one: nothing moves either.
    assert complete(once, new, new, user).changes == []


@PROPERTY
@given(live=specs, old=st.none() | specs, new=specs, user=specs)
def test_no_live_key_or_element_goes_away(live: Spec, old: Spec | None, new: Spec, user: Spec) -> None:
    spec = complete(live, old, new, user).spec
    assert every_path_is_kept(live, spec)
    before = [item["sidecarName"] for item in live.get("sidecar", {}).get("sidecarDrivers", [])]
    after = [item["sidecarName"] for item in spec.get("sidecar", {}).get("sidecarDrivers", [])]
    assert after[: len(before)] == before


def kept(live: Any, spec: Any, path: str = "") -> bool:
    """Whether every live value is in ``spec`` as it was, sidecar images aside."""
    if isinstance(live, dict):
        return all(kept(value, spec[key], key) for key, value in live.items())
    if isinstance(live, list) and path in ("sidecarDrivers", "inbound-tcp", "outbound-http"):
        return all(kept(item, other) for item, other in zip(live, spec, strict=False))
    return path == "sidecarImage" or (type(live) is type(spec) and live == spec)


@PROPERTY
@given(live=specs, old=st.none() | specs, new=specs)
def test_a_live_value_that_is_no_default_image_never_changes(live: Spec, old: Spec | None, new: Spec) -> None:
    result = complete(live, old, new)
    assert kept(live, result.spec)
    for change in result.changes:
        if change.before is not None:
            assert change.before in ("flomesh/pipy:0.50.0-25", "flomesh/pipy:0.90.3-38", "r.example/flomesh/pipy:0.70.0-46")


@PROPERTY
@given(live=specs, old=st.none() | specs, new=specs, user=specs)
def test_every_value_of_the_user_is_in_the_result(live: Spec, old: Spec | None, new: Spec, user: Spec) -> None:
    spec = complete(live, old, new, user).spec

    def holds(wanted: Any, got: Any, key: str = "") -> bool:
        if isinstance(wanted, dict):
            return all(part in got and holds(value, got[part], part) for part, value in wanted.items())
        if key in ("sidecarDrivers", "inbound-tcp", "outbound-http"):
            name = "sidecarName" if key == "sidecarDrivers" else "plugin"
            return all(any(item[name] == other[name] and holds(item, other) for other in got) for item in wanted)
        return type(wanted) is type(got) and bool(wanted == got)

    assert holds(user, spec)


@PROPERTY
@given(live=specs, old=st.none() | specs, new=specs)
def test_a_completed_spec_has_no_gaps_but_those_that_nobody_may_fill(live: Spec, old: Spec | None, new: Spec) -> None:
    assert gaps(complete(live, old, new).spec, new) == []


@pytest.mark.parametrize(
    ("live", "new", "expected"), [("iptables", "PodLevel", "PodLevel"), ("ebpf", "PodLevel", "ebpf"), ("PodLevel", "iptables", "iptables")]
)
def test_a_mode_that_fsm_renamed_keeps_its_meaning(live: str, new: str, expected: str) -> None:
    def spec(mode: str) -> dict[str, Any]:
        return {"traffic": {"interceptionMode": mode}}

    result = merge(spec(live), spec("iptables"), spec(new), None, FSM)
    assert result.spec == spec(expected)
    assert bool(findings(result, "changed-default-not-applied")) == (expected == "ebpf")
    assert merge(spec("iptables"), None, spec("PodLevel"), None, OSM_EDGE).spec == spec("iptables")


def test_an_identity_that_every_rendering_makes_anew_is_left_alone() -> None:
    result = merge({"clusterSet": {"uid": "a"}}, {"clusterSet": {"uid": "b"}}, {"clusterSet": {"uid": "c"}}, None, FSM)
    assert result == ({"clusterSet": {"uid": "a"}}, [], [])
    assert merge({"clusterSet": {}}, None, {"clusterSet": {"uid": "c"}}, None, FSM).spec == {"clusterSet": {"uid": "c"}}


def test_what_an_older_version_does_not_know_is_named_before_it_is_lost() -> None:
    live = installed(PRESET_1_3)
    live["traffic"]["interceptionMode"] = "ebpf"
    found = lost_settings(live, PRESET_1_3, PRESET_1_2, "1.2.3", ObjectRef("MeshConfig", "osm-mesh-config"))
    assert [finding.code for finding in found] == ["setting-lost"]
    assert 'traffic.interceptionMode: "ebpf" is lost, 1.2.3' in found[0].what
    assert lost_settings(installed(PRESET_1_3), PRESET_1_3, PRESET_1_2, "1.2.3", ObjectRef("MeshConfig", "x")) == []
