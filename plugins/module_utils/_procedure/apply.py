# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply the steps of one phase: independent ones concurrently, in order of need, stopping at the first hard failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Outcome, Step, StepOutcome

ATTEMPTS = 4


def apply_steps(
    phase: str, steps: Sequence[Step], apply: Callable[[Step], str], plan_again: Callable[[Step], Step | None], parallel: int
) -> tuple[list[StepOutcome], LifecycleError | None]:
    """Return the outcome of each step in order, and the first failure; steps that were running when it came are waited for.

    ``plan_again`` is asked after a WriteConflict: None means that the step has become unnecessary.
    """
    ids = {step.id for step in steps}
    outcomes: dict[str, StepOutcome] = {}
    failure: LifecycleError | None = None
    waiting = list(steps)
    running: dict[Future[StepOutcome], Step] = {}
    with ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        while True:
            if failure is None:
                ready = [step for step in waiting if all(need in outcomes for need in step.needs if need in ids)]
                waiting = [step for step in waiting if step not in ready]
                running.update({pool.submit(_apply_one, phase, step, apply, plan_again): step for step in ready})
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                error = future.exception()
                if error is None:
                    outcomes[step.id] = future.result()
                elif isinstance(error, LifecycleError):
                    error.object = error.object or step.object
                    outcomes[step.id] = StepOutcome(step.id, phase, "failed", message=str(error))
                    failure = failure or error
                else:
                    raise error
    return [outcomes.get(step.id, StepOutcome(step.id, phase, "not_run")) for step in steps], failure


def _apply_one(phase: str, step: Step, apply: Callable[[Step], str], plan_again: Callable[[Step], Step | None]) -> StepOutcome:
    """Apply one step; after a conflict it is planned again and goes on only if its intent is the same."""
    started = time.monotonic()
    current = step
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _outcome(step, phase, "done", started, apply(current))
        except WriteConflict as conflict:
            if attempt == ATTEMPTS:
                raise
            again = plan_again(step)
            if again is None:
                return _outcome(step, phase, "unchanged", started, "somebody else had already done it")
            if again.desired != step.desired:
                raise Refused(
                    f"{step.object} was changed by somebody else, and step {step.id} would now do something else",
                    object=step.object,
                    why=str(conflict),
                    state="their change was kept, this step was not done",
                    next="run again and read the new plan",
                ) from conflict
            current = again
    raise RuntimeError("unreachable: the last attempt returns or raises")


def _outcome(step: Step, phase: str, outcome: Outcome, started: float, message: str) -> StepOutcome:
    return StepOutcome(step.id, phase, outcome, time.monotonic() - started, message)
