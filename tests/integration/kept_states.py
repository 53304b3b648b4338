# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier states of a cluster, to be put back to.

What is kept are the files of etcd, and putting back starts all components on them, so that nothing of a test can be left, not even
what an uninstall would forget; it takes a third of the time that a new cluster with a mesh takes.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandboxlib import components, processes, startup, state
from sandboxlib.cluster import Cluster


@dataclass
class KeptStates:
    """The states of one cluster that were kept, by any key. What else runs in it (a stand-in, istiod) its owner starts again."""

    cluster: Cluster
    _kept: dict[Hashable, Path] = field(default_factory=dict)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def keep(self, key: Hashable) -> None:
        """Keep the present state: copy the files of etcd while it stands still. It starts on them as after a crash."""
        kept = self.cluster.directory / "kept" / str(len(self._kept))
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        with _standing_still(self.cluster.process("etcd")):
            _copy(self.cluster.directory / "etcd", kept)
        self._kept[key] = kept

    def restore(self, key: Hashable) -> None:
        """Put the cluster back to the state that was kept as ``key``; what a test started beside the control plane is forgotten."""
        known = state.processes(self.cluster.directory)
        processes.stop(known.values(), patience=0.0)
        for name in known:
            self.cluster.layout.pid_file(name).unlink()
        shutil.rmtree(self.cluster.directory / "etcd")
        _copy(self._kept[key], self.cluster.directory / "etcd")
        self._start()

    def _start(self) -> None:
        layout, api = self.cluster.layout, self.cluster.api
        startup.start_components(layout, components.API)
        startup.wait(layout, components.API, "the API server to be ready again", lambda: api.ready)
        startup.start_components(layout, components.CONTROLLERS)


@contextmanager
def _standing_still(process: processes.Process) -> Iterator[None]:
    """Hold all threads of a process where they are."""
    process.signal(signal.SIGSTOP)
    try:
        while any(_state(thread) not in "TXZ" for thread in Path(f"/proc/{process.pid}/task").iterdir()):
            time.sleep(0.01)
        yield
    finally:
        process.signal(signal.SIGCONT)


def _state(thread: Path) -> str:
    """The letter for what a thread does; T is that it is stopped, X that it is not there any more."""
    try:
        return (thread / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _copy(source: Path, target: Path) -> None:
    """Copy a directory without the space that etcd reserves for later."""
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)
