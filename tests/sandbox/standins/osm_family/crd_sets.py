# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CustomResourceDefinitions each release ships, in the order of their files, in which they are installed.

Sources: the files of osm-edge v1.1.1 (image osm-edge-crds), v1.2.3 and v1.3.9 and of osm v1.2.4 in cmd/osm-bootstrap/crds/;
fsm v1.5.1 cmd/fsm-bootstrap/crds/. FSM 1.5 ships 62, 1.4 about as many: here are those of mesh configuration, policies, plugins,
connectors, several clusters, ingress, SMI, and the three of the Gateway API that every gateway needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .crds import Crd
from .products import FSM, OSM, OSM_EDGE, Product
from .versions import Version

_CONFIG, _POLICY, _PLUGIN = "config.openservicemesh.io", "policy.openservicemesh.io", "plugin.flomesh.io"
_SPECS = "specs.smi-spec.io"
_V1 = ("v1alpha1",)

_MESH_CONFIG = Crd("MeshConfig", "meshconfigs", _CONFIG, ("v1alpha2", "v1alpha1"), ("meshconfig",))
_MESH_ROOT_CERTIFICATE = Crd("MeshRootCertificate", "meshrootcertificates", _CONFIG, ("v1alpha2",), ("mrc",))
_MULTICLUSTER_SERVICE = Crd("MultiClusterService", "multiclusterservices", _CONFIG, ("v1alpha2", "v1alpha1"), ("mcs",))
_ACCESS = (
    Crd("AccessCert", "accesscerts", _POLICY, _V1),
    Crd("AccessControl", "accesscontrols", _POLICY, _V1),
)
_EGRESS = Crd("Egress", "egresses", _POLICY, _V1, ("egress",))
_EGRESS_GATEWAY = Crd("EgressGateway", "egressgateways", _POLICY, _V1, ("egressgateway",))
_POLICIES = (
    Crd("IngressBackend", "ingressbackends", _POLICY, _V1, ("ingressbackend",)),
    Crd("Retry", "retries", _POLICY, _V1, ("retry",)),
    Crd("UpstreamTrafficSetting", "upstreamtrafficsettings", _POLICY, _V1, ("upstreamtrafficsetting",)),
)
_EDGE_MULTICLUSTER = (
    Crd("GlobalTrafficPolicy", "globaltrafficpolicies", "flomesh.io", _V1, ("gtp",)),
    Crd("ServiceExport", "serviceexports", "flomesh.io", _V1, ("svcexp",)),
    Crd("ServiceImport", "serviceimports", "flomesh.io", _V1, ("svcimp",)),
)
_PLUGINS = (
    Crd("Plugin", "plugins", _PLUGIN, _V1, scope="Cluster"),
    Crd("PluginChain", "pluginchains", _PLUGIN, _V1),
    Crd("PluginConfig", "pluginconfigs", _PLUGIN, _V1),
)


def _smi(split: tuple[str, ...]) -> tuple[Crd, ...]:
    return (
        Crd("HTTPRouteGroup", "httproutegroups", _SPECS, ("v1alpha4",), ("htr",)),
        Crd("TCPRoute", "tcproutes", _SPECS, ("v1alpha4",), ("tr",)),
        Crd("TrafficTarget", "traffictargets", "access.smi-spec.io", ("v1alpha3",), ("tt",)),
        Crd("TrafficSplit", "trafficsplits", "split.smi-spec.io", split, ("ts",)),
    )


def _edge_1_1() -> tuple[Crd, ...]:
    return (_MESH_CONFIG, _MULTICLUSTER_SERVICE, _EGRESS, *_POLICIES, *_smi(("v1alpha2",)))


def _edge_1_2() -> tuple[Crd, ...]:
    return (_MESH_ROOT_CERTIFICATE, _MESH_CONFIG, *_ACCESS, _EGRESS, _EGRESS_GATEWAY, *_POLICIES, *_smi(("v1alpha2",)))


