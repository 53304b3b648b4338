# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml on a fleet: what is written where, when it stops, what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fleet import Fleet, another_cluster, freeze, thaw
from fleet import fleet as new_fleet
from mesh_clusters import MeshCluster
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = "meshops.lifecycle.upgrade"


@pytest.fixture
def fleet(tmp_path: Path, mesh_cluster: MeshCluster) -> Iterator[Fleet]:
    """No hosts yet. The mesh of ``mesh_cluster`` is at 1.2.3."""
    mesh_cluster.reset()
    chart = {"mesh_upgrade_chart_ref": str(mesh_cluster.chart("1.3.9")), "mesh_upgrade_binary_path": str(binary("helm"))}
    with new_fleet(tmp_path, PLAYBOOK, "mesh_upgrade", mesh_cluster.environment, **chart) as empty:
        yield empty


@pytest.fixture(scope="module")
def second_cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """Another cluster with a mesh; one test upgrades it, the others see that they do not."""
    with another_cluster(sandbox_home, Options(mesh="osm-edge=1.2.3")) as cluster:
        yield cluster


def test_no_host_is_an_error(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    without_inventory = fleet.command(["ansible-playbook", PLAYBOOK])
    assert without_inventory.code == 2
    assert "there is no cluster to upgrade: give an inventory" in without_inventory.output
    fleet.add("one", mesh_cluster.cluster.kubeconfig)
    fleet.add("other", mesh_cluster.cluster.kubeconfig)
    outside = fleet.run("-e", "mesh_upgrade_hosts=other", "--limit", "one")
    assert outside.code != 0
    assert "there is no cluster to upgrade: no host of the inventory" in outside.output


def test_check_mode_writes_nothing(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    fleet.add("one", mesh_cluster.cluster.kubeconfig)
    mark = mesh_cluster.cluster.mark()
    run = fleet.run("--check", "--diff", playbook=str(ROOT / "playbooks" / "upgrade.yml"))
    assert run.code == 0
    assert mesh_cluster.cluster.writes_since(mark) == []
    one = run.clusters["one"]
    assert (one["outcome"], one["changed"], one["before"], one["after"]) == ("planned", True, "1.2.3", "1.3.9")
    assert one["plan_id"] in run.output
    assert {step["outcome"] for step in one["steps"]} == {"would_do"}
    assert "To go on" not in run.output


def test_a_refused_plan_stops_everything_before_the_first_write(fleet: Fleet, mesh_cluster: MeshCluster, api_cluster: Cluster) -> None:
    absent = yaml.safe_load(mesh_cluster.cluster.kubeconfig.read_text(encoding="utf-8"))
    absent["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    unreachable = mesh_cluster.cluster.directory / "unreachable.kubeconfig"
    unreachable.write_text(yaml.safe_dump(absent), encoding="utf-8")
    fleet.add("one", mesh_cluster.cluster.kubeconfig)
    fleet.add("twin", mesh_cluster.cluster.kubeconfig)
    fleet.add("meshless", api_cluster.kubeconfig)
    fleet.add("unreachable", unreachable)
    fleet.add("wrong", mesh_cluster.cluster.kubeconfig, meshops_expected_cluster="another-uid")
    fleet.add("unapproved", mesh_cluster.cluster.kubeconfig, mesh_upgrade_expected_plan_id="0123456789abcdef")
    clusters = (mesh_cluster.cluster, api_cluster)
    marks = [cluster.mark() for cluster in clusters]

    run = fleet.run("-e", "mesh_upgrade_serial=6")
    assert run.code == 2
    assert [cluster.writes_since(mark) for cluster, mark in zip(clusters, marks, strict=True)] == [[], []]
    assert {run.outcomes[host] for host in ("one", "twin")} == {"refused"}
    assert "the same mesh of the same cluster as twin" in run.clusters["one"]["reason"]
    assert {run.outcomes[host] for host in ("meshless", "unreachable", "wrong", "unapproved")} == {"unplanned"}
    assert "127.0.0.1:1" in run.clusters["unreachable"]["reason"]
    assert "0123456789abcdef" in run.clusters["unapproved"]["reason"]
    assert all(cluster["next"] for cluster in run.clusters.values())

    # Reported as failed, and the others go on.
    skipped = fleet.run("-e", "mesh_upgrade_skip_refused=true", "--limit", "one,unreachable")
    assert skipped.code == 2
    assert skipped.outcomes == {"one": "changed", "unreachable": "unplanned"}


def test_a_failure_halts_later_batches_and_the_printed_command_goes_on(
    fleet: Fleet, mesh_cluster: MeshCluster, second_cluster: Cluster
) -> None:
    freeze(mesh_cluster.cluster)
    fleet.add("first", mesh_cluster.cluster.kubeconfig)
    fleet.add("second", second_cluster.kubeconfig)
    mark = second_cluster.mark()

    halted = fleet.run()
    assert halted.code == 2
    assert halted.outcomes == {"first": "failed", "second": "not_reached"}
    assert "change freeze until Monday" in halted.clusters["first"]["reason"]
    assert halted.clusters["second"]["reason"] == "the run was stopped because of first"
    assert second_cluster.writes_since(mark) == []
    assert halted.command[-2:] == ["--limit", "first,second"]

    # The batch that is allowed to fail goes first, the rest together.
    tolerant = fleet.run("-e", "mesh_upgrade_max_failures=1", "-e", "mesh_upgrade_serial=1,100%")
    assert tolerant.code == 2
    assert tolerant.outcomes == {"first": "failed", "second": "changed"}
    assert (tolerant.clusters["second"]["before"], tolerant.clusters["second"]["after"]) == ("1.2.3", "1.3.9")
    assert tolerant.command[-2:] == ["--limit", "first"]

    thaw(mesh_cluster.cluster)
    resumed = fleet.command([*halted.command])
    assert resumed.code == 0
    assert resumed.outcomes == {"first": "changed", "second": "unchanged"}
    assert "To go on" not in resumed.output
    assert re.search(r"first  1\.2\.3 → 1\.3\.9  changed  [\d.]+ s", resumed.output)
