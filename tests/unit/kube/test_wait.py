# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a set of objects."""

from __future__ import annotations

import time

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.wait import poll_until
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline


def test_it_ends_when_it_is_done_and_tells_what_it_waits_for() -> None:
    states, told = iter([3, 1, 0]), []
    state, done = poll_until(lambda: next(states), lambda left: left == 0, Deadline(10), interval=0.01, on_wait=told.append)
    assert (state, done, told) == (0, True, [3, 1])


def test_it_ends_when_the_time_is_over_with_the_last_state() -> None:
    asked = []
    started = time.monotonic()
    state, done = poll_until(lambda: asked.append(1) or len(asked), lambda state: False, Deadline(0.2), interval=0.05)
    assert not done
    assert state == len(asked) >= 3
    assert 0.2 <= time.monotonic() - started < 1.0


def test_it_asks_at_least_once() -> None:
    assert poll_until(lambda: "there", lambda state: True, Deadline(0)) == ("there", True)
