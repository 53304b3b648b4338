# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each workload of a refresh has ended, and what follows from all of it: counts, outcomes, how far it is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_end import RESTS, SIDECAR_CODES, entry_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_progress import Standing

PHASE = "refresh"


class Ledger:
    """Ends by task; all times are in seconds on the run's clock."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._ends: dict[str, tuple[End, float]] = {}
        self._first_begin: float | None = None

    def begun(self, now: float) -> None:
        """Note that something was begun."""
        if self._first_begin is None:
            self._first_begin = now

    def ended(self, task: Task, end: End, seconds: float) -> None:
        """Note how a task has ended after so many seconds."""
        self._ends[task.id] = end, seconds

    @property
    def failed(self) -> list[Task]:
        """The workloads that have failed by themselves: a budget that allows nothing, and being stopped, are no failures."""
        return [task for task in self._tasks if task.id in self._ends and _is_failure(self._ends[task.id][0])]

    @property
    def failures(self) -> int:
        """How many of them count for ``max_failures``.

        A rollout of somebody else, or one that is only slow, says nothing about what this run would begin: it must not keep all others from
        being begun, however often the refresh is run again. That it has the wrong sidecar does, and so does one of an earlier run
        that does not come up with the sidecar of today: else each run would break some more.
        """
        return sum(task.way != "wait" or task.failing or self._ends[task.id][0].code in SIDECAR_CODES for task in self.failed)

    def standing(self, now: float, active: Iterable[Attempt], per_minute: int, stopped: str) -> Standing:
        """Return how far the refresh is."""
        ends = [end for end, _seconds in self._ends.values()]
        active = [*active]
        waiting = {item.task.id for item in active if item.budget}
        budgets = [(f"{item.task.object.namespace}/{item.task.object.name}", item.budget) for item in active if item.budget]
        return Standing(
            workloads=sum(end.outcome in ("done", "unchanged") for end in ends),
            all_workloads=len(self._tasks),
            pods=sum(end.pods for end in ends),
            all_pods=sum(task.pods for task in self._tasks),
            running=sum(not item.budget for item in active),
            failed=sum(end.outcome == "failed" for end in ends),
            seconds=now - (self._first_begin if self._first_begin is not None else now),
            per_minute=per_minute,
            budgets=budgets,
            stopped=stopped,
            left=sum(task.pods for task in self._tasks if task.id not in self._ends and task.id not in waiting),
        )

    def outcomes(self) -> list[StepOutcome]:
        """Return the outcome of every task, in the order of the tasks; all must have ended."""
        found = [(task, *self._ends[task.id]) for task in self._tasks]
        return [StepOutcome(task.id, PHASE, end.outcome, seconds, end.message) for task, end, seconds in found]

    def entries(self) -> list[dict[str, Any]]:
        """Return an entry for each workload that is not fine."""
        found = [(task, self._ends[task.id][0]) for task in self._tasks]
        return [entry_of(task, end) for task, end in found if end.outcome in ("failed", "not_run")]

    def counts(self) -> dict[str, int]:
        """Return ``workloads`` and ``pods`` that were refreshed, and how many workloads are ``unchanged``, ``failed`` and ``not_run``."""
        done = [end for end, _seconds in self._ends.values() if end.outcome == "done"]
        number = Counter(end.outcome for end, _seconds in self._ends.values())
        others = {"unchanged": number["unchanged"], "failed": number["failed"], "not_run": number["not_run"]}
        return {"workloads": len(done), "pods": sum(end.pods for end in done), **others}


def _is_failure(end: End) -> bool:
    return end.outcome == "failed" and end.code not in RESTS
