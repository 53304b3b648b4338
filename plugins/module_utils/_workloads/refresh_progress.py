# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh says while it goes on: how much is done, how fast, how long it will take, who waits for whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pace import estimate

_NAMED = 3


class Standing(NamedTuple):
    """How far a refresh is: workloads and pods, done and all of them; ``seconds`` since the first one began.

    ``per_minute`` is the pace that was asked for, 0 for none. ``budgets`` are (workload, PodDisruptionBudget) of those that wait.
    ``left`` are the pods whose time can be told: not those of workloads that wait for a budget, or have failed.
    """

    workloads: int
    all_workloads: int
    pods: int
    all_pods: int
    running: int
    failed: int
    seconds: float
    per_minute: int
    budgets: Sequence[tuple[str, str]] = ()
    stopped: str = ""
    left: int = 0

    @property
    def rate(self) -> float:
        """Pods a minute as measured."""
        return measured(self.pods, self.seconds)


def measured(pods: int, seconds: float) -> float:
    """Return pods a minute, 0.0 when there is nothing to measure."""
    return round(pods * 60 / seconds, 1) if pods and seconds > 0 else 0.0


def first_line(workloads: int, pods: int, per_minute: int) -> str:
    """Say what is planned."""
    seconds = estimate(pods, per_minute)
    pace = f"at {per_minute} pods a minute that takes {duration(seconds)}" if seconds else "without a limit of pods a minute"
    return f"refresh: {_count(workloads, 'workload')}, {_count(pods, 'pod')}; {pace}"


def line(standing: Standing) -> str:
    """Say how far it is, in one line."""
    workloads = f"{standing.workloads} of {_count(standing.all_workloads, 'workload')}"
    parts = [f"refresh: {workloads}, {standing.pods} of {_count(standing.all_pods, 'pod')}"]
    rate = standing.rate
    if rate:
        told = f"{rate:g} pods a minute"
        if standing.left and not standing.stopped:
            told += f", {duration(estimate(standing.left, rate))} left at this rate"
        planned = estimate(standing.all_pods, standing.per_minute)
        parts.append(f"{told} (estimated {duration(planned)} in all at {standing.per_minute})" if planned else told)
    if standing.running:
        parts.append(f"{standing.running} under way")
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    if standing.stopped:
        parts.append(f"nothing new is begun: {standing.stopped}")
    parts += [waiting_line(workload, budget) for workload, budget in standing.budgets[:_NAMED]]
    if len(standing.budgets) > _NAMED:
        parts.append(f"{len(standing.budgets) - _NAMED} more wait for budgets")
    return "; ".join(parts)


def waiting_line(workload: str, budget: str) -> str:
    """Say who waits for which budget."""
    return f"{workload} is waiting for PodDisruptionBudget {budget}"


def duration(seconds: float) -> str:
    """Return a time in the two largest units that people use for it."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
