# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves in the cluster before its first write, so that a killed one can be finished by running it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Plan
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step


@dataclass(frozen=True)
class Record:
    """The approved plan (``steps``: step id → digest of its desired value) and what its later phases need from before.

    ``merge_base`` is what the first write destroys and a later phase needs, for instance the preset of the old release.
    """

    plan_id: str
    steps: Mapping[str, str]
    merge_base: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, plan: Plan) -> bool:
        """Return whether all that ``plan`` still wants to write was in the recorded plan, with the same desired values."""
        return all(self.steps.get(step.id) == digest(step.desired) for step in plan.steps if step.writes)

    def with_steps(self, steps: Iterable[Step]) -> Record:
        """Return the record that also covers ``steps``: those that a later phase was planned with on entry."""
        return Record(self.plan_id, {**self.steps, **{step.id: digest(step.desired) for step in steps}}, self.merge_base)

    def as_json(self) -> str:
        """Return the text that is kept in the cluster."""
        return json.dumps({"plan_id": self.plan_id, "steps": dict(self.steps), "merge_base": self.merge_base}, sort_keys=True)


class RecordStore(Protocol):
    """Where the record is kept."""

    ref: ObjectRef

    def read(self) -> Record | None:
        """Return the record of a run that was not finished, or None."""

    def write(self, record: Record) -> None:
        """Create or overwrite the record."""

    def delete(self) -> None:
        """Remove the record; nothing happens when there is none."""


def record_of(plan: Plan, merge_base: Mapping[str, object]) -> Record:
    """Return the record of ``plan``."""
    return Record(plan.id, {step.id: digest(step.desired) for step in plan.steps}, merge_base)


def record_from_json(text: str) -> Record | None:
    """Return the record in ``text``, or None when it cannot be read: it is then as if there were none."""
    try:
        data = json.loads(text)
        return Record(str(data["plan_id"]), {str(key): str(value) for key, value in data["steps"].items()}, dict(data["merge_base"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def digest(desired: Mapping[str, object]) -> str:
    """Return a short hash of a step's desired value."""
    return hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()[:16]
