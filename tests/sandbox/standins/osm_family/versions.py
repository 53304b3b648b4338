# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of the control plane, as its image tags have them."""

from __future__ import annotations

import re
from typing import NamedTuple

_PATTERN = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")


class Version(NamedTuple):
    """Major, minor, patch; what comes behind a dash does not change what the control plane does."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return ".".join(map(str, self))


# FSM renamed the modes of interception
V1_5 = Version(1, 5)


def parse(text: str) -> Version | None:
    """The version that an image tag or a chart's appVersion names; None for anything else, such as "latest"."""
    found = _PATTERN.fullmatch(text)
    return Version(*map(int, found.groups())) if found else None
