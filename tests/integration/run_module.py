# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a real module in a process of its own: JSON in, JSON out, without a controller in between (0.5 s instead of 2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = "ansible_collections.meshops.lifecycle.plugins.modules"


class ModuleFailed(AssertionError):
    """A module that ended without a result: its output is the message."""


def start_module(
    name: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    env: Mapping[str, str] | None = None,
    tmpdir: str | Path | None = None,
) -> subprocess.Popen[str]:
    """Start a module and return its process; ``args`` are its options, ``tmpdir`` is where it finds ``progress.jsonl``."""
    internal: dict[str, Any] = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_module_name": name}
    if tmpdir is not None:
        internal["_ansible_tmpdir"] = str(tmpdir)
    process = subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.{name}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    if process.stdin is None:
        raise ModuleFailed("the module has no standard input")
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**args, **internal}}))
    process.stdin.close()
    process.stdin = None  # communicate() would flush it
    return process


def finish_module(process: subprocess.Popen[str], timeout: float = 300) -> dict[str, Any]:
    """Wait for a started module and return its result (``failed`` is set when it failed)."""
    stdout, stderr = process.communicate(timeout=timeout)
    for line in reversed(stdout.splitlines()):
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict):
            return result
    raise ModuleFailed(f"no result, exit code {process.returncode}\nstdout: {stdout[-2000:]}\nstderr: {stderr[-4000:]}")


def run_module(name: str, args: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Run a module to its end and return its result; options as for ``start_module``."""
    timeout = options.pop("timeout", 300)
    return finish_module(start_module(name, args, **options), timeout)
