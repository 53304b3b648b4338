# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers the API server for the group apps.openshift.io: passes on to the group that keeps the objects, under its other name."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from osm_family.api import Api, ApiError
from osm_family.authority import Pair

from .instantiation import Refused, instantiate
from .objects import GROUP, PATH, STORED_GROUP, discovery

_OURS, _STORED = GROUP.encode(), STORED_GROUP.encode()


def serve(api: Api, address: str, port: int, pair: Pair) -> None:
    """Listen in a thread; raises OSError when the address is taken."""
    server = _Server((address, port), _Handler)
    server.api = api
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(pair.certificate + pair.key)
        pem.flush()
        tls.load_cert_chain(pem.name)
    # The handshake is made by the thread that reads, not by the one that accepts.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, name="serving", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    api: Api

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        if target.path == PATH:
            self._send(HTTPStatus.OK, json.dumps(discovery()).encode())
        elif not target.path.startswith(f"{PATH}/"):
            self._send(HTTPStatus.NOT_FOUND, b'{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound"}')
        elif self.command == "POST" and target.path.endswith("/instantiate"):
            self._instantiate(target.path, target.query, body)
        else:
            self._pass_on(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _instantiate(self, path: str, query: str, body: bytes) -> None:
        _empty, _apis, _group, _version, _namespaces, namespace, _kind, name, _instantiate = path.split("/")
        allowed = {key: value for key, value in parse_qsl(query) if key in ("dryRun", "fieldManager")}
        try:
            found = instantiate(self.server.api, namespace, name, json.loads(body), allowed)
        except Refused as error:
            self._send(HTTPStatus(error.status["code"]), _ours(json.dumps(error.status).encode()))
        except ApiError as error:
            refused = Refused(error.status, error.reason, str(error))
            self._send(HTTPStatus(error.status), _ours(json.dumps(refused.status).encode()))
        else:
            self._send(HTTPStatus.CREATED, _ours(json.dumps(found).encode()))

    def _pass_on(self, body: bytes) -> None:
        kept = {key: value for key in ("Content-Type", "User-Agent") if (value := self.headers.get(key))}
        # Protobuf is not for custom objects.
        accepted = [kind for kind in self.headers.get("Accept", "").split(",") if "protobuf" not in kind and "cbor" not in kind]
        headers = {**kept, "Accept": ",".join(accepted) or "application/json"}
        connection = self.server.api.new_connection()
        try:
            connection.request(self.command, _stored(self.path.encode()).decode(), _stored(body) or None, headers)
            answer = connection.getresponse()
            if answer.headers.get("Transfer-Encoding") == "chunked" and "watch" in self.path:
                self._stream(answer)
            else:
                self._send(HTTPStatus(answer.status), _ours(answer.read()), answer.headers.get("Content-Type", "application/json"))
        except (OSError, HTTPException):
            self.close_connection = True
        finally:
            connection.close()

    def _stream(self, answer: HTTPResponse) -> None:
        """The lines of a watch, as they come."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while line := answer.readline():
            self._chunk(_ours(line))
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _send(self, status: HTTPStatus, content: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The API server's audit log has it."""


def _ours(content: bytes) -> bytes:
    return content.replace(_STORED, _OURS)


def _stored(content: bytes) -> bytes:
    return content.replace(_OURS, _STORED)
