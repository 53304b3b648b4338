# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is decided about one thing, and the names of the actions. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import is_asked
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id

DELETE, STOP, STRIP, UNINSTALL, AWAIT = "delete", "stop", "strip_conversion", "uninstall", "await"
DELETE_SECRETS, DELETE_OBJECTS = "delete_secrets", "delete_objects"
UNENROL, EDIT_TEMPLATE = "unenrol", "edit_template"


class Decision(NamedTuple):
    """What becomes of one thing.

    ``goes`` says whether this run removes it, ``why`` is the reason as the end of a sentence ("it goes because …", "kept because …").
    ``step`` is the id of the step that removes it: a step of its own with this ``action`` in ``phase``, or, with an empty ``action``,
    one that removes other things as well. ``after`` marks what can be decided only when an earlier phase is done.
    """

    goes: bool
    why: str
    phase: str = ""
    action: str = ""
    step: str = ""
    after: bool = False


def stays(why: str) -> Decision:
    """Return that a thing is kept."""
    return Decision(goes=False, why=why)


def goes(item: Artefact, why: str, phase: str, action: str = DELETE, *, after: bool = False) -> Decision:
    """Return that a thing is removed by a step of its own."""
    return Decision(goes=True, why=why, phase=phase, action=action, step=step_id(action, item.ref), after=after)


def goes_along(why: str, phase: str, step: str = "") -> Decision:
    """Return that a thing is removed together with others."""
    return Decision(goes=True, why=why, phase=phase, step=step)


def used_by(users: tuple[str, ...]) -> str:
    """Return why what others use is kept."""
    return f"{', '.join(users)} {'uses' if len(users) == 1 else 'use'} it"


def kept_for_others(item: Artefact) -> Decision | None:
    """Return why a thing is kept whatever was asked for: it is not of this mesh, or not of this mesh alone."""
    if item.users:
        return stays(used_by(item.users))
    return stays(f"it is not of this mesh: {item.found_by}") if item.owner == "other" else None


def ownerless(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about what is of the family and has no living owner."""
    if not is_asked(inventory, "orphans"):
        return stays("no mesh of this cluster claims it, and leftovers of others go only with delete_cluster_wide_resources: [orphans]")
    return goes(item, "no mesh of this cluster claims it", phases.DEFINITIONS)


def objects(count: int) -> str:
    """Return a number of objects for a sentence."""
    return "an object" if count == 1 else f"{count} objects"
