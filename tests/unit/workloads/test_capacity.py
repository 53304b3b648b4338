# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the pods of a rolling update find room, node by node."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.capacity import Fit, fit
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rolling import rolls
from ansible_collections.meshops.lifecycle.tests.unit.workloads.capacity_objects import NAMESPACE, node, pod, room, workload

Object = dict[str, Any]
RECREATE = {"strategy": {"type": "Recreate"}}


def pace(surge: object, unavailable: object) -> Object:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}


def play(nodes: list[Object], pods: list[Object], rendered: list[Object], live: list[Object]) -> Fit:
    cluster = room(nodes, pods)
    return fit(cluster, rolls(rendered, live, cluster, NAMESPACE))


def replace(cpu: str, nodes: list[Object], pods: list[Object], old_cpu: str = "", **spec: Any) -> Fit:
    """The update of one Deployment ``a`` to another image."""
    live = workload("a", old_cpu or cpu, image="c:0", **copy.deepcopy(spec))
    return play(nodes, pods, [workload("a", cpu, **spec)], [live])


def test_room_is_what_is_left_of_allocatable() -> None:
    cluster = room(
        [node("n1", "2", "4Gi"), node("n2", "4", "1Gi", unschedulable=True)],
        [
            pod("a", "n1", "500m", "1Gi"),
            pod("b", "n1", "100m", namespace="shop"),
            pod("ended", "n1", "1", phase="Succeeded"),
            pod("failed", "n1", "1", phase="Failed"),
            pod("waits", "", "1", phase="Pending"),
            pod("c", "gone", "1"),
        ],
    )
    one, two = cluster.nodes
    assert one.free == Amount(1400, 3 * 1024**3, 108)
    assert (two.usable, two.free.cpu) == (False, 4000)
    assert cluster.free == one.free
    assert cluster.largest == one
    assert cluster.pending == 1
    assert [item.name for item in cluster.own] == ["a-1", "c-1"]


def test_a_pod_that_is_being_deleted_still_holds_its_place_but_makes_no_room() -> None:
    going = pod("a", "n1", "500m")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster = room([node("n1")], [going])
    assert (cluster.nodes[0].free.cpu, cluster.own) == (1500, ())


def test_the_sum_is_enough_and_no_node_is() -> None:
    """osm#2675: three nodes with 0.4 CPU left each."""
    nodes = [node(f"n{index}", "1") for index in range(3)]
    pods = [pod("other", f"n{index}", "600m", namespace="shop") for index in range(3)]
    (stuck,) = replace("500m", nodes, pods).stuck
    assert (stuck.ref.name, stuck.missing, stuck.waits) == ("a", 1, False)
    assert stuck.best is not None
    assert stuck.best.free.cpu == 400


def test_one_more_millicore_makes_the_difference() -> None:
    assert replace("500m", [node("n1", "1")], [pod("a", "n1", "500m")]).stuck == ()
    assert replace("501m", [node("n1", "1")], [pod("a", "n1", "500m")], "500m").stuck != ()


def test_memory_counts_too() -> None:
    live, rendered = workload("a", "", "3Gi", image="c:0"), workload("a", "", "3Gi")
    assert play([node("n1", "2", "5Gi")], [pod("a", "n1", "", "3Gi")], [rendered], [live]).stuck != ()
    assert play([node("n1", "2", "6Gi")], [pod("a", "n1", "", "3Gi")], [rendered], [live]).stuck == ()


def test_a_node_with_as_many_pods_as_it_takes() -> None:
    assert replace("", [node("n1", pods="1")], [pod("a", "n1")]).stuck != ()
    assert replace("", [node("n1", pods="2")], [pod("a", "n1")]).stuck == ()


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        # The default for one replica is one more, none less.
        ({}, False),
        (pace("25%", "25%"), False),
        (pace(1, 0), False),
        (pace(0, 1), True),
        # Both nought are taken as one less.
        (pace(0, 0), True),
        (pace("0%", "0%"), True),
        (RECREATE, True),
    ],
)
def test_old_pods_that_go_first_make_room(spec: Object, fits: bool) -> None:
    assert replace("500m", [node("n1", "800m")], [pod("a", "n1", "500m")], **spec).fits is fits


