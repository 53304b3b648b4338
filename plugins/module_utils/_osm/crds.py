# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CustomResourceDefinitions that a control plane's version installs.

Source: osm-edge v1.1.0, v1.2.3 and v1.3.9 ``cmd/osm-bootstrap/crds``, osm v1.2.4 the same. The definitions carry no mesh's
name, and those of SMI and ``flomesh.io`` are shared between products.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM, OSM_EDGE, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import Minor, parse


class Crd(NamedTuple):
    """One definition: the versions that it serves, and the one that is stored."""

    name: str
    served: tuple[str, ...]
    storage: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group."""
        return self.name.partition(".")[2]

    @property
    def plural(self) -> str:
        """The resource's name in paths."""
        return self.name.partition(".")[0]

    @property
    def app_name(self) -> str:
        """Value of the label ``app.kubernetes.io/name`` that it is installed with."""
        return "flomesh.io" if self.group == "flomesh.io" else "openservicemesh.io"


_CONFIG = "config.openservicemesh.io"
_POLICY = "policy.openservicemesh.io"


def _crds(group: str, version: str, *plurals: str) -> tuple[Crd, ...]:
    return tuple(Crd(f"{plural}.{group}", (version,), version) for plural in plurals)


_MESH_CONFIG = Crd(f"meshconfigs.{_CONFIG}", ("v1alpha2", "v1alpha1"), "v1alpha2")
_MULTICLUSTER = Crd(f"multiclusterservices.{_CONFIG}", ("v1alpha2", "v1alpha1"), "v1alpha2")
_ROOT_CERTIFICATE = _crds(_CONFIG, "v1alpha2", "meshrootcertificates")
_BASE_POLICY = _crds(_POLICY, "v1alpha1", "egresses", "ingressbackends", "retries", "upstreamtrafficsettings")
_ACCESS_POLICY = _crds(_POLICY, "v1alpha1", "accesscerts", "accesscontrols", "egressgateways")
_PLUGIN = (
    Crd("plugins.plugin.flomesh.io", ("v1alpha1",), "v1alpha1", namespaced=False),
    *_crds("plugin.flomesh.io", "v1alpha1", "pluginchains", "pluginconfigs"),
)
_MULTICLUSTER_FLOMESH = _crds("flomesh.io", "v1alpha1", "globaltrafficpolicies", "serviceexports", "serviceimports")
_SMI = (
    *_crds("specs.smi-spec.io", "v1alpha4", "httproutegroups", "tcproutes"),
    *_crds("access.smi-spec.io", "v1alpha3", "traffictargets"),
)
_SPLIT_OLD = _crds("split.smi-spec.io", "v1alpha2", "trafficsplits")
_SPLIT = (Crd("trafficsplits.split.smi-spec.io", ("v1alpha4", "v1alpha2"), "v1alpha4"),)

_SETS: dict[tuple[str, Minor], tuple[Crd, ...]] = {
    (OSM_EDGE.id, Minor(1, 1)): (_MESH_CONFIG, _MULTICLUSTER, *_BASE_POLICY, *_SMI, *_SPLIT_OLD),
    (OSM_EDGE.id, Minor(1, 2)): (_MESH_CONFIG, *_ROOT_CERTIFICATE, *_BASE_POLICY, *_ACCESS_POLICY, *_SMI, *_SPLIT_OLD),
    (OSM_EDGE.id, Minor(1, 3)): (
        _MESH_CONFIG,
        *_ROOT_CERTIFICATE,
        *_BASE_POLICY,
        *_ACCESS_POLICY,
        *_PLUGIN,
        *_MULTICLUSTER_FLOMESH,
        *_SMI,
        *_SPLIT,
    ),
    (OSM.id, Minor(1, 2)): (_MESH_CONFIG, *_ROOT_CERTIFICATE, *_BASE_POLICY, *_SMI, *_SPLIT_OLD),
}


def crds_of(product: Product, version: str) -> tuple[Crd, ...] | None:
    """Return what that version of the control plane installs; None when it is not recorded."""
    parsed = parse(version)
    return None if parsed is None else _SETS.get((product.id, parsed.line))


def recorded_sets(product: Product) -> tuple[tuple[Crd, ...], ...]:
    """Return the sets of all minor versions of a product that are recorded."""
    return tuple(crds for (product_id, dummy), crds in _SETS.items() if product_id == product.id)


def left_behind(product: Product, before: str, after: str) -> tuple[str, ...]:
    """Return the definitions that ``before`` installed and ``after`` does not know: an upgrade does not remove them."""
    old, new = crds_of(product, before) or (), crds_of(product, after)
    known = {crd.name for crd in new or old}
    return tuple(crd.name for crd in old if crd.name not in known)


def conversion_webhook_crds(product: Product, version: str) -> tuple[str, ...]:
    """Return the definitions that this version converts through a webhook of its bootstrap Deployment.

    Only osm-edge 1.1 does (v1.1.0 pkg/crdconversion/crdconversion.go ``apiKindToPath``); later versions write
    ``strategy: None`` into every definition that they ship.
    """
    parsed = parse(version)
    return (_MESH_CONFIG.name,) if product is OSM_EDGE and parsed is not None and parsed.line == Minor(1, 1) else ()


def known_crds(product: Product | None = None) -> tuple[str, ...]:
    """Return the names of all definitions that a recorded version of the product (default: of any product) installs.

    FSM's are not recorded one by one: there the label ``app.kubernetes.io/name=flomesh.io`` tells.
    """
    sets = [crds for (product_id, dummy), crds in _SETS.items() if product is None or product.id == product_id]
    configs = [known.mesh_config_crd for known in PRODUCTS if product is None or product is known]
    return tuple(dict.fromkeys([*configs, *(crd.name for crds in sets for crd in crds)]))
