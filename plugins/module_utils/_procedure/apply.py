# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply the steps of one phase: independent ones concurrently, in order of need, stopping at the first hard failure."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, StepFailed, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import RISKS, Outcome, Step, StepOutcome

ATTEMPTS = 4


def apply_steps(
    phase: str,
    steps: Sequence[Step],
    guard: Callable[[Step], None],
    apply: Callable[[Step], str],
    plan_again: Callable[[Step], Step | None],
    parallel: int,
) -> tuple[list[StepOutcome], LifecycleError | None]:
    """Return the outcome of each step in order, and the first failure; steps that were running when it came are waited for.

    ``guard`` is asked before every write and raises when there must be none; a step that it keeps from beginning is not run.
    ``plan_again`` is asked after a WriteConflict: None means that the step has become unnecessary.
    Raises ValueError when steps need each other in a circle.
    """
    by_id = {step.id: step for step in steps}
    order = TopologicalSorter[str](dict.fromkeys(by_id, ()))
    for step in steps:
        order.add(step.id, *(need for need in step.needs if need in by_id))
    order.prepare()
    outcomes: dict[str, StepOutcome] = {}
    failure: LifecycleError | None = None
    ready = deque(order.get_ready())
    running: dict[Future[StepOutcome], Step] = {}
    width = max(1, parallel)
    with ThreadPoolExecutor(max_workers=width) as pool:
        while True:
            # Never more than can run: what waits in the pool's own queue could not be stopped by a failure.
            while ready and failure is None and len(running) < width:
                step = by_id[ready.popleft()]
                try:
                    guard(step)
                except LifecycleError as error:
                    failure = error
                    break
                running[pool.submit(_apply_one, phase, step, guard, apply, plan_again)] = step
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                try:
                    outcomes[step.id] = future.result()
                    order.done(step.id)
                    ready.extend(order.get_ready())
                except LifecycleError as error:
                    error.object = error.object or step.object
                    outcomes[step.id] = StepOutcome(step.id, phase, "failed", message=str(error))
                    failure = failure or error
    return [outcomes.get(step.id, StepOutcome(step.id, phase, "not_run")) for step in steps], failure


def _apply_one(
    phase: str, step: Step, guard: Callable[[Step], None], apply: Callable[[Step], str], plan_again: Callable[[Step], Step | None]
) -> StepOutcome:
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
            if again is None and conflict.after_lost_answer:
                return _outcome(step, phase, "done", started, "the answer was lost; reading again shows that it is done")
            if again is None:
                return _outcome(step, phase, "unchanged", started, "somebody else had already done it")
            if again.desired != step.desired or RISKS.index(again.risk) > RISKS.index(step.risk):
                raise StepFailed(
                    f"{step.object} was changed by somebody else, and step {step.id} would now do something else",
                    object=step.object,
                    why=str(conflict),
                    state="their change was kept, this step was not done",
                    next="run again and read the new plan",
                ) from conflict
            guard(again)
            current = again
        except LifecycleError:
            raise
        except Exception as error:
            # A defect must not hide what the other steps have done.
            raise StepFailed(
                f"Step {step.id} broke: {type(error).__name__}",
                object=step.object,
                why=str(error),
                state="it may have written something",
                next="this is a defect of the collection: please report it; running the same command again is safe",
                details={"exception": traceback.format_exc()},
            ) from error
    raise RuntimeError("unreachable: the last attempt returns or raises")


def _outcome(step: Step, phase: str, outcome: Outcome, started: float, message: str) -> StepOutcome:
    return StepOutcome(step.id, phase, outcome, time.monotonic() - started, message)
