# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane's pod says about itself: which program, which version, with which flags and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .api import Object
from .products import FSM, OSM, ROLES, Product, product_of
from .versions import Version, parse

_PROGRAMS = {product.program(role): role for product in (OSM, FSM) for role in ROLES}


class ControlPlanePod(NamedTuple):
    """A pod of a mesh's control plane. ``role`` is one of ROLES; ``version`` is None when its image names none;
    ``arguments`` is the command line as it is, ``flags`` what can be read from it.
    """

    uid: str
    name: str
    namespace: str
    created: str
    product: Product
    role: str
    version: Version | None
    arguments: tuple[str, ...]
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
            "app.kubernetes.io/name": self.product.domain,
            "app.kubernetes.io/instance": self.mesh,
            "app.kubernetes.io/version": self.own_flag("version"),
        }

    @property
    def program(self) -> str:
        """The name of the program, which is also its container's, its Deployment's and its label ``app``."""
        return self.product.program(self.role)

    @property
    def reconciles(self) -> bool:
        return self.flags.get("enable-reconciler") == "true"

    def own_flag(self, name: str) -> str:
        """A flag that begins with the product's prefix, such as --osm-version or --fsm-version."""
        return self.flags.get(f"{self.product.prefix}-{name}", "")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.program} {self.version})"


def control_plane_pod(pod: Object) -> ControlPlanePod | None:
    """Read a pod; None when it is none of a control plane's."""
    container = next((entry for entry in pod["spec"]["containers"] if entry["name"] in _PROGRAMS), None)
    if container is None:
        return None
    metadata, arguments, product = pod["metadata"], tuple(container.get("args", [])), product_of(container)
    flags = _flags(arguments)
    # An image that is named by its digest does not tell; upstream's charts name it so.
    tag = container["image"].rpartition(":")[2] if "@" not in container["image"] else flags.get(f"{product.prefix}-version", "")
    return ControlPlanePod(
        metadata["uid"],
        metadata["name"],
        metadata["namespace"],
        metadata["creationTimestamp"],
        product,
        _PROGRAMS[container["name"]],
        parse(tag),
        arguments,
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
