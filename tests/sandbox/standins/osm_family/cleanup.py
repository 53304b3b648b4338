# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the chart's post-delete hook does: the commands of its shell, one after the other, errors ignored.

Source: osm-edge v1.3.9 charts/osm/templates/cleanup-hook.yaml. KWOK lets the hook's pod succeed in any case, and may do so
before the last command is through.
"""

from __future__ import annotations

import re
import shlex
import threading
from typing import Any

from .api import ApiError, Object, Unreachable
from .crd_sets import crds
from .crds import DEFINITIONS, manifest
from .node import Node
from .products import APP_NAMES, FSM, product_of
from .versions import parse

_MARKED = re.compile(r"-(failing|hanging)([:@]|$)")
_CONTAINER = "garbage-collector"
_NAME, _VERSION = "app.kubernetes.io/name", "app.kubernetes.io/version"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_CLUSTER_WIDE = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
_OF_CONFIG = ("meshconfig", "meshrootcertificate")


def is_cleanup(pod: Object) -> bool:
    """Whether this is the pod of a chart's cleanup hook, started and not one that fails or hangs (tests/sandbox/stages)."""
    container = pod["spec"]["containers"][0]
    if pod.get("status", {}).get("phase") not in ("Running", "Succeeded") or _MARKED.search(container["image"]):
        return False
    return bool(container["name"] == _CONTAINER and pod["metadata"].get("labels", {}).get(_NAME) in APP_NAMES)


class Cleanup(threading.Thread):
    """Runs the hook of one pod."""

    def __init__(self, node: Node, pod: Object) -> None:
        super().__init__(name=f"cleanup {pod['metadata']['name']}", daemon=True)
        self._api, self._say = node.api, node.say
        self._container: dict[str, Any] = pod["spec"]["containers"][0]
        labels = pod["metadata"]["labels"]
        self._product = FSM if labels[_NAME] == FSM.domain else product_of(self._container)
        # An image that is named by its digest does not tell its version, the chart's label does.
        image = self._container["image"]
        self._version = parse(labels[_VERSION] if "@" in image else image.rpartition(":")[2])

    def run(self) -> None:
        for command in self._container["command"][-1].split(";"):
            words = shlex.split(command)
            if not words:
                continue
            self._say(f"cleanup hook: {' '.join(words)}")
            try:
                if words[1] == "replace":
                    self._replace_definitions()
                else:
                    self._delete(words[2:])
            except (ApiError, Unreachable) as error:
                self._say(f"cleanup hook: {error}")
        self._say("cleanup hook: done")

    def _replace_definitions(self) -> None:
        """``kubectl replace``: what is there becomes what the file says, further labels included; what is not there stays away."""
        if self._version is None:
            return
        for crd in crds(self._product, self._version):
            found = self._api.find(f"{DEFINITIONS}/{crd.name}")
            if found is not None:
                shipped = manifest(crd, self._product, self._version)
                shipped["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
                self._api.update(f"{DEFINITIONS}/{crd.name}", shipped)

    def _delete(self, words: list[str]) -> None:
        plain = [word for word in words if word != "--ignore-not-found"]
        kind, options = plain[0], plain[1:]
        if options[0] == "-n":
            group = self._product.config_path if kind in _OF_CONFIG else "/api/v1"
            self._api.delete(f"{group}/namespaces/{options[1]}/{kind}s/{options[2]}")
        elif kind in _CLUSTER_WIDE:
            for item in self._api.get(f"{_ADMISSION}/{kind}s", labelSelector=options[1])["items"]:
                self._api.delete(f"{_ADMISSION}/{kind}s/{item['metadata']['name']}")
