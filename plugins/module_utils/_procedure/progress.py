# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress: one JSON line per event, appended to a file that the action plugin tails.

Silent when the file is not there (a module called without the action plugin, or under async), and never a reason to fail.
"""

from __future__ import annotations

import json
import os
import time

# Who waits tells it in a loop: the same line again is worth reading after so many seconds only.
_REPEAT_SECONDS = 10.0


class Progress:
    """Writer of ``progress.jsonl``; ``directory`` is the module's own temporary directory."""

    def __init__(self, directory: str = "") -> None:
        self._path = os.path.join(directory, "progress.jsonl") if directory else ""
        self._last = ("", 0.0)

    def line(self, text: str) -> None:
        """Append ``text``, which must be built from step ids and counts only: values may be secret."""
        if not self._path or self._is_repeated(text):
            return
        record = json.dumps({"time": time.time(), "text": text}) + "\n"
        try:
            # No O_CREAT: the reader owns the file, and its absence means that nobody reads.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            try:
                os.write(descriptor, record.encode())
            finally:
                os.close(descriptor)
        except OSError:
            self._path = ""

    def _is_repeated(self, text: str) -> bool:
        now, (last, since) = time.monotonic(), self._last
        if text == last and now - since < _REPEAT_SECONDS:
            return True
        self._last = (text, now)
        return False
