# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/refresh.yml on a fleet: what is planned, when it stops, how it goes on; and an upgrade that refreshes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, another_cluster, freeze, thaw
from fleet import fleet as new_fleet
from mesh_clusters import BOOKSTORE, Mesh, MeshCluster
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = "meshops.lifecycle.refresh"
NEWER = Mesh(version="1.3.9", apps=True)
# Pods of the bookstore that a refresh can replace: all that have a sidecar but the one without an owner.
REPLACED = 13


@pytest.fixture
def fleet(tmp_path: Path, mesh_cluster: MeshCluster) -> Iterator[Fleet]:
    """No hosts yet. The mesh of ``mesh_cluster`` is at 1.3.9 and has the bookstore."""
    mesh_cluster.reset(NEWER)
    with new_fleet(tmp_path, PLAYBOOK, "sidecar_refresh", mesh_cluster.environment, sidecar_refresh_pods_per_minute=0) as empty:
        yield empty


@pytest.fixture(scope="module")
def second_cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """Another cluster with the bookstore."""
    with another_cluster(sandbox_home, Options(mesh="osm-edge=1.3.9", apps="bookstore")) as cluster:
        yield cluster


def tell_more(cluster: Cluster) -> None:
    """Make every sidecar of a cluster stale: new ones get another log level."""
    patch = '{"spec": {"sidecar": {"logLevel": "debug"}}}'
    cluster.kubectl("patch", "meshconfig", "osm-mesh-config", "-n", "osm-system", "--type=merge", "-p", patch)


def generations(cluster: Cluster) -> Mapping[str, int]:
    """The generations of all Deployments: each restart raises one."""
    items: list[dict[str, Any]] = cluster.api.get("/apis/apps/v1/deployments")["items"]
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["metadata"]["generation"] for item in items}


def test_check_mode_writes_nothing(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.cluster
    tell_more(cluster)
    fleet.add("one", cluster.kubeconfig)
    mark = cluster.mark()
    run = fleet.run("--check", "--diff", playbook=str(ROOT / "playbooks" / "refresh.yml"))
    assert run.code == 0
    assert cluster.writes_since(mark) == []
    one = run.clusters["one"]
    assert (one["outcome"], one["changed"]) == ("planned", True)
    assert one["what"] == f"{REPLACED} of {REPLACED + 1} pods to refresh"
    assert {step["outcome"] for step in one["steps"]} == {"would_do"}
    assert [group["code"] for group in one["leftovers"]] == ["bare-pod"]
    assert "Pod bookbuyer/debug-shell" in run.output


def test_a_failure_halts_later_batches_and_the_printed_command_goes_on(
    fleet: Fleet, mesh_cluster: MeshCluster, second_cluster: Cluster
) -> None:
    for cluster in (mesh_cluster.cluster, second_cluster):
        tell_more(cluster)
    freeze(mesh_cluster.cluster)
    fleet.add("first", mesh_cluster.cluster.kubeconfig)
    fleet.add("second", second_cluster.kubeconfig)
    mark = second_cluster.mark()

    halted = fleet.run()
    assert halted.code == 2
    assert halted.outcomes == {"first": "failed", "second": "not_reached"}
    assert "change freeze until Monday" in halted.clusters["first"]["reason"]
    assert second_cluster.writes_since(mark) == []
    assert halted.command[-2:] == ["--limit", "first,second"]

    tolerant = fleet.run("-e", "sidecar_refresh_max_failed_clusters=1")
    assert tolerant.outcomes == {"first": "failed", "second": "changed"}
    assert tolerant.clusters["second"]["what"] == f"{REPLACED} of {REPLACED + 1} pods refreshed"
    assert tolerant.clusters["second"]["stale_pods"] == 1
    assert tolerant.command[-2:] == ["--limit", "first"]

    thaw(mesh_cluster.cluster)
    before = generations(second_cluster)
    resumed = fleet.command(halted.command)
    assert resumed.code == 0
    assert resumed.outcomes == {"first": "changed", "second": "unchanged"}
    assert generations(second_cluster) == before


def test_an_upgrade_refreshes_when_asked_to(tmp_path: Path, mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(BOOKSTORE)
    variables = {
        "mesh_upgrade_chart_ref": str(mesh_cluster.chart("1.3.9")),
        "mesh_upgrade_binary_path": str(binary("helm")),
        "mesh_upgrade_refresh": True,
        "sidecar_refresh_pods_per_minute": 0,
    }
    with new_fleet(tmp_path, "meshops.lifecycle.upgrade", "mesh_upgrade", mesh_cluster.environment, **variables) as fleet:
        fleet.add("one", mesh_cluster.cluster.kubeconfig)
        run = fleet.run()
        again = fleet.run("--check")
    one = run.clusters["one"]
    assert (run.code, one["outcome"], one["what"]) == (0, "changed", "1.2.3 → 1.3.9")
    assert {step["phase"] for step in one["steps"]} >= {"control_plane", "refresh"}
    # The one that has no owner.
    assert one["stale_pods"] == 1
    assert [group["code"] for group in one["leftovers"]] == ["bare-pod"]
    assert (again.clusters["one"]["changed"], again.clusters["one"]["stale_pods"]) == (False, 1)


def test_a_refresh_that_fails_does_not_hide_the_upgrade(tmp_path: Path, mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(BOOKSTORE)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "meshops-sidecar-refresh-osm", "namespace": "osm-system"},
        "spec": {"holderIdentity": "somebody/1/0", "leaseDurationSeconds": 3600, "renewTime": now},
    }
    mesh_cluster.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(lease))
    variables = {
        "mesh_upgrade_chart_ref": str(mesh_cluster.chart("1.3.9")),
        "mesh_upgrade_binary_path": str(binary("helm")),
        "mesh_upgrade_refresh": True,
        "sidecar_refresh_timeout": 30,
    }
    with new_fleet(tmp_path, "meshops.lifecycle.upgrade", "mesh_upgrade", mesh_cluster.environment, **variables) as fleet:
        fleet.add("one", mesh_cluster.cluster.kubeconfig)
        run = fleet.run()
    one = run.clusters["one"]
    assert (run.code, one["outcome"], one["what"], one["changed"]) == (2, "failed", "1.2.3 → 1.3.9", True)
    assert "the mesh is upgraded" in one["reason"]
    assert "Another run" in one["reason"]
    assert {step["phase"] for step in one["steps"] if step["outcome"] == "done"} >= {"control_plane"}
