# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps by which a mesh loses its data plane: namespaces, pod templates and workloads, in the order in which they are begun. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import SCRAPE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Enrolled, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import elsewhere
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import edit_patch, editable
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Risk, Step, step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import rank
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_procedure import step_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import WITHOUT_SIDECAR, Token, following

UNENROL, EDIT, PODS = "unenrol", "edit_template", "annotate_pods"
# Code of the leftovers that are namespaces with such pods.
SCRAPED = "scrape-annotations"


class Item(NamedTuple):
    """One step, and what it is made from: a namespace, a template that is edited at once, or a workload whose pods are replaced."""

    step: Step
    namespace: str
    enrolled: Enrolled | None = None
    template: Artefact | None = None
    task: Task | None = None


def sidecar_steps(inventory: Inventory) -> list[Step]:
    """Return the steps of the phase.

    A namespace is un-enrolled before its first workload; one that has none, at its place in the order (``ordered``, then by name).
    """
    return [item.step for item in sidecar_items(inventory)]


def sidecar_items(inventory: Inventory) -> list[Item]:
    """Return the steps with what they are made from."""
    request, subject = inventory.request, inventory.subject
    if subject is None or not request.remove_sidecars or "sidecars" not in request.parts:
        return []
    return [*_Order(inventory).items(), *_annotated(inventory)]


