# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One program of a control plane while its pod runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from .api import ApiError, Unreachable
from .command_line import Invalid, check
from .node import Node
from .pod_events import record_event
from .pod_logs import line
from .pod_status import mark_crashing, mark_ready
from .pods import ControlPlanePod
from .reconciler import Reconciler

_RETRY_SECONDS = 0.5
_CRASH_SECONDS = 2.0


class Crash(Exception):
    """The real program writes this to its log and exits; the pod's container is then started again, and again.

    ``lines`` is what it writes instead of one fatal line.
    """

    def __init__(self, message: str, error: str = "", *, lines: Sequence[str] = (), exit_code: int = 1) -> None:
        super().__init__(f"{message}: {error}" if error else message)
        self.message, self.error = message, error
        self.lines = tuple(lines)
        self.exit_code = exit_code


class Stopped(Exception):
    """The pod is gone."""


class Program(threading.Thread, ABC):
    """Runs ``start_up`` until it has succeeded, then waits for ``stop``.

    ``settled`` is set as soon as there is nothing more to do, or nothing to do but wait for others; ``ready`` while its
    readiness probe succeeds: all of them answer probes only when everything else has been started.
    """

    def __init__(self, node: Node, pod: ControlPlanePod) -> None:
        super().__init__(name=str(pod), daemon=True)
        self.node, self.api, self.pod = node, node.api, pod
        self.settled = threading.Event()
        self.ready = threading.Event()
        self._stopping = threading.Event()

    def say(self, text: str) -> None:
        self.node.say(f"{self.pod}: {text}")

    def stop(self) -> None:
        """End it; returns at once."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def sleep(self, seconds: float) -> None:
        """Raises Stopped when the pod goes meanwhile."""
        if self._stopping.wait(seconds):
            raise Stopped

    @abstractmethod
    def start_up(self) -> None:
        """What the program does before it waits for requests and events. Raises Crash as the real one exits."""

    def tear_down(self) -> None:
        """What ends with the process."""
        self.ready.clear()

    def run(self) -> None:
        crashed = 0
        try:
            while not self._starts(crashed + 1):
                crashed += 1
                self.sleep(_CRASH_SECONDS)
            self._report(lambda: mark_ready(self.api, self.pod))
            self.ready.set()
            if self.pod.reconciles:
                Reconciler(self.api, self.pod, self.node.say, lambda: not self.stopping).start()
            self.settled.set()
            self._stopping.wait()
        except Stopped:
            pass
        finally:
            self.settled.set()
            self.tear_down()
            self.node.logs.forget(self.pod)
            self.say("ended")

    def _starts(self, attempt: int) -> bool:
        """Run the program once: whether it stays up."""
        if attempt == 1:
            self.node.logs.start(self.pod)
        try:
            self._check_arguments()
            while True:
                try:
                    self.start_up()
                    if attempt > 1:
                        self.node.logs.start(self.pod)
                    return True
                except (Unreachable, ApiError) as error:
                    self.say(f"{error}; trying again")
                    self.sleep(_RETRY_SECONDS)
        except Crash as crash:
            self.say(f"crashed: {crash}")
            exit_code = crash.exit_code
            fatal = line("fatal", f"{self.pod.program}/main", crash.message, error=crash.error)
            # Between two exits the container is shown as waiting, and a kubelet then has the log of the one that ended.
            self.node.logs.start(self.pod)
            self.node.logs.write(self.pod, crash.lines or [fatal])
            self._report(lambda: mark_crashing(self.api, self.pod, attempt, exit_code))
            if attempt == 1:
                where = f"{self.pod.program} in pod {self.pod.name}_{self.pod.namespace}({self.pod.uid})"
                text = f"Back-off restarting failed container {where}"
                self._report(lambda: record_event(self.api, self.pod, "kubelet", "BackOff", text))
            self.settled.set()
            return False

    def _check_arguments(self) -> None:
        try:
            check(self.pod)
        except Invalid as wrong:
            if wrong.event:
                reason, message = wrong.event
                # Whoever records it: the source is always the controller.
                source = self.pod.product.program("controller")
                self._report(lambda: record_event(self.api, self.pod, source, reason, message))
            raise Crash(str(wrong), lines=wrong.lines, exit_code=wrong.exit_code) from wrong

    def _report(self, write: Callable[[], None]) -> None:
        """What the kubelet or the program tells the API server about itself; an API server that is away is told nothing."""
        try:
            write()
        except (Unreachable, ApiError) as error:
            self.say(f"its state could not be written: {error}")
