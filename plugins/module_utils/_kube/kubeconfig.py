# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private kubeconfig: one file in the module's own directory that holds what the connection was resolved to."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Access(NamedTuple):
    """How to reach a cluster and as whom.

    ``ca``, ``certificate`` and ``key`` are PEM; ``authorization`` is a whole Authorization header (``Bearer …`` or
    ``Basic …``), empty when there is none.
    """

    server: str
    context: str = ""
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    authorization: str = ""
    verify: bool = True
    tls_server_name: str = ""
    proxy: str = ""
    impersonate_user: str = ""
    impersonate_groups: Sequence[str] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        credentials = self.authorization.partition(" ")[2]
        password = _basic(self.authorization)[1] if self.authorization.lower().startswith("basic ") else ""
        return tuple(text for text in (credentials, password, self.key.decode("utf-8", "replace"), _proxy_password(self.proxy)) if text)


def document(access: Access) -> dict[str, Any]:
    """Return the kubeconfig (client-go tools/clientcmd/api/v1/types.go) with everything inside it, no files."""
    cluster: dict[str, Any] = {"server": access.server}
    if not access.verify:
        # client-go refuses a CA beside insecure-skip-tls-verify.
        cluster["insecure-skip-tls-verify"] = True
    elif access.ca:
        cluster["certificate-authority-data"] = _base64(access.ca)
    if access.tls_server_name:
        cluster["tls-server-name"] = access.tls_server_name
    if access.proxy:
        cluster["proxy-url"] = access.proxy
    name = access.context or "cluster"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": _user(access)}],
    }


def _user(access: Access) -> dict[str, Any]:
    user: dict[str, Any] = {}
    if access.certificate:
        user["client-certificate-data"] = _base64(access.certificate)
    if access.key:
        user["client-key-data"] = _base64(access.key)
    scheme, _space, credentials = access.authorization.partition(" ")
    if scheme.lower() == "bearer":
        user["token"] = credentials
    elif scheme.lower() == "basic":
        user["username"], user["password"] = _basic(access.authorization)
    if access.impersonate_user:
        user["as"] = access.impersonate_user
    if access.impersonate_groups:
        user["as-groups"] = list(access.impersonate_groups)
    return user


def write_private(path: str, text: str) -> None:
    """Write a file that only its owner can read; it is replaced as a whole, so a reader never sees half of it."""
    scratch = f"{path}.new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(scratch, path)


@contextmanager
def private_file(path: str, data: bytes) -> Iterator[str]:
    """Keep ``data`` in a file that only its owner can read, as long as the context lasts."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
        yield path
    finally:
        os.unlink(path)


def write_kubeconfig(path: str, access: Access) -> None:
    """Write the private kubeconfig (JSON, which is YAML)."""
    write_private(path, json.dumps(document(access), indent=1))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _basic(authorization: str) -> tuple[str, str]:
    decoded = base64.b64decode(authorization.partition(" ")[2]).decode("utf-8", "replace")
    username, _colon, password = decoded.partition(":")
    return username, password


def _proxy_password(proxy: str) -> str:
    return urlsplit(proxy).password or "" if proxy else ""
