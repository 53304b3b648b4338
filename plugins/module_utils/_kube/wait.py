# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for many objects at once: one question per interval, however many objects it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

State = TypeVar("State")


def poll_until(
    observe: Callable[[], State],
    done: Callable[[State], bool],
    deadline: Deadline,
    *,
    interval: float = 2.0,
    on_wait: Callable[[State], None] = lambda state: None,
) -> tuple[State, bool]:
    """Return the last state that ``observe`` returned and whether it is ``done``.

    ``observe`` is called at least once, and once more when the time is over; ``on_wait`` gets every state that is not done
    yet, for progress. What ``observe`` raises is not caught.
    """
    while True:
        last = deadline.expired
        state = observe()
        if done(state):
            return state, True
        if last:
            return state, False
        on_wait(state)
        deadline.sleep(interval)
