# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of AWS, and which requests they hit: by rule and count, as in tests/sandbox/faults."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass
from typing import Any

from .operations import Wanted

# The answers of the services when they are asked too often: code, HTTP status, text.
REFUSALS = {
    "SlowDown": (503, "Please reduce your request rate."),
    "Throttling": (400, "Rate exceeded"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "PriorRequestNotComplete": (400, "The request was rejected because Route 53 was still processing a prior request."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "AccessDenied": (403, "Access Denied"),
    "ExpiredToken": (400, "The provided token has expired."),
}
RESETS = ("reset", "reset-answer", "lost-answer")


@dataclass
class Rule:
    """``fault`` hits requests that match: every ``every``-th of them beginning with number ``first``, ``times`` at most (-1: all).

    It is one of REFUSALS, "reset" (the connection, when ``at`` bytes of the body have come, and nothing is done),
    "reset-answer" (when ``at`` bytes of the answer are out), or "lost-answer" (a reset when all is done and nothing said).
    Empty conditions match everything; ``key`` is a regular expression.
    """

    fault: str
    service: str = ""
    operation: str = ""
    bucket: str = ""
    key: str = ""
    at: int = 0
    first: int = 1
    every: int = 1
    times: int = 1
    seen: int = 0
    hit: int = 0

    def __post_init__(self) -> None:
        if self.fault not in REFUSALS and self.fault not in RESETS:
            raise ValueError(f"there is no fault {self.fault}: there are {', '.join((*REFUSALS, *RESETS))}")

    def takes(self, request: Wanted) -> bool:
        """Whether this request is hit; counts those that match."""
        named = ((self.service, request.service), (self.operation, request.operation), (self.bucket, request.bucket))
        if any(wanted and wanted != found for wanted, found in named) or not re.search(self.key, request.key):
            return False
        if self.times >= 0 and self.hit >= self.times:
            return False
        self.seen += 1
        if self.seen < self.first or (self.seen - self.first) % self.every:
            return False
        self.hit += 1
        return True


class Rules:
    """The rules in force; where several take a request, the first one has it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def replace(self, described: list[dict[str, Any]]) -> None:
        """Have these rules and no others."""
        made = [Rule(**one) for one in described]
        with self._lock:
            self._rules = made

    def described(self) -> list[dict[str, Any]]:
        """The rules with their counts."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def meet(self, request: Wanted) -> Rule | None:
        """The rule that hits the request."""
        with self._lock:
            return next((rule for rule in self._rules if rule.takes(request)), None)
