# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of definitions, of their conversion, and of their objects. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    control_plane_stays,
    is_asked,
    why_control_plane_stays,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import (
    DELETE_OBJECTS,
    STRIP,
    Decision,
    goes,
    goes_along,
    kept_for_others,
    objects,
    ownerless,
    stays,
    used_by,
)

# The word of ``delete_cluster_wide_resources`` for each.
DEFINITIONS = {"osm-crd": "osm_crds", "smi-crd": "smi_crds"}
# What a mesh makes for itself, and what goes with it.
INSTANCES = ("mesh-config", "root-certificate")


def conversion(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about the conversion webhook of a definition."""
    others = kept_for_others(item)
    if others is not None:
        return others
    if item.owner == "named":
        why = why_control_plane_stays(inventory)
        if why:
            return stays(why)
        return goes(item, "it leads to this mesh, and without it no object of the definition could be read", phases.CONVERSION, STRIP)
    wanted = any(is_asked(inventory, word) for word in ("orphans", *DEFINITIONS.values()))
    if not wanted:
        return ownerless(item, inventory)
    return goes(item, "it leads nowhere, and objects of the definition can be neither read nor deleted", phases.CONVERSION, STRIP)


def definition(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about a definition."""
    others = kept_for_others(item)
    if others is not None:
        return others
    word = DEFINITIONS[item.what]
    if not is_asked(inventory, word):
        return stays(f"deleting a definition deletes all its objects, so it goes only with delete_cluster_wide_resources: [{word}]")
    if control_plane_stays(inventory) and item.state.get("used_by_mesh", True):
        return stays(f"the control plane that uses it stays: {why_control_plane_stays(inventory)}")
    users = next((other.users for other in _instances(item, inventory) if other.users), ())
    if users:
        return stays(used_by(users))
    converted = [other for other in _conversions(item, inventory) if not conversion(other, inventory).goes]
    if converted:
        return stays(f"who converts it stays: {conversion(converted[0], inventory).why}")
    if inventory.request.delete_custom_resources:
        return goes(item, "it was asked for, with all its objects", phases.DEFINITIONS)
    count = objects_left(item, inventory)
    if count is None:
        return _uncounted(item, inventory)
    if count:
        return stays(f"it has {objects(count)} that would be deleted with it; delete_custom_resources: true allows that")
    return goes(item, "it was asked for, and has no objects", phases.DEFINITIONS)


def _conversions(item: Artefact, inventory: Inventory) -> list[Artefact]:
    return [other for other in inventory.artefacts if other.what == "conversion-webhook" and other.ref.name == item.ref.name]


def _uncounted(item: Artefact, inventory: Inventory) -> Decision:
    """A list that fails on the conversion webhook works when that is gone; then the definition is looked at again."""
    if _conversions(item, inventory):
        return goes(item, "it was asked for; if it turns out to have objects it is kept", phases.DEFINITIONS, after=True)
    return stays(f"its objects could not be counted ({_unknown(item, inventory)}), and would be deleted with it")


def custom_resources(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about the objects of a definition."""
    if objects_left(item, inventory) == 0:
        return goes_along("all of them are objects that the mesh made for itself", phases.ARTEFACTS)
    others = kept_for_others(item)
    if others is not None:
        return others
    own = next((other for other in inventory.artefacts if other.what in DEFINITIONS and other.ref.name == item.ref.name), None)
    decided = definition(own, inventory) if own is not None else stays("their definition is not of the mesh")
    if not decided.goes:
        return decided._replace(why=f"their definition stays: {decided.why}")
    if not inventory.request.delete_custom_resources:
        return decided._replace(action="")
    return goes(item, "they were asked for, with their definition", phases.CUSTOM_RESOURCES, DELETE_OBJECTS)


def objects_left(item: Artefact, inventory: Inventory) -> int | None:
    """Return how many objects a definition has besides those of meshes that go themselves; None when they could not be counted."""
    counted = next((other for other in inventory.artefacts if other.what == "custom-resources" and other.ref.name == item.ref.name), item)
    if counted.count is None:
        return None
    going = sum(1 for other in _instances(item, inventory) if _goes_itself(other, inventory))
    return max(0, counted.count - going)


def _instances(item: Artefact, inventory: Inventory) -> list[Artefact]:
    """Return those objects of a definition that are told one by one."""
    plural, dummy, group = item.ref.name.partition(".")
    return [other for other in inventory.artefacts if (other.kind.plural, other.kind.group) == (plural, group) and other.what in INSTANCES]


def with_its_definition(item: Artefact, inventory: Inventory) -> Decision | None:
    """Return that an object which nobody removes by itself goes with all objects of its definition; None when it does not."""
    name = f"{item.kind.plural}.{item.kind.group}"
    group = next((other for other in inventory.artefacts if other.what == "custom-resources" and other.ref.name == name), None)
    decided = custom_resources(group, inventory) if group is not None and not item.users else None
    if decided is None or decided.action != DELETE_OBJECTS:
        return None
    return goes_along("it goes with all objects of its definition", decided.phase, decided.step)


def _goes_itself(item: Artefact, inventory: Inventory) -> bool:
    if kept_for_others(item) is not None:
        return False
    return not why_control_plane_stays(inventory) if item.owner == "named" else is_asked(inventory, "orphans")


def _unknown(item: Artefact, inventory: Inventory) -> str:
    told = (other.unknown for other in inventory.artefacts if other.ref.name == item.ref.name and other.unknown)
    return next(told, "") or "nothing says why"
