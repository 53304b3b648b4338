# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Go's typed client makes of a MeshConfig: unknown keys go, zero values go or come, depending on the field.

osm-bootstrap reads the preset into the Go type and writes that (osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go
``buildDefaultMeshConfig``), so the object in the cluster is not what the preset says literally.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .meshconfig_fields import Field
from .meshconfig_products import fields_of
from .products import FSM, Product
from .versions import Version

_ZERO = {"string": "", "integer": 0, "number": 0, "boolean": False}


def through_go_type(spec: Mapping[str, Any], product: Product, version: Version) -> dict[str, Any]:
    """The ``spec`` that arrives at the API server when that version's client writes ``spec``; FSM's type is not known here."""
    if product is FSM:
        return dict(spec)
    return _struct(spec, fields_of(product, version), version)


def _struct(value: Mapping[str, Any], fields: Iterable[Field], version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in fields:
        if entry.since > version:
            continue
        name = entry.go_name or entry.name
        given = value.get(name)
        if entry.fields and not entry.array and not entry.pointer:
            # A struct is no pointer: it is written even when nothing was in it.
            found[name] = _struct(given or {}, entry.fields, version)
        elif entry.pointer:
            if given is not None:
                found[name] = _struct(given, entry.fields, version) if entry.fields else given
        elif entry.array and given:
            found[name] = [_struct(item, entry.fields, version) for item in given]
        elif given or entry.keep_zero:
            found[name] = given if given is not None else _zero(entry)
    return found


def _zero(entry: Field) -> Any:
    """A list that was never set is null in JSON; the API server then drops it."""
    return None if entry.array else _ZERO.get(entry.schema.get("type", ""))
