# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something noticed that the reader should know: what, why it matters, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One observation; ``code`` is a stable kebab-case word that scripts may compare."""

    severity: Severity
    code: str
    object: ObjectRef
    what: str
    why: str
    remedy: str

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "severity": self.severity,
            "code": self.code,
            "object": self.object.as_dict(),
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
        }
