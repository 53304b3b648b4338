# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run: check mode, refusals, permissions, failures, the proof, and what errors tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import (
    Interrupted,
    LifecycleError,
    NotProven,
    Refused,
    StepFailed,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step, StepOutcome
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_cluster import LEASE, RECORD, Client
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_procedure import (
    HISTORY,
    MAY_UPDATE,
    Seen,
    Toy,
    app,
    broken,
    server_with,
)

APPS = {"a": 1, "b": 1, "c": 2}
OWN = Permission("create", "coordination.k8s.io", "leases", "default")


def failing_at(name: str) -> Any:
    """Return a ``before_apply`` that fails the step of one application."""

    def before(step: Step) -> None:
        if step.object == app(name):
            broken(step)

    return before


def outcomes_of(error: LifecycleError) -> dict[str, str]:
    """Return the outcome of each step in an error's details."""
    steps = error.details["steps"]
    assert isinstance(steps, list)
    return {step["id"]: step["outcome"] for step in steps}


def test_check_mode_plans_simulates_and_writes_nothing() -> None:
    server = server_with(APPS, ["junk"])
    toy = Toy(Client(server, "planner"))
    toy.before_apply = broken
    report = run(toy.procedure(), toy.controls(check=True))
    assert server.of("planner") == []
    assert toy.client.begun == 0
    assert report.changed
    assert [outcome.outcome for outcome in report.outcomes] == ["would_do"] * 4
    # The history cannot be dry-run, and the result says why.
    assert toy.dry_runs == ["set_version:App/default/a", "set_version:App/default/b", "delete:Obsolete/default/junk"]
    assert [outcome.message for outcome in report.outcomes] == ["", "", "simulated: no server", ""]


def test_check_mode_of_an_unfinished_run_writes_nothing_either() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    toy.before_apply = failing_at("b")
    with pytest.raises(LifecycleError):
        run(toy.procedure(), toy.controls())
    toy = Toy(Client(server, "planner"))
    report = run(toy.procedure(), toy.controls(check=True))
    assert report.resumed
    assert toy.client.begun == 0
    assert RECORD in server.objects


def test_check_mode_shows_what_the_server_would_refuse() -> None:
    toy = Toy(Client(server_with(APPS), "planner"))

    def refuse(step: Step) -> None:
        if step.object == app("b"):
            raise LifecycleError("admission webhook denied the request")

    procedure = toy.procedure()
    toy._dry_run = refuse  # type: ignore[method-assign]
    procedure = toy.procedure()
    with pytest.raises(LifecycleError, match="admission webhook") as error:
        run(procedure, toy.controls(check=True))
    assert error.value.object == app("b")
    assert error.value.state == "nothing was written by this run"
    assert list(outcomes_of(error.value).values()) == ["would_do", "failed", "not_run"]


def test_the_first_phase_with_steps_is_exact_and_the_later_ones_are_provisional() -> None:
    def flags(versions: dict[str, int], junk: Sequence[str] = ()) -> list[bool]:
        toy = Toy(Client(server_with(versions, junk), "planner"))
        return [phase.provisional for phase in run(toy.procedure(), toy.controls(check=True)).plan.phases]

    assert flags(APPS, ["junk"]) == [False, True, True]
    assert flags(APPS) == [False, True, False]
    assert flags({"a": 2}, ["junk"]) == [False, False, False]
    assert flags({"a": 2}) == [False, False, False]


def test_all_reasons_to_refuse_are_told_at_once() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    toy.refusals = (
        Refusal("too-old", app("a"), "a is too old", "1 is not supported", "a has version 1", "bring a to 2 first"),
        Refusal("too-odd", app("b"), "b is odd", "nobody has tested it", "b has version 1", "look at b"),
    )
    with pytest.raises(Refused) as error:
        run(toy.procedure(), toy.controls())
    assert error.value.msg == "toy of default/toy is refused: a is too old; b is odd"
    assert error.value.why == "1 is not supported; nobody has tested it"
    assert error.value.next == "bring a to 2 first; look at b"
    assert error.value.object == app("a")
    assert toy.client.begun == 0
    assert set(outcomes_of(error.value).values()) == {"not_run"}


