# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the containers of a control plane write to their logs, a file for each container: ``NAMESPACE_POD_CONTAINER.log``.

A line is the time, a space, the text. The file has what the container wrote since its last start, as a kubelet serves it; the
programs' own lines are JSON as theirs (osm v1.2.4 pkg/logger/logger.go, zerolog).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from pathlib import Path

from .pods import ControlPlanePod


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def line(level: str, component: str, message: str, *, error: str = "", reason: str = "") -> str:
    """One line of a program's log."""
    found = {"level": level, "component": component}
    if error:
        found["error"] = error
    if reason:
        found["reason"] = reason
    return json.dumps(found | {"time": now()[:19] + "Z", "message": message}, separators=(",", ":"))


def log_file(directory: Path, namespace: str, pod: str, container: str) -> Path:
    return directory / f"{namespace}_{pod}_{container}.log"


class PodLogs:
    """The log files of all pods, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, pod: ControlPlanePod) -> None:
        """The container starts (again): what it wrote before is gone."""
        self._file(pod).write_text("", encoding="utf-8")
        self.write(pod, [line("info", f"{pod.program}/main", f"Starting {pod.program} {pod.version}; ; ")])

    def write(self, pod: ControlPlanePod, lines: Iterable[str]) -> None:
        with self._file(pod).open("a", encoding="utf-8") as file:
            for text in lines:
                print(now(), text, file=file)

    def forget(self, pod: ControlPlanePod) -> None:
        """The pod is gone, and its logs with it."""
        self._file(pod).unlink(missing_ok=True)

    def _file(self, pod: ControlPlanePod) -> Path:
        return log_file(self.directory, pod.namespace, pod.name, pod.program)
