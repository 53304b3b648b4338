# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans, their ids, their records and how they are shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, record_from_json, record_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.table import plan_table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DESIRED = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
STEPS = st.lists(
    st.builds(
        Step,
        action=st.sampled_from(["patch", "delete"]),
        object=st.builds(
            ObjectRef, st.sampled_from(["Deployment", "CRD"]), st.text("ab", min_size=1, max_size=4), st.sampled_from(["", "ns"])
        ),
        why=st.text(max_size=5),
        risk=st.sampled_from(["none", "low", "disruptive", "destructive"]),
        desired=DESIRED,
        uid=st.text("0", max_size=3),
        resource_version=st.text("0", max_size=3),
    ),
    max_size=5,
    unique_by=lambda step: step.id,
)


def plan_of(steps: list[Step], cut: int = 0) -> Plan:
    """Return a plan of two phases, divided at ``cut``."""
    phases = (PhasePlan("one", tuple(steps[:cut])), PhasePlan("two", tuple(steps[cut:]), provisional=True))
    return Plan("toy", "ns/mesh", phases)


def shuffled(value: Any) -> Any:
    """Return the same JSON with its keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(STEPS, st.integers(0, 5))
def test_the_id_depends_on_the_intent_only(steps: list[Step], cut: int) -> None:
    same = [
        replace(step, why="else", uid="else", resource_version="9", before={"a": 1}, needs=("b",), desired=shuffled(step.desired))
        for step in steps
    ]
    assert plan_of(steps).id == plan_of(same, cut).id


@settings(deadline=None)
@given(STEPS, DESIRED, st.data())
def test_another_intent_has_another_id(steps: list[Step], desired: dict[str, Any], data: st.DataObject) -> None:
    plan = plan_of(steps)
    assert replace(plan, procedure="other").id != plan.id
    assert replace(plan, target="other").id != plan.id
    if steps:
        index = data.draw(st.integers(0, len(steps) - 1))
        assert plan_of(steps[:index] + steps[index + 1 :]).id != plan.id
        changed = [*steps]
        changed[index] = replace(steps[index], desired=desired)
        # Equal in JSON: True and 1 are not.
        same = json.dumps(desired, sort_keys=True) == json.dumps(steps[index].desired, sort_keys=True)
        assert (plan_of(changed).id == plan.id) == same


@settings(deadline=None)
@given(STEPS, DESIRED, st.data())
def test_a_record_covers_what_is_left_of_its_plan_and_nothing_else(steps: list[Step], desired: dict[str, Any], data: st.DataObject) -> None:
    record = record_of(plan_of(steps), {"old": 1})
    left = [step for step in steps if data.draw(st.booleans())]
    assert record.covers(plan_of(left))
    new = Step("new", ObjectRef("Thing", "new"), "", desired=desired)
    assert not record.covers(plan_of([*left, new]))
    assert record.with_steps([new]).covers(plan_of([*steps, new]))
    assert record.with_steps([new]).plan_id == record.plan_id
    assert record.with_steps(left) == record


@settings(deadline=None)
@given(STEPS, DESIRED)
def test_a_record_is_read_as_it_was_written(steps: list[Step], base: dict[str, Any]) -> None:
    record = record_of(plan_of(steps), base)
    assert record_from_json(record.as_json()) == record


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "1", "{", "{}", '{"plan_id": "a", "steps": [], "merge_base": {}}', '{"plan_id": "a", "steps": {}, "merge_base": 1}'],
)
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    assert record_from_json(text) is None


def test_no_record_covers_a_changed_value() -> None:
    step = Step("patch", ObjectRef("Deployment", "a", "ns"), "", desired={"replicas": 2})
    assert not Record("id", {step.id: "0" * 16}).covers(plan_of([step]))


def test_two_steps_with_one_id_are_a_mistake() -> None:
    step = Step("patch", ObjectRef("Deployment", "a", "ns"), "")
    with pytest.raises(ValueError, match="more than one step has the id patch:Deployment/ns/a"):
        plan_of([step, step], cut=1)


@settings(deadline=None)
@given(STEPS)
def test_the_risk_of_a_plan_is_its_highest(steps: list[Step]) -> None:
    order = ["none", "low", "disruptive", "destructive"]
    assert order.index(plan_of(steps).risk) == max((order.index(step.risk) for step in steps), default=0)


@settings(deadline=None)
@given(STEPS)
def test_a_plan_is_json_without_values(steps: list[Step]) -> None:
    canary = "canary-5f2a"
    steps = [replace(step, desired={"value": canary}, before={"value": canary}, after={"value": canary}) for step in steps]
    text = json.dumps(plan_of(steps).as_dict()) + plan_table(plan_of(steps))
    assert canary not in text


def test_the_table() -> None:
    plan = plan_of(
        [
            Step("patch", ObjectRef("Deployment", "osm-controller", "osm-system"), "new image", "disruptive"),
            Step("delete", ObjectRef("ClusterRole", "old"), "obsolete", "destructive", reversible=False),
        ],
        cut=1,
    )
    assert plan_table(plan).splitlines() == [
        f"toy ns/mesh: plan {plan.id}, 2 steps, risk destructive",
        "phase  action  object                                risk         undo  why",
        "one    patch   Deployment osm-system/osm-controller  disruptive   yes   new image",
        "two*   delete  ClusterRole old                       destructive  no    obsolete",
        "* planned again when the phase before it is done",
    ]


def test_the_table_of_an_empty_plan() -> None:
    assert plan_table(plan_of([])) == "toy ns/mesh: nothing to do"


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (
            Permission("patch", "apps", "deployments", "osm-system", "osm-controller"),
            "patch deployments.apps osm-controller in namespace osm-system",
        ),
        (Permission("list", "", "pods"), "list pods (cluster-wide)"),
        (Permission("create", "", "pods", "a", subresource="eviction"), "create pods/eviction in namespace a"),
    ],
)
def test_permissions_are_named_as_rbac_writes_them(permission: Permission, text: str) -> None:
    assert str(permission) == text


def test_an_error_reads_as_what_and_why() -> None:
    assert str(LifecycleError("Cannot patch a", why="HTTP 403")) == "Cannot patch a: HTTP 403"
    assert str(LifecycleError("Cannot patch a")) == "Cannot patch a"