def test_missing_permissions_are_refused_before_the_first_write() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    asked: list[Permission] = []

    def missing(permissions: Sequence[Permission]) -> list[Permission]:
        asked.extend(permissions)
        return [MAY_UPDATE]

    with pytest.raises(Refused) as error:
        run(toy.procedure(), toy.controls(missing=missing, own_permissions=(OWN,)))
    assert asked == [OWN, MAY_UPDATE]
    assert error.value.msg == "Missing permissions for toy of default/toy: update apps.toy in namespace default"
    assert error.value.details["missing_permissions"] == ["update apps.toy in namespace default"]
    assert error.value.details["changed"] is False
    assert toy.client.begun == 0


def test_a_planner_without_permissions_is_only_told() -> None:
    toy = Toy(Client(server_with(APPS), "planner"))
    report = run(toy.procedure(), toy.controls(check=True, missing=lambda permissions: permissions))
    assert [(finding.severity, finding.code) for finding in report.findings] == [("warning", "apply-needs-permissions")]
    assert "update apps.toy in namespace default" in report.findings[0].what


def test_nothing_is_asked_when_there_is_nothing_to_do() -> None:
    toy = Toy(Client(server_with({"a": 2}), "idle"))
    report = run(toy.procedure(), toy.controls(missing=lambda permissions: pytest.fail("asked")))
    assert not report.changed
    assert toy.client.begun == 0
    assert toy.entered == []


def test_a_failed_step_tells_all() -> None:
    server = server_with(APPS, ["junk"])
    toy = Toy(Client(server, "first"))
    toy.before_apply = failing_at("b")
    with pytest.raises(LifecycleError) as caught:
        run(toy.procedure(), toy.controls())
    error = caught.value
    assert (error.msg, error.why, error.object) == ("Cannot update App default/b", "HTTP 500", app("b"))
    assert error.state == "1 of 4 steps are done, 1 failed, 2 were not begun"
    assert error.next == "run the same command again: it goes on from here"
    assert outcomes_of(error) == {
        "set_version:App/default/a": "done",
        "set_version:App/default/b": "failed",
        "write:History/default/toy": "not_run",
        "delete:Obsolete/default/junk": "not_run",
    }
    assert set(error.details) == {"changed", "plan", "plan_table", "steps", "findings"}
    assert error.details["changed"] is True
    json.dumps(error.details)
    assert "set_version  App default/b" in str(error.details["plan_table"])
    assert HISTORY not in server.objects


def test_what_is_applied_but_not_proven_fails() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    toy.wrong = (
        Finding("warning", "slow", app("a"), "a is slow", "", "wait"),
        Finding("error", "dead", app("b"), "b does not answer", "", "look at its log"),
        Finding("error", "dead", app("c"), "c does not answer", "", "look at its log"),
    )
    with pytest.raises(NotProven) as caught:
        run(toy.procedure(), toy.controls())
    error = caught.value
    assert error.msg == "toy of default/toy is applied but not proven: b does not answer"
    assert error.why == "App default/b: b does not answer; App default/c: c does not answer"
    assert error.next == "look at its log"
    assert error.state == "all steps of the plan are done"
    assert set(outcomes_of(error).values()) == {"done"}
    findings = error.details["findings"]
    assert isinstance(findings, list)
    assert [finding["code"] for finding in findings] == ["slow", "dead", "dead"]
    # The record stays until the outcome is proven, and then goes without another step.
    assert RECORD in server.objects
    assert LEASE not in server.objects
    toy = Toy(Client(server, "second"))
    report = run(toy.procedure(), toy.controls())
    assert report.resumed
    assert not report.changed
    assert RECORD not in server.objects


