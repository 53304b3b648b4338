# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a MeshConfig ``spec`` is walked: paths, zero values, and the lists whose elements have names.

Paths are written ``traffic.interceptionMode`` and, for named elements, ``sidecar.sidecarDrivers[pipy].sidecarImage``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

Spec = Mapping[str, Any]
Path = tuple[str, ...]


class Change(NamedTuple):
    """One value that differs: ``before`` is None when the key was absent. ``why`` is a sentence for people."""

    path: str
    before: Any
    after: Any
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {"path": self.path, "before": self.before, "after": self.after, "why": self.why}


def element_key(path: Path) -> str | None:
    """Return the key that names the elements of the list at ``path``, or None when the list is one value.

    A JSON merge patch would replace these lists whole, built-in elements included.
    """
    if path == ("sidecar", "sidecarDrivers"):
        return "sidecarName"
    if len(path) == 2 and path[0] == "pluginChains":
        return "plugin"
    return None


def element_name(path: Path, element: Any) -> str:
    """Return the comparable name of a named list's element; empty when it has none.

    Driver names compare without case (osm-edge ``GetSidecarImage`` uses ``strings.EqualFold``).
    """
    key = element_key(path)
    name = element.get(key, "") if key is not None and isinstance(element, Mapping) else ""
    name = name if isinstance(name, str) else str(name)
    return name.lower() if key == "sidecarName" else name


def find_element(path: Path, elements: Any, name: str) -> int | None:
    """Return the position of the first element with that name in a named list."""
    if not isinstance(elements, list):
        return None
    return next((at for at, element in enumerate(elements) if name and element_name(path, element) == name), None)


def join(path: Path) -> str:
    """Return a path as people write it; a part in brackets belongs to the list before it."""
    return ".".join(path).replace(".[", "[")


def fields(path: str) -> Path:
    """Return the field names of a written path, without element names."""
    return tuple(part for part in re.sub(r"\[[^\]]*\]", "", path).split(".") if part)


def is_zero(value: Any) -> bool:
    """Whether Go's typed client may leave the value out: ``false``, 0, empty text, list or map, null.

    A map of zero values only counts as well: leaving it out has the same effect.
    """
    if isinstance(value, Mapping):
        return all(is_zero(item) for item in value.values())
    return value is None or value is False or value == "" or value == [] or (value == 0 and not isinstance(value, bool))


def same(left: Any, right: Any) -> bool:
    """Compare as JSON does: unlike Python, ``true`` is not 1."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def overlay(base: dict[str, Any], over: Spec, path: Path = ()) -> None:
    """Lay ``over`` onto ``base`` in place.

    Maps are merged, named lists are merged by element name (new elements at the end), everything else is replaced.
    Nothing is ever removed: a null, or an element without its name, is refused with a LifecycleError.
    """
    for key, value in over.items():
        here = (*path, key)
        _refuse_nulls(value, here)
        if isinstance(value, Mapping):
            if not isinstance(base.get(key), dict):
                base[key] = {}
            overlay(base[key], value, here)
        elif isinstance(value, list) and element_key(here) is not None:
            if not isinstance(base.get(key), list):
                base[key] = []
            _overlay_elements(base[key], value, here)
        else:
            base[key] = copy.deepcopy(value)


def _overlay_elements(base: list[Any], elements: list[Any], path: Path) -> None:
    names = [element_name(path, element) for element in elements]
    doubled = next((name for name in names if names.count(name) > 1), "")
    if "" in names or doubled:
        key = element_key(path)
        raise LifecycleError(
            f"An element of MeshConfig field {join(path)} has no {key}" if "" in names else f"{doubled} is given twice in {join(path)}",
            why=f"the elements of this list are merged by their {key}",
            state="nothing was changed",
            next=f"give each element of {join(path)} a {key} of its own",
        )
    for name, element in zip(names, elements, strict=True):
        at = find_element(path, base, name)
        if at is None:
            base.append(copy.deepcopy(element))
        else:
            settings = {field: value for field, value in element.items() if field != element_key(path)}
            overlay(base[at], settings, (*path, f"[{name}]"))


def _refuse_nulls(value: Any, path: Path) -> None:
    """Refuse null: in a merge patch it would delete the key, and here it is most often a YAML key left empty."""
    if value is None:
        raise LifecycleError(
            f"MeshConfig field {join(path)} has no value",
            why="a key without a value is null in YAML, and null would delete the field",
            state="nothing was changed",
            next=f"give {join(path)} a value, or leave the key out",
        )
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in children:
        _refuse_nulls(item, (*path, f"[{key}]" if isinstance(key, int) else key))


class Difference(NamedTuple):
    """One value that differs; a key or element that only one side has is one difference, whatever it holds."""

    path: Path
    before: Any
    after: Any


def differences(before: Spec, after: Spec, path: Path = ()) -> list[Difference]:
    """Compare two specs, named lists by element name as long as no element went away."""
    found: list[Difference] = []
    for key in [*before, *(key for key in after if key not in before)]:
        here, old, new = (*path, key), before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, here)
        elif isinstance(old, list) and isinstance(new, list) and element_key(here) is not None:
            found += _element_differences(old, new, here)
        elif key not in before or key not in after or not same(old, new):
            found.append(Difference(here, copy.deepcopy(old), copy.deepcopy(new)))
    return found


def _element_differences(old: list[Any], new: list[Any], path: Path) -> list[Difference]:
    names = [element_name(path, element) for element in old]
    if [element_name(path, element) for element in new[: len(old)]] != names or len(set(names)) < len(names):
        return [] if same(old, new) else [Difference(path, copy.deepcopy(old), copy.deepcopy(new))]
    found: list[Difference] = []
    for name, left, right in zip(names, old, new, strict=False):
        found += differences(left, right, (*path, f"[{name}]"))
    added = new[len(old) :]
    return found + [Difference((*path, f"[{element_name(path, element)}]"), None, copy.deepcopy(element)) for element in added]


def leaves(spec: Spec, path: Path = ()) -> list[Path]:
    """Return the path of every value that ``spec`` gives; an empty map counts as a value."""
    found: list[Path] = []
    for key, value in spec.items():
        here = (*path, key)
        if isinstance(value, Mapping) and value:
            found += leaves(value, here)
        elif isinstance(value, list) and element_key(here) is not None:
            for element in value:
                settings = {field: item for field, item in element.items() if field != element_key(here)}
                found += leaves(settings, (*here, f"[{element_name(here, element)}]"))
        else:
            found.append(here)
    return found
