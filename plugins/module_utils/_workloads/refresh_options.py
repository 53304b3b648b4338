# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a refresh as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options

_AT_LEAST = {"pods_per_minute": 0, "max_parallel_workloads": 1, "batch_size": 0, "max_failures": 1, "wait_timeout": 1, "stall_timeout": 1}


def refresh_options(params: Mapping[str, Any], now: datetime | None = None) -> Options:
    """Return the options in a module's parameters; raises Refused for a number or a time that makes no sense.

    ``now`` is the time on the clock of whoever runs this, with its time zone.
    """
    for name, least in _AT_LEAST.items():
        if params[name] < least:
            raise _invalid(f"{name}: {params[name]}", f"it must be at least {least}", f"set {name} to {least} or more")
    if params["token"] and params["state"] != "restarted":
        raise _invalid("token", f"it names a restart, and state is {params['state']}", "set state to restarted, or leave token out")
    return Options(
        state=params["state"],
        namespaces=tuple(dict.fromkeys(params["namespaces"] or ())),
        namespace_selector=params["namespace_selector"] or "",
        exclude_namespaces=tuple(params["exclude_namespaces"] or ()),
        selector=params["selector"] or "",
        pods_per_minute=params["pods_per_minute"],
        max_parallel_workloads=params["max_parallel_workloads"],
        batch_size=params["batch_size"],
        max_failures=params["max_failures"],
        wait_timeout=params["wait_timeout"],
        stall_timeout=params["stall_timeout"],
        recreate_bare_pods=params["bare_pods"] == "recreate",
        ordered=tuple(params["ordered"] or ()),
        until=end_of(params["until"], now or datetime.now().astimezone()) if params["until"] else None,
        token=params["token"] or "",
    )


def end_of(text: str, now: datetime) -> float:
    """Return the time that ``until`` means, in seconds since the epoch.

    A time of day is the nearest one: at 23:00, 04:00 is tomorrow's; at 04:30 it is over, so that a run that is repeated too late begins
    nothing.
    """
    try:
        if "T" not in text and " " not in text.strip():
            time = datetime.strptime(text.strip(), "%H:%M").time()
            times = [datetime.combine(now.date() + timedelta(days=days), time, now.tzinfo) for days in (-1, 0, 1)]
            return min(times, key=lambda candidate: abs(candidate - now)).timestamp()
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        example = now.replace(microsecond=0).isoformat()
        advice = f"write a time of day (04:00), or a whole time with its zone ({example})"
        raise _invalid(f"until: {text!r} is no time", str(error), advice) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).timestamp()


def _invalid(what: str, why: str, advice: str) -> Refused:
    return Refused(what, why=why, state="nothing was written", next=advice)
