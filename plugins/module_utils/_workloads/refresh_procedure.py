# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The refresh as a procedure: one phase, whose steps are workloads that are replaced at a pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Risk, Step, StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_trial import refusal_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Options, SidecarRules, Task, Way
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_begin import rollout_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan, plan_refresh
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_reading import read_scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import Clock, RefreshRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_saved import leftovers_of_saved_pods, tasks_of_saved_pods

NAME = "sidecar_refresh"

_RISK: dict[Way, Risk] = {"wait": "none", "recreate": "destructive"}
_SIMULATED: dict[Way, str] = {
    "wait": "there is nothing to write",
    "evict": "whether a pod may go is decided when its turn comes",
    "instantiate": "the server has no dry run for it",
}
# In seconds: what a creationTimestamp is cut to.
_SECOND = 1.0


@dataclass(frozen=True)
class RefreshState:
    """What was read, what the mesh says about it, and what follows from both."""

    rules: SidecarRules
    scope: Scope
    plan: RefreshPlan
    injector: tuple[Refusal, ...] = ()


class SidecarRefresh:
    """One refresh; ``find_rules`` reads what the mesh wants, whenever the cluster is looked at again."""

    def __init__(
        self,
        api: Api,
        find_rules: Callable[[], SidecarRules],
        options: Options,
        deadline: Deadline,
        progress: Progress,
        clock: Clock | None = None,
    ) -> None:
        self._api = api
        self._clock = clock or Clock()
        self._observed = self._clock.now()
        self._find_rules = find_rules
        self._options = options
        self._deadline = deadline
        self._progress = progress
        self._rules = find_rules()
        self._first = True
        self._tasks: dict[str, Task] = {}
        self.target = self._rules.target
        self.namespace = self._rules.namespace
        self.run: RefreshRun | None = None
        # As it was planned, and as it was seen last.
        self.planned: RefreshState | None = None
        self.state: RefreshState | None = None

    def procedure(self) -> Procedure[RefreshState]:
        """Return the refresh as a procedure."""
        return Procedure(
            name=NAME,
            target=self.target,
            observe=self._observe,
            phases=(Phase("refresh", self._steps, run=self._run, dry_run=self._dry_run),),
            refuse=lambda state: [*state.plan.refusals, *state.injector],
            findings=lambda state: [*state.plan.findings, *state.rules.findings()],
            verify=unproven,
            # What is evicted carries no token: a restart is done for the pods that came after it was begun, and only the record knows when.
            merge_base=lambda state: {"began": state.scope.newest},
        )

    def _observe(self, record: Record | None) -> RefreshState:
        # What was found to know the target is still fresh when the first look follows at once.
        rules = self._rules if self._first else self._find_rules()
        self._first = False
        options = replace(self._options, began=str((record.merge_base if record is not None else {}).get("began") or ""))
        scope = read_scope(self._api, rules, options)
        self._observed = self._clock.now()
        plan = plan_refresh(scope, rules, options)
        if options.recreate_bare_pods:
            saved = tasks_of_saved_pods(self._api, scope.namespaces, {task.id for task in plan.tasks}, options.selector)
            plan = replace(plan, tasks=(*saved, *plan.tasks))
        else:
            left = leftovers_of_saved_pods(self._api, scope.namespaces, options.selector)
            plan = replace(plan, leftovers=(*left, *plan.leftovers))
        begins = any(task.way != "wait" for task in plan.tasks)
        # Pods that leave the mesh are created without its injector.
        injector = rules.alive() if begins and self._options.state != "absent" else []
        self._rules = rules
        self.state = RefreshState(rules, scope, plan, tuple(injector))
        if self.run is None:
            self.planned = self.state
        return self.state

    def _steps(self, state: RefreshState) -> list[Step]:
        self._tasks = {task.id: task for task in state.plan.tasks}
        return [step_of(task) for task in state.plan.tasks]

    def _dry_run(self, step: Step) -> None:
        task = self._tasks[step.id]
        if task.manifest is not None:
            refusal = refusal_of(self._api, task.manifest, task.object.namespace)
            if refusal is not None:
                raise refusal
            return
        self._api.patch(task.kind, task.object.name, rollout_patch(task), task.object.namespace, uid=task.uid, dry_run=True)

    def _run(self, steps: Sequence[Step], guard: Guard) -> tuple[list[StepOutcome], LifecycleError | None]:
        tasks = [self._tasks[step.id] for step in steps]
        if self._options.state == "restarted" or any(task.way == "restart_at" for task in tasks):
            self._let_the_second_pass()
        self.run = RefreshRun(
            self._api, self._rules, tasks, self._options, guard, self._progress, self._deadline, self._clock, self._find_rules
        )
        return self.run.run()

    def _let_the_second_pass(self) -> None:
        """Wait until a new pod has a later creationTimestamp than all that were seen.

        Timestamps are whole seconds, and a restart knows its own pods by them (``Options.began``). So does Argo's: a pod of the second of
        ``spec.restartAt`` counts as new for it (argoproj/argo-rollouts rollout/restart.go).
        """
        self._clock.sleep(max(0.0, self._observed + _SECOND - self._clock.now()))


def step_of(task: Task) -> Step:
    """Return the step that a task is in plans and results."""
    metadata = {"annotations": {TOKEN: task.token}}
    rolls = task.way == "rollout"
    return Step(
        task.way,
        task.object,
        why=f"{_pods(task.pods)}: {task.reason}",
        risk=_RISK.get(task.way, "disruptive"),
        reversible=task.way != "recreate",
        desired={"token": task.token} if task.token else {},
        before={"spec": {"template": {"metadata": {"annotations": {TOKEN: task.token_before} if task.token_before else {}}}}}
        if rolls
        else None,
        after={"spec": {"template": {"metadata": metadata}}} if rolls else None,
        uid=task.uid,
        resource_version=task.resource_version,
        writes=task.way != "wait",
        simulated=_SIMULATED.get(task.way, ""),
        permissions=_permissions(task),
    )


def _permissions(task: Task) -> tuple[Permission, ...]:
    """Return what the task needs; they name no object, so that many workloads of a namespace are asked about once."""
    namespace, kind = task.object.namespace, task.kind
    eviction = Permission("create", "", "pods", namespace, subresource="eviction")
    by_way: dict[Way, tuple[Permission, ...]] = {
        "rollout": (Permission("patch", kind.group, kind.plural, namespace),),
        "restart_at": (Permission("patch", kind.group, kind.plural, namespace),),
        "instantiate": (Permission("create", kind.group, kind.plural, namespace, subresource="instantiate"),),
        "evict": (eviction,),
        "recreate": (eviction, Permission("create", "", "pods", namespace), Permission("create", "", "secrets", namespace)),
        "wait": (),
    }
    return by_way[task.way]


def unproven(state: RefreshState) -> list[Finding]:
    """Return a finding for every workload that would have to be refreshed again."""
    return [
        Finding(
            "error",
            "still-stale",
            task.object,
            f"{_pods(task.pods)} not as wanted: {task.reason}",
            "these pods were created, or the mesh was changed, while the refresh was going on",
            "run the same command again",
        )
        for task in state.plan.tasks
    ]


def _pods(count: int) -> str:
    return f"{count} pod{'' if count == 1 else 's'}"
