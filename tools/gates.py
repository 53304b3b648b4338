# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quality gates: run them side by side, print one line each, and the whole output of those that fail.

usage: tools/gates [--list | NAME...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from glob import glob
from pathlib import Path
from typing import NamedTuple

HERE = "ansible_collections/meshops/lifecycle"
TYPED = ("plugins", "tools", "tests/meta", "tests/sandbox/sandboxlib")


class Gate(NamedTuple):
    """A command that must exit with 0 in the collection's tree (or in ``directory`` of it)."""

    name: str
    what: str
    command: Sequence[str]
    directory: str = "."


class Result(NamedTuple):
    gate: Gate
    ok: bool
    seconds: float
    output: str


def shell_scripts() -> list[str]:
    """Every tracked script that a shell runs, whatever its name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    scripts = []
    for name in sorted(set(listed.split("\0")) - {""}):
        if Path(name).is_file():
            with open(name, "rb") as script:
                first = script.readline(80)
            if first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in (b"sh", b"bash"):
                scripts.append(name)
    return scripts


def gates() -> list[Gate]:
    """All gates, the slow ones first, so that they do not come last on an idle machine."""
    python = sys.executable
    return [
        Gate("sanity", "ansible-test sanity, without ignore files", [python, "tools/sanity.py"]),
        Gate("importer", "build the artefact and import it as Galaxy does", ["tools/check_artefact"]),
        Gate(
            "docs",
            "documentation markup and references",
            [
                "antsibull-docs",
                "lint-collection-docs",
                "--plugin-docs",
                "--validate-collection-refs",
                "dependent",
                # Not --disallow-unknown-collection-refs: a fragment of kubernetes.core names community.okd.
                ".",
            ],
        ),
        Gate("ansible", "ansible-lint, production profile", ["ansible-lint", "--strict", "--nocolor", "-q"]),
        Gate("documentation", "ansible-doc shows everything, playbooks parse", [python, "tools/check_documentation.py"]),
        # From the root of the tree: from elsewhere mypy would know each file under two names.
        Gate(
            "mypy",
            "strict types",
            ["mypy", f"--config-file={HERE}/pyproject.toml", *(f"{HERE}/{path}" for path in TYPED if glob(path))],
            directory="../../..",
        ),
        Gate("ruff", "Python lint", ["ruff", "check", "--quiet", "--output-format", "concise", "."]),
        Gate("format", "Python format", ["ruff", "format", "--check", "--quiet", "."]),
        Gate("yaml", "yamllint", ["yamllint", "--strict", "."]),
        Gate("shell", "shellcheck", ["shellcheck", *shell_scripts()]),
        Gate("changelog", "changelog fragments", ["antsibull-changelog", "lint"]),
        Gate("reuse", "every file has a licence and a copyright", ["reuse", "lint", "--quiet"]),
        Gate("headers", "licence header of every source file", [python, "tools/check_text.py", "headers"]),
        Gate("places", "no path of one machine, no package index, nothing unfinished", [python, "tools/check_text.py", "places"]),
    ]


def run(gate: Gate) -> Result:
    started = time.monotonic()
    done = subprocess.run(
        gate.command, check=False, cwd=gate.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Result(gate, done.returncode == 0, time.monotonic() - started, done.stdout)


def chosen(names: Sequence[str]) -> list[Gate]:
    """The gates of ``names``, or all; raises SystemExit for an unknown name."""
    known = {gate.name: gate for gate in gates()}
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"no gate is named {', '.join(unknown)}; there are {', '.join(known)}")
    return [gate for gate in known.values() if not names or gate.name in names]


def main() -> int:
    if sys.argv[1:] == ["--list"]:
        for gate in gates():
            print(f"{gate.name:<14} {gate.what}")
        return 0
    selected = chosen(sys.argv[1:])
    failed = []
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        for future in as_completed([pool.submit(run, gate) for gate in selected]):
            result = future.result()
            print(f"{'ok    ' if result.ok else 'FAILED'} {result.gate.name:<14} {result.seconds:6.1f} s  {result.gate.what}", flush=True)
            if not result.ok:
                failed.append(result.gate.name)
                print(f"{result.output.rstrip()}\n--- end of {result.gate.name}: {' '.join(result.gate.command)}", flush=True)
    print(f"{len(selected) - len(failed)} of {len(selected)} gates passed" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
