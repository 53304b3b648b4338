# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arithmetic of replacing pods: how many of the new and of the old there are to be next."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple


class Scale(NamedTuple):
    """How many pods a controller (or several) is to have and has, and how many of them are available."""

    wanted: int
    present: int
    available: int


def scale(controller: dict[str, Any]) -> Scale:
    """That of a ReplicaSet or a ReplicationController."""
    status = controller.get("status", {})
    return Scale(controller["spec"]["replicas"], status.get("replicas", 0), status.get("availableReplicas", 0))


def total(controllers: Iterable[dict[str, Any]]) -> Scale:
    """That of all of them together."""
    scales = [scale(item) for item in controllers]
    return Scale(sum(item.wanted for item in scales), sum(item.present for item in scales), sum(item.available for item in scales))


def bounds(desired: int, surge: int | str, unavailable: int | str) -> tuple[int, int]:
    """maxSurge (rounded up) and maxUnavailable (rounded down) as numbers of pods; they are never both 0."""
    more, less = _share(surge, desired, up=True), _share(unavailable, desired, up=False)
    return (more, less) if more or less else (0, 1)


def next_step(desired: int, surge: int, unavailable: int, new: Scale, old: Scale) -> tuple[int, int] | None:
    """How many pods the new and the old controllers are to have next; None when the new one has all and the old ones none."""
    if new.wanted == new.available == desired and old.wanted == old.present == 0:
        return None
    present = max(new.wanted, new.present) + max(old.wanted, old.present)
    wanted = min(desired, max(new.wanted, new.wanted + desired + surge - present))
    # Those that were told to go do not count, though they may still answer.
    available = min(new.available, new.wanted) + min(old.available, old.wanted)
    less = max(0, min(old.wanted, available - (desired - unavailable)))
    return wanted, old.wanted - less


def _share(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = of * int(value.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)
