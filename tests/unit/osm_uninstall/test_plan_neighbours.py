# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a cluster holds and whatever was asked for: exactly what was planned goes, and nothing of anybody else."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CLUSTERROLE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, Owner, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_definitions import INSTANCES
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_proof import unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_refusals import refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_result import fate
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.approval import refuse_more_risk
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.plan_scenes import (
    COMPONENTS,
    HOME,
    HOME_NAMESPACE,
    KINDS,
    OTHER,
    PHASES,
    applied,
    artefact,
    bare,
    enrolled,
    ids,
    inventory,
    neighbour,
    release,
    steps_of,
    task,
    whole_plan,
)

CRDS = ("egresses.policy.openservicemesh.io", "meshconfigs.config.openservicemesh.io", "traffictargets.access.smi-spec.io")
_FREE = sorted(
    {*KINDS}
    - {"osm-crd", "smi-crd", "custom-resources", "conversion-webhook"}
    - {"namespace", "enrolled-namespace", "sidecar", "helm-release", "helm-record"}
)
_OWNERS: st.SearchStrategy[Owner] = st.sampled_from(("named", "shared", "unclaimed", "other"))
_WORDS = ("osm_crds", "smi_crds", "orphans", "all")


def _is_shared(owner: Owner) -> bool:
    """No definition names a mesh."""
    return owner != "named"


class World(NamedTuple):
    """A cluster, and the objects of definitions that nobody can count before their conversion is gone."""

    found: Inventory
    hidden: dict[str, int]


@st.composite
def requests(draw: st.DrawFn) -> UninstallRequest:
    """Anything that a user may ask for."""
    return UninstallRequest(
        mesh_name="osm",
        confirm="osm",
        remove_sidecars=draw(st.booleans()),
        delete_namespace=draw(st.sampled_from(("no", "empty", "force"))),
        cluster_wide=frozenset(draw(st.sets(st.sampled_from(_WORDS)))),
        delete_custom_resources=draw(st.booleans()),
        parts=frozenset(draw(st.sets(st.sampled_from(("sidecars", "control_plane", "cluster_wide", "namespace")), min_size=1))),
        managed=draw(st.booleans()),
    )


@st.composite
def free_things(draw: st.DrawFn) -> list[Artefact]:
    """Things of every sort, of this mesh and of neighbours."""
    found: dict[tuple[object, ...], Artefact] = {}
    for number in range(draw(st.integers(0, 8))):
        what = draw(st.sampled_from(_FREE))
        # The user's word makes it this mesh's.
        owner: Owner = "named" if what == "user-resource" else draw(_OWNERS)
        users = (OTHER,) if owner == "other" or (owner == "shared" and draw(st.booleans())) else ()
        # What a mesh makes for itself is beside its control plane, and no other mesh's is at home here.
        apart = bool(users) and what in INSTANCES
        place = draw(st.sampled_from(("elsewhere", "kube-system") if apart else (HOME, "elsewhere", "kube-system")))
        state = {"fails_closed": draw(st.booleans()), "endpoints": draw(st.sampled_from((None, -1, 0, 1)))} if "webhook" in what else {}
        kind = CLUSTERROLE if what == "hook" and draw(st.booleans()) else None
        name = draw(st.sampled_from(("shop", "bank"))) if what == "bootstrap-secrets" else f"thing-{number}"
        state = {"orphaned": draw(st.integers(1, 3))} if what == "bootstrap-secrets" else state
        item = artefact(what, name, owner, place=place, kind=kind, users=users, state=state)
        found[item.what, item.ref, item.owner] = item
    return [*found.values()]


