# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What osm-injector does: it answers for new pods of monitored namespaces, and stores a bootstrap Secret for each that it injects.

Source: osm-edge v1.3.9 pkg/injector/webhook.go, pkg/injector/patch.go.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64encode

from .api import ApiError, Object, Unreachable
from .injection import Denied, inject, must_inject
from .settings import Settings
from .webhook_program import WebhookProgram
from .webhooks import INJECTOR_PORT, create_or_update, mutating_webhook


class Injector(WebhookProgram):
    service, port = "injector", INJECTOR_PORT

    def register(self, authority: bytes) -> None:
        create_or_update(self.api, mutating_webhook(self.pod, authority), self.version)

    def review(self, request: Object) -> Object:
        try:
            patch = self._patch(request)
        except (Denied, ApiError, Unreachable) as error:
            self.say(f"denied a pod in {request['namespace']}: {error}")
            return {"uid": request["uid"], "allowed": False, "status": {"message": str(error)}}
        answer = {"uid": request["uid"], "allowed": True}
        if patch:
            answer |= {"patchType": "JSONPatch", "patch": b64encode(json.dumps(patch).encode()).decode("ascii")}
        return answer

    def _patch(self, request: Object) -> list[Object]:
        pod, name = request["object"], request["namespace"]
        namespace = self.api.get(f"/api/v1/namespaces/{name}")
        settings = self._settings()
        if not must_inject(pod, namespace, settings):
            return []
        proxy = str(uuid.uuid4())
        patch = inject(pod, namespace, settings, proxy)
        if not request.get("dryRun"):
            self._store_bootstrap_config(name, proxy)
        return patch

    def _settings(self) -> Settings:
        pod = self.pod
        path = f"{pod.product.config_path}/namespaces/{pod.namespace}/meshconfigs/{pod.product.mesh_config}"
        spec = (self.api.find(path) or {}).get("spec", {})
        return Settings(pod.product, pod.mesh, pod.namespace, self.version, spec, pod.environment, pod.pull_policy)

    def _store_bootstrap_config(self, namespace: str, proxy: str) -> None:
        """The Secret has no owner yet: the pod has no uid at this point, osm-controller adds it."""
        secret: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.pod.product.bootstrap_secret_prefix + proxy, "labels": self.pod.labels},
            "stringData": {"bootstrap.json": json.dumps({"proxy": proxy})},
        }
        self.api.create(f"/api/v1/namespaces/{namespace}/secrets", secret)
