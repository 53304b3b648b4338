# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as they were observed, with what belongs to a mesh on them: data types only, nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product


class Enrolment(NamedTuple):
    """What a namespace says about a mesh; the annotations are as they stand there, empty without one."""

    mesh: str = ""
    injection: str = ""
    metrics: str = ""
    ignored: bool = False


class LiveNamespace(NamedTuple):
    """A Namespace by its metadata; ``uid`` is empty for one that does not exist yet."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    terminating: bool

    def enrolment(self, product: Product) -> Enrolment:
        """Return what its labels and annotations say in the words of ``product``."""
        return Enrolment(
            mesh=self.labels.get(product.monitored_by_label, ""),
            injection=self.annotations.get(product.injection_annotation, ""),
            metrics=self.annotations.get(product.metrics_annotation, ""),
            ignored=product.ignore_label in self.labels,
        )

    def facts(self) -> NamespaceFacts:
        """Return it as the rules of injection want it."""
        return NamespaceFacts(self.name, self.labels, self.annotations, self.terminating)


class ScrapedPod(NamedTuple):
    """A pod whose annotations for Prometheus are not as they are wanted; ``annotations`` are those that it has of them."""

    name: str
    uid: str
    resource_version: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class NamespacesState:
    """Everything that was read. Two are never equal, so that what is planned on one can be kept with it.

    ``namespaces`` are all of the cluster; ``targets`` are those that were named or selected, in order. ``control_planes`` maps a
    namespace to the control plane in it. ``bad_selector`` is the API server's word on a selector that it cannot read. ``pods`` counts
    the pods of the targets by their traits, and ``scrape`` holds those whose annotations differ, per namespace; both are None when
    pods may not be read (``pods_unread`` says why).
    """

    mesh: Mesh
    request: NamespaceRequest
    namespaces: Mapping[str, LiveNamespace]
    targets: tuple[str, ...]
    control_planes: Mapping[str, str] = field(default_factory=dict)
    bad_selector: str = ""
    pods: Mapping[PodTraits, int] | None = field(default_factory=dict)
    scrape: Mapping[str, tuple[ScrapedPod, ...]] | None = field(default_factory=dict)
    pods_unread: str = ""

    @property
    def found(self) -> list[LiveNamespace]:
        """The targets that exist."""
        return [self.namespaces[name] for name in self.targets if name in self.namespaces]

    @property
    def missing(self) -> list[str]:
        """The targets that do not exist."""
        return [name for name in self.targets if name not in self.namespaces]


def live_namespace(item: Mapping[str, Any]) -> LiveNamespace:
    """Reduce a Namespace, whole or as metadata only."""
    metadata = item["metadata"]
    return LiveNamespace(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        terminating="deletionTimestamp" in metadata,
    )


def not_yet(name: str) -> LiveNamespace:
    """Return a namespace that does not exist."""
    return LiveNamespace(name, "", "", {}, {}, terminating=False)
