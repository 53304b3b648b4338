# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All control planes of a cluster: starts a program when its pod runs, ends it when the pod is gone."""

from __future__ import annotations

import time

from .api import Api, Object
from .bootstrap import Bootstrap
from .cleanup import Cleanup, is_cleanup
from .controller import Controller
from .crds import crds
from .injector import Injector
from .pods import ControlPlanePod, control_plane_pod, runs
from .program import Program, Say
from .webhook_program import Endpoints, WebhookProgram


class ControlPlane:
    """``changed`` and ``gone`` take the pods of a watch; both return at once."""

    def __init__(self, api: Api, bootstrap_seconds: float, say: Say) -> None:
        self._api = api
        self._bootstrap_seconds = bootstrap_seconds
        self._say = say
        self._endpoints = Endpoints()
        self._programs: dict[str, Program] = {}
        self._cleaned: set[str] = set()

    def changed(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if is_cleanup(pod):
            if uid not in self._cleaned:
                self._cleaned.add(uid)
                Cleanup(self._api, pod, self._say).start()
        elif "deletionTimestamp" in pod["metadata"]:
            self.gone(pod)
        elif runs(pod) and uid not in self._programs and (found := control_plane_pod(pod)):
            self._start(found)

    def gone(self, pod: Object) -> None:
        if program := self._programs.pop(pod["metadata"]["uid"], None):
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
        return frozenset(program.pod.mesh for program in programs if isinstance(program, Controller) and program.serving.is_set())

    def _start(self, pod: ControlPlanePod) -> None:
        program = self._program(pod)
        if program is not None:
            self._programs[pod.uid] = program
            program.start()
            self._say(f"{pod}: started")

    def _program(self, pod: ControlPlanePod) -> Program | None:
        if pod.version is None:
            self._say(f"{pod}: its image names no version")
            return None
        try:
            crds(pod.version)
        except LookupError as error:
            self._say(f"{pod}: {error}")
            return None
        if pod.role == "osm-bootstrap":
            return Bootstrap(self._api, pod, pod.version, self._bootstrap_seconds, self._say)
        kind = Injector if pod.role == "osm-injector" else Controller
        return kind(self._api, pod, pod.version, self._endpoints, self._say)
