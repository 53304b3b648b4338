# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change to one object, described before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Risk = Literal["none", "low", "disruptive", "destructive"]
RISKS: tuple[Risk, ...] = ("none", "low", "disruptive", "destructive")


class Permission(NamedTuple):
    """What SelfSubjectAccessReview is asked: may the caller do this?"""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        """Return for instance ``patch deployments.apps osm-controller in namespace osm-system``."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        text = f"{self.verb} {resource}.{self.group}" if self.group else f"{self.verb} {resource}"
        if self.name:
            text += f" {self.name}"
        return f"{text} in namespace {self.namespace}" if self.namespace else f"{text} (cluster-wide)"


@dataclass(frozen=True)
class Step:
    """A planned change.

    ``desired`` is what the step aims at and is part of the plan id; ``before`` feeds the diff and is not. ``uid`` and
    ``resource_version`` are the state that the step was planned on: a write on any other state answers 409. ``needs``
    names steps of the same phase that must be done first; steps without a path between them run concurrently.
    ``writes`` is false for a step that only waits for what is under way already: nobody has to approve it.
    ``simulated`` says why check mode cannot dry-run the step on the server, or is empty when it can.
    """

    action: str
    object: ObjectRef
    why: str
    risk: Risk = "low"
    reversible: bool = True
    desired: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    uid: str = ""
    resource_version: str = ""
    needs: tuple[str, ...] = ()
    writes: bool = True
    simulated: str = ""
    permissions: tuple[Permission, ...] = ()

    @property
    def id(self) -> str:
        """Stable name of the step: the same change of the same object has it in every run."""
        return step_id(self.action, self.object)

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that plans carry; values that may be secret stay out of it."""
        return {
            "id": self.id,
            "action": self.action,
            "object": self.object.as_dict(),
            "why": self.why,
            "risk": self.risk,
            "reversible": self.reversible,
            "simulated": self.simulated,
        }


def step_id(action: str, ref: ObjectRef) -> str:
    """Return the id of the step that does ``action`` to an object."""
    place = f"{ref.namespace}/" if ref.namespace else ""
    return f"{action}:{ref.kind}/{place}{ref.name}"


Outcome = Literal["done", "unchanged", "failed", "not_run", "would_do"]


@dataclass(frozen=True)
class StepOutcome:
    """What became of a step: ``seconds`` is its own duration."""

    id: str
    phase: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "id": self.id,
            "phase": self.phase,
            "outcome": self.outcome,
            "duration": round(self.seconds, 3),
            "message": self.message,
        }
