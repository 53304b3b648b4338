# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reconciler of each program: with ``--enable-reconciler`` it puts back what others delete or change.

Bootstraps watch definitions, injectors the mutating and controllers the validating webhook configuration, each by its label
``reconcile=true`` and, for webhooks, the mesh. What was changed becomes as it was before the change, whoever changed it: a newer
bootstrap's definitions too, while an older one still runs. An object that loses the label is deleted to the watch, and adding it
back fails.

Source: osm-edge v1.3.9 pkg/reconciler/client.go, crd_handler.go, mutating_webhook_handler.go, validating_webhook_handler.go.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from .api import Api, ApiError, Object, Unreachable
from .crds import DEFINITIONS
from .node import Say
from .pods import ControlPlanePod
from .watching import Watch

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_PATHS = {
    "bootstrap": DEFINITIONS,
    "injector": f"{_ADMISSION}/mutatingwebhookconfigurations",
    "controller": f"{_ADMISSION}/validatingwebhookconfigurations",
}


class Reconciler:
    """Works from ``start`` until ``running`` says no."""

    def __init__(self, api: Api, pod: ControlPlanePod, say: Say, running: Callable[[], bool]) -> None:
        self._api, self._pod, self._say, self._running = api, pod, say, running
        self._path = _PATHS[pod.role]
        self._before: dict[str, Object] = {}

    def start(self) -> None:
        selector = f"app.kubernetes.io/name={self._pod.product.domain},{self._pod.product.domain}/reconcile=true"
        if self._pod.role != "bootstrap":
            selector += f",app.kubernetes.io/instance={self._pod.mesh}"
        Watch(self._api, self._path, selector, self._changed, self._gone, self._say, running=self._running).start()

    def _changed(self, item: Object) -> None:
        name = item["metadata"]["name"]
        before = self._before.get(name)
        if before is None or not self._running() or not self._differs(before, item):
            self._before[name] = copy.deepcopy(item)
            return
        back = item | {self._part: before[self._part]}
        back["metadata"] = item["metadata"] | {"labels": before["metadata"]["labels"]}
        # Remembered before it is written, as the real one changes the object in its own cache: the write is then no change.
        self._before[name] = copy.deepcopy(back)
        self._write(f"{name} was changed", lambda: self._api.update(f"{self._path}/{name}", back))

    def _gone(self, item: Object) -> None:
        name = item["metadata"]["name"]
        self._before.pop(name, None)
        if self._running():
            metadata = {key: value for key, value in item["metadata"].items() if key in ("name", "labels", "annotations")}
            again = {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
            self._write(f"{name} was deleted", lambda: self._api.create(self._path, again))

    @property
    def _part(self) -> str:
        return "spec" if self._pod.role == "bootstrap" else "webhooks"

    def _differs(self, before: Object, item: Object) -> bool:
        if before[self._part] != item[self._part]:
            return True
        wanted = {"app": self._pod.program, "app.kubernetes.io/version": self._pod.own_flag("version")}
        labels = item["metadata"]["labels"]
        return self._pod.role != "bootstrap" and any(labels.get(key) != value for key, value in wanted.items())

    def _write(self, why: str, write: Callable[[], object]) -> None:
        try:
            write()
            self._say(f"{self._pod}: reconciled: {why}")
        except (ApiError, Unreachable) as error:
            self._say(f"{self._pod}: reconciler: {why}: {error}")
