# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain requests to the API server, for the sandbox and its tests: no client library, one kept connection per thread."""

from __future__ import annotations

import io
import json
import select
import ssl
import tempfile
import threading
import urllib.error
from base64 import b64decode
from functools import lru_cache
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Api:
    """Talks JSON to the server that a kubeconfig of the sandbox names, as its user."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._server = cluster["server"]
        self._context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pem.flush()
            self._context.load_cert_chain(pem.name)
        # Tests ask all the time, and to open a connection costs both sides many times what an answer does.
        self._kept = threading.local()

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """The decoded JSON answer; raises HTTPError for a refusal, URLError when nobody answers."""
        headers = {"Accept": "application/json", "User-Agent": "sandbox"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer, content = self._exchange(method, path, headers, json.dumps(body).encode() if body is not None else None, timeout)
        except (OSError, HTTPException) as error:
            raise urllib.error.URLError(error) from error
        if answer.status >= 300:
            raise urllib.error.HTTPError(self._server + path, answer.status, answer.reason, answer.headers, io.BytesIO(content))
        return json.loads(content)

    def _exchange(self, method: str, path: str, headers: dict[str, str], data: bytes | None, timeout: float) -> tuple[HTTPResponse, bytes]:
        """Send a request over this thread's connection, and read the answer to its end."""
        connection = self._connection(timeout)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        except BaseException:
            # What is half sent or half read cannot be used again.
            connection.close()
            raise

    def _connection(self, timeout: float) -> HTTPSConnection:
        """This thread's connection, which opens itself when it is closed; no proxy, the server is on this machine."""
        connection: HTTPSConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            address = urlsplit(self._server)
            connection = self._kept.connection = HTTPSConnection(str(address.hostname), address.port, context=self._context)
        connection.timeout = timeout
        if connection.sock is not None:
            # Nobody is to say anything now but that it is over, because the server has ended.
            if select.select([connection.sock], [], [], 0)[0]:
                connection.close()
            else:
                connection.sock.settimeout(timeout)
        return connection

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def exists(self, path: str) -> bool:
        """Whether the object is there; False for 404, any other failure is raised."""
        try:
            self.get(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    @property
    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self._exchange("GET", "/readyz", {}, None, 5.0)[0].status == 200
        except (OSError, HTTPException):  # refused, reset, timeout
            return False


@lru_cache(maxsize=16)
def _kept(kubeconfig: Path, _written: int) -> Api:
    return Api(kubeconfig)


def api_of(kubeconfig: Path) -> Api:
    """The same Api as before as long as the file is the same."""
    return _kept(kubeconfig, kubeconfig.stat().st_mtime_ns)
