# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a real module in a process of its own: JSON in, JSON out, without a controller in between (0.5 s instead of 2)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGE = "ansible_collections.meshops.lifecycle.plugins.modules"


_STACK_SECONDS = 5.0
_SHOWN_LINES = 40


class ModuleFailed(AssertionError):
    """A module that ended without a result, or not in time: its output and its progress are the message."""


class Module(subprocess.Popen[str]):
    """A running module; ``directory`` is where it writes ``progress.jsonl``, and is removed with it when nobody ``named`` it."""

    directory: Path
    named: bool


def start_module(
    name: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    env: Mapping[str, str] | None = None,
    tmpdir: str | Path | None = None,
    within: Sequence[str] = (),
) -> Module:
    """Start a module and return its process; ``args`` are its options, ``tmpdir`` is where it finds ``progress.jsonl``.

    ``within`` is a command that becomes the one it is given.
    Without ``tmpdir`` it gets a directory of its own, so that one that does not end can be asked what it waits for.
    """
    directory = Path(tmpdir) if tmpdir is not None else _new_directory()
    internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_module_name": name, "_ansible_tmpdir": str(directory)}
    process = Module(
        # SIGABRT makes it tell where each of its threads is.
        [*within, sys.executable, "-X", "faulthandler", "-m", f"{PACKAGE}.{name}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    process.directory, process.named = directory, tmpdir is not None
    if process.stdin is None:
        raise ModuleFailed("the module has no standard input")
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**args, **internal}}))
    process.stdin.close()
    process.stdin = None  # communicate() would flush it
    return process


def _new_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="module-"))
    (directory / "progress.jsonl").touch()
    return directory


def finish_module(process: Module, timeout: float = 300) -> dict[str, Any]:
    """Wait for a started module and return its result (``failed`` is set when it failed).

    One that does not end in time is ended, and ModuleFailed says how far it had come and where its threads were.
    """
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as late:
        raise ModuleFailed(f"it did not end within {timeout:g} s\n{_last_words(process)}") from late
    finally:
        if not process.named:
            shutil.rmtree(process.directory, ignore_errors=True)
    for line in reversed(stdout.splitlines()):
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict):
            return result
    raise ModuleFailed(f"no result, exit code {process.returncode}\nstdout: {stdout[-2000:]}\nstderr: {stderr[-4000:]}")


def _last_words(process: Module) -> str:
    """End a module, and return its progress and what it wrote to its standard error on the way."""
    process.send_signal(signal.SIGABRT)
    try:
        _stdout, stderr = process.communicate(timeout=_STACK_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _stdout, stderr = process.communicate()
    progress = process.directory / "progress.jsonl"
    lines = progress.read_text(encoding="utf-8").splitlines() if progress.exists() else []
    return "\n".join(["progress:", *lines[-_SHOWN_LINES:], "stderr:", stderr[-8000:]])


def run_module(name: str, args: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Run a module to its end and return its result; options as for ``start_module``."""
    timeout = options.pop("timeout", 300)
    return finish_module(start_module(name, args, **options), timeout)
