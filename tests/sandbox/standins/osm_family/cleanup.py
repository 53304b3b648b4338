# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the chart's post-delete hook does: the commands of its shell, one after the other, errors ignored.

Source: osm-edge v1.3.9 charts/osm/templates/cleanup-hook.yaml. KWOK lets the hook's pod succeed in any case, and may do so
before the last command is through.
"""

from __future__ import annotations

import shlex
import threading
from typing import Any

from .api import Api, ApiError, Object, Unreachable
from .bootstrap import CONFIG_GROUP, DEFINITIONS
from .crds import crds, manifest
from .pods import APP_NAME
from .program import Say
from .versions import parse

_CONTAINER = "garbage-collector"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_NAMESPACED = {
    "meshconfig": (CONFIG_GROUP, "meshconfigs"),
    "meshrootcertificate": (CONFIG_GROUP, "meshrootcertificates"),
    "secret": ("/api/v1", "secrets"),
}


def is_cleanup(pod: Object) -> bool:
    """Whether this is the pod of a chart's cleanup hook."""
    container = pod["spec"]["containers"][0]
    return bool(container["name"] == _CONTAINER and pod["metadata"].get("labels", {}).get("app.kubernetes.io/name") == APP_NAME)


class Cleanup(threading.Thread):
    """Runs the hook of one pod."""

    def __init__(self, api: Api, pod: Object, say: Say) -> None:
        super().__init__(name=f"cleanup {pod['metadata']['name']}", daemon=True)
        self._api = api
        self._container: dict[str, Any] = pod["spec"]["containers"][0]
        self._say = say

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
        version = parse(self._container["image"].rpartition(":")[2])
        for crd in crds(version) if version else ():
            found = self._api.find(f"{DEFINITIONS}/{crd.name}")
            if found is not None:
                shipped = manifest(crd, version) if version else found
                shipped["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
                self._api.update(f"{DEFINITIONS}/{crd.name}", shipped)

    def _delete(self, words: list[str]) -> None:
        plain = [word for word in words if word != "--ignore-not-found"]
        kind, options = plain[0], plain[1:]
        if options[0] == "-n":
            group, plural = _NAMESPACED[kind]
            self._api.delete(f"{group}/namespaces/{options[1]}/{plural}/{options[2]}")
        else:
            for item in self._api.get(f"{_ADMISSION}/{kind}s", labelSelector=options[1])["items"]:
                self._api.delete(f"{_ADMISSION}/{kind}s/{item['metadata']['name']}")
