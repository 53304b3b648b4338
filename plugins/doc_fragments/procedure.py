# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of every module that carries out a procedure."""

from __future__ import annotations


class ModuleDocFragment:
    """Approval and time."""

    DOCUMENTATION = r"""
options:
  expected_plan_id:
    description:
      - The C(plan.id) that was read and approved, usually from a run with C(--check).
      - When the plan that the cluster needs now is another one, the module fails before the first write. After an interrupted run the
        same id is accepted for the steps that remain.
    type: str
  timeout:
    description:
      - Seconds for the whole module call, waiting included. No step is begun after that; what was done is told in the result,
        and running again goes on from there.
    type: int
"""
