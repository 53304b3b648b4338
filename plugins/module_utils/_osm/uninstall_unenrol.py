# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes namespaces out of a mesh, each just before its first workload is begun, and injection annotations out of pod templates."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Conflict, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import namespace_facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import scrape_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import SIDECARS, Artefact, Enrolled, Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import elsewhere, marks
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import Item
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import edit_patch, template_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Outcome, StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task

_ATTEMPTS = 5


class NamespaceWrites:
    """The writes of a removal that are no restarts, each made once, whoever asks first; usable from several threads.

    ``items`` are all steps of the phase in their order. After the work, ``outcomes`` has what became of each write by its step's id;
    one that was never asked for is missing. ``failure`` is the first error of a namespace without workloads. ``last`` says that no other
    mesh reads the keys of this one.
    """

    def __init__(self, api: Api, subject: Subject, items: Sequence[Item], guard: Guard, progress: Progress, *, last: bool) -> None:
        self.outcomes: dict[str, StepOutcome] = {}
        self.failure: LifecycleError | None = None
        self._api = api
        self._subject = subject
        self._last = last
        self._guard = guard
        self._progress = progress
        self._writes: dict[str, list[Item]] = {}
        for item in items:
            if item.enrolled is not None or item.template is not None:
                self._writes.setdefault(item.namespace, []).append(item)
        busy = {item.namespace for item in items if item.task is not None}
        # Namespaces without workloads, each with its place; and the places of workloads.
        self._idle = {item.namespace: at for at, item in reversed([*enumerate(items)]) if item.namespace not in busy}
        self._idle = {name: at for name, at in self._idle.items() if name in self._writes}
        self._places = {item.task.id: at for at, item in enumerate(items) if item.task is not None}
        self._locks = {name: threading.Lock() for name in self._writes}
        self._errors: dict[str, LifecycleError] = {}
        self._idle_lock = threading.Lock()

    def before(self, task: Task) -> None:
        """Make the writes that come before this task: its namespace's, and those of namespaces without workloads that have their turn.

        Raises LifecycleError when its own namespace could not be written; the task must not be begun then.
        """
        self._take(self._places.get(task.id, 0))
        self._write_all(task.object.namespace)

    def rest(self) -> None:
        """Make all writes that are left."""
        self._take(None)
        for name in self._writes:
            if name not in self._errors:
                self._idle_write(name)

    def _take(self, place: int | None) -> None:
        """Write the namespaces without workloads up to a place, concurrently."""
        with self._idle_lock:
            names = [name for name, at in self._idle.items() if place is None or at < place]
            for name in names:
                del self._idle[name]
        self._api.map(self._idle_write, names)

    def _idle_write(self, name: str) -> None:
        try:
            self._write_all(name)
        except LifecycleError as error:
            self.failure = self.failure or error

    def _write_all(self, name: str) -> None:
        """Make the writes of one namespace; a second one who asks waits for the first, and gets the same error."""
        if name not in self._locks:
            return
        with self._locks[name]:
            if name in self._errors:
                raise self._errors[name]
            for item in self._writes[name]:
                if item.step.id not in self.outcomes:
                    self._guard()
                    self._write(name, item)

    def _write(self, name: str, item: Item) -> None:
        started = time.monotonic()
        self._progress.line(f"{SIDECARS}: {item.step.action} {item.step.object}")
        try:
            outcome, message = self._unenrol(item.enrolled) if item.enrolled is not None else self._edit(item.template)
        except LifecycleError as error:
            error.object = error.object or item.step.object
            error.details.setdefault("code", f"{item.step.action.replace('_', '-')}-failed")
            self._errors[name] = error
            outcome, message = "failed", str(error)
        self.outcomes[item.step.id] = StepOutcome(item.step.id, SIDECARS, outcome, time.monotonic() - started, message)
        if name in self._errors:
            raise self._errors[name]

    def _unenrol(self, wanted: Enrolled) -> tuple[Outcome, str]:
        """Patch a namespace in the state that it was read in; one that was changed meanwhile is judged again."""
        current, lost = wanted, False
        for attempt in range(_ATTEMPTS):
            try:
                self._api.patch(NAMESPACE, current.name, _unmarked(current), uid=current.uid, resource_version=current.resource_version)
                return "done", ""
            except NotFound:
                return "unchanged", "the namespace was deleted meanwhile"
            except Conflict as conflict:
                lost = lost or conflict.after_lost_answer
                if attempt == _ATTEMPTS - 1:
                    raise
            live = self._api.get_or_none(NAMESPACE, wanted.name, metadata_only=True)
            facts = namespace_facts(live) if live is not None else None
            found = marks(facts, self._subject, last=self._last) if facts is not None else None
            if found is None:
                other = elsewhere(facts, self._subject) if facts is not None else ""
                return (
                    ("done", "") if lost else ("unchanged", f"it is in mesh {other} now" if other else "somebody else had already done it")
                )
            current = found
        raise RuntimeError("unreachable: the last attempt returns or raises")

    def _edit(self, template: Artefact | None) -> tuple[Outcome, str]:
        """Take the annotation out of a pod template."""
        if template is None:
            raise RuntimeError("a step of a template has one")
        ref, key, version = template.ref, str(template.state["annotation"]), template.resource_version
        for attempt in range(_ATTEMPTS):
            try:
                patch = edit_patch(template.kind, key)
                self._api.patch(template.kind, ref.name, patch, ref.namespace, uid=template.uid, resource_version=version)
                return "done", ""
            except NotFound:
                return "unchanged", "it was deleted meanwhile"
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
            live = self._api.get_or_none(template.kind, ref.name, ref.namespace)
            if live is None or live["metadata"]["uid"] != template.uid:
                return "unchanged", "it was deleted meanwhile"
            if key not in ((template_of(live).get("metadata") or {}).get("annotations") or {}):
                return "done", "it is gone from the pod template"
            version = live["metadata"]["resourceVersion"]
        raise RuntimeError("unreachable: the last attempt returns or raises")


def _unmarked(enrolled: Enrolled) -> dict[str, Any]:
    """Return the merge patch that takes the marks off."""
    parts = {"labels": dict(enrolled.labels), "annotations": dict(enrolled.annotations)}
    return {"metadata": {part: keys for part, keys in parts.items() if keys}}


def unenrolment_patch(step_desired: Any) -> dict[str, Any]:
    """Return the same patch from what a step aims at."""
    return {"metadata": {part: dict(step_desired[part]) for part in ("labels", "annotations")}}


def unscrape(api: Api, namespace: str, uuid_label: str, guard: Guard) -> int:
    """Take the annotations by which Prometheus finds a sidecar off the pods of a namespace that have both; return how many had them."""
    listed = api.list(POD, namespace, label_selector=uuid_label, metadata_only=True)
    pods = [item["metadata"] for item in listed if scrape_patch(item["metadata"].get("annotations") or {}, scrape=False)]
    guard()
    return sum(api.map(partial(_unscrape_one, api), [metadata for metadata in pods if "deletionTimestamp" not in metadata]))


def _unscrape_one(api: Api, metadata: dict[str, Any]) -> bool:
    body = {"metadata": {"annotations": scrape_patch(metadata.get("annotations") or {}, scrape=False)}}
    try:
        api.patch(POD, metadata["name"], body, metadata["namespace"], uid=metadata["uid"])
    except (NotFound, Conflict):
        return False
    return True
