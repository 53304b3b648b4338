# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one family of exceptions that leaves a procedure; the module edge turns it into ``fail_json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal


class LifecycleError(Exception):
    """A failure told in full: what failed, on which object, why, what the state is now, what to run next."""

    def __init__(
        self,
        msg: str,
        *,
        object: ObjectRef | None = None,
        why: str = "",
        state: str = "",
        next: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(msg)
        self.msg = msg
        self.object = object
        self.why = why
        self.state = state
        self.next = next
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        """Return the sentence(s) that a person reads first."""
        return f"{self.msg}: {self.why}" if self.why else self.msg


class Refused(LifecycleError):
    """Nothing was written: the plan or its preconditions do not allow it."""


class PlanOutdated(Refused):
    """The cluster wants something else than the plan that was shown a moment ago."""


class Interrupted(LifecycleError):
    """The procedure stopped between two writes; running it again goes on from there."""


class LeaseLost(Interrupted):
    """The right to write is gone: somebody else may be at work by now."""


class StepFailed(LifecycleError):
    """A step was tried and failed."""


class NotProven(LifecycleError):
    """Everything was applied, but reading back did not show the wanted state."""


class WriteConflict(LifecycleError):
    """The object is no longer in the state that the write was planned on (HTTP 409).

    ``after_lost_answer`` is true when an earlier attempt of the same write got no answer, and so may have been what changed it.
    """

    after_lost_answer = False


def refused(what: str, refusals: Sequence[Refusal]) -> Refused:
    """Return one error that tells all reasons at once; ``what`` is for instance ``mesh_upgrade of osm-system/osm``."""
    first = refusals[0]
    return Refused(
        f"{what} is refused: {'; '.join(refusal.what for refusal in refusals)}",
        object=first.object,
        why="; ".join(dict.fromkeys(refusal.why for refusal in refusals)),
        state=first.state,
        next="; ".join(dict.fromkeys(refusal.next for refusal in refusals)),
        details={"refusals": [refusal.as_dict() for refusal in refusals]},
    )
