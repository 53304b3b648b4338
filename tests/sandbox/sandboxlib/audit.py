# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server's audit log as data: who asked for what, in which order, and what was a write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from .users import COMPONENT_USERS, CONTROLLERS_GROUP, is_component

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Asking "may I?" and "who am I?" is a create for the API server, and changes nothing.
_REVIEW_GROUPS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})


def policy() -> dict[str, Any]:
    """The audit policy: one Metadata line per request, written when the answer is complete.

    Left out are health checks, what the API server asks itself, and what the components only read. Requests that carry
    DeleteOptions are logged with them: ``kubectl delete --dry-run=server`` says dryRun there and not in the URI.
    """
    reads = ["get", "list", "watch"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/metrics"]},
            {"level": "None", "users": ["system:apiserver"]},
            {"level": "None", "users": list(COMPONENT_USERS), "verbs": reads},
            {"level": "None", "userGroups": [CONTROLLERS_GROUP], "verbs": reads},
            {"level": "Request", "verbs": ["delete", "deletecollection"]},
            {"level": "Request", "resources": [{"group": "", "resources": ["pods/eviction"]}]},
            {"level": "Metadata"},
        ],
    }


class Event(NamedTuple):
    """One request to the API server. ``resource`` has its subresource behind a slash; ``code`` is the HTTP status."""

    timestamp: datetime
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    user: str
    user_agent: str
    code: int
    dry_run: bool
    uri: str

    @property
    def write(self) -> bool:
        """Whether it asked to change something, by whomever and whether or not it was granted."""
        return self.verb in WRITE_VERBS and not self.dry_run and self.group not in _REVIEW_GROUPS

    def __str__(self) -> str:
        where = "/".join(part for part in (self.group, self.resource, self.namespace, self.name) if part)
        dry_run = " (dry run)" if self.dry_run else ""
        return f"{self.verb} {where}{dry_run} by {self.user} ({self.user_agent}): {self.code}"


def parse(line: str) -> Event:
    """One line of the log as an Event."""
    raw = json.loads(line)
    target = raw.get("objectRef", {})
    resource, subresource = target.get("resource", ""), target.get("subresource", "")
    options = raw.get("requestObject") or {}
    return Event(
        timestamp=datetime.fromisoformat(raw["requestReceivedTimestamp"]),
        verb=raw["verb"],
        group=target.get("apiGroup", ""),
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        user=raw["user"].get("username", ""),
        user_agent=raw.get("userAgent", ""),
        code=raw.get("responseStatus", {}).get("code", 0),
        dry_run="All" in parse_qs(urlsplit(raw["requestURI"]).query).get("dryRun", [])
        or "All" in (options.get("dryRun") or options.get("deleteOptions", {}).get("dryRun") or []),
        uri=raw["requestURI"],
    )


class AuditLog:
    """The log of one cluster. A mark is a position in it; lines are complete when the client has its answer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The position behind everything that was answered so far."""
        return self._path.stat().st_size

    def events(self, since: int = 0) -> list[Event]:
        """All events behind the mark, in the order in which they were answered."""
        return [parse(line) for line in self._lines(since)]

    def writes(self, since: int = 0, *, user: str | None = None, user_agent: str | None = None) -> list[Event]:
        """The writes behind the mark: by ``user`` if given, otherwise by anybody who is not a component of the sandbox;
        with ``user_agent``, only of clients that call themselves something beginning with it."""
        return [
            event
            for event in self.events(since)
            if event.write
            and (event.user == user if user is not None else not is_component(event.user))
            and (user_agent is None or event.user_agent.startswith(user_agent))
        ]

    def _lines(self, since: int) -> Iterator[str]:
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # still being written: its request has no answer yet
                yield line.decode("utf-8")
