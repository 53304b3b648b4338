# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adding up what pods ask for while they are read to know the data plane: thousands of pods are read once, not twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NODE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import Discovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import DATA_PLANE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room, Tally

APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_APPS = frozenset(name for product in PRODUCTS for name in product.deployments)


class RoomDiscovery(Discovery):
    """A discovery that also knows what the nodes have left: ``read_room`` after ``read_cluster(data_plane=True)``."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._tally = Tally(_is_of_control_plane)

    def read_room(self) -> Room:
        """Read the nodes; all pods are counted already."""
        if DATA_PLANE in self._unknown:
            return Room(unread=self._unknown[DATA_PLANE].removeprefix("not allowed to "))
        try:
            return self._tally.room(map(_without_images, self._api.list(NODE)))
        except Forbidden as error:
            return Room(unread=error.missing or str(error))

    def _traits(self, pods: Iterator[dict[str, Any]]) -> Iterator[PodTraits | None]:
        for pod in pods:
            self._count(pod)
            yield reduction.pod_traits(pod)

    def _count(self, pod: dict[str, Any]) -> None:
        self._tally.add(pod)


def _is_of_control_plane(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has the labels that the charts give to their own."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/name") in APP_NAMES or labels.get("app") in _APPS


def _without_images(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node without the list of its images, which is most of it."""
    node.get("status", {}).pop("images", None)
    return node
