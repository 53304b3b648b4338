# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of one phase: order of need, bounded concurrency, the first failure, conflicts planned again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from graphlib import CycleError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.apply import ATTEMPTS, apply_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import (
    Interrupted,
    LifecycleError,
    StepFailed,
    WriteConflict,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step, StepOutcome


def step(name: str, *needs: str, version: str = "1", **fields: object) -> Step:
    """Return a step ``do:Thing/<name>`` that needs others of that form."""
    ids = tuple(f"do:Thing/{need}" for need in needs)
    return Step("do", ObjectRef("Thing", name), "because", desired=fields, needs=ids, resource_version=version)


def apply_all(
    steps: list[Step],
    apply: Callable[[Step], str],
    *,
    parallel: int = 4,
    guard: Callable[[Step], None] = lambda step: None,
    plan_again: Callable[[Step], Step | None] = lambda step: step,
) -> tuple[dict[str, StepOutcome], LifecycleError | None]:
    """Return the outcomes by name of the object, and the failure."""
    outcomes, failure = apply_steps("phase", steps, guard, apply, plan_again, parallel)
    assert [outcome.id for outcome in outcomes] == [step.id for step in steps]
    return {outcome.id.partition("/")[2]: outcome for outcome in outcomes}, failure


def noted_in(names: list[str]) -> Callable[[Step], str]:
    """Return an apply that succeeds and notes the name of the object."""

    def apply(current: Step) -> str:
        names.append(current.object.name)
        return ""

    return apply


def conflict(after_lost_answer: bool = False) -> WriteConflict:
    """Return an HTTP 409."""
    error = WriteConflict("changed", why="HTTP 409")
    error.after_lost_answer = after_lost_answer
    return error


@settings(deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 5))
def test_needs_come_first_and_no_more_run_than_allowed(data: st.DataObject, count: int, parallel: int) -> None:
    names = [str(number) for number in range(count)]
    needs = {name: data.draw(st.sets(st.sampled_from(names[:index]))) if index else set() for index, name in enumerate(names)}
    listed = data.draw(st.permutations(names))
    lock = threading.Lock()
    ended: list[str] = []
    running = peak = 0

    def apply(current: Step) -> str:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
            assert needs[current.object.name] <= set(ended)
        time.sleep(0.0005)
        with lock:
            running -= 1
            ended.append(current.object.name)
        return "ok"

    outcomes, failure = apply_all([step(name, *needs[name]) for name in listed], apply, parallel=parallel)
    assert failure is None
    assert {outcome.outcome for outcome in outcomes.values()} == {"done"}
    assert Counter(ended) == Counter(names)
    assert peak <= parallel


def test_one_at_a_time_keeps_the_order_of_the_plan() -> None:
    begun: list[str] = []
    apply_all([step("c"), step("a", "z"), step("z"), step("b")], noted_in(begun), parallel=1)
    assert begun.index("z") < begun.index("a")
    assert [name for name in begun if name != "a"] == ["c", "z", "b"]


def test_a_need_that_is_not_in_the_phase_is_met() -> None:
    outcomes, failure = apply_all([step("a", "done-by-an-earlier-run")], lambda current: "")
    assert failure is None
    assert outcomes["a"].outcome == "done"


def test_a_circle_is_told_before_anything_is_done() -> None:
    begun: list[str] = []
    with pytest.raises(CycleError):
        apply_all([step("free"), step("a", "b"), step("b", "a")], noted_in(begun))
    assert begun == []


def test_the_first_failure_stops_what_was_not_begun_and_waits_for_what_was() -> None:
    slow_begun, failed = threading.Event(), threading.Event()
    begun: list[str] = []

    def apply(current: Step) -> str:
        begun.append(current.object.name)
        if current.object.name == "slow":
            slow_begun.set()
            assert failed.wait(10)
            # Long enough for the failure to be seen: only then is it the end of this step that is waited for.
            time.sleep(0.05)
            return "in the end"
        assert slow_begun.wait(10)
        failed.set()
        raise LifecycleError("no", why="HTTP 500")

    steps = [step("slow"), step("bad"), *(step(f"later-{number}") for number in range(50)), step("dependent", "bad")]
    outcomes, failure = apply_all(steps, apply, parallel=2)
    assert sorted(begun) == ["bad", "slow"]
    assert outcomes["slow"].outcome == "done"
    assert outcomes["slow"].message == "in the end"
    assert outcomes["slow"].seconds >= 0.05
    assert outcomes["bad"].outcome == "failed"
    assert outcomes["bad"].message == "no: HTTP 500"
    assert {outcome.outcome for name, outcome in outcomes.items() if name not in ("slow", "bad")} == {"not_run"}
    assert failure is not None
    assert failure.object == ObjectRef("Thing", "bad")


