# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the nodes have room for the pods that an upgrade starts before it ends the old ones. Pure.

A control plane asks for 1.1 CPU by default, and for that much again while it rolls (replicas 1, maxSurge 1; chart osm-edge 1.3.9):
upgrades that hang on small clusters are osm#2675 and osm#2867.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_keys import requests_keys
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.capacity import Stuck, fit
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import cpu_text, memory_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rolling import KINDS, Roll, roll, rolls
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room

Object = Mapping[str, Any]
_CRITICAL = ("system-node-critical", "system-cluster-critical")


def surge_findings(room: Room, rendered: Iterable[Object], live: Iterable[Object], namespace: str, product: Product) -> list[Finding]:
    """Return a finding for every workload whose new pods no node has room for.

    ``rendered`` are the manifests of the target chart, ``live`` the raw workloads of the mesh (Deployments and DaemonSets), ``room`` what
    ``RoomDiscovery.read_room`` returned. What could not be checked is an information ``capacity-not-checked``.
    """
    if room.unread:
        return [_unchecked(f"it needs the permission to {room.unread}", "grant it (the documentation's planner role has it)")]
    try:
        planned = rolls(rendered, live, room, namespace)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A chart may render anything; the API server's own check of it says what is wrong.
        return [_unchecked(f"a rendered template cannot be understood: {error}", "correct the chart values")]
    by_ref = {item.ref: item for item in planned}
    return [_finding(item, by_ref[item.ref], product) for item in fit(room, planned).stuck]


def capacity_facts(room: Room, live: Iterable[Object], namespace: str) -> dict[str, Any]:
    """Return what the nodes have left, and what replacing all pods of ``live`` as they are would need at once.

    CPU is in cores, memory in bytes. Only ``checked`` and ``reason`` are there when nodes or pods may not be read.
    """
    if room.unread:
        return {"checked": False, "reason": f"it needs the permission to {room.unread}"}
    played = fit(room, [roll(item, item, room, namespace) for item in live if item.get("kind") in KINDS])
    largest, free = room.largest, room.free
    return {
        "checked": True,
        "nodes": len(room.nodes),
        "usable_nodes": sum(1 for node in room.nodes if node.usable),
        "free": _numbers(free),
        "largest_free_node": {"name": largest.name, **_numbers(largest.free)} if largest is not None else None,
        "pending_pods": room.pending,
        "surge": {**_numbers(played.at_once), "pods": played.at_once.pods, "fits": played.fits},
    }


def _numbers(amount: Amount) -> dict[str, Any]:
    return {"cpu": max(0, amount.cpu) / 1000, "memory": max(0, amount.memory)}


def _unchecked(why: str, remedy: str) -> Finding:
    return Finding(
        "info", "capacity-not-checked", ObjectRef("Node", "*"), "whether the nodes have room for new pods was not checked", why, remedy
    )


def _finding(stuck: Stuck, planned: Roll, product: Product) -> Finding:
    pods = "its new pod asks" if stuck.missing == 1 else f"{stuck.missing} of its new pods ask, each,"
    need = _text(stuck.need, stuck.need)
    if stuck.best is None:
        return Finding(
            "warning",
            "insufficient-capacity",
            stuck.ref,
            f"{pods} for {need}, and no node may take it: none is ready, uncordoned and admitted by nodeSelector, affinity and tolerations",
            "the pod stays Pending, and the upgrade waits for it until its time is over",
            "add such a node or uncordon one (kubectl uncordon NODE), or change the component's nodeSelector, affinity or tolerations "
            "in the chart values",
        )
    left = _text(stuck.best.free, stuck.need)
    if stuck.waits:
        return Finding(
            "info",
            "tight-capacity",
            stuck.ref,
            f"{pods} for {need}, and there is room only after other components were replaced (node {stuck.best.name} has {left} left)",
            "the components are replaced one after another, which takes longer",
            "nothing has to be done; give the upgrade time (option timeout)",
        )
    return Finding(
        "warning",
        "insufficient-capacity",
        stuck.ref,
        f"{pods} for {need}, and no node has that left beside the other new pods: the best, {stuck.best.name}, has {left}",
        _why(planned),
        _remedy(stuck, product),
    )


def _why(planned: Roll) -> str:
    if planned.orphaned:
        why = "its selector changes, so the old pods stay until all new ones are ready"
    elif planned.old and not planned.unavailable:
        why = "a rolling update starts the new pods before it ends the old ones"
    elif planned.old:
        why = "the old pods make too little room for the new ones"
    else:
        why = "its pods come in addition to those that run"
    priority = str(planned.template.get("priorityClassName") or "")
    if priority in _CRITICAL:
        return f"{why}; as {priority} it drives pods of other workloads off a node, and where that does not help it stays Pending"
    return f"{why}: it stays Pending, and the upgrade waits for it until its time is over"


def _remedy(stuck: Stuck, product: Product) -> str:
    best = stuck.best
    if best is None:
        return ""
    lack = Amount(*(max(0, wanted - left) if wanted else 0 for wanted, left in zip(stuck.need, best.free, strict=True)))
    parts = [f"{cpu_text(lack.cpu)} CPU" if lack.cpu else "", f"{memory_text(lack.memory)} memory" if lack.memory else ""]
    parts.append(f"{lack.pods} place for a pod" if lack.pods else "")
    remedy = f"add a node, or free {' and '.join(part for part in parts if part)} on {best.name}"
    key = requests_keys(product).get(stuck.ref.name, "")
    if not key or lack.pods:
        return remedy
    lowered = [
        f"{key}.{name} from {text(wanted)} to {text(max(0, left))} or less"
        for name, text, wanted, left, missing in (
            ("cpu", cpu_text, stuck.need.cpu, best.free.cpu, lack.cpu),
            ("memory", memory_text, stuck.need.memory, best.free.memory, lack.memory),
        )
        if missing
    ]
    return f"{remedy}; or lower the values {' and '.join(lowered)}"


def _text(amount: Amount, need: Amount) -> str:
    """Return an amount in the terms of what is needed, ``500m CPU and 128M memory``; a number of pods where that is what lacks."""
    parts = [
        f"{cpu_text(max(0, amount.cpu))} CPU" if need.cpu else "",
        f"{memory_text(max(0, amount.memory))} memory" if need.memory else "",
    ]
    text = " and ".join(part for part in parts if part) or "nothing"
    return text if amount.pods > 0 else f"{text} and no place for another pod"
