# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosted cluster's own API, by way of the administrator's kubeconfig that HyperShift keeps in a Secret beside the HostedCluster."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api, Object
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credentials import resolve
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# What is in a Secret may be data only: a credential plugin would be a program of this machine, a file one of its files.
_CLUSTER_DATA = frozenset({"server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "proxy-url"})
_USER_DATA = frozenset({"client-certificate-data", "client-key-data", "token", "username", "password"})


def kubeconfig_secret(hosted_cluster: Object, target: Target) -> ObjectRef:
    """Return where the administrator's kubeconfig is: what the status says, or else the usual name."""
    said = ((hosted_cluster.get("status") or {}).get("kubeconfig") or {}).get("name")
    return ObjectRef("Secret", str(said or target.admin_kubeconfig), target.namespace)


def open_hosted_api(
    api: Api, hosted_cluster: Object, target: Target, scratch: str, *, name: str, request_timeout: float = 20.0, parallel: int = 4
) -> Connection:
    """Return a connection to the hosted cluster; nothing is sent to it yet.

    ``scratch`` is a private directory, ``name`` the module's. Raises LifecycleError when there is no usable kubeconfig.
    """
    ref = kubeconfig_secret(hosted_cluster, target)
    stored = api.get(SECRET, ref.name, ref.namespace)
    kubeconfig = _read(stored, ref)
    directory = tempfile.mkdtemp(prefix="hosted-", dir=scratch)
    resolved = resolve({"kubeconfig": kubeconfig, "proxy_headers": {}}, directory)
    return Connection(resolved, directory, name=name, request_timeout=request_timeout, parallel=parallel)


def _read(stored: Object, ref: ObjectRef) -> dict[str, Any]:
    import yaml

    data = stored.get("data") or {}
    try:
        content = yaml.safe_load(base64.b64decode(data["kubeconfig"], validate=True))
    except (KeyError, ValueError, binascii.Error, yaml.YAMLError) as error:
        raise _unusable(ref, "its entry kubeconfig is missing or cannot be read") from error
    if not isinstance(content, Mapping):
        raise _unusable(ref, "its entry kubeconfig is not a mapping")
    strange = sorted({*_strange(content, "clusters", "cluster", _CLUSTER_DATA), *_strange(content, "users", "user", _USER_DATA)})
    if strange:
        raise _unusable(ref, f"it has {', '.join(strange)}, which would run or read something on this machine")
    return dict(content)


def _strange(content: Mapping[str, Any], plural: str, singular: str, known: frozenset[str]) -> set[str]:
    entries = content.get(plural)
    named = [entry.get(singular) for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return {str(key) for fields in named if isinstance(fields, Mapping) for key in fields if key not in known}


def _unusable(ref: ObjectRef, why: str) -> LifecycleError:
    return LifecycleError(
        f"The kubeconfig of the hosted cluster in {ref} cannot be used",
        object=ref,
        why=why,
        next="look at the Secret; HyperShift writes it again when it is deleted while the HostedCluster is not paused",
    )