def test_a_step_that_the_guard_stops_is_not_run() -> None:
    begun: list[str] = []

    def guard(current: Step) -> None:
        if begun:
            raise Interrupted("the time is over", object=current.object)

    outcomes, failure = apply_all([step("a"), step("b")], noted_in(begun), guard=guard, parallel=1)
    assert isinstance(failure, Interrupted)
    assert [outcomes[name].outcome for name in "ab"] == ["done", "not_run"]


def test_a_conflict_is_planned_again_and_written_on_the_new_state() -> None:
    written: list[str] = []

    def apply(current: Step) -> str:
        if current.resource_version == "1":
            raise conflict()
        written.append(current.resource_version)
        return "ok"

    outcomes, failure = apply_all([step("a")], apply, plan_again=lambda current: step("a", version="2"))
    assert failure is None
    assert outcomes["a"].outcome == "done"
    assert written == ["2"]


@pytest.mark.parametrize(("lost", "outcome"), [(False, "unchanged"), (True, "done")])
def test_a_conflict_that_leaves_nothing_to_do(lost: bool, outcome: str) -> None:
    """After a lost answer it was most likely this run that has changed the object, and the result must say so."""

    def apply(current: Step) -> str:
        assert current.resource_version == "1"
        raise conflict(after_lost_answer=lost)

    outcomes, failure = apply_all([step("a")], apply, plan_again=lambda current: None)
    assert failure is None
    assert outcomes["a"].outcome == outcome


@pytest.mark.parametrize(
    "again", [step("a", version="2", replicas=3), Step("do", ObjectRef("Thing", "a"), "", risk="destructive", desired={"replicas": 2})]
)
def test_a_changed_intent_is_refused(again: Step) -> None:
    attempts: list[Step] = []

    def apply(current: Step) -> str:
        attempts.append(current)
        raise conflict()

    outcomes, failure = apply_all([step("a", replicas=2)], apply, plan_again=lambda current: again)
    assert len(attempts) == 1
    assert isinstance(failure, StepFailed)
    assert "would now do something else" in failure.msg
    assert failure.why == "changed: HTTP 409"
    assert failure.state == "their change was kept, this step was not done"
    assert failure.next == "run again and read the new plan"
    assert outcomes["a"].outcome == "failed"


def test_the_guard_is_asked_again_before_the_write_after_a_conflict() -> None:
    asked: list[str] = []

    def guard(current: Step) -> None:
        asked.append(current.resource_version)
        if current.resource_version == "2":
            raise Interrupted("the Lease was lost")

    def apply(current: Step) -> str:
        assert current.resource_version == "1"
        raise conflict()

    _outcomes, failure = apply_all([step("a")], apply, guard=guard, plan_again=lambda current: step("a", version="2"))
    assert asked == ["1", "2"]
    assert isinstance(failure, Interrupted)


def test_an_object_that_never_rests_is_given_up() -> None:
    attempts: list[Step] = []

    def apply(current: Step) -> str:
        attempts.append(current)
        raise conflict()

    outcomes, failure = apply_all([step("a")], apply)
    assert len(attempts) == ATTEMPTS
    assert isinstance(failure, WriteConflict)
    assert outcomes["a"].outcome == "failed"


def test_a_defect_is_told_with_the_outcomes() -> None:
    def apply(current: Step) -> str:
        if current.object.name == "b":
            raise KeyError("status")
        return "ok"

    outcomes, failure = apply_all([step("a"), step("b"), step("c")], apply, parallel=1)
    assert [outcomes[name].outcome for name in "abc"] == ["done", "failed", "not_run"]
    assert isinstance(failure, StepFailed)
    assert failure.msg == "Step do:Thing/b broke: KeyError"
    assert 'raise KeyError("status")' in str(failure.details["exception"])


def test_many_steps_cost_little() -> None:
    """5,000 independent steps are scheduled in far less than the time that one request takes for each."""
    steps = [step(str(number)) for number in range(5000)]
    started = time.process_time()
    outcomes, _failure = apply_all(steps, lambda current: "", parallel=8)
    assert len(outcomes) == 5000
    assert time.process_time() - started < 5
