# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machine, AWSMachine, instance and Node, one to one; and all hosted clusters in brief."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hosted.shape import Shape, neighbours, shape_of_size

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_brief import brief_report, inventories, read_brief
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_machines import (
    judged_machines,
    machine_findings,
    machines_summary,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import NOW, PROD, Object, inventory, nodes, settings

Nodes = list[Object]
Change = Callable[[Inventory, Nodes], None]


def no_node(_found: Inventory, seen: Nodes) -> None:
    del seen[0]


def not_ready(_found: Inventory, seen: Nodes) -> None:
    seen[0]["status"]["conditions"][0]["status"] = "Unknown"


def another_instance(_found: Inventory, seen: Nodes) -> None:
    seen[0]["spec"]["providerID"] = "aws:///us-east-2a/i-00000000000000000"


def provisioning(found: Inventory, seen: Nodes) -> None:
    machine = found.of("machines")[0]
    machine["status"] = {"phase": "Provisioning"}
    del seen[0]


def no_aws_machine(found: Inventory, _seen: Nodes) -> None:
    found.of("machines")[0]["spec"]["infrastructureRef"]["name"] = "another"


def same_instance(found: Inventory, _seen: Nodes) -> None:
    first, second = found.of("awsmachines")[:2]
    second["spec"]["instanceID"] = first["spec"]["instanceID"]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (no_node, [("no-node",)]),
        (not_ready, [("node-not-ready",)]),
        (another_instance, [("node-of-another-instance",)]),
        (provisioning, [("phase-provisioning", "no-node")]),
        (no_aws_machine, [("no-aws-machine", "no-instance"), ("no-machine",)]),
        (same_instance, [("instance-of-several-machines",), ("instance-of-several-machines",)]),
    ],
)
def test_machines_that_are_not_whole(change: Change, problems: list[tuple[str, ...]]) -> None:
    found, seen = inventory(), list(nodes())
    change(found, seen)
    machines = judged_machines(found, seen, None)
    assert [row.problems for row in machines.not_whole] == problems
    severities = {finding.code: finding.severity for finding in machine_findings(found, machines)}
    assert severities == ({"nodes-not-ready": "warning"} if problems == [("node-not-ready",)] else {"machines-not-whole": "error"})


@pytest.mark.parametrize("state", ["stopped", "terminated", "absent"])
def test_instances(state: str) -> None:
    found = inventory()
    running = {machine.instance: "running" for machine in PROD.machines()}
    assert judged_machines(found, nodes(), running).not_whole == ()
    first = found.of("awsmachines")[0]["spec"]["instanceID"]
    (row,) = judged_machines(found, nodes(), {**running, first: state}).not_whole
    assert (row.problems, row.instance_state, row.row.instance_id) == ((f"instance-{state}",), state, first)


def test_nodes_that_no_machine_stands_for() -> None:
    found, stranger = inventory(), copy.deepcopy(nodes()[0])
    stranger["metadata"]["name"] = "stranger"
    stranger["spec"]["providerID"] = "aws:///us-east-2a/i-11111111111111111"
    machines = judged_machines(found, [*nodes(), stranger], None)
    assert machines.strange_nodes == ("stranger",)
    assert [finding.code for finding in machine_findings(found, machines)] == ["nodes-without-machine"]


def test_rows_only_when_they_are_asked_for() -> None:
    machines = judged_machines(inventory(), None, None)
    assert machines_summary(machines, everything=False)["rows"] is None
    rows = machines_summary(machines, everything=True)["rows"]
    assert [(row["node_ready"], row["instance_state"], row["problems"]) for row in rows] == [(None, None, [])] * 4


# In brief


def briefs(shapes: list[Shape]) -> list[Inventory]:
    whole = [inventory(shape) for shape in shapes]
    return inventories([one.hosted_cluster for one in whole], [pool for one in whole for pool in one.node_pools])


def test_clusters_with_confusing_names_are_told_apart() -> None:
    prod = shape_of_size("prod", 3)
    found = {one.target.annotated: one for one in briefs([prod, *neighbours(prod)])}
    assert sorted(found) == [
        "clusters-eu/prod",
        "clusters/prod",
        "clusters/prod-eu",
        "clusters/prod-v2",
        "clusters/prod.v2",
        "clusters/prod2",
    ]
    pools = {name: [pool["metadata"]["name"] for pool in one.node_pools] for name, one in found.items()}
    assert pools["clusters/prod"] == ["prod-a", "prod-b"]
    assert pools["clusters/prod2"] == ["prod2-a"]
    assert pools["clusters-eu/prod"] == ["prod-a"]
    # clusters-eu/prod and clusters/eu-prod would clash; these two do.
    shared = {name: _codes(one, settings(), "error") for name, one in found.items()}
    assert {name for name, codes in shared.items() if "control-plane-namespace-shared" in codes} == {"clusters/prod-v2", "clusters/prod.v2"}
    assert [other.annotated for other in found["clusters-eu/prod"].neighbours] == []


def test_what_a_brief_look_cannot_know_is_not_said() -> None:
    (one,) = briefs([PROD])
    report = brief_report(one, settings(), NOW)
    assert [report[key] for key in ("control_plane", "machines", "etcd", "dns", "private_link", "autonode")] == [None] * 6
    assert report["can_move"] == {
        "verdict": "unknown",
        "obstacles": [],
        "cautions": [],
        "unchecked": ["etcd", "nodes", "instances", "dns"],
    }
    assert [(row["desired"], row["current"], row["ready"]) for row in report["node_pools"]] == [(2, 2, None), (1, 1, None), (None, 1, None)]
    assert (report["versions"]["version"], report["versions"]["control_plane"], report["paused"]["cluster_api"]) == ("4.16.21", None, None)


def test_a_brief_look_tells_what_two_lists_show() -> None:
    (one,) = briefs([PROD])
    one.hosted_cluster["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    one.hosted_cluster["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    codes = _codes(one, settings(domain=""), "error")
    assert codes == {"being-deleted", "written-by-another-tool", "external-dns-missing"}
    assert brief_report(one, settings(), NOW)["can_move"]["verdict"] == "no"


class Nothing:
    """An API server without the types of HyperShift."""

    def list(self, kind: Kind, _namespace: str | None) -> Iterator[Object]:
        raise NotFound(Call("list", kind.plural, kind.path(), "https://127.0.0.1:6443"), status=404)

    def map(self, function: Callable[[Kind], object], kinds: tuple[Kind, ...]) -> list[object]:
        return [function(kind) for kind in kinds]


def test_without_hypershift_there_is_nothing_to_list() -> None:
    api: Any = Nothing()
    assert read_brief(api, None) is None


def _codes(one: Inventory, management: Management, severity: str) -> set[str]:
    return {finding["code"] for finding in brief_report(one, management, NOW)["findings"] if finding["severity"] == severity}
