# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mesh uses which CustomResourceDefinition: they carry no mesh's name, and products share some. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse

_SMI = "smi-spec.io"
# FSM names this group multicluster.flomesh.io since 1.3; osm-edge 1.3 has it under the old name.
_OLD_MULTICLUSTER = "flomesh.io"


def is_used(crd: CustomResource, mesh: Mesh) -> bool:
    """Whether this version of the mesh installs the definition; where its set is not recorded, the definition's group and label tell."""
    recorded = crds_of(mesh.product, mesh.bootstrap_version)
    if recorded is not None:
        return any(crd.name == each.name for each in recorded)
    group = crd.name.partition(".")[2]
    if group == _SMI or group.endswith(f".{_SMI}"):
        return True
    if mesh.product is not FSM:
        return crd.labels.get("app.kubernetes.io/name") == mesh.product.app_name and not group.endswith(_OLD_MULTICLUSTER)
    if group == _OLD_MULTICLUSTER:
        version = parse(mesh.bootstrap_version)
        return version is not None and (version.major, version.minor) <= (1, 2)
    # plugin.flomesh.io is osm-edge's as well, with its label.
    return group.endswith(f".{_OLD_MULTICLUSTER}") or crd.labels.get("app.kubernetes.io/name") == mesh.product.app_name


def shared_crds(observed: Observed) -> list[dict[str, Any]]:
    """Return the definitions that more than one mesh uses, each with its users in ``used_by``."""
    rows = []
    for name, crd in sorted((observed.crds or {}).items()):
        users = [mesh for mesh in observed.meshes if is_used(crd, mesh)]
        if len(users) > 1:
            used_by = [{"product": mesh.product.id, "name": mesh.name, "namespace": mesh.namespace} for mesh in users]
            rows.append({"name": name, "versions": [*crd.versions], "used_by": used_by})
    return rows
