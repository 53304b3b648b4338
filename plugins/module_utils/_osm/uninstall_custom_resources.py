# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete all custom resources of a definition, however many there are, and see them gone before the definition goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Conflict, KubeError, NotFound, ServerFailure, Throttled
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import objects
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_deletion import Patience
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import Held, held, sentence
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, StepFailed, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

Object = Mapping[str, Any]
# Deleted between two looks at the Lease; the first alone, so that a rule which refuses all is met once.
_CHUNK = 100
_INTERVAL = 0.5
# What is answered while a conversion webhook is down: HTTP 500, or from Kubernetes 1.34 on HTTP 429, at first without saying why.
_NOT_CONVERTED = ("conversion webhook for", "storage is (re)initializing")


class _Left(NamedTuple):
    """What one look found: how many objects, those that something holds, and who wrote those that were made again."""

    number: int
    held: tuple[Held, ...]
    writers: tuple[str, ...]


class CustomResources:
    """The objects of one definition; ``guard`` raises when nothing may be written any more."""

    def __init__(self, api: Api, step: Step, progress: Progress) -> None:
        self._api = api
        self._step = step
        self._progress = progress
        self._deleted: set[str] = set()

    def delete(self, deadline: Deadline, seconds: float, guard: Callable[[], None]) -> str:
        """Delete all objects and wait until they are gone, return a message.

        They are listed as metadata in pages and deleted by up to ``max_parallel_requests`` threads, each by its uid; what is made meanwhile
        is deleted too. Raises StepFailed when for ``seconds`` nothing goes, with the finalizers that hold them (nothing is released by
        force) or with who makes them again; WriteConflict when the definition is another by now; KubeError, also for a webhook
        that refuses.
        """
        kind = self._kind()
        if kind is None:
            return "the definition is gone, and its objects with it"
        patience, lowest = Patience(deadline, seconds), -1
        while True:
            left = self._look(kind, deadline, guard)
            if left.number == 0:
                return f"{objects(len(self._deleted))} deleted"
            lowest = left.number if lowest < 0 else min(lowest, left.number)
            if not patience.left(lowest):
                raise self._stuck(left, patience.over)
            self._progress.line(f"custom_resources: {self._name}: {objects(left.number)} left to go")
            deadline.sleep(_INTERVAL)

    def dry_run(self) -> None:
        """Ask the server whether the first object could be deleted; one that cannot be listed now is asked again when it can be."""
        kind = self._kind()
        if kind is None:
            return
        try:
            for item in islice(self._api.within(10.0).list(kind, metadata_only=True, limit=1), 1):
                metadata = item["metadata"]
                self._api.delete(kind, metadata["name"], metadata.get("namespace"), uid=metadata["uid"], dry_run=True)
        except (ServerFailure, Throttled) as error:
            if not any(words in error.message for words in _NOT_CONVERTED):
                raise

    @property
    def _name(self) -> str:
        return self._step.object.name

    def _kind(self) -> Kind | None:
        definition = self._api.get_or_none(CRD, self._name)
        if definition is None:
            return None
        if self._step.uid not in ("", definition["metadata"]["uid"]):
            raise WriteConflict(
                f"{self._step.object} was made anew meanwhile",
                object=self._step.object,
                why="it is not the definition that was planned for",
            )
        return storage_kind(definition)

    def _look(self, kind: Kind, deadline: Deadline, guard: Callable[[], None]) -> _Left:
        """Go through all objects once, delete those that nobody has deleted yet, and return what was there."""
        count, stuck, writers = 0, [], []
        chunk: list[Object] = []
        try:
            for item in self._api.list(kind, metadata_only=True):
                count += 1
                if item["metadata"].get("deletionTimestamp"):
                    stuck += [found for found in (held(item),) if found is not None]
                    continue
                if self._deleted:
                    writers.append(last_writer(item))
                chunk.append(item)
                if len(chunk) == _CHUNK or not self._deleted:
                    self._delete(kind, chunk, deadline, guard)
                    chunk = []
            self._delete(kind, chunk, deadline, guard)
        except NotFound:
            # Somebody deleted the definition.
            return _Left(0, (), ())
        return _Left(count, tuple(stuck), tuple(filter(None, writers)))

    def _delete(self, kind: Kind, items: Sequence[Object], deadline: Deadline, guard: Callable[[], None]) -> None:
        if not items:
            return
        guard()
        if deadline.expired:
            raise Interrupted(
                f"The timeout of {deadline.seconds:g} s is over",
                object=self._step.object,
                state=f"{len(self._deleted)} of its objects are deleted",
                next="run the same command again: it goes on from here (with a larger timeout)",
            )
        self._deleted.update(self._api.map(lambda item: self._delete_one(kind, item), items))
        self._progress.line(f"custom_resources: {self._name}: {objects(len(self._deleted))} deleted")

    def _delete_one(self, kind: Kind, item: Object) -> str:
        metadata = item["metadata"]
        try:
            self._api.delete(kind, metadata["name"], metadata.get("namespace"), uid=metadata["uid"])
        except Conflict:
            # Another has its name by now: the next look finds it.
            pass
        return str(metadata["uid"])

    def _stuck(self, left: _Left, over: str) -> StepFailed:
        if left.held:
            what = f"{left.number} objects of {self._name} were deleted and do not go"
            why, first = sentence(left.held), left.held[0].ref
            remedy = sentence(remedy for one in left.held for remedy in one.remedies)
        else:
            what = f"{left.number} objects of {self._name} are made again as they are deleted"
            why = f"written by {sentence(left.writers)}" if left.writers else "nothing in them says by whom"
            remedy, first = "stop whoever makes them (a GitOps controller, an operator)", self._step.object
        return StepFailed(
            what,
            object=first,
            why=f"{why}; {over}",
            state=f"{len(self._deleted)} objects are deleted; the definition is kept, nothing that others hold is released by force",
            next=f"{remedy}; then run the same command again",
        )


def storage_kind(definition: Object) -> Kind | None:
    """Return the type of a definition's objects in the version in which they are stored (else in one that is served).

    Reading them in that version needs no conversion. None when no version is served: then nobody can list or delete them.
    """
    spec = definition["spec"]
    served = sorted((version for version in spec["versions"] if version.get("served")), key=lambda version: not version.get("storage"))
    if not served:
        return None
    return Kind(f"{spec['group']}/{served[0]['name']}", spec["names"]["kind"], spec["names"]["plural"], spec["scope"] == "Namespaced")


def held_objects(api: Api, name: str, most: int = 20) -> Iterator[Held]:
    """Yield objects of the definition ``name`` that are marked for deletion and held; nothing when they cannot be read."""
    quick = api.within(10.0)
    try:
        definition = quick.get_or_none(CRD, name)
        kind = storage_kind(definition) if definition is not None else None
        if kind is not None:
            yield from filter(None, map(held, islice(quick.list(kind, metadata_only=True, limit=most), most)))
    except KubeError:
        return


def cleanup_failure(api: Api, name: str) -> Iterator[str]:
    """Yield why the API server cannot delete the objects of a definition that is being deleted, when it says so.

    Source: kubernetes apiextensions-apiserver pkg/controller/finalizer/crd_finalizer.go (condition ``Terminating``).
    """
    try:
        definition = api.within(10.0).get_or_none(CRD, name) or {}
    except KubeError:
        return
    for condition in (definition.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Terminating" and condition.get("message"):
            yield f"{condition.get('reason')}: {' '.join(condition['message'].split())[:500]}"
