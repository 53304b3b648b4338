# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers at a webhook's Service: a TLS server on the Service's cluster IP, while a pod behind it runs.

The sandbox's cluster IPs are loopback addresses, so the API server's own resolution of the Service leads here. With no pod
behind it nothing listens, and the API server sees what it sees when an injector is dead: connection refused.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from .api import Object
from .authority import Pair

# The request of an AdmissionReview or ConversionReview in, the response out
Review = Callable[[Object], Object]


class Backend(NamedTuple):
    """One pod behind the Service; of several the youngest answers."""

    uid: str
    created: str
    certificate: Pair
    review: Review


class Endpoint:
    """One address and port; listens exactly while there is a backend."""

    def __init__(self, address: str, port: int) -> None:
        self._address = (address, port)
        self._backends: list[Backend] = []
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def attach(self, backend: Backend) -> None:
        """Let the pod answer; raises OSError when the address cannot be listened on."""
        with self._lock:
            self._backends = sorted([*self._backends, backend], key=lambda item: item.created)
            try:
                self._switch()
            except OSError:
                self._backends.remove(backend)
                raise

    def detach(self, uid: str) -> None:
        """The pod is gone."""
        with self._lock:
            self._backends = [backend for backend in self._backends if backend.uid != uid]
            self._switch()

    def _switch(self) -> None:
        if not self._backends:
            if self._server is not None:
                self._server.end()
                self._server = None
            return
        if self._server is None:
            self._server = _Server(self._address, self._backends[-1])
        else:
            self._server.use(self._backends[-1])


class Endpoints:
    """The endpoints of all meshes; pods that are behind the same Service share one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Endpoint] = {}
        self._lock = threading.Lock()

    def at(self, address: str, port: int) -> Endpoint:
        with self._lock:
            return self._found.setdefault((address, port), Endpoint(address, port))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    backend: Backend | None

    def __init__(self, address: tuple[str, int], backend: Backend) -> None:
        self._connections: set[socket.socket] = set()
        self.use(backend)
        super().__init__(address, _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 3600.0}, name=f"webhook {address}", daemon=True).start()

    def use(self, backend: Backend) -> None:
        # A new one: a context must not be changed while the handshakes of other threads copy it.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(backend.certificate.certificate + backend.certificate.key)
            pem.flush()
            tls.load_cert_chain(pem.name)
        self._tls, self.backend = tls, backend

    def secure(self, connection: socket.socket) -> ssl.SSLSocket:
        self._connections.add(connection)
        try:
            secured = self._tls.wrap_socket(connection, server_side=True)
        finally:
            self._connections.discard(connection)
        self._connections.add(secured)
        return secured

    def forget(self, connection: socket.socket) -> None:
        self._connections.discard(connection)

    def end(self) -> None:
        """Stop listening and cut what is connected: the process behind it is gone."""
        self.backend = None
        # Closing the listener first: serve_forever sleeps on it and would not hear a plain shutdown().
        self.socket.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it had ended by itself

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up, or does not trust the certificate, is no news; a mistake of ours is."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # the API server keeps its connections
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.request = self.server.secure(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.server.forget(self.request)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        backend = self.server.backend
        if backend is None:
            self.close_connection = True
            return
        review = json.loads(body)
        answer = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": backend.review(review["request"])}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """What was decided is logged where it is decided."""
