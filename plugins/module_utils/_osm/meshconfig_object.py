# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MeshConfig as an object of the API: its resource type, and the patch that makes one spec of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import same
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product


def mesh_config_kind(product: Product) -> Kind:
    """Return the MeshConfig's resource type."""
    return Kind(product.mesh_config_api_version, "MeshConfig", "meshconfigs")


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that makes ``after`` of ``before``; lists are replaced whole."""
    patch: dict[str, Any] = {}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif isinstance(value, Mapping) and isinstance(before[key], Mapping):
            inner = merge_patch(before[key], value)
            if inner:
                patch[key] = inner
        elif not same(value, before[key]):
            patch[key] = value
    patch.update({key: None for key in before if key not in after})
    return patch
