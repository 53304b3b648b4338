# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options of a refresh mean."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_options import end_of, refresh_options

ZONE = timezone(timedelta(hours=9))
EVENING = datetime(2026, 11, 21, 23, 0, tzinfo=ZONE)
DEFAULTS: dict[str, Any] = {
    "state": "current",
    "namespaces": [],
    "namespace_selector": None,
    "exclude_namespaces": [],
    "selector": None,
    "pods_per_minute": 100,
    "max_parallel_workloads": 10,
    "batch_size": 0,
    "max_failures": 1,
    "wait_timeout": 600,
    "stall_timeout": 120,
    "bare_pods": "report",
    "ordered": [],
    "until": None,
    "token": None,
}


def test_without_an_end_there_is_none() -> None:
    options = refresh_options({**DEFAULTS, "namespaces": ["b", "a", "b"], "bare_pods": "recreate"}, EVENING)
    assert (options.until, options.namespaces, options.recreate_bare_pods) == (None, ("b", "a"), True)


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        ("04:00", EVENING, datetime(2026, 11, 22, 4, 0, tzinfo=ZONE)),
        ("23:30", EVENING, datetime(2026, 11, 21, 23, 30, tzinfo=ZONE)),
        # Half an hour late: the window is over, and not open for another day.
        ("22:30", EVENING, datetime(2026, 11, 21, 22, 30, tzinfo=ZONE)),
        ("23:30", datetime(2026, 11, 22, 0, 10, tzinfo=ZONE), datetime(2026, 11, 21, 23, 30, tzinfo=ZONE)),
        ("2026-11-22T04:00:00+01:00", EVENING, datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)),
        ("2026-11-22T03:00:00Z", EVENING, datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)),
        ("2026-11-22 04:00", EVENING, datetime(2026, 11, 22, 4, 0, tzinfo=ZONE)),
    ],
)
def test_until(text: str, now: datetime, end: datetime) -> None:
    assert end_of(text, now) == end.timestamp()


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), now=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)))
def test_a_time_of_day_is_never_more_than_half_a_day_away(hour: int, minute: int, now: datetime) -> None:
    here = now.replace(tzinfo=ZONE)
    end = datetime.fromtimestamp(end_of(f"{hour:02}:{minute:02}", here), ZONE)
    assert abs(end - here) <= timedelta(hours=12)
    assert (end.hour, end.minute) == (hour, minute)


@pytest.mark.parametrize("text", ["4 o'clock", "25:00", "2026-13-01T00:00", "T"])
def test_what_is_no_time_is_refused_with_two_that_are(text: str) -> None:
    with pytest.raises(Refused, match="is no time") as error:
        end_of(text, EVENING)
    assert "04:00" in error.value.next
    assert "2026-11-21T23:00:00+09:00" in error.value.next


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_failures", 0),
        ("pods_per_minute", -1),
        ("max_parallel_workloads", 0),
        ("batch_size", -1),
        ("wait_timeout", 0),
        ("stall_timeout", 0),
    ],
)
def test_numbers_that_would_never_begin_or_never_end_are_refused(name: str, value: int) -> None:
    with pytest.raises(Refused, match=f"{name}: {value}: it must be at least"):
        refresh_options({**DEFAULTS, name: value}, EVENING)


def test_a_token_names_a_restart() -> None:
    assert refresh_options({**DEFAULTS, "state": "restarted", "token": "CHG-1"}, EVENING).token == "CHG-1"
    with pytest.raises(Refused, match="it names a restart"):
        refresh_options({**DEFAULTS, "token": "CHG-1"}, EVENING)
