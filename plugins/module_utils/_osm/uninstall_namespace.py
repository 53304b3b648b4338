# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the namespace of the control plane. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    content_unread,
    deletes_namespace,
    home,
    is_protected,
    meshes_at_home,
    why_control_plane_stays,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import (
    AWAIT,
    Decision,
    goes,
    objects,
    stays,
    used_by,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_definitions import conversion


def namespace(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about the namespace of the control plane."""
    request = inventory.request
    if item.ref.name != home(inventory):
        return stays("it is not the namespace of this mesh")
    if is_protected(item.ref.name):
        return stays("it is one of the cluster's own namespaces")
    if request.delete_namespace == "no" or "namespace" not in request.parts:
        return stays("a namespace may hold more than the mesh, so it goes only with delete_namespace: true")
    if request.managed:
        return stays(why_control_plane_stays(inventory))
    if not deletes_namespace(inventory):
        shared = meshes_at_home(inventory)
        return stays(used_by(tuple(shared)) if shared else f"the control plane in it stays: {why_control_plane_stays(inventory)}")
    if inventory.namespace_terminating:
        return goes(item, "it is being deleted already", phases.NAMESPACE, AWAIT)
    return _with_content(item, inventory)


def _with_content(item: Artefact, inventory: Inventory) -> Decision:
    """Decide by what the namespace holds; what a conversion webhook of this mesh hides is seen when that is gone."""
    if inventory.request.delete_namespace == "force":
        return goes(item, "it was asked for, with whatever it holds", phases.NAMESPACE)
    if inventory.content:
        return stays(f"it holds {objects(len(inventory.content))} that {'is' if len(inventory.content) == 1 else 'are'} not of this mesh")
    hidden = hidden_by_conversion(inventory)
    unread = [f"{part}: {why}" for part, why in content_unread(inventory).items() if part not in hidden]
    if unread:
        return stays(f"not all that it holds could be read ({'; '.join(unread)})")
    if hidden:
        return goes(item, "it was asked for; if it turns out to hold what is not of this mesh it is kept", phases.NAMESPACE, after=True)
    return goes(item, "it was asked for, and holds nothing else", phases.NAMESPACE)


def hidden_by_conversion(inventory: Inventory) -> list[str]:
    """Return the parts of the namespace's content that can be read when this run has taken a conversion webhook off."""
    stripped = [item for item in inventory.artefacts if item.what == "conversion-webhook" and conversion(item, inventory).goes]
    plurals = {item.ref.name.partition(".")[0] for item in stripped}
    return [part for part in content_unread(inventory) if part.partition(" ")[0] in plurals]
