# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pace of pods, and what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pace import Pace, estimate
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_progress import Standing, duration, first_line, line


@given(st.integers(1, 600), st.lists(st.tuples(st.integers(0, 50), st.floats(0, 20)), max_size=60))
def test_no_stretch_of_time_sees_more_than_its_pods(per_minute: int, wishes: list[tuple[int, float]]) -> None:
    time = 0.0
    pace = Pace(per_minute, lambda: time)
    begun: list[tuple[float, int]] = []
    for pods, later in wishes:
        time += later
        time += pace.wait()
        pace.take(pods)
        begun.append((time, pods))
    for start in range(len(begun)):
        taken = 0
        for at, pods in begun[start:]:
            # The last workload of a stretch may be as large as it likes.
            assert taken <= per_minute * (at - begun[start][0] + 5) / 60 + 1e-6
            taken += pods


def test_the_next_one_waits_until_the_debt_is_paid() -> None:
    time = 100.0
    pace = Pace(60, lambda: time)
    assert pace.wait() == 0
    pace.take(30)
    assert pace.wait() == pytest.approx(30)
    time += 50
    assert pace.wait() == 0
    # Of the time that nobody used, five seconds are kept.
    pace.take(30)
    assert pace.wait() == pytest.approx(25)


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(0, lambda: 0.0)
    pace.take(10_000)
    assert pace.wait() == 0
    assert estimate(10_000, 0) == 0
    assert estimate(1500, 100) == 900


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min 01 s"), (3700, "1 h 01 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_first_line_has_the_estimate() -> None:
    assert first_line(300, 1500, 100) == "refresh: 300 workloads, 1500 pods; at 100 pods a minute that takes 15 min 00 s"
    assert first_line(1, 1, 0) == "refresh: 1 workload, 1 pod; without a limit of pods a minute"


def test_a_line_of_progress() -> None:
    standing = Standing(34, 300, 170, 1500, 10, 0, 120.0, 100, [("shop/db", "shop/keep-db")], left=1330)
    assert line(standing) == (
        "refresh: 34 of 300 workloads, 170 of 1500 pods; 85 pods a minute, 15 min 39 s left at this rate "
        "(estimated 15 min 00 s in all at 100); 10 under way; shop/db is waiting for PodDisruptionBudget shop/keep-db"
    )


def test_a_line_after_a_failure_promises_nothing() -> None:
    budgets = [(f"ns/w{number}", f"ns/b{number}") for number in range(5)]
    text = line(Standing(1, 9, 4, 30, 0, 1, 60.0, 0, budgets, "1 workload failed, and max_failures is 1", left=26))
    assert "left at this rate" not in text
    assert "1 failed; nothing new is begun: 1 workload failed, and max_failures is 1" in text
    assert text.endswith("2 more wait for budgets")


def test_no_time_is_told_when_all_that_is_left_waits_for_budgets() -> None:
    text = line(Standing(34, 35, 170, 175, 0, 0, 120.0, 0, [("shop/db", "shop/keep-db")], left=0))
    assert text == (
        "refresh: 34 of 35 workloads, 170 of 175 pods; 85 pods a minute; shop/db is waiting for PodDisruptionBudget shop/keep-db"
    )
