# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of charts and control planes: reading, ordering and the supported way from one to another.

The ``packaging`` library reads ``1.2.3-ubi8`` as invalid, so the few rules that are needed are written here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

# A suffix that names how images were built, not an earlier state of the release, although SemVer reads it as a pre-release.
FLAVOURS: tuple[str, ...] = ("ubi8",)

_PATTERN = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")

PreRelease = tuple[tuple[int, int, str], ...]


class Minor(NamedTuple):
    """A line of releases, such as 1.3."""

    major: int
    minor: int

    def __str__(self) -> str:
        """Return for instance ``1.3``."""
        return f"{self.major}.{self.minor}"


class Version(NamedTuple):
    """A version that compares as SemVer does, with the flavour (``ubi8``) as the last criterion.

    ``stage`` is 1 for a release and 0 for a pre-release; ``pre`` holds the pre-release's parts in comparable form.
    """

    major: int
    minor: int
    patch: int
    stage: int
    pre: PreRelease
    flavour: str

    @property
    def line(self) -> Minor:
        """The minor version that this one belongs to."""
        return Minor(self.major, self.minor)

    @property
    def without_flavour(self) -> Version:
        """The same release as plain images."""
        return self._replace(flavour="")

    @property
    def is_pre_release(self) -> bool:
        """Whether it precedes its release; a flavour alone does not make a pre-release."""
        return self.stage == 0

    def __str__(self) -> str:
        """Return the version as charts write it, for instance ``1.3.0-beta.1``."""
        suffixes = [".".join(text for dummy, dummy, text in self.pre), self.flavour]
        return "-".join([f"{self.major}.{self.minor}.{self.patch}", *filter(None, suffixes)])


def parse(text: str) -> Version | None:
    """Read ``1.3.9``, ``v1.3.9``, ``1.2.3-ubi8``, ``1.3.0-beta.1``; anything else answers None. Build data is dropped."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        return None
    parts = [part for part in (match[4] or "").split("-") if part]
    flavour = parts.pop() if parts and parts[-1] in FLAVOURS else ""
    # SemVer: numeric parts compare as numbers and come before the others.
    pre = tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in "-".join(parts).split(".") if part)
    return Version(int(match[1]), int(match[2]), int(match[3]), 0 if pre else 1, pre, flavour)


def is_downgrade(current: str, target: str) -> bool:
    """Whether ``target`` is older; from ``1.2.3`` to ``1.2.3-ubi8`` and back is none. Unreadable versions are not compared."""
    old, new = parse(current), parse(target)
    return old is not None and new is not None and new.without_flavour < old.without_flavour


def minor_path(current: str, target: str) -> list[Minor]:
    """Return the minor versions to go through, upwards or downwards, the target's last; empty within one minor version.

    Supported is x.y.z to x.y.* and x.y+1.*, so 1.1.3 to 1.3.9 answers 1.2 and 1.3. Another major version answers only
    the target's line: nothing in between is known.
    """
    old, new = parse(current), parse(target)
    if old is None or new is None or new.line == old.line:
        return []
    if new.major != old.major:
        return [new.line]
    step = 1 if new.minor > old.minor else -1
    return [Minor(new.major, minor) for minor in range(old.minor + step, new.minor + step, step)]


def skips_minor(current: str, target: str) -> bool:
    """Whether the way leaves out a minor version, or changes the major one: neither is tested upstream."""
    old, new = parse(current), parse(target)
    if old is None or new is None:
        return False
    return len(minor_path(current, target)) > 1 or new.major != old.major


def newest_of(line: Minor, available: Iterable[str]) -> str | None:
    """Return the newest release of a minor version among ``available``, plain images before flavoured ones."""
    found = [(version, text) for text in available if (version := parse(text)) and version.line == line and not version.is_pre_release]
    return max(found, key=lambda item: (item[0].without_flavour, item[0].flavour == ""))[1] if found else None


def nearest(version: str, available: Iterable[str], count: int = 3) -> list[str]:
    """Return the versions that somebody who wrote ``version`` may have meant, best first.

    Versions of the same minor line come first, by distance of their patch number; then those written alike.
    """
    choices = list(dict.fromkeys(available))
    wanted = parse(version)
    if wanted is None:
        return difflib.get_close_matches(version, choices, n=count, cutoff=0.3)
    parsed = [(known, text) for text in choices if (known := parse(text))]

    def distance(item: tuple[Version, str]) -> tuple[int, int, int, int, bool]:
        known = item[0]
        return (
            abs(known.major - wanted.major),
            abs(known.minor - wanted.minor),
            abs(known.patch - wanted.patch),
            1 - known.stage if wanted.stage else 0,
            known.flavour != wanted.flavour,
        )

    return [text for dummy, text in sorted(parsed, key=distance)[:count]]