class _Order:
    """Puts namespaces, templates and tasks into one order."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._mesh = inventory.subject.name if inventory.subject is not None else ""
        self._tasks = removal_tasks(inventory)
        self._with_sidecars = {pod.namespace for pod in inventory.scope.pods if pod.verdict.has_sidecar}
        # What is written at once, before the workloads of its namespace: by namespace.
        self._first: dict[str, list[Item]] = {}

    def items(self) -> list[Item]:
        first, busy = self._first, {task.object.namespace for task in self._tasks}
        for enrolled in self._inventory.enrolled:
            first.setdefault(enrolled.name, []).append(Item(self._unenrol(enrolled), enrolled.name, enrolled=enrolled))
        for template in _edited_at_once(self._inventory, self._tasks):
            place = template.ref.namespace
            first.setdefault(place, []).append(Item(_edit(template), place, template=template))
        idle = sorted((name for name in first if name not in busy), key=self._rank, reverse=True)
        result: list[Item] = []
        for task in self._tasks:
            place = task.object.namespace
            while idle and self._rank(idle[-1]) < self._rank(place, task):
                result += first.pop(idle.pop())
            result += first.pop(place, [])
            result.append(Item(self._refresh(task), place, task=task))
        return [*result, *(item for name in reversed(idle) for item in first[name])]

    def _rank(self, namespace: str, task: Task | None = None) -> tuple[int, str]:
        facts = self._inventory.observed.namespaces.get(namespace)
        places: list[Mapping[str, str]] = [facts.labels if facts is not None else {}]
        workload = self._inventory.scope.workloads.get(task.uid) if task is not None else None
        if workload is not None:
            places.append(workload.template["metadata"].get("labels") or {})
        return rank(namespace, places, self._inventory.request.refresh.ordered), namespace

    def _unenrol(self, enrolled: Enrolled) -> Step:
        facts = self._inventory.observed.namespaces[enrolled.name]
        keys = ", ".join(key.partition("/")[2] or key for key in (*enrolled.labels, *enrolled.annotations))
        # Its pods lose what the mesh knows about it until they are replaced.
        risk: Risk = "disruptive" if enrolled.name in self._with_sidecars else "low"
        gone = (*enrolled.labels, *enrolled.annotations)
        return Step(
            UNENROL,
            ObjectRef("Namespace", enrolled.name),
            why=f"{f'is enrolled in mesh {self._mesh}' if enrolled.labels else 'no mesh reads it any more'}: {keys}",
            risk=risk,
            desired={"labels": dict(enrolled.labels), "annotations": dict(enrolled.annotations)},
            before=_shown(facts.labels, facts.annotations),
            after=_shown(*({key: value for key, value in part.items() if key not in gone} for part in (facts.labels, facts.annotations))),
            uid=enrolled.uid,
            resource_version=enrolled.resource_version,
            # Asked without names: there may be hundreds.
            permissions=(Permission("get", "", "namespaces"), Permission("patch", "", "namespaces")),
        )

    def _refresh(self, task: Task) -> Step:
        step = step_of(task)
        facts, subject = self._inventory.observed.namespaces.get(task.object.namespace), self._inventory.subject
        other = elsewhere(facts, subject) if facts is not None and subject is not None else ""
        notes = [f"new pods get the sidecar of mesh {other}, where the namespace is enrolled now"] if other else []
        notes += [f"its pod template loses {', '.join(task.drops)}"] if task.drops else []
        if task.drops:
            step = _with_drops(step, task, self._inventory)
        if task.way == "recreate" and any(item.name == task.object.namespace for item in self._inventory.enrolled):
            step = replace(step, simulated="its namespace is un-enrolled first: until then the mesh decides about a new pod")
        return replace(step, why="; ".join([step.why, *notes]))


def _with_drops(step: Step, task: Task, inventory: Inventory) -> Step:
    found = editable(inventory.artefacts)[task.object]
    key, value = str(found.state["annotation"]), str(found.state["value"])
    before = {TOKEN: task.token_before} if task.token_before else {}
    return replace(
        step,
        action=task.id.partition(":")[0],
        desired={**step.desired, "drops": list(task.drops)},
        before=_template({**before, key: value}),
        after=_template({TOKEN: task.token}),
    )


def _template(annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"annotations": dict(annotations)}}}}


def removal_tasks(inventory: Inventory) -> tuple[Task, ...]:
    """Return the workloads to replace, in order; with ``edit_templates`` also those of which only the pod template changes.

    A template that changes is rolled out by its controller, so both is one write.
    """
    tasks = inventory.sidecars.tasks if inventory.sidecars is not None else ()
    if not inventory.request.edit_templates:
        return tasks
    templates = editable(inventory.artefacts)
    known = {task.object for task in tasks}
    edited = [_edited(task, templates.get(task.object)) for task in tasks]
    more = [_edit_task(item) for ref, item in templates.items() if ref not in known and item.state["pods"]]
    return (*edited, *more)


def _edited(task: Task, template: Artefact | None) -> Task:
    if template is None or task.way not in ("rollout", "wait"):
        return task
    if task.way == "wait":
        return _edit_task(template)
    return replace(task, id=step_id(EDIT, task.object), drops=(str(template.state["annotation"]),))


def _edit_task(template: Artefact) -> Task:
    """Return the rollout of a workload whose pods have no sidecar, or lose it already."""
    token = str(template.state["token"])
    return Task(
        id=step_id(EDIT, template.ref),
        object=template.ref,
        kind=template.kind,
        way="rollout",
        pods=int(template.state["pods"]),
        reason=template.found_by,
        uid=template.uid,
        resource_version=template.resource_version,
        token=str(following(Token(WITHOUT_SIDECAR), [token])),
        token_before=token,
        drops=(str(template.state["annotation"]),),
    )


def _edited_at_once(inventory: Inventory, tasks: tuple[Task, ...]) -> list[Artefact]:
    """Return the templates whose change replaces no pod."""
    if not inventory.request.edit_templates:
        return []
    rolled = {task.object for task in tasks if task.drops}
    return [item for ref, item in editable(inventory.artefacts).items() if ref not in rolled]


def _edit(template: Artefact) -> Step:
    kind, place = template.kind, template.ref.namespace
    patch = edit_patch(kind, str(template.state["annotation"]))
    return Step(
        EDIT,
        template.ref,
        why=template.found_by,
        desired=patch,
        before={"annotations": {template.state["annotation"]: template.state["value"]}},
        after={"annotations": {}},
        uid=template.uid,
        resource_version=template.resource_version,
        permissions=(Permission("patch", kind.group, kind.plural, place),),
    )


def _annotated(inventory: Inventory) -> list[Item]:
    """Return a step for each namespace with pods that keep their sidecar and tell Prometheus about it."""
    leftovers = inventory.sidecars.leftovers if inventory.sidecars is not None else ()
    steps = [
        Step(
            PODS,
            item.object,
            why="pods that keep their sidecar have the annotations by which Prometheus finds it",
            risk="low",
            desired={"annotations": dict.fromkeys(SCRAPE)},
            simulated="each of its pods is patched, and which they are is seen then",
            permissions=(Permission("list", "", "pods", item.object.name), Permission("patch", "", "pods", item.object.name)),
        )
        for item in leftovers
        if item.code == SCRAPED
    ]
    return [Item(step, step.object.name) for step in steps]


def _shown(labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"metadata": {"labels": dict(labels), "annotations": dict(annotations)}}
