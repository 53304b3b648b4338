# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replaces the pods of many workloads: in order, at a pace, never too many at once, and not on when something breaks.

One loop in the calling thread decides; only writes run in threads. What it has begun is in the cluster, not in here: a run that is
killed is followed by one that finds what is under way and does the rest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.evicting_attempt import EvictingAttempt
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.eviction import RETRY_SECONDS
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen, look
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pace import Pace
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.recreating_attempt import RecreatingAttempt
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options, SidecarRules, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_end import (
    Stop,
    blocked,
    defect,
    error_of,
    given_up,
    never_begun,
    stood_still,
    unfinished,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_ledger import Ledger
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_progress import Standing, first_line, line
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rolling_attempt import RollingAttempt
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.stall import overdue, reason
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.workload_pods import pods_of

# A look is given so many times its own duration until the next one, so that it never is most of what the API server does.
_LOOK_SHARE, _SHORTEST, _LONGEST = 4.0, 1.0, 5.0
_TELL_SECONDS = 10.0
# After so many workloads, or seconds, the injector is asked again whether it lives.
_ASK_INJECTOR = 50
_ASK_INJECTOR_SECONDS = 60.0


@dataclass(frozen=True)
class Clock:
    """Time: ``now`` counts seconds, ``wall`` is seconds since the epoch."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class RefreshRun:
    """One refresh. After ``run``: ``entries`` has every workload that is not fine, ``counts`` how many there are of each kind.

    ``counts``: ``workloads`` and ``pods`` that were refreshed and proven, and how many workloads are ``unchanged``, ``failed`` and
    ``not_run``. ``rate``: pods a minute from the first begin on, as the last line of progress tells it. ``guard`` raises when there must
    be no write. ``fresh_rules`` reads again what the mesh wants, which may be changed while the run goes on. ``before_begin`` does what
    must be done before pods of a task are replaced: it is asked before each write, in the thread of that, and a LifecycleError of it
    fails the task.
    """

    def __init__(
        self,
        api: Api,
        rules: SidecarRules,
        tasks: Sequence[Task],
        options: Options,
        guard: Guard,
        progress: Progress,
        deadline: Deadline,
        clock: Clock = Clock(),
        fresh_rules: Callable[[], SidecarRules] | None = None,
        before_begin: Callable[[Task], None] | None = None,
    ) -> None:
        self.entries: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}
        self.rate = 0.0
        self._tools = Tools(api, rules, options.state)
        self._tasks = tuple(tasks)
        self._options = options
        self._guard = guard
        self._progress = progress
        self._deadline = deadline
        self._clock = clock
        self._fresh_rules = fresh_rules
        self._before_begin = before_begin
        self._pace = Pace(options.pods_per_minute, clock.now)
        self._queue = deque(task for task in self._tasks if task.way != "wait")
        self._active: dict[str, Attempt] = {}
        self._ledger = Ledger(self._tasks)
        self._stop: Stop | None = None
        self._interrupted: LifecycleError | None = None
        self._batch_left = options.batch_size or len(self._queue)
        self._since_asked = 0
        self._asked = clock.now()
        self._next_look = 0.0
        self._next_line = 0.0

    def run(self) -> tuple[list[StepOutcome], LifecycleError | None]:
        """Do all that can be done; return the outcome of every task in order, and the error when not all is well."""
        self._progress.line(first_line(len(self._tasks), sum(task.pods for task in self._tasks), self._options.pods_per_minute))
        try:
            self._start([task for task in self._tasks if task.way == "wait"])
            while True:
                self._check()
                self._begin()
                if self._over:
                    break
                self._clock.sleep(self._pause())
                if self._clock.now() >= self._next_look:
                    self._look()
        except LifecycleError as error:
            self._interrupted = error
        return self._result()

    @property
    def _over(self) -> bool:
        """Whether nothing is under way, and nothing will be begun."""
        return not self._active and (self._stop is not None or not self._queue)

    # Beginning

    def _check(self) -> None:
        """Raise when there is no right, or no time, to go on."""
        self._guard()
        if self._deadline.expired:
            raise Interrupted(f"The timeout of {self._deadline.seconds:g} s is over", next=_AGAIN)
        until = self._options.until
        if self._stop is None and self._queue and until is not None and self._clock.wall() >= until:
            self._nothing_new(Stop("until", "the time is over until which workloads may be begun", _LATER))

    def _begin(self) -> None:
        """Begin what may begin now."""
        chosen: list[Task] = []
        places = self._options.max_parallel_workloads - self._working
        self._next_batch()
        if self._held:
            return
        while self._queue and self._stop is None and len(chosen) < places and self._batch_left and self._pace.wait() <= 0:
            if self._must_ask and not self._injector_lives():
                break
            task = self._queue.popleft()
            self._pace.take(task.pods)
            self._since_asked += 1
            self._batch_left -= 1
            chosen.append(task)
        if chosen:
            self._start(chosen)

    @property
    def _held(self) -> str:
        """Why nothing is begun yet: workloads of an earlier run are all the failures that are allowed, unless they come up after all."""
        failing = sum(attempt.task.failing for attempt in self._active.values())
        if not failing or failing + self._ledger.failures < self._options.max_failures:
            return ""
        what = "1 workload" if failing == 1 else f"{failing} workloads"
        return f"{what} of an earlier run did not come up, and max_failures is {self._options.max_failures}"

    @property
    def _must_ask(self) -> bool:
        """Whether too much was begun, or too much time has passed, since the injector was asked."""
        return self._since_asked >= _ASK_INJECTOR or self._clock.now() - self._asked >= _ASK_INJECTOR_SECONDS

    def _next_batch(self) -> None:
        """Let the next batch begin when all of the present one has ended; without batches everything is one."""
        if not self._batch_left and not self._working:
            self._batch_left = self._options.batch_size

    def _start(self, tasks: Iterable[Task]) -> None:
        attempts = [self._attempt(task) for task in tasks]
        now = self._clock.now()
        if attempts:
            self._ledger.begun(now)
        for attempt in attempts:
            attempt.start(now)
            self._active[attempt.task.id] = attempt
        self._write([attempt for attempt in attempts if attempt.writes])
        self._next_look = min(self._next_look, now + _SHORTEST)

    def _attempt(self, task: Task) -> Attempt:
        if task.way == "evict":
            return EvictingAttempt(task, self._tools)
        if task.way == "recreate":
            return RecreatingAttempt(task, self._tools)
        return RollingAttempt(task, self._tools, self._clock.wall())

    @property
    def _working(self) -> int:
        """How many workloads have pods away; who waits for a budget has not."""
        return sum(not attempt.budget for attempt in self._active.values())

    # Writing

    def _write(self, attempts: Sequence[Attempt]) -> None:
        """Let all of them make their next write, concurrently."""
        answers = self._tools.api.map(self._write_one, attempts)
        now = self._clock.now()
        halted: LifecycleError | None = None
        for attempt, answer in zip(attempts, answers, strict=True):
            attempt.changed = now
            if attempt.budget:
                attempt.retry = now + RETRY_SECONDS
            if isinstance(answer, LifecycleError):
                halted = halted or answer
            elif answer is not None:
                self._end(attempt, answer)
        if halted is not None:
            raise halted

    def _write_one(self, attempt: Attempt) -> End | LifecycleError | None:
        """Return the end of the attempt, if this is it, or the error with which all writing ends."""
        try:
            self._guard()
        except LifecycleError as error:
            return error
        try:
            if self._before_begin is not None:
                self._before_begin(attempt.task)
            return attempt.write()
        except LifecycleError as error:
            return End("failed", str(error), str(error.details.get("code") or "write-refused"), error.next)
        except Exception as error:
            return defect(error)

    # Looking

    def _look(self) -> None:
        """Look at all that is under way, end what has ended, and let the others write."""
        started = self._clock.now()
        attempts = self._due(started)
        seen = look(self._tools.api, [want for attempt in attempts for want in attempt.wants()])
        before = {task.id for task in self._ledger.failed}
        for attempt in attempts:
            self._end_if(attempt, partial(self._seen, attempt, seen, started))
        self._prove([attempt for attempt in self._of(attempts) if isinstance(attempt, RollingAttempt)])
        for attempt in self._of(attempts):
            self._end_if(attempt, partial(self._overdue, attempt))
        self._write([attempt for attempt in self._of(attempts) if attempt.writes])
        failed = [task for task in self._ledger.failed if task.id not in before]
        if failed:
            self._react(failed)
        now = self._clock.now()
        self._next_look = now + min(_LONGEST, max(_SHORTEST, _LOOK_SHARE * (now - started)))
        if not self._over:
            self._tell(now)

    def _seen(self, attempt: Attempt, seen: Seen, now: float) -> End | None:
        """Let an attempt look at itself, and find out why when its controller has given it up."""
        end = attempt.look(seen, now)
        if end is None or end.code != "rollout-failed":
            return end
        found = reason(self._tools.api, attempt)
        return given_up(attempt, end, found.why, found.remedy)

    def _due(self, now: float) -> list[Attempt]:
        """Return what is to be looked at: not those that were told to wait for a budget, until they may ask again and have a place."""
        places = self._options.max_parallel_workloads - self._working
        result = []
        for attempt in self._active.values():
            if attempt.budget and not attempt.stopped:
                if now < attempt.retry or (places <= 0 and not self._given_up(attempt, now)):
                    continue
                places -= 1
            result.append(attempt)
        return result

    def _given_up(self, attempt: Attempt, now: float) -> bool:
        return bool(overdue(attempt, now, wait_timeout=self._options.wait_timeout, stall_timeout=self._options.stall_timeout))

    def _of(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Return those that have not ended meanwhile."""
        return [attempt for attempt in attempts if attempt.task.id in self._active]

    def _prove(self, attempts: Sequence[RollingAttempt]) -> None:
        """Judge all pods of the workloads that say they are done."""
        finished = [(attempt, attempt.finished) for attempt in attempts if attempt.finished is not None]
        pods = pods_of(self._tools.api, [workload for _attempt, workload in finished])
        now = self._clock.now()
        for attempt, workload in finished:
            self._end_if(attempt, partial(attempt.prove, pods[workload["metadata"]["uid"]], now))

    def _overdue(self, attempt: Attempt) -> End | None:
        """Return the end of an attempt that has had its time, with the reason."""
        options = self._options
        code = overdue(attempt, self._clock.now(), wait_timeout=options.wait_timeout, stall_timeout=options.stall_timeout)
        if not code:
            return None
        if attempt.budget:
            return blocked(attempt, options.wait_timeout)
        seconds = options.wait_timeout if code == "timeout" else options.stall_timeout + attempt.quiet
        found = reason(self._tools.api, attempt)
        return stood_still(attempt, code, seconds, found.why, found.remedy)

    # Ending

    def _end_if(self, attempt: Attempt, find: Callable[[], End | None]) -> None:
        try:
            end = find()
        except LifecycleError:
            raise
        except Exception as error:
            end = defect(error)
        if end is not None:
            self._end(attempt, end)

    def _end(self, attempt: Attempt, end: End) -> None:
        """Note how a workload has ended, and stop when that was one failure too many."""
        self._active.pop(attempt.task.id, None)
        now = self._clock.now()
        if isinstance(attempt, RecreatingAttempt) and not attempt.touched:
            try:
                attempt.tidy()
            except LifecycleError as error:
                end = end._replace(message=f"{end.message} ({error})")
        if end.outcome == "not_run" and not end.code:
            end = never_begun(self._stop, attempt.budget)
        self._ledger.ended(attempt.task, end, now - attempt.began)
        if end.outcome == "failed":
            self._progress.line(f"refresh: {attempt.task.object} failed: {end.code}")
            if self._ledger.failures >= self._options.max_failures:
                failed = f"{self._ledger.failures} workload{'' if self._ledger.failures == 1 else 's'} failed"
                earlier = sum(task.failing for task in self._ledger.failed)
                told = f"{failed} ({earlier} of an earlier run)" if earlier else failed
                self._nothing_new(Stop("max-failures", f"{told}, and max_failures is {self._options.max_failures}", _REPAIR))

    def _react(self, failed: Sequence[Task]) -> None:
        """Something has failed: is it the mesh? Then every further workload would fail as well."""
        if self._options.state != "absent" and not self._mesh_has_changed(failed):
            self._injector_lives()

    def _mesh_has_changed(self, tasks: Iterable[Task]) -> bool:
        """Whether new pods of these get another sidecar now than when the run began: then what is known here is outdated."""
        if self._fresh_rules is None:
            return False
        try:
            fresh, started = self._fresh_rules(), self._tools.rules
            templates = [template for task in tasks if (template := self._template(task)) is not None]
            changed = any(fresh.fingerprint(template) != started.fingerprint(template) for template in templates)
        except LifecycleError:
            return False
        if changed:
            self._nothing_new(Stop("mesh-changed", "the mesh's configuration has changed while the refresh was going on", _CHANGED))
        return changed

    def _template(self, task: Task) -> dict[str, Any] | None:
        """Return the pod template that a workload has now, with the namespace in its metadata; None when it has none of its own."""
        live = self._tools.api.get_or_none(task.kind, task.object.name, task.object.namespace) or {}
        template = (live.get("spec") or {}).get("template")
        if not template:
            return None
        return {**template, "metadata": {**(template.get("metadata") or {}), "namespace": task.object.namespace}}

    def _injector_lives(self) -> bool:
        self._since_asked, self._asked = 0, self._clock.now()
        try:
            refusals: Sequence[Refusal] = self._tools.rules.alive() if self._options.state != "absent" else ()
        except LifecycleError:
            # That it cannot be asked says nothing about it; whether the API server answers is found out by the next look.
            return True
        # An injector that has been told something else since is no broken one.
        if refusals and self._mesh_has_changed([*self._queue][:1]):
            return False
        if refusals:
            self._nothing_new(Stop(refusals[0].code, "; ".join(refusal.what for refusal in refusals), refusals[0].next))
        return not refusals

    def _nothing_new(self, stop: Stop) -> None:
        """Begin nothing from here on. Evictions end after the pod that is away; a window that is over keeps nothing that was begun."""
        if self._stop is None or stop.is_of_mesh:
            self._stop = stop
        for attempt in self._active.values():
            attempt.stopped = attempt.stopped or stop.code != "until" or bool(attempt.budget and not attempt.touched)

    # Time

    def _pause(self) -> float:
        """Return how long nothing is to be done."""
        now = self._clock.now()
        times = [self._deadline.remaining()]
        if self._active:
            waiting = [attempt.retry - now for attempt in self._active.values() if attempt.budget and not attempt.stopped]
            all_wait = len(waiting) == len(self._active)
            times.append(max(self._next_look - now, min(waiting)) if all_wait else self._next_look - now)
        if self._queue and self._stop is None and not self._held and self._working < self._options.max_parallel_workloads:
            times.append(self._pace.wait() if self._batch_left or not self._working else _SHORTEST)
        return max(0.01, min(times))

    # Telling

    def _tell(self, now: float) -> None:
        if now < self._next_line:
            return
        self._next_line = now + _TELL_SECONDS
        self._progress.line(line(self._standing(now)))

    def _result(self) -> tuple[list[StepOutcome], LifecycleError | None]:
        """Give everything that has not ended its end, and count."""
        now = self._clock.now()
        for attempt in [*self._active.values()]:
            self._end(attempt, unfinished(attempt, now, self._stop, self._interrupted))
        for task in self._queue:
            self._ledger.ended(task, never_begun(self._stop, "", self._interrupted), 0.0)
        standing = self._standing(now)
        self._progress.line(line(standing))
        self.entries, self.counts, self.rate = self._ledger.entries(), self._ledger.counts(), standing.rate
        return self._ledger.outcomes(), error_of(self.entries, self._stop, self._interrupted, self.counts)

    def _standing(self, now: float) -> Standing:
        stopped = self._stop.what if self._stop is not None else self._held if self._queue else ""
        return self._ledger.standing(now, self._active.values(), self._options.pods_per_minute, stopped)


_AGAIN = "run the same command again: it goes on from here (with a larger timeout)"
_CHANGED = "run the same command again"
_LATER = "run again with a later until"
_REPAIR = "repair what has failed, or allow more with max_failures; then run the same command again: it does the rest"
