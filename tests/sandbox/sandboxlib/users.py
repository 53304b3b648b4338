# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who talks to a cluster: the sandbox's own users, and kubeconfigs with a client certificate for any other."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .certificates import Authority, write_private
from .layout import Layout


class User(NamedTuple):
    """A user name and its groups, as the API server and its audit log know them."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("sandbox-admin", ("system:masters",))
CONTROLLER_MANAGER = User("system:kube-controller-manager")
SCHEDULER = User("system:kube-scheduler")
KWOK = User("sandbox:kwok", ("system:masters",))
STANDIN = User("sandbox:standin", ("system:masters",))
ISTIOD = User("sandbox:istiod", ("system:masters",))
# Waits for start-up; its requests are none of a test's business.
PROBE = User("sandbox:probe", ("system:masters",))

COMPONENT_USERS = ("system:apiserver", *(user.name for user in (CONTROLLER_MANAGER, SCHEDULER, KWOK, STANDIN, ISTIOD, PROBE)))
# Each controller has a service account of its own in kube-system.
CONTROLLERS_GROUP = "system:serviceaccounts:kube-system"


def is_component(user: str) -> bool:
    """Whether the user is a part of the sandbox and not somebody who works with the cluster."""
    return user in COMPONENT_USERS or user.startswith("system:serviceaccount:kube-system:")


def kubeconfig_for(layout: Layout, user: User) -> Path:
    """The path of a private kubeconfig that authenticates as ``user``; made on first use."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", user.name)[:40]
    identity = hashlib.sha256(json.dumps(user).encode()).hexdigest()[:8]
    path = layout.directory / "users" / f"{readable}-{identity}.kubeconfig"
    if not path.exists():
        write_kubeconfig(layout, user, path)
    return path


def write_kubeconfig(layout: Layout, user: User, path: Path) -> None:
    """Sign a client certificate for ``user`` and write a kubeconfig (JSON, which is YAML) with it."""
    authority = Authority(layout.pki)
    certificate, key = authority.client(user.name, user.groups)
    name = layout.directory.name
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": layout.server, "certificate-authority-data": _text(authority.certificate_path.read_bytes())},
            }
        ],
        "users": [
            {
                "name": user.name,
                "user": {"client-certificate-data": _text(certificate), "client-key-data": _text(key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user.name}}],
        "current-context": name,
    }
    write_private(path, json.dumps(content, indent=2).encode())


def usable_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """The groups as a tuple; a string would silently become one group per letter."""
    if isinstance(groups, str):
        raise TypeError("groups is a sequence of group names, not one string")
    return tuple(groups)


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
