# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of one cluster: claiming it, what is recorded in it, which processes belong to it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .layout import Layout
from .loopback import Network
from .options import Options
from .processes import Process


@contextmanager
def claimed(directory: Path, *, create: bool) -> Iterator[bool]:
    """Hold the cluster's directory against other commands; False when it is absent (and ``create`` is not set).

    The lock is on the directory itself, so that removing a cluster leaves nothing behind, no lock file either.
    """
    while True:
        if create:
            directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still(directory, handle):
                yield True
                return
        finally:
            os.close(handle)


def _is_still(directory: Path, handle: int) -> bool:
    """Whether the directory that we waited for was not removed (and perhaps made again) meanwhile."""
    try:
        return os.path.samestat(directory.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Record:
    """``cluster.json``: the layout, whether start-up was completed, and when it began."""

    layout: Layout
    complete: bool
    created: str

    def save(self) -> None:
        layout = self.layout
        content = {
            "complete": self.complete,
            "created": self.created,
            "server": layout.server,
            "service_range": layout.network.service_range,
            "network": layout.network.octet,
            "api_port": layout.api_port,
            "kubelet_port": layout.kubelet_port,
            "kwok_port": layout.kwok_port,
            "options": layout.options.as_dict(),
            "pids": {name: process.pid for name, process in sorted(processes(layout.directory).items())},
        }
        path = layout.directory / "cluster.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        scratch.rename(path)

    @classmethod
    def load(cls, directory: Path) -> Record | None:
        """What is recorded in ``directory``; None when that is no cluster, or not one of this version of the sandbox."""
        try:
            content: dict[str, Any] = json.loads((directory / "cluster.json").read_text(encoding="utf-8"))
            layout = Layout(
                directory,
                Options(**content["options"]),
                Network(content["network"]),
                content["api_port"],
                content["kubelet_port"],
                content["kwok_port"],
            )
            return cls(layout, content["complete"], content["created"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None


def processes(directory: Path) -> dict[str, Process]:
    """The processes that were started for the cluster, by component, whether or not they still run."""
    found = {path.stem: Process.load(path) for path in (directory / "processes").glob("*.json")}
    return {name: process for name, process in found.items() if process is not None}


def remove(directory: Path) -> None:
    """Remove the directory with all that is in it."""
    shutil.rmtree(directory)
