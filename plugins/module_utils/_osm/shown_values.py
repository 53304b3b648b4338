# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm values as a diff may show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import MASK


def shown_values(values: Mapping[str, Any], plain: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Return values for a diff: what this task did not give inline is masked.

    Values files and earlier releases may hold secrets; ``mark`` says in the mask which side it is.
    """
    shown: dict[str, Any] = {}
    for key, value in values.items():
        given = plain.get(key)
        if isinstance(value, Mapping):
            shown[key] = shown_values(value, given if isinstance(given, Mapping) else {}, mark)
        elif value == given or value is None or isinstance(value, bool):
            shown[key] = value
        else:
            shown[key] = f"{MASK} ({mark})"
    return shown
