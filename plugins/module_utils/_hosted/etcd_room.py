# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much may be written in an etcd pod without the pod being ended for it. Pure.

An emptyDir is a directory on the node's disk. The kubelet evicts pods, those that use the most of it first, when less than 10 % (of a
disk that has images, too, 15 %) of that is free (pkg/kubelet/apis/config/v1beta1/defaults_linux.go), and a pod that uses more than the
``sizeLimit`` of a volume or its own limit of ephemeral-storage; ``df`` shows neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import mapping

KEPT_PERCENT = 15
ON_THE_NODE = ("/tmp",)
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(m|k|Ki|[MGTPE]i?)?")
_UNITS = ("k", "M", "G", "T", "P", "E")

Object = dict[str, Any]


def within_limits(free: Mapping[str, int], pod: Object, container: Object) -> dict[str, int]:
    """Return ``free``, bytes by directory, where the pod does not allow less; ``container`` is the one that is written in."""
    found = dict(free)
    for directory in ON_THE_NODE:
        if directory in found:
            found[directory] = min([found[directory], *_limits(pod, container, directory)])
    return found


def _limits(pod: Object, container: Object, directory: str) -> Iterator[int]:
    mounted = {str(mount.get("name")) for mount in container.get("volumeMounts") or () if mount.get("mountPath") == directory}
    for volume in mapping(pod, "spec").get("volumes") or ():
        if volume.get("name") in mounted and isinstance(volume.get("emptyDir"), dict):
            if volume["emptyDir"].get("medium") == "Memory":
                # It counts as memory of the container, which is ended when that is too much.
                yield 0
            yield from _bytes(volume["emptyDir"].get("sizeLimit"))
    yield from _bytes(mapping(container, "resources", "limits").get("ephemeral-storage"))


def _bytes(quantity: object) -> Iterator[int]:
    """Yield the number of bytes of a quantity (apimachinery pkg/api/resource/quantity.go), nothing where there is none."""
    found = _QUANTITY.fullmatch(str(quantity))
    if quantity is None or found is None:
        return
    number, unit = Decimal(found[1]), found[2] or ""
    if unit == "m":
        yield int(number / 1000)
    elif unit:
        power = _UNITS.index("k" if unit == "Ki" else unit[0]) + 1
        yield int(number * (1024 if unit.endswith("i") else 1000) ** power)
    else:
        yield int(number)
