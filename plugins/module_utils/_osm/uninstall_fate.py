# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each thing that was found: it goes, and which step removes it, or it stays, and why. Pure.

The plan, the proof and the result all ask here, so that each thing has one fate.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    removes_sidecars,
    sidecar_work,
    why_control_plane_stays,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import (
    DELETE_SECRETS,
    EDIT_TEMPLATE,
    UNENROL,
    UNINSTALL,
    Decision,
    goes,
    goes_along,
    kept_for_others,
    ownerless,
    stays,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_definitions import (
    DEFINITIONS,
    INSTANCES,
    conversion,
    custom_resources,
    definition,
    with_its_definition,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import (
    release_content,
    release_ref,
    usable_release,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace import namespace
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_user_resources import USER_RESOURCE, obstacle
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id

CHART = frozenset(
    {
        "control-plane-deployment",
        "optional-deployment",
        "daemon-set",
        "service",
        "rbac",
        "config-map",
        "autoscaler",
        "disruption-budget",
    }
)
WEBHOOKS = frozenset({"mutating-webhook", "validating-webhook"})
IN_DATA_PLANE = frozenset({"enrolled-namespace", "pod-template-annotation", "sidecar"})
# Deleting one of these takes others' things along: only the decisions that are made for them may.
_CONTAINERS = frozenset({"Namespace", "CustomResourceDefinition"})


def decide(item: Artefact, inventory: Inventory) -> Decision:
    """Return what becomes of one thing that was found."""
    decided = _by_itself(item, inventory)
    if decided.goes or item.what not in INSTANCES:
        return decided
    return with_its_definition(item, inventory) or decided


def _by_itself(item: Artefact, inventory: Inventory) -> Decision:
    if item.what == "custom-resources":
        # The mesh's own may be all there is of a definition that others use.
        return custom_resources(item, inventory)
    others = kept_for_others(item)
    if others is not None:
        return others
    special = _SPECIAL.get(item.what)
    if special is not None:
        return special(item, inventory)
    if item.kind.kind in _CONTAINERS:
        return stays("deleting it would delete what others have in it")
    return _of_mesh(item, inventory) if item.owner == "named" else ownerless(item, inventory)


def _of_mesh(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about what is of the named mesh by its own mark."""
    why = why_control_plane_stays(inventory)
    if why:
        return stays(why)
    return _chart_object(item, inventory) if item.what in CHART else _own(item, inventory)


def _chart_object(item: Artefact, inventory: Inventory) -> Decision:
    content, ref = release_content(inventory), release_ref(inventory)
    if item.ref in content.kept:
        return stays("its annotation helm.sh/resource-policy says that it is kept")
    if ref is not None and item.ref in content.removed:
        return goes_along(f"it is of release {ref.namespace}/{ref.name}", phases.RELEASE, _uninstall_id(inventory))
    return goes(item, "no Helm release removes it", phases.RELEASE)


def _own(item: Artefact, inventory: Inventory) -> Decision:
    if item.what == "hook" and item.kind.kind == "Job":
        return goes(item, "what a chart's hook does is done by steps of this run", phases.STOP)
    if item.what in WEBHOOKS and is_dead(item) and sidecar_work(inventory):
        return goes(item, "nothing answers it, and it would keep pods from being created again", phases.UNBLOCK)
    if item.what == "old-deployment":
        return _chart_object(item, inventory)._replace(phase=phases.ARTEFACTS) if _is_helms(item, inventory) else _left_of_mesh(item)
    return _left_of_mesh(item)


def _is_helms(item: Artefact, inventory: Inventory) -> bool:
    content = release_content(inventory)
    return item.ref in content.removed or item.ref in content.kept


def _left_of_mesh(item: Artefact) -> Decision:
    return goes(item, "no uninstallation of the chart removes it for certain", phases.ARTEFACTS, after=item.count is None)


def is_dead(item: Artefact) -> bool:
    """Whether a webhook configuration fails closed and nothing answers it."""
    endpoints = item.state.get("endpoints")
    return bool(item.state.get("fails_closed")) and endpoints is not None and endpoints < 1


# Things with a way of their own


def _in_data_plane(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner == "shared":
        return stays("nothing tells whether it is meant for this mesh or for another one that reads the same keys")
    if item.owner != "named":
        return stays("it is of a mesh that is not uninstalled: name that one in mesh_name")
    if not removes_sidecars(inventory):
        return stays("this run leaves the data plane alone (remove_sidecars, phases)")
    if item.what == "pod-template-annotation" and not inventory.request.edit_templates:
        return stays("pod templates are changed only with edit_pod_templates: true")
    if item.state.get("operator"):
        return stays(f"{item.state['operator']} owns the workload and would write it again")
    if item.what == "sidecar":
        return _sidecars(item, inventory)
    action = UNENROL if item.what == "enrolled-namespace" else EDIT_TEMPLATE
    return goes_along("it names the mesh, or asks for its sidecars", phases.SIDECARS, step_id(action, item.ref))


def _sidecars(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about the sidecars of one namespace: those that this run can replace go, and then the others are told."""
    plan, place = inventory.sidecars, item.ref.name
    if plan is None:
        return stays("it is not known how their pods can be replaced")
    if any(task.object.namespace == place and task.way != "wait" for task in plan.tasks):
        return goes_along("their pods are created again without one", phases.SIDECARS)
    left = [f"{leftover.object}: {leftover.what}" for leftover in plan.leftovers if leftover.object.namespace == place and leftover.pods]
    return stays(f"this run cannot replace their pods ({'; '.join(left[:3])})" if left else "their pods have ended, or are being replaced")


def _helm_release(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner != "named":
        return stays("it is not the release of this mesh: helm uninstall removes it")
    why = why_control_plane_stays(inventory)
    if why:
        return stays(why)
    release = usable_release(inventory)
    if release is None or (release.name, release.namespace) != (item.ref.name, item.ref.namespace):
        return goes_along("Helm cannot read its record, so its objects and records are deleted one by one", phases.ARTEFACTS)
    return goes(item, "it is the release of this mesh", phases.RELEASE, UNINSTALL)


def _helm_record(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner != "named":
        return stays("it is Helm's record of a release that is not of this mesh")
    why = why_control_plane_stays(inventory)
    if why:
        return stays(why)
    if release_ref(inventory) is not None:
        return goes_along("Helm removes its records with the release", phases.RELEASE, _uninstall_id(inventory))
    return goes(item, "Helm cannot use it any more", phases.ARTEFACTS)


def _uninstall_id(inventory: Inventory) -> str:
    ref = release_ref(inventory)
    return step_id(UNINSTALL, ObjectRef("HelmRelease", ref.name, ref.namespace)) if ref is not None else ""


def _secrets(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner == "named":
        why = why_control_plane_stays(inventory)
        if not why and item.state.get("orphaned") == 0 and not sidecar_work(inventory):
            why = "pods that still run mount them, or own them and take them along"
        return stays(why) if why else goes(item, "no pod mounts them when its sidecar is gone", phases.ARTEFACTS, DELETE_SECRETS)
    decided = ownerless(item, inventory)
    if not decided.goes:
        return decided
    # One step deletes all Secrets of a namespace that may go.
    own = next((other for other in inventory.artefacts if (other.what, other.ref, other.owner) == (item.what, item.ref, "named")), None)
    with_own = own is not None and decide(own, inventory).goes
    return goes(item, decided.why, phases.ARTEFACTS if with_own else phases.DEFINITIONS, DELETE_SECRETS)


def _user_resource(item: Artefact, inventory: Inventory) -> Decision:
    against = obstacle(item, inventory)
    if against is not None:
        return stays(against.why)
    why = why_control_plane_stays(inventory)
    if why:
        return stays(f"the control plane may still need it: {why}")
    return goes(item, "it was made for the mesh", phases.USER_RESOURCES)


_SPECIAL: dict[str, Callable[[Artefact, Inventory], Decision]] = {
    **dict.fromkeys(IN_DATA_PLANE, _in_data_plane),
    **dict.fromkeys(DEFINITIONS, definition),
    "helm-release": _helm_release,
    "helm-record": _helm_record,
    "bootstrap-secrets": _secrets,
    "conversion-webhook": conversion,
    USER_RESOURCE: _user_resource,
    "namespace": namespace,
}
