# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reader of an uninstallation's plan should know, and what to know when it is done. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_data_plane import names
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    control_plane_goes,
    home,
    pods_with_sidecar,
    removes_sidecars,
    running,
    sidecar_work,
    wants_control_plane_gone,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import objects
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import WEBHOOKS, decide, is_dead
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import usable_release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_offers import offers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_traffic import traffic_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_user_resources import USER_RESOURCE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_MOST = 8


def findings(inventory: Inventory) -> list[Finding]:
    """Return what is to be known before the first write."""
    return [
        *_no_mesh(inventory),
        *_managed(inventory),
        *_unread(inventory),
        *_sidecars_stay(inventory),
        *_webhooks(inventory),
        *_webhooks_of_others(inventory),
        *traffic_findings(inventory),
        *_release(inventory),
        *_hooks(inventory),
        *_namespace(inventory),
        *offers(inventory),
        *_user_resources(inventory),
    ]


def notes(inventory: Inventory) -> list[Finding]:
    """Return what is to be known about the outcome: pods that keep a sidecar of a mesh that is gone."""
    pods = Counter(pod.namespace for pod in pods_with_sidecar(inventory))
    if not pods or running(inventory) or inventory.subject is None:
        return []
    return [
        Finding(
            "warning",
            "sidecars-without-control-plane",
            _mesh(inventory),
            f"sidecars without a control plane stay in {_pods(pods.total())}: {names([*pods])}",
            "their certificates expire (within 24 hours, as a rule) and they learn no new endpoint; then their calls fail",
            "replace them: the result's leftovers say how; then run the same command again",
        )
    ]


def _mesh(inventory: Inventory) -> ObjectRef:
    subject = inventory.subject
    return ObjectRef("Mesh", subject.name, subject.namespace) if subject is not None else ObjectRef("Mesh", inventory.request.mesh_name)


def _no_mesh(inventory: Inventory) -> Iterator[Finding]:
    if inventory.subject is None:
        name = inventory.request.mesh_name or inventory.request.confirm
        left = any(item.owner in ("named", "unclaimed") for item in inventory.artefacts)
        what = f"there is no mesh {name}, and nothing that it left behind" if name else "there is no mesh"
        why = f"there is nothing to uninstall{'; what gone meshes have left is told beside' if left else ''}"
        unnamed = inventory.request.delete_namespace != "no" and not inventory.request.namespace
        remedy = "to delete the namespace that its control plane was in, name it in mesh_namespace" if unnamed else "nothing"
        yield Finding("info", "no-mesh", _mesh(inventory), what, why, remedy)


def _managed(inventory: Inventory) -> Iterator[Finding]:
    if inventory.request.managed and running(inventory):
        yield Finding(
            "info",
            "managed-environment",
            _mesh(inventory),
            "the control plane and its namespace are left alone (managed: true)",
            "its provider owns it, and would bring back what is removed here",
            "remove it the provider's way, then run again for what is left",
        )


def _unread(inventory: Inventory) -> Iterator[Finding]:
    for part, why in sorted({**inventory.observed.unknown, **inventory.unread}.items()):
        yield Finding(
            "warning",
            "not-read",
            ObjectRef("SelfSubjectAccessReview", part),
            f"{part} could not be read: {why}",
            "what of the mesh is there is neither removed nor proven to be gone",
            "grant it (the planner ClusterRole of docs/rbac.md), then run again",
        )


def _sidecars_stay(inventory: Inventory) -> Iterator[Finding]:
    """Pods that this run cannot replace: known before it begins, and again when all others are done."""
    left = [item for item in (inventory.sidecars.leftovers if inventory.sidecars is not None else ()) if item.pods]
    if not left or not removes_sidecars(inventory) or not sidecar_work(inventory):
        return
    stops = wants_control_plane_gone(inventory) and bool(running(inventory))
    yield Finding(
        "warning",
        "sidecars-stay",
        _mesh(inventory),
        f"sidecars stay in {_pods(sum(item.pods for item in left))}: {names([str(item.object) for item in left])}",
        "this run cannot replace them; it does all others, and stops before the control plane if they still have one then"
        if stops
        else "this run cannot replace them",
        "; ".join([*dict.fromkeys(item.remedy for item in left)][:_MOST]),
    )


