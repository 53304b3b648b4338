# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what a bare pod is created from while the pod is not there: a killed run must not lose it.

The copy is a Secret (environment variables may hold passwords) in the pod's own namespace. It is written before the pod is evicted
and removed when the new pod is ready; the next run creates the pods whose copy it finds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AlreadyExists
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

LABEL = "meshops.lifecycle/saved-pod"
_NAME, _UID = "meshops.lifecycle/pod", "meshops.lifecycle/pod-uid"
_MANIFEST, _LIVE = "manifest.json", "live.json"
_LONGEST = 200


class SavedPod(NamedTuple):
    """A copy: ``object`` and ``uid`` are the pod's that was there before, ``secret`` is the name of the Secret."""

    object: ObjectRef
    uid: str
    secret: str
    manifest: Object


def saved_pods(api: Api, namespaces: Sequence[str] = ()) -> list[SavedPod]:
    """Return the copies in these namespaces (in all without any).

    A copy whose pod does not exist is of a run that was killed: the pod is to be created from it (way ``recreate`` of a Task with the
    copy's manifest and uid). Raises Forbidden for a caller who may not list Secrets.
    """
    lists = api.map(lambda namespace: [*api.list(SECRET, namespace, label_selector=f"{LABEL}=true")], [*namespaces] or [None])
    return [_saved(secret) for secrets in lists for secret in secrets]


def find_saved(api: Api, pod: ObjectRef, uid: str) -> SavedPod | None:
    """Return the copy of this very pod, or None."""
    secret = api.get_or_none(SECRET, secret_name(pod.name, uid), pod.namespace)
    return _saved(secret) if secret is not None else None


def save(api: Api, live: Object, manifest: Object) -> str:
    """Keep ``manifest`` and the raw ``live`` pod, and return the name of the Secret; one that is there already is left as it is."""
    metadata = live["metadata"]
    name = secret_name(metadata["name"], metadata["uid"])
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {LABEL: "true"},
            "annotations": {_NAME: metadata["name"], _UID: metadata["uid"]},
        },
        "type": "Opaque",
        "data": {_MANIFEST: _encoded(manifest), _LIVE: _encoded(live)},
    }
    try:
        api.create(SECRET, body)
    except AlreadyExists:
        pass
    return name


def drop(api: Api, namespace: str, secret: str) -> None:
    """Remove a copy that is not needed any more."""
    api.delete(SECRET, secret, namespace)


def secret_name(pod: str, uid: str) -> str:
    """Return the name of a pod's copy."""
    return f"meshops-pod-{pod[:_LONGEST].rstrip('.-')}-{uid[:8]}"


def _saved(secret: Object) -> SavedPod:
    metadata = secret["metadata"]
    annotations = metadata.get("annotations") or {}
    pod = ObjectRef("Pod", str(annotations.get(_NAME, "")), metadata["namespace"])
    manifest = json.loads(base64.b64decode((secret.get("data") or {}).get(_MANIFEST, "")) or b"{}")
    return SavedPod(pod, str(annotations.get(_UID, "")), metadata["name"], manifest)


def _encoded(item: Object) -> str:
    return base64.b64encode(json.dumps(item, separators=(",", ":")).encode()).decode()
