# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CustomResourceDefinitions: what one consists of, and the manifest that its file has. Only MeshConfig has its real schema, the
others accept any ``spec``.

Source: osm-edge v1.2.3 and v1.3.9 cmd/osm-bootstrap/crds/.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .api import Object
from .meshconfig_schema import mesh_config_schema
from .products import FSM, Product
from .versions import Version

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
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


def manifest(crd: Crd, product: Product, version: Version) -> Object:
    """The definition as its file has it; those of osm-edge 1.1 say nothing about conversion."""
    labels = {"app.kubernetes.io/name": "flomesh.io" if product is FSM or crd.group == "flomesh.io" else product.domain}
    annotations = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"} if crd.group.endswith(".k8s.io") else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd.name, "labels": labels, **({"annotations": annotations} if annotations else {})},
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
            **({} if version < Version(1, 2) else {"conversion": {"strategy": "None"}}),
            "versions": [_version(crd, name, product, version) for name in crd.versions],
        },
    }


def _version(crd: Crd, name: str, product: Product, version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "served": True, "storage": name == crd.versions[0]}
    if crd.kind == "MeshConfig":
        found["schema"] = {"openAPIV3Schema": mesh_config_schema(product, version, name)}
        if name == "v1alpha1":
            found["deprecated"] = True
            found["deprecationWarning"] = f"{crd.group}/v1alpha1 MeshConfig is deprecated; use {crd.group}/{crd.versions[0]} MeshConfig"
    else:
        properties = {"spec": _ANYTHING, "status": _ANYTHING}
        found["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": True}}
    return found


def serves(found: Object | None, crd: Crd) -> bool:
    """Whether a definition in the cluster is established and serves what ``crd`` stores."""
    if found is None:
        return False
    # A definition that was just created has null there (apiextensions/v1 types.go: no omitempty), until a controller has looked at it.
    conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions") or []}
    served = {entry["name"] for entry in found["spec"]["versions"] if entry["served"]}
    return conditions.get("Established") == "True" and crd.versions[0] in served
