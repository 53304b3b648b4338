# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading namespaces and their pods: a constant number of lists, however many namespaces are meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, Invalid
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import (
    LiveNamespace,
    NamespacesState,
    ScrapedPod,
    live_namespace,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import pod_traits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import SCRAPE, scrape_patch

# More namespaces than that are read with one list of all pods instead of one each.
_LISTED_ONE_BY_ONE = 10
_NAMESPACES_PER_PAGE = 1000
_CONTROLLERS = f"app in ({','.join(dict.fromkeys(product.controller for product in PRODUCTS))})"


class NamespaceReader:
    """Reads what a request is about. Which namespaces a selector means is decided once: what it selects may change with the work."""

    def __init__(self, api: Api, observed: Observed, mesh: Mesh, request: NamespaceRequest) -> None:
        self._api = api
        self._mesh = mesh
        self._request = request
        self._known_control_planes = {item.namespace: f"the control plane of mesh {item.name}" for item in observed.meshes}
        self._first: NamespacesState | None = None

    def read(self) -> NamespacesState:
        """Read everything the first time, and after that what may have changed by the work. Raises KubeError."""
        if self._first is None:
            self._first = self._read_first()
            return self._first
        return self._read_again(self._first)

    def _read_first(self) -> NamespacesState:
        api = self._api
        reads: list[Callable[[], Any]] = [self._namespaces, self._selected, self._control_planes]
        namespaces, (selected, bad_selector), control_planes = api.map(lambda read: read(), reads)
        targets = tuple(dict.fromkeys([*self._request.names, *(name for name in selected if name in namespaces)]))
        state = NamespacesState(self._mesh, self._request, namespaces, targets, control_planes, bad_selector)
        pods, scrape, unread = self._pods([item.name for item in state.found])
        return replace(state, pods=pods, scrape=scrape, pods_unread=unread)

    def _read_again(self, first: NamespacesState) -> NamespacesState:
        again = replace(first, namespaces=self._namespaces())
        if not first.scrape:
            # Pods that were as wanted stay so: those that come now get their annotations from the injector.
            return again
        _pods, scrape, unread = self._pods([*first.scrape])
        return replace(again, scrape=scrape, pods_unread=unread)

    # Lists

    def _namespaces(self) -> dict[str, LiveNamespace]:
        found = map(live_namespace, self._api.list(NAMESPACE, metadata_only=True, limit=_NAMESPACES_PER_PAGE))
        return {item.name: item for item in found}

    def _selected(self) -> tuple[list[str], str]:
        """Return the names that the selector matches, and what the server says when it cannot read it."""
        selector = self._request.selector
        if not selector:
            return [], ""
        try:
            found = self._api.list(NAMESPACE, label_selector=selector, metadata_only=True, limit=_NAMESPACES_PER_PAGE)
            return sorted(item["metadata"]["name"] for item in found), ""
        except Invalid as error:
            return [], error.message

    def _control_planes(self) -> dict[str, str]:
        """Return the namespaces that have one: those of the meshes, and any with a controller, as the mesh's own command line tells it."""
        found = {
            item["metadata"]["namespace"]: f"Deployment {item['metadata']['name']}"
            for item in self._api.list(DEPLOYMENT, label_selector=_CONTROLLERS, metadata_only=True)
        }
        return {**found, **self._known_control_planes}

    def _pods(self, names: list[str]) -> tuple[Counter[PodTraits] | None, dict[str, tuple[ScrapedPod, ...]] | None, str]:
        """Return the pods of these namespaces by their traits, those whose annotations differ, and why they could not be read."""
        reduced = _Pods(self._mesh.product.pod_uuid_label, self._request.scrape, names)
        places: list[str | None] = [*names] if len(names) <= _LISTED_ONE_BY_ONE else [None]
        try:
            found = self._api.map(lambda place: reduced.of(self._api.list(POD, place)), places)
        except Forbidden as error:
            return None, None, f"not allowed to {error.missing}" if error.missing else str(error)
        traits: Counter[PodTraits] = Counter()
        scrape: dict[str, list[ScrapedPod]] = {}
        for counted, differing_pods in found:
            traits.update(counted)
            for namespace, pod in differing_pods:
                scrape.setdefault(namespace, []).append(pod)
        return traits, {name: tuple(scrape[name]) for name in names if name in scrape}, ""


class _Pods:
    """Reduces pods while they are being listed."""

    def __init__(self, uuid_label: str, scrape: bool | None, names: Iterable[str]) -> None:
        self._uuid_label = uuid_label
        self._scrape = scrape
        self._names = frozenset(names)

    def of(self, pods: Iterator[dict[str, Any]]) -> tuple[Counter[PodTraits], list[tuple[str, ScrapedPod]]]:
        """Return the pods of the namespaces concerned by their traits, and those whose annotations differ."""
        counted: Counter[PodTraits] = Counter()
        scrape: list[tuple[str, ScrapedPod]] = []
        for pod in pods:
            metadata = pod["metadata"]
            if metadata["namespace"] not in self._names:
                continue
            traits = pod_traits(pod)
            if traits is not None:
                counted[traits] += 1
            if self._scrape is not None and has_to_change(metadata, self._uuid_label, self._scrape):
                scrape.append((metadata["namespace"], scraped_pod(metadata)))
        return counted, scrape


def has_to_change(metadata: dict[str, Any], uuid_label: str, scrape: bool) -> bool:
    """Whether a pod of the mesh does not have the annotations that are wanted; one that is being deleted is left alone."""
    if uuid_label not in (metadata.get("labels") or {}) or "deletionTimestamp" in metadata:
        return False
    return bool(scrape_patch(metadata.get("annotations") or {}, scrape))


def scraped_pod(metadata: dict[str, Any]) -> ScrapedPod:
    """Reduce the metadata of a pod."""
    annotations = metadata.get("annotations") or {}
    shown = {key: annotations[key] for key in SCRAPE if key in annotations}
    return ScrapedPod(metadata["name"], metadata["uid"], metadata["resourceVersion"], shown)
