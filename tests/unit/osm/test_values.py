# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a release: policies, pins, keys that are gone, and values that reach only the preset."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preset_values import preset_only_effects, translate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.values import (
    Policy,
    carry_over,
    coalesced,
    deep_merge,
    describe,
    dropped_findings,
    effective_user_values,
    pin_installer_values,
    schema_violations,
    unread_values,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# A slow machine is no failure.
PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

Values = dict[str, Any]
RELEASE = ObjectRef("HelmRelease", "osm", "osm-system")


def closed(**properties: Any) -> Values:
    return {"type": "object", "additionalProperties": False, "properties": properties}


# In the manner of the published charts: open at the top, closed below osm, with references.
SCHEMA_1_3: Values = {
    "type": "object",
    "required": ["osm"],
    "definitions": {"resources": closed(requests=closed(cpu={"type": "string"}))},
    "properties": {
        "osm": {
            **closed(
                meshName={"type": "string", "minLength": 1},
                osmNamespace={"type": "string"},
                enforceSingleMesh={"type": "boolean"},
                image=closed(
                    registry={"type": "string"}, tag={"type": "string"}, pullPolicy={"type": "string", "enum": ["Always", "IfNotPresent"]}
                ),
                repoServer=closed(image={"type": "string"}, ipaddr={"type": "string", "pattern": r"^[\d.]+$"}),
                osmController=closed(
                    replicaCount={"type": "integer", "minimum": 1, "maximum": 10}, resource={"$ref": "#/definitions/resources"}
                ),
                featureFlags=closed(enableEgressPolicy={"type": "boolean"}),
                outboundPortExclusionList={"type": "array", "items": {"type": "integer"}},
                trustDomain={"anyOf": [{"type": "string"}, {"type": "null"}]},
                caBundleSecretName={"type": "string"},
                webhookConfigNamePrefix={"type": "string"},
                podLabels={"type": "object", "additionalProperties": {"type": "string"}},
            ),
            "required": ["meshName", "image"],
        },
    },
}
DEFAULTS_1_2: Values = {
    "osm": {
        "meshName": "osm",
        "enforceSingleMesh": True,
        "image": {"registry": "flomesh", "tag": "1.2.3", "digest": {"osmController": "sha256:0"}, "pullPolicy": "IfNotPresent"},
        "pipyRepoImage": "flomesh/pipy-repo:0.70.0-46",
        "sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": "flomesh/pipy:0.70.0-46"}],
        "controllerLogLevel": "info",
        "outboundPortExclusionList": [],
        "nodeSelector": {},
    },
    "contour": {"enabled": False},
}


