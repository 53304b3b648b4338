# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an uninstallation does not begin: all reasons at once, before the first write. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    content_unread,
    control_plane_goes,
    control_plane_stays,
    home,
    is_protected,
    left_in_mesh,
    meshes_at_home,
    needs_control_plane,
    removes_sidecars,
    running,
    wants_control_plane_gone,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import objects
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import IN_DATA_PLANE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import release_content, release_ref
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace import hidden_by_conversion
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_plan import all_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import sidecar_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_user_resources import USER_RESOURCE, obstacle
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

_NOTHING = "nothing was written"
# Names in a sentence; how many more there are is said.
_MOST = 20


def refusals(inventory: Inventory, check: bool = False) -> list[Refusal]:
    """Return every reason not to begin; in check mode nothing has to be confirmed, but a wrong confirmation is told."""
    found = [*_confirmation(inventory, check), *_sidecars(inventory), *_namespace(inventory), *_release(inventory), *_named(inventory)]
    if removes_sidecars(inventory) and inventory.sidecars is not None:
        found += inventory.sidecars.refusals
    return found


def _confirmation(inventory: Inventory, check: bool) -> Iterator[Refusal]:
    request, subject = inventory.request, inventory.subject
    name = subject.name if subject is not None else request.mesh_name
    ref = ObjectRef("Mesh", name or request.confirm or "mesh", home(inventory))
    if request.confirm and name and request.confirm != name:
        yield Refusal(
            "confirm-wrong",
            ref,
            f"confirm is {request.confirm}, and the mesh is called {name}",
            "what is confirmed is not what would be uninstalled",
            _NOTHING,
            f"set confirm: {name} if that is the mesh to uninstall, else correct mesh_name",
        )
    elif not request.confirm and not check and _has_work(inventory):
        yield Refusal(
            "confirm-missing",
            ref,
            "confirm is not set",
            "an uninstallation cannot be undone, so it wants the name of the mesh a second time",
            _NOTHING,
            f"read the plan (run with --check), then set confirm: {name or 'the name of the mesh that was here'}",
        )


def _has_work(inventory: Inventory) -> bool:
    return any(step.writes for step in (*sidecar_steps(inventory), *all_steps(inventory)))


def _sidecars(inventory: Inventory) -> Iterator[Refusal]:
    """The control plane does not go while pods need it that this run does nothing about."""
    if not wants_control_plane_gone(inventory) or not running(inventory):
        return
    subject = inventory.subject
    ref = ObjectRef("Mesh", subject.name if subject is not None else "", home(inventory))
    effect = (
        "without it their certificates are not renewed and they learn no new endpoint, so that calls begin to fail within a day;"
        " and no pod can be created in a namespace that is still enrolled until the webhook is gone"
    )
    if inventory.sidecars is None:
        told = "; ".join(f"{part}: {why}" for part, why in inventory.unread.items()) or "its pods were not read"
        yield Refusal(
            "sidecars-unknown",
            ref,
            "it is not known which pods have a sidecar of this mesh",
            f"{told}; {effect}",
            _NOTHING,
            "grant what is missing (the planner ClusterRole of docs/rbac.md), then run again",
        )
    elif needs_control_plane(inventory):
        yield Refusal(
            "sidecars-left",
            ref,
            f"{left_in_mesh(inventory)} of mesh {ref.name}, and this run would remove its control plane",
            effect,
            _NOTHING,
            _about_sidecars(inventory),
        )


def _about_sidecars(inventory: Inventory) -> str:
    if not removes_sidecars(inventory):
        return (
            "let this run remove them (remove_sidecars: true, and sidecars among the phases),"
            " or leave control_plane out of phases until they are gone"
        )
    left = inventory.sidecars.leftovers if inventory.sidecars is not None else ()
    told = [f"{item.object}: {item.what}; {item.remedy}" for item in left[:_MOST] if item.pods]
    more = [f"and {len(left) - _MOST} more"] if len(left) > _MOST else []
    return "; ".join([*told, *more, "then run again (leave control_plane out of phases to do all the rest now)"])


