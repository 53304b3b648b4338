# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of a MeshConfig before it is written."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import (
    Problem,
    replaced_silently,
    spec_schema,
    validate,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_3, Spec

PORTS = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
RANGES = {"type": "array", "items": {"type": "string", "pattern": r"((?:\d{1,3}\.){3}\d{1,3})\/(\d{1,2})$"}}
BOOLEAN, STRING, INTEGER = {"type": "boolean"}, {"type": "string"}, {"type": "integer"}


def chain() -> Spec:
    item = {"type": "object", "required": ["plugin"], "properties": {"plugin": STRING, "priority": INTEGER, "disable": BOOLEAN}}
    return {"type": "array", "items": item}


# The part of cmd/osm-bootstrap/crds/config_meshconfig.yaml (osm-edge v1.3.9) that the tests use.
SPEC: Spec = {
    "type": "object",
    "properties": {
        "clusterSet": {"type": "object", "properties": {"properties": {"type": "array", "items": {"type": "object"}}}},
        "sidecar": {
            "type": "object",
            "properties": {
                "enablePrivilegedInitContainer": BOOLEAN,
                "logLevel": {"type": "string", "enum": ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"]},
                "maxDataPlaneConnections": INTEGER,
                "configResyncInterval": STRING,
                "sidecarTimeout": INTEGER,
                "sidecarClass": {"type": "string", "enum": ["pipy", "envoy"]},
                "sidecarImage": STRING,
                "localProxyMode": {"type": "string", "enum": ["Localhost", "PodIP"]},
                "localDNSProxy": {"type": "object", "properties": {"enable": BOOLEAN}},
                "resources": {"type": "object", "properties": {"limits": {"type": "object", "additionalProperties": True}}},
                "sidecarDrivers": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["sidecarName"],
                        "properties": {
                            "sidecarName": STRING,
                            "sidecarImage": STRING,
                            "proxyServerPort": {"type": "integer", "minimum": 1, "maximum": 65535},
                        },
                    },
                },
            },
        },
        "repoServer": {"type": "object", "required": ["ipaddr", "codebase"], "properties": {"ipaddr": STRING, "codebase": STRING}},
        "traffic": {
            "type": "object",
            "properties": {
                "interceptionMode": {"type": "string", "enum": ["iptables", "ebpf", "none"]},
                "enableEgress": BOOLEAN,
                "enablePermissiveTrafficPolicyMode": BOOLEAN,
                "outboundIPRangeExclusionList": RANGES,
                "outboundIPRangeInclusionList": RANGES,
                "outboundPortExclusionList": PORTS,
                "inboundPortExclusionList": PORTS,
                "networkInterfaceExclusionList": {"type": "array", "items": STRING},
            },
        },
        "observability": {
            "type": "object",
            "properties": {
                "osmLogLevel": STRING,
                "enableDebugServer": BOOLEAN,
                "tracing": {"type": "object", "properties": {"enable": BOOLEAN, "port": INTEGER}},
                "remoteLogging": {
                    "type": "object",
                    "properties": {"enable": BOOLEAN, "level": {"type": "integer", "minimum": 0, "maximum": 2}},
                },
            },
        },
        "certificate": {
            "type": "object",
            "required": ["serviceCertValidityDuration", "certKeyBitSize"],
            "properties": {
                "serviceCertValidityDuration": STRING,
                "certKeyBitSize": INTEGER,
                "ingressGateway": {"type": "object", "properties": {"subjectAltNames": {"type": "array", "minItems": 1, "items": STRING}}},
            },
        },
        "featureFlags": {
            "type": "object",
            "properties": dict.fromkeys(("enableWASMStats", "enableEgressPolicy", "enableRetryPolicy", "enablePluginPolicy"), BOOLEAN),
        },
        "pluginChains": {
            "type": "object",
            "properties": {name: chain() for name in ("inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http")},
        },
    },
}
ROOT: Spec = {"type": "object", "properties": {"spec": SPEC}}


def one(spec: Spec, schema: Spec | None = None) -> Problem:
    (problem,) = validate(spec, ROOT if schema is None else schema, partial=True)
    return problem


def test_a_preset_is_valid_against_the_definition_and_against_its_spec() -> None:
    assert validate(PRESET_1_3, ROOT) == []
    assert validate(PRESET_1_3, SPEC) == []
    assert validate({}, ROOT) == []


