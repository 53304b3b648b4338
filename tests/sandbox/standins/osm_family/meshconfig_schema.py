# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI schemas of MeshConfig: structural, so that the API server drops fields that a version does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .meshconfig_fields import Field, mesh_config_fields
from .versions import Version


def mesh_config_schema(version: Version, api_version: str) -> dict[str, Any]:
    """The ``openAPIV3Schema`` of a MeshConfig in ``v1alpha1`` or ``v1alpha2``, as that version of the control plane ships it."""
    fields = [entry for entry in mesh_config_fields(version) if _has(entry, version, api_version)]
    return {"type": "object", "properties": {"spec": _object(fields, version, api_version)}}


def _has(entry: Field, version: Version, api_version: str) -> bool:
    return entry.since <= version and (entry.older or api_version != "v1alpha1")


def _object(fields: Iterable[Field], version: Version, api_version: str) -> dict[str, Any]:
    known = [entry for entry in fields if _has(entry, version, api_version)]
    found: dict[str, Any] = {"type": "object", "properties": {entry.name: _field(entry, version, api_version) for entry in known}}
    if required := [entry.name for entry in known if entry.required]:
        found["required"] = required
    return found


def _field(entry: Field, version: Version, api_version: str) -> dict[str, Any]:
    if not entry.fields:
        return dict(entry.schema)
    item = _object(entry.fields, version, api_version)
    return {"type": "array", "items": item} if entry.array else item
