# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each kind of workload replaces its pods, and when it must not, or cannot, be made to. Pure.

Deployment, StatefulSet and DaemonSet: an annotation of the pod template. Strategy OnDelete, and ReplicaSet and ReplicationController
without an owner: eviction of one pod after the other, because a new template replaces nothing there. DeploymentConfig: ``instantiate``
(openshift/oc pkg/cli/rollout/latest.go). Argo Rollout: ``spec.restartAt`` (argo-rollouts rollout/restart.go), since another template
would be a new canary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DAEMONSET, DEPLOYMENT, STATEFULSET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import ARGO_ROLLOUT, DEPLOYMENT_CONFIG
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import (
    Leftover,
    Object,
    Options,
    PodFacts,
    SidecarRules,
    Task,
    Way,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_leftovers import leftover
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_needs import Need, need_of, reason_to_replace, summary
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import WITHOUT_SIDECAR, Token, following, parse

_ROLLING = frozenset({DEPLOYMENT, STATEFULSET, DAEMONSET})
_UNDER_WAY = "is still replacing its pods"


class Decision(NamedTuple):
    """What is done about one workload, and which of its pods are left; ``needy`` pods are not as they should be."""

    task: Task | None = None
    leftovers: tuple[Leftover, ...] = ()
    needy: int = 0


NOTHING = Decision()


def decide(workload: Workload, pods: Sequence[PodFacts], rules: SidecarRules, options: Options) -> Decision:
    """Decide how the pods of one workload are refreshed; ``pods`` are those of it that have or would get a sidecar."""
    if not workload.counts.desired:
        # Scaled to zero: pods that are still there are on their way out.
        return NOTHING
    return _Choice(workload, pods, rules, options).decision()


def obstacle(template: Object, ref: ObjectRef, pods: int, rules: SidecarRules, options: Options) -> Leftover | None:
    """Return why new pods of a template would be no better than those that there are; None when they would."""
    if options.state != "restarted" and rules.written_in(template):
        return leftover("manual-injection", ref, pods)
    denied = rules.denies(template)
    if denied:
        return leftover("pod-denied", ref, pods, denied)
    if options.state == "absent" and rules.injects(template):
        return leftover("still-injected", ref, pods)
    return None


class _Choice:
    def __init__(self, workload: Workload, pods: Sequence[PodFacts], rules: SidecarRules, options: Options) -> None:
        self._workload = workload
        self._pods = pods
        self._rules = rules
        self._options = options
        self._rolls = workload.kind in _ROLLING and workload.strategy != "OnDelete"
        wanted = self._wanted() if self._rolls else Token("")
        self._wanted_token = wanted
        # Pods that are replaced in another way than by their template cannot be expected to carry a word of it.
        self._need = (
            need_of(options.state, options.token, options.began, wanted.fingerprint)
            if self._rolls
            else Need(options.state, began=options.began)
        )

    def _wanted(self) -> Token:
        template = self._workload.template
        injected = self._options.state != "absent" and self._rules.injects(template)
        fingerprint = self._rules.fingerprint(template) if injected else WITHOUT_SIDECAR
        named = self._options.state == "restarted" and self._options.token
        return Token(fingerprint, need_of("restarted", self._options.token, "").restart if named else "")

    def decision(self) -> Decision:
        needy = [pod for pod in self._pods if reason_to_replace(pod, self._need)]
        if not needy:
            return Decision(self._wait(())) if self._is_ours_under_way() else NOTHING
        return self._about(needy)._replace(needy=len(needy))

    def _about(self, needy: list[PodFacts]) -> Decision:
        workload = self._workload
        blocked = obstacle(workload.template, workload.ref, len(needy), self._rules, self._options)
        if blocked is not None:
            return Decision(None, (blocked,))
        if workload.paused:
            return self._left("paused", needy)
        if self._rolls:
            return self._roll(needy)
        if workload.kind == DEPLOYMENT_CONFIG:
            return self._instantiate(needy)
        if workload.kind == ARGO_ROLLOUT:
            return self._restart_at(needy)
        return Decision(self._task("evict", needy, len(needy), stale=tuple(pod.name for pod in _in_order(needy))))

    # By the pod template

    def _roll(self, needy: list[PodFacts]) -> Decision:
        workload = self._workload
        below = [pod for pod in needy if workload.partition and _ordinal(pod) < workload.partition]
        rolled = [pod for pod in needy if pod not in below]
        left = (leftover("partition", workload.ref, len(below)),) if below else ()
        if not rolled:
            return Decision(self._wait(()) if self._is_ours_under_way() else None, left)
        decision = self._begin_or_wait(rolled)
        return Decision(decision.task, (*left, *decision.leftovers))

    def _begin_or_wait(self, needy: list[PodFacts]) -> Decision:
        ours, old = self._is_ours(), not any(self._may_be_of_template(pod) for pod in needy)
        state = self._workload.rollout.state
        if ours and old:
            return Decision(self._wait(needy))
        # New pods of a template that somebody else has broken would be as broken, unless it is their old sidecar that fails; one of ours
        # may have failed for want of today's sidecar.
        if state == "failed" and (old or not (self._workload.token or self._only_old_sidecars_fail(needy))):
            return self._left("rollout-failed", needy)
        if old and state == "waiting" and self._is_enough():
            # Somebody else's change of the template replaces these pods as well.
            return Decision(self._wait(needy))
        tokens = [self._workload.token, *(pod.token for pod in self._pods)] if ours or self._is_unnamed_restart() else ()
        token = str(following(self._wanted_token, tokens))
        return Decision(self._task("rollout", needy, self._rolled_pods(), token=token))

    def _only_old_sidecars_fail(self, needy: Sequence[PodFacts]) -> bool:
        """Whether all pods of the present template that are not ready fail in what was injected: in containers that it does not name."""
        spec = self._workload.template.get("spec") or {}
        own = {item["name"] for key in ("initContainers", "containers") for item in spec.get(key) or ()}
        unready = [pod for pod in self._pods if not pod.ready and self._may_be_of_template(pod)]
        return bool(unready) and all(pod in needy and pod.failing and own.isdisjoint(pod.failing) for pod in unready)

    def _is_ours(self) -> bool:
        """Whether the template asks already for what is wanted."""
        if not self._workload.token:
            return False
        token = parse(self._workload.token)
        if self._wanted_token.restart:
            return token.restart == self._wanted_token.restart
        if self._is_unnamed_restart():
            return token.is_same(self._wanted_token) and bool(self._options.began)
        return token.fingerprint == self._wanted_token.fingerprint

    def _is_enough(self) -> bool:
        """Whether new pods of a template that is not ours will be as wanted: they carry its token, if any."""
        if self._options.state == "current":
            return not self._workload.token
        return not self._wanted_token.restart

    def _is_unnamed_restart(self) -> bool:
        return self._options.state == "restarted" and not self._options.token

    def _is_ours_under_way(self) -> bool:
        """Whether a refresh has begun here that is not over, although no pod of before is left."""
        workload = self._workload
        if not self._rolls or workload.paused or workload.rollout.done or not self._is_ours():
            return False
        return not self._is_unnamed_restart() or any(pod.created > self._options.began for pod in self._pods)

    def _may_be_of_template(self, pod: PodFacts) -> bool:
        """Whether a pod may have been made from the present template; known by its revision, else guessed by its token."""
        if self._workload.revision and pod.revision:
            return pod.revision == self._workload.revision
        return pod.token == self._workload.token

    def _rolled_pods(self) -> int:
        desired = self._workload.counts.desired
        if not self._workload.partition:
            return desired
        # Ordinals may begin at another number than 0, so pods are counted where they are known.
        return max(1, sum(1 for pod in self._pods if _ordinal(pod) >= self._workload.partition))

    # In other ways

    def _instantiate(self, needy: list[PodFacts]) -> Decision:
        workload = self._workload
        if workload.rollout.state == "waiting":
            if workload.revision and not any(pod.revision == workload.revision for pod in needy):
                return Decision(self._wait(needy))
            return self._left("rollout-running", needy)
        return Decision(self._task("instantiate", needy, workload.counts.desired))

    def _restart_at(self, needy: list[PodFacts]) -> Decision:
        workload = self._workload
        if workload.rollout.state == "waiting" and all(pod.created < workload.token for pod in needy):
            return Decision(self._wait(needy))
        return Decision(self._task("restart_at", needy, workload.counts.desired))

    def _left(self, code: str, needy: Sequence[PodFacts]) -> Decision:
        return Decision(None, (leftover(code, self._workload.ref, len(needy)),))

    def _wait(self, needy: Sequence[PodFacts]) -> Task:
        if not self._rolls or not self._is_ours():
            return self._task("wait", needy, len(needy))
        given_up = self._workload.rollout.state == "failed"
        failing = given_up or any(pod.failing and self._may_be_of_template(pod) for pod in self._pods)
        return replace(self._task("wait", needy, len(needy), token=self._workload.token), failing=failing)

    def _task(self, way: Way, needy: Sequence[PodFacts], pods: int, token: str = "", stale: tuple[str, ...] = ()) -> Task:
        workload = self._workload
        reasons = [reason_to_replace(pod, self._need) for pod in needy]
        return Task(
            id=step_id(way, workload.ref),
            object=workload.ref,
            kind=workload.kind,
            way=way,
            pods=pods,
            reason=summary(reasons) if reasons else _UNDER_WAY,
            uid=workload.uid,
            resource_version=workload.resource_version,
            token=token,
            token_before=workload.token if self._rolls else "",
            stale=stale,
        )


def _ordinal(pod: PodFacts) -> int:
    """Return the number at the end of a StatefulSet's pod; -1 for a name without one."""
    number = pod.name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def _in_order(pods: Iterable[PodFacts]) -> list[PodFacts]:
    """Sort pods as a StatefulSet replaces them: from the last ordinal down; pods without one by name."""
    return sorted(pods, key=lambda pod: (-_ordinal(pod), pod.name))
