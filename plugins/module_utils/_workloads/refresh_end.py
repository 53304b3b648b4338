# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a refresh ends: what is told of each workload that is not fine, and the one error for all of them. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError, StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task

# Not the workload's own failure: these do not count for max_failures.
RESTS = frozenset({"blocked-by-budget", "stopped", "unfinished"})
# What is wrong with new pods comes from the injector, and would be wrong with those of the next workload.
SIDECAR_CODES = frozenset({"created-without-sidecar", "created-with-other-sidecar", "created-with-sidecar", "still-injected"})
_NAMED = 3
_AGAIN = "run the same command again"
_REST = f"{_AGAIN}: it does the rest"


class Stop(NamedTuple):
    """Why nothing new is begun; ``code`` is ``until``, ``max-failures``, ``mesh-changed`` or what is wrong with the injector."""

    code: str
    what: str
    next: str = ""

    @property
    def is_of_mesh(self) -> bool:
        """Whether it is the mesh that keeps new pods from being as wanted, and so the reason for failures as well."""
        return self.code == "mesh-changed" or self.code.startswith("injector-")


def never_begun(stop: Stop | None, budget: str, interrupted: LifecycleError | None = None) -> End:
    """Return the end of a workload of which nothing was replaced."""
    if budget:
        told = f"PodDisruptionBudget {budget} has allowed no disruption so far"
        return End("not_run", told, "blocked-by-budget", f"kubectl describe pdb -n {budget.replace('/', ' ', 1)}")
    if stop is not None:
        return End("not_run", f"it was not begun: {stop.what}", stop.code, stop.next or _REST)
    return End("not_run", f"it was not begun: {interrupted.msg if interrupted is not None else 'the run has ended'}", "not-begun", _REST)


def blocked(attempt: Attempt, seconds: float) -> End:
    """Return the end of a workload whose budget has allowed nothing for so long."""
    told = f"PodDisruptionBudget {attempt.budget} has allowed no disruption for {seconds:.0f} s"
    if attempt.partly and attempt.touched:
        told = f"{told}; {attempt.partly}"
    where = attempt.budget.replace("/", " ", 1)
    advice = (
        f"let the budget allow a disruption (kubectl describe pdb -n {where}): more ready pods, or a smaller minAvailable; then {_AGAIN}"
    )
    return End("failed" if attempt.touched else "not_run", told, "blocked-by-budget", advice)


def stood_still(attempt: Attempt, code: str, seconds: float, why: str, remedy: str) -> End:
    """Return the end of a workload that was not done in time (``timeout``), or did not change for too long (``stalled``)."""
    what = f"not done within {seconds:g} s" if code == "timeout" else f"nothing has changed for {seconds:g} s"
    told = "; ".join(filter(None, (what, attempt.partly, why or attempt.waits_for)))
    return End("failed", told, code, remedy or _look_at(attempt))


def given_up(attempt: Attempt, end: End, why: str, remedy: str) -> End:
    """Return the end of a workload that its controller has given up, with the reason; ``end`` says that it has."""
    return end._replace(message="; ".join(filter(None, (end.message, why))), next=remedy or _look_at(attempt))


def _look_at(attempt: Attempt) -> str:
    ref = attempt.task.object
    return f"look at it: kubectl describe {attempt.task.kind.plural} -n {ref.namespace} {ref.name}"


def unfinished(attempt: Attempt, now: float, stop: Stop | None, interrupted: LifecycleError | None) -> End:
    """Return the end of a workload that is under way when the run is broken off."""
    if attempt.budget and attempt.touched:
        return blocked(attempt, now - attempt.since)
    if attempt.touched or attempt.task.way == "wait":
        told = "; ".join(filter(None, ("it was begun, and its end was not waited for", attempt.partly, attempt.waits_for)))
        return End("failed", told, "unfinished", "run the same command again: it waits for it and does the rest")
    return never_begun(stop, attempt.budget, interrupted)


def defect(error: Exception) -> End:
    """Return the end of a workload at which this collection broke: that must not hide what became of the others."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return End("failed", text, "defect", "this is a defect of the collection: please report it")


def entry_of(task: Task, end: End) -> dict[str, Any]:
    """Return what results carry about a workload that is not fine."""
    return {
        "object": task.object.as_dict(),
        "outcome": end.outcome,
        "code": end.code,
        "message": end.message,
        "pods": task.pods,
        "next": end.next,
    }


def error_of(
    entries: Sequence[Mapping[str, Any]], stop: Stop | None, interrupted: LifecycleError | None, counts: Mapping[str, int]
) -> LifecycleError | None:
    """Return the error of a refresh, None when every workload is fine.

    A run that was broken off ends with what broke it off; else failures come first, then budgets and what was not begun.
    """
    failed = [entry for entry in entries if entry["outcome"] == "failed" and entry["code"] not in RESTS]
    state = _state(counts)
    if interrupted is not None:
        interrupted.state = interrupted.state or state
        interrupted.next = interrupted.next or _REST
        return interrupted
    if failed:
        why = "; ".join(f"{_ref(entry)}: {entry['message']}" for entry in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        mesh = f"; {stop.what}" if stop is not None and stop.is_of_mesh else ""
        if stop is not None and any(entry["code"] == "max-failures" for entry in entries):
            more = f"{more}; nothing new was begun: {stop.what}"
        advice = [stop.next if mesh and stop is not None else "", *(str(entry["next"]) for entry in failed[:_NAMED])]
        return StepFailed(
            f"{_workloads(len(failed))} could not be refreshed",
            object=_ref(failed[0]),
            why=f"{why}{more}{mesh}",
            state=state,
            next="; ".join(dict.fromkeys(filter(None, advice))) or _REST,
        )
    if not entries:
        return None
    blocked = [entry for entry in entries if entry["code"] == "blocked-by-budget"]
    first = (blocked or entries)[0]
    what = f"{_workloads(len(blocked))} blocked by a PodDisruptionBudget" if blocked else f"{_workloads(len(entries))} not refreshed"
    return Interrupted(
        f"{what} ({_and_more([str(_ref(entry)) for entry in blocked or entries])})",
        object=_ref(first),
        why=str(first["message"]),
        state=state,
        next=str(first["next"]) or _REST,
    )


def _state(counts: Mapping[str, int]) -> str:
    return (
        f"{_workloads(counts['workloads'])} ({counts['pods']} pods) refreshed and proven, {counts['unchanged']} were so already, "
        f"{counts['failed']} failed, {counts['not_run']} not begun"
    )


def _ref(entry: Mapping[str, Any]) -> ObjectRef:
    ref = entry["object"]
    return ObjectRef(ref["kind"], ref["name"], ref["namespace"])


def _and_more(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _workloads(number: int) -> str:
    return f"{number} workload{'' if number == 1 else 's'}"
