# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that plays the pods of a mesh's control plane (``tests/sandbox/standins/``)."""

from __future__ import annotations

import os
import signal
import time

from . import paths, processes, state
from .errors import SandboxError
from .layout import Layout
from .users import STANDIN, kubeconfig_for

STANDIN_NAME = "standin-osm"
_READY_SECONDS = 60.0


class StandIn:
    """The stand-in of one cluster: one process for all meshes of the OSM family in it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._ready = layout.directory / "standin-osm.ready"

    @property
    def alive(self) -> bool:
        process = self._process()
        return process is not None and process.alive

    def start(self) -> None:
        """Start it and wait until it watches the cluster; nothing happens when it runs."""
        if self.alive:
            return
        self._ready.unlink(missing_ok=True)
        log = self._layout.log(STANDIN_NAME)
        argv = [
            str(paths.STANDINS / "osm"),
            "--kubeconfig",
            str(kubeconfig_for(self._layout, STANDIN)),
            "--log",
            str(log),
            "--kubelet-port",
            str(self._layout.kubelet_port),
            "--ready-file",
            str(self._ready),
        ]
        process = processes.start(argv, log.with_suffix(".out"), self._layout.pid_file(STANDIN_NAME))
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready.exists():
            if not process.alive or time.monotonic() > deadline:
                tail = processes.log_tail(log.with_suffix(".out")) + "\n" + processes.log_tail(log)
                raise SandboxError(f"the stand-in for the mesh did not become ready. The end of its log:\n{tail}")
            time.sleep(0.05)
        if record := state.Record.load(self._layout.directory):
            record.save()  # with the new pid

    def pause(self) -> None:
        """Let it do nothing until ``resume``: pods that are there stay as they are, new ones find nobody who plays them."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on where it was paused; after ``stop`` and ``start`` even old bootstraps would start again, and write their definitions."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process()
        if process is None or not process.alive:
            raise SandboxError("the stand-in for the mesh does not run")
        os.kill(process.pid, number)

    def stop(self) -> None:
        """End it and wait until it is gone."""
        process = self._process()
        if process is not None:
            processes.stop([process])

    def _process(self) -> processes.Process | None:
        return processes.Process.load(self._layout.pid_file(STANDIN_NAME))
