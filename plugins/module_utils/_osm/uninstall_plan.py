# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of each phase of an uninstallation, except those of the sidecars. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, DEPLOYMENT
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import control_plane_goes, running
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import DELETE, UNINSTALL
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import IN_DATA_PLANE, decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_steps import step_for, stop_replica_set, stop_step
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

# In the order in which they are done; the steps of ``sidecars`` are in uninstall_sidecar_steps.
PLANNED = (
    phases.UNBLOCK,
    phases.STOP,
    phases.CONVERSION,
    phases.RELEASE,
    phases.ARTEFACTS,
    phases.USER_RESOURCES,
    phases.CUSTOM_RESOURCES,
    phases.NAMESPACE,
    phases.DEFINITIONS,
)


def plan_phase(phase: str, inventory: Inventory) -> list[Step]:
    """Return the steps of one phase, by kind and name; none has an id that another phase has."""
    found = {step.id: step for step in (*_stops(phase, inventory), *_removals(phase, inventory))}
    return _in_order([found[key] for key in sorted(found)])


def all_steps(inventory: Inventory) -> list[Step]:
    """Return the steps of all phases here, in order."""
    return [step for phase in PLANNED for step in plan_phase(phase, inventory)]


def _removals(phase: str, inventory: Inventory) -> Iterator[Step]:
    """Yield one step for each thing that goes in this phase by a step of its own; what two reasons remove goes in the first of them."""
    before = PLANNED[: PLANNED.index(phase)]
    decided = [(item, decide(item, inventory)) for item in inventory.artefacts if item.what not in IN_DATA_PLANE]
    earlier = {decision.step for dummy, decision in decided if decision.action and decision.phase in before}
    for item, decision in decided:
        if decision.action and decision.phase == phase and decision.step not in earlier:
            yield step_for(item, decision, inventory)


def _stops(phase: str, inventory: Inventory) -> Iterator[Step]:
    """Yield a step for each workload of the control plane that still wants pods."""
    if phase != phases.STOP or not control_plane_goes(inventory):
        return
    # What another release says is its own is none of the mesh's, whatever it is called.
    own = {item.ref for item in inventory.artefacts if item.owner == "named"}
    for deployment in running(inventory):
        if ObjectRef(DEPLOYMENT.kind, deployment["metadata"]["name"], deployment["metadata"]["namespace"]) in own:
            yield stop_step(deployment)
    for item in inventory.artefacts:
        if item.ref.kind == "ReplicaSet" and item.owner == "named" and item.state.get("replicas"):
            yield stop_replica_set(item)


def _in_order(steps: list[Step]) -> list[Step]:
    """Helm goes first, so that nothing is deleted beside it; definitions go last, when the objects that go themselves are gone."""
    helm = tuple(step.id for step in steps if step.action == UNINSTALL)
    rest = tuple(step.id for step in steps if step.object.kind != CRD.kind)
    return [replace(step, needs=_needs(step, helm, rest)) for step in steps]


def _needs(step: Step, helm: tuple[str, ...], rest: tuple[str, ...]) -> tuple[str, ...]:
    if step.action == DELETE and step.object.kind == CRD.kind:
        return rest
    return helm if step.action != UNINSTALL else ()
