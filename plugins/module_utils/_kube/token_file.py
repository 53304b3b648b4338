# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token that somebody else renews in a file."""

from __future__ import annotations

import time

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

_REREAD_SECONDS = 60


class TokenFile:
    """Authorization by a token that somebody else renews in its file; read again every minute, as client-go does."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._header = self._read()
        self._until = time.monotonic() + _REREAD_SECONDS

    def __call__(self) -> str:
        """Return the Authorization header; the last known one while the file cannot be read."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + _REREAD_SECONDS
            try:
                self._header = self._read()
            except LifecycleError:
                return self._header
        return self._header

    def _read(self) -> str:
        try:
            with open(self._path, encoding="utf-8") as stream:
                token = stream.read().strip()
        except (OSError, UnicodeError) as error:
            raise LifecycleError(f"Token file {self._path} cannot be read", why=str(error), next="correct its path") from error
        if not token:
            raise LifecycleError(f"Token file {self._path} is empty", next="log in again, or correct its path")
        return f"Bearer {token}"
