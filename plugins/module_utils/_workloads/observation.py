# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at everything that is under way: a list per resource type, however many objects it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import PDB, POD, Kind

Object = Mapping[str, Any]

# Up to so many namespaces are listed one by one, more of them all at once. A list of all pods is by far the most expensive.
_NAMESPACES, _NAMESPACES_OF_PODS = 3, 16


class Want(NamedTuple):
    """What is to be looked at: one object, or all of a kind in a namespace when ``name`` is empty."""

    kind: Kind
    namespace: str
    name: str = ""


class Seen:
    """What was there, by kind, namespace and name."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[str, dict[str, Object]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, kind: Kind, item: Object) -> None:
        """Keep a raw object."""
        metadata = item["metadata"]
        self._objects[kind][metadata.get("namespace", "")][metadata["name"]] = item

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object, or None when it is not there."""
        return self._objects[kind][namespace].get(name)

    def all(self, kind: Kind, namespace: str) -> Mapping[str, Object]:
        """Return the objects of a kind in a namespace by name."""
        return self._objects[kind][namespace]


def look(api: Api, wants: Iterable[Want]) -> Seen:
    """Return what is there of what is wanted."""
    wanted = set(wants)
    namespaces: defaultdict[Kind, set[str]] = defaultdict(set)
    for want in wanted:
        namespaces[want.kind].add(want.namespace)
    lists: list[tuple[Kind, str | None]] = []
    for kind, names in namespaces.items():
        few = len(names) <= (_NAMESPACES_OF_PODS if kind == POD else _NAMESPACES)
        lists += [(kind, name) for name in sorted(names)] if few else [(kind, None)]
    seen = Seen()
    for kind, items in api.map(lambda item: (item[0], _read(api, *item, wanted)), lists):
        for item in items:
            seen.add(kind, item)
    return seen


def _read(api: Api, kind: Kind, namespace: str | None, wanted: set[Want]) -> list[Object]:
    """Drop what nobody asked for while it is read: a page is kept at most."""
    found: list[Object] = []
    try:
        for item in api.list(kind, namespace):
            place, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
            if Want(kind, place, name) in wanted or Want(kind, place) in wanted:
                found.append(item)
    except NotFound:
        # The resource type itself is gone, and its objects with it.
        return []
    except Forbidden:
        # Budgets are only looked at so that they can be named.
        if kind != PDB:
            raise
        return []
    return found
