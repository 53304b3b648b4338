# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the nodes have room to replace the pods of a control plane, which is what every upgrade of it does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.components import components
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.surge import capacity_facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import cpu_text, memory_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room


def mesh_capacity(mesh: Mesh, room: Room | None) -> dict[str, Any] | None:
    """Return what the nodes have left and what the control plane needs to be replaced; None when the nodes were not read."""
    return None if room is None else capacity_facts(room, [*mesh.deployments, *mesh.daemon_sets], mesh.namespace)


def capacity_findings(mesh: Mesh, capacity: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Say that an upgrade would wait for room. While a rollout goes on its own pods take part of it, so nothing is said then."""
    if not capacity or not capacity["checked"] or capacity["surge"]["fits"] or not all(item.rollout.done for item in components(mesh)):
        return
    surge, largest = capacity["surge"], capacity["largest_free_node"]
    left = f"the most on one node is {_text(largest)} ({largest['name']})" if largest is not None else "no node takes pods"
    yield Finding(
        "warning",
        "no-room-to-roll",
        ObjectRef("Mesh", mesh.name, mesh.namespace),
        f"replacing the control plane's pods needs {_text(surge)} for {surge['pods']} pods at once, and {left}",
        "new pods are started before old ones end: without room they stay Pending, and an upgrade waits for them until its time is over",
        f"make room or add a node before an upgrade, or lower the requests in {mesh.product.values_root}.*.resource(s) of the chart values",
    )


def _text(amount: Mapping[str, Any]) -> str:
    return f"{cpu_text(round(amount['cpu'] * 1000))} CPU and {memory_text(amount['memory'])} memory"