def _namespace(inventory: Inventory) -> Iterator[Refusal]:
    request, name = inventory.request, home(inventory)
    asked = request.delete_namespace != "no" and "namespace" in request.parts and not request.managed
    if not asked or not name or not inventory.namespace_exists:
        return
    ref = ObjectRef("Namespace", name)
    beside = meshes_at_home(inventory)
    if is_protected(name):
        why = "it is the cluster's own, and deleting it would take more than the mesh along"
        yield Refusal("namespace-protected", ref, f"namespace {name} is never deleted", why, _NOTHING, "leave delete_namespace out")
    elif beside:
        what = f"namespace {name} also has the control plane of mesh {', '.join(beside)}"
        why = "it would be deleted with the namespace"
        yield Refusal("namespace-of-another-mesh", ref, what, why, _NOTHING, "leave delete_namespace out, or uninstall that mesh first")
    elif control_plane_stays(inventory) and not needs_control_plane(inventory):
        what, why = f"namespace {name} has the control plane, which this run leaves alone", "it would be deleted with the namespace"
        yield Refusal("namespace-in-use", ref, what, why, _NOTHING, "add control_plane to phases, or leave delete_namespace out")
    elif not inventory.namespace_terminating:
        yield from _content(inventory, ref)


def _content(inventory: Inventory, ref: ObjectRef) -> Iterator[Refusal]:
    hidden = hidden_by_conversion(inventory)
    unread = [f"{part}: {why}" for part, why in content_unread(inventory).items() if part not in hidden]
    if inventory.request.delete_namespace == "force":
        if inventory.content and not _has_trace(inventory):
            what = f"nothing tells that mesh {inventory.request.mesh_name or inventory.request.confirm} was ever in namespace {ref.name}"
            why = f"it holds {_names(inventory.content)}, and may be somebody else's"
            yield Refusal("namespace-not-of-mesh", ref, what, why, _NOTHING, "correct mesh_namespace; or delete it by hand")
        return
    if inventory.content:
        what = f"namespace {ref.name} holds {objects(len(inventory.content))} not of this mesh: {_names(inventory.content)}"
        why = "they would be deleted with it"
        advice = "move or delete them, leave delete_namespace out, or set delete_namespace: force if all of them are to go"
        yield Refusal("namespace-not-empty", ref, what, why, _NOTHING, advice)
    elif unread:
        what, why = f"not all that namespace {ref.name} holds could be read", "; ".join(unread)
        advice = "grant what is missing, or set delete_namespace: force if whatever it holds is to go"
        yield Refusal("namespace-content-unknown", ref, what, why, _NOTHING, advice)


def _has_trace(inventory: Inventory) -> bool:
    """Whether anything but the user's word tells that the control plane is, or was, in that very namespace.

    That pods or namespaces of applications name the mesh says nothing about where it was.
    """
    subject = inventory.subject
    if subject is None:
        return False
    if subject.mesh is not None or not inventory.request.namespace:
        return True
    if subject.release is not None and subject.release.namespace == subject.namespace:
        return True
    own = (item for item in inventory.artefacts if item.owner == "named" and item.what not in (USER_RESOURCE, *IN_DATA_PLANE))
    return any(subject.namespace in (item.ref.namespace, *_led_to(item)) for item in own)


def _led_to(item: Artefact) -> Iterator[str]:
    """Yield the namespaces of the Services that a webhook or a conversion leads to."""
    for service in (*(item.state.get("services") or ()), item.state.get("service") or ""):
        yield service.partition("/")[0]


def _release(inventory: Inventory) -> Iterator[Refusal]:
    """A release that has more than the mesh (a chart of charts) would take that along."""
    ref = release_ref(inventory)
    if ref is None or not control_plane_goes(inventory):
        return
    named = {(item.kind.kind, item.name, item.namespace) for item in inventory.request.user_resources}
    foreign = [item for item in release_content(inventory).foreign if item not in named]
    if foreign:
        yield Refusal(
            "release-holds-more",
            ObjectRef("HelmRelease", ref.name, ref.namespace),
            f"release {ref.namespace}/{ref.name} also has {objects(len(foreign))} not of the mesh: {_names(foreign)}",
            "helm uninstall would delete them as well",
            _NOTHING,
            "take the mesh out of that chart and upgrade the release; or name these objects in user_resources if they are to go",
        )


def _named(inventory: Inventory) -> Iterator[Refusal]:
    if not wants_control_plane_gone(inventory):
        return
    for item in inventory.artefacts:
        against = obstacle(item, inventory) if item.what == USER_RESOURCE else None
        if against is not None:
            yield Refusal(against.code, item.ref, f"{item.ref} is not deleted", against.why, _NOTHING, against.next)


def _names(refs: Sequence[ObjectRef]) -> str:
    shown = ", ".join(map(str, refs[:_MOST]))
    return f"{shown} and {len(refs) - _MOST} more" if len(refs) > _MOST else shown
