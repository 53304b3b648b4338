# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stays and could go: definitions, their objects, and what nobody claims. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import Decision
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_definitions import DEFINITIONS, objects_left
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding


def offers(inventory: Inventory) -> Iterator[Finding]:
    """Say what stays and what would let it go."""
    found = [(item, decide(item, inventory)) for item in inventory.artefacts if item.what in DEFINITIONS]
    yield from _shared(found)
    yield from _unused(found, inventory)
    yield from _with_objects(found, inventory)
    yield from _orphans(inventory)


def _shared(found: list[tuple[Artefact, Decision]]) -> Iterator[Finding]:
    shared = [item for item, decision in found if item.users and not decision.goes and item.owner == "shared"]
    if shared:
        users = sorted({user for item in shared for user in item.users})
        yield Finding(
            "info",
            "definitions-shared",
            shared[0].ref,
            f"{len(shared)} definitions stay: {', '.join(users)} {'uses' if len(users) == 1 else 'use'} them as well",
            "deleting a definition deletes all its objects, of every mesh",
            "nothing; they can go with the last mesh",
        )


def _unused(found: list[tuple[Artefact, Decision]], inventory: Inventory) -> Iterator[Finding]:
    free = [item for item, decision in found if not decision.goes and _is_free(item) and not _is_asked(item, inventory)]
    if free and "cluster_wide" in inventory.request.parts:
        words = sorted({DEFINITIONS[item.what] for item in free})
        yield Finding(
            "info",
            "definitions-unused",
            free[0].ref,
            f"{len(free)} definitions are used by no {'other ' if inventory.subject is not None else ''}mesh, and stay",
            "nobody asked for them: deleting a definition deletes all its objects",
            f"delete_cluster_wide_resources: [{', '.join(words)}] deletes those without objects",
        )


def _with_objects(found: list[tuple[Artefact, Decision]], inventory: Inventory) -> Iterator[Finding]:
    for item, decision in found:
        if decision.goes or not _is_free(item) or not _is_asked(item, inventory):
            continue
        left = objects_left(item, inventory)
        if left is None or left:
            yield Finding(
                "warning",
                "custom-resources-left" if left else "custom-resources-uncounted",
                item.ref,
                f"it stays: {decision.why}",
                "deleting a definition deletes all its objects",
                "look at them; delete_custom_resources: true deletes them, whoever made them",
            )


def _is_free(item: Artefact) -> bool:
    return not item.users and item.owner != "other"


def _is_asked(item: Artefact, inventory: Inventory) -> bool:
    return bool(inventory.request.cluster_wide & {DEFINITIONS[item.what], "all"})


def _orphans(inventory: Inventory) -> Iterator[Finding]:
    """What nobody claims is found, and offered."""
    left = [
        item
        for item in inventory.artefacts
        if item.owner in ("unclaimed", "shared") and not item.users and item.what not in DEFINITIONS and item.what != "custom-resources"
    ]
    left = [item for item in left if not decide(item, inventory).goes]
    if left:
        kinds = Counter(item.what for item in left)
        described = ", ".join(f"{count} × {what}" for what, count in sorted(kinds.items()))
        meshes = sorted({str(item.state["mesh"]) for item in left if item.state.get("mesh")})
        named = f"; those of mesh {', '.join(meshes)} go with mesh_name" if meshes else ""
        yield Finding(
            "info",
            "orphans-found",
            left[0].ref,
            f"{len(left)} things of the family have no mesh in this cluster: {described}",
            "an uninstallation that did not end, or an upgrade, left them; they may hold up others",
            f"delete_cluster_wide_resources: [orphans] removes what nobody claims{named}",
        )
