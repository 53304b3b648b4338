# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mesh that is uninstalled says about sidecars: its own are to go, and nobody gets a new one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM, PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import INSTANCE_LABEL, sidecar_traits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.refresh_rules import OsmRules
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import scrape_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import (
    elsewhere,
    enrolled_namespaces,
    other_meshes,
    without_marks,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Verdict

Object = Mapping[str, Any]

_OURS, _OUTSIDE = Verdict("unexpected"), Verdict("outside")


def removal_rules(api: Api, observed: Observed, subject: Subject) -> RemovalRules:
    """Return the rules by which the mesh's sidecars are removed; they hold while its namespaces are un-enrolled one after the other.

    One list of Secrets (metadata only) for Open Service Mesh, whose sidecars do not name their mesh; none otherwise. Raises KubeError.
    """
    return RemovalRules(api, observed, subject, _bootstrap_secrets(api, subject) if subject.product is OSM else frozenset())


class RemovalRules(OsmRules):
    """SidecarRules of a mesh whose namespaces are no longer enrolled; there may be no control plane any more.

    ``secrets`` are (namespace, name) of the bootstrap Secrets that bear the mesh's name. ``scraped`` collects (namespace, pod) of the
    mesh's pods that were judged and have the annotations by which Prometheus finds a sidecar.
    """

    def __init__(self, api: Api, observed: Observed, subject: Subject, secrets: Collection[tuple[str, str]] = ()) -> None:
        mesh = subject.mesh or Mesh(subject.product, subject.name, subject.namespace)
        super().__init__(api, mesh, without_marks(observed, enrolled_namespaces(observed, subject)))
        self.scraped: set[tuple[str, str]] = set()
        self._subject = subject
        self._before = observed.namespaces
        self._secrets = secrets
        self._only = not any(other.product is subject.product for other in other_meshes(observed, subject))

    def judge(self, pod: Object) -> Verdict:
        """Tell whether a raw pod has a sidecar of this mesh, whatever its namespace says by now."""
        traits = sidecar_traits(pod)
        if not traits.injected or not self._is_ours(traits, pod):
            return _OUTSIDE
        metadata = pod["metadata"]
        if scrape_patch(metadata.get("annotations") or {}, scrape=False) and "name" in metadata:
            self.scraped.add((metadata["namespace"], metadata["name"]))
        return _OURS

    def _is_ours(self, traits: PodTraits, pod: Object) -> bool:
        product = self._subject.product
        if (traits.container, traits.volume) != (product.sidecar_container, product.bootstrap_volume):
            return False
        # osm-edge and FSM call container and volume alike, and a mesh of either may have this name.
        labels = pod["metadata"].get("labels") or {}
        if product.pod_uuid_label not in labels and any(other.pod_uuid_label in labels for other in PRODUCTS):
            return False
        return traits.mesh == self._subject.name if traits.mesh else self._is_unnamed_ours(traits, pod)

    def _is_unnamed_ours(self, traits: PodTraits, pod: Object) -> bool:
        """Whether a sidecar that names no mesh is this one's: by its bootstrap Secret, by its namespace, or because no other is there."""
        if (traits.namespace, _secret_of(pod, traits.volume)) in self._secrets:
            return True
        facts = self._before.get(traits.namespace) or NamespaceFacts(traits.namespace, {}, {}, terminating=False)
        if elsewhere(facts, self._subject):
            return False
        return self._only or facts.labels.get(self._subject.product.monitored_by_label) == self._subject.name


def _secret_of(pod: Object, volume: str) -> str:
    found: Object = next((item for item in pod["spec"].get("volumes") or () if item["name"] == volume), {})
    return str((found.get("secret") or {}).get("secretName") or "")


def _bootstrap_secrets(api: Api, subject: Subject) -> frozenset[tuple[str, str]]:
    """Return the Secrets that the injector has labelled with the mesh's name (osm v1.2.4 pkg/injector/bootstrap.go); none if forbidden."""
    selector = f"{INSTANCE_LABEL}={subject.name},app.kubernetes.io/name={subject.product.app_name}"
    prefix = subject.product.bootstrap_secret_prefix
    try:
        found = [item["metadata"] for item in api.list(SECRET, label_selector=selector, metadata_only=True)]
    except Forbidden:
        return frozenset()
    return frozenset((metadata["namespace"], metadata["name"]) for metadata in found if metadata["name"].startswith(prefix))
