# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which MeshConfig fields a product has: upstream's are those of osm-edge 1.2 without what came with Pipy.

Source: osm v1.2.4 cmd/osm-bootstrap/crds/config_meshconfig.yaml and pkg/apis/config/v1alpha2/mesh_config.go.
"""

from __future__ import annotations

from dataclasses import replace

from .meshconfig_fields import Field, mesh_config_fields
from .products import OSM, Product
from .versions import Version

_STRING = {"type": "string"}
_OF_PIPY = ("sidecarClass", "sidecarImage", "sidecarWindowsImage", "sidecarDrivers")
_PIPY_ONLY = {*_OF_PIPY, "enableAccessControlPolicy", "enableAccessCertPolicy"}
_ENVOY_ONLY = {"sidecar": (Field("envoyImage", _STRING), Field("envoyWindowsImage", _STRING))}
_RENAMED = {"enableSidecarActiveHealthChecks": "enableEnvoyActiveHealthChecks"}


def fields_of(product: Product, version: Version) -> tuple[Field, ...]:
    """The fields of ``spec`` in that release."""
    fields = mesh_config_fields(version)
    return tuple(_upstream(entry) for entry in fields) if product is OSM else fields


def _upstream(section: Field) -> Field:
    kept = (replace(entry, name=_RENAMED.get(entry.name, entry.name)) for entry in section.fields if entry.name not in _PIPY_ONLY)
    return replace(section, fields=(*kept, *_ENVOY_ONLY.get(section.name, ())))
