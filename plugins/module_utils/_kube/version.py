# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's version, for the User-Agent header: a module at run time cannot read galaxy.yml."""

from __future__ import annotations

VERSION = "0.1.0"
FIELD_MANAGER = "meshops.lifecycle"
