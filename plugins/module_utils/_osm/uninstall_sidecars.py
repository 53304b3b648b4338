# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data plane of a mesh that is uninstalled: what has its sidecar or its marks, and how it loses both.

Namespace by namespace, in the order of the workloads: a namespace is un-enrolled just before the first of its workloads is begun, so the
mesh goes on working for those that have not had their turn. Without ``ordered`` that is by name: only the user knows which are servers,
and a client that loses its sidecar before its server has is refused by it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import SIDECARS, Inventory, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import elsewhere, enrolled_namespaces, is_last
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_rules import RemovalRules, removal_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import (
    PODS,
    SCRAPED,
    Item,
    sidecar_items,
    sidecar_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import edit_patch, read_templates
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_unenrol import NamespaceWrites, unenrolment_patch, unscrape
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step, StepOutcome
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import climb
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_trial import refusal_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, Options, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_begin import rollout_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan, plan_refresh
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_reading import read_scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import RefreshRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_saved import leftovers_of_saved_pods, tasks_of_saved_pods

__all__ = ["SidecarRemoval", "enrolled_namespaces", "read_sidecars", "read_templates", "sidecar_steps"]


def read_sidecars(api: Api, observed: Observed, subject: Subject, request: UninstallRequest) -> tuple[Scope, RefreshPlan]:
    """Read who has a sidecar of the mesh, and plan its removal as if the mesh's namespaces were un-enrolled already.

    Sidecars are found wherever they are, also when neither control plane nor enrolment is left; those of other meshes are passed over.
    Requests: as for a refresh of all namespaces, and one list of Secrets for Open Service Mesh. Raises KubeError.
    """
    rules, options = removal_rules(api, observed, subject), removal_options(request)
    scope = read_scope(api, rules, options)
    plan = plan_refresh(scope, rules, options)
    # What an earlier run has evicted has left nothing else in its namespace, maybe.
    places = [
        name
        for name, facts in observed.namespaces.items()
        if not facts.terminating and name != subject.namespace and not elsewhere(facts, subject)
    ]
    if options.recreate_bare_pods:
        saved = tasks_of_saved_pods(api, places, {task.id for task in plan.tasks})
        return scope, replace(plan, tasks=(*saved, *plan.tasks), leftovers=(*plan.leftovers, *_scraped(scope, plan, rules)))
    left = leftovers_of_saved_pods(api, places)
    return scope, replace(plan, leftovers=(*left, *plan.leftovers, *_scraped(scope, plan, rules)))


def removal_options(request: UninstallRequest) -> Options:
    """Return how sidecars are removed: at the user's pace, from every namespace."""
    return replace(
        request.refresh, state="absent", namespaces=(), namespace_selector="", exclude_namespaces=(), selector="", token="", began=""
    )


def _scraped(scope: Scope, plan: RefreshPlan, rules: RemovalRules) -> list[Leftover]:
    """Return the namespaces with pods that stay, and by their annotations let Prometheus scrape a sidecar that has no mesh any more."""
    stay = {item.object for item in plan.leftovers}
    names = set()
    for pod in scope.pods:
        if (pod.namespace, pod.name) not in rules.scraped or pod.namespace in names:
            continue
        end = climb(pod.controller, scope.owners, scope.workloads).ref if pod.controller is not None else None
        if ObjectRef("Pod" if end is None else end.kind, pod.name if end is None else end.name, pod.namespace) in stay:
            names.add(pod.namespace)
    what = "pods that keep their sidecar have the annotations by which Prometheus finds it"
    # They are counted with what keeps them.
    return [Leftover(SCRAPED, ObjectRef("Namespace", name), 0, what, "the uninstallation takes these off") for name in sorted(names)]


class RemovalResult(NamedTuple):
    """What a removal came to: ``counts``, ``entries`` and ``rate`` as RefreshRun has them."""

    counts: Mapping[str, int] = {}
    entries: Sequence[Mapping[str, Any]] = ()
    rate: float = 0.0


class SidecarRemoval:
    """Does the steps of the phase. ``see`` gets the inventory on which they were planned, before ``run`` and ``dry_run``."""

    def __init__(self, api: Api, deadline: Deadline, progress: Progress, request: UninstallRequest) -> None:
        self.result = RemovalResult()
        self._api = api
        self._deadline = deadline
        self._progress = progress
        self._options = removal_options(request)
        self._inventory: Inventory | None = None
        self._items: dict[str, Item] = {}

    def see(self, inventory: Inventory) -> None:
        """Remember what the next steps are made from."""
        self._inventory = inventory
        self._items = {item.step.id: item for item in sidecar_items(inventory)}

    def dry_run(self, step: Step) -> None:
        """Ask the server whether it would accept the step."""
        item = self._items[step.id]
        if item.enrolled is not None:
            self._api.patch(NAMESPACE, item.namespace, unenrolment_patch(step.desired), uid=step.uid, dry_run=True)
        elif item.template is not None:
            patch = edit_patch(item.template.kind, str(item.template.state["annotation"]))
            self._api.patch(item.template.kind, step.object.name, patch, item.namespace, uid=step.uid, dry_run=True)
        elif item.task is not None:
            self._try(item.task)

    def _try(self, task: Task) -> None:
        if task.manifest is None:
            self._api.patch(task.kind, task.object.name, rollout_patch(task), task.object.namespace, uid=task.uid, dry_run=True)
            return
        refusal = refusal_of(self._api, task.manifest, task.object.namespace)
        if refusal is not None:
            raise refusal

    def run(self, steps: Sequence[Step], guard: Guard) -> tuple[list[StepOutcome], LifecycleError | None]:
        """Do them at the user's pace, and return the outcome of each in order, and the failure.

        When it is stopped (``max_failures``, a lost Lease, the timeout), namespaces whose turn has not come stay enrolled.
        """
        inventory = self._inventory
        if inventory is None or inventory.subject is None:
            raise RuntimeError("see() comes first")
        subject, items = inventory.subject, [self._items[step.id] for step in steps]
        writes = NamespaceWrites(self._api, subject, items, guard, self._progress, last=is_last(inventory.observed, subject))
        outcomes, failure = self._replace_pods(inventory, subject, items, guard, writes)
        if not any(outcome.outcome == "not_run" for outcome in outcomes.values()):
            broken_off = self._finish(subject, items, guard, writes, outcomes)
            failure = failure or broken_off
        outcomes |= writes.outcomes
        failure = failure or writes.failure
        return [outcomes.get(item.step.id, StepOutcome(item.step.id, SIDECARS, "not_run")) for item in items], failure

    def _replace_pods(
        self, inventory: Inventory, subject: Subject, items: Sequence[Item], guard: Guard, writes: NamespaceWrites
    ) -> tuple[dict[str, StepOutcome], LifecycleError | None]:
        tasks = [item.task for item in items if item.task is not None]
        if not tasks:
            return {}, None
        rules = removal_rules(self._api, inventory.observed, subject)
        run = RefreshRun(self._api, rules, tasks, self._options, guard, self._progress, self._deadline, before_begin=writes.before)
        outcomes, failure = run.run()
        self.result = RemovalResult(run.counts, run.entries, run.rate)
        return {outcome.id: replace(outcome, phase=SIDECARS) for outcome in outcomes}, failure

    def _finish(
        self, subject: Subject, items: Sequence[Item], guard: Guard, writes: NamespaceWrites, outcomes: dict[str, StepOutcome]
    ) -> LifecycleError | None:
        """Write what comes after the last workload; return what broke it off."""
        try:
            guard()
            writes.rest()
            for item in items:
                if item.step.action == PODS:
                    started = time.monotonic()
                    guard()
                    done = unscrape(self._api, item.namespace, subject.product.pod_uuid_label, guard)
                    seconds = time.monotonic() - started
                    outcomes[item.step.id] = StepOutcome(item.step.id, SIDECARS, "done" if done else "unchanged", seconds, f"{done} pods")
        except LifecycleError as error:
            return error
        return None
