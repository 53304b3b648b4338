# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adding up what pods ask for while they are read to know the data plane: thousands of pods are read once, not twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NODE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import Discovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import DATA_PLANE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import pod_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import PlacedPod, Room, Tally

APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_APPS = frozenset(name for product in PRODUCTS for name in product.deployments)


class RoomDiscovery(Discovery):
    """A discovery that also knows what the nodes have left: ``read_room`` after ``read_cluster(data_plane=True)``."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._tally = Tally()
        self._own: list[PlacedPod] = []

    def read_room(self) -> Room:
        """Read the nodes; all pods are counted already."""
        if DATA_PLANE in self._unknown:
            return Room(unread="list pods (cluster-wide)")
        try:
            return self._tally.room(map(_without_images, self._api.list(NODE)))._replace(own=tuple(self._own))
        except Forbidden as error:
            return Room(unread=error.missing or str(error))

    def _traits(self, pods: Iterator[dict[str, Any]]) -> Iterator[PodTraits | None]:
        for pod in pods:
            self._count(pod)
            yield reduction.pod_traits(pod)

    def _count(self, pod: dict[str, Any]) -> None:
        self._tally.add(pod)
        if _is_of_control_plane(pod):
            metadata, spec = pod["metadata"], pod["spec"]
            own = PlacedPod(metadata["name"], metadata["namespace"], metadata.get("labels") or {}, spec["nodeName"], pod_request(spec))
            self._own.append(own)


def _is_of_control_plane(pod: dict[str, Any]) -> bool:
    """Whether a pod holds a place on a node, and has the labels that the charts give to their own."""
    labels = pod["metadata"].get("labels") or {}
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]
    return not ended and "nodeName" in pod["spec"] and (labels.get("app.kubernetes.io/name") in APP_NAMES or labels.get("app") in _APPS)


def _without_images(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node without the list of its images, which is most of it."""
    node.get("status", {}).pop("images", None)
    return node
