# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A procedure with all that makes one hard: later phases that need what the first destroys, ordered and destructive steps.

It brings the applications to a wanted version by replacing each whole (so that a stale write would lose other people's
fields), then writes down which versions there were before, then removes what is obsolete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Controls
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step
from ansible_collections.meshops.lifecycle.tests.unit.procedure.toy_cluster import Client, Leases, Records, Server, Stored

HISTORY = ObjectRef("History", "toy", "default")
MAY_UPDATE = Permission("update", "toy", "apps", "default")


def app(name: str) -> ObjectRef:
    """Reference of an application."""
    return ObjectRef("App", name, "default")


def obsolete(name: str) -> ObjectRef:
    """Reference of an object that the procedure removes."""
    return ObjectRef("Obsolete", name, "default")


def server_with(versions: Mapping[str, int], junk: Sequence[str] = ()) -> Server:
    """Return a cluster with these applications and obsolete objects."""
    server = Server()
    for name, version in versions.items():
        server.put("user", app(name), {"version": version, "note": ""}, "")
    for name in junk:
        server.put("user", obsolete(name), {}, "")
    return server


@dataclass(frozen=True)
class Seen:
    """An observation."""

    objects: Mapping[ObjectRef, Stored]
    record: Record | None

    def of_kind(self, kind: str) -> Iterator[tuple[ObjectRef, Stored]]:
        """Yield the objects of one kind, sorted by name."""
        return ((ref, stored) for ref, stored in sorted(self.objects.items()) if ref.kind == kind)

    def versions(self) -> dict[str, int]:
        """Return the version of each application."""
        return {ref.name: stored.fields["version"] for ref, stored in self.of_kind("App")}


class Toy:
    """The procedure as one client runs it; tests replace attributes to make it misbehave."""

    def __init__(self, client: Client, wanted: int = 2) -> None:
        self.client = client
        self.wanted = wanted
        self.before_apply: Callable[[Step], None] = lambda step: None
        self.dry_runs: list[str] = []
        self.entered: list[str] = []
        self.while_entering: Callable[[], None] = lambda: None
        self.refusals: Sequence[Refusal] = ()
        self.wrong: Sequence[Finding] = ()
        self.risk_of_history: Callable[[], Any] = lambda: "low"

    def procedure(self) -> Procedure[Seen]:
        """Return the procedure."""
        return Procedure(
            "toy",
            "default/toy",
            self._observe,
            (
                Phase("versions", self._plan_versions, self._apply, self._dry_run),
                Phase("history", self._plan_history, self._apply, self._dry_run, lambda guard: self._enter("history", guard)),
                Phase("cleanup", self._plan_cleanup, self._apply, self._dry_run, lambda guard: self._enter("cleanup", guard)),
            ),
            verify=self._verify,
            refuse=lambda seen: self.refusals,
            merge_base=lambda seen: {"versions": seen.versions()},
        )

    def controls(self, **changes: Any) -> Controls:
        """Return how it is run, apart from ``changes``."""
        return Controls(
            **{
                "check": False,
                "holder": self.client.name,
                "deadline": Deadline(600),
                "lease": Leases(self.client),
                "record": Records(self.client),
                "missing": lambda permissions: [],
                "parallel": 1,
                **changes,
            }
        )

    def _enter(self, phase: str, guard: Guard) -> None:
        """Wait for nothing, and do what a phase may have to write before it can begin."""
        self.entered.append(phase)
        self.while_entering()
        guard()

    def _observe(self, record: Record | None) -> Seen:
        return Seen(self.client.snapshot(), record)

    def _plan_versions(self, seen: Seen) -> list[Step]:
        return [
            Step(
                "set_version",
                ref,
                why=f"{stored.fields['version']} → {self.wanted}",
                risk="disruptive",
                desired={"version": self.wanted},
                after={**stored.fields, "version": self.wanted},
                uid=stored.uid,
                resource_version=stored.version,
                permissions=(MAY_UPDATE,),
            )
            for ref, stored in seen.of_kind("App")
            if stored.fields["version"] != self.wanted
        ]

    def _plan_history(self, seen: Seen) -> list[Step]:
        before = seen.record.merge_base["versions"] if seen.record else seen.versions()
        stored = seen.objects.get(HISTORY)
        if set(before.values()) <= {self.wanted} or (stored and stored.fields["before"] == before):
            return []
        version = stored.version if stored else ""
        fields = {"before": before}
        risk = self.risk_of_history()
        return [Step("write", HISTORY, "for people", risk, desired=fields, after=fields, resource_version=version, simulated="no server")]

    def _plan_cleanup(self, seen: Seen) -> list[Step]:
        return [
            Step("delete", ref, why="obsolete", risk="destructive", reversible=False, desired={"absent": True}, uid=stored.uid)
            for ref, stored in seen.of_kind("Obsolete")
        ]

    def _apply(self, step: Step) -> str:
        self.before_apply(step)
        if step.action == "delete":
            self.client.delete(step.object, uid=step.uid)
        else:
            self.client.put(step.object, step.after or {}, step.resource_version)
        return step.action

    def _dry_run(self, step: Step) -> None:
        self.dry_runs.append(step.id)

    def _verify(self, seen: Seen) -> list[Finding]:
        left = [*self._plan_versions(seen), *self._plan_history(seen), *self._plan_cleanup(seen)]
        return [*(Finding("error", "left-over", step.object, f"{step.id} is not done", "", "run again") for step in left), *self.wrong]


def broken(step: Step) -> None:
    """Fail every step, as a hard error of the API would."""
    raise LifecycleError(f"Cannot update {step.object}", why="HTTP 500")
