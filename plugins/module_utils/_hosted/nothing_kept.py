# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Lease and the record of a procedure that writes nothing to the cluster: there are none.

Two online backups at once do no harm: each has its own directory, key and temporary file, and asks how much room there is. What a
killed one leaves is known by the journal in its directory (set_journal.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record


class NoLease:
    """A LeaseStore that forgets."""

    ref = ObjectRef("Lease", "none")

    def read(self) -> dict[str, object] | None:
        """Return None: nobody holds it."""
        return None

    def write(self, _spec: Mapping[str, object], resource_version: str) -> str:
        """Return a version; nothing is kept."""
        return resource_version or "1"

    def delete(self, _resource_version: str) -> None:
        """Do nothing."""


class NoRecord:
    """A RecordStore that forgets."""

    ref = ObjectRef("ConfigMap", "none")

    def read(self) -> Record | None:
        """Return None: no run was begun."""
        return None

    def write(self, _record: Record) -> None:
        """Do nothing."""

    def delete(self) -> None:
        """Do nothing."""
