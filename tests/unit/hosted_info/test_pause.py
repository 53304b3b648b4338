# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in pausedUntil, and what it means (openshift/hypershift support/util/pausereconcile.go)."""

from __future__ import annotations

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import Pause, pause_of
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import NOW


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Pause("", paused=False, until="", valid=True)),
        ("true", Pause("true", paused=True, until="", valid=True)),
        ("True", Pause("True", paused=True, until="", valid=True)),
        ("1", Pause("1", paused=True, until="", valid=True)),
        ("false", Pause("false", paused=False, until="", valid=True)),
        ("False", Pause("False", paused=False, until="", valid=True)),
        ("yes", Pause("yes", paused=False, until="", valid=False)),
        ("2026-11-21", Pause("2026-11-21", paused=False, until="", valid=False)),
        ("2026-11-21T12:00:01Z", Pause("2026-11-21T12:00:01Z", paused=True, until="2026-11-21T12:00:01Z", valid=True)),
        ("2026-11-21T11:59:59Z", Pause("2026-11-21T11:59:59Z", paused=False, until="2026-11-21T11:59:59Z", valid=True)),
        # Half past eight in Tokyo is half past eleven in Greenwich.
        ("2026-11-21T20:30:00+09:00", Pause("2026-11-21T20:30:00+09:00", paused=False, until="2026-11-21T20:30:00+09:00", valid=True)),
        ("2026-11-21T21:30:00.5+09:00", Pause("2026-11-21T21:30:00.5+09:00", paused=True, until="2026-11-21T21:30:00.5+09:00", valid=True)),
        ("2026-13-41T00:00:00Z", Pause("2026-13-41T00:00:00Z", paused=False, until="", valid=False)),
    ],
)
def test_pause(value: str | None, expected: Pause) -> None:
    item = {"spec": {} if value is None else {"pausedUntil": value}}
    assert pause_of(item, NOW) == expected


def test_a_pause_that_is_over() -> None:
    assert pause_of({"spec": {"pausedUntil": "2026-01-01T00:00:00Z"}}, NOW).over is True
    assert pause_of({"spec": {"pausedUntil": "2027-01-01T00:00:00Z"}}, NOW).over is False
    assert pause_of({"spec": {"pausedUntil": "false"}}, NOW).over is False
