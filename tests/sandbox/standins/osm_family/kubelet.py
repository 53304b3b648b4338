# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers the API server for the nodes' kubelets when somebody asks for the logs of a container.

KWOK's own server reads one file per container name, fixed when it starts (kwok v0.8.0 pkg/kwok/server/debugging_logs.go), and a log
object per pod would be one more thing in the cluster that no real one has. So the nodes' port is ours. A container that has
written nothing has an empty log; one that was never started is told as a kubelet tells it. Nothing is followed.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .api import Api, ApiError, Unreachable
from .authority import new_authority, server_certificate
from .pod_logs import log_file


def serve_logs(api: Api, port: int, directory: Path) -> None:
    """Listen on the nodes' port in a thread; ``directory`` has the log files. Raises OSError when the port is taken."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.api, server.directory = api, directory
    pair = server_certificate(new_authority(), "kubelet", "sandbox")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(pair.certificate + pair.key)
        pem.flush()
        tls.load_cert_chain(pem.name)
    # The handshake is made by the thread that reads, not by the one that accepts.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, name="kubelet", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: Api
    directory: Path

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        parts = target.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "containerLogs":
            self._answer(HTTPStatus.NOT_FOUND, "this kubelet only has logs\n")
            return
        query = {key: values[-1] for key, values in parse_qs(target.query).items()}
        try:
            self._logs(parts[1], parts[2], parts[3], query)
        except (ApiError, Unreachable) as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n")

    def _logs(self, namespace: str, name: str, container: str, query: dict[str, str]) -> None:
        pod = self.server.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        statuses = [*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", [])]
        status: dict[str, Any] = next((entry for entry in statuses if entry["name"] == container), {})
        ended = "terminated" in status.get("lastState", {})
        waiting = status.get("state", {}).get("waiting")
        if query.get("previous") == "true" and not ended:
            text = f'previous terminated container "{container}" in pod "{name}" not found'
            self._answer(HTTPStatus.BAD_REQUEST, text)
        elif not status or (waiting and not ended):
            reason = waiting["reason"] if waiting else "ContainerCreating"
            self._answer(HTTPStatus.BAD_REQUEST, f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        else:
            file = log_file(self.server.directory, namespace, name, container)
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            self._answer(HTTPStatus.OK, _wanted(text, query))

    def _answer(self, status: HTTPStatus, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The API server's audit log has it."""


def _wanted(text: str, query: dict[str, str]) -> str:
    """What ``tailLines``, ``sinceTime``, ``timestamps`` and ``limitBytes`` leave of a log."""
    lines = [line for line in text.splitlines() if line.split(" ", 1)[0] >= query.get("sinceTime", "")]
    if "tailLines" in query:
        lines = lines[len(lines) - min(len(lines), int(query["tailLines"])) :]
    if query.get("timestamps") != "true":
        lines = [line.partition(" ")[2] for line in lines]
    found = "".join(f"{line}\n" for line in lines)
    return found.encode()[: int(query["limitBytes"])].decode(errors="ignore") if "limitBytes" in query else found
