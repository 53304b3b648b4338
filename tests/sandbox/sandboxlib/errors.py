# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception family of the sandbox; the command line prints its text and exits with 1."""

from __future__ import annotations


class SandboxError(Exception):
    """Something the sandbox cannot do; the text says what, why and what to do next."""
