# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives each bootstrap Secret its pod as owner, so that it goes when the pod goes: what osm-controller does on a new pod.

Source: osm-edge v1.3.9 pkg/k8s/announcement_handlers.go. Without a controller the Secrets of replaced pods stay for good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .api import Api, ApiError, Object, Unreachable
from .node import Say
from .products import OSM, PROXY_LABELS

_RETRY_SECONDS = 1.0


class SecretOwners(threading.Thread):
    """``changed`` and ``gone`` take the injected pods of a watch (metadata is enough); ``controlled`` says which meshes have
    a controller. Pods of a time without one are made up for when it comes, as by the real one's first listing.
    """

    def __init__(self, api: Api, controlled: Callable[[], frozenset[str]], say: Say) -> None:
        super().__init__(name="secret owners", daemon=True)
        self._api, self._controlled, self._say = api, controlled, say
        self._seen: set[str] = set()
        self._waiting: dict[str, Object] = {}
        self._mesh_of: dict[str, str] = {}
        self._news = threading.Condition()

    def changed(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._seen:
            self._seen.add(uid)
            with self._news:
                self._waiting[uid] = pod
                self._news.notify()

    def gone(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        self._seen.discard(uid)
        with self._news:
            self._forget(uid)

    def run(self) -> None:
        while True:
            with self._news:
                while not self._waiting:
                    self._news.wait()
                waiting = list(self._waiting.items())
            meshes = self._controlled()
            for uid, pod in waiting:
                if meshes and self._mesh_of.get(uid, "") in meshes | {""} and self._adopt(uid, pod, meshes):
                    with self._news:
                        self._forget(uid)
            if self._waiting:
                time.sleep(_RETRY_SECONDS)

    def _forget(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._mesh_of.pop(uid, None)

    def _adopt(self, uid: str, pod: Object, meshes: frozenset[str]) -> bool:
        """Whether there is nothing left to do for this pod."""
        metadata = pod["metadata"]
        try:
            path, secret = self._secret(metadata)
            if secret is None:
                return True
            self._mesh_of[uid] = secret["metadata"].get("labels", {}).get("app.kubernetes.io/instance", "")
            if self._mesh_of[uid] not in meshes:
                return False
            owners = secret["metadata"].get("ownerReferences", [])
            if all(owner["uid"] != uid for owner in owners):
                owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": uid}
                version = secret["metadata"]["resourceVersion"]
                self._api.patch(path, {"metadata": {"ownerReferences": [*owners, owner], "resourceVersion": version}})
        except (Unreachable, ApiError) as error:
            self._say(f"owner of a bootstrap Secret: {error}")
            return False
        return True

    def _secret(self, metadata: Object) -> tuple[str, Object | None]:
        """The bootstrap Secret of an injected pod, and its path. Upstream has the same label as osm-edge, and another name."""
        label, product = next((label, product) for label, product in PROXY_LABELS.items() if label in metadata["labels"])
        path, found = "", None
        for candidate in (product, OSM):
            path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{candidate.bootstrap_secret_prefix}{metadata['labels'][label]}"
            found = self._api.find(path)
            if found is not None:
                break
        return path, found
