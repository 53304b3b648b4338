# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of a hosted cluster: whether Machine, AWSMachine, EC2 instance and Node belong together, one to one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import MachineRow, machine_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = dict[str, Any]

_RUNNING = "Running"
# So many names in one finding; the result has all rows.
_SHOWN = 5


class JudgedMachine(NamedTuple):
    """One machine. ``instance_state`` and ``ready`` (of its Node) are None where they were not read; no ``problems``: it is whole."""

    row: MachineRow
    instance_state: str | None
    ready: bool | None
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "machine": self.row.machine,
            "aws_machine": self.row.aws_machine,
            "node_pool": self.row.node_pool,
            "instance_id": self.row.instance_id,
            "provider_id": self.row.provider_id,
            "node": self.row.node,
            "phase": self.row.phase,
            "instance_state": self.instance_state,
            "node_ready": self.ready,
            "problems": list(self.problems),
        }


class Machines(NamedTuple):
    """All machines, and the Nodes that no Machine stands for."""

    rows: tuple[JudgedMachine, ...]
    strange_nodes: tuple[str, ...]

    @property
    def not_whole(self) -> tuple[JudgedMachine, ...]:
        """Those that are not whole."""
        return tuple(row for row in self.rows if row.problems)


def judged_machines(inventory: Inventory, nodes: Sequence[Object] | None, instances: Mapping[str, str] | None) -> Machines:
    """Join them. ``nodes`` are the hosted cluster's, ``instances`` the states of EC2 instances by their id; None: not read."""
    rows = machine_rows(inventory, nodes)
    by_name = {name_of(node): node for node in nodes or ()}
    times = Counter(row.instance_id for row in rows if row.instance_id)
    judged = tuple(_judged(row, by_name, instances, times) for row in rows)
    known = {row.node for row in rows}
    return Machines(judged, tuple(sorted(name for name in by_name if name not in known)))


def machines_summary(machines: Machines, *, everything: bool) -> dict[str, Any]:
    """Return the numbers, and the rows of machines that are not whole; with ``everything`` all rows."""
    return {
        "total": len(machines.rows),
        "whole": len(machines.rows) - len(machines.not_whole),
        "not_whole": [row.as_dict() for row in machines.not_whole],
        "nodes_without_machine": list(machines.strange_nodes),
        "rows": [row.as_dict() for row in machines.rows] if everything else None,
    }


def machine_findings(inventory: Inventory, machines: Machines) -> Iterator[Finding]:
    """Yield what was noticed about them, each kind of problem once."""
    place = inventory.target.control_plane_namespace
    torn = [row for row in machines.not_whole if {*row.problems} - {"node-not-ready"}]
    if torn:
        first = torn[0]
        yield Finding(
            "error",
            "machines-not-whole",
            ObjectRef("Machine" if first.row.machine else "AWSMachine", first.row.machine or first.row.aws_machine, place),
            f"{len(torn)} of {len(machines.rows)} machines are not whole: {_told(torn)}",
            "a machine is moved by its Machine, its AWSMachine and its instance; what is missing would be made anew, or deleted",
            "wait while machines come or go, else look at them: "
            f"kubectl get machines.cluster.x-k8s.io,awsmachines.infrastructure.cluster.x-k8s.io -n {place}",
        )
    waiting = [row for row in machines.not_whole if "node-not-ready" in row.problems]
    if waiting:
        yield Finding(
            "warning",
            "nodes-not-ready",
            ObjectRef("Node", waiting[0].row.node),
            f"{len(waiting)} of {len(machines.rows)} nodes are not ready: {', '.join(row.row.node for row in waiting[:_SHOWN])}",
            "a node that is not ready before a move cannot prove afterwards that it came along",
            "kubectl describe node, in the hosted cluster",
        )
    if machines.strange_nodes:
        yield Finding(
            "warning",
            "nodes-without-machine",
            ObjectRef("Node", machines.strange_nodes[0]),
            f"{len(machines.strange_nodes)} nodes have no Machine: {', '.join(machines.strange_nodes[:_SHOWN])}",
            "nothing on the management cluster stands for them, so that no backup has them",
            "find out who made them; nodes of deleted machines may be deleted",
        )


def _judged(row: MachineRow, nodes: Mapping[str, Object], states: Mapping[str, str] | None, times: Counter[str]) -> JudgedMachine:
    state = states.get(row.instance_id, "missing") if states is not None and row.instance_id else None
    node = nodes.get(row.node)
    ready = _is_ready(node) if node is not None else None
    return JudgedMachine(row, state, ready, tuple(_problems(row, node, state, times)))


def _problems(row: MachineRow, node: Object | None, state: str | None, times: Counter[str]) -> Iterator[str]:
    if not row.machine:
        yield "no-machine"
    elif row.phase != _RUNNING:
        yield f"phase-{(row.phase or 'unknown').lower()}"
    if not row.aws_machine:
        yield "no-aws-machine"
    if not row.instance_id:
        yield "no-instance"
    elif times[row.instance_id] > 1:
        yield "instance-of-several-machines"
    if state is not None and state != "running":
        yield f"instance-{state}"
    if not row.node:
        yield "no-node"
    elif node is not None:
        if mapping(node, "spec").get("providerID", row.provider_id) != row.provider_id:
            yield "node-of-another-instance"
        if not _is_ready(node):
            yield "node-not-ready"


def _is_ready(node: Object) -> bool:
    conditions = mapping(node, "status").get("conditions") or ()
    return any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions)


def _told(rows: Sequence[JudgedMachine]) -> str:
    told = [f"{row.row.machine or row.row.aws_machine} ({', '.join(row.problems)})" for row in rows[:_SHOWN]]
    return ", ".join(told) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
