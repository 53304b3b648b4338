# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of an API server, and which requests they hit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from .front import Answer, Cut
from .request import Request

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@dataclass(frozen=True)
class Fault:
    """What happens to a request; ``carried_out`` says whether the server does what it was asked."""

    name: str
    carried_out: bool
    before: Callable[[Request], Answer | None] = lambda request: None
    after: Callable[[Request], None] = lambda request: None

    def __str__(self) -> str:
        return self.name


def status(code: int, message: str = "", *, retry_after: int | None = None) -> Fault:
    """Answer with a Status object and nothing done; ``retry_after`` in seconds."""

    def answer(request: Request) -> Answer:
        told = message or f"a fault of the test: {_REASONS[code]}"
        if code == 403:
            resource = ".".join(filter(None, [request.resource, request.group]))
            told = f'{resource} "{request.name}" is forbidden: User "expired" cannot {_VERBS[request.method]} resource "{request.resource}"'
        headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
        body = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": _REASONS[code], "message": told, "code": code}
        return Answer(code, {**body, "metadata": {}}, headers)

    return Fault(f"{code}", carried_out=False, before=answer)


_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def reset(*, committed: bool = False) -> Fault:
    """Reset the connection: before the server sees the request, or when it has carried it out."""

    def cut(_request: Request) -> NoReturn:
        raise Cut(reset=True)

    if committed:
        return Fault("lost answer", carried_out=True, after=cut)
    return Fault("reset", carried_out=False, before=cut)


def slow(seconds: float) -> Fault:
    """Let the request wait before the server sees it."""

    def wait(_request: Request) -> None:
        time.sleep(seconds)

    return Fault(f"{seconds:g} s late", carried_out=True, before=wait)


@dataclass
class Rule:
    """The fault hits requests that match: every ``every``-th of them beginning with number ``first``, ``times`` times at most.

    ``once_each``: never the same object twice, so that trying again helps. ``hit`` are the requests that were hit.
    """

    fault: Fault
    matches: Callable[[Request], bool]
    first: int = 1
    every: int = 1
    times: int | None = 1
    once_each: bool = False
    hit: list[Request] = field(default_factory=list)
    _seen: int = 0

    def takes(self, request: Request) -> bool:
        """Whether this request is hit; counts those that match."""
        if not self.matches(request) or (self.times is not None and len(self.hit) >= self.times):
            return False
        if self.once_each and request in self.hit:
            return False
        self._seen += 1
        if self._seen < self.first or (self._seen - self.first) % self.every:
            return False
        self.hit.append(request)
        return True

    def before(self, request: Request) -> Answer | None:
        """Let the fault happen to a request that has arrived."""
        return self.fault.before(request)

    def after(self, request: Request) -> None:
        """Let the fault happen to a request that was carried out."""
        self.fault.after(request)
