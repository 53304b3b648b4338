# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declarative edits of a MeshConfig: a partial spec, and single elements added to or removed from its lists."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import (
    Change,
    Path,
    Spec,
    differences,
    element_key,
    element_name,
    find_element,
    join,
    leaves,
    overlay,
    same,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


class EditResult(NamedTuple):
    """The spec as it is wanted, and every value in it that differs from the live one (none: nothing to do)."""

    spec: dict[str, Any]
    changes: list[Change]


def edit(live_spec: Spec, spec: Spec | None = None, add: Spec | None = None, remove: Spec | None = None) -> EditResult:
    """Return ``live_spec`` with a partial ``spec`` laid over it, elements of lists added and elements removed.

    ``spec`` merges maps, merges ``sidecarDrivers`` and ``pluginChains.*`` by name and replaces other lists whole.
    ``add`` and ``remove`` are shaped like a spec whose values are lists:
    ``{"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1/32"]}}``. What is there already is not added again, new
    elements go to the end, the others keep their order; what is not there need not be removed. Elements of named lists are
    removed by name: a string, or a map with the name.

    Raises LifecycleError when a request contradicts itself or does not fit the live spec. The inputs are not changed.
    """
    wanted = copy.deepcopy(dict(live_spec))
    additions, removals = dict(_lists(add or {}, "add")), dict(_lists(remove or {}, "remove"))
    _refuse_contradictions(spec or {}, additions, removals)
    overlay(wanted, spec or {})
    for path, elements in removals.items():
        _remove(wanted, path, elements)
    for path, elements in additions.items():
        _add(wanted, path, elements)
    changes = [Change(join(path), before, after, "asked for") for path, before, after in differences(live_spec, wanted)]
    return EditResult(wanted, changes)


def _lists(request: Spec, option: str, path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    for key, value in request.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            yield from _lists(value, option, here)
        elif isinstance(value, list):
            yield here, value
        else:
            raise LifecycleError(
                f"{option}: {join(here)} must be a list of elements",
                why=f"it is {value!r}; {option} works on the elements of lists",
                state="nothing was changed",
                next=f"write the elements to {option} as a list; set other fields with the option spec",
            )


def _refuse_contradictions(spec: Spec, additions: Mapping[Path, list[Any]], removals: Mapping[Path, list[Any]]) -> None:
    given = leaves(spec)
    for path in [*additions, *(path for path in removals if path not in additions)]:
        option = "add" if path in additions else "remove"
        if element_key(path) is None and path in given:
            raise LifecycleError(
                f"spec and {option} both name {join(path)}",
                why="spec replaces the whole list, so it cannot be edited element by element at the same time",
                state="nothing was changed",
                next=f"give {join(path)} either in spec or in {option}",
            )
        if element_key(path) is not None and path in additions:
            raise LifecycleError(
                f"add: the elements of {join(path)} have names",
                why=f"they are merged by their {element_key(path)}, with the option spec",
                state="nothing was changed",
                next=f"put the elements of {join(path)} into spec",
            )
    for path in additions.keys() & removals.keys():
        both = [element for element in additions[path] if any(same(element, other) for other in removals[path])]
        if both:
            raise LifecycleError(
                f"add and remove both name {both[0]!r} in {join(path)}",
                why="an element cannot be wanted and unwanted at the same time",
                state="nothing was changed",
                next=f"keep {both[0]!r} in one of the two options",
            )
    for path, elements in removals.items():
        names = {_name(path, element) for element in elements} if element_key(path) is not None else set()
        wanted = {other[len(path)][1:-1] for other in given if len(other) > len(path) and other[: len(path)] == path}
        if names & wanted:
            clash = min(names & wanted)
            raise LifecycleError(
                f"spec and remove both name {clash} in {join(path)}",
                why="an element cannot be wanted and unwanted at the same time",
                state="nothing was changed",
                next=f"keep {clash} in one of the two options",
            )


def _list_at(spec: dict[str, Any], path: Path, *, create: bool) -> list[Any] | None:
    """Return the list at ``path``; None when it is absent and not to be created."""
    place: Any = spec
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if place.get(key) is None:
            if not create:
                return None
            place[key] = [] if last else {}
        place = place[key]
        if not isinstance(place, list if last else dict):
            raise LifecycleError(
                f"{join(path)} is not a list in this MeshConfig",
                why=f"{join(path[: depth + 1])} is {place!r}",
                state="nothing was changed",
                next="add and remove work on lists; set this field with the option spec",
            )
    return place if isinstance(place, list) else None


def _add(spec: dict[str, Any], path: Path, elements: list[Any]) -> None:
    missing: list[Any] = []
    present = _list_at(spec, path, create=False) or []
    for element in elements:
        if not any(same(element, other) for other in [*present, *missing]):
            missing.append(copy.deepcopy(element))
    if missing:
        target = _list_at(spec, path, create=True)
        if target is not None:
            target.extend(missing)


def _remove(spec: dict[str, Any], path: Path, elements: list[Any]) -> None:
    present = _list_at(spec, path, create=False)
    if present is None:
        return
    if element_key(path) is None:
        present[:] = [other for other in present if not any(same(element, other) for element in elements)]
        return
    for element in elements:
        at = find_element(path, present, _name(path, element))
        if at is not None:
            del present[at]


def _name(path: Path, element: Any) -> str:
    key = element_key(path) or ""
    return element_name(path, element if isinstance(element, Mapping) else {key: str(element)})
