# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor of every report on a cluster: the paged LISTs that it cannot do without, decoded from JSON, and nothing else."""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from urllib.parse import SplitResult, urlencode, urlsplit

LISTS = (
    "/api/v1/pods",
    "/api/v1/namespaces",
    "/apis/apps/v1/deployments",
    "/apis/config.openservicemesh.io/v1alpha2/meshconfigs",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
)
_PAGE = 500


def access(kubeconfig: Path) -> tuple[SplitResult, ssl.SSLContext]:
    """Return the server of a kubeconfig with a client certificate (JSON, as the sandbox writes it), and how to talk to it."""
    content = json.loads(kubeconfig.read_text(encoding="utf-8"))
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    trust = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii"))
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
        pem.flush()
        trust.load_cert_chain(pem.name)
    return urlsplit(cluster["server"]), trust


def connection(kubeconfig: Path) -> http.client.HTTPSConnection:
    """Return a connection to the server of a kubeconfig."""
    address, trust = access(kubeconfig)
    return http.client.HTTPSConnection(address.hostname or "", address.port, context=trust, timeout=60)


def count(server: http.client.HTTPSConnection, path: str) -> int:
    """List everything below ``path`` in pages, one after the other, and return how many objects there are."""
    total, token = 0, ""
    while True:
        server.request("GET", f"{path}?{urlencode({'limit': _PAGE, **({'continue': token} if token else {})})}")
        answer = server.getresponse()
        page = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path}: {page}")
        total += len(page["items"])
        token = page["metadata"].get("continue", "")
        if not token:
            return total


if __name__ == "__main__":
    api = connection(Path(sys.argv[1]))
    print(json.dumps({path: count(api, path) for path in LISTS}))