def _webhooks(inventory: Inventory) -> Iterator[Finding]:
    for item in inventory.artefacts:
        if item.what in WEBHOOKS and item.owner == "named" and is_dead(item) and sidecar_work(inventory):
            yield Finding(
                "warning",
                "webhook-dead",
                item.ref,
                "it fails closed and nothing answers it",
                "no pod can be created in the namespaces that it selects, so nothing could be restarted there",
                "nothing: it is deleted before the first restart"
                if decide(item, inventory).goes
                else "nothing: each namespace leaves the mesh before its first restart; it goes with the control plane",
            )


def _webhooks_of_others(inventory: Inventory) -> Iterator[Finding]:
    """Tell of those that somebody else made, and that lead to a Service of the control plane."""
    subject = inventory.subject
    if subject is None or not control_plane_goes(inventory):
        return
    own = {f"{subject.namespace}/{service}" for service in subject.product.services}
    for item in inventory.artefacts:
        led = sorted(own.intersection(item.state.get("services") or ())) if item.what in WEBHOOKS and item.owner == "other" else []
        if led and item.state.get("fails_closed"):
            yield Finding(
                "warning",
                "webhook-dead",
                item.ref,
                f"it stays, fails closed and leads to Service {', '.join(led)}: somebody else made it",
                "when the control plane is gone nobody answers it, and whatever it selects can be neither created nor changed",
                "delete it, or let it lead elsewhere",
            )


def _release(inventory: Inventory) -> Iterator[Finding]:
    subject, release = inventory.subject, usable_release(inventory)
    if subject is None or not control_plane_goes(inventory):
        return
    if release is not None and release.status in PENDING:
        yield Finding(
            "warning",
            "release-pending",
            ObjectRef("HelmRelease", release.name, release.namespace),
            f"revision {release.revision} is {release.status}",
            "another Helm operation may be at work, or was killed",
            "make sure that nobody upgrades this mesh now",
        )
    if release is None and running(inventory):
        yield Finding(
            "info",
            "release-missing",
            _mesh(inventory),
            "no Helm release of this mesh can be read",
            "it was not installed by Helm, or its records are gone or damaged: its objects are deleted one by one",
            "nothing; if a tool applies the rendered chart, stop it first",
        )


def _hooks(inventory: Inventory) -> Iterator[Finding]:
    for item in inventory.artefacts:
        if item.what == "hook" and item.owner == "named" and item.state.get("job") == "running" and decide(item, inventory).goes:
            yield Finding(
                "warning",
                "hook-running",
                item.ref,
                "a hook of the chart runs, or hangs",
                "somebody else's uninstallation or installation waits for it, maybe for ever; what it does is done here",
                "nothing: it is ended first",
            )


def _namespace(inventory: Inventory) -> Iterator[Finding]:
    request = inventory.request
    asked = request.delete_namespace != "no" and "namespace" in request.parts
    ref = ObjectRef("Namespace", home(inventory))
    if inventory.namespace_terminating and not asked:
        yield Finding(
            "warning",
            "namespace-terminating",
            ref,
            "it is being deleted, by somebody else",
            "it ends when everything in it is gone; conversion webhooks of this mesh, which may hold it, are taken off by this run",
            "delete_namespace: true waits for its end and says what holds it",
        )
    if asked and request.delete_namespace == "force" and inventory.content:
        yield Finding(
            "warning",
            "namespace-content-lost",
            ref,
            f"it holds {objects(len(inventory.content))} not of this mesh: {names([str(item) for item in inventory.content])}",
            "they are deleted with the namespace (delete_namespace: force)",
            "save what is still needed first",
        )


def _user_resources(inventory: Inventory) -> Iterator[Finding]:
    found = {item.ref for item in inventory.artefacts if item.what == USER_RESOURCE}
    for item in inventory.request.user_resources:
        ref = ObjectRef(item.kind.kind, item.name, item.namespace)
        if ref not in found:
            yield Finding("info", "user-resource-missing", ref, "it does not exist", "it is gone already, or its name is wrong", "nothing")


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
