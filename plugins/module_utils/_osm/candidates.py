# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which meshes of the OSM family a cluster has, in one request."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.mesh_candidates import MeshCandidate

_CONTROLLERS = f"app in ({','.join(dict.fromkeys(product.controller for product in PRODUCTS))})"


def osm_candidates(api: Api) -> list[MeshCandidate]:
    """Return the meshes that have a controller; raises KubeError."""
    found = api.list(DEPLOYMENT, label_selector=_CONTROLLERS, metadata_only=True)
    return [
        MeshCandidate("osm", item["metadata"]["namespace"], item["metadata"]["labels"].get("meshName") or item["metadata"]["name"])
        for item in found
    ]
