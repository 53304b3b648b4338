# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chart values that reach only the preset of the MeshConfig, and what they are in the MeshConfig.

The preset is read once, when there is no MeshConfig yet, so on an upgrade such a value does nothing. Given in this call it
is meant for now, so it becomes a MeshConfig setting. Source: ``charts/*/templates/preset-mesh-config.yaml``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import overlay
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_COMMON: dict[str, str] = {
    "enablePrivilegedInitContainer": "sidecar.enablePrivilegedInitContainer",
    "maxDataPlaneConnections": "sidecar.maxDataPlaneConnections",
    "configResyncInterval": "sidecar.configResyncInterval",
    "localProxyMode": "sidecar.localProxyMode",
    "enableEgress": "traffic.enableEgress",
    "enablePermissiveTrafficPolicy": "traffic.enablePermissiveTrafficPolicyMode",
    "outboundPortExclusionList": "traffic.outboundPortExclusionList",
    "inboundPortExclusionList": "traffic.inboundPortExclusionList",
    "outboundIPRangeExclusionList": "traffic.outboundIPRangeExclusionList",
    "outboundIPRangeInclusionList": "traffic.outboundIPRangeInclusionList",
    "networkInterfaceExclusionList": "traffic.networkInterfaceExclusionList",
    "enableDebugServer": "observability.enableDebugServer",
    "tracing.enable": "observability.tracing.enable",
    "tracing.port": "observability.tracing.port",
    "tracing.address": "observability.tracing.address",
    "tracing.endpoint": "observability.tracing.endpoint",
    "certificateProvider.serviceCertValidityDuration": "certificate.serviceCertValidityDuration",
    "certificateProvider.certKeyBitSize": "certificate.certKeyBitSize",
    **{
        f"featureFlags.{flag}": f"featureFlags.{flag}"
        for flag in (
            "enableWASMStats",
            "enableEgressPolicy",
            "enableSnapshotCacheMode",
            "enableAsyncProxyServiceMapping",
            "enableIngressBackendPolicy",
            "enableRetryPolicy",
        )
    },
}

_FLOMESH: dict[str, str] = {
    "trafficInterceptionMode": "traffic.interceptionMode",
    "http1PerRequestLoadBalancing": "traffic.http1PerRequestLoadBalancing",
    "http2PerRequestLoadBalancing": "traffic.http2PerRequestLoadBalancing",
    "localDNSProxy": "sidecar.localDNSProxy",
    "pluginChains": "pluginChains",
    "repoServer.ipaddr": "repoServer.ipaddr",
    "repoServer.codebase": "repoServer.codebase",
    "tracing.sampledFraction": "observability.tracing.sampledFraction",
    **{
        f"remoteLogging.{key}": f"observability.remoteLogging.{key}"
        for key in ("enable", "level", "port", "address", "endpoint", "authorization", "sampledFraction")
    },
    **{
        f"featureFlags.{flag}": f"featureFlags.{flag}"
        for flag in ("enableAccessControlPolicy", "enableAccessCertPolicy", "enableSidecarActiveHealthChecks", "enablePluginPolicy")
    },
}

# Values that templates read as well, but that the MeshConfig overrides while it has the field.
_EFFECTS: dict[str, dict[str, str]] = {
    OSM_EDGE.id: {
        **_COMMON,
        **_FLOMESH,
        "sidecarLogLevel": "sidecar.logLevel",
        "sidecarClass": "sidecar.sidecarClass",
        "sidecarImage": "sidecar.sidecarImage",
        "sidecarDrivers": "sidecar.sidecarDrivers",
        "sidecarTimeout": "sidecar.sidecarTimeout",
        "controllerLogLevel": "observability.osmLogLevel",
        "featureFlags.enableMulticlusterMode": "featureFlags.enableMulticlusterMode",
    },
    OSM.id: {
        **_COMMON,
        "envoyLogLevel": "sidecar.logLevel",
        "controllerLogLevel": "observability.osmLogLevel",
        "featureFlags.enableEnvoyActiveHealthChecks": "featureFlags.enableEnvoyActiveHealthChecks",
    },
    FSM.id: {
        **_COMMON,
        **_FLOMESH,
        "sidecar.sidecarLogLevel": "sidecar.logLevel",
        "sidecar.sidecarTimeout": "sidecar.sidecarTimeout",
        "sidecar.sidecarDisabledMTLS": "sidecar.sidecarDisabledMTLS",
        "sidecar.compressConfig": "sidecar.compressConfig",
        "controllerLogLevel": "observability.fsmLogLevel",
        "serviceAccessMode": "traffic.serviceAccessMode",
        "repoServer.port": "repoServer.port",
        "remoteLogging.secretName": "observability.remoteLogging.secretName",
        **{
            f"featureFlags.{flag}": f"featureFlags.{flag}"
            for flag in (
                "enableSidecarPrettyConfig",
                "enableAutoDefaultRoute",
                "enableValidateGatewayListenerHostname",
                "enableValidateHTTPRouteHostnames",
                "enableValidateGRPCRouteHostnames",
                "enableValidateTLSRouteHostnames",
                "dropRouteRuleIfNoAvailableBackends",
            )
        },
    },
}

# Only read by the hook that runs before a first installation.
_INSTALL_ONLY = ("preinstall",)


class Translated(NamedTuple):
    """Values as a partial MeshConfig spec, which value became which field, and findings for the reader."""

    spec: dict[str, Any]
    paths: dict[str, str]
    findings: list[Finding]


# fsm writes its sidecar's image in parts; its MeshConfig has them as one.
_SIDECAR_IMAGE, _IMAGE_PARTS = ("sidecar", "image"), ("registry", "name", "tag")


def preset_only_effects(user_values: Mapping[str, Any], product: Product) -> dict[str, str]:
    """Return those of the given values that reach only the preset: value path to MeshConfig path."""
    root = product.values_root
    given = ((value, field) for value, field in _EFFECTS[product.id].items() if _at(user_values, (root, *value.split("."))) is not None)
    return {f"{root}.{value}": field for value, field in given}


def translate(
    passed_values: Mapping[str, Any],
    mesh_config: Mapping[str, Any],
    product: Product,
    namespace: str,
    chart_values: Mapping[str, Any] | None = None,
) -> Translated:
    """Turn values given in this call into MeshConfig settings, with the option ``mesh_config`` over them.

    ``chart_values`` are the target chart's defaults: they complete an image of which only a part was given. Raises LifecycleError when
    ``mesh_config`` cannot be merged. Give the result to ``merge`` as its ``user_spec``.
    """
    target = ObjectRef("MeshConfig", product.mesh_config_name, namespace)
    spec: dict[str, Any] = {}
    findings: list[Finding] = []
    paths = preset_only_effects(passed_values, product)
    wanted = {value_path: copy.deepcopy(_at(passed_values, tuple(value_path.split(".")))) for value_path in paths}
    image = _sidecar_image(passed_values, chart_values or {}, product)
    if image:
        value_path = ".".join((product.values_root, *_SIDECAR_IMAGE))
        paths, wanted = {**paths, value_path: f"sidecar.{product.sidecar_image_field}"}, {**wanted, value_path: image}
    for value_path, field in paths.items():
        value = wanted[value_path]
        for key in reversed(field.split(".")):
            value = {key: value}
        overlay(spec, value)
        what = f"the value {value_path} is applied as {field} of the MeshConfig"
        why = "the chart writes it only into the preset, which is read when there is no MeshConfig yet"
        findings.append(Finding("info", "value-applied-to-mesh-config", target, what, why, f"set it in mesh_config as {field}"))
    overlay(spec, mesh_config)
    for key in _INSTALL_ONLY:
        if _at(passed_values, (product.values_root, key)) is not None:
            what = f"the value {product.values_root}.{key} has no effect on an upgrade"
            why = "only the hook before a first installation reads it"
            findings.append(Finding("warning", "value-without-effect", target, what, why, "leave it out"))
    return Translated(spec, paths, findings)


def _sidecar_image(passed_values: Mapping[str, Any], chart_values: Mapping[str, Any], product: Product) -> str:
    """Return the image whose parts were given in this call, completed by the chart's; empty when none was given."""
    path = (product.values_root, *_SIDECAR_IMAGE)
    given, default = _at(passed_values, path), _at(chart_values, path)
    if product.id != FSM.id or not isinstance(given, Mapping):
        return ""
    parts = {**(default if isinstance(default, Mapping) else {}), **given}
    if not given or not all(parts.get(part) for part in _IMAGE_PARTS):
        return ""
    return f"{parts['registry']}/{parts['name']}:{parts['tag']}"


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
