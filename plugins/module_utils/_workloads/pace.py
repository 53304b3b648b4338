# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast pods may be replaced: a token bucket in pods, which may be in debt. Pure, but for the clock that it is given."""

from __future__ import annotations

from collections.abc import Callable

# What accrues while one round of looking goes on is not lost.
_SAVED_SECONDS = 5.0


class Pace:
    """``pods_per_minute`` on average, 0 for no limit; ``now`` counts seconds.

    A workload takes all its pods when it begins, however many: the next one then begins when that debt is paid. So within any ``t``
    seconds at most ``pods_per_minute * (t + 5) / 60`` pods begin, and the last workload on top of that.
    """

    def __init__(self, pods_per_minute: int, now: Callable[[], float]) -> None:
        self._per_second = pods_per_minute / 60
        self._now = now
        # When the bucket is out of debt.
        self._paid = now()

    def wait(self) -> float:
        """Return the seconds until something may begin, 0.0 when it may now."""
        return max(0.0, self._paid - self._now())

    def take(self, pods: int) -> None:
        """Note that this many pods begin now."""
        if self._per_second > 0:
            self._paid = max(self._paid, self._now() - _SAVED_SECONDS) + pods / self._per_second


def estimate(pods: int, pods_per_minute: float) -> float:
    """Return the seconds that so many pods take at this pace, 0.0 when it has no limit."""
    return pods * 60 / pods_per_minute if pods_per_minute > 0 else 0.0
