# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the pods of a rolling update find room: node by node, in the order in which a cluster would do it. Pure.

A sum over all nodes says nothing: three nodes with 0.2 CPU left each have no room for a pod that asks for 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rolling import Roll
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Node, PlacedPod, Room


class Stuck(NamedTuple):
    """New pods of one workload that no node takes.

    ``best`` is the node that lacks the least, with what it has left when nothing moves any more; None when no node may take the pod
    whatever its size. ``waits`` is true when the pods find room as soon as other workloads have been replaced.
    """

    ref: ObjectRef
    need: Amount
    missing: int
    best: Node | None
    waits: bool = False


class Fit(NamedTuple):
    """``at_once`` is what all new pods that are made before any old one goes ask for together."""

    at_once: Amount
    stuck: tuple[Stuck, ...]

    @property
    def fits(self) -> bool:
        """Whether every pod finds room, at the latest after others have been replaced."""
        return all(item.waits for item in self.stuck)


def fit(room: Room, rolls: Iterable[Roll]) -> Fit:
    """Play the rolling updates at the same time, new pods being ready at once, until all are through or none can move."""
    play = _Play(room, sorted(rolls, key=lambda roll: roll.need, reverse=True))
    return play.run()


class _Play:
    def __init__(self, room: Room, rolls: Sequence[Roll]) -> None:
        self._nodes = {node.name: node for node in room.nodes}
        self._daemons = [roll for roll in rolls if roll.daemon]
        self._rolls = [roll for roll in rolls if not roll.daemon]
        self._old: list[list[PlacedPod]] = [[*roll.old] for roll in self._rolls]
        self._new = [0 for _roll in self._rolls]

    def run(self) -> Fit:
        at_once = Amount()
        for roll in self._rolls:
            at_once = at_once.plus(roll.need.times(roll.at_once))
        stuck = [item for roll in self._daemons for item in self._replace_daemons(roll)]
        for item in self._daemons:
            if item.surge or not item.old:
                at_once = at_once.plus(item.need.times(self._places(item)))
        first: dict[ObjectRef, Stuck] = {}
        moved = True
        while moved:
            moved = False
            for index, roll in enumerate(self._rolls):
                moved |= self._retire(index, roll)
                moved |= self._place(index, roll)
            if not first:
                first = {roll.ref: self._stuck(roll, 1) for index, roll in enumerate(self._rolls) if self._may_add(index, roll)}
        stuck += [self._stuck(roll, roll.wanted - count) for roll, count in zip(self._rolls, self._new, strict=True) if count < roll.wanted]
        known = {item.ref for item in stuck}
        waiting = [item._replace(waits=True) for ref, item in first.items() if ref not in known]
        return Fit(at_once, (*stuck, *waiting))

    def _may_add(self, index: int, roll: Roll) -> bool:
        new, old = self._new[index], len(self._old[index])
        return new < roll.wanted and (roll.orphaned or new + old < roll.wanted + roll.surge)

    def _place(self, index: int, roll: Roll) -> bool:
        moved = False
        while self._may_add(index, roll):
            # The scheduler prefers the node with the most left (NodeResourcesFit, LeastAllocated).
            able = [node for node in self._takers(roll) if node.free.holds(roll.need)]
            if not able:
                break
            self._use(max(able, key=lambda node: node.free), roll.need)
            self._new[index] += 1
            moved = True
        return moved

    def _retire(self, index: int, roll: Roll) -> bool:
        moved = False
        old = self._old[index]
        while not roll.orphaned and old and self._new[index] + len(old) - 1 >= roll.wanted - roll.unavailable:
            gone = old.pop()
            self._use(self._nodes.get(gone.node), Amount().minus(gone.need))
            moved = True
        return moved

    def _replace_daemons(self, roll: Roll) -> Iterable[Stuck]:
        old = {pod.node: pod for pod in roll.old}
        missing: list[Node] = []
        for node in [*self._takers(roll)]:
            before = Amount() if roll.surge or node.name not in old else old[node.name].need
            if not node.free.plus(before).holds(roll.need):
                missing.append(node)
                continue
            kept = Amount() if node.name not in old or roll.orphaned else old[node.name].need
            self._use(node, roll.need.minus(kept))
        if missing:
            yield Stuck(roll.ref, roll.need, len(missing), min(missing, key=lambda node: _lack(node, roll.need)))

    def _places(self, roll: Roll) -> int:
        return sum(1 for _node in self._takers(roll))

    def _takers(self, roll: Roll) -> Iterable[Node]:
        return (node for node in self._nodes.values() if node.takes(roll.template, daemon=roll.daemon))

    def _use(self, node: Node | None, need: Amount) -> None:
        if node is not None:
            self._nodes[node.name] = node._replace(free=self._nodes[node.name].free.minus(need))

    def _stuck(self, roll: Roll, missing: int) -> Stuck:
        best = min(self._takers(roll), key=lambda node: _lack(node, roll.need), default=None)
        return Stuck(roll.ref, roll.need, missing, best)


def _lack(node: Node, need: Amount) -> tuple[float, int]:
    """Return how much of ``need`` a node lacks, as a share, so that CPU and memory compare."""
    lacks = [max(0, wanted - left) / wanted for wanted, left in zip(need, node.free, strict=True) if wanted]
    return sum(lacks), -node.free.cpu
