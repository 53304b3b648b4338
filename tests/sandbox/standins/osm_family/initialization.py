# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller and injector wait in an init container until a bootstrap of their namespace answers.

Source: osm-edge v1.3.9 charts/osm/templates/osm-controller-deployment.yaml (``init-osm-controller``: curl on the Service's
/healthz, 50 attempts of 5 s); the Service leads to ready pods only. That the last attempt fails is not played.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from .api import ApiError, Object, Unreachable
from .node import Node
from .pod_status import mark_initialized, mark_initializing

# As tests/sandbox/stages/pod-image-missing.yaml has it
_MISSING = re.compile(r"-missing([:@]|$)|^unreachable\.invalid/")
_WAITING = re.compile(r"init-(osm|fsm)-(controller|injector)")
_RETRY_SECONDS = 0.5
_POLL_SECONDS = 0.1


def waits_for_bootstrap(pod: Object) -> bool:
    """Whether this pod has a place, and an init container that waits and has not been through."""
    conditions = {entry["type"]: entry["status"] for entry in pod.get("status", {}).get("conditions", [])}
    return bool(
        _container(pod)
        and pod["spec"].get("nodeName")
        and pod.get("status", {}).get("phase") == "Pending"
        and conditions.get("Initialized") != "True"
    )


def _container(pod: Object) -> str:
    containers = pod["spec"].get("initContainers", [])
    found = (entry for entry in containers if _WAITING.fullmatch(entry["name"]) and not _MISSING.search(entry["image"]))
    return str(next(found, {"name": ""})["name"])


class Initialization(threading.Thread):
    """The init container of one pod; ``bootstrapped`` says whether it gets an answer."""

    def __init__(self, node: Node, pod: Object, bootstrapped: Callable[[str], bool]) -> None:
        super().__init__(name=f"initialization of {pod['metadata']['name']}", daemon=True)
        self._node, self._pod, self._bootstrapped = node, pod, bootstrapped
        self._stopping = threading.Event()

    def stop(self) -> None:
        """The pod is gone; returns at once."""
        self._stopping.set()

    def run(self) -> None:
        namespace, name = self._pod["metadata"]["namespace"], self._pod["metadata"]["name"]
        if not self._bootstrapped(namespace):
            self._write(lambda: mark_initializing(self._node.api, self._pod, _container(self._pod)))
            self._node.say(f"{namespace}/{name}: waits for a bootstrap")
        while not self._bootstrapped(namespace):
            if self._stopping.wait(_POLL_SECONDS):
                return
        self._write(lambda: mark_initialized(self._node.api, self._pod))

    def _write(self, write: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                write()
                return
            except (ApiError, Unreachable) as error:
                self._node.say(f"{self._pod['metadata']['name']}: {error}; trying again")
                self._stopping.wait(_RETRY_SECONDS)
