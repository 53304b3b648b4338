# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane's pod says about itself: which program, which version, with which flags and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .api import Object
from .versions import Version, parse

ROLES = ("osm-bootstrap", "osm-injector", "osm-controller")
APP_NAME = "openservicemesh.io"


class ControlPlanePod(NamedTuple):
    """A pod of a mesh's control plane; ``version`` is None when its image names none that can be played."""

    uid: str
    name: str
    namespace: str
    created: str
    role: str
    version: Version | None
    flags: Mapping[str, str]
    environment: Mapping[str, str]
    pull_policy: str

    @property
    def mesh(self) -> str:
        return self.flags.get("mesh-name", "")

    @property
    def labels(self) -> dict[str, str]:
        """What this version's programs write on the objects that they make (without ``app``)."""
        return {
            "app.kubernetes.io/name": APP_NAME,
            "app.kubernetes.io/instance": self.mesh,
            "app.kubernetes.io/version": self.flags.get("osm-version", ""),
        }

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.role} {self.version})"


def control_plane_pod(pod: Object) -> ControlPlanePod | None:
    """Read a pod; None when it is none of a control plane's."""
    container = next((entry for entry in pod["spec"]["containers"] if entry["name"] in ROLES), None)
    if container is None:
        return None
    metadata, flags = pod["metadata"], _flags(container.get("args", []))
    tag = container["image"].rpartition(":")[2] if "@" not in container["image"] else flags.get("osm-version", "")
    return ControlPlanePod(
        metadata["uid"],
        metadata["name"],
        metadata["namespace"],
        metadata["creationTimestamp"],
        container["name"],
        parse(tag),
        flags,
        {entry["name"]: entry.get("value", "") for entry in container.get("env", [])},
        container.get("imagePullPolicy", "IfNotPresent"),
    )


def runs(pod: Object) -> bool:
    """Whether the pod's containers have been started and not been told to end."""
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def _flags(args: Sequence[str]) -> dict[str, str]:
    """``--name value`` and ``--name=value`` alike."""
    found, waiting = {}, ""
    for arg in args:
        if arg.startswith("--"):
            name, separator, value = arg[2:].partition("=")
            found[name], waiting = value, "" if separator else name
        elif waiting:
            found[waiting], waiting = arg, ""
    return found
