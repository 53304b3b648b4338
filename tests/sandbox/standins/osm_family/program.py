# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One program of a control plane while its pod runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from .api import Api, ApiError, Unreachable
from .crash_loop import mark_crashing, mark_running
from .pods import ControlPlanePod

_RETRY_SECONDS = 0.5
_CRASH_SECONDS = 5.0

Say = Callable[[str], None]


class Crash(Exception):
    """The real program logs this as fatal and exits; the pod's container is then started again, and again."""


class Stopped(Exception):
    """The pod is gone."""


class Program(threading.Thread, ABC):
    """Runs ``start`` until it has succeeded, then waits for ``stop``.

    ``settled`` is set as soon as there is nothing more to do, or nothing to do but wait for others.
    """

    def __init__(self, api: Api, pod: ControlPlanePod, say: Say) -> None:
        super().__init__(name=str(pod), daemon=True)
        self.api, self.pod = api, pod
        self.settled = threading.Event()
        self._say = say
        self._stopping = threading.Event()

    def say(self, text: str) -> None:
        self._say(f"{self.pod}: {text}")

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

    def run(self) -> None:
        crashed = 0
        try:
            while True:
                try:
                    self.start_up()
                    break
                except Crash as error:
                    crashed += 1
                    self.say(f"crashed: {error}")
                    self._report(mark_crashing, crashed)
                    self.settled.set()
                    self.sleep(_CRASH_SECONDS)
                except (Unreachable, ApiError) as error:
                    self.say(f"{error}; trying again")
                    self.sleep(_RETRY_SECONDS)
            if crashed:
                self._report(mark_running, crashed)
            self.settled.set()
            self._stopping.wait()
        except Stopped:
            pass
        finally:
            self.settled.set()
            self.tear_down()
            self.say("ended")

    def _report(self, mark: Callable[[Api, ControlPlanePod, int], None], crashed: int) -> None:
        try:
            mark(self.api, self.pod, crashed)
        except (Unreachable, ApiError) as error:
            self.say(f"its status could not be written: {error}")
