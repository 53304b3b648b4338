# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each thing that was found: it goes, and which step removes it, or it stays, and why. Pure.

The plan, the proof and the result all ask here, so that each thing has one fate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    control_plane_stays,
    deletes_namespace,
    home,
    is_asked,
    is_protected,
    meshes_at_home,
    removes_sidecars,
    sidecar_work,
    why_control_plane_stays,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import (
    release_content,
    release_ref,
    usable_release,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_user_resources import USER_RESOURCE, obstacle
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id

DELETE, STOP, STRIP, UNINSTALL, AWAIT = "delete", "stop", "strip_conversion", "uninstall", "await"
DELETE_SECRETS, DELETE_OBJECTS = "delete_secrets", "delete_objects"
UNENROL, EDIT_TEMPLATE = "unenrol", "edit_template"

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
DEFINITIONS = {"osm-crd": "osm_crds", "smi-crd": "smi_crds"}
IN_DATA_PLANE = frozenset({"enrolled-namespace", "pod-template-annotation", "sidecar"})
# Deleting one of these takes others' things along: only the decisions that are made for them may.
_CONTAINERS = frozenset({"Namespace", "CustomResourceDefinition"})


class Decision(NamedTuple):
    """What becomes of one thing.

    ``goes`` says whether this run removes it, ``why`` is the reason as the end of a sentence ("it goes because …", "kept because …").
    ``step`` is the id of the step that removes it: a step of its own with this ``action`` in ``phase``, or, with an empty ``action``,
    one that removes other things as well. ``after`` marks what can be decided only when an earlier phase is done.
    """

    goes: bool
    why: str
    phase: str = ""
    action: str = ""
    step: str = ""
    after: bool = False


def decide(item: Artefact, inventory: Inventory) -> Decision:
    """Return what becomes of one thing that was found."""
    if item.owner == "other":
        return _stays(_used(item.users) if item.users else f"it is not of this mesh: {item.found_by}")
    if item.users:
        return _stays(_used(item.users))
    special = _SPECIAL.get(item.what)
    if special is not None:
        return special(item, inventory)
    if item.kind.kind in _CONTAINERS:
        return _stays("deleting it would delete what others have in it")
    return _of_mesh(item, inventory) if item.owner == "named" else _ownerless(item, inventory)


def _stays(why: str) -> Decision:
    return Decision(goes=False, why=why)


def _goes(item: Artefact, why: str, phase: str, action: str = DELETE, *, after: bool = False) -> Decision:
    return Decision(goes=True, why=why, phase=phase, action=action, step=step_id(action, item.ref), after=after)


def _goes_along(why: str, phase: str, step: str = "") -> Decision:
    return Decision(goes=True, why=why, phase=phase, step=step)


def _used(users: tuple[str, ...]) -> str:
    return f"{', '.join(users)} {'uses' if len(users) == 1 else 'use'} it"


def _of_mesh(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about what is of the named mesh by its own mark."""
    why = why_control_plane_stays(inventory)
    if why:
        return _stays(why)
    return _chart_object(item, inventory) if item.what in CHART else _own(item, inventory)


def _chart_object(item: Artefact, inventory: Inventory) -> Decision:
    content, ref = release_content(inventory), release_ref(inventory)
    if item.ref in content.kept:
        return _stays("its annotation helm.sh/resource-policy says that it is kept")
    if ref is not None and item.ref in content.removed:
        return _goes_along(f"it is of release {ref.namespace}/{ref.name}", phases.RELEASE, _uninstall_id(inventory))
    return _goes(item, "no Helm release removes it", phases.RELEASE)


def _own(item: Artefact, inventory: Inventory) -> Decision:
    if item.what == "hook" and item.kind.kind == "Job":
        return _goes(item, "what a chart's hook does is done by steps of this run", phases.STOP)
    if item.what in WEBHOOKS and is_dead(item) and sidecar_work(inventory):
        return _goes(item, "nothing answers it, and it would keep pods from being created again", phases.UNBLOCK)
    if item.what == "old-deployment":
        return _chart_object(item, inventory)._replace(phase=phases.ARTEFACTS) if _is_helms(item, inventory) else _left_of_mesh(item)
    return _left_of_mesh(item)


def _is_helms(item: Artefact, inventory: Inventory) -> bool:
    content = release_content(inventory)
    return item.ref in content.removed or item.ref in content.kept


def _left_of_mesh(item: Artefact) -> Decision:
    return _goes(item, "no uninstallation of the chart removes it for certain", phases.ARTEFACTS)


def is_dead(item: Artefact) -> bool:
    """Whether a webhook configuration fails closed and nothing answers it."""
    endpoints = item.state.get("endpoints")
    return bool(item.state.get("fails_closed")) and endpoints is not None and endpoints < 1


def _ownerless(item: Artefact, inventory: Inventory) -> Decision:
    """Decide about what is of the family and has no living owner."""
    if not is_asked(inventory, "orphans"):
        return _stays("no mesh of this cluster claims it, and leftovers of others go only with delete_cluster_wide_resources: [orphans]")
    return _goes(item, "no mesh of this cluster claims it", phases.DEFINITIONS)


# Things with a way of their own


def _in_data_plane(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner == "shared":
        return _stays("nothing tells whether it is meant for this mesh or for another one that reads the same keys")
    if item.owner != "named":
        return _stays("it is of a mesh that is not uninstalled: name that one in mesh_name")
    if not removes_sidecars(inventory):
        return _stays("this run leaves the data plane alone (remove_sidecars, phases)")
    if item.what == "pod-template-annotation" and not inventory.request.edit_templates:
        return _stays("pod templates are changed only with edit_pod_templates: true")
    if item.state.get("operator"):
        return _stays(f"{item.state['operator']} owns the workload and would write it again")
    if item.what == "sidecar":
        return _goes_along("its pods are created again without one", phases.SIDECARS)
    action = UNENROL if item.what == "enrolled-namespace" else EDIT_TEMPLATE
    return _goes_along("it names the mesh, or asks for its sidecars", phases.SIDECARS, step_id(action, item.ref))


def _helm_release(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner != "named":
        return _stays("it is not the release of this mesh: helm uninstall removes it")
    why = why_control_plane_stays(inventory)
    if why:
        return _stays(why)
    release = usable_release(inventory)
    if release is None or (release.name, release.namespace) != (item.ref.name, item.ref.namespace):
        return _goes_along("Helm cannot read its record, so its objects and records are deleted one by one", phases.ARTEFACTS)
    return _goes(item, "it is the release of this mesh", phases.RELEASE, UNINSTALL)


def _helm_record(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner != "named":
        return _stays("it is Helm's record of a release that is not of this mesh")
    why = why_control_plane_stays(inventory)
    if why:
        return _stays(why)
    if release_ref(inventory) is not None:
        return _goes_along("Helm removes its records with the release", phases.RELEASE, _uninstall_id(inventory))
    return _goes(item, "Helm cannot use it any more", phases.ARTEFACTS)


def _uninstall_id(inventory: Inventory) -> str:
    ref = release_ref(inventory)
    return step_id(UNINSTALL, ObjectRef("HelmRelease", ref.name, ref.namespace)) if ref is not None else ""


def _secrets(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner == "named":
        why = why_control_plane_stays(inventory)
        if not why and item.state.get("orphaned") == 0 and not sidecar_work(inventory):
            why = "pods that still run mount them, or own them and take them along"
        return _stays(why) if why else _goes(item, "no pod mounts them when its sidecar is gone", phases.ARTEFACTS, DELETE_SECRETS)
    decided = _ownerless(item, inventory)
    if not decided.goes:
        return decided
    # One step deletes all Secrets of a namespace that may go.
    own = next((other for other in inventory.artefacts if (other.what, other.ref, other.owner) == (item.what, item.ref, "named")), None)
    with_own = own is not None and decide(own, inventory).goes
    return _goes(item, decided.why, phases.ARTEFACTS if with_own else phases.DEFINITIONS, DELETE_SECRETS)


def _conversion(item: Artefact, inventory: Inventory) -> Decision:
    if item.owner == "named":
        why = why_control_plane_stays(inventory)
        if why:
            return _stays(why)
        return _goes(item, "it leads to this mesh, and without it no object of the definition could be read", phases.CONVERSION, STRIP)
    wanted = any(is_asked(inventory, word) for word in ("orphans", *DEFINITIONS.values()))
    if not wanted:
        return _ownerless(item, inventory)
    return _goes(item, "it leads nowhere, and objects of the definition can be neither read nor deleted", phases.CONVERSION, STRIP)


def _definition(item: Artefact, inventory: Inventory) -> Decision:
    word = DEFINITIONS[item.what]
    if not is_asked(inventory, word):
        return _stays(f"deleting a definition deletes all its objects, so it goes only with delete_cluster_wide_resources: [{word}]")
    if control_plane_stays(inventory) and item.state.get("used_by_mesh", True):
        return _stays(f"the control plane that uses it stays: {why_control_plane_stays(inventory)}")
    if inventory.request.delete_custom_resources:
        return _goes(item, "it was asked for, with all its objects", phases.DEFINITIONS)
    count = objects_left(item, inventory)
    if count is None:
        return _uncounted(item, inventory)
    if count:
        return _stays(f"it has {_objects(count)} that would be deleted with it; delete_custom_resources: true allows that")
    return _goes(item, "it was asked for, and has no objects", phases.DEFINITIONS)


def _uncounted(item: Artefact, inventory: Inventory) -> Decision:
    """A list that fails on the conversion webhook works when that is gone; then the definition is looked at again."""
    stripped = any(
        other.ref.name == item.ref.name and decide(other, inventory).goes
        for other in inventory.artefacts
        if other.what == "conversion-webhook"
    )
    if stripped:
        return _goes(item, "it was asked for; if it turns out to have objects it is kept", phases.DEFINITIONS, after=True)
    return _stays(f"its objects could not be counted ({_unknown(item, inventory)}), and would be deleted with it")


def _custom_resources(item: Artefact, inventory: Inventory) -> Decision:
    if objects_left(item, inventory) == 0:
        return _goes_along("all of them are objects that the mesh made for itself", phases.ARTEFACTS)
    definition = next((other for other in inventory.artefacts if other.what in DEFINITIONS and other.ref.name == item.ref.name), None)
    decided = decide(definition, inventory) if definition is not None else _stays("their definition is not of the mesh")
    if not decided.goes:
        return decided._replace(why=f"their definition stays: {decided.why}")
    if not inventory.request.delete_custom_resources:
        return decided._replace(action="")
    return _goes(item, "they were asked for, with their definition", phases.CUSTOM_RESOURCES, DELETE_OBJECTS)


def objects_left(item: Artefact, inventory: Inventory) -> int | None:
    """Return how many objects a definition has besides those of the mesh that go themselves; None when they could not be counted."""
    counted = next((other for other in inventory.artefacts if other.what == "custom-resources" and other.ref.name == item.ref.name), item)
    if counted.count is None:
        return None
    plural, dummy, group = item.ref.name.partition(".")
    own = (other for other in inventory.artefacts if (other.kind.plural, other.kind.group) == (plural, group) and other.what in _INSTANCES)
    return max(0, counted.count - sum(1 for other in own if decide(other, inventory).goes))


_INSTANCES = ("mesh-config", "root-certificate")


def _unknown(item: Artefact, inventory: Inventory) -> str:
    told = (other.unknown for other in inventory.artefacts if other.ref.name == item.ref.name and other.unknown)
    return next(told, "") or "nothing says why"


def _objects(count: int) -> str:
    return "an object" if count == 1 else f"{count} objects"


def _user_resource(item: Artefact, inventory: Inventory) -> Decision:
    against = obstacle(item, inventory)
    if against is not None:
        return _stays(against.why)
    why = why_control_plane_stays(inventory)
    if why:
        return _stays(f"the control plane may still need it: {why}")
    return _goes(item, "it was made for the mesh", phases.USER_RESOURCES)


def _namespace(item: Artefact, inventory: Inventory) -> Decision:
    request = inventory.request
    if item.ref.name != home(inventory):
        return _stays("it is not the namespace of this mesh")
    if is_protected(item.ref.name):
        return _stays("it is one of the cluster's own namespaces")
    if request.delete_namespace == "no" or "namespace" not in request.parts:
        return _stays("a namespace may hold more than the mesh, so it goes only with delete_namespace: true")
    if request.managed:
        return _stays(why_control_plane_stays(inventory))
    if not deletes_namespace(inventory):
        shared = meshes_at_home(inventory)
        return _stays(_used(tuple(shared)) if shared else f"the control plane in it stays: {why_control_plane_stays(inventory)}")
    if inventory.namespace_terminating:
        return _goes(item, "it is being deleted already", phases.NAMESPACE, AWAIT)
    if inventory.content and request.delete_namespace != "force":
        return _stays(f"it holds {_objects(len(inventory.content))} that {'is' if len(inventory.content) == 1 else 'are'} not of this mesh")
    return _goes(item, "it was asked for", phases.NAMESPACE)


_SPECIAL: dict[str, Callable[[Artefact, Inventory], Decision]] = {
    **dict.fromkeys(IN_DATA_PLANE, _in_data_plane),
    **dict.fromkeys(DEFINITIONS, _definition),
    "helm-release": _helm_release,
    "helm-record": _helm_record,
    "bootstrap-secrets": _secrets,
    "conversion-webhook": _conversion,
    "custom-resources": _custom_resources,
    USER_RESOURCE: _user_resource,
    "namespace": _namespace,
}
