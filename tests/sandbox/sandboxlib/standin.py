# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes that play what cannot run in the sandbox (``tests/sandbox/standins/``)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from . import paths, processes, state
from .errors import SandboxError
from .layout import Layout
from .users import STANDIN, kubeconfig_for

STANDIN_NAME = "standin-osm"
OPENSHIFT_NAME = "standin-openshift"
ARGO_NAME = "standin-argo"
_READY_SECONDS = 60.0


class StandIn:
    """One process of a cluster: ``program`` is its script in ``standins/``, ``name`` its component, ``what`` it plays, for messages."""

    def __init__(self, layout: Layout, name: str, program: str, what: str, arguments: Sequence[str] = ()) -> None:
        self._layout = layout
        self._name, self._program, self._what, self._arguments = name, program, what, arguments
        self._ready = layout.directory / f"{name}.ready"

    @property
    def alive(self) -> bool:
        process = self._process()
        return process is not None and process.alive

    def start(self) -> None:
        """Start it and wait until it watches the cluster; nothing happens when it runs."""
        if self.alive:
            return
        self._ready.unlink(missing_ok=True)
        log = self._layout.log(self._name)
        argv = [
            str(paths.STANDINS / self._program),
            "--kubeconfig",
            str(kubeconfig_for(self._layout, STANDIN)),
            "--log",
            str(log),
            "--ready-file",
            str(self._ready),
            *self._arguments,
        ]
        process = processes.start(argv, log.with_suffix(".out"), self._layout.pid_file(self._name))
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready.exists():
            if not process.alive or time.monotonic() > deadline:
                tail = processes.log_tail(log.with_suffix(".out")) + "\n" + processes.log_tail(log)
                raise SandboxError(f"the stand-in for {self._what} did not become ready. The end of its log:\n{tail}")
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
            raise SandboxError(f"the stand-in for {self._what} does not run")
        os.kill(process.pid, number)

    def stop(self) -> None:
        """End it and wait until it is gone."""
        process = self._process()
        if process is not None:
            processes.stop([process])

    def _process(self) -> processes.Process | None:
        return processes.Process.load(self._layout.pid_file(self._name))


def mesh_standin(layout: Layout) -> StandIn:
    """What plays the control planes of all meshes of the OSM family."""
    return StandIn(layout, STANDIN_NAME, "osm", "the mesh", ["--kubelet-port", str(layout.kubelet_port)])


def openshift_standin(layout: Layout) -> StandIn:
    """What serves and runs DeploymentConfigs."""
    return StandIn(layout, OPENSHIFT_NAME, "openshift", "OpenShift")


def argo_standin(layout: Layout) -> StandIn:
    """What runs Argo's Rollouts."""
    return StandIn(layout, ARGO_NAME, "argo", "Argo Rollouts")
