# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the data plane: which, and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import (
    SCRAPED,
    removal_tasks,
    sidecar_items,
    sidecar_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import WITHOUT_SIDECAR
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import namespace

from .sidecar_scenes import cluster, inventory, task, template

KEY = OSM_EDGE.injection_annotation


def ids(found: Inventory) -> list[str]:
    return [step.id for step in sidecar_steps(found)]


def enrolled(*names: str) -> list[dict[str, object]]:
    return [namespace(name, mesh="osm", injection="enabled") for name in names]


def test_each_namespace_before_its_workloads_and_empty_ones_at_their_place() -> None:
    seen = cluster(*enrolled("a-empty", "b", "c-empty", "d", "z-empty"))
    found = inventory(*seen, task("b"), task("d", "api"), task("d"))
    assert ids(found) == [
        "unenrol:Namespace/a-empty",
        *("unenrol:Namespace/b", "rollout:Deployment/b/web"),
        "unenrol:Namespace/c-empty",
        *("unenrol:Namespace/d", "rollout:Deployment/d/api", "rollout:Deployment/d/web"),
        "unenrol:Namespace/z-empty",
    ]
    risks = {step.object.name: step.risk for step in sidecar_steps(found) if step.action == "unenrol"}
    assert risks == {"a-empty": "low", "b": "disruptive", "c-empty": "low", "d": "disruptive", "z-empty": "low"}


def test_servers_first_as_the_user_orders_it() -> None:
    seen = cluster(*enrolled("a", "m-empty", "z"), namespace("db", mesh="osm", tier="db"))
    asked = Options(ordered=("tier=db", "m-empty"))
    # As a plan orders them.
    found = inventory(*seen, task("a"), task("z"), refresh=asked)
    assert [step.object.name for step in sidecar_steps(found) if step.action == "unenrol"] == ["db", "m-empty", "a", "z"]


def test_nothing_when_the_data_plane_is_left_alone() -> None:
    seen = cluster(*enrolled("a"))
    assert ids(inventory(*seen, task("a"), remove_sidecars=False)) == []
    assert ids(inventory(*seen, task("a"), parts=frozenset({"control_plane"}))) == []
    assert ids(replace(inventory(*seen, task("a")), subject=None)) == []


def test_a_step_says_what_it_takes_off() -> None:
    seen, subject = cluster(namespace("a", mesh="osm", injection="enabled", team="x"), namespace("b", mesh="blue"))
    first, second = sidecar_steps(inventory(seen, subject, task("b")))
    assert first.desired == {"labels": {OSM_EDGE.monitored_by_label: None}, "annotations": {KEY: None}}
    assert first.before == {"metadata": {"labels": {OSM_EDGE.monitored_by_label: "osm", "team": "x"}, "annotations": {KEY: "enabled"}}}
    assert first.after == {"metadata": {"labels": {"team": "x"}, "annotations": {}}}
    assert second.why == "1 pod: still has a sidecar; new pods get the sidecar of mesh blue, where the namespace is enrolled now"


def test_a_bare_pod_is_not_tried_while_its_namespace_is_enrolled() -> None:
    seen = cluster(*enrolled("a"), namespace("b"))
    steps = {step.id: step.simulated for step in sidecar_steps(inventory(*seen, task("a", way="recreate"), task("b", way="recreate")))}
    assert steps["recreate:Pod/a/web"]
    assert not steps["recreate:Pod/b/web"]


def test_pods_that_stay_are_annotated_last() -> None:
    seen = cluster(*enrolled("a", "b"))
    found = inventory(*seen, task("b"))
    plan = found.sidecars
    assert plan is not None
    left = Leftover(SCRAPED, ObjectRef("Namespace", "a"), 0, "", "")
    more = Leftover("bare-pod", ObjectRef("Pod", "x", "a"), 1, "", "")
    assert ids(replace(found, sidecars=replace(plan, leftovers=(left, more))))[-1] == "annotate_pods:Namespace/a"


def test_templates_are_edited_only_on_request_and_not_those_of_others() -> None:
    seen = cluster(*enrolled("a"))
    found = [template("a"), template("a", "op", operator="App x"), template("b", owner="other"), template("b", "any", owner="shared")]
    assert ids(inventory(*seen, task("a"), artefacts=found)) == ["unenrol:Namespace/a", "rollout:Deployment/a/web"]
    asked = inventory(*seen, task("a"), artefacts=found, edit_templates=True)
    assert ids(asked) == ["unenrol:Namespace/a", "edit_template:Deployment/a/web"]


def test_a_template_is_edited_with_the_restart_or_by_a_rollout_or_at_once() -> None:
    seen = cluster(*enrolled("a"))
    found = [template("a"), template("a", "waits"), template("a", "plain", pods=3), template("a", "scaled", pods=0)]
    asked = inventory(*seen, task("a"), task("a", "waits", way="wait"), artefacts=found, edit_templates=True)
    assert ids(asked) == [
        "unenrol:Namespace/a",
        "edit_template:Deployment/a/scaled",
        "edit_template:Deployment/a/web",
        "edit_template:Deployment/a/waits",
        "edit_template:Deployment/a/plain",
    ]
    tasks = {item.object.name: item for item in removal_tasks(asked)}
    assert {name: (item.way, item.drops, item.pods) for name, item in tasks.items()} == {
        "web": ("rollout", (KEY,), 1),
        "waits": ("rollout", (KEY,), 1),
        "plain": ("rollout", (KEY,), 3),
    }
    assert tasks["web"].token == "t"
    assert tasks["plain"].token == WITHOUT_SIDECAR
    after = {step.object.name: step.after for step in sidecar_steps(asked)}
    assert after["web"] == {"spec": {"template": {"metadata": {"annotations": {"meshops.lifecycle/sidecar": "t"}}}}}


_NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@given(
    st.sets(_NAMES),
    st.lists(st.tuples(_NAMES, st.sampled_from(["api", "web"])), unique=True),
    st.lists(_NAMES, unique=True),
)
def test_no_namespace_is_out_before_its_turn(names: set[str], workloads: list[tuple[str, str]], ordered: list[str]) -> None:
    """Between a namespace and its first workload there is nothing, and every step is there once."""
    tasks = sorted((task(*item) for item in workloads), key=lambda item: _place(item.object, ordered))
    found = inventory(*cluster(*enrolled(*names)), *tasks, refresh=Options(ordered=tuple(ordered)))
    items = sidecar_items(found)
    assert len({item.step.id for item in items}) == len(items) == len(names) + len(tasks)
    assert [item.task for item in items if item.task is not None] == tasks
    places = [_rank(item.namespace, ordered) for item in items]
    assert places == sorted(places)
    for before, item in pairwise(items):
        if item.enrolled is not None:
            assert before.namespace != item.namespace
    assert {item.namespace for item in items if item.enrolled is not None} == names


def _rank(name: str, ordered: list[str]) -> tuple[int, str]:
    return (ordered.index(name) if name in ordered else len(ordered)), name


def _place(ref: ObjectRef, ordered: list[str]) -> tuple[tuple[int, str], str]:
    return _rank(ref.namespace, ordered), ref.name
