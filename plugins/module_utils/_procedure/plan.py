# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a procedure is going to do, as data, with an id that names exactly that."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import RISKS, Risk, Step


@dataclass(frozen=True)
class Refusal:
    """Why a procedure must not start: on which object, what the state is now, what to do next."""

    code: str
    object: ObjectRef
    what: str
    why: str
    state: str
    next: str

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "code": self.code,
            "object": self.object.as_dict(),
            "what": self.what,
            "why": self.why,
            "state": self.state,
            "next": self.next,
        }


@dataclass(frozen=True)
class PhasePlan:
    """The steps of one phase; ``provisional`` when it is planned again after the phases before it."""

    name: str
    steps: tuple[Step, ...]
    provisional: bool = False


@dataclass(frozen=True)
class Plan:
    """All phases of one procedure on one target (for instance ``mesh_upgrade`` on ``osm-system/osm``)."""

    procedure: str
    target: str
    phases: tuple[PhasePlan, ...]
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two steps with one id: the record and the outcomes could not tell them apart."""
        twice = [step_id for step_id, count in Counter(step.id for step in self.steps).items() if count > 1]
        if twice:
            raise ValueError(f"more than one step has the id {', '.join(twice)}")

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        return tuple(step for phase in self.phases for step in phase.steps)

    @property
    def id(self) -> str:
        """Hash of what is to be written: step ids and desired values, not resource versions, reasons or counts."""
        return plan_id(self.procedure, self.target, ((step.id, step.desired) for step in self.steps if step.writes))

    @property
    def risk(self) -> Risk:
        """The highest risk of any step."""
        return max((step.risk for step in self.steps), key=RISKS.index, default="none")

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "id": self.id,
            "procedure": self.procedure,
            "target": self.target,
            "risk": self.risk,
            "phases": [
                {"name": phase.name, "provisional": phase.provisional, "steps": [step.as_dict() for step in phase.steps]}
                for phase in self.phases
            ],
        }


def plan_id(procedure: str, target: str, steps: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Return 16 hexadecimal digits that are the same for the same intent."""
    text = json.dumps([procedure, target, [[name, desired] for name, desired in steps]], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
