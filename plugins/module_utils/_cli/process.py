# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command: a list of arguments, never a shell; bounded in time and output; it dies with the module."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor

GRACE_SECONDS = 5.0
MOST_OUTPUT = 64 * 1024 * 1024
_SHOWN_OUTPUT = 4000
_PR_SET_PDEATHSIG = 1


class Completed(NamedTuple):
    """An ended command; the output is decoded as UTF-8."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float


class CommandError(LifecycleError):
    """A command that could not be run to a good end; ``command`` and ``stderr`` are masked."""

    def __init__(self, msg: str, *, command: Sequence[str], why: str = "", next: str = "", completed: Completed | None = None) -> None:
        self.command = list(command)
        self.returncode = completed.returncode if completed else None
        self.stderr = completed.stderr if completed else ""
        details: dict[str, object] = {"command": self.command}
        if completed is not None:
            details.update(returncode=completed.returncode, stderr=completed.stderr[-_SHOWN_OUTPUT:], seconds=round(completed.seconds, 3))
        super().__init__(msg, why=why, next=next, details=details)


class CommandNotFound(CommandError):
    """There is no such program, or it may not be executed."""


class CommandFailed(CommandError):
    """The command ended with another status than 0, or wrote too much."""


class CommandTimedOut(CommandError):
    """The command had not ended when the time was over, and was stopped."""


def run(
    argv: Sequence[str],
    *,
    deadline: Deadline,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: bytes | None = None,
    on_line: Callable[[str], None] | None = None,
    mask: Iterable[str] = (),
    check: bool = True,
    death_signal: signal.Signals = signal.SIGKILL,
    most_output: int = MOST_OUTPUT,
) -> Completed:
    """Run ``argv`` in a process group of its own and return when it has ended.

    ``env`` is the whole environment (default: the module's own). ``on_line`` gets every line of output, masked, from a
    thread of its own; what it raises is dropped, and it is not called again. ``mask`` are secrets that never appear in
    errors or lines. At the deadline the group gets SIGTERM and, GRACE_SECONDS later, SIGKILL. ``death_signal`` is what the
    kernel sends to the command when the module dies, however it dies. More output than ``most_output`` bytes stops the
    command.

    Raises CommandNotFound, CommandTimedOut, and CommandFailed when ``check`` is set and the status is not 0.
    """
    redactor = Redactor(mask)
    shown = [redactor.text(argument) for argument in argv]
    started = time.monotonic()
    process = _start(argv, shown, env, cwd, stdin is not None, death_signal)
    too_much = threading.Event()

    def overflow() -> None:
        too_much.set()
        _signal_group(process, signal.SIGKILL)

    def line(text: str) -> None:
        if on_line is not None:
            on_line(redactor.text(text))

    outputs = [_Output(stream, most_output, overflow, line) for stream in (process.stdout, process.stderr) if stream is not None]
    try:
        if stdin is not None:
            threading.Thread(target=_feed, args=(process, stdin), daemon=True).start()
        timed_out = not _wait(process, deadline.remaining())
    finally:
        _stop(process)
        # A child of the command may hold its output open.
        if not all(output.ended(2.0) for output in outputs):
            _signal_group(process, signal.SIGKILL)
    stdout, stderr = (output.text() for output in outputs)
    completed = Completed(process.returncode, stdout, stderr, time.monotonic() - started)
    masked = completed._replace(stdout="", stderr=redactor.text(stderr))
    name = _name(shown)
    if too_much.is_set():
        raise CommandFailed(f"{name} was stopped", command=shown, why=f"it wrote more than {most_output} bytes", completed=masked)
    if timed_out:
        raise CommandTimedOut(
            f"{name} did not end in time and was stopped",
            command=shown,
            why=f"{deadline.seconds:g} s were over" + (f"; it last said: {_last_line(masked.stderr)}" if masked.stderr.strip() else ""),
            next="run again; give more time if it was on its way (option timeout)",
            completed=masked,
        )
    if check and completed.returncode != 0:
        raise CommandFailed(
            f"{name} failed ({_status(completed.returncode)})",
            command=shown,
            why=masked.stderr.strip()[-_SHOWN_OUTPUT:] or redactor.text(stdout).strip()[-_SHOWN_OUTPUT:],
            completed=masked,
        )
    return completed


def _start(
    argv: Sequence[str],
    shown: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: str | None,
    with_stdin: bool,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    import ctypes

    program = shutil.which(argv[0], path=(env if env is not None else os.environ).get("PATH"))
    if program is None:
        raise CommandNotFound(
            f"{argv[0]} was not found",
            command=shown,
            why="no such executable file" if os.sep in argv[0] else "it is in no directory of PATH",
            next=f"install {os.path.basename(argv[0])}, or give its path",
        )
    # Loaded here: between fork and exec nothing may be imported or allocated that another thread might hold a lock for.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    try:
        # run_command knows neither a deadline nor a child that dies with the module.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            [program, *argv[1:]],
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        raise CommandNotFound(
            f"{argv[0]} cannot be run", command=shown, why=str(error), next="check that it is a program for this machine"
        ) from error


class _Output:
    """Reads one stream of a command to its end in a thread of its own."""

    def __init__(self, stream: IO[bytes], most: int, overflow: Callable[[], None], line: Callable[[str], None]) -> None:
        self._stream = stream
        self._most = most
        self._overflow = overflow
        self._line = line
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def ended(self, seconds: float) -> bool:
        """Wait for the end of the stream, and return whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def text(self) -> str:
        """Return what has been read."""
        return b"".join(self._chunks).decode("utf-8", "replace")

    def _read(self) -> None:
        size, rest = 0, b""
        while chunk := os.read(self._stream.fileno(), 65536):
            size += len(chunk)
            if size > self._most:
                self._overflow()
                break
            self._chunks.append(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            self._tell(lines)
        self._tell([rest] if rest else [])
        self._stream.close()

    def _tell(self, lines: Sequence[bytes]) -> None:
        try:
            for text in lines:
                self._line(text.decode("utf-8", "replace"))
        except Exception:
            # Whoever wants to see lines must not stop the command: unread output would block it.
            self._line = lambda text: None


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(data)
        process.stdin.close()
    except OSError:
        # The command did not want all of it; its status says whether that was right.
        return


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    _signal_group(process, signal.SIGTERM)
    if not _wait(process, GRACE_SECONDS):
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _name(shown: Sequence[str]) -> str:
    """Return the program and its subcommand, for instance ``helm upgrade``."""
    words = [os.path.basename(shown[0]), *(word for word in shown[1:2] if not word.startswith("-"))]
    return " ".join(words)


def _status(returncode: int) -> str:
    if returncode < 0:
        try:
            return f"ended by {signal.Signals(-returncode).name}"
        except ValueError:
            return f"ended by signal {-returncode}"
    return f"status {returncode}"


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1][:300]
