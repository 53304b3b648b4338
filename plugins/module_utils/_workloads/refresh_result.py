# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh tells its caller: counts, the workloads that are not fine, and what was left; never pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_procedure import SidecarRefresh

_MOST_OBJECTS = 20


def refresh_result(refresh: SidecarRefresh, options: Options) -> dict[str, Any]:
    """Return ``summary``, ``workloads`` and ``leftovers`` of a refresh that was planned, done or broken off."""
    state, planned, run = refresh.state, refresh.planned, refresh.run
    if state is None or planned is None:
        return {}
    counts = run.counts if run is not None else {}
    return {
        "summary": {
            "mesh": refresh.target,
            "state": options.state,
            **state.plan.counts,
            **{name: planned.plan.counts[name] for name in ("workloads", "estimate_seconds") if name in planned.plan.counts},
            "refreshed_workloads": counts.get("workloads", 0),
            "refreshed_pods": counts.get("pods", 0),
            "leftover_pods": sum(leftover.pods for leftover in state.plan.leftovers),
            "pods_per_minute": run.rate if run is not None else 0,
        },
        "workloads": run.entries if run is not None else [],
        "leftovers": grouped(state.plan.leftovers),
    }


def grouped(leftovers: Iterable[Leftover]) -> list[dict[str, Any]]:
    """Return leftovers by what is the matter with them, the most pods first; long lists of names are cut."""
    groups: dict[tuple[str, str, str], list[Leftover]] = {}
    for leftover in leftovers:
        groups.setdefault((leftover.code, leftover.what, leftover.remedy), []).append(leftover)
    found = [
        {
            "code": code,
            "reason": what,
            "remedy": remedy,
            "pods": sum(leftover.pods for leftover in members),
            "objects": [str(leftover.object) for leftover in members[:_MOST_OBJECTS]],
            "more": max(0, len(members) - _MOST_OBJECTS),
        }
        for (code, what, remedy), members in groups.items()
    ]
    return sorted(found, key=lambda group: (-group["pods"], group["code"], group["objects"]))
