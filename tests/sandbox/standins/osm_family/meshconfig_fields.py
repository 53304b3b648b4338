# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of a MeshConfig, as data: what the CustomResourceDefinition says about each, and what the typed client does.

Source: osm-edge v1.2.3 and v1.3.9, cmd/osm-bootstrap/crds/config_meshconfig.yaml (schema) and
pkg/apis/config/v1alpha2/mesh_config.go (the Go types: which fields a zero value is dropped from).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .versions import Version

ALWAYS = Version(0, 0)


@dataclass(frozen=True)
class Field:
    """One field. ``fields`` makes it an object (or, with ``array``, a list of objects); ``keep_zero`` is a Go field without
    ``omitempty``; ``go_name`` the key that the Go type reads and writes where that differs; ``older`` whether v1alpha1 has it.
    """

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    array: bool = False
    required: bool = False
    keep_zero: bool = False
    pointer: bool = False
    since: Version = ALWAYS
    older: bool = True
    go_name: str = ""


_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_BOOLEAN = {"type": "boolean"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_STRINGS = {"type": "array", "items": _STRING}
_PORTS = {"type": "array", "items": _PORT}
_RANGES = {"type": "array", "items": {"type": "string", "pattern": r"((?:\d{1,3}\.){3}\d{1,3})\/(\d{1,2})$"}}
_TLS = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"]
# The shipped file says `off` without quotes, which YAML reads as false: the string "off" is refused.
_LOG_LEVELS = ["trace", "debug", "info", "warning", "warn", "error", "critical", False]
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

V1_2, V1_3, V1_3_4, V1_3_9 = Version(1, 2), Version(1, 3), Version(1, 3, 4), Version(1, 3, 9)


def _flag(name: str, since: Version = ALWAYS, *, keep_zero: bool = True) -> Field:
    return Field(name, _BOOLEAN, keep_zero=keep_zero, since=since)


_DRIVER = (
    Field("sidecarName", _STRING, required=True),
    Field("sidecarImage", _STRING),
    # The Go type misspells its key, so that what the preset says here never reaches the object.
    Field("sidecarWindowsImage", _STRING, go_name="sidecarImageWindowsImage"),
    Field("initContainerImage", _STRING),
    Field("proxyServerPort", _PORT, keep_zero=True),
    Field("sidecarDisabledMTLS", _BOOLEAN, keep_zero=True),
)

_SIDECAR = (
    _flag("enablePrivilegedInitContainer"),
    Field("logLevel", _STRING | {"enum": _LOG_LEVELS}),
    Field("maxDataPlaneConnections", _INTEGER),
    Field("sidecarTimeout", _INTEGER, since=V1_3_9, older=False),
    Field("sidecarClass", _STRING | {"enum": ["pipy", "envoy"]}),
    Field("sidecarImage", _STRING),
    Field("sidecarWindowsImage", _STRING, go_name="SidecarImageWindowsImage"),
    Field("initContainerImage", _STRING),
    Field("sidecarDrivers", fields=_DRIVER, array=True),
    Field("resources", fields=(Field("limits", _FREE), Field("requests", _FREE))),
    Field("configResyncInterval", _STRING),
    Field("tlsMinProtocolVersion", _STRING | {"enum": _TLS, "default": "TLSv1_2"}, older=False),
    Field("tlsMaxProtocolVersion", _STRING | {"enum": _TLS, "default": "TLSv1_3"}, older=False),
    Field("cipherSuites", _STRINGS, older=False),
    Field("ecdhCurves", _STRINGS, older=False),
    Field("localProxyMode", _STRING | {"enum": ["Localhost", "PodIP"], "default": "Localhost"}, since=V1_2, older=False),
    Field(
        "localDNSProxy",
        since=V1_3,
        older=False,
        fields=(
            _flag("enable"),
            Field("primaryUpstreamDNSServerIPAddr", _STRING),
            Field("secondaryUpstreamDNSServerIPAddr", _STRING),
        ),
    ),
)

_EXTERNAL_AUTHORIZATION = (
    _flag("enable"),
    Field("address", _STRING),
    Field("port", _PORT),
    Field("statPrefix", _STRING | {"default": "inboundExtAuthz"}),
    Field("timeout", _STRING | {"default": "1s"}),
    _flag("failureModeAllow"),
)


def _traffic(version: Version) -> tuple[Field, ...]:
    modes = ["iptables", "ebpf", "none"] if version >= V1_3_4 else ["iptables", "ebpf"]
    return (
        Field("interceptionMode", _STRING | {"enum": modes}, keep_zero=True, since=V1_3, older=False),
        _flag("enableEgress"),
        _flag("http1PerRequestLoadBalancing", V1_3_9),
        _flag("http2PerRequestLoadBalancing", V1_3_9),
        Field("outboundIPRangeExclusionList", _RANGES, keep_zero=True),
        Field("outboundIPRangeInclusionList", _RANGES, keep_zero=True, older=False),
        Field("outboundPortExclusionList", _PORTS, keep_zero=True),
        Field("inboundPortExclusionList", _PORTS, keep_zero=True),
        Field("networkInterfaceExclusionList", _STRINGS, keep_zero=True, since=V1_2, older=False),
        _flag("enablePermissiveTrafficPolicyMode"),
        Field("inboundExternalAuthorization", fields=_EXTERNAL_AUTHORIZATION),
    )


_OBSERVABILITY = (
    Field("osmLogLevel", _STRING),
    _flag("enableDebugServer"),
    Field(
        "tracing",
        fields=(
            _flag("enable"),
            Field("port", _INTEGER),
            Field("address", _STRING),
            Field("endpoint", _STRING),
            Field("sampledFraction", _STRING, pointer=True, since=V1_3),
        ),
    ),
    Field(
        "remoteLogging",
        fields=(
            _flag("enable"),
            Field("level", _INTEGER | {"minimum": 0, "maximum": 2}, since=V1_3),
            Field("port", _INTEGER),
            Field("address", _STRING),
            Field("endpoint", _STRING),
            Field("authorization", _STRING),
            Field("sampledFraction", _STRING, pointer=True, since=V1_3),
        ),
    ),
)

_GATEWAY_SECRET = (Field("name", _STRING, required=True), Field("namespace", _STRING, required=True))
_CERTIFICATE = (
    Field("serviceCertValidityDuration", _STRING, required=True),
    Field("certKeyBitSize", _INTEGER, required=True),
    Field(
        "ingressGateway",
        pointer=True,
        fields=(
            Field("subjectAltNames", _STRINGS | {"minItems": 1}, required=True, keep_zero=True),
            Field("validityDuration", _STRING, required=True, keep_zero=True),
            Field("secret", fields=_GATEWAY_SECRET, required=True),
        ),
    ),
)

_FEATURE_FLAGS = (
    _flag("enableWASMStats"),
    _flag("enableEgressPolicy"),
    # In the schema, "deprecated, no longer used"; not in the Go type any more.
    Field("enableMulticlusterMode", _BOOLEAN, pointer=True),
    _flag("enableSnapshotCacheMode"),
    _flag("enableAsyncProxyServiceMapping"),
    _flag("enableIngressBackendPolicy"),
    _flag("enableAccessControlPolicy", V1_2),
    _flag("enableAccessCertPolicy", V1_2),
    _flag("enableSidecarActiveHealthChecks"),
    _flag("enableRetryPolicy"),
    _flag("enablePluginPolicy", V1_3),
)

_PLUGIN = (
    Field("plugin", _STRING, required=True, keep_zero=True),
    Field("priority", {"type": "number"}, required=True, keep_zero=True),
    Field("disable", _BOOLEAN),
)
_CHAINS = tuple(
    Field(name, fields=_PLUGIN, array=True, keep_zero=True) for name in ("inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http")
)
_PROPERTY = (Field("name", _STRING, required=True, keep_zero=True), Field("value", _STRING, required=True, keep_zero=True))
_REPO_SERVER = (
    Field("ipaddr", _STRING, required=True, keep_zero=True),
    Field("codebase", _STRING, required=True, keep_zero=True),
)


def mesh_config_fields(version: Version) -> tuple[Field, ...]:
    """The fields of ``spec`` in that version of the control plane."""
    return (
        Field("clusterSet", fields=(Field("properties", fields=_PROPERTY, array=True, keep_zero=True),), since=V1_3, older=False),
        Field("sidecar", fields=_SIDECAR),
        Field("repoServer", fields=_REPO_SERVER, since=V1_3, older=False),
        Field("traffic", fields=_traffic(version)),
        Field("observability", fields=_OBSERVABILITY),
        Field("certificate", fields=_CERTIFICATE),
        Field("featureFlags", fields=_FEATURE_FLAGS),
        Field("pluginChains", fields=_CHAINS, since=V1_3, older=False),
    )
