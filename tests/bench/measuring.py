# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure commands side by side: each several times, in turn, so that what else the machine does falls on all of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

_CHILD = Path(__file__).resolve().parent / "measured.py"


class BenchFailed(Exception):
    """A measured command failed; there is no number for it."""


@dataclass(frozen=True)
class Candidate:
    """A command to measure; ``expect`` is a text that its output must contain, so that only what did its work is measured."""

    name: str
    argv: Sequence[str]
    stdin: str = ""
    expect: str = ""


class Measurement(NamedTuple):
    """Medians over the runs."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


def side_by_side(candidates: Sequence[Candidate], runs: int, environment: Mapping[str, str]) -> list[Measurement]:
    """Return one measurement per candidate, in their order; a first round warms caches, may still change things, and is not counted."""
    for candidate in candidates:
        once(replace(candidate, expect=""), environment)
    rounds = [[once(candidate, environment) for candidate in candidates] for dummy in range(runs)]
    return [_median(candidate.name, [found[index] for found in rounds]) for index, candidate in enumerate(candidates)]


def _median(name: str, found: Sequence[tuple[dict[str, float], str]]) -> Measurement:
    seconds, cpu_seconds, peak_mib = (
        statistics.median(usage[key] for usage, _output in found) for key in ("seconds", "cpu_seconds", "peak_mib")
    )
    return Measurement(name, seconds, cpu_seconds, peak_mib)


def once(candidate: Candidate, environment: Mapping[str, str]) -> tuple[dict[str, float], str]:
    """Run a candidate and return what it took (see measured.py) and its output; raises BenchFailed when it did not do its work."""
    with tempfile.TemporaryDirectory() as scratch:
        stdin, stdout, stderr = (Path(scratch) / name for name in ("stdin", "stdout", "stderr"))
        stdin.write_text(candidate.stdin, encoding="utf-8")
        command = [sys.executable, "-I", "-S", str(_CHILD), str(stdin), str(stdout), str(stderr), *candidate.argv]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(environment))
        output, errors = stdout.read_text(encoding="utf-8"), stderr.read_text(encoding="utf-8")
    found: dict[str, float] = json.loads(done.stdout)
    if found["code"] or candidate.expect not in output:
        raise BenchFailed(f"{candidate.name} did not do its work (exit code {found['code']:g}):\n{output[-3000:]}\n{errors[-3000:]}")
    return found, output
