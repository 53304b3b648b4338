# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few plain requests to the API server, for the sandbox's own start-up: no client library, no retry."""

from __future__ import annotations

import json
import ssl
import tempfile
import urllib.error
import urllib.request
from base64 import b64decode
from pathlib import Path
from typing import Any


class Api:
    """Talks JSON to the server that a kubeconfig of the sandbox names, as its user."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._server = cluster["server"]
        context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
        # No proxy: the server is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """The decoded JSON answer; raises HTTPError for a refusal, URLError when nobody answers."""
        request = urllib.request.Request(self._server + path, method=method)
        request.add_header("Accept", "application/json")
        request.add_header("User-Agent", "sandbox")
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        with self._opener.open(request, data, timeout) as answer:
            return json.loads(answer.read())

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
        request = urllib.request.Request(self._server + "/readyz")
        try:
            with self._opener.open(request, None, 5.0) as answer:
                return bool(answer.status == 200)
        except OSError:  # URLError, HTTPError, reset, timeout
            return False
