# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that outlive their starter and are known by pid *and* start time, so that a recycled pid is never killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from .errors import SandboxError

_POLL_SECONDS = 0.02


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def started(pid: int) -> str | None:
    """What tells this process from any other that had or will have its pid; None when it is gone (a zombie is)."""
    try:
        # The second field, the command in parentheses, may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        # A killed process is called a zombie while its other threads still end, and still hold its sockets.
        ended = fields[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if ended else f"{_boot()}-{fields[19]}"


@dataclass(frozen=True)
class Process:
    """One started process; ``save`` and ``load`` keep it in a file between commands."""

    pid: int
    started: str
    argv: list[str]
    log: str

    @property
    def alive(self) -> bool:
        self._reap()
        return started(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def save(self, path: Path) -> None:
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self)), encoding="utf-8")
        scratch.rename(path)  # a reader finds all of it or nothing

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """The saved process; None when there is no such file."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def _reap(self) -> None:
        """Take the exit status if we happen to be the parent (tests are, a later command is not)."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass


def start(argv: list[str], log: Path, pid_file: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Start ``argv`` in a session of its own (Ctrl-C of the caller does not reach it), appending its output to ``log``;
    with the caller's environment, unless another is given."""
    if not os.access(argv[0], os.X_OK):
        raise SandboxError(f"{argv[0]} is not there, or cannot be executed")
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ if environment is None else environment,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
    )
    process = Process(pid, started(pid) or "gone", argv, str(log))
    process.save(pid_file)
    return process


def stop(processes: Iterable[Process], patience: float = 5.0) -> None:
    """End the processes and wait until they are gone: SIGTERM to all, after ``patience`` seconds SIGKILL."""
    remaining = list(processes)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 30.0)):
        for process in remaining:
            process.signal(number)
        deadline = time.monotonic() + seconds
        while remaining := [process for process in remaining if process.alive]:
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)


def log_tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file, for an error message."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
