# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checking data against a schema: the part of JSON Schema that charts and CustomResourceDefinitions use.

Written here because neither Helm nor the API server can be asked before anything is touched, and because their answers
name neither the nearest key nor the fix. Unknown keywords are ignored: what is refused here is refused there as well.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal["unknown", "missing", "type", "enum", "pattern", "range", "size", "choice"]
Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (Mapping,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
}


class Violation(NamedTuple):
    """One place where data and schema disagree.

    ``path`` ends with the key in question; ``expected`` is what the schema says there, ``nearest`` the known keys that are
    written like an unknown one, best first.
    """

    path: tuple[str, ...]
    kind: Kind
    value: Any
    expected: Any = None
    nearest: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The path as people write it: ``osm.image.tag``, ``traffic.outboundPortExclusionList[0]``."""
        return ".".join(self.path).replace(".[", "[") or "the whole document"


def violations(value: Any, schema: Schema, *, structural: bool = False, required: bool = True) -> list[Violation]:
    """Return every disagreement between ``value`` and ``schema``.

    ``structural`` is for CustomResourceDefinitions: there a key that no ``properties`` name is unknown (the API server
    drops it silently); elsewhere only ``additionalProperties: false`` makes it so. ``required: False`` is for partial data.
    """
    return list(_Check(schema, structural, required).walk(value, schema, ()))


class _Check:
    def __init__(self, root: Schema, structural: bool, required: bool) -> None:
        self._root = root
        self._structural = structural
        self._required = required

    def walk(self, value: Any, schema: Any, path: tuple[str, ...]) -> Iterator[Violation]:
        schema = self._resolve(schema)
        if schema is False:
            yield Violation(path, "unknown", value)
        if not isinstance(schema, Mapping) or (value is None and schema.get("nullable")):
            return
        wrong = list(self._type(value, schema, path))
        yield from wrong
        if wrong:
            return
        yield from self._scalar(value, schema, path)
        if isinstance(value, Mapping):
            yield from self._object(value, schema, path)
        elif isinstance(value, list):
            yield from self._array(value, schema, path)
        for part in schema.get("allOf", ()):
            yield from self.walk(value, part, path)
        for keyword in ("anyOf", "oneOf"):
            choices = schema.get(keyword)
            if choices and all(any(True for dummy in self.walk(value, choice, path)) for choice in choices):
                yield Violation(path, "choice", value, choices)

    def _resolve(self, schema: Any) -> Any:
        """Follow ``$ref`` within the document; a reference that leads nowhere allows everything."""
        for dummy in range(20):
            if not (isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str)):
                return schema
            place: Any = self._root
            for part in schema["$ref"].removeprefix("#").split("/")[1:]:
                place = place.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(place, Mapping) else {}
            schema = place
        return {}

    def _type(self, value: Any, schema: Schema, path: tuple[str, ...]) -> Iterator[Violation]:
        if schema.get("x-kubernetes-int-or-string"):
            names = ["integer", "string"]
        else:
            wanted = schema.get("type")
            names = [wanted] if isinstance(wanted, str) else list(wanted or ())
        if names and not any(_is_a(value, name) for name in names):
            yield Violation(path, "type", value, names)

    def _scalar(self, value: Any, schema: Schema, path: tuple[str, ...]) -> Iterator[Violation]:
        allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if allowed is not None and not any(isinstance(item, bool) == isinstance(value, bool) and item == value for item in allowed):
            yield Violation(path, "enum", value, list(allowed))
        if isinstance(value, str) and isinstance(schema.get("pattern"), str) and not _matches(schema["pattern"], value):
            yield Violation(path, "pattern", value, schema["pattern"])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = schema.get("minimum"), schema.get("maximum")
            if (low is not None and value < low) or (high is not None and value > high):
                yield Violation(path, "range", value, (low, high))
        if isinstance(value, (str, list)):
            unit = "Length" if isinstance(value, str) else "Items"
            low, high = schema.get(f"min{unit}"), schema.get(f"max{unit}")
            if (low is not None and len(value) < low) or (high is not None and len(value) > high):
                yield Violation(path, "size", value, (low, high))

    def _object(self, value: Mapping[str, Any], schema: Schema, path: tuple[str, ...]) -> Iterator[Violation]:
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        patterns = schema.get("patternProperties") or {}
        closed = others is False
        if self._structural and others is None and properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed = True
        for key, item in value.items():
            here = (*path, str(key))
            if key in properties:
                yield from self.walk(item, properties[key], here)
            elif any(_matches(pattern, str(key)) for pattern in patterns):
                for pattern, part in patterns.items():
                    yield from self.walk(item, part, here) if _matches(pattern, str(key)) else ()
            elif closed:
                yield Violation(here, "unknown", item, sorted(properties), nearest(str(key), properties))
            elif isinstance(others, Mapping):
                yield from self.walk(item, others, here)
        for key in schema.get("required", ()) if self._required else ():
            if key not in value:
                yield Violation((*path, key), "missing", None)

    def _array(self, value: list[Any], schema: Schema, path: tuple[str, ...]) -> Iterator[Violation]:
        if isinstance(schema.get("items"), Mapping):
            for at, item in enumerate(value):
                yield from self.walk(item, schema["items"], (*path, f"[{at}]"))


def _is_a(value: Any, name: str) -> bool:
    if name in ("integer", "number"):
        # JSON Schema counts 1.0 as an integer, and both Helm and the API server read it as one.
        whole = isinstance(value, int) or (isinstance(value, float) and (name == "number" or value.is_integer()))
        return whole and not isinstance(value, bool)
    return isinstance(value, _TYPES[name]) if name in _TYPES else True


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Go's expressions have forms that Python's do not know; then the server decides.
        return True


def nearest(key: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """Return up to three known keys written like ``key``, whatever the case, best first."""
    folded = {name.lower(): name for name in known}
    return tuple(folded[name] for name in difflib.get_close_matches(key.lower(), folded, n=3, cutoff=0.6))
