# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request to an API server as a fault or a test picks it out."""

from __future__ import annotations

import json
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

# Questions that are asked with a POST and store nothing.
_REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")


class Request(NamedTuple):
    """``name`` is empty for a list, and for what helm creates (protobuf). ``helm`` says that helm sent it and not the module.

    ``command`` is what an ``exec`` runs in the pod.
    """

    method: str
    path: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    helm: bool = False
    dry_run: bool = False
    watch: bool = False
    command: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.dry_run and self.group not in _REVIEWS

    def __str__(self) -> str:
        return f"{self.method} {self.resource or self.path} {self.namespace}/{self.name}{' by helm' if self.helm else ''}"


def request_of(method: str, target: str, body: bytes, user_agent: str) -> Request:
    """Return the request that arrived; ``target`` is its path with the query."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    dry_run = "dryRun" in query or (method == "DELETE" and b'"dryRun"' in body)
    watch = query.get("watch", [""])[0] in ("1", "true")
    helm = user_agent.startswith("Helm")
    parts = url.path.strip("/").split("/")
    prefix = 2 if parts[0] == "api" else 3
    if parts[0] not in ("api", "apis") or len(parts) <= prefix:
        return Request(method, url.path, helm=helm, dry_run=dry_run)
    group, rest = ("" if prefix == 2 else parts[1]), parts[prefix:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    if not name and body:
        name = _name_in(body)
    return Request(method, url.path, group, rest[0], namespace, name, helm, dry_run, watch, tuple(query.get("command", ())))


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""  # protobuf
