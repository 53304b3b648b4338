# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why something that was named in ``user_resources`` is not deleted all the same. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import home, is_protected, is_system
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import is_living, title

USER_RESOURCE = "user-resource"


class Obstacle(NamedTuple):
    """Why not: ``code`` of the refusal, the reason as the end of a sentence, what to do instead."""

    code: str
    why: str
    next: str


_TAKE_OFF = "take it off user_resources"


def obstacle(item: Artefact, inventory: Inventory) -> Obstacle | None:
    """Return what speaks against deleting a thing that was named; None when nothing does."""
    ref = item.ref
    cluster_role = item.kind.group == "rbac.authorization.k8s.io" and ref.name.startswith("system:")
    if is_system(ref.namespace) or cluster_role or (ref.kind == "Namespace" and is_protected(ref.name)):
        return Obstacle("user-resource-protected", "it is one of the cluster's own objects", _TAKE_OFF)
    if ref.kind == "Namespace" and ref.name == home(inventory):
        return Obstacle("user-resource-has-option", "it is the namespace of the control plane", f"{_TAKE_OFF} and set delete_namespace")
    same = [
        other for other in inventory.artefacts if other.ref == ref and other.kind.group == item.kind.group and other.what != USER_RESOURCE
    ]
    whose = _of_another_mesh(item, same, inventory)
    if whose:
        return Obstacle("user-resource-of-another-mesh", whose, _TAKE_OFF)
    if any(other.what in ("osm-crd", "smi-crd") for other in same):
        advice = f"{_TAKE_OFF} and use delete_cluster_wide_resources"
        return Obstacle("user-resource-has-option", "it is a definition of the mesh, which others may use", advice)
    return _of_release(item, inventory)


def _of_another_mesh(item: Artefact, same: list[Artefact], inventory: Inventory) -> str:
    for other in same:
        if other.users:
            return f"it is used by mesh {', '.join(other.users)}"
        if other.owner in ("other", "shared"):
            return f"it is not of this mesh: {other.found_by}"
    if item.ref.kind != "Namespace":
        return ""
    beside = [title(mesh) for mesh in inventory.others if mesh.namespace == item.ref.name and is_living(mesh)]
    return f"it holds the control plane of mesh {', '.join(beside)}" if beside else ""


def _of_release(item: Artefact, inventory: Inventory) -> Obstacle | None:
    """What Helm made is uninstalled by Helm: otherwise its release is broken. ``state["release"]`` is ``namespace/name``."""
    release = str(item.state.get("release") or "")
    own = inventory.subject.release if inventory.subject is not None else None
    if not release or (own is not None and release == f"{own.namespace}/{own.name}"):
        return None
    namespace, dummy, name = release.partition("/")
    advice = f"{_TAKE_OFF} and uninstall its release: helm uninstall {name} -n {namespace}"
    return Obstacle("user-resource-of-another-release", f"it belongs to Helm release {release}", advice)