def test_deep_merge_merges_maps_and_replaces_the_rest() -> None:
    base: Values = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    over: Values = {"a": {"c": [3], "e": None}, "d": {"f": 1}}
    assert deep_merge(base, over) == {"a": {"b": 1, "c": [3], "e": None}, "d": {"f": 1}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_a_null_takes_a_default_away_as_helm_does() -> None:
    assert coalesced({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": None}) == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("reset", {"osm": {"controllerLogLevel": "warn"}}),
        ("reset_then_reuse", {"osm": {"controllerLogLevel": "warn", "meshName": "prod", "image": {"registry": "mirror"}}}),
        (
            "reuse",
            {
                "osm": {
                    "meshName": "prod",
                    "enforceSingleMesh": True,
                    # Neither tag nor images of the old chart: the new one would run the old release.
                    "image": {"registry": "mirror", "pullPolicy": "IfNotPresent"},
                    "controllerLogLevel": "warn",
                    "outboundPortExclusionList": [],
                    "nodeSelector": {},
                },
                "contour": {"enabled": False},
            },
        ),
    ],
)
def test_policies(policy: Policy, expected: Values) -> None:
    old_user = {"osm": {"meshName": "prod", "controllerLogLevel": "debug", "image": {"registry": "mirror"}}}
    if policy == "reset_then_reuse":
        del old_user["osm"]["controllerLogLevel"]
    assert effective_user_values(policy, old_user, DEFAULTS_1_2, {"osm": {"controllerLogLevel": "warn"}}) == expected


def test_images_that_a_user_supplied_are_reused() -> None:
    old_user = {"osm": {"image": {"tag": "1.2.3-fips"}}}
    assert effective_user_values("reuse", old_user, DEFAULTS_1_2, {})["osm"]["image"]["tag"] == "1.2.3-fips"


def pin(values: Values, product: Product = OSM_EDGE, **arguments: Any) -> Any:
    given = {
        "mesh_name": "prod",
        "osm_namespace": "osm-system",
        "release_namespace": "osm-system",
        "old_user_values": {},
        "passed_values": {},
        **arguments,
    }
    return pin_installer_values(values, product, **given)


def test_the_mesh_keeps_its_name_under_every_policy() -> None:
    pinned = pin({})
    assert pinned.values == {"osm": {"meshName": "prod"}}
    assert [(item.path, item.value) for item in pinned.pins] == [("osm.meshName", "prod")]
    assert pin({"osm": {"meshName": "prod"}}).pins == []
    assert pin({}, FSM).values == {"fsm": {"meshName": "prod"}}


def test_what_the_installer_set_is_put_back_unless_given_in_this_call() -> None:
    old = {
        "osm": {
            "enforceSingleMesh": False,
            "caBundleSecretName": "ca",
            "webhookConfigNamePrefix": "hook",
            "validatorWebhook": {"webhookConfigurationName": "v"},
            "controllerLogLevel": "debug",
        }
    }
    pinned = pin({}, old_user_values=old)
    assert pinned.values["osm"] == {
        "meshName": "prod",
        "enforceSingleMesh": False,
        "caBundleSecretName": "ca",
        "webhookConfigNamePrefix": "hook",
        "validatorWebhook": {"webhookConfigurationName": "v"},
    }
    given = {"osm": {"enforceSingleMesh": True}}
    assert pin(given, old_user_values=old, passed_values=given).values["osm"]["enforceSingleMesh"] is True


def test_the_namespace_is_pinned_where_it_is_not_the_release_namespace() -> None:
    assert pin({}, osm_namespace="mesh", release_namespace="releases").values["osm"]["osmNamespace"] == "mesh"
    assert pin({}, FSM, osm_namespace="mesh", release_namespace="releases").values["fsm"]["fsmNamespace"] == "mesh"
    assert pin({}, old_user_values={"osm": {"osmNamespace": "osm-system"}}).values["osm"]["osmNamespace"] == "osm-system"


@pytest.mark.parametrize(
    ("product", "passed"),
    [
        (OSM_EDGE, {"osm": {"meshName": "other"}}),
        (OSM_EDGE, {"osm": {"meshName": ""}}),
        (OSM, {"osm": {"osmNamespace": "elsewhere"}}),
        (FSM, {"fsm": {"fsmNamespace": "elsewhere"}}),
    ],
)
def test_renaming_or_moving_a_mesh_is_refused(product: Product, passed: Values) -> None:
    with pytest.raises(Refused, match="must stay"):
        pin(passed, product, passed_values=passed)


def test_the_same_name_and_an_empty_namespace_are_no_move() -> None:
    passed = {"osm": {"meshName": "prod", "osmNamespace": ""}}
    assert pin(passed, passed_values=passed).pins == []


def test_keys_that_the_target_chart_lost_are_dropped_and_named() -> None:
    old_user = {
        "osm": {"pipyRepoImage": "mirror/pipy-repo:1", "image": {"registry": "mirror"}, "featureFlags": {"enableMulticlusterMode": True}}
    }
    carried = carry_over(deep_merge(old_user, {"osm": {"multicluster": {}}}), {}, SCHEMA_1_3)
    assert carried.values == {"osm": {"image": {"registry": "mirror"}, "featureFlags": {}}}
    assert sorted(carried.dropped) == ["osm.featureFlags.enableMulticlusterMode", "osm.multicluster", "osm.pipyRepoImage"]
    found = dropped_findings(carried.dropped, RELEASE, "1.3.9", old_user)
    # osm.multicluster was only a default of the old chart: nobody loses it.
    assert sorted(finding.what for finding in found) == [
        "the value osm.featureFlags.enableMulticlusterMode is not carried over",
        "the value osm.pipyRepoImage is not carried over",
    ]
    assert any("osm" in finding.remedy and "repoServer.image" in finding.remedy for finding in found)


def test_a_key_given_in_this_call_is_not_dropped_but_an_error() -> None:
    passed = {"osm": {"pipyRepoImage": "x"}}
    carried = carry_over(passed, passed, SCHEMA_1_3)
    assert carried == (passed, [])
    values = deep_merge({"osm": {"meshName": "osm", "image": {}}}, carried.values)
    assert [violation.where for violation in schema_violations(values, SCHEMA_1_3)] == ["osm.pipyRepoImage"]


def test_without_a_schema_everything_is_carried() -> None:
    assert carry_over({"osm": {"x": 1}}, {}, None) == ({"osm": {"x": 1}}, [])
    assert schema_violations({"osm": 1}, None) == []


@pytest.mark.parametrize(
    ("osm", "expected"),
    [
        ({}, []),
        ({"enforceSingleMsh": True}, ["osm.enforceSingleMsh: the chart has no such key: did you mean enforceSingleMesh?"]),
        ({"image": {"tagg": "1"}}, ["osm.image.tagg: the chart has no such key: did you mean tag?"]),
        ({"image": {"tag": 1.3}}, ["osm.image.tag: 1.3 is not of type string"]),
        ({"image": {"pullPolicy": "Sometimes"}}, ['osm.image.pullPolicy: "Sometimes" is not one of "Always", "IfNotPresent"']),
        ({"osmController": {"replicaCount": 0}}, ["osm.osmController.replicaCount: 0 must be at least 1 and at most 10"]),
        ({"osmController": {"replicaCount": "2"}}, ["osm.osmController.replicaCount: this text is not of type integer"]),
        ({"osmController": {"resource": {"requests": {"cpu": 1}}}}, ["osm.osmController.resource.requests.cpu: 1 is not of type string"]),
        (
            {"osmController": {"resource": {"request": {}}}},
            ["osm.osmController.resource.request: the chart has no such key: did you mean requests?"],
        ),
        ({"outboundPortExclusionList": [1, "x"]}, ["osm.outboundPortExclusionList[1]: this text is not of type integer"]),
        ({"repoServer": {"ipaddr": "localhost"}}, [r"osm.repoServer.ipaddr: this text does not match ^[\d.]+$"]),
        ({"trustDomain": 5}, ["osm.trustDomain: 5 fits none of the allowed forms"]),
        ({"trustDomain": None}, []),
        ({"meshName": ""}, ["osm.meshName: this text must have at least 1"]),
        ({"podLabels": {"team": "a"}}, []),
        ({"podLabels": {"team": 1}}, ["osm.podLabels.team: 1 is not of type string"]),
    ],
)
def test_schema_violations_name_the_key_path(osm: Values, expected: list[str]) -> None:
    values = deep_merge({"osm": {"meshName": "osm", "image": {}}, "somethingElse": 1}, {"osm": osm})
    assert [describe(violation) for violation in schema_violations(values, SCHEMA_1_3)] == expected


def test_missing_keys() -> None:
    assert [describe(violation) for violation in schema_violations({"osm": {"meshName": "x"}}, SCHEMA_1_3)] == [
        "osm.image: required by the chart"
    ]


def test_keys_outside_the_root_are_named_with_their_place() -> None:
    found = unread_values({"controllerLogLevel": "debug", "conture": {}, "global": {}, "osm": {}}, DEFAULTS_1_2, RELEASE)
    assert [(finding.what, finding.remedy) for finding in found] == [
        ("the chart has no value controllerLogLevel", "did you mean osm.controllerLogLevel?"),
        ("the chart has no value conture", "did you mean contour?"),
    ]


# value below the root, MeshConfig path: charts/osm/templates/preset-mesh-config.yaml of osm-edge.
EFFECTS = [
    "",
    "enableEgress traffic.enableEgress",
    "enablePermissiveTrafficPolicy traffic.enablePermissiveTrafficPolicyMode",
    "trafficInterceptionMode traffic.interceptionMode",
    "outboundPortExclusionList traffic.outboundPortExclusionList",
    "inboundPortExclusionList traffic.inboundPortExclusionList",
    "outboundIPRangeExclusionList traffic.outboundIPRangeExclusionList",
    "outboundIPRangeInclusionList traffic.outboundIPRangeInclusionList",
    "networkInterfaceExclusionList traffic.networkInterfaceExclusionList",
    "sidecarImage sidecar.sidecarImage",
    "sidecarDrivers sidecar.sidecarDrivers",
    "sidecarClass sidecar.sidecarClass",
    "sidecarLogLevel sidecar.logLevel",
    "enablePrivilegedInitContainer sidecar.enablePrivilegedInitContainer",
    "maxDataPlaneConnections sidecar.maxDataPlaneConnections",
    "configResyncInterval sidecar.configResyncInterval",
    "localProxyMode sidecar.localProxyMode",
    "localDNSProxy sidecar.localDNSProxy",
    "enableDebugServer observability.enableDebugServer",
    "controllerLogLevel observability.osmLogLevel",
    "tracing.enable observability.tracing.enable",
    "tracing.port observability.tracing.port",
    "remoteLogging.address observability.remoteLogging.address",
    "certificateProvider.certKeyBitSize certificate.certKeyBitSize",
    "certificateProvider.serviceCertValidityDuration certificate.serviceCertValidityDuration",
    "featureFlags.enableEgressPolicy featureFlags.enableEgressPolicy",
    "featureFlags.enableRetryPolicy featureFlags.enableRetryPolicy",
    "featureFlags.enablePluginPolicy featureFlags.enablePluginPolicy",
    "pluginChains pluginChains",
    "",
][1:-1]


def nested(path: str, *, value: Any) -> Values:
    head, dummy, rest = path.partition(".")
    return {head: nested(rest, value=value) if rest else value}


@pytest.mark.parametrize("row", EFFECTS)
def test_values_that_reach_only_the_preset(row: str) -> None:
    value, field = row.split()
    # A false or empty value is given as well.
    assert preset_only_effects(nested(f"osm.{value}", value=False), OSM_EDGE) == {f"osm.{value}": field}


@pytest.mark.parametrize(
    "values",
    [
        {
            "osm": {
                "image": {"tag": "1.3.9"},
                "meshName": "x",
                "featureFlags": {"enableMeshRootCertificate": True},
                "tracing": {"image": "x"},
            }
        },
        {"enableEgress": True},
        {"fsm": {"enableEgress": True}},
        {},
    ],
)
def test_other_values_stay_values(values: Values) -> None:
    assert preset_only_effects(values, OSM_EDGE) == {}


def test_names_differ_between_products() -> None:
    assert preset_only_effects({"osm": {"envoyLogLevel": "x", "sidecarLogLevel": "x"}}, OSM) == {"osm.envoyLogLevel": "sidecar.logLevel"}
    assert preset_only_effects({"fsm": {"enableEgress": True, "controllerLogLevel": "x"}}, FSM) == {
        "fsm.enableEgress": "traffic.enableEgress",
        "fsm.controllerLogLevel": "observability.fsmLogLevel",
    }


def test_values_become_mesh_config_settings_and_mesh_config_wins() -> None:
    values = {"osm": {"enableEgress": True, "enablePermissiveTrafficPolicy": False, "preinstall": {"tolerations": []}}}
    result = translate(values, {"traffic": {"enableEgress": False, "interceptionMode": "none"}}, OSM_EDGE, "osm-system")
    assert result.spec == {"traffic": {"enableEgress": False, "enablePermissiveTrafficPolicyMode": False, "interceptionMode": "none"}}
    assert result.paths == {
        "osm.enableEgress": "traffic.enableEgress",
        "osm.enablePermissiveTrafficPolicy": "traffic.enablePermissiveTrafficPolicyMode",
    }
    assert [finding.code for finding in result.findings] == ["value-applied-to-mesh-config"] * 2 + ["value-without-effect"]


def test_a_driver_given_as_a_value_needs_its_name() -> None:
    with pytest.raises(LifecycleError, match="has no sidecarName"):
        translate({"osm": {"sidecarDrivers": [{"sidecarImage": "x"}]}}, {}, OSM_EDGE, "osm-system")


trees = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda children: st.dictionaries(st.sampled_from("abcd"), children, max_size=3),
    max_leaves=10,
)
maps = st.dictionaries(st.sampled_from("abcd"), trees, max_size=3)


@PROPERTY
@given(maps, maps)
def test_the_second_map_of_a_merge_wins(base: Values, over: Values) -> None:
    before = copy.deepcopy((base, over))
    merged = deep_merge(base, over)
    assert deep_merge(merged, over) == merged
    assert deep_merge({}, over) == over
    assert deep_merge(base, {}) == base
    assert (base, over) == before


@PROPERTY
@given(st.sampled_from(PRODUCTS), maps, maps)
def test_pins_hold_whatever_the_values_are(product: Product, values: Values, old: Values) -> None:
    pinned = pin({product.values_root: values}, product, old_user_values={product.values_root: old})
    assert pinned.values[product.values_root]["meshName"] == "prod"
