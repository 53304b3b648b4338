# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A front of an API server: a proxy on which a test makes requests fail, wait, or lose their answers.

It ends TLS on loopback with a certificate of the cluster's own authority and speaks HTTP/1.1 only; behind it every request
is made as the cluster's administrator. Watches pass through as they come, and so does what becomes a WebSocket (``exec``).
"""

from __future__ import annotations

import http.client
import json
import select
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, cast, runtime_checkable
from urllib.parse import urlsplit

from sandboxlib.certificates import Authority, write_private
from sandboxlib.cluster import Cluster

from .request import Request, request_of

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
_CHUNK = 65536


class Answer(NamedTuple):
    """An answer that the front gives itself: a JSON object with an HTTP status."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


class Cut(Exception):
    """The client's connection is to be cut, with a reset (RST) or else as if the server had closed it."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Interruption(Protocol):
    """What may happen to a request. Both methods are called in the request's own thread, and may wait or raise Cut."""

    def takes(self, request: Request) -> bool:
        """Whether this request is one to interrupt; called once per request, one at a time."""

    def before(self, request: Request) -> Answer | None:
        """Do something before the request reaches the server; an answer is given instead of the server's."""

    def after(self, request: Request) -> None:
        """Do something when the server has answered, before the client gets the answer."""


@runtime_checkable
class Flowing(Protocol):
    """An interruption in the middle of a WebSocket."""

    def flows(self, size: int) -> None:
        """Called when the client has got so many bytes of it; nothing flows until this returns, and it may raise Cut."""


class ApiFront:
    """The proxy, while the context lasts; clients use ``kubeconfig``. Every request waits for ``latency`` seconds first.

    >>> with ApiFront(cluster, latency=0.1) as front:
    ...     cluster.kubectl("--kubeconfig", str(front.kubeconfig), "get", "nodes")
    """

    def __init__(self, cluster: Cluster, *, latency: float = 0.0) -> None:
        self._cluster = cluster
        self._latency = latency
        self._lock = threading.Lock()
        self._interruptions: list[Interruption] = []
        self.requests: list[Request] = []

    def add(self, *interruptions: Interruption) -> None:
        """Let requests from now on be interrupted; where several take one, the one that was added first has it."""
        with self._lock:
            self._interruptions += interruptions

    def clear(self) -> None:
        """Let everything pass from now on."""
        with self._lock:
            self._interruptions = []

    @property
    def writes(self) -> list[Request]:
        """The requests so far that change something."""
        return [request for request in self.requests if request.writes]

    def meet(self, request: Request) -> Interruption | None:
        """Note a request and return what interrupts it, if anything."""
        time.sleep(self._latency)
        with self._lock:
            self.requests.append(request)
            return next((candidate for candidate in self._interruptions if candidate.takes(request)), None)

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection to the API server, not yet opened."""
        url = urlsplit(self._cluster.server)
        return http.client.HTTPSConnection(str(url.hostname), url.port, context=self._client_context, timeout=600)

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="front-", dir=self._cluster.directory))
        certificate, key = Authority(self._cluster.layout.pki).server(["127.0.0.1"], ["localhost"])
        write_private(self._directory / "front.pem", certificate + key)
        content = json.loads(self._cluster.kubeconfig.read_text(encoding="utf-8"))
        user = content["users"][0]["user"]
        client = self._directory / "client.pem"
        write_private(client, b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
        self._client_context = ssl.create_default_context(cafile=str(self._cluster.layout.pki / "ca.crt"))
        self._client_context.load_cert_chain(client)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._directory / "front.pem")
        context.set_alpn_protocols(["http/1.1"])
        self._server = _Server(self)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="api-front", daemon=True)
        self._thread.start()
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig = self._directory / "kubeconfig"
        write_private(self.kubeconfig, json.dumps(content).encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self._directory, ignore_errors=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, front: ApiFront) -> None:
        self.front = front
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with a connection of its own to the API server."""

    protocol_version = "HTTP/1.1"
    timeout = 600
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._front = cast(_Server, self.server).front
        self._upstream = self._front.connect()

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are no news in a test."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = request_of(self.command, self.path, body, self.headers.get("User-Agent", ""))
        interruption = self._front.meet(request)
        try:
            given = interruption.before(request) if interruption else None
            if given is not None:
                self._give(given)
                return
            if "Upgrade" in self.headers:
                self._become_tunnel(interruption)
                if interruption:
                    interruption.after(request)
                return
            answer = self._ask(body)
            if interruption:
                # Only what the server has done completely counts as done.
                content = answer.read()
                interruption.after(request)
                self._send(answer, content)
            else:
                self._send(answer, None)
        except Cut as cut:
            self._cut(reset=cut.reset)
        except (http.client.HTTPException, OSError):
            # The API server is away.
            self._cut(reset=True)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        if self._upstream.sock is not None and select.select([self._upstream.sock], [], [], 0)[0]:
            # The server has closed it, for instance because it was restarted.
            self._upstream.close()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._upstream.request(self.command, self.path, body or None, headers)
        return self._upstream.getresponse()

    def _become_tunnel(self, interruption: Interruption | None) -> None:
        """Let client and server talk as they like until one of them ends."""
        self.close_connection = True
        self._upstream.connect()
        client, server = cast(ssl.SSLSocket, self.connection), cast(ssl.SSLSocket, self._upstream.sock)
        head = [f"{self.command} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        server.sendall("\r\n".join([*head, "", ""]).encode())
        given = 0
        while True:
            waiting = [side for side in (client, server) if side.pending()] or select.select([client, server], [], [], self.timeout)[0]
            for side in waiting:
                part = _received(side)
                if part is None:
                    continue
                if not part:
                    return
                (server if side is client else client).sendall(part)
                given += len(part) if side is server else 0
                if side is server and isinstance(interruption, Flowing):
                    interruption.flows(given)
            if not waiting:
                return

    def _send(self, answer: http.client.HTTPResponse, content: bytes | None) -> None:
        if content is None and answer.length is not None:
            content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if content is None:
            self._stream(answer)
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        """Pass on an answer whose length is not known, such as a watch, as it comes."""
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while part := answer.read1(_CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _give(self, answer: Answer) -> None:
        content = json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(content))), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _cut(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Linger for no time: the client gets a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _received(side: ssl.SSLSocket) -> bytes | None:
    """Return what has come, nothing at the end, None when it was nothing of the conversation (a session ticket of TLS)."""
    patience = side.gettimeout()
    side.settimeout(0)
    try:
        return side.recv(_CHUNK)
    except ssl.SSLWantReadError:
        return None
    finally:
        side.settimeout(patience)
