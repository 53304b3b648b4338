# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the pinned development environment: a virtual environment with requirements/dev.txt and kubernetes.core.

kubernetes.core is taken from the ``ansible`` wheel without installing that wheel: it unpacks to 437 MB
in 30,000 files, of which 91 are needed here.

usage: environment.py VENV REQUIREMENTS_DIRECTORY
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

COLLECTIONS = ("ansible_collections/kubernetes/core/",)


def unpack_collections(wheel: Path, site_packages: Path) -> None:
    """Unpack the folders of COLLECTIONS from ``wheel`` into ``site_packages``."""
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(COLLECTIONS)]
        if not members:
            raise SystemExit(f"{wheel.name} holds none of {', '.join(COLLECTIONS)}")
        archive.extractall(site_packages, members)


def build(venv: Path, requirements: Path) -> None:
    """Create ``venv``; raises CalledProcessError when a command fails (its output is on stderr)."""
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    locked = ["--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    # Byte code is compiled on first use: compiling everything would double the time, for modules that nobody imports.
    subprocess.run([*pip, "install", *locked, "--no-compile", "-r", str(requirements / "dev.txt")], check=True)
    with tempfile.TemporaryDirectory(dir=venv) as scratch:
        subprocess.run([*pip, "download", *locked, "-d", scratch, "-r", str(requirements / "collections.txt")], check=True)
        (wheel,) = Path(scratch).glob("ansible-*.whl")
        (site_packages,) = venv.glob("lib/python*/site-packages")
        unpack_collections(wheel, site_packages)


def main() -> None:
    venv, requirements = Path(sys.argv[1]), Path(sys.argv[2])
    complete = venv / ".complete"
    venv.parent.mkdir(parents=True, exist_ok=True)
    # An environment cannot be moved, so it is built in place: callers at the same time wait here, and one that was
    # interrupted lacks its marker and is made again.
    with open(f"{venv}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and os.access(venv / "bin" / "python", os.X_OK):
            return
        started = time.monotonic()
        print(f"Making the development environment in {venv} (about a minute) ...", file=sys.stderr, flush=True)
        complete.unlink(missing_ok=True)
        try:
            build(venv, requirements)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(venv, ignore_errors=True)
            raise SystemExit(f"tools/python: this command failed: {' '.join(error.cmd)}") from error
        complete.touch()
        print(f"Development environment ready after {time.monotonic() - started:.0f} s.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
