# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be written: the plan that was shown and perhaps approved, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Container

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, PlanOutdated, Refused, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, record_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import RISKS, Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.table import plan_table


def refuse_unapproved(plan: Plan, record: Record | None, expected_plan_id: str) -> None:
    """Refuse a plan that has refusals, or that is not the approved one; a resumed run may do a subset of the approved plan."""
    if plan.refusals:
        raise refused(f"{plan.procedure} of {plan.target}", plan.refusals)
    if not expected_plan_id or plan.id == expected_plan_id or not plan.steps:
        return
    if record is not None and record.plan_id == expected_plan_id and record.covers(plan):
        return
    raise Refused(
        f"The plan is not the approved one: approved {expected_plan_id}, now {plan.id}",
        why="the cluster or the options have changed since the plan was approved",
        state="nothing was written by this run",
        next=f"read the plan below, and if it is right run again with expected_plan_id={plan.id}\n{plan_table(plan)}",
    )


def refuse_changed_intent(shown: Plan, now: Plan) -> None:
    """The cluster was observed again under the Lease: only a plan that wants nothing new goes on."""
    if not record_of(shown, {}).covers(now):
        raise PlanOutdated(
            "The cluster changed between planning and the first write",
            why=f"plan {shown.id} was shown, plan {now.id} is what the cluster needs now",
            state="nothing was written by this run",
            next=f"run again and read the new plan\n{plan_table(now)}",
        )


def refuse_more_risk(planned: PhasePlan, steps: tuple[Step, ...], approved: Container[str] = ()) -> None:
    """A later phase that turns out riskier than it was shown must be approved again.

    ``approved`` are the ids of steps of earlier phases: what was removed there and is back, because somebody made it again, was approved.
    """
    known = {step.id for step in planned.steps}
    allowed = max((RISKS.index(step.risk) for step in planned.steps), default=0)
    for step in steps:
        if step.id in approved:
            continue
        if RISKS.index(step.risk) > allowed or (step.risk == "destructive" and step.id not in known):
            raise Interrupted(
                f"Phase {planned.name} turned out to be riskier than planned: {step.id} is {step.risk}",
                object=step.object,
                why=step.why,
                state="the phases before it are done",
                next="run again with --check, read the new plan, and approve it by running without --check",
            )
