# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quantities of CPU and memory as Kubernetes writes them: ``500m``, ``1.5``, ``128Mi``, ``1G``, ``12e6``.

Source: apimachinery ``pkg/api/resource/quantity.go`` (grammar) and ``suffix.go``. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

# "1E" is an exa, "1E3" a thousand: an exponent needs digits.
_QUANTITY = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]))?")
_SUFFIXES: Mapping[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def quantity(value: Any) -> Fraction:
    """Return a quantity exactly, in cores, bytes or pieces; YAML may have made it a number. Raises ValueError for anything else."""
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a quantity")
    sign, digits, exponent, suffix = match.groups()
    number = Fraction(digits) * (Fraction(10) ** int(exponent) if exponent else _SUFFIXES.get(suffix or "", Fraction(1)))
    return -number if sign == "-" else number


# Thousands of pods ask for the same few amounts. Typed: True equals 1, and is no quantity.
@lru_cache(maxsize=1024, typed=True)
def millicores(value: Any) -> int:
    """Return CPU in thousandths of a core, rounded up as the scheduler does (``Quantity.MilliValue``)."""
    return math.ceil(quantity(value) * 1000)


@lru_cache(maxsize=1024, typed=True)
def whole(value: Any) -> int:
    """Return bytes or pieces, rounded up as the scheduler does (``Quantity.Value``)."""
    return math.ceil(quantity(value))


def cpu_text(millicores_: int) -> str:
    """Return CPU as people write it in values: ``300m``, ``2``, ``1500m``."""
    return str(millicores_ // 1000) if millicores_ % 1000 == 0 else f"{millicores_}m"


def memory_text(size: int) -> str:
    """Return bytes for people: exactly where a unit fits (``128M``, ``64Mi``), else rounded down to mebibytes."""
    for unit, factor in (("Gi", 1024**3), ("Mi", 1024**2), ("G", 10**9), ("M", 10**6)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size // 1024**2}Mi"
