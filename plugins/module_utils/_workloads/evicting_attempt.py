# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads whose controller makes a new pod only when one goes: their pods are evicted one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import desired_pods, quiet_seconds
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.eviction import evict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen, Want
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.proof import controller_uid, lives, prove, right
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import is_ready

Object = Mapping[str, Any]


class EvictingAttempt(Attempt):
    """Way evict. The next pod is evicted when the one before is gone, and all that stay are ready, the new ones with the right sidecar."""

    def __init__(self, task: Task, tools: Tools) -> None:
        super().__init__(task, tools)
        # Uids: pods to evict (in order, with names), who owns them, and all that were there at first.
        self._left: list[tuple[str, str]] | None = None
        self._owners: set[str] = {task.uid} - {""}
        self._known: frozenset[str] = frozenset()
        self._before = 0
        self._next: tuple[str, str] | None = None
        self._going: str = ""
        self._count = 0
        self._done = 0
        self._answer = ""

    def wants(self) -> list[Want]:
        """Return the workload and the pods of its namespace."""
        ref = self.task.object
        return [Want(self.task.kind, ref.namespace, ref.name), Want(POD, ref.namespace)]

    @property
    def partly(self) -> str:
        """How many pods were replaced."""
        return f"{self._done} of {self._done + len(self._left or ()) + bool(self._next or self._going)} pods were replaced"

    def write(self) -> End | None:
        """Evict the next pod."""
        if self._next is None:
            raise RuntimeError("there is no pod to evict")
        name, uid = self._next
        eviction = evict(self.tools.api, self.task.object.namespace, name, uid)
        self.writes, self._answer, self.budget = False, eviction.answer, ""
        if eviction.answer == "budget":
            self.budget = f"{self.task.object.namespace}/{eviction.text}"
        elif eviction.answer == "refused":
            return End("failed", eviction.text, eviction.code, eviction.remedy, self._done)
        elif eviction.answer == "unknown":
            # The next look tells whether it goes; if not, it is asked for again.
            self.touched = True
        else:
            self._next, self._going = None, uid
            self._count += eviction.answer == "evicted"
            self.touched = self.touched or eviction.answer == "evicted"
        return None

    def look(self, seen: Seen, now: float) -> End | None:
        """Find the next pod to evict, or wait for the replacement of the last one."""
        ref = self.task.object
        workload = seen.get(self.task.kind, ref.namespace, ref.name)
        if workload is None or (self.task.uid and workload["metadata"]["uid"] != self.task.uid):
            return End("unchanged", "it was deleted meanwhile", pods=self._done)
        self.quiet = quiet_seconds(workload)
        pods = seen.all(POD, ref.namespace)
        if self._left is None:
            self._first(pods)
        own = [pod for pod in pods.values() if controller_uid(pod) in self._owners]
        if self._next is not None:
            return self._asked_before(pods)
        if self._going:
            return self._replaced(own, workload, now)
        return self._choose(own, now)

    def _first(self, pods: Mapping[str, Object]) -> None:
        """Remember what there was. A pod that somebody else has replaced since the plan was made is right by now."""
        named = [pods[name] for name in self.task.stale if name in pods]
        self._owners |= {controller_uid(pod) for pod in named} - {""}
        state, judge = self.tools.state, self.tools.rules.judge
        todo = [pod for pod in named if lives(pod) and (state == "restarted" or not right(judge(pod), state))]
        # Those that serve nobody first.
        todo.sort(key=is_ready)
        self._left = [(pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in todo]
        own = [pod for pod in pods.values() if controller_uid(pod) in self._owners]
        self._known = frozenset(pod["metadata"]["uid"] for pod in own)
        self._before = sum(map(lives, own))

    def _asked_before(self, pods: Mapping[str, Object]) -> End | None:
        """The pod was asked for and did not go (or nobody knows): try again, unless it does go."""
        if self._next is None:
            return None
        name, uid = self._next
        pod = pods.get(name)
        if pod is None or pod["metadata"]["uid"] != uid or (self._answer == "unknown" and not lives(pod)):
            self._count += self._answer == "unknown"
            self._next, self._going, self.budget = None, uid, ""
        elif self.stopped:
            return self._stop()
        else:
            self.writes = True
        return None

    def _replaced(self, own: Sequence[Object], workload: Object, now: float) -> End | None:
        """Wait until the evicted pod is gone and what came for it is ready."""
        there = any(pod["metadata"]["uid"] == self._going for pod in own)
        alive = [pod for pod in own if lives(pod) and pod["metadata"]["uid"] != self._going]
        new = [pod for pod in alive if pod["metadata"]["uid"] not in self._known]
        proof = prove(new, self.tools.rules, self.tools.state, lambda pod: True)
        self.note((self._going, there, len(alive), len(new), proof), now)
        if proof.state == "wrong":
            return End("failed", proof.message, proof.code, _NEXT_WRONG, self._done)
        wanted = desired_pods(workload)
        expected = self._before if wanted is None else min(self._before, wanted)
        if there:
            self.waits_for = "an evicted pod is ending"
        elif len(alive) < expected:
            self.waits_for = f"{expected - len(alive)} pod(s) to be made again"
        elif proof.state == "waiting":
            self.waits_for = proof.message
        else:
            self._going, self._done, self.since = "", self._count, now
            return self._choose(own, now)
        return None

    def _choose(self, own: Sequence[Object], now: float) -> End | None:
        """Take the next pod, or end."""
        there = {pod["metadata"]["uid"]: pod for pod in own}
        while self._left:
            if self.stopped:
                return self._stop()
            name, uid = self._left[0]
            goes = uid in there and lives(there[uid])
            unready = self._unready(own)
            if goes and unready and is_ready(there[uid]):
                # An earlier run may have left a pod that does not come up: no rolling update would take one more.
                self.note(("unready", unready), now)
                self.waits_for = f"not ready: {', '.join(unready)}"
                return None
            self._left.pop(0)
            if goes:
                self._next, self.writes = (name, uid), True
                return None
        proof = prove(own, self.tools.rules, self.tools.state, lambda pod: True)
        self.note(("last", proof), now)
        self.waits_for = proof.message
        if proof.state == "wrong":
            return End("failed", proof.message, proof.code, _NEXT_WRONG, self._done)
        if proof.state == "waiting":
            return None
        if not self._count:
            return End("unchanged", "its pods were replaced meanwhile", pods=proof.pods)
        return End("done", f"{self._done} pods were evicted, their replacements are ready", pods=self._done)

    def _unready(self, own: Sequence[Object]) -> list[str]:
        """Return the names of pods that are to stay and serve nobody."""
        going = {uid for _name, uid in self._left or ()}
        return sorted(pod["metadata"]["name"] for pod in own if lives(pod) and pod["metadata"]["uid"] not in going and not is_ready(pod))

    def _stop(self) -> End:
        if not self.touched:
            return End("not_run")
        return End("failed", f"{self.partly}, then the run stopped", "stopped", "run the same command again: it does the rest", self._done)

    def pods_for_diagnosis(self, pods: Sequence[Object]) -> list[Object]:
        """Return the pods that were made meanwhile; all when there is none."""
        new = [pod for pod in pods if lives(pod) and pod["metadata"]["uid"] not in self._known]
        return new or [pod for pod in pods if lives(pod)]


_NEXT_WRONG = (
    "look at the injector (its pods, webhook configuration and log) and at the pod's own injection annotations and labels; then run the "
    "same command again"
)
