# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes of a cluster have left, reduced while the lists are being read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.node_fit import admits
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import whole
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount, amount, pod_request

Object = Mapping[str, Any]

# The DaemonSet controller lets its pods stay on and go to cordoned nodes (pkg/controller/daemon/util/daemonset_util.go).
_CORDONED: Object = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Node(NamedTuple):
    """A node: ``free`` is what it can hold less what its pods ask for."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Object, ...]
    ready: bool
    cordoned: bool
    allocatable: Amount
    free: Amount

    @property
    def usable(self) -> bool:
        """Whether the scheduler puts any pod here."""
        return self.ready and not self.cordoned

    def takes(self, spec: Object, *, daemon: bool = False) -> bool:
        """Whether a pod with this ``spec`` may run here, its size aside."""
        if not self.ready or (self.cordoned and not daemon):
            return False
        taints = [taint for taint in self.taints if not (daemon and taint.get("key") == _CORDONED["key"])]
        return admits(self.name, self.labels, taints, spec)


class PlacedPod(NamedTuple):
    """A pod that holds a part of a node."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    node: str
    need: Amount


class Room(NamedTuple):
    """What the nodes have left.

    ``own`` are the pods that were asked for, ``pending`` the number of pods that wait for a node. ``unread`` is the
    missing permission when nothing could be read; everything else is empty then.
    """

    nodes: tuple[Node, ...] = ()
    own: tuple[PlacedPod, ...] = ()
    pending: int = 0
    unread: str = ""

    @property
    def free(self) -> Amount:
        """The sum of what usable nodes have left; no pod can have more than one node has."""
        total = Amount()
        for node in self.nodes:
            if node.usable:
                total = total.plus(Amount(*(max(0, left) for left in node.free)))
        return total

    @property
    def largest(self) -> Node | None:
        """The usable node with the most CPU left."""
        return max((node for node in self.nodes if node.usable), key=lambda node: (node.free.cpu, node.free.memory), default=None)


class Tally:
    """Counts pods as they come, keeping only sums per node and those pods that are ``own``."""

    def __init__(self, own: Callable[[Object], bool]) -> None:
        self._is_own = own
        self._used: dict[str, Amount] = {}
        self._own: list[PlacedPod] = []
        self._pending = 0
        self._requests: dict[str, Amount] = {}

    def add(self, pod: Object) -> None:
        """Count a raw pod; one that has ended holds nothing, one that is being deleted still does."""
        metadata, spec = pod["metadata"], pod["spec"]
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        node = spec.get("nodeName")
        if not node:
            self._pending += 0 if metadata.get("deletionTimestamp") else 1
            return
        need = self._request(spec)
        self._used[node] = self._used.get(node, Amount()).plus(need)
        if not metadata.get("deletionTimestamp") and self._is_own(pod):
            self._own.append(PlacedPod(metadata["name"], metadata["namespace"], metadata.get("labels") or {}, node, need))

    def _request(self, spec: Object) -> Amount:
        """Thousands of pods ask for the same few amounts, and reading one takes longer than finding it again."""
        containers = [*(spec.get("initContainers") or ()), None, *(spec.get("containers") or ())]
        parts = [item and (item.get("resources"), item.get("restartPolicy")) for item in containers]
        shape = repr((parts, spec.get("resources"), spec.get("overhead")))
        if shape not in self._requests:
            self._requests[shape] = pod_request(spec)
        return self._requests[shape]

    def room(self, nodes: Iterable[Object]) -> Room:
        """Return what these raw Nodes have left after all pods that were added."""
        return Room(tuple(self._node(node) for node in nodes), tuple(self._own), self._pending)

    def _node(self, node: Object) -> Node:
        name, spec, status = node["metadata"]["name"], node.get("spec") or {}, node.get("status") or {}
        resources = status.get("allocatable") or {}
        allocatable = amount(resources, pods=whole(resources.get("pods", 0)))
        ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or ())
        return Node(
            name=name,
            labels=node["metadata"].get("labels") or {},
            taints=tuple(spec.get("taints") or ()),
            ready=ready,
            cordoned=bool(spec.get("unschedulable")),
            allocatable=allocatable,
            free=allocatable.minus(self._used.get(name, Amount())),
        )
