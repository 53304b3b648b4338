# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the mesh is still there when everything was done, told by a fresh look at the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import (
    left_in_mesh,
    needs_control_plane,
    wants_control_plane_gone,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_plan import all_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import sidecar_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_AGAIN = "run the same command again"


def unproven(inventory: Inventory) -> list[Finding]:
    """Return an error for everything that the plan would still remove: it was asked for and is not gone."""
    steps = [*sidecar_steps(inventory), *all_steps(inventory)]
    found = {item.ref: item for item in inventory.artefacts}
    left = [_left(step.object, step.why, found.get(step.object)) for step in steps if step.writes or step.action == "await"]
    return [*_held(inventory), *left]


def _held(inventory: Inventory) -> Iterator[Finding]:
    """The control plane was to go, and stayed because of pods that lost no sidecar."""
    if wants_control_plane_gone(inventory) and needs_control_plane(inventory):
        subject = inventory.subject
        leftovers = inventory.sidecars.leftovers if inventory.sidecars is not None else ()
        remedies = list(dict.fromkeys(f"{item.object}: {item.remedy}" for item in leftovers if item.pods))[:8]
        yield Finding(
            "error",
            "sidecars-left",
            ObjectRef("Mesh", subject.name if subject is not None else "", subject.namespace if subject is not None else ""),
            f"the control plane stays: {left_in_mesh(inventory)}",
            "without it their certificates are not renewed and they learn no new endpoint, so that calls begin to fail within a day",
            "; ".join([*remedies, f"then {_AGAIN}"]),
        )


def _left(ref: ObjectRef, why: str, item: Artefact | None) -> Finding:
    state = item.state if item is not None else {}
    manager = str(state.get("manager") or "")
    if state.get("deleting"):
        what, reason = "it is marked for deletion and does not go", "something holds it: look at its finalizers"
        remedy = f"kubectl get {ref.kind.lower()} {ref.name}{f' -n {ref.namespace}' if ref.namespace else ''} -o yaml; then {_AGAIN}"
    elif manager:
        what, reason = f"it is still there, or there again; last written by {manager}", why
        remedy = f"stop {manager} from making it again (a GitOps controller, an operator), then {_AGAIN}"
    else:
        what, reason, remedy = "it is still there, or there again", why, f"{_AGAIN}; if it comes back, look for who makes it"
    return Finding("error", "still-there", ref, what, reason, remedy)
