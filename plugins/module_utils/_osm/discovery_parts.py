# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the parts that an observation may lack when a permission is missing (``Observed.unknown``)."""

from __future__ import annotations

RELEASES = "Helm releases"
DATA_PLANE = "data plane"
WEBHOOKS = "webhooks"
CRDS = "CRDs"
MESH_CONFIGS = "MeshConfigs"
HOOKS = "hook leftovers"


def preset_part(namespace: str) -> str:
    """Return the name of the preset of the mesh in that namespace."""
    return f"preset of {namespace}"
