# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are: the checkout's own files, the cache of binaries, the directory of clusters."""

from __future__ import annotations

import os
from pathlib import Path

SANDBOX = Path(__file__).resolve().parent.parent
PINS = SANDBOX / "build"
CHARTS = SANDBOX / "charts"
STANDINS = SANDBOX / "standins"
APPS = SANDBOX / "apps"
STAGES = SANDBOX / "stages"


def cache() -> Path:
    """The cache outside the checkout: MESHOPS_CACHE, else meshops-lifecycle in the user's cache directory."""
    if chosen := os.environ.get("MESHOPS_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshops-lifecycle"


def clusters() -> Path:
    """The directory that holds one directory per cluster: MESHOPS_SANDBOX_HOME, else ``clusters`` in the cache."""
    return Path(os.environ.get("MESHOPS_SANDBOX_HOME") or cache() / "clusters")
