# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run legs of the version matrix, and say of each what it ran and how long it took, or why it was NOT RUN here.

A leg is live (one upgrade from end to end by ansible-playbook, tests/matrix) or static (unit tests, sanity tests and
documentation). ansible-core goes with the Python: 2.19 is the last for 3.11, 3.12 and newer bring 2.21 (requirements/).
Two commands run side by side, of one leg or of two: a sanity test and a cluster that is waited for leave a core idle.

usage: tools/matrix [--list | all | LEG...]        default: the legs that CI runs
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
OLD, NEW = ("3.11",), ("3.13", "3.12")


class Leg(NamedTuple):
    """``pythons`` are tried in this order; ``helm`` is a binary set and ``kubernetes`` a minor version, both empty for a static leg;
    ``pins`` is a directory below requirements/."""

    name: str
    what: str
    pythons: Sequence[str]
    helm: str = ""
    kubernetes: str = ""
    pins: str = ""
    in_ci: bool = True

    @property
    def binary_sets(self) -> list[str]:
        """What has to be built for it beside what every cluster needs."""
        emulated = [f"kube-apiserver-{self.kubernetes}"] if self.kubernetes not in ("", "1.34") else []
        return [*([self.helm] if self.helm else []), *emulated]

    @property
    def commands(self) -> list[list[str]]:
        """What it runs; no command needs another one's result."""
        if self.helm:
            return [[str(TOP / "tools" / "in-tree"), "pytest", "-q", "tests/matrix"]]
        units = [str(TOP / "tools" / "in-tree"), "pytest", "-q", "-n", "2", "tests/unit"]
        return [[str(TOP / "tools" / "gates"), "sanity", "documentation"], units]


class Outcome(NamedTuple):
    leg: Leg
    result: str
    seconds: float


def legs() -> list[Leg]:
    """All legs; the static one is that of the other ansible-core than the one that ``make test`` and ``make lint`` run with."""
    other = NEW if sys.version_info[:2] == (3, 11) else OLD
    return [
        Leg("oldest", "the lowest of everything: kubernetes.core 6.1, helm 3.14", OLD, "helm-3.14", "1.31", "oldest"),
        Leg("newest", "the newest of everything: helm 4", NEW, "helm-4", "1.34"),
        Leg("other-core", "unit tests, sanity tests and documentation", other),
        Leg("old-core", "ansible-core 2.19 with helm 4", OLD, "helm-4", "1.31", in_ci=False),
        Leg("new-core", "ansible-core 2.21 with helm 3.14", NEW, "helm-3.14", "1.31", in_ci=False),
    ]


def interpreters(version: str) -> Iterator[str]:
    """Where a Python X.Y may be: this one, on PATH, or kept by pyenv (whose shim on PATH refuses versions not selected)."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield os.path.join(sys.base_prefix, "bin", f"python{version}")
    yield f"python{version}"
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    yield from sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"))


def find_python(versions: Sequence[str]) -> str:
    """Return the path of the first of these Pythons that starts, empty when there is none."""
    for version in versions:
        for candidate in interpreters(version):
            path = shutil.which(candidate)
            if path and subprocess.run([path, "-c", ""], check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
                return path
    return ""


class Job(NamedTuple):
    """One command of a leg, and the Python to run it with."""

    leg: Leg
    python: str
    command: list[str]


class Done(NamedTuple):
    """How a command ended, and how long it took."""

    code: int
    seconds: float


def run_job(job: Job) -> Done:
    """Run one command, and print all that it said when it has ended: others run beside it."""
    started = time.monotonic()
    leg = job.leg
    chosen = {"MESHOPS_REQUIREMENTS": leg.pins, "MESHOPS_MATRIX_HELM": leg.helm, "MESHOPS_MATRIX_KUBERNETES": leg.kubernetes}
    environment = {**os.environ, "PYTHON": job.python} | {name: value for name, value in chosen.items() if value}
    done = subprocess.run(job.command, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    what = " ".join(job.command).removeprefix(f"{TOP}/")
    print(f"\n--- matrix leg {leg.name}: {leg.what} ({job.python})\n--- {what}\n{done.stdout}", end="", flush=True)
    return Done(done.returncode, time.monotonic() - started)


def run(wanted: Sequence[Leg]) -> list[Outcome]:
    """Run these legs, all commands of each, so that one run tells everything."""
    pythons = {leg.name: find_python(leg.pythons) for leg in wanted}
    jobs = [Job(leg, pythons[leg.name], command) for leg in wanted if pythons[leg.name] for command in leg.commands]
    # The long ones first, so that none of them is left to run alone.
    jobs.sort(key=is_live)
    with ThreadPoolExecutor(2) as pool:
        ended = list(zip(jobs, pool.map(run_job, jobs), strict=True))
    return [outcome(leg, [done for job, done in ended if job.leg == leg]) for leg in wanted]


def is_live(job: Job) -> bool:
    """Whether it is of a live leg."""
    return bool(job.leg.helm)


def outcome(leg: Leg, done: Sequence[Done]) -> Outcome:
    """What is said about a leg whose commands ended so; there are none when its Python is missing."""
    if not done:
        return Outcome(leg, f"NOT RUN: this machine has no Python {' or '.join(leg.pythons)}", 0)
    return Outcome(leg, "FAILED" if any(each.code for each in done) else "ok", sum(each.seconds for each in done))


def chosen(names: Sequence[str]) -> list[Leg]:
    """The legs of ``names``, or those of CI; raises SystemExit for an unknown name."""
    known = {leg.name: leg for leg in legs()}
    if list(names) == ["all"]:
        return list(known.values())
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"no leg is named {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names] or [leg for leg in known.values() if leg.in_ci]


def main() -> int:
    if sys.argv[1:] == ["--list"]:
        for leg in legs():
            live = f"helm {leg.helm.removeprefix('helm-')}, Kubernetes {leg.kubernetes}" if leg.helm else "static"
            print(f"{leg.name:<11} Python {' or '.join(leg.pythons):<12} {live:<28} {leg.what}{'' if leg.in_ci else ' (not in CI)'}")
        return 0
    wanted = chosen(sys.argv[1:])
    sets = sorted({name for leg in wanted for name in leg.binary_sets})
    if sets:
        subprocess.run([str(TOP / "tests" / "sandbox" / "sandbox"), "build", *sets], check=True)
    outcomes = run(wanted)
    print()
    for each in outcomes:
        print(f"matrix leg {each.leg.name:<11} {each.seconds:4.0f} s  {each.result}")
    return int(any(each.result == "FAILED" for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
