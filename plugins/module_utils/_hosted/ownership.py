# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns what in a set, so that a restore links the new objects as the old ones were. Pure.

An owner reference with a uid that does not exist makes the garbage collector delete the object, even if there is an owner of
that name: so references are not stored with the objects, but between the files of the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Object, metadata_of, uid_of


class Edge(NamedTuple):
    """An owner and a dependent, by the paths of their files; ``owner_uid`` is what it was, ``controller`` and ``block_owner_deletion``
    are as in the owner reference."""

    owner: str
    owner_uid: str
    dependent: str
    controller: bool
    block_owner_deletion: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the index carries."""
        return self._asdict()


class Ownership(NamedTuple):
    """The edges of a set; ``outside`` are the references to owners that are not in it, as ``(path of the dependent, reference)``."""

    edges: tuple[Edge, ...]
    outside: tuple[tuple[str, Object], ...]


def ownership(objects: Iterable[tuple[str, Object]]) -> Ownership:
    """Return how the objects of a set, ``(path, object as it was)``, own each other."""
    known = [*objects]
    paths: Mapping[str, str] = {uid_of(item): path for path, item in known if uid_of(item)}
    edges: list[Edge] = []
    outside: list[tuple[str, Object]] = []
    for path, item in known:
        for reference in metadata_of(item).get("ownerReferences") or ():
            uid = str(reference.get("uid") or "")
            if uid in paths:
                flags = (bool(reference.get("controller")), bool(reference.get("blockOwnerDeletion")))
                edges.append(Edge(paths[uid], uid, path, *flags))
            else:
                outside.append((path, reference))
    return Ownership(tuple(edges), tuple(outside))
