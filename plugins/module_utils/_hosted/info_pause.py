# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a HostedCluster or NodePool is paused now, as its operator reads ``spec.pausedUntil``. Pure.

Read in openshift/hypershift support/util/pausereconcile.go ProcessPausedUntilField: a boolean first (Go's strconv.ParseBool), else a time
of RFC 3339. A time that is over, and a value that is neither, mean that it is NOT paused.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Pause(NamedTuple):
    """``value`` is what stands there ("" for nothing), ``until`` the time that it names; ``valid`` is false when it is neither."""

    value: str
    paused: bool
    until: str
    valid: bool

    @property
    def over(self) -> bool:
        """Whether it was paused until a time that has passed."""
        return bool(self.until) and not self.paused

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {"value": self.value, "paused": self.paused, "until": self.until or None, "valid": self.valid}


def pause_of(item: dict[str, Any], now: datetime) -> Pause:
    """Return what ``spec.pausedUntil`` of a HostedCluster, NodePool or HostedControlPlane means at the time ``now`` (aware)."""
    value = str((item.get("spec") or {}).get("pausedUntil") or "")
    if not value or value in _FALSE:
        return Pause(value, paused=False, until="", valid=True)
    if value in _TRUE:
        return Pause(value, paused=True, until="", valid=True)
    until = _time(value)
    if until is None:
        return Pause(value, paused=False, until="", valid=False)
    return Pause(value, paused=until > now, until=value, valid=True)


def _time(value: str) -> datetime | None:
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
