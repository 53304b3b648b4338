# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks now and then at what keeps workloads back while they are waited for, and says when waiting does not help."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import hopeless
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import Diagnosis
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble

# The first look leaves a normal rollout alone; a look is a handful of requests.
_FIRST = 3.0
_EVERY = 4.0
# A trouble that waiting does not end is seen again after this time before the wait is given up.
_CONFIRM = 8.0


class Watch:
    """``look`` makes a diagnosis; ``clock`` counts seconds."""

    def __init__(self, look: Callable[[], Diagnosis], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._next = clock() + _FIRST
        self._since: dict[tuple[str, str], float] = {}
        self.last = Diagnosis()

    @property
    def brief(self) -> str:
        """The first trouble in a few words, with the comma before it; the empty string while there is none."""
        return f", {self.last.troubles[0].brief}" if self.last.troubles else ""

    def hopeless(self) -> list[Trouble]:
        """Look again when it is time to, and return the troubles that stay whatever time passes: seen some seconds ago, and now."""
        now = self._clock()
        if now < self._next:
            return []
        self.last = self._look()
        now = self._clock()
        self._next = now + _EVERY
        lasting = {_key(trouble): trouble for trouble in hopeless(self.last.troubles)}
        self._since = {key: self._since.get(key, now) for key in lasting}
        return [trouble for key, trouble in lasting.items() if now - self._since[key] >= _CONFIRM]


def _key(trouble: Trouble) -> tuple[str, str]:
    """A crashing pod may be replaced, and its restarts are counted: what stays is who has which trouble."""
    return trouble.component or trouble.object.name, trouble.cause
