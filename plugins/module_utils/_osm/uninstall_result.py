# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What M(meshops.lifecycle.mesh_uninstall) tells its caller: what became of each thing, and the whole in numbers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import Decision
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import is_living, title
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_table import is_documented
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_result import grouped

Outcome = Literal["gone", "kept", "failed", "to_remove"]


class Removed(Protocol):
    """What the removal of sidecars came to."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the numbers of workloads and pods that were replaced."""

    @property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return the workloads that are not fine."""

    @property
    def rate(self) -> float:
        """Return the pods per minute that were reached."""


class Fate(NamedTuple):
    """What became of one thing, and why, as the end of a sentence."""

    item: Artefact
    outcome: Outcome
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        item = self.item
        return {
            "what": item.what,
            "object": item.ref.as_dict(),
            "outcome": self.outcome,
            "why": self.why,
            "found_by": item.found_by,
            "documented": is_documented(item.what),
            "count": item.count,
        }


def uninstall_result(
    before: Inventory, after: Inventory | None, removed: Removed, *, check: bool, outcomes: Iterable[StepOutcome] = ()
) -> dict[str, Any]:
    """Return ``artefacts``, ``summary``, ``workloads`` and ``leftovers``.

    ``after`` is the last look at the cluster (None: there was none after the first write); ``outcomes`` are those of the steps when the run
    was broken off before it looked again.
    """
    fates = fate(before, None if check else after, outcomes)
    last = after or before
    leftovers = last.sidecars.leftovers if last.sidecars is not None else ()
    return {
        "artefacts": [item.as_dict() for item in fates],
        "summary": summary(before, last, fates, removed),
        "workloads": [*removed.entries],
        "leftovers": grouped(leftovers),
    }


def fate(before: Inventory, after: Inventory | None, outcomes: Iterable[StepOutcome] = ()) -> list[Fate]:
    """Return what became of each thing that was found, in the order of the inventory; then what is there now and was not.

    Without ``after`` nothing was written: each is ``to_remove`` or ``kept``.
    """
    told = {outcome.id: outcome for outcome in outcomes}
    if after is None:
        return [_planned(item, decide(item, before)) for item in before.artefacts]
    now = {_key(item): item for item in after.artefacts}
    known = {_key(item) for item in before.artefacts}
    found = [_compared(item, decide(item, before), now.get(_key(item)), after, told) for item in before.artefacts]
    return [*found, *(_appeared(item, after) for key, item in now.items() if key not in known)]


def _key(item: Artefact) -> tuple[str, str, str, str, str]:
    # The Secrets of one namespace are several things, one for each owner.
    owner = item.owner if item.kind.kind != item.ref.kind else ""
    return item.what, item.ref.kind, item.ref.namespace, item.ref.name, owner


def _planned(item: Artefact, decision: Decision) -> Fate:
    return Fate(item, "to_remove" if decision.goes else "kept", decision.why)


def _compared(item: Artefact, decision: Decision, now: Artefact | None, after: Inventory, told: Mapping[str, StepOutcome]) -> Fate:
    if now is None:
        return Fate(item, "gone", decision.why if decision.goes else f"not by this run, which kept it: {decision.why}")
    decided = decide(now, after)
    if not decided.goes:
        return Fate(now, "kept", decided.why)
    outcome = told.get(decided.step)
    if outcome is not None and outcome.outcome == "done" and now.uid == item.uid:
        return Fate(item, "gone", decision.why)
    return Fate(now, "failed", _failure(item, now, outcome))


def _failure(item: Artefact, now: Artefact, outcome: StepOutcome | None) -> str:
    if outcome is not None and outcome.outcome == "failed":
        return outcome.message
    if outcome is not None and outcome.outcome == "not_run":
        return "the run ended before its turn"
    manager = now.state.get("manager")
    if now.uid != item.uid:
        return f"it was made again{f' by {manager}' if manager else ''}"
    return "it is still there"


def _appeared(item: Artefact, after: Inventory) -> Fate:
    decision = decide(item, after)
    return Fate(item, "failed" if decision.goes else "kept", "it appeared during the run" if decision.goes else decision.why)


def summary(before: Inventory, after: Inventory, fates: Sequence[Fate], removed: Removed) -> dict[str, Any]:
    """Return the uninstallation in a few numbers."""
    subject = before.subject or after.subject
    count = Counter(item.outcome for item in fates)
    plan = before.sidecars
    return {
        "mesh": f"{subject.namespace}/{subject.name}" if subject is not None else "",
        "product": subject.product.id if subject is not None else "",
        "version": subject.version if subject is not None else "",
        **{outcome: count[outcome] for outcome in ("gone", "kept", "failed", "to_remove")},
        "namespaces": len(before.enrolled),
        "workloads": len(plan.tasks) if plan is not None else 0,
        "pods": sum(task.pods for task in plan.tasks) if plan is not None else 0,
        "removed_workloads": removed.counts.get("workloads", 0),
        "removed_pods": removed.counts.get("pods", 0),
        "leftover_pods": sum(item.pods for item in after.sidecars.leftovers) if after.sidecars is not None else 0,
        "pods_per_minute": removed.rate,
        "remaining_meshes": sorted(title(mesh) for mesh in after.others if is_living(mesh)),
    }
