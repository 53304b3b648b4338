# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster in memory that keeps an API server's promises: versions, 409 on a stale one, and a log of all writes.

Several clients use one server. A client can be killed at any of its writes, before or after the write is stored; from then
on nothing that it does reaches the server, as with a process that is gone.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, record_from_json

LEASE = ObjectRef("Lease", "toy", "default")
RECORD = ObjectRef("ConfigMap", "toy", "default")


class Killed(BaseException):
    """The process is gone: no code of it handles this."""


class Stored(NamedTuple):
    """An object as it was read."""

    fields: dict[str, Any]
    uid: str
    version: str


class Write(NamedTuple):
    """One write that was stored."""

    client: str
    verb: str
    object: ObjectRef


class Server:
    """The objects, by reference."""

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, Stored] = {}
        self.writes: list[Write] = []
        self._count = 0
        self._lock = threading.RLock()

    def put(self, client: str, ref: ObjectRef, fields: Mapping[str, Any], version: str | None) -> str:
        """Create (``version`` empty), replace exactly ``version``, or store unconditionally (None); return the new version."""
        with self._lock:
            stored = self.objects.get(ref)
            if version is not None and version != (stored.version if stored else ""):
                raise WriteConflict(f"{ref} has been changed", object=ref, why="HTTP 409 Conflict")
            self._count += 1
            uid = stored.uid if stored else f"uid-{self._count}"
            self.objects[ref] = Stored(copy.deepcopy(dict(fields)), uid, str(self._count))
            self.writes.append(Write(client, "update" if stored else "create", ref))
            return str(self._count)

    def delete(self, client: str, ref: ObjectRef, *, uid: str = "", version: str = "") -> None:
        """Delete the object if it is (still) the one with ``uid`` and ``version``."""
        with self._lock:
            stored = self.objects.get(ref)
            if stored is None:
                return
            if (uid and uid != stored.uid) or (version and version != stored.version):
                raise WriteConflict(f"{ref} has been changed", object=ref, why="HTTP 409 Conflict")
            del self.objects[ref]
            self.writes.append(Write(client, "delete", ref))

    def get(self, ref: ObjectRef) -> Stored | None:
        """Return a copy of the object."""
        with self._lock:
            stored = self.objects.get(ref)
            return stored and stored._replace(fields=copy.deepcopy(stored.fields))

    def edit(self, ref: ObjectRef, **fields: Any) -> None:
        """A user changes some fields, whatever the version is."""
        with self._lock:
            stored = self.get(ref)
            if stored is not None:
                self.put("user", ref, {**stored.fields, **fields}, None)

    def of(self, client: str) -> list[Write]:
        """Return what one client has written."""
        return [write for write in self.writes if write.client == client]


class Client:
    """One process's way to the server. ``kill_at`` counts its writes from 1; ``kill_after`` lets that write be stored first.

    ``before_write`` is called with the number of each write that is about to be made: other people's edits go there.
    """

    def __init__(
        self,
        server: Server,
        name: str,
        *,
        kill_at: int = 0,
        kill_after: bool = False,
        before_write: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.server = server
        self.name = name
        self.begun = 0
        self._kill_at = kill_at
        self._kill_after = kill_after
        self._before_write = before_write
        self._dead = False
        self._lock = threading.Lock()

    def get(self, ref: ObjectRef) -> Stored | None:
        """Read one object."""
        self._live()
        return self.server.get(ref)

    def snapshot(self) -> dict[ObjectRef, Stored]:
        """Read all objects."""
        self._live()
        return copy.deepcopy(self.server.objects)

    def put(self, ref: ObjectRef, fields: Mapping[str, Any], version: str | None) -> str:
        """Write one object; see Server.put."""
        return str(self._write(lambda: self.server.put(self.name, ref, fields, version)))

    def delete(self, ref: ObjectRef, *, uid: str = "", version: str = "") -> None:
        """Delete one object; see Server.delete."""
        self._write(lambda: self.server.delete(self.name, ref, uid=uid, version=version))

    def _write(self, store: Callable[[], Any]) -> Any:
        with self._lock:
            self._live()
            self.begun += 1
            self._before_write(self.begun)
            if self.begun != self._kill_at:
                return store()
            self._dead = True
            if self._kill_after:
                store()
            raise Killed

    def _live(self) -> None:
        if self._dead:
            raise Killed


class Leases:
    """LeaseStore on a client."""

    ref = LEASE

    def __init__(self, client: Client) -> None:
        self._client = client

    def read(self) -> dict[str, object] | None:
        """Return the Lease as the API shows it."""
        stored = self._client.get(self.ref)
        return None if stored is None else {"metadata": {"resourceVersion": stored.version}, "spec": stored.fields}

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Create or replace it."""
        return self._client.put(self.ref, spec, resource_version)

    def delete(self, resource_version: str) -> None:
        """Delete it, unless somebody else has written it."""
        try:
            self._client.delete(self.ref, version=resource_version)
        except WriteConflict:
            return


class Records:
    """RecordStore on a client."""

    ref = RECORD

    def __init__(self, client: Client) -> None:
        self._client = client

    def read(self) -> Record | None:
        """Return the record."""
        stored = self._client.get(self.ref)
        return stored and record_from_json(stored.fields["text"])

    def write(self, record: Record) -> None:
        """Write it, whatever was there."""
        self._client.put(self.ref, {"text": record.as_json()}, None)

    def delete(self) -> None:
        """Delete it."""
        self._client.delete(self.ref)


class Clock:
    """Stands in for the ``time`` module: sleeping takes no time, and ``on_sleep`` is what others do meanwhile."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.on_sleep: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        """Return the seconds on this clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.now += seconds
        self.on_sleep()