def test_pods_that_grow_may_not_fit_where_the_old_ones_were() -> None:
    assert not replace("900m", [node("n1", "800m")], [pod("a", "n1", "500m")], "500m", **RECREATE).fits


def test_a_stateful_set_goes_one_by_one() -> None:
    live, rendered = (workload("a", "500m", kind="StatefulSet", image=image, replicas=2) for image in ("c:0", "c:1"))
    nodes, pods = [node("n1", "600m"), node("n2", "600m")], [pod("a", "n1", "500m"), pod("a", "n2", "500m")]
    assert play(nodes, pods, [rendered], [live]).stuck == ()


def test_what_waits_for_others_is_tight_and_fits() -> None:
    """Two surges of 500m and 400m, 600m left: the second begins when the first has made room."""
    nodes = [node("n1", "1500m")]
    pods = [pod("a", "n1", "500m"), pod("b", "n1", "400m")]
    live = [workload("a", "500m", image="c:0"), workload("b", "400m", image="c:0")]
    result = play(nodes, pods, [workload("a", "500m"), workload("b", "400m")], live)
    assert [(item.ref.name, item.waits) for item in result.stuck] == [("b", True)]
    assert result.fits
    assert (result.at_once.cpu, result.at_once.pods) == (900, 2)


def test_orphaned_pods_stay_beside_the_new_ones() -> None:
    """osm-controller gets another selector in 1.3: whatever its strategy, its old pods stay until the new ones are ready."""
    selector = {"matchLabels": {"app": "a", "codebase": ""}}
    live, rendered = workload("a", "500m", **RECREATE), workload("a", "500m", selector=selector, **RECREATE)
    nodes, pods = [node("n1", "800m")], [pod("a", "n1", "500m")]
    (stuck,) = play(nodes, pods, [rendered], [live]).stuck
    assert not stuck.waits
    assert play([node("n1", "1")], pods, [rendered], [live]).stuck == ()


def test_a_new_workload_needs_all_its_pods() -> None:
    result = play([node("n1", "1")], [], [workload("a", "400m", replicas=3)], [])
    assert [(item.ref.name, item.missing) for item in result.stuck] == [("a", 1)]
    assert result.at_once == Amount(1200, 0, 3)


def test_more_replicas_need_more_room() -> None:
    live, rendered = workload("a", "400m"), workload("a", "400m", replicas=2)
    assert play([node("n1", "700m")], [pod("a", "n1", "400m")], [rendered], [live]).stuck != ()


