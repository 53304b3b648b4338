# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m sandboxlib``, as ``tests/sandbox/sandbox`` runs it."""

from __future__ import annotations

from .cli import main

main()
