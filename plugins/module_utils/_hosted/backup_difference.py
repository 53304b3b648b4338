# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed of a hosted cluster while it was backed up, and what it is supposed to be after an online backup: as before. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, metadata_of, ref_of, uid_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_NAMED = 5


def changed_objects(before: Inventory, after: Inventory) -> list[str]:
    """Return what came, went or got another spec between two readings, in words."""
    old = {ref_of(item): item for _kind, item in before.everything()}
    new = {ref_of(item): item for _kind, item in after.everything()}
    found = [f"{ref} is new" for ref in new.keys() - old.keys()]
    found += [f"{ref} is gone" for ref in old.keys() - new.keys()]
    for ref in old.keys() & new.keys():
        if uid_of(old[ref]) != uid_of(new[ref]):
            found.append(f"{ref} was made again")
        elif metadata_of(old[ref]).get("generation") != metadata_of(new[ref]).get("generation"):
            found.append(f"{ref} has another spec")
    return sorted(found)


def change_findings(changes: Sequence[str], ref: ObjectRef) -> list[Finding]:
    """Tell it: the objects of the set are then younger than its snapshot."""
    if not changes:
        return []
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return [
        Finding(
            "warning",
            "changed-during-backup",
            ref,
            f"objects changed between the snapshot and their backup: {'; '.join(changes[:_NAMED])}{more}",
            "the snapshot does not know of that; a restore would meet machines without a node or nodes without a machine",
            "back up again when nothing is being scaled or upgraded, or with mode: quiesce",
        )
    ]
