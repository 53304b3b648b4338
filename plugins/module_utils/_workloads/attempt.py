# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One workload that is being refreshed: what all ways have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Outcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen, Want
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import SidecarRules, State, Task

Object = Mapping[str, Any]


class End(NamedTuple):
    """How it ended. ``pods`` are those that are proven; ``code`` is empty when all is well, ``next`` says what to do otherwise."""

    outcome: Outcome
    message: str = ""
    code: str = ""
    next: str = ""
    pods: int = 0


class Tools(NamedTuple):
    """What every attempt works with."""

    api: Api
    rules: SidecarRules
    state: State


class Attempt(ABC):
    """A task that was begun, or is about to be.

    It is looked at again and again (``look``, which reads nothing), and writes when it says so (``writes``). All times are in seconds
    on the run's clock. ``budget`` names the PodDisruptionBudget that it waits for: then nothing of it is away, and it takes nobody's place.
    """

    def __init__(self, task: Task, tools: Tools) -> None:
        self.task = task
        self.tools = tools
        self.began = 0.0
        # Since when it is waited for what comes next, and since when nothing has changed.
        self.since = 0.0
        self.changed = 0.0
        self.retry = 0.0
        self.budget = ""
        self.writes = False
        # Whether anything was replaced, or is away, because of this run.
        self.touched = False
        self.stopped = False
        # How much longer than others it may stand still, and what it waits for.
        self.quiet = 0.0
        self.waits_for = ""
        self._signature: object = None

    def start(self, now: float) -> None:
        """Note when it was begun."""
        self.began = self.since = self.changed = now

    @abstractmethod
    def wants(self) -> list[Want]:
        """Return what it has to be looked at."""

    @abstractmethod
    def write(self) -> End | None:
        """Make the next write; runs in a thread. Returns the end when it is one; raises LifecycleError."""

    @abstractmethod
    def look(self, seen: Seen, now: float) -> End | None:
        """Find out how far it is."""

    @abstractmethod
    def pods_for_diagnosis(self, pods: Sequence[Object]) -> list[Object]:
        """Return those of the workload's pods that may tell why it stands still."""

    def note(self, signature: object, now: float) -> None:
        """Remember what is there, and when that changed last."""
        if signature != self._signature:
            self._signature, self.changed = signature, now

    @property
    def partly(self) -> str:
        """How much of it was done, for an attempt that ends before its time; empty when that is not known."""
        return ""