@st.composite
def definitions(draw: st.DrawFn) -> tuple[list[Artefact], dict[str, int]]:
    """Definitions with objects, some of which a conversion hides."""
    found: list[Artefact] = []
    hidden: dict[str, int] = {}
    for name in draw(st.sets(st.sampled_from(CRDS))):
        owner: Owner = draw(_OWNERS.filter(_is_shared))
        users = (OTHER,) if owner == "other" or (owner == "shared" and draw(st.booleans())) else ()
        count: int | None = draw(st.integers(0, 3))
        what = "smi-crd" if "smi" in name else "osm-crd"
        state = {"used_by_mesh": draw(st.booleans())}
        if draw(st.booleans()):
            converted: Owner = draw(_OWNERS)
            found.append(artefact("conversion-webhook", name, converted, users=(OTHER,) if converted == "other" else ()))
            hidden[name] = count or 0
            count = None
        unknown = "conversion webhook failed" if count is None else ""
        found.append(artefact(what, name, owner, count=count, users=users, state=state, unknown=unknown))
        if count != 0:
            found.append(artefact("custom-resources", name, owner, count=count, users=users, unknown=unknown))
    return found, hidden


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A cluster with mesh ``osm``, or what is left of it, and neighbours."""
    request, alive = draw(requests()), draw(st.booleans())
    things, (crds, hidden) = draw(free_things()), draw(definitions())
    in_release = [
        *COMPONENTS,
        *(item for item in things if item.owner == "named" and item.what in ("service", "rbac", "config-map") and draw(st.booleans())),
    ]
    helm = release(in_release) if alive and draw(st.booleans()) else None
    places = draw(st.lists(st.sampled_from(("shop", "bank")), unique=True))
    others = [neighbour()] if draw(st.booleans()) else []
    others += [neighbour(f"{HOME}/green")] if draw(st.booleans()) else []
    tasks = [task(name) for name in places if draw(st.booleans())]
    leftovers = [bare(name) for name in places if draw(st.booleans())]
    with_sidecar = sorted({*(item.object.namespace for item in tasks), *(item.object.namespace for item in leftovers)})
    found = inventory(
        *things,
        *(artefact("sidecar", name) for name in with_sidecar),
        *crds,
        *(artefact("enrolled-namespace", name) for name in places),
        HOME_NAMESPACE,
        request=request,
        alive=alive,
        helm=helm,
        others=others,
        namespaces=[enrolled(name) for name in places],
        tasks=tasks,
        leftovers=leftovers,
        content=(ObjectRef("StatefulSet", "vault", HOME),) if draw(st.booleans()) else (),
        namespace_terminating=draw(st.booleans()),
        unread={f"egresses of {HOME}": "conversion webhook failed"} if draw(st.booleans()) else {},
    )
    return World(found, hidden)


def run(world: World) -> Inventory:
    """Do what the procedure does: plan each phase again when it is entered, and refuse what was not shown."""
    found, shown = world.found, {phase.name: phase for phase in whole_plan(world.found).phases}
    for phase in PHASES:
        steps = tuple(steps_of(phase, found))
        refuse_more_risk(shown[phase], steps)
        for step in steps:
            found = applied(found, step, world.hidden)
    return found


def told(item: Artefact) -> str:
    """A thing in a few words."""
    return f"{item.what} {item.ref}, {item.owner}, users {item.users}, count {item.count}"


def never_was(item: Artefact, world: World) -> bool:
    """Whether these are objects that could not be counted, and of which there is none."""
    return item.what == "custom-resources" and item.count is None and not world.hidden.get(item.ref.name)


def key(item: Artefact) -> tuple[str, ObjectRef, str]:
    """What tells one thing from another."""
    return item.what, item.ref, item.owner


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_exactly_what_was_planned_goes(world: World) -> None:
    before, after = world.found, run(world)
    there = {key(item): item for item in after.artefacts}
    gone_with_home = before.namespace_exists and not after.namespace_exists
    for item in before.artefacts:
        planned, now = decide(item, before), there.get(key(item))
        if now is None:
            assert planned.goes or never_was(item, world) or (gone_with_home and item.ref.namespace == HOME), told(item)
        elif planned.goes:
            # Kept in the end, because of what could not be known before.
            assert not decide(now, after).goes, told(item)


def may_go(item: Artefact, world: World) -> bool:
    """The policy in other words than the plan's: whether anything that was asked for allows this thing to go."""
    request = world.found.request
    mesh = "control_plane" in request.parts and not request.managed
    words = request.cluster_wide if "cluster_wide" in request.parts else frozenset()
    if item.what == "custom-resources":
        asked = (
            request.delete_custom_resources and bool(words & {"all", "osm_crds", "smi_crds"}) and not item.users and item.owner != "other"
        )
        return asked or real_count(item, world) <= own_objects(item, world)
    if item.what in ("mesh-config", "root-certificate") and request.delete_custom_resources and words & {"all", "osm_crds"}:
        return not item.users
    if item.owner == "other" or item.users:
        return False
    if item.what in ("osm-crd", "smi-crd"):
        asked = bool(words & {"all", "osm_crds" if item.what == "osm-crd" else "smi_crds"})
        return asked and (request.delete_custom_resources or real_count(item, world) <= own_objects(item, world))
    if item.what == "conversion-webhook" and words:
        return True
    if item.what in ("enrolled-namespace", "sidecar"):
        return "sidecars" in request.parts and request.remove_sidecars
    if item.what == "namespace":
        return request.delete_namespace != "no" and "namespace" in request.parts and not request.managed
    return mesh if item.owner == "named" else bool(words & {"orphans", "all"})