@pytest.mark.parametrize(
    ("spec", "path", "parts"),
    [
        ({"trafic": {}}, "trafic", ["unknown field", "did you mean traffic?"]),
        ({"traffic": {"enableEgres": True}}, "traffic.enableEgres", ["unknown field", "did you mean enableEgress?"]),
        ({"traffic": {"useHTTPSIngress": True}}, "traffic.useHTTPSIngress", ["unknown field", "drop it silently", "known here: "]),
        ({"sidecar": {"EnvoyImage": "x", "sidecarimage": "y"}}, None, ["did you mean sidecarImage"]),
        ({"traffic": {"interceptionMode": "eBPF"}}, "traffic.interceptionMode", ["use one of iptables, ebpf, none"]),
        ({"sidecar": {"logLevel": False}}, "sidecar.logLevel", ["boolean false in YAML", 'write logLevel: "off"']),
        ({"sidecar": {"sidecarImage": True}}, "sidecar.sidecarImage", ["booleans in YAML", 'quote it: "on"']),
        ({"sidecar": {"logLevel": "verbose"}}, "sidecar.logLevel", ["use one of trace, debug"]),
        ({"traffic": {"enableEgress": "true"}}, "traffic.enableEgress", ["must be true or false", "| bool"]),
        ({"traffic": {"enableEgress": 1}}, "traffic.enableEgress", ["must be true or false"]),
        ({"sidecar": {"sidecarTimeout": "60"}}, "sidecar.sidecarTimeout", ["write the number 60 without quotes"]),
        ({"sidecar": {"sidecarTimeout": True}}, "sidecar.sidecarTimeout", ["must be a whole number"]),
        ({"sidecar": {"configResyncInterval": 0}}, "sidecar.configResyncInterval", ['quote it: "0"']),
        ({"sidecar": {"sidecarImage": None}}, "sidecar.sidecarImage", ["null in YAML"]),
        ({"traffic": {"outboundPortExclusionList": 6379}}, "traffic.outboundPortExclusionList", ["write it as a list: [6379]"]),
        ({"traffic": {"outboundPortExclusionList": ["6379"]}}, "traffic.outboundPortExclusionList[0]", ["write the number 6379"]),
        ({"traffic": {"outboundPortExclusionList": [1, 0]}}, "traffic.outboundPortExclusionList[1]", ["from 1 to 65535"]),
        ({"traffic": {"inboundPortExclusionList": [65536]}}, "traffic.inboundPortExclusionList[0]", ["from 1 to 65535"]),
        ({"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1"]}}, "traffic.outboundIPRangeExclusionList[0]", ["write 10.0.0.1/32"]),
        ({"traffic": {"outboundIPRangeExclusionList": ["300.0.0.0/99"]}}, "traffic.outboundIPRangeExclusionList[0]", ["no IPv4 range"]),
        ({"traffic": {"outboundIPRangeInclusionList": ["10.0.0.0/33"]}}, "traffic.outboundIPRangeInclusionList[0]", ["no IPv4 range"]),
        ({"traffic": {"outboundIPRangeInclusionList": ["fd00::/8"]}}, "traffic.outboundIPRangeInclusionList[0]", ["IPv4 only"]),
        (
            {"traffic": {"outboundIPRangeInclusionList": ["10.0.0.0/255.0.0.0"]}},
            "traffic.outboundIPRangeInclusionList[0]",
            ["write 10.0.0.0/8"],
        ),
        ({"traffic": {"outboundIPRangeInclusionList": ["x10.0.0.0/8"]}}, "traffic.outboundIPRangeInclusionList[0]", ["no IPv4 range"]),
        ({"observability": {"remoteLogging": {"level": 3}}}, "observability.remoteLogging.level", ["at least 0 and at most 2"]),
        ({"certificate": {"ingressGateway": {"subjectAltNames": []}}}, "certificate.ingressGateway.subjectAltNames", ["have at least 1"]),
        (
            {"sidecar": {"sidecarDrivers": [{"sidecarName": "a", "proxyServerPort": 0}]}},
            "sidecar.sidecarDrivers[0].proxyServerPort",
            ["at least 1"],
        ),
        ({"traffic": []}, "traffic", ["must be a map"]),
    ],
)
def test_problems_say_where_why_and_what_instead(spec: Spec, path: str | None, parts: list[str]) -> None:
    problems = validate(spec, ROOT, partial=True)
    assert problems
    problem = problems[0] if path is not None else problems[-1]
    if path is not None:
        assert len(problems) == 1
        assert problem.path == path
    for part in parts:
        assert part in str(problem)


