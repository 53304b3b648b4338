# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of one test run, and what earlier runs left that were killed before they could clean up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .cluster import all_clusters
from .errors import SandboxError
from .processes import Process, started


@contextmanager
def directory() -> Iterator[Path]:
    """A new private directory for this run; its clusters (in ``clusters``) are put down and it is removed at the end."""
    parent = _runs()
    for earlier in parent.glob("*@*"):
        pid, _separator, start = earlier.name.partition("@")
        if not Process(int(pid), start, [], "").alive:
            _remove(earlier)
    run = parent / f"{os.getpid()}@{started(os.getpid())}"
    run.mkdir(mode=0o700)
    try:
        yield run
    finally:
        _remove(run)


def _runs() -> Path:
    """Where the runs of this user are. Its name can be guessed, so it counts only if it is ours and private."""
    parent = Path(tempfile.gettempdir()) / f"meshops-tests-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    found = parent.lstat()
    if parent.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SandboxError(f"{parent} is not a private directory of ours: remove it, or set TMPDIR")
    return parent


def _remove(run: Path) -> None:
    for cluster in all_clusters(run / "clusters"):
        cluster.down()
    shutil.rmtree(run, ignore_errors=True)
