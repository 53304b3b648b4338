# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy in front of an API server that lets a test stop time at one write: before it is made, or made but not answered.

It ends TLS on loopback with a certificate of the cluster's own authority and speaks HTTP/1.1 only; behind it every request
is made as the cluster's administrator. Watches are not supported (an answer is passed on when it is complete).
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

from sandboxlib.certificates import Authority, write_private
from sandboxlib.cluster import Cluster

_REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
_HELD_SECONDS = 120.0


class Write(NamedTuple):
    """A request that changes something. ``helm`` says that helm sent it and not the module."""

    method: str
    group: str
    resource: str
    namespace: str
    name: str
    helm: bool

    def __str__(self) -> str:
        return f"{self.method} {self.resource} {self.namespace}/{self.name}{' by helm' if self.helm else ''}"


class Held:
    """A write to come. Once it is there (``wait``), the client waits too, until ``drop`` or ``release``."""

    def __init__(self, matches: Callable[[Write], bool], nth: int, committed: bool) -> None:
        self._matches = matches
        self._left = nth
        self.committed = committed
        self._arrived = threading.Event()
        self._decided = threading.Event()
        self._dropped = False
        self.write: Write | None = None

    def is_it(self, write: Write) -> bool:
        """Whether this is the one; counts those that match. Called under the gate's lock."""
        if self._left == 0 or not self._matches(write):
            return False
        self._left -= 1
        if self._left == 0:
            self.write = write
        return self._left == 0

    def stay(self) -> bool:
        """Keep the client waiting; False when the connection is to be cut."""
        self._arrived.set()
        self._decided.wait(_HELD_SECONDS)
        return not self._dropped

    def wait(self, seconds: float = 60.0) -> Write:
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


class WriteGate:
    """The proxy, while the context lasts; clients use ``kubeconfig``.

    >>> with WriteGate(cluster) as gate:
    ...     held = gate.hold(lambda write: write.resource == "meshconfigs", committed=True)
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._holds: list[Held] = []
        self.writes: list[Write] = []

    def hold(self, matches: Callable[[Write], bool], *, nth: int = 1, committed: bool = False) -> Held:
        """Hold the ``nth`` write from now on that matches: before it reaches the server, or with ``committed`` before its answer."""
        held = Held(matches, nth, committed)
        with self._lock:
            self._holds.append(held)
        return held

    def take(self, write: Write) -> Held | None:
        """Note a write; return what holds it, if anything."""
        with self._lock:
            self.writes.append(write)
            return next((held for held in self._holds if held.is_it(write)), None)

    def connect(self) -> http.client.HTTPSConnection:
        """A new connection to the API server."""
        url = urlsplit(self._cluster.server)
        return http.client.HTTPSConnection(str(url.hostname), url.port, context=self._client_context, timeout=60)

    def __enter__(self) -> WriteGate:
        directory = self._cluster.directory / "gate"
        directory.mkdir(mode=0o700, exist_ok=True)
        certificate, key = Authority(self._cluster.layout.pki).server(["127.0.0.1"], ["localhost"])
        write_private(directory / "gate.pem", certificate + key)
        content = json.loads(self._cluster.kubeconfig.read_text(encoding="utf-8"))
        user = content["users"][0]["user"]
        write_private(directory / "client.pem", b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
        self._client_context = ssl.create_default_context(cafile=str(self._cluster.layout.pki / "ca.crt"))
        self._client_context.load_cert_chain(directory / "client.pem")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "gate.pem")
        context.set_alpn_protocols(["http/1.1"])
        self._server = _Server(self)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="write-gate", daemon=True)
        self._thread.start()
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig: Path = directory / "kubeconfig"
        write_private(self.kubeconfig, json.dumps(content).encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for held in self._holds:
            held.drop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, gate: WriteGate) -> None:
        self.gate = gate
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120

    def setup(self) -> None:
        super().setup()
        self._gate = cast(_Server, self.server).gate
        self._upstream = self._gate.connect()

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are no news in a test."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        write = _write(self.command, self.path, body, self.headers.get("User-Agent", ""))
        held = self._gate.take(write) if write else None
        if held and not held.committed and not held.stay():
            self._cut()
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._upstream.request(self.command, self.path, body or None, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        if held and held.committed and not held.stay():
            self._cut()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on


def _write(method: str, target: str, body: bytes, user_agent: str) -> Write | None:
    """The request as a Write; None for a read, a dry run, and a question such as "may I?"."""
    url = urlsplit(target)
    if method == "GET" or "dryRun" in parse_qs(url.query) or (method == "DELETE" and b'"dryRun"' in body):
        return None
    parts = url.path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if group in _REVIEWS:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    if not name and body:
        name = _name_in(body)
    return Write(method, group, resource, namespace, name, user_agent.startswith("Helm"))


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""  # protobuf
