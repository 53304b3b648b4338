# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Machine is which EC2 instance and which Node: what a move must find again, one row each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, Object, mapping, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import pool_of, selected


class MachineRow(NamedTuple):
    """A machine; what is not there or not known is "". ``node`` is the name of its Node in the hosted cluster."""

    machine: str
    aws_machine: str
    node_pool: str
    provider_id: str
    instance_id: str
    node: str
    phase: str

    def as_dict(self) -> dict[str, Any]:
        """Return the form that results and the index carry."""
        return self._asdict()


def machine_rows(inventory: Inventory, nodes: Sequence[Object] | None) -> tuple[MachineRow, ...]:
    """Return a row for each Machine and for each AWSMachine without one, in the order of their names.

    ``nodes`` are the Nodes of the hosted cluster, or None when it was not asked: then the Machines say which Node they are.
    """
    chosen = selected(inventory)
    return tuple(_rows(inventory, chosen.get("machines", ()), chosen.get("awsmachines", ()), nodes))


def aws_machine_name(machine: Object) -> str:
    """Return the name of the AWSMachine that a Machine is made of."""
    return str(mapping(machine, "spec", "infrastructureRef").get("name") or "")


def node_name(machine: Object) -> str:
    """Return the name of the Node that a Machine has become, "" when it has not yet."""
    return str(mapping(machine, "status", "nodeRef").get("name") or "")


def _rows(inventory: Inventory, machines: Sequence[Object], aws: Sequence[Object], nodes: Sequence[Object] | None) -> Iterator[MachineRow]:
    instances = {name_of(item): item for item in aws}
    by_provider = {str(mapping(node, "spec").get("providerID") or ""): name_of(node) for node in nodes or ()}
    names = {name_of(node) for node in nodes or ()}
    for machine in machines:
        instance = instances.pop(aws_machine_name(machine), {})
        provider = str(mapping(instance, "spec").get("providerID") or mapping(machine, "spec").get("providerID") or "")
        said = node_name(machine)
        if nodes is not None:
            said = by_provider.get(provider, "") if provider else ""
            said = said or (node_name(machine) if node_name(machine) in names else "")
        yield MachineRow(
            machine=name_of(machine),
            aws_machine=name_of(instance),
            node_pool=pool_of(inventory, machine),
            provider_id=provider,
            instance_id=str(mapping(instance, "spec").get("instanceID") or ""),
            node=said,
            phase=str(mapping(machine, "status").get("phase") or ""),
        )
    for name, instance in instances.items():
        provider = str(mapping(instance, "spec").get("providerID") or "")
        yield MachineRow(
            machine="",
            aws_machine=name,
            node_pool=pool_of(inventory, instance),
            provider_id=provider,
            instance_id=str(mapping(instance, "spec").get("instanceID") or ""),
            node=by_provider.get(provider, "") if provider else "",
            phase="",
        )
