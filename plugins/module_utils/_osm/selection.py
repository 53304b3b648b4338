# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the observed meshes is meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def matching(observed: Observed, mesh_name: str | None, namespace: str | None) -> list[Mesh]:
    """Return the meshes with that name and in that namespace; None does not restrict."""
    return [mesh for mesh in observed.meshes if mesh_name in (None, "", mesh.name) and namespace in (None, "", mesh.namespace)]


def select_mesh(observed: Observed, mesh_name: str | None = None, namespace: str | None = None) -> Mesh:
    """Return the one mesh that is meant; raises Refused, naming the meshes that exist, when there is none or more than one."""
    found = matching(observed, mesh_name, namespace)
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            f"There is more than one mesh{_described(mesh_name, namespace)}: {_listed(found)}",
            why="the procedure works on one mesh, and which one is meant was not said",
            state="nothing was changed",
            next="set mesh_name (and mesh_namespace when two have the same name)",
            details={"meshes": _as_dicts(found)},
        )
    raise _not_found(observed, mesh_name, namespace)


def _not_found(observed: Observed, mesh_name: str | None, namespace: str | None) -> Refused:
    meshes = observed.meshes
    close = difflib.get_close_matches(mesh_name or "", [mesh.name for mesh in meshes], n=1, cutoff=0.5)
    if not meshes:
        why = "no Deployment, Helm release, webhook or MeshConfig of the OSM family was found in the cluster"
        advice = "check that this is the cluster that is meant; a mesh is installed with its Helm chart"
    else:
        why = f"the cluster has {_listed(meshes)}"
        advice = f"did you mean {close[0]}?" if close else "set mesh_name and mesh_namespace to one of these"
    if observed.unknown:
        why += f"; not read: {'; '.join(f'{part} ({reason})' for part, reason in sorted(observed.unknown.items()))}"
    return Refused(
        f"There is no mesh{_described(mesh_name, namespace)}",
        object=ObjectRef("Mesh", mesh_name, namespace or "") if mesh_name else None,
        why=why,
        state="nothing was changed",
        next=advice,
        details={"meshes": _as_dicts(meshes)},
    )


def _described(mesh_name: str | None, namespace: str | None) -> str:
    return (f" named {mesh_name}" if mesh_name else "") + (f" in namespace {namespace}" if namespace else "")


def _listed(meshes: Sequence[Mesh]) -> str:
    return ", ".join(
        f"{mesh.name} in namespace {mesh.namespace} ({mesh.product.title} {mesh.version or 'of unknown version'})" for mesh in meshes
    )


def _as_dicts(meshes: Sequence[Mesh]) -> list[dict[str, str]]:
    return [{"name": mesh.name, "namespace": mesh.namespace, "product": mesh.product.id, "version": mesh.version} for mesh in meshes]
