# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI schemas of MeshConfig: structural, so that the API server drops fields that a version does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .meshconfig_fields import Field
from .meshconfig_products import fields_of
from .products import FSM, Product
from .versions import V1_5, Version

_ANY_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# FSM's has several hundred fields; what decides about pods is checked as there: fsm v1.5.1 config.flomesh.io_meshconfigs.yaml


def mesh_config_schema(product: Product, version: Version, api_version: str) -> dict[str, Any]:
    """The ``openAPIV3Schema`` of a MeshConfig in one of its versions, as that version of the control plane ships it."""
    if product is FSM:
        modes = ["PodLevel", "NodeLevel"] if version >= V1_5 else ["iptables", "ebpf", "none"]
        traffic = _ANY_OBJECT | {"properties": {"interceptionMode": {"type": "string", "enum": modes}}}
        return {"type": "object", "properties": {"spec": _ANY_OBJECT | {"properties": {"traffic": traffic}}}}
    fields = [entry for entry in fields_of(product, version) if _has(entry, version, api_version)]
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
