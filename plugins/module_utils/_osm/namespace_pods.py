# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the enrolment of a namespace means for the pods that it has already. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import must_inject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product


def pods_to_restart(pods: Mapping[PodTraits, int], after: Mapping[str, NamespaceFacts], mesh: Mesh) -> Counter[str]:
    """Count per namespace the pods that would be made anew with another choice: those without the mesh's sidecar that would get it,
    and those with one that would not get it. ``after`` are the namespaces as they are to be."""
    found: Counter[str] = Counter()
    for traits, count in pods.items():
        namespace = after.get(traits.namespace)
        if namespace is not None and _differs(traits, namespace, mesh):
            found[traits.namespace] += count
    return found


def _differs(traits: PodTraits, namespace: NamespaceFacts, mesh: Mesh) -> bool:
    expected = must_inject(traits.as_pod(), namespace.as_namespace(), mesh.product, mesh.name, mesh.namespace).inject is True
    if not traits.injected:
        return expected
    if expected:
        return not _is_of(traits, mesh)
    # A namespace of the family's other half keeps the sidecars of that.
    return not any(namespace.labels.get(other.monitored_by_label) for other in _other_half(mesh.product))


def _is_of(traits: PodTraits, mesh: Mesh) -> bool:
    """Whether the sidecar is this mesh's; one that does not name its mesh is, in a namespace of that mesh."""
    named = (traits.container, traits.volume) == (mesh.product.sidecar_container, mesh.product.bootstrap_volume)
    return named and traits.mesh in ("", mesh.name)


def _other_half(product: Product) -> list[Product]:
    return [other for other in PRODUCTS if other.key_domain != product.key_domain]
