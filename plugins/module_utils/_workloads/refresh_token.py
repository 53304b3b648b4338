# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value of the annotation TOKEN: for which sidecar and configuration, and for which restart, pods were replaced. Pure.

``<fingerprint>[.t<restart>][.<n>]``: the fingerprint of sidecar and configuration; the hash of the word that a caller names a restart
with; a number from 2 on, when pods have to be replaced once more although nothing of the rest changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

# In the place of a fingerprint, for pods that are to have no sidecar.
WITHOUT_SIDECAR = hashlib.sha256(b"without sidecar").hexdigest()[:16]


class Token(NamedTuple):
    """A value in its parts; ``number`` is 1 when none is written."""

    fingerprint: str
    restart: str = ""
    number: int = 1

    def __str__(self) -> str:
        """Return the value as it is written."""
        parts = [self.fingerprint, f"t{self.restart}" if self.restart else "", str(self.number) if self.number > 1 else ""]
        return ".".join(part for part in parts if part)

    def is_same(self, other: Token) -> bool:
        """Whether both ask for the same, whatever their numbers."""
        return self[:2] == other[:2]


def parse(value: str) -> Token:
    """Return the parts of a value; what is not ours becomes a fingerprint that equals no other."""
    fingerprint, *rest = value.split(".")
    restart, number = "", 1
    if rest and rest[0].startswith("t"):
        restart = rest.pop(0)[1:]
    if rest and rest[0].isascii() and rest[0].isdigit():
        number = int(rest.pop(0))
    return Token(value) if rest else Token(fingerprint, restart, max(1, number))


def restart_id(word: str) -> str:
    """Return what stands in tokens for the word that a caller names a restart with."""
    return hashlib.sha256(word.encode()).hexdigest()[:12] if word else ""


def following(wanted: Token, values: Iterable[str]) -> Token:
    """Return ``wanted`` with a number that none of these values has."""
    numbers = [token.number for token in map(parse, filter(None, values)) if token.is_same(wanted)]
    return wanted._replace(number=max(numbers, default=0) + 1)
