# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all programs of a cluster share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .api import Api
from .endpoint import Endpoints
from .pod_logs import PodLogs

Say = Callable[[str], None]


class Node(NamedTuple):
    """Where the programs run. ``bootstrap_seconds`` is how long a bootstrap takes for all definitions."""

    api: Api
    endpoints: Endpoints
    logs: PodLogs
    bootstrap_seconds: float
    say: Say
