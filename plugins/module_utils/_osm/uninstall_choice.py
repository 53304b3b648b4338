# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an uninstallation was asked for, and whether the control plane may go yet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import is_living, title
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import PodFacts

_ALL = "all"
_SYSTEM = ("kube-", "openshift-")
# Name of the part that uninstall_contents leaves out when definitions may not be listed.
_ALL_CUSTOM_RESOURCES = "custom resources"
_ENDED = ("Succeeded", "Failed")


def is_asked(inventory: Inventory, word: str) -> bool:
    """Whether ``delete_cluster_wide_resources`` names this word, or all, and the part is done in this run."""
    request = inventory.request
    return "cluster_wide" in request.parts and bool(request.cluster_wide & {word, _ALL})


def is_system(namespace: str) -> bool:
    """Whether a namespace is the cluster's own."""
    return namespace.startswith(_SYSTEM) or namespace == "openshift"


def is_protected(namespace: str) -> bool:
    """Whether a namespace is never deleted, whatever was asked for."""
    return is_system(namespace) or namespace == "default"


def home(inventory: Inventory) -> str:
    """Return the namespace of the control plane; of a mesh that has left no trace the one that the user names, maybe empty."""
    return inventory.subject.namespace if inventory.subject is not None else inventory.request.namespace


def running(inventory: Inventory) -> list[Mapping[str, Any]]:
    """Return the raw Deployments of the control plane that want pods."""
    subject = inventory.subject
    if subject is None or subject.mesh is None:
        return []
    names = subject.product.deployments
    return [item for item in subject.mesh.deployments if item["metadata"]["name"] in names and replicas(item) > 0]


def replicas(deployment: Mapping[str, Any]) -> int:
    """Return how many pods a raw Deployment wants."""
    wanted = (deployment.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def pods_with_sidecar(inventory: Inventory) -> Iterator[PodFacts]:
    """Yield the pods that run with a sidecar of the mesh now."""
    return (pod for pod in inventory.scope.pods if pod.verdict.has_sidecar and not pod.deleting and pod.phase not in _ENDED)


def removes_sidecars(inventory: Inventory) -> bool:
    """Whether taking sidecars off is part of this run."""
    return "sidecars" in inventory.request.parts and inventory.request.remove_sidecars


def sidecar_work(inventory: Inventory) -> bool:
    """Whether this run still has namespaces to un-enrol or workloads to restart."""
    tasks = inventory.sidecars.tasks if inventory.sidecars is not None else ()
    return removes_sidecars(inventory) and bool(inventory.enrolled or any(task.way != "wait" for task in tasks))


def needs_control_plane(inventory: Inventory) -> bool:
    """Whether pods would be left behind with a sidecar that has no control plane, and this run does nothing about them (any more).

    Without it their certificates are not renewed (24 hours by default) and no new endpoint reaches them. While the run still
    has sidecars to remove the answer is no: what is left is seen when that is done.
    """
    if not running(inventory) or sidecar_work(inventory):
        return False
    return bool(inventory.enrolled) or any(True for dummy in pods_with_sidecar(inventory))


def wants_control_plane_gone(inventory: Inventory) -> bool:
    """Whether this run is to remove the control plane."""
    return "control_plane" in inventory.request.parts and not inventory.request.managed


def control_plane_goes(inventory: Inventory) -> bool:
    """Whether the control plane is removed by this run: it was asked for, and no pod needs it any more."""
    return wants_control_plane_gone(inventory) and not needs_control_plane(inventory)


def control_plane_stays(inventory: Inventory) -> bool:
    """Whether there is a control plane that runs and is left alone."""
    return bool(running(inventory)) and not control_plane_goes(inventory)


def why_control_plane_stays(inventory: Inventory) -> str:
    """Return why what belongs to the control plane is left alone by this run, as the end of a sentence; empty when it is not."""
    if inventory.request.managed:
        return "the environment is managed: its provider removes the control plane"
    if "control_plane" not in inventory.request.parts:
        return "this run leaves the control plane alone (phases)"
    if needs_control_plane(inventory):
        return "pods or namespaces are still in the mesh and need the control plane"
    return ""


def left_in_mesh(inventory: Inventory) -> str:
    """Return how many pods and namespaces are still in the mesh, for a sentence."""
    pods, namespaces = sum(1 for dummy in pods_with_sidecar(inventory)), len(inventory.enrolled)
    said = [f"{pods} pod{'s have' if pods != 1 else ' has'} a sidecar"] if pods else []
    said += [f"{namespaces} namespace{'s are' if namespaces != 1 else ' is'} marked as in the mesh"] if namespaces else []
    return " and ".join(said)


def deletes_namespace(inventory: Inventory) -> bool:
    """Whether the namespace of the control plane was asked to go, may go, and is there."""
    request = inventory.request
    return (
        request.delete_namespace != "no"
        and "namespace" in request.parts
        and not request.managed
        and inventory.namespace_exists
        and bool(home(inventory))
        and not is_protected(home(inventory))
        and not control_plane_stays(inventory)
        and not meshes_at_home(inventory)
    )


def meshes_at_home(inventory: Inventory) -> list[str]:
    """Return the other meshes (``namespace/name``) whose control plane is in the same namespace."""
    place = home(inventory)
    return sorted(title(mesh) for mesh in inventory.others if mesh.namespace == place and is_living(mesh))


def content_unread(inventory: Inventory) -> dict[str, str]:
    """Return the parts of the namespace's content that could not be read, with the reason."""
    mine = {part: why for part, why in inventory.unread.items() if part not in inventory.observed.unknown}
    place = home(inventory)
    return {part: why for part, why in mine.items() if part == _ALL_CUSTOM_RESOURCES or part.endswith(f" of {place}")}
