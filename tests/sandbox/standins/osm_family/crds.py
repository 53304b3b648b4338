# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CustomResourceDefinitions that each version of the control plane ships, in the order in which osm-bootstrap installs them.

Source: osm-edge v1.2.3 and v1.3.9 cmd/osm-bootstrap/crds/ (one file each, applied in the order of their names). Only
MeshConfig has its real schema; the others accept any ``spec``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .api import Object
from .meshconfig_schema import mesh_config_schema
from .versions import Version

_CONFIG, _POLICY, _PLUGIN = "config.openservicemesh.io", "policy.openservicemesh.io", "plugin.flomesh.io"
_V1_2, _V1_3 = Version(1, 2), Version(1, 3)
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class Crd(NamedTuple):
    """One definition; the first of ``versions`` is the stored one."""

    kind: str
    plural: str
    group: str
    versions: tuple[str, ...]
    short_names: tuple[str, ...] = ()
    scope: str = "Namespaced"

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}"


def crds(version: Version) -> tuple[Crd, ...]:
    """What that version installs; LookupError for a version that this stand-in cannot play."""
    if version < _V1_2 or version >= Version(1, 4):
        raise LookupError(f"this stand-in plays osm-edge 1.2 and 1.3, not {version}")
    new = version >= _V1_3
    split = ("v1alpha4", "v1alpha2") if new else ("v1alpha2",)
    multicluster = (
        Crd("GlobalTrafficPolicy", "globaltrafficpolicies", "flomesh.io", ("v1alpha1",), ("gtp",)),
        Crd("ServiceExport", "serviceexports", "flomesh.io", ("v1alpha1",), ("svcexp",)),
        Crd("ServiceImport", "serviceimports", "flomesh.io", ("v1alpha1",), ("svcimp",)),
    )
    plugins = (
        Crd("Plugin", "plugins", _PLUGIN, ("v1alpha1",), scope="Cluster"),
        Crd("PluginChain", "pluginchains", _PLUGIN, ("v1alpha1",)),
        Crd("PluginConfig", "pluginconfigs", _PLUGIN, ("v1alpha1",)),
    )
    return (
        Crd("MeshRootCertificate", "meshrootcertificates", _CONFIG, ("v1alpha2",), ("mrc",)),
        Crd("MeshConfig", "meshconfigs", _CONFIG, ("v1alpha2", "v1alpha1"), ("meshconfig",)),
        *(multicluster if new else ()),
        *(plugins if new else ()),
        Crd("AccessCert", "accesscerts", _POLICY, ("v1alpha1",)),
        Crd("AccessControl", "accesscontrols", _POLICY, ("v1alpha1",)),
        Crd("Egress", "egresses", _POLICY, ("v1alpha1",), ("egress",)),
        Crd("EgressGateway", "egressgateways", _POLICY, ("v1alpha1",), ("egressgateway",)),
        Crd("IngressBackend", "ingressbackends", _POLICY, ("v1alpha1",), ("ingressbackend",)),
        Crd("Retry", "retries", _POLICY, ("v1alpha1",), ("retry",)),
        Crd("UpstreamTrafficSetting", "upstreamtrafficsettings", _POLICY, ("v1alpha1",), ("upstreamtrafficsetting",)),
        Crd("HTTPRouteGroup", "httproutegroups", "specs.smi-spec.io", ("v1alpha4",), ("htr",)),
        Crd("TCPRoute", "tcproutes", "specs.smi-spec.io", ("v1alpha4",), ("tr",)),
        Crd("TrafficTarget", "traffictargets", "access.smi-spec.io", ("v1alpha3",), ("tt",)),
        Crd("TrafficSplit", "trafficsplits", "split.smi-spec.io", split, ("ts",)),
    )


def manifest(crd: Crd, version: Version) -> Object:
    """The definition as its file has it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": crd.name,
            "labels": {"app.kubernetes.io/name": "flomesh.io" if crd.group == "flomesh.io" else "openservicemesh.io"},
        },
        "spec": {
            "group": crd.group,
            "scope": crd.scope,
            "names": {
                "kind": crd.kind,
                "listKind": f"{crd.kind}List",
                "plural": crd.plural,
                "singular": crd.kind.lower(),
                **({"shortNames": list(crd.short_names)} if crd.short_names else {}),
            },
            "conversion": {"strategy": "None"},
            "versions": [_version(crd, name, version) for name in crd.versions],
        },
    }


def _version(crd: Crd, name: str, version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "served": True, "storage": name == crd.versions[0]}
    if crd.kind == "MeshConfig":
        found["schema"] = {"openAPIV3Schema": mesh_config_schema(version, name)}
        if name == "v1alpha1":
            found["deprecated"] = True
            found["deprecationWarning"] = f"{crd.group}/v1alpha1 MeshConfig is deprecated; use {crd.group}/v1alpha2 MeshConfig"
    else:
        properties = {"spec": _ANYTHING, "status": _ANYTHING}
        found["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": True}}
    return found


def serves(found: Object | None, crd: Crd) -> bool:
    """Whether a definition in the cluster is established and serves what ``crd`` stores."""
    if found is None:
        return False
    conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}
    served = {entry["name"] for entry in found["spec"]["versions"] if entry["served"]}
    return conditions.get("Established") == "True" and crd.versions[0] in served