def test_a_state_that_needs_nothing_is_proven_too() -> None:
    toy = Toy(Client(server_with({"a": 2}), "idle"))
    toy.wrong = (Finding("error", "dead", app("a"), "a does not answer", "", "look at its log"),)
    with pytest.raises(NotProven) as error:
        run(toy.procedure(), toy.controls())
    assert error.value.state == "the plan has no steps: nothing was written"


def test_the_timeout_stops_before_the_next_step() -> None:
    server = server_with(APPS)
    toy = Toy(Client(server, "first"))
    deadline = Deadline(600)

    def expire(step: Step) -> None:
        assert step.object == app("a")
        deadline._end = 0.0

    toy.before_apply = expire
    with pytest.raises(Interrupted) as error:
        run(toy.procedure(), toy.controls(deadline=deadline))
    assert error.value.msg == "The timeout of 600 s is over"
    assert error.value.object == app("b")
    assert list(outcomes_of(error.value).values()) == ["done", "not_run", "not_run"]
    toy = Toy(Client(server, "second"))
    assert run(toy.procedure(), toy.controls()).resumed


def test_later_phases_are_entered_in_order() -> None:
    toy = Toy(Client(server_with(APPS), "first"))
    run(toy.procedure(), toy.controls())
    assert toy.entered == ["history", "cleanup"]


def done_by_hand(toy: Toy, step: Step) -> StepOutcome:
    """Make the change of a step as the toy's phases do it."""
    toy.client.put(step.object, step.after or {}, step.resource_version)
    return StepOutcome(step.id, "versions", "done")


def with_runner(toy: Toy, runner: Callable[..., Any]) -> Procedure[Seen]:
    """Return the toy's procedure whose first phase does its steps in its own way."""
    first, *others = toy.procedure().phases
    return replace(toy.procedure(), phases=(replace(first, apply=None, run=runner), *others))


def test_a_phase_may_do_its_steps_in_its_own_way() -> None:
    toy = Toy(Client(server_with(APPS), "first"))

    def backwards(steps: Sequence[Step], guard: Guard) -> tuple[list[StepOutcome], LifecycleError | None]:
        guard()
        return [done_by_hand(toy, step) for step in reversed(steps)][::-1], None

    report = run(with_runner(toy, backwards), toy.controls())
    assert {outcome.outcome for outcome in report.outcomes} == {"done"}
    assert report.observed.versions() == {"a": 2, "b": 2, "c": 2}


def test_a_failure_of_such_a_phase_keeps_what_it_did() -> None:
    toy = Toy(Client(server_with(APPS), "first"))

    def half(steps: Sequence[Step], _guard: Guard) -> tuple[list[StepOutcome], LifecycleError | None]:
        failed = StepOutcome(steps[1].id, "versions", "failed", message="no room")
        return [done_by_hand(toy, steps[0]), failed], StepFailed("no room", object=steps[1].object)

    with pytest.raises(StepFailed) as error:
        run(with_runner(toy, half), toy.controls())
    assert list(outcomes_of(error.value).values()) == ["done", "failed", "not_run"]
    assert toy.entered == []


def test_a_phase_is_done_in_exactly_one_way() -> None:
    with pytest.raises(ValueError, match="either apply or run"):
        Phase[object]("nobody", lambda seen: [])


def test_progress_is_told_by_step_ids_and_counts(tmp_path: Path) -> None:
    (tmp_path / "progress.jsonl").touch()
    toy = Toy(Client(server_with(APPS), "first"))
    run(toy.procedure(), toy.controls(progress=Progress(str(tmp_path))))
    lines = [json.loads(line)["text"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert lines[:2] == ["versions: set_version App default/a", "versions: set_version App default/b"]
    assert lines[2].startswith("versions: 2 of 2 steps in ")
    assert lines[3] == "history: write History default/toy"
