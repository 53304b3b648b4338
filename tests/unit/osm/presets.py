# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Presets and live specs of osm-edge as its charts and its bootstrap write them (written down here, not taken from the code)."""

from __future__ import annotations

import copy
from typing import Any

Spec = dict[str, Any]


def _driver(tag: str, repository: str = "flomesh/pipy") -> list[Spec]:
    return [
        {"sidecarName": "pipy", "sidecarImage": f"{repository}:{tag}", "proxyServerPort": 6060},
        {"sidecarName": "envoy", "sidecarImage": "envoyproxy/envoy:v1.19.3", "proxyServerPort": 15128},
    ]


PRESET_1_1: Spec = {
    "sidecar": {
        "enablePrivilegedInitContainer": False,
        "logLevel": "error",
        "maxDataPlaneConnections": 0,
        "configResyncInterval": "0s",
        "sidecarClass": "pipy",
        "sidecarImage": "",
        "sidecarDrivers": _driver("0.50.0-25"),
    },
    "traffic": {
        "enableEgress": False,
        "enablePermissiveTrafficPolicyMode": False,
        "outboundPortExclusionList": [],
        "inboundPortExclusionList": [],
        "outboundIPRangeExclusionList": [],
        "outboundIPRangeInclusionList": [],
    },
    "observability": {"enableDebugServer": False, "osmLogLevel": "info", "tracing": {"enable": False}},
    "certificate": {"serviceCertValidityDuration": "24h", "certKeyBitSize": 2048},
    "featureFlags": {"enableWASMStats": True, "enableEgressPolicy": True, "enableRetryPolicy": False},
}

PRESET_1_2: Spec = copy.deepcopy(PRESET_1_1)
PRESET_1_2["sidecar"].update(sidecarDrivers=_driver("0.70.0-46"), localProxyMode="Localhost")
PRESET_1_2["traffic"].update(enableEgress=True, enablePermissiveTrafficPolicyMode=True, networkInterfaceExclusionList=[])
PRESET_1_2["observability"]["remoteLogging"] = {"enable": False}

PRESET_1_3: Spec = copy.deepcopy(PRESET_1_2)
PRESET_1_3["clusterSet"] = {"properties": []}
PRESET_1_3["sidecar"].update(sidecarDrivers=_driver("0.90.3-38"), sidecarTimeout=60, localDNSProxy={"enable": False})
PRESET_1_3["traffic"]["interceptionMode"] = "iptables"
PRESET_1_3["repoServer"] = {"ipaddr": "127.0.0.1", "codebase": ""}
PRESET_1_3["featureFlags"]["enablePluginPolicy"] = False
PRESET_1_3["pluginChains"] = {
    "inbound-tcp": [
        {"plugin": "modules/inbound-tls-termination", "priority": 130},
        {"plugin": "modules/inbound-tcp-routing", "priority": 120},
    ],
    "outbound-http": [{"plugin": "modules/outbound-http-routing", "priority": 160}],
}

PRESETS: dict[str, Spec] = {"1.1.3": PRESET_1_1, "1.2.3": PRESET_1_2, "1.3.9": PRESET_1_3}


def installed(preset: Spec) -> Spec:
    """Return the spec that bootstrap's typed client stores: zero values of ``omitempty`` fields are left out."""
    spec = copy.deepcopy(preset)
    for key in ("maxDataPlaneConnections", "sidecarImage"):
        spec["sidecar"].pop(key, None)
    return spec
