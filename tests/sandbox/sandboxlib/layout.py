# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one cluster consists of on disk and on the loopback interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .loopback import Network
from .options import Options


@dataclass(frozen=True)
class Layout:
    """The private directory of a cluster, the addresses it uses, and what it was asked to be."""

    directory: Path
    options: Options
    network: Network
    api_port: int
    kubelet_port: int
    kwok_port: int

    @property
    def server(self) -> str:
        # 127.0.0.1 and not an address of the cluster's own network: NO_PROXY settings usually name only that one.
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    def log(self, component: str) -> Path:
        return self.directory / "logs" / f"{component}.log"

    def pid_file(self, component: str) -> Path:
        return self.directory / "processes" / f"{component}.json"

    def make_directories(self) -> None:
        for part in ("pki", "logs", "processes", "users"):
            (self.directory / part).mkdir(mode=0o700, exist_ok=True)
