# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON to and from an API server: one kept connection per thread, no retries but for a connection that had gone stale."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

Object = dict[str, Any]

METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


class ApiError(Exception):
    """The API server refused a request: HTTP ``status``, the Status object's ``reason`` and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Unreachable(Exception):
    """The API server did not answer."""


class Api:
    """Requests as the user of ``kubeconfig`` (its current context; certificates are part of the file)."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        context = next(entry["context"] for entry in content["contexts"] if entry["name"] == content["current-context"])
        cluster = next(entry["cluster"] for entry in content["clusters"] if entry["name"] == context["cluster"])
        user = next(entry["user"] for entry in content["users"] if entry["name"] == context["user"])
        self._address = urlsplit(cluster["server"])
        self._tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pem.flush()
            self._tls.load_cert_chain(pem.name)
        self._kept = threading.local()

    def get(self, path: str, **query: str) -> Object:
        return self.request("GET", path, query=query)

    def find(self, path: str) -> Object | None:
        """The object, or None when there is none (or not even its kind)."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        return self.request("POST", path, body)

    def update(self, path: str, body: Object) -> Object:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Object) -> Object:
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Delete, whether it is there or not."""
        try:
            self.request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> Object:
        """The decoded answer; raises ApiError for a refusal, Unreachable when there is none."""
        headers = {"Accept": accept, "User-Agent": "osm-standin"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        target = path + (f"?{urlencode(query)}" if query else "")
        for fresh in (False, True):
            try:
                connection = self._connection(fresh=fresh)
                connection.request(method, target, data, headers)
                answer = connection.getresponse()
                content = answer.read()
                break
            except (OSError, HTTPException) as error:
                if fresh:
                    raise Unreachable(f"{method} {path}: {error!r}") from error
        if answer.status >= 400:
            raise _refusal(answer.status, content)
        found: Object = json.loads(content)
        return found

    def stream(self, path: str, query: Mapping[str, str], accept: str) -> Iterator[Object]:
        """The objects of a watch, one by one, until the server ends it; raises as ``request``."""
        connection = self.new_connection()
        try:
            connection.request("GET", f"{path}?{urlencode(query)}", headers={"Accept": accept, "User-Agent": "osm-standin"})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _refusal(answer.status, answer.read())
            yield from _lines(answer)
        except (OSError, HTTPException) as error:
            raise Unreachable(f"watch {path}: {error!r}") from error
        finally:
            connection.close()

    def _connection(self, *, fresh: bool) -> HTTPSConnection:
        connection: HTTPSConnection | None = getattr(self._kept, "connection", None)
        if connection is None or fresh:
            if connection is not None:
                connection.close()
            connection = self._kept.connection = self.new_connection()
        return connection

    def new_connection(self) -> HTTPSConnection:
        """A connection of the caller's own."""
        # Long enough for a watch on which nothing happens, until the server ends it.
        return HTTPSConnection(self._address.hostname or "", self._address.port, context=self._tls, timeout=360.0)


def _lines(answer: HTTPResponse) -> Iterator[Object]:
    while line := answer.readline():
        yield json.loads(line)


def _refusal(status: int, content: bytes) -> ApiError:
    try:
        found = json.loads(content)
        return ApiError(status, found.get("reason", ""), found.get("message", ""))
    except (ValueError, AttributeError):
        return ApiError(status, "", content.decode(errors="replace"))
