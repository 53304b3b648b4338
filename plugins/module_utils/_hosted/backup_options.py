# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of which one asks for a backup and another for a look at a set that is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused


def require_one_purpose(params: Mapping[str, Any]) -> None:
    """Raise Refused for an option that would have no effect although it asks for one."""
    if params["verify_set"]:
        asked = {
            "mode: quiesce": params["mode"] == "quiesce",
            "upload_set": params["upload_set"],
            "expected_plan_id": params["expected_plan_id"],
        }
        why, advice = "verifying a set only reads it: nothing is planned, stopped, made or uploaded", "to make a set, leave out verify_set"
        _refuse(asked, "with", why, advice)
    else:
        asked = {"set": params["set"], "snapshot_check": params["snapshot_check"] != "metadata"}
        why = "a set that is there is only looked at with verify_set: true; without it a new one is made"
        _refuse(asked, "without", why, "to verify a set, give verify_set: true")


def _refuse(asked: Mapping[str, Any], word: str, why: str, advice: str) -> None:
    names = [name for name, given in asked.items() if given]
    if names:
        verb = "is" if len(names) == 1 else "are"
        raise Refused(
            f"{' and '.join(names)} {verb} given {word} verify_set",
            why=why,
            state="nothing was read or written",
            next=f"leave out {' and '.join(names)}; {advice}",
        )
