# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Plan

_MOST_WHY = 160


def plan_table(plan: Plan) -> str:
    """Return the plan as a table with one row per step, or one sentence when there is nothing to do.

    A long reason ends in an ellipsis; it is whole in the plan's data, and the fields that change are in the diff.
    """
    if not plan.steps:
        return f"{plan.procedure} {plan.target}: nothing to do"
    rows = [("phase", "action", "object", "risk", "undo", "why")]
    for phase in plan.phases:
        name = f"{phase.name}*" if phase.provisional else phase.name
        for step in phase.steps:
            why = textwrap.shorten(step.why, _MOST_WHY, placeholder=" …")
            rows.append((name, step.action, str(step.object), step.risk, "yes" if step.reversible else "no", why))
    lines = [f"{plan.procedure} {plan.target}: plan {plan.id}, {len(plan.steps)} steps, risk {plan.risk}", *columns(rows)]
    if any(phase.provisional and phase.steps for phase in plan.phases):
        lines.append("* planned again when the phase before it is done")
    return "\n".join(lines)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return ``rows`` with their cells padded to the widest of each column; the last column is left ragged."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows]
