# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told about the room for an upgrade: which pod, what it asks for, what is left, which value to change."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE, PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.surge import capacity_facts, surge_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_keys import requests_keys
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room
from ansible_collections.meshops.lifecycle.tests.unit.workloads.capacity_objects import NAMESPACE, node, pod, room, workload

Object = dict[str, Any]
CPU = {"osm-controller": "500m", "osm-injector": "300m", "osm-bootstrap": "300m"}
CRITICAL = {"template": {"priorityClassName": "system-node-critical"}}


def control_plane(image: str) -> list[Object]:
    return [workload(name, cpu, "128M", image=image) for name, cpu in CPU.items()]


def running(on: str = "n1") -> list[Object]:
    return [pod(name, on, cpu, "128M") for name, cpu in CPU.items()]


def test_room_for_the_whole_surge() -> None:
    assert surge_findings(room([node("n1", "2200m")], running()), control_plane("1.3.9"), control_plane("1.2.3"), NAMESPACE, OSM_EDGE) == []


def test_the_default_requests_on_a_small_cluster() -> None:
    """osm#2675: the control plane runs and has 0.2 CPU beside it."""
    (found, *more) = surge_findings(
        room([node("n1", "1300m")], running()), control_plane("1.3.9"), control_plane("1.2.3"), NAMESPACE, OSM_EDGE
    )
    assert (found.severity, found.code, str(found.object)) == (
        "warning",
        "insufficient-capacity",
        "Deployment osm-system/osm-controller",
    )
    assert found.what == (
        "its new pod asks for 500m CPU and 128M memory, and no node has that left beside the other new pods: "
        "the best, n1, has 200m CPU and 3729Mi memory"
    )
    assert "starts the new pods before it ends the old ones" in found.why
    assert "stays Pending" in found.why
    assert found.remedy == (
        "add a node, or free 300m CPU on n1; or lower the values osm.osmController.resource.requests.cpu from 500m to 200m or less"
    )
    assert [(item.code, item.object.name) for item in more] == [
        ("insufficient-capacity", "osm-injector"),
        ("insufficient-capacity", "osm-bootstrap"),
    ]


def test_a_critical_pod_drives_others_away() -> None:
    live, rendered = (workload("osm-injector", "300m", image=image, **CRITICAL) for image in ("1.2.3", "1.3.9"))
    (found,) = surge_findings(room([node("n1", "400m")], [pod("osm-injector", "n1", "300m")]), [rendered], [live], NAMESPACE, OSM_EDGE)
    assert "as system-node-critical it drives pods of other workloads off a node" in found.why


def test_the_orphaned_controller() -> None:
    rendered = workload("osm-controller", "500m", selector={"matchLabels": {"app": "osm-controller", "codebase": ""}})
    cluster = room([node("n1", "900m")], [pod("osm-controller", "n1", "500m")])
    (found,) = surge_findings(cluster, [rendered], [workload("osm-controller", "500m")], NAMESPACE, OSM_EDGE)
    assert "its selector changes, so the old pods stay" in found.why


def test_components_that_wait_for_each_other() -> None:
    cluster = room([node("n1", "1650m")], running())
    found = surge_findings(cluster, control_plane("1.3.9"), control_plane("1.2.3"), NAMESPACE, OSM_EDGE)
    assert {(item.severity, item.code) for item in found} == {("info", "tight-capacity")}


def test_no_node_may_take_it() -> None:
    cluster = room([node("n1", unschedulable=True)], [])
    (found, *_more) = surge_findings(cluster, control_plane("1.3.9"), [], NAMESPACE, FSM)
    assert "no node may take it" in found.what
    assert "kubectl uncordon" in found.remedy


def test_a_full_node() -> None:
    cluster = room([node("n1", pods="3")], running())
    (found, *_more) = surge_findings(cluster, control_plane("1.3.9"), control_plane("1.2.3"), NAMESPACE, OSM_EDGE)
    assert "no place for another pod" in found.what
    assert found.remedy == "add a node, or free 1 place for a pod on n1"


def test_what_may_not_be_read_is_told_and_not_judged() -> None:
    (found,) = surge_findings(Room(unread="list nodes cluster-wide"), control_plane("1.3.9"), [], NAMESPACE, OSM_EDGE)
    assert (found.severity, found.code) == ("info", "capacity-not-checked")
    assert "list nodes cluster-wide" in found.why
    assert capacity_facts(Room(unread="list nodes cluster-wide"), [], NAMESPACE) == {
        "checked": False,
        "reason": "it needs the permission to list nodes cluster-wide",
    }


@pytest.mark.parametrize(
    "spec", [workload("osm-controller", "lots")["spec"], {}, {"template": {"spec": {"containers": ["x"]}}}, {"template": []}]
)
def test_a_template_that_makes_no_sense(spec: Object) -> None:
    rendered = {"kind": "Deployment", "metadata": {"name": "osm-controller"}, "spec": spec}
    (found,) = surge_findings(room([node("n1")], []), [rendered], [], NAMESPACE, OSM_EDGE)
    assert (found.severity, found.code) == ("info", "capacity-not-checked")


def test_a_request_that_is_no_quantity_is_quoted() -> None:
    strange = workload("osm-controller")
    strange["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": ["1"]}}
    for rendered, words in ((workload("osm-controller", "lots"), "'lots' is not a quantity"), (strange, "cannot be understood")):
        (found,) = surge_findings(room([node("n1")], []), [rendered], [], NAMESPACE, OSM_EDGE)
        assert words in found.why


def test_numbers_for_mesh_info() -> None:
    cluster = room(
        [node("n1", "2"), node("n2", "1"), node("n3", "8", unschedulable=True)], [*running(), pod("shop", "", "1", namespace="shop")]
    )
    facts = capacity_facts(cluster, control_plane("1.2.3"), NAMESPACE)
    assert facts == {
        "checked": True,
        "nodes": 3,
        "usable_nodes": 2,
        "free": {"cpu": 1.9, "memory": 2 * 4 * 1024**3 - 3 * 128 * 10**6},
        "largest_free_node": {"name": "n2", "cpu": 1.0, "memory": 4 * 1024**3},
        "pending_pods": 1,
        "surge": {"cpu": 1.1, "memory": 3 * 128 * 10**6, "pods": 3, "fits": True},
    }


def test_numbers_of_a_cluster_without_nodes() -> None:
    facts = capacity_facts(room([], []), control_plane("1.2.3"), NAMESPACE)
    assert (facts["largest_free_node"], facts["free"], facts["surge"]["fits"]) == (None, {"cpu": 0.0, "memory": 0}, False)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.id)
def test_every_component_of_a_product_has_its_value(product: Any) -> None:
    keys = requests_keys(product)
    assert {*product.deployments} <= keys.keys()
    assert all(key.startswith(f"{product.values_root}.") for key in keys.values())