def real_count(item: Artefact, world: World) -> int:
    """How many objects a definition has, whether they can be counted or not."""
    return world.hidden.get(item.ref.name, item.count or 0)


def own_objects(item: Artefact, world: World) -> int:
    """How many of them a mesh made for itself, and may go."""
    resource = item.ref.name.partition(".")[0]
    return sum(
        1 for other in world.found.artefacts if other.kind.plural == resource and other.what == "mesh-config" and may_go(other, world)
    )


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_nothing_of_anybody_else_goes(world: World) -> None:
    before, after = world.found, run(world)
    request, there = before.request, {key(item) for item in after.artefacts}
    gone_with_home = before.namespace_exists and not after.namespace_exists
    for item in before.artefacts:
        gone = key(item) not in there and not never_was(item, world) and not (gone_with_home and item.ref.namespace == HOME)
        assert not gone or may_go(item, world), told(item)
    if gone_with_home:
        assert request.delete_namespace == "force" or not before.content or before.namespace_terminating
        assert not any(mesh.namespace == HOME for mesh in before.others)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_second_run_has_nothing_to_do_and_the_first_is_proven(world: World) -> None:
    after = run(world)
    assert [step for step in ids(after) if not step.startswith("await:")] == []
    # What needed no refusal is proven; a control plane that had to stay is told.
    wrong = {finding.code for finding in unproven(after)}
    assert wrong <= {"sidecars-left"}
    if not refusals(world.found) and not world.found.scope.pods:
        assert wrong == set()


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_steps_are_unique_and_the_id_is_that_of_the_intent(world: World) -> None:
    plan = whole_plan(world.found)
    newer = tuple(replace(item, resource_version="12345", found_by="another reason") for item in world.found.artefacts)
    assert whole_plan(replace(world.found, artefacts=newer)).id == plan.id
    for phase in plan.phases:
        known = {step.id for step in phase.steps}
        for step in phase.steps:
            assert set(step.needs) <= known
            if phase.name != phases.SIDECARS:
                assert step.permissions
                assert step.why


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_everything_that_was_found_has_one_fate_with_a_reason(world: World) -> None:
    before = world.found
    planned = fate(before, None)
    assert [item.item for item in planned] == [*before.artefacts]
    assert all(item.outcome in ("to_remove", "kept") and item.why for item in planned)
    after = run(world)
    became = fate(before, after)
    assert [key(item.item) for item in became] == [key(item) for item in before.artefacts]
    there = {key(item) for item in after.artefacts}
    for item in became:
        assert item.why
        assert item.outcome == ("gone" if key(item.item) not in there else "kept"), (told(item.item), item.why)
