# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed of a hosted cluster while it was backed up, and what it is supposed to be after an online backup: as before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, metadata_of, ref_of, uid_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import to_stop
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_NAMED = 5


def changed_objects(before: Inventory, after: Inventory) -> list[str]:
    """Return what came, went or got another spec between two readings, in words."""
    # What could be read only once is neither new nor gone.
    unread = before.unreadable.keys() | after.unreadable.keys()
    return _changes(*((item for kind, item in found.everything() if kind.plural not in unread) for found in (before, after)))


def undone_findings(before: Inventory, after: Inventory) -> list[Finding]:
    """Return what was written meanwhile of that which keeps a cluster stopped. All are errors, also when it is stopped again by now."""
    return [
        Finding(
            "error",
            "changed-while-stopped",
            after.target.ref,
            f"{change} since the snapshot",
            "what was stopped may have run meanwhile, also if it is stopped again, and the snapshot does not know what it did",
            "keep whoever writes it from it (a GitOps tool, a colleague), then run the same command again",
        )
        for change in _changes(_keeping_stopped(before), _keeping_stopped(after))
    ]


def _keeping_stopped(inventory: Inventory) -> Iterable[dict[str, Any]]:
    return (inventory.hosted_cluster, *inventory.node_pools, *inventory.of("clusters"), *to_stop(inventory))


def _changes(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> list[str]:
    old, new = ({ref_of(item): item for item in items} for items in (before, after))
    found = [f"{ref} is new" for ref in new.keys() - old.keys()]
    found += [f"{ref} is gone" for ref in old.keys() - new.keys()]
    for ref in old.keys() & new.keys():
        if uid_of(old[ref]) != uid_of(new[ref]):
            found.append(f"{ref} was made again")
        elif metadata_of(old[ref]).get("generation") != metadata_of(new[ref]).get("generation"):
            found.append(f"{ref} has another spec")
    return sorted(found)


def change_findings(changes: Sequence[str], ref: ObjectRef, *, stopped: bool = False) -> list[Finding]:
    """Tell it: the objects of the set are then younger than its snapshot. ``stopped``: it was for this backup."""
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
            "find out who changes objects of a cluster that is stopped, then back up again"
            if stopped
            else "back up again when nothing is being scaled or upgraded, or with mode: quiesce",
        )
    ]
