# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape that every procedure has: phases of observe → plan → apply, and a proof at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan, Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step, StepOutcome

Observed = TypeVar("Observed")

# Raises when there must be no write (the Lease is lost); asked before each.
Guard = Callable[[], None]


def _at_once() -> None:
    """Settle without waiting for anything."""


def _enter_at_once(_guard: Guard) -> None:
    """Enter a phase without waiting for anything."""


@dataclass(frozen=True)
class Phase(Generic[Observed]):
    """A set of steps that can be planned together.

    ``plan`` is pure. ``apply`` makes one step's change and returns a short message; it raises WriteConflict when the object
    is not in the state that the step was planned on, and any other LifecycleError when it failed. A phase whose steps are not
    independent of each other in time (a rollout at a pace) has ``run`` instead, which asks its guard before every write, and returns
    what became of each step, in their order, and the failure.
    ``dry_run`` asks the server whether it would accept the step. ``enter`` waits, bounded, for what the phase needs before
    it is planned on entry (for instance until a CRD knows a field), and raises when that does not come; should it have to write,
    it asks its guard first. The first phase has no entry, it is planned before the run begins.
    """

    name: str
    plan: Callable[[Observed], Sequence[Step]]
    apply: Callable[[Step], str] | None = None
    dry_run: Callable[[Step], None] | None = None
    enter: Callable[[Guard], None] = _enter_at_once
    run: Callable[[Sequence[Step], Guard], tuple[list[StepOutcome], LifecycleError | None]] | None = None

    def __post_init__(self) -> None:
        """Refuse a phase that nobody or two could do."""
        if (self.apply is None) is (self.run is None):
            raise ValueError(f"phase {self.name} needs either apply or run")


@dataclass(frozen=True)
class Procedure(Generic[Observed]):
    """All of one procedure on one target.

    ``observe`` reads everything that the decisions need, given the record of a run that was not finished.
    ``merge_base`` names what the first write destroys and later phases need. ``settle`` waits, bounded, until the applied
    changes have taken effect; ``verify`` then looks at a fresh observation and returns what is wrong (severity ``error``
    fails the run). ``findings`` are about the state before, ``notes`` about the outcome: neither fails the run.
    """

    name: str
    target: str
    observe: Callable[[Record | None], Observed]
    phases: tuple[Phase[Observed], ...]
    verify: Callable[[Observed], Sequence[Finding]]
    refuse: Callable[[Observed], Sequence[Refusal]] = field(default=lambda observed: ())
    findings: Callable[[Observed], Sequence[Finding]] = field(default=lambda observed: ())
    notes: Callable[[Observed], Sequence[Finding]] = field(default=lambda observed: ())
    merge_base: Callable[[Observed], Mapping[str, object]] = field(default=lambda observed: {})
    settle: Callable[[], None] = _at_once

    def plan(self, observed: Observed) -> Plan:
        """Plan all phases on one observation: the first that has steps is exact, those after it are provisional."""
        phases: list[PhasePlan] = []
        exact = True
        for phase in self.phases:
            steps = tuple(phase.plan(observed))
            phases.append(PhasePlan(phase.name, steps, provisional=bool(steps) and not exact))
            exact = exact and not steps
        return Plan(self.name, self.target, tuple(phases), tuple(self.refuse(observed)), tuple(self.findings(observed)))
