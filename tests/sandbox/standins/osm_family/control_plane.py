# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All control planes of a cluster: starts a program when its pod runs, ends it when the pod is gone."""

from __future__ import annotations

import time

from .api import Object
from .bootstrap import Bootstrap
from .cleanup import Cleanup, is_cleanup
from .controller import Controller
from .crd_sets import crds
from .initialization import Initialization, waits_for_bootstrap
from .injector import Injector
from .node import Node
from .pods import ControlPlanePod, control_plane_pod, runs
from .program import Program
from .webhook_program import WebhookProgram


class ControlPlane:
    """``changed`` and ``gone`` take the pods of a watch; both return at once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._programs: dict[str, Program] = {}
        self._initializing: dict[str, Initialization] = {}
        self._cleaned: set[str] = set()

    def changed(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if is_cleanup(pod):
            if uid not in self._cleaned:
                self._cleaned.add(uid)
                Cleanup(self._node, pod).start()
        elif "deletionTimestamp" in pod["metadata"]:
            self.gone(pod)
        elif uid not in self._initializing and waits_for_bootstrap(pod):
            self._initializing[uid] = Initialization(self._node, pod, self.bootstrapped)
            self._initializing[uid].start()
        elif runs(pod) and uid not in self._programs and (found := control_plane_pod(pod)):
            self._start(found)

    def gone(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if initialization := self._initializing.pop(uid, None):
            initialization.stop()
        if program := self._programs.pop(uid, None):
            program.stop()

    def wait_until_settled(self, seconds: float) -> None:
        """Wait until every webhook whose pod runs now is served, or waits for its definitions."""
        deadline = time.monotonic() + seconds
        for program in list(self._programs.values()):
            if isinstance(program, WebhookProgram):
                program.settled.wait(max(0.0, deadline - time.monotonic()))

    def controlled_meshes(self) -> frozenset[str]:
        """The meshes that have a controller that serves."""
        programs = list(self._programs.values())
        return frozenset(program.pod.mesh for program in programs if isinstance(program, Controller) and program.ready.is_set())

    def bootstrapped(self, namespace: str) -> bool:
        """Whether a bootstrap of the namespace answers at its Service: any ready one, an older one too."""
        programs = list(self._programs.values())
        return any(isinstance(program, Bootstrap) and program.pod.namespace == namespace and program.ready.is_set() for program in programs)

    def _start(self, pod: ControlPlanePod) -> None:
        program = self._program(pod)
        if program is not None:
            self._programs[pod.uid] = program
            program.start()
            self._node.say(f"{pod}: started")

    def _program(self, pod: ControlPlanePod) -> Program | None:
        if pod.version is None:
            self._node.say(f"{pod}: its image names no version")
            return None
        try:
            crds(pod.product, pod.version)
        except LookupError as error:
            self._node.say(f"{pod}: {error}")
            return None
        kinds: dict[str, type[Bootstrap | Injector | Controller]] = {
            "bootstrap": Bootstrap,
            "injector": Injector,
            "controller": Controller,
        }
        return kinds[pod.role](self._node, pod, pod.version)
