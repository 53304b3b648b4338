# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the binary sets into the cache, once per pin, and says where a binary is."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from . import go_toolchain, paths
from .binary_sets import SETS, BinarySet
from .errors import SandboxError
from .locks import file_lock

_REPORT_SECONDS = 10.0
_TAIL_LINES = 30


def directory(name: str) -> Path:
    """Where set ``name`` is or will be: the last part is a hash of everything that decides its content."""
    wanted = SETS[name]
    key = hashlib.sha256()
    for pin in ("go.mod", "go.sum"):
        key.update((_pins(name) / pin).read_bytes())
    key.update(go_toolchain.REQUIREMENT.read_bytes())
    key.update(json.dumps([dict(wanted.binaries), dict(wanted.linked), dict(wanted.files), platform.machine()]).encode())
    return paths.cache() / "bin" / f"{name}-{key.hexdigest()[:12]}"


def _pins(name: str) -> Path:
    """The directory of the set's go.mod."""
    return paths.PINS / (SETS[name].pins or name)


@cache
def binary(name: str, of: str = "") -> Path:
    """The path of one binary, such as "helm", from the set ``of`` or the first that has it; the set is built when it is not there yet."""
    for set_name, binary_set in SETS.items():
        if name in binary_set.binaries and of in ("", set_name):
            build([set_name])
            return directory(set_name) / name
    raise SandboxError(f"no binary set builds {name}" if not of else f"set {of} does not build {name}")


def build(names: Iterable[str]) -> None:
    """Build the sets that are not in the cache, one after the other; raises SandboxError with the build's last lines."""
    missing = [name for name in names if not directory(name).exists()]
    for position, name in enumerate(missing):
        later = sum(SETS[other].seconds for other in missing[position + 1 :])

        def waiting(name: str = name) -> None:
            _say(f"{name}: another process is building it, waiting ...")

        target = directory(name)
        with file_lock(target.with_name(f".{name}.lock"), waiting):
            if not target.exists():
                _build(name, target, f"{position + 1} of {len(missing)}", later)


def _build(name: str, target: Path, position: str, later: int) -> None:
    wanted = SETS[name]
    go = go_toolchain.go()
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
    command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", _link_flags(wanted), "-o", f"{scratch}/"]
    try:
        if wanted.binaries:
            _run([*command, *wanted.binaries.values()], name, position, later)
        for binary_name, package in wanted.binaries.items():
            (scratch / _default_name(package)).rename(scratch / binary_name)
        for destination, source in wanted.files.items():
            _copy_yaml(go, name, source, scratch / destination)
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link_flags(wanted: BinarySet) -> str:
    return " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in wanted.linked.items())])


def _default_name(package: str) -> str:
    """What ``go build`` calls the binary of ``package``: the last element that is not a major version."""
    return re.sub(r"/v\d+$", "", package).rsplit("/", 1)[-1]


def _run(command: list[str], name: str, position: str, later: int) -> None:
    """Run the build, reporting now and then what is going on, for how long, and about how much remains."""
    expected = SETS[name].seconds
    contents = ", ".join(SETS[name].binaries)
    _say(f"{name} ({position}): building {contents}; about {_clock(expected)}, {_clock(expected + later)} for everything")
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=_pins(name),
            env=go_toolchain.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    status = process.wait(_REPORT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - started
                    remaining = max(expected - elapsed, 0) + later
                    _say(f"{name} ({position}): {_clock(elapsed)} elapsed, about {_clock(remaining)} remain")
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status:
            output.seek(0)
            tail = output.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
            shown = " ".join(repr(word) if " " in word else word for word in command)
            raise SandboxError("\n".join([f"building {name} failed ({status}) in {_pins(name)}: {shown}", *tail]))
    _say(f"{name} ({position}): built in {_clock(time.monotonic() - started)}")


def _copy_yaml(go: Path, name: str, source: str, destination: Path) -> None:
    """Copy the YAML files of one directory of a module (``module path:directory``) beside the binaries."""
    module, _colon, inside = source.partition(":")
    found = subprocess.run(
        [str(go), "mod", "download", "-json", module],
        cwd=_pins(name),
        env=go_toolchain.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    destination.mkdir(parents=True)
    for manifest in sorted((Path(json.loads(found.stdout)["Dir"]) / inside).glob("*.yaml")):
        if manifest.name != "kustomization.yaml":
            (destination / manifest.name).write_bytes(manifest.read_bytes())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