def _edge_1_3() -> tuple[Crd, ...]:
    policies = (*_ACCESS, _EGRESS, _EGRESS_GATEWAY, *_POLICIES)
    return (_MESH_ROOT_CERTIFICATE, _MESH_CONFIG, *_EDGE_MULTICLUSTER, *_PLUGINS, *policies, *_smi(("v1alpha4", "v1alpha2")))


def _osm_1_2() -> tuple[Crd, ...]:
    return (_MESH_ROOT_CERTIFICATE, _MESH_CONFIG, _EGRESS, *_POLICIES, *_smi(("v1alpha2",)))


def _fsm() -> tuple[Crd, ...]:
    config, connector, multicluster = "config.flomesh.io", "connector.flomesh.io", "multicluster.flomesh.io"
    plugin, policy, gateway = "plugin.flomesh.io", "policy.flomesh.io", "gateway.networking.k8s.io"
    connectors = ("Consul", "Eureka", "Gateway", "Machine", "Nacos")
    policies = {
        "AccessCert": "accesscerts", "AccessControl": "accesscontrols", "Egress": "egresses", "EgressGateway": "egressgateways",
        "IngressBackend": "ingressbackends", "Isolation": "isolations", "Retry": "retries", "TrafficWarmup": "trafficwarmups",
        "UpstreamTrafficSetting": "upstreamtrafficsettings",
    }  # fmt: skip
    return (
        Crd("MeshConfig", "meshconfigs", config, ("v1alpha3", "v1alpha2", "v1alpha1"), ("meshconfig",)),
        Crd("MeshRootCertificate", "meshrootcertificates", config, ("v1alpha3", "v1alpha2"), ("mrc",)),
        *(Crd(f"{name}Connector", f"{name.lower()}connectors", connector, _V1, scope="Cluster") for name in connectors),
        Crd("GatewayClass", "gatewayclasses", gateway, ("v1", "v1beta1"), ("gc",), "Cluster"),
        Crd("Gateway", "gateways", gateway, ("v1", "v1beta1"), ("gtw",)),
        Crd("HTTPRoute", "httproutes", gateway, ("v1", "v1beta1")),
        Crd("Cluster", "clusters", multicluster, _V1, scope="Cluster"),
        Crd("GlobalTrafficPolicy", "globaltrafficpolicies", multicluster, _V1, ("gtp",)),
        Crd("ServiceExport", "serviceexports", multicluster, _V1, ("svcexp",)),
        Crd("ServiceImport", "serviceimports", multicluster, _V1, ("svcimp",)),
        Crd("NamespacedIngress", "namespacedingresses", "networking.flomesh.io", _V1, ("nsig",)),
        Crd("PluginChain", "pluginchains", plugin, _V1),
        Crd("PluginConfig", "pluginconfigs", plugin, _V1),
        Crd("Plugin", "plugins", plugin, _V1, scope="Cluster"),
        *(Crd(kind, plural, policy, _V1) for kind, plural in policies.items()),
        *_smi(("v1alpha4", "v1alpha2")),
    )


_SETS: Mapping[tuple[str, int, int], Callable[[], tuple[Crd, ...]]] = {
    (OSM_EDGE.name, 1, 1): _edge_1_1,
    (OSM_EDGE.name, 1, 2): _edge_1_2,
    (OSM_EDGE.name, 1, 3): _edge_1_3,
    (OSM.name, 1, 2): _osm_1_2,
    (FSM.name, 1, 4): _fsm,
    (FSM.name, 1, 5): _fsm,
}


def crds(product: Product, version: Version) -> tuple[Crd, ...]:
    """What that release installs; LookupError for one that this stand-in cannot play."""
    found = _SETS.get((product.name, version.major, version.minor))
    if found is None:
        known = ", ".join(f"{name} {major}.{minor}" for name, major, minor in _SETS)
        raise LookupError(f"this stand-in plays {known}, not {product.name} {version}")
    return found()
