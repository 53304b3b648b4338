# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A front of an API server that lets a test stop time at one write (or, when it says so, at one request of any kind): before it is made,
or made but not answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from faults.front import ApiFront, Cut
from faults.request import Request

_HELD_SECONDS = 120.0


class Held:
    """A write to come. Once it is there (``wait``), the client waits too, until ``drop`` or ``release``."""

    def __init__(self, matches: Callable[[Request], bool], nth: int, committed: bool, any_kind: bool) -> None:
        self._matches = matches
        self._any_kind = any_kind
        self._left = nth
        self._committed = committed
        self._arrived = threading.Event()
        self._decided = threading.Event()
        self._dropped = False
        self.write: Request | None = None

    def takes(self, request: Request) -> bool:
        """Whether this is the one; counts those that match."""
        if self._left == 0 or not (request.writes or self._any_kind) or not self._matches(request):
            return False
        self._left -= 1
        if self._left == 0:
            self.write = request
        return self._left == 0

    def before(self, _request: Request) -> None:
        """Wait before the write is made, unless it is to be made first."""
        if not self._committed:
            self._stay()

    def after(self, _request: Request) -> None:
        """Wait when the write was made."""
        if self._committed:
            self._stay()

    def _stay(self) -> None:
        self._arrived.set()
        self._decided.wait(_HELD_SECONDS)
        if self._dropped:
            raise Cut

    @property
    def arrived(self) -> bool:
        """Whether the write has come (and, with ``committed``, has been made)."""
        return self._arrived.is_set()

    def wait(self, seconds: float = 60.0) -> Request:
        """Return the write when it has come (and, with ``committed``, when it has been made)."""
        if not self._arrived.wait(seconds) or self.write is None:
            raise AssertionError(f"the write that was to be held did not come within {seconds:g} s")
        return self.write

    def drop(self) -> None:
        """Cut the connection: the client never gets an answer, and what was not made yet never is."""
        self._dropped = True
        self._decided.set()

    def release(self) -> None:
        """Let it go on as if nothing had been."""
        self._decided.set()


class WriteGate(ApiFront):
    """The front, while the context lasts.

    >>> with WriteGate(cluster) as gate:
    ...     held = gate.hold(lambda write: write.resource == "meshconfigs", committed=True)
    """

    def hold(self, matches: Callable[[Request], bool], *, nth: int = 1, committed: bool = False, any_kind: bool = False) -> Held:
        """Hold the ``nth`` write from now on that matches: before it reaches the server, or with ``committed`` before its answer.

        With ``any_kind`` requests that write nothing count as well, ``exec`` among them.
        """
        held = Held(matches, nth, committed, any_kind)
        self._held.append(held)
        self.add(held)
        return held

    def __enter__(self) -> WriteGate:
        self._held: list[Held] = []
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for held in self._held:
            held.drop()
        super().__exit__(kind, error, trace)
