# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A point in time that everything in one call shares."""

from __future__ import annotations

import time


class Deadline:
    """``seconds`` from now on the monotonic clock; never negative."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left, 0.0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return self.remaining() == 0.0

    def sleep(self, seconds: float) -> bool:
        """Sleep ``seconds`` or what is left, and return whether there is time to go on."""
        time.sleep(min(seconds, self.remaining()))
        return not self.expired
