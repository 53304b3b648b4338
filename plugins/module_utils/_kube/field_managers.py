# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who wrote an object, as the API server keeps it in ``managedFields``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def last_writer(item: Object) -> str:
    """Return the field manager that wrote an object last, or the empty string: whoever makes again what was deleted."""
    entries = item["metadata"].get("managedFields") or ()
    written = [entry for entry in entries if entry.get("subresource") != "status" and entry.get("manager")]
    return str(max(written, key=_time)["manager"]) if written else ""


def owner_of(item: Object, *path: str) -> str:
    """Return the field manager that set one field (``owner_of(deployment, "spec", "replicas")``), or the empty string."""
    for entry in item["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1")
        for key in path:
            fields = (fields or {}).get(f"f:{key}")
        if fields is not None:
            return str(entry.get("manager"))
    return ""


def _time(entry: Object) -> str:
    return str(entry.get("time") or "")
