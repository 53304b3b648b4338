# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The labels and annotations that a namespace is to have. Pure.

Source: osm-edge v1.3.9 cmd/cli/namespace_{add,remove,ignore}.go and metrics_{enable,disable}.go; where these return early, what was
declared is enforced all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product

# What the injector reads as enabled (pkg/injector/webhook.go, metrics.go), whatever its case.
_ENABLED = frozenset({"enabled", "yes", "true"})
_DISABLED = frozenset({"disabled", "no", "false"})


class Keys(NamedTuple):
    """Labels and annotations with the value that each is to have; None where it is not to be there.

    ``leaves`` is the other mesh that the namespace is taken out of by this, or empty.
    """

    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]
    leaves: str = ""

    def as_desired(self) -> dict[str, Any]:
        """Return what a step aims at. It does not depend on what is there already, so the same wish is the same plan."""
        desired: dict[str, Any] = {"labels": dict(self.labels), "annotations": dict(self.annotations)}
        return {**desired, "leaves": self.leaves} if self.leaves else desired


def wanted_keys(request: NamespaceRequest, mesh: Mesh, namespace: LiveNamespace) -> Keys:
    """Return the keys that bring ``namespace`` into the requested state."""
    product = mesh.product
    metrics: dict[str, str | None] = {}
    if request.scrape is not None:
        metrics[product.metrics_annotation] = "enabled" if request.scrape else None
    if request.state == "ignored":
        return Keys({product.ignore_label: "true"}, metrics)
    if request.state == "absent":
        left = namespace.labels.get(product.monitored_by_label, "")
        labels = {product.monitored_by_label: None, product.ignore_label: None}
        return Keys(labels, {product.injection_annotation: None, **metrics}, left if left != mesh.name else "")
    foreign_labels, foreign_annotations = foreign_keys(product, namespace)
    return Keys(
        {product.monitored_by_label: mesh.name, product.ignore_label: None, **foreign_labels},
        {product.injection_annotation: request.injection or "enabled", **metrics, **foreign_annotations},
        other_mesh(mesh, namespace),
    )


def foreign_keys(product: Product, namespace: LiveNamespace) -> tuple[dict[str, None], dict[str, None]]:
    """Return the labels and annotations of the other half of the family, when the namespace is enrolled there."""
    labels: dict[str, None] = {}
    annotations: dict[str, None] = {}
    for other in PRODUCTS:
        if other.key_domain != product.key_domain and namespace.labels.get(other.monitored_by_label):
            labels |= {key: None for key in (other.monitored_by_label, other.ignore_label) if key in namespace.labels}
            keys = (other.injection_annotation, other.metrics_annotation)
            annotations |= {key: None for key in keys if key in namespace.annotations}
    return labels, annotations


def other_mesh(mesh: Mesh, namespace: LiveNamespace) -> str:
    """Return the name of another mesh that the namespace is enrolled in, or an empty string."""
    for product in (mesh.product, *PRODUCTS):
        name = namespace.labels.get(product.monitored_by_label, "")
        if name and (name != mesh.name or product.key_domain != mesh.product.key_domain):
            return name
    return ""


def differing(keys: Keys, namespace: LiveNamespace, product: Product) -> list[tuple[str, str | None, str | None]]:
    """Return (key, value now, value wanted) of each key that is not as it is wanted; None is no value."""
    pairs = [(key, namespace.labels.get(key), value) for key, value in keys.labels.items()]
    pairs += [(key, namespace.annotations.get(key), value) for key, value in keys.annotations.items()]
    return [(key, now, value) for key, now, value in pairs if not _means(key, now, value, product)]


def _means(key: str, now: str | None, wanted: str | None, product: Product) -> bool:
    """Whether the value that is there means the same as the wanted one."""
    if now is None or wanted is None:
        return now == wanted
    if key == product.ignore_label:
        # The webhook's selector asks whether the label exists, whatever its value.
        return True
    if key in (product.injection_annotation, product.metrics_annotation):
        words = _ENABLED if wanted == "enabled" else _DISABLED
        return now.lower() in words
    return now == wanted


def is_switch(value: str) -> bool:
    """Whether the injector can read this value of an annotation; it denies pods for any other."""
    return value.lower() in _ENABLED | _DISABLED


def with_keys(namespace: LiveNamespace, keys: Keys) -> LiveNamespace:
    """Return the namespace as it is when it has these keys."""
    return namespace._replace(labels=_merged(namespace.labels, keys.labels), annotations=_merged(namespace.annotations, keys.annotations))


def _merged(now: Mapping[str, str], keys: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**now, **keys}
    return {key: value for key, value in merged.items() if value is not None}
