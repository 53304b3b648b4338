# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors as they are written in a request, for labels that the API server does not have. Pure.

Source: apimachinery pkg/labels/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*)?(?P<key>[^\s,!=<>()]+)\s*"
    r"(?:(?P<operator>==|!=|=|<|>)\s*(?P<value>[^\s,]*)|(?P<set>notin|in)\s*\((?P<values>[^)]*)\))?\s*(?:,|$)"
)


def fits(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether ``selector``, which the API server has accepted before, matches these labels; an empty one matches everything."""
    return all(_holds(term, labels) for term in _TERM.finditer(selector))


def _holds(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    found, value = labels.get(term["key"]), term["value"]
    if term["set"]:
        return (found in [item.strip() for item in term["values"].split(",")]) == (term["set"] == "in")
    if term["operator"] in ("=", "=="):
        return found == value
    if term["operator"] == "!=":
        return found != value
    if term["operator"]:
        if found is None or not re.fullmatch(r"-?\d+", found):
            return False
        return int(found) > int(value) if term["operator"] == ">" else int(found) < int(value)
    return (found is None) == bool(term["absent"])
