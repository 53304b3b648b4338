# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes that come before restarts: each once, whoever asks, on the state that was read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, Conflict, Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import removal_tasks, sidecar_items
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_unenrol import NamespaceWrites
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LeaseLost, LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import namespace

from .sidecar_scenes import Object, cluster, inventory, task, template

LABEL, KEY = OSM_EDGE.monitored_by_label, OSM_EDGE.injection_annotation


class PatchedCluster:
    """Namespaces and workloads by name; notes each patch."""

    def __init__(self, *objects: Object) -> None:
        self.objects = {item["metadata"]["name"]: item for item in objects}
        self.patches: list[str] = []
        self.fault: Callable[[str], None] = lambda name: None
        self._lock = threading.Lock()

    def patch(self, _kind: Kind, name: str, body: Any, namespace: str | None = None, *, uid: str, resource_version: str) -> Object:
        with self._lock:
            self.patches.append(f"{namespace}/{name}" if namespace else name)
            self.fault(name)
            found = self.objects.get(name)
            if found is None:
                raise NotFound(_call(name), status=404)
            if found["metadata"]["resourceVersion"] != resource_version or found["metadata"]["uid"] != uid:
                raise Conflict(_call(name), status=409)
            merge(found, body)
            return found

    def get_or_none(self, _kind: Kind, name: str, _namespace: str | None = None, **_options: Any) -> Object | None:
        return self.objects.get(name)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            return [*pool.map(function, items)]


def _call(name: str) -> Call:
    return Call("patch", f"namespace {name}", f"/{name}", "https://cluster")


def merge(found: Object, body: Mapping[str, Any]) -> None:
    for key, value in body.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            merge(found.setdefault(key, {}), value)
        else:
            found[key] = value


def live(name: str, mesh: str = "osm") -> Object:
    found = namespace(name, mesh=mesh, injection="enabled")
    found["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "1"}
    return found


def scene(*names: str, **request: Any) -> tuple[PatchedCluster, Inventory]:
    """Namespaces; those whose names do not end in -empty have a workload."""
    tasks = [task(name) for name in names if not name.endswith("-empty")]
    return PatchedCluster(*map(live, names)), inventory(*cluster(*map(live, names)), *tasks, **request)


def writes(api: PatchedCluster, found: Inventory, guard: Callable[[], None] = lambda: None) -> NamespaceWrites:
    assert found.subject is not None
    return NamespaceWrites(cast(Api, api), found.subject, sidecar_items(found), guard, Progress(), last=True)


def marked(api: PatchedCluster) -> list[str]:
    return [name for name, item in api.objects.items() if LABEL in item["metadata"].get("labels", {})]


def test_a_namespace_goes_with_its_first_task_and_empty_ones_when_it_is_their_turn() -> None:
    api, found = scene("a-empty", "b", "c-empty", "d", "e-empty")
    work = writes(api, found)
    first, second = removal_tasks(found)
    work.before(first)
    assert marked(api) == ["c-empty", "d", "e-empty"]
    work.before(first)
    assert len(api.patches) == 2
    work.before(second)
    assert marked(api) == ["e-empty"]
    work.rest()
    assert marked(api) == []
    assert {outcome.outcome for outcome in work.outcomes.values()} == {"done"}
    assert len(work.outcomes) == len(api.patches) == 5


def test_many_who_ask_at_the_same_time_write_once() -> None:
    api, found = scene("a-empty", "b", "c-empty")
    work = writes(api, found)
    (only,) = removal_tasks(found)
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(work.before, [only] * 32)]
    work.rest()
    assert sorted(api.patches) == ["a-empty", "b", "c-empty"]


def test_one_that_cannot_be_written_keeps_its_tasks_from_beginning_and_no_others() -> None:
    api, found = scene("a-empty", "b", "d")

    def refuse(name: str) -> None:
        if name in ("a-empty", "b"):
            raise Forbidden(_call(name), status=403, message="no")

    api.fault = refuse
    work = writes(api, found)
    first, second = removal_tasks(found)
    for _attempt in range(2):
        with pytest.raises(LifecycleError) as caught:
            work.before(first)
        assert caught.value.details["code"] == "unenrol-failed"
    work.before(second)
    work.rest()
    assert {step: outcome.outcome for step, outcome in work.outcomes.items()} == {
        "unenrol:Namespace/a-empty": "failed",
        "unenrol:Namespace/b": "failed",
        "unenrol:Namespace/d": "done",
    }
    assert work.failure is not None
    assert api.patches == ["a-empty", "b", "d"]


def test_without_the_right_to_write_nothing_is_written() -> None:
    def lost() -> None:
        raise LeaseLost("lost")

    api, found = scene("a-empty", "b")
    work = writes(api, found, lost)
    with pytest.raises(LeaseLost):
        work.before(removal_tasks(found)[0])
    assert api.patches == []
    assert work.outcomes == {}


def change_version(item: Object) -> None:
    item["metadata"]["resourceVersion"] = "2"


def move(item: Object) -> None:
    change_version(item)
    item["metadata"]["labels"][LABEL] = "blue"


def take_off(item: Object) -> None:
    change_version(item)
    item["metadata"] |= {"labels": {}, "annotations": {}}


@pytest.mark.parametrize(
    ("change", "outcome", "message", "labels"),
    [
        (change_version, "done", "", {}),
        (move, "unchanged", "it is in mesh blue now", {LABEL: "blue"}),
        (take_off, "unchanged", "somebody else had already done it", {}),
    ],
)
def test_a_namespace_that_was_changed_is_judged_again(
    change: Callable[[Object], None], outcome: str, message: str, labels: dict[str, str]
) -> None:
    api, found = scene("b")
    change(api.objects["b"])
    work = writes(api, found)
    work.before(removal_tasks(found)[0])
    said = next(iter(work.outcomes.values()))
    assert len(work.outcomes) == 1
    assert (said.outcome, said.message) == (outcome, message)
    assert api.objects["b"]["metadata"]["labels"] == labels


def test_a_lost_answer_is_no_other_s_work() -> None:
    api, found = scene("b")

    def lose(name: str) -> None:
        take_off(api.objects[name])
        error = Conflict(_call(name), status=409)
        error.after_lost_answer = True
        raise error

    api.fault = lose
    work = writes(api, found)
    work.before(removal_tasks(found)[0])
    assert [outcome.outcome for outcome in work.outcomes.values()] == ["done"]


def test_a_namespace_that_is_gone_is_no_failure() -> None:
    api, found = scene("b")
    api.objects.clear()
    work = writes(api, found)
    work.before(removal_tasks(found)[0])
    assert [outcome.outcome for outcome in work.outcomes.values()] == ["unchanged"]


def test_templates_follow_their_namespace() -> None:
    scaled = template("a", "scaled", pods=0)
    api, found = scene("a", artefacts=[scaled], edit_templates=True)
    body = {"template": {"metadata": {"annotations": {KEY: "enabled", "mine": "1"}}}}
    api.objects["scaled"] = {"metadata": {"name": "scaled", "uid": scaled.uid, "resourceVersion": "8"}, "spec": body}
    work = writes(api, found)
    work.before(removal_tasks(found)[0])
    assert api.patches == ["a", "a/scaled", "a/scaled"]
    assert body == {"template": {"metadata": {"annotations": {"mine": "1"}}}}
