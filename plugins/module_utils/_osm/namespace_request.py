# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of namespaces and a mesh."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused

State = Literal["present", "absent", "ignored"]
Switch = Literal["enabled", "disabled"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class NamespaceRequest:
    """``names`` and the namespaces that match ``selector`` are brought into ``state``; None leaves a switch to the state's default."""

    state: State = "present"
    names: tuple[str, ...] = ()
    selector: str = ""
    injection: Switch | None = None
    metrics: Switch | None = None
    create: bool = False
    allow_move: bool = False

    @property
    def scrape(self) -> bool | None:
        """Whether pods are to carry the annotations for Prometheus, or must not; None leaves them as they are."""
        if self.metrics == "enabled":
            return True
        return False if self.metrics == "disabled" or self.state == "absent" else None


def is_name(text: str) -> bool:
    """Whether a namespace can have this name (RFC 1123 label)."""
    return _NAME.fullmatch(text) is not None


def refuse_contradictions(request: NamespaceRequest) -> None:
    """Raise Refused, telling all of them, when options contradict each other or name nothing."""
    state = f"state={request.state}"
    found = {
        "namespaces or selector must name something: both are empty": not request.names and not request.selector,
        f"injection={request.injection} says nothing with {state}: new pods get no sidecar then": bool(
            request.injection and request.state != "present"
        ),
        f"metrics=enabled contradicts {state}: without sidecars there is nothing to scrape": request.metrics == "enabled"
        and request.state != "present",
        f"create contradicts {state}: a namespace is not created to be no part of a mesh": request.create and request.state == "absent",
        f"allow_move contradicts {state}: nothing is moved into the mesh": request.allow_move and request.state != "present",
    }
    told = [what for what, wrong in found.items() if wrong]
    if told:
        raise Refused(
            f"mesh_namespace is refused: {'; '.join(told)}",
            why="the options do not say what is wanted",
            state="nothing was written",
            next="correct the options and run again",
        )
