# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup goes by: read at its start, and again whenever it may have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_reading import BackupReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record

# What was read a moment ago is not read again before anything was written.
_FRESH_SECONDS = 10.0


class BackupView:
    """``state`` is the newest one; ``complete`` adds to what was read what only another API knows.

    With ``under_lease`` the second look reads again: it is the one under the Lease, before which somebody else may have written.
    """

    def __init__(self, reader: BackupReader, complete: Callable[[BackupState], BackupState], *, under_lease: bool) -> None:
        self._reader, self._complete, self._under_lease = reader, complete, under_lease
        # Steps that go on after a conflict observe from their own threads.
        self._lock = threading.Lock()
        self._looks = 0
        self._outdated = False
        self._read_at = time.monotonic()
        self.state = complete(reader.read())

    def observe(self, _record: Record | None) -> BackupState:
        """Return the state, read again where it may have changed."""
        with self._lock:
            self._looks += 1
            first_of_lease = self._under_lease and self._looks == 2
            if first_of_lease or self._outdated or time.monotonic() - self._read_at > _FRESH_SECONDS:
                # What is written from here on may be missed by this reading.
                self._read_at, self._outdated = time.monotonic(), False
                self.state = self._complete(self._reader.read_again(self.state))
            return self.state

    def expect_change(self) -> None:
        """Let the next look read again."""
        self._outdated = True