def test_required_fields_count_in_a_whole_spec_only() -> None:
    spec = {"repoServer": {"ipaddr": "127.0.0.1"}}
    assert validate(spec, ROOT, partial=True) == []
    assert [(problem.path, problem.fix) for problem in validate(spec, ROOT)] == [("repoServer.codebase", "add codebase")]


def test_a_definition_whose_enum_lost_its_quotes() -> None:
    schema = copy.deepcopy(ROOT)
    schema["properties"]["spec"]["properties"]["sidecar"]["properties"]["logLevel"]["enum"][-1] = False
    assert "is the boolean false, so the text is refused" in one({"sidecar": {"logLevel": "off"}}, schema).why
    assert 'write logLevel: "off"' in one({"sidecar": {"logLevel": False}}, schema).fix
    assert validate({"sidecar": {"logLevel": "error"}}, schema) == []


def test_what_the_definition_leaves_open_is_open() -> None:
    assert validate({"sidecar": {"resources": {"limits": {"cpu": "1", "memory": 5}}}}, ROOT) == []
    assert validate({"clusterSet": {"properties": [{"name": "a", "value": "b"}]}}, ROOT) == []
    assert validate({"anything": {"goes": 1}}, {"type": "object", "x-kubernetes-preserve-unknown-fields": True}) == []


def test_all_problems_at_once() -> None:
    spec = {"trafic": 1, "sidecar": {"logLevel": "x", "sidecarTimeout": "y"}, "traffic": {"outboundPortExclusionList": [0]}}
    assert [problem.path for problem in validate(spec, ROOT)] == [
        "trafic",
        "sidecar.logLevel",
        "sidecar.sidecarTimeout",
        "traffic.outboundPortExclusionList[0]",
    ]


def test_the_schema_of_a_version() -> None:
    crd = {"spec": {"versions": [{"name": "v1alpha1"}, {"name": "v1alpha2", "schema": {"openAPIV3Schema": ROOT}}]}}
    assert spec_schema(crd, "v1alpha2") == SPEC
    assert spec_schema(crd, "v1alpha1") is None
    assert spec_schema(crd, "v1alpha3") is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"certificate": {"serviceCertValidityDuration": "1d"}},
            'certificate.serviceCertValidityDuration is "1d": the control plane uses 24h',
        ),
        (
            {"certificate": {"serviceCertValidityDuration": "24"}},
            'certificate.serviceCertValidityDuration is "24": the control plane uses 24h',
        ),
        ({"certificate": {"serviceCertValidityDuration": "1h30m"}}, None),
        ({"certificate": {"serviceCertValidityDuration": "1.5h"}}, None),
        (
            {"certificate": {"ingressGateway": {"validityDuration": "x"}}},
            'certificate.ingressGateway.validityDuration is "x": the control plane uses 24h',
        ),
        ({"sidecar": {"configResyncInterval": "5 s"}}, 'sidecar.configResyncInterval is "5 s": the control plane uses 0s (no resync)'),
        ({"sidecar": {"configResyncInterval": "0s"}}, None),
        ({"sidecar": {"configResyncInterval": "0"}}, None),
        (
            {"traffic": {"inboundExternalAuthorization": {"timeout": "1"}}},
            'traffic.inboundExternalAuthorization.timeout is "1": the control plane uses 1s',
        ),
        ({"certificate": {"certKeyBitSize": 1024}}, "certificate.certKeyBitSize is 1024: the control plane uses 2048"),
        ({"certificate": {"certKeyBitSize": 8192}}, "certificate.certKeyBitSize is 8192: the control plane uses 2048"),
        ({"certificate": {"certKeyBitSize": 2048}}, None),
        ({"certificate": {"certKeyBitSize": 4096}}, None),
        ({"observability": {"tracing": {"port": 32767}}}, None),
        (
            {"observability": {"tracing": {"port": 40000}}},
            "observability.tracing.port is 40000: the control plane reads 16 bits with a sign and cannot load the MeshConfig",
        ),
        (PRESET_1_3, None),
    ],
)
def test_values_that_the_control_plane_would_replace(spec: dict[str, Any], expected: str | None) -> None:
    found = replaced_silently(spec, ObjectRef("MeshConfig", "osm-mesh-config", "osm-system"))
    assert [finding.what for finding in found] == ([] if expected is None else [expected])
    assert all(finding.severity == "warning" and finding.remedy for finding in found)


def test_true_is_not_one_in_an_enum() -> None:
    schema = {"type": "object", "properties": {"level": {"enum": [0, 1]}}}
    assert validate({"level": 1}, schema) == []
    assert [problem.path for problem in validate({"level": True}, schema)] == ["level"]
