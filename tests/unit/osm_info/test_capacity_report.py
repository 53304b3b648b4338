# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes have left, and whether the control plane's pods could be replaced."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import NOW, deployment, healthy, observed
from ansible_collections.meshops.lifecycle.tests.unit.workloads.capacity_objects import node, pod, room

Row = dict[str, Any]


def greedy(cpu: str, **status: Any) -> list[Row]:
    """A control plane whose pods ask for this each."""
    core = [deployment(name, "1.3.9", **status) for name in OSM_EDGE.deployments]
    for item in core:
        item["spec"]["selector"] = {"matchLabels": {"app": item["metadata"]["name"]}}
        item["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": "64Mi"}}
    return core


def running(cpu: str) -> list[Row]:
    return [pod(name, "node-1", cpu, "64Mi") for name in OSM_EDGE.deployments]


def the_mesh(deployments: list[Row], left: Room | None) -> Row:
    (mesh,) = report(observed(healthy(deployments=deployments)), now=NOW, room=left)["meshes"]
    return mesh


@pytest.mark.parametrize(("size", "fits"), [("3", True), ("1", False)])
def test_room_for_the_next_rollout(size: str, fits: bool) -> None:
    mesh = the_mesh(greedy("300m"), room([node("node-1", cpu=size)], running("300m")))
    surge = mesh["capacity"]["surge"]
    assert (surge["cpu"], surge["pods"], surge["fits"]) == (0.9, 3, fits)
    told = [finding for finding in mesh["findings"] if finding["code"] == "no-room-to-roll"]
    assert len(told) == (0 if fits else 1)
    if told:
        assert "needs 900m CPU and 192Mi memory for 3 pods at once" in told[0]["what"]
        assert "the most on one node is 100m CPU" in told[0]["what"]


def test_while_a_rollout_goes_on_its_own_pods_take_the_room() -> None:
    mesh = the_mesh(greedy("300m", replicas=2), room([node("node-1", cpu="1")], running("300m")))
    assert mesh["capacity"]["surge"]["fits"] is False
    assert "no-room-to-roll" not in {finding["code"] for finding in mesh["findings"]}


def test_nodes_that_were_not_read() -> None:
    assert the_mesh(greedy("1"), None)["capacity"] is None
    unread = the_mesh(greedy("1"), Room(unread="list nodes cluster-wide"))
    assert unread["capacity"] == {"checked": False, "reason": "it needs the permission to list nodes cluster-wide"}
    assert "no-room-to-roll" not in {finding["code"] for finding in unread["findings"]}
