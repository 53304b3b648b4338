# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time: a ``coordination.k8s.io`` Lease per procedure and target, taken as client-go's leader election does.

A holder that keeps renewing is alive, and the caller is refused. Clocks of different machines are never compared:
a Lease is taken over only after it was *watched* unchanged for its whole duration
(client-go tools/leaderelection/leaderelection.go, ``tryAcquireOrRenew``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LeaseLost, LifecycleError, Refused, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

SECONDS = 15
# The same attempts in a row mean that something else than another run is in the way, for instance a missing namespace.
ATTEMPTS = 5


class LeaseStore(Protocol):
    """Where the Lease object is kept."""

    ref: ObjectRef

    def read(self) -> dict[str, object] | None:
        """Return the Lease, or None when there is none."""

    def write(self, spec: Mapping[str, object], resource_version: str) -> str:
        """Create (``resource_version`` empty) or replace the Lease, return its new resourceVersion.

        Raises WriteConflict when somebody else was faster.
        """

    def delete(self, resource_version: str) -> None:
        """Delete the Lease if it still has this resourceVersion."""


class Lease:
    """The right to write, held by ``holder`` inside ``with`` and renewed in the background.

    ``deadline`` ends the watching of somebody else's Lease; ``on_wait`` is told what is waited for.
    """

    def __init__(
        self,
        store: LeaseStore,
        holder: str,
        *,
        seconds: int = SECONDS,
        deadline: Deadline | None = None,
        on_wait: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._holder = holder
        self._seconds = seconds
        # Others wait for the whole duration; the holder stops earlier, as with client-go's RenewDeadline (10 s of 15 s).
        self._patience = seconds * 2 / 3
        self._deadline = deadline or Deadline(float("inf"))
        self._on_wait = on_wait
        self._resource_version = ""
        self._renewed = 0.0
        self._lost = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        """Acquire the Lease, or raise Refused naming the holder and the expiry."""
        self._acquire()
        self._thread = threading.Thread(target=self._renew_until_stopped, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop renewing and let the Lease go, if it is still ours."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            # Read first: the answer to the last renewal may have been lost, and with it the version to delete.
            holder, _renewed, _duration, version = _spec_of(self._store.read())
            if holder == self._holder:
                self._store.delete(version)
        except LifecycleError:
            # Not released: it expires by itself after its duration, and the outcome of the run is not changed by that.
            self._on_wait(f"could not delete {self._store.ref}; it expires in {self._seconds} s")

    def check(self) -> None:
        """Raise Interrupted when the Lease is lost: to be called before every write."""
        if not self._lost and self._is_stale():
            self._renew_late()
        if not self._lost and self._is_stale():
            self._lost = f"it could not be renewed for {self._patience:g} s"
        if self._lost:
            raise LeaseLost(
                "Stopped before the next write because the Lease was lost",
                object=self._store.ref,
                why=self._lost,
                state="the steps listed as done are done, the others were not begun",
                next="make sure that no other run works on this target, then run the same command again",
            )

    def _is_stale(self) -> bool:
        return time.monotonic() - self._renewed > self._patience

    def _renew_late(self) -> None:
        """Renew a Lease that others may have taken meanwhile: the API server was away for a while and is back, say.

        Whoever takes it writes another holder, and deletes it in the end. So while it still names this run, nobody else has had it.
        """
        try:
            self._renew()
        except LifecycleError:
            return

    def _acquire(self) -> None:
        since: float | None = None
        seen: tuple[object, object] = (None, None)
        conflicts = 0
        while True:
            lease = self._store.read()
            holder, renewed, duration, version = _spec_of(lease)
            if holder and holder != self._holder:
                if since is None:
                    since, seen = time.monotonic(), (holder, renewed)
                    self._on_wait(f"{self._store.ref} is held by {holder}: waiting up to {duration} s to see whether it is alive")
                if (holder, renewed) != seen or self._deadline.expired:
                    raise self._refused(holder, renewed, duration)
                if time.monotonic() - since < duration:
                    time.sleep(min(1.0, duration / 10))
                    continue
            try:
                self._write(version)
            except WriteConflict:
                conflicts += 1
                if conflicts == ATTEMPTS:
                    raise
                continue
            return

    def _write(self, version: str) -> None:
        # The time before the request: others may see the new Lease long before its answer comes back.
        began = time.monotonic()
        self._resource_version = self._store.write(self._spec(), version)
        # The thread and check() may renew at the same time: the later request counts, whichever answer is the last.
        self._renewed = max(self._renewed, began)

    def _refused(self, holder: str, renewed: str, duration: int) -> Refused:
        return Refused(
            "Another run is working on this target",
            object=self._store.ref,
            why=f"held by {holder}, last renewed {renewed}, expires {duration} s after its last renewal",
            state="this run has written nothing",
            next="wait for that run to end (killing ansible-playbook does not end its modules), then run the same command again",
            details={"holder": holder, "renewed": renewed, "lease_duration": duration},
        )

    def _spec(self) -> dict[str, object]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"holderIdentity": self._holder, "leaseDurationSeconds": self._seconds, "renewTime": now}

    def _renew_until_stopped(self) -> None:
        pause = self._seconds / 3
        while not self._lost and not self._stop.wait(pause):
            try:
                self._renew()
                pause = self._seconds / 3
            except LifecycleError:
                # An API server that is away for a moment: try sooner; check() decides by the age of the last renewal.
                pause = self._seconds / 15

    def _renew(self) -> None:
        try:
            self._write(self._resource_version)
        except WriteConflict:
            # A lost answer to our own renewal looks like a conflict: only another holder means that the Lease is gone.
            holder, _renewed, _duration, version = _spec_of(self._store.read())
            if holder == self._holder:
                self._write(version)
            else:
                self._lost = f"{holder} has taken it" if holder else "somebody deleted it"


def _spec_of(lease: Mapping[str, object] | None) -> tuple[str, str, int, str]:
    """Return (holder, renewTime, duration in seconds, resourceVersion); empty values when there is no Lease."""
    if lease is None:
        return "", "", SECONDS, ""
    spec, metadata = lease.get("spec"), lease.get("metadata")
    spec = spec if isinstance(spec, Mapping) else {}
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return (
        str(spec.get("holderIdentity") or ""),
        str(spec.get("renewTime") or ""),
        int(spec.get("leaseDurationSeconds") or SECONDS),
        str(metadata.get("resourceVersion") or ""),
    )
