# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a procedure: observe, plan, refuse or apply, verify. All the safety that procedures share is here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.apply import apply_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.approval import (
    refuse_changed_intent,
    refuse_more_risk,
    refuse_unapproved,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import (
    Interrupted,
    LifecycleError,
    NotProven,
    Refused,
    refused,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.lease import Lease, LeaseStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Plan
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Observed, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, RecordStore, record_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step, StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.table import plan_table


@dataclass(frozen=True)
class Controls:
    """How a procedure is run: by whom, for how long, and the I/O that every procedure shares.

    ``missing`` returns those of the given permissions that the caller does not have.
    """

    check: bool
    holder: str
    deadline: Deadline
    lease: LeaseStore
    record: RecordStore
    missing: Callable[[Sequence[Permission]], Sequence[Permission]]
    own_permissions: tuple[Permission, ...] = ()
    expected_plan_id: str = ""
    parallel: int = 8
    progress: Progress = field(default_factory=Progress)


@dataclass
class Report(Generic[Observed]):
    """What came out: ``observed`` is the last observation, ``findings`` are the plan's and the proof's."""

    plan: Plan
    observed: Observed
    findings: list[Finding]
    outcomes: list[StepOutcome] = field(default_factory=list)
    resumed: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything was written, or would be in check mode."""
        return any(outcome.outcome in ("done", "would_do") for outcome in self.outcomes)


def run(procedure: Procedure[Observed], controls: Controls) -> Report[Observed]:
    """Run ``procedure`` and return its report.

    Raises Refused before the first write, StepFailed, Interrupted or NotProven after it; every error's ``details`` carry
    the plan and the outcome of each step.
    """
    record = controls.record.read()
    observed = procedure.observe(record)
    plan = procedure.plan(observed)
    report = Report(plan, observed, list(plan.findings), resumed=record is not None)
    try:
        refuse_unapproved(plan, record, controls.expected_plan_id)
        missing = _check_permissions(plan, controls, report)
        if controls.check:
            _simulate(procedure, plan, missing, report, controls.parallel)
        elif plan.steps or record is not None:
            with Lease(controls.lease, controls.holder, deadline=controls.deadline, on_wait=controls.progress.line) as lease:
                _apply(procedure, controls, lease, report)
        else:
            _prove(procedure, report)
    except LifecycleError as error:
        _tell(error, report, controls)
        raise
    return report


def _check_permissions(plan: Plan, controls: Controls, report: Report[Observed]) -> Sequence[Permission]:
    """Ask for every permission the plan needs and return the missing ones: refused before the first write, in check mode a finding."""
    if not plan.steps:
        return ()
    wanted = dict.fromkeys(permission for step in plan.steps for permission in step.permissions)
    missing = controls.missing([*controls.own_permissions, *wanted])
    if not missing:
        return ()
    names = [str(permission) for permission in missing]
    if not controls.check:
        raise Refused(
            f"Missing permissions for {plan.procedure} of {plan.target}: {'; '.join(names)}",
            why="SelfSubjectAccessReview says that the API server would refuse these requests",
            state="nothing was written",
            next="grant them (the applier ClusterRole of this procedure is in docs/rbac.md), then run the same command again",
            details={"missing_permissions": names},
        )
    report.findings.append(
        Finding(
            "warning",
            "apply-needs-permissions",
            ObjectRef("SelfSubjectAccessReview", plan.procedure),
            f"applying this plan needs permissions that this user does not have: {'; '.join(names)}",
            "the run would be refused before its first write",
            "apply as a user with the applier ClusterRole of docs/rbac.md",
        )
    )
    return missing


def _simulate(procedure: Procedure[Observed], plan: Plan, missing: Sequence[Permission], report: Report[Observed], parallel: int) -> None:
    """Check mode: server-side dry run of every step that allows it.

    The API server wants the permission to write for a dry run too, so a user who may only read gets those steps unchecked.
    """
    dry_runs = {phase.name: phase.dry_run for phase in procedure.phases}
    todo = [(phase.name, step) for phase in plan.phases for step in phase.steps]

    def simulate(phase: str, step: Step) -> StepOutcome:
        dry_run = dry_runs[phase]
        lacking = [permission for permission in step.permissions if permission in missing]
        simulated = step.simulated or (f"this user may not {lacking[0]}" if lacking else "")
        if dry_run is not None and not simulated:
            dry_run(step)
        return StepOutcome(step.id, phase, "would_do", message=simulated and f"simulated: {simulated}")

    with ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        futures = [pool.submit(simulate, *item) for item in todo]
        for (phase, step), future in zip(todo, futures, strict=True):
            try:
                report.outcomes.append(future.result())
            except LifecycleError as error:
                pool.shutdown(cancel_futures=True)
                error.object = error.object or step.object
                report.outcomes.append(StepOutcome(step.id, phase, "failed", message=str(error)))
                raise


def _apply(procedure: Procedure[Observed], controls: Controls, lease: Lease, report: Report[Observed]) -> None:
    """Apply all phases under the Lease, planning each again on entry, then prove the outcome and drop the record."""
    record = controls.record.read()
    observed = procedure.observe(record)
    plan = procedure.plan(observed)
    if plan.refusals:
        raise refused(f"{plan.procedure} of {plan.target}", plan.refusals)
    report.resumed = record is not None
    if record is None or not record.covers(plan) or controls.expected_plan_id not in ("", record.plan_id):
        refuse_changed_intent(report.plan, plan)
        base = {**procedure.merge_base(observed), **(record.merge_base if record is not None else {})}
        # The plan that was shown and perhaps approved: with its id a killed run is resumed, also when less is left to do by now.
        record = record_of(report.plan, base)
        if plan.steps:
            lease.check()
            controls.record.write(record)
    report.plan, report.observed = plan, observed
    for number, phase in enumerate(procedure.phases):
        planned = plan.phases[number]
        if number:
            phase.enter(lease.check)
            observed = procedure.observe(record)
        steps = tuple(phase.plan(observed))
        refuse_more_risk(planned, steps, {step.id for earlier in plan.phases[:number] for step in earlier.steps})
        record = _record_new(record, steps, controls, lease)
        left = {step.id for step in steps}
        report.outcomes += [_no_longer_needed(step, phase.name) for step in planned.steps if step.id not in left]
        _run_phase(procedure, phase, steps, record, controls, lease, report)
    procedure.settle()
    report.observed = procedure.observe(record)
    _prove(procedure, report)
    lease.check()
    controls.record.delete()


def _record_new(record: Record, steps: tuple[Step, ...], controls: Controls, lease: Lease) -> Record:
    """A later phase may be planned differently on entry; a run that is killed in it must still be resumed with the approved id."""
    extended = record.with_steps(steps)
    if extended != record:
        lease.check()
        controls.record.write(extended)
    return extended


def _no_longer_needed(step: Step, phase: str) -> StepOutcome:
    return StepOutcome(step.id, phase, "unchanged", message="not needed any more when its phase was planned again")


def _run_phase(
    procedure: Procedure[Observed],
    phase: Phase[Observed],
    steps: tuple[Step, ...],
    record: Record,
    controls: Controls,
    lease: Lease,
    report: Report[Observed],
) -> None:
    """Do the steps of one phase and note what became of each."""
    if not steps:
        return
    started = time.monotonic()
    outcomes: list[StepOutcome] = []
    failure: LifecycleError | None = None
    if phase.run is not None:
        outcomes, failure = phase.run(steps, lease.check)
    elif phase.apply is not None:
        outcomes, failure = _apply_steps(procedure, phase, phase.apply, steps, record, controls, lease)
    report.outcomes += outcomes
    if failure is not None:
        raise failure
    controls.progress.line(f"{phase.name}: {len(steps)} of {len(steps)} steps in {time.monotonic() - started:.1f} s")


def _apply_steps(
    procedure: Procedure[Observed],
    phase: Phase[Observed],
    apply: Callable[[Step], str],
    steps: tuple[Step, ...],
    record: Record,
    controls: Controls,
    lease: Lease,
) -> tuple[list[StepOutcome], LifecycleError | None]:
    """Apply independent steps concurrently."""

    def guard(step: Step) -> None:
        lease.check()
        if controls.deadline.expired:
            raise Interrupted(
                f"The timeout of {controls.deadline.seconds:g} s is over",
                object=step.object,
                state=f"step {step.id} was not begun",
                next="run the same command again: it goes on from here (with a larger timeout)",
            )

    def tell_and_apply(step: Step) -> str:
        controls.progress.line(f"{phase.name}: {step.action} {step.object}")
        return apply(step)

    def plan_again(step: Step) -> Step | None:
        fresh = {candidate.id: candidate for candidate in phase.plan(procedure.observe(record))}
        return fresh.get(step.id)

    return apply_steps(phase.name, steps, guard, tell_and_apply, plan_again, controls.parallel)


def _prove(procedure: Procedure[Observed], report: Report[Observed]) -> None:
    """Look at the last observation; anything wrong fails the run, with all of it told."""
    found = list(procedure.verify(report.observed))
    report.findings += [*found, *procedure.notes(report.observed)]
    wrong = [finding for finding in found if finding.severity == "error"]
    if wrong:
        raise NotProven(
            f"{report.plan.procedure} of {report.plan.target} is applied but not proven: {wrong[0].what}",
            object=wrong[0].object,
            why="; ".join(f"{finding.object}: {finding.what}" for finding in wrong),
            state="all steps of the plan are done" if report.outcomes else "the plan has no steps: nothing was written",
            next="; ".join(dict.fromkeys(finding.remedy for finding in wrong)),
        )


def _tell(error: LifecycleError, report: Report[Observed], controls: Controls) -> None:
    """Give the error what the caller needs to see what was and what was not done."""
    done = {outcome.id for outcome in report.outcomes}
    for phase in report.plan.phases:
        report.outcomes += [StepOutcome(step.id, phase.name, "not_run") for step in phase.steps if step.id not in done]
    error.state = error.state or _state(report, controls)
    error.next = error.next or "run the same command again: it goes on from here"
    # A step that failed may have written a part of its change.
    tried = not controls.check and any(outcome.outcome == "failed" for outcome in report.outcomes)
    error.details.setdefault("changed", report.changed or tried)
    error.details.setdefault("plan", report.plan.as_dict())
    error.details.setdefault("plan_table", plan_table(report.plan))
    error.details.setdefault("steps", [outcome.as_dict() for outcome in report.outcomes])
    error.details.setdefault("findings", [finding.as_dict() for finding in report.findings])


def _state(report: Report[Observed], controls: Controls) -> str:
    """Say how far the run came, for errors that do not know it."""
    count = Counter(outcome.outcome for outcome in report.outcomes)
    if controls.check or not count["done"] + count["failed"]:
        return "nothing was written by this run"
    return f"{count['done']} of {len(report.outcomes)} steps are done, {count['failed']} failed, {count['not_run']} were not begun"
