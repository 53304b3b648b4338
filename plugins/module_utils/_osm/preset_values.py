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
    },
}

# Only read by the hook that runs before a first installation.
_INSTALL_ONLY = ("preinstall",)


class Translated(NamedTuple):
    """Values as a partial MeshConfig spec, which value became which field, and findings for the reader."""

    spec: dict[str, Any]
    paths: dict[str, str]
    findings: list[Finding]


def preset_only_effects(user_values: Mapping[str, Any], product: Product) -> dict[str, str]:
    """Return those of the given values that reach only the preset: value path to MeshConfig path."""
    root = product.values_root
    given = ((value, field) for value, field in _EFFECTS[product.id].items() if _at(user_values, (root, *value.split("."))) is not None)
    return {f"{root}.{value}": field for value, field in given}


def translate(passed_values: Mapping[str, Any], mesh_config: Mapping[str, Any], product: Product, namespace: str) -> Translated:
    """Turn values given in this call into MeshConfig settings, with the option ``mesh_config`` over them.

    Raises LifecycleError when ``mesh_config`` cannot be merged. Give the result to ``merge`` as its ``user_spec``.
    """
    target = ObjectRef("MeshConfig", product.mesh_config_name, namespace)
    spec: dict[str, Any] = {}
    findings: list[Finding] = []
    paths = preset_only_effects(passed_values, product)
    for value_path, field in paths.items():
        value = copy.deepcopy(_at(passed_values, tuple(value_path.split("."))))
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


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