def test_what_does_not_change_needs_nothing() -> None:
    """The API server writes 0.5 as 500m and adds its defaults; Helm keeps what others have added."""
    live = workload("a", "500m", template={"restartPolicy": "Always", "nodeSelector": {}})
    live["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    rendered = workload("a", "0.5", template={"tolerations": [], "affinity": None, "hostNetwork": False})
    assert play([node("n1", "100m")], [], [rendered], [live]) == Fit(Amount(), ())


@pytest.mark.parametrize(
    "change",
    [
        {"image": "c:2"},
        {"cpu": "600m"},
        {"template": {"priorityClassName": "system-node-critical"}},
        {"template": {"initContainers": [{"name": "init", "image": "curl"}]}},
    ],
)
def test_what_changes_the_template_replaces_the_pods(change: Object) -> None:
    rendered = workload("a", **{"cpu": "500m", **change})
    assert play([node("n1", "700m")], [pod("a", "n1", "500m")], [rendered], [workload("a", "500m")]).stuck != ()


def test_a_daemon_set_replaces_its_pods_where_they_are() -> None:
    live, rendered = (workload("a", "500m", kind="DaemonSet", image=image) for image in ("c:0", "c:1"))
    nodes, pods = [node("n1", "500m"), node("n2", "900m", unschedulable=True)], [pod("a", "n1", "500m"), pod("a", "n2", "500m")]
    assert play(nodes, pods, [rendered], [live]).stuck == ()
    rendered["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "600m"
    (stuck,) = play(nodes, pods, [rendered], [live]).stuck
    assert stuck.best is not None
    assert (stuck.missing, stuck.best.name) == (1, "n1")


def test_a_new_daemon_set_needs_room_on_every_node() -> None:
    nodes = [node("n1", "1"), node("n2", "1"), node("n3", "1", taints=[{"key": "x", "effect": "NoSchedule"}])]
    result = play(nodes, [pod("b", "n2", "600m")], [workload("a", "500m", kind="DaemonSet")], [])
    assert [(item.ref.kind, item.missing) for item in result.stuck] == [("DaemonSet", 1)]
    assert result.at_once.cpu == 1000


def test_no_node_may_take_it() -> None:
    (stuck,) = replace("500m", [node("n1", unschedulable=True)], [], template={"nodeSelector": {"pool": "mesh"}}).stuck
    assert stuck.best is None


def test_workloads_of_other_namespaces_and_other_kinds_are_not_mixed_up() -> None:
    elsewhere = workload("a", "500m", image="c:0")
    elsewhere["metadata"]["namespace"] = "shop"
    service = {"kind": "Service", "metadata": {"name": "a"}, "spec": {}}
    cluster = room([node("n1", "900m")], [pod("a", "n1", "500m", namespace="shop")])
    (roll,) = rolls([workload("a", "500m"), service], [elsewhere], cluster, NAMESPACE)
    assert (roll.old, roll.at_once) == ((), 1)


def test_nonsense_in_a_template_is_told() -> None:
    with pytest.raises(ValueError, match="lots"):
        rolls([workload("a", "lots")], [], room([], []), NAMESPACE)


millis = st.integers(0, 3000)


@given(st.lists(millis, min_size=1, max_size=5), st.integers(1, 2000), st.integers(1, 4))
def test_new_pods_fit_exactly_as_often_as_nodes_hold_them(sizes: list[int], need: int, replicas: int) -> None:
    nodes = [node(f"n{index}", f"{size}m") for index, size in enumerate(sizes)]
    result = play(nodes, [], [workload("a", f"{need}m", replicas=replicas)], [])
    places = sum(size // need for size in sizes)
    assert result.fits is (places >= replicas)
    assert sum(item.missing for item in result.stuck) == max(0, replicas - places)


@given(st.lists(millis, min_size=1, max_size=4), st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3)), max_size=5))
def test_more_room_never_turns_a_fit_of_one_workload_into_a_failure(sizes: list[int], others: list[tuple[int, int]]) -> None:
    pods = [pod(f"o{index}", f"n{on % len(sizes)}", f"{cpu}m", namespace="shop") for index, (cpu, on) in enumerate(others)]
    small = replace("400m", [node(f"n{index}", f"{size}m") for index, size in enumerate(sizes)], pods)
    large = replace("400m", [node(f"n{index}", f"{size + 500}m") for index, size in enumerate(sizes)], pods)
    assert large.fits or not small.fits


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 3)), min_size=1, max_size=4), st.lists(millis, min_size=1, max_size=4))
def test_what_fits_is_never_more_than_there_is(workloads: list[tuple[int, int]], sizes: list[int]) -> None:
    """Nothing runs yet, so all pods must hold at the same time."""
    nodes = [node(f"n{index}", f"{size}m") for index, size in enumerate(sizes)]
    wanted = [workload(f"w{index}", f"{cpu}m", replicas=count) for index, (cpu, count) in enumerate(workloads)]
    result = play(nodes, [], wanted, [])
    total = sum(cpu * count for cpu, count in workloads)
    assert result.at_once.cpu == total
    assert not result.fits or total <= sum(sizes)
