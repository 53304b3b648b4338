# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades by a user who may neither escalate nor bind: who holds all that the chart's roles grant needs neither."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from failures import assert_told, unchanged
from mesh_clusters import MeshCluster
from test_rbac import UPGRADE_APPLIER, roles, user_with, without

Documents = list[dict[str, Any]]


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    mesh_cluster.reset()
    return mesh_cluster


def plain_applier() -> Documents:
    """The documented roles less the two verbs."""
    return without(without(roles(UPGRADE_APPLIER), "escalate", "clusterroles"), "bind", "clusterroles")


def chart_rules(mesh: MeshCluster) -> Documents:
    """A role that grants what the new chart's roles grant."""
    manifests = yaml.safe_load_all(mesh.cluster.helm("template", "osm", str(mesh.chart("1.3.9"))))
    rules = [rule for item in manifests if item and item["kind"] == "ClusterRole" for rule in item["rules"]]
    return [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "holder"}, "rules": rules}]


def test_who_holds_everything(mesh: MeshCluster) -> None:
    kubeconfig = user_with(mesh.cluster, "holder", [*plain_applier(), *chart_rules(mesh)])
    mark = mesh.cluster.mark()
    result = mesh.upgrade(kubeconfig=kubeconfig)
    assert result.get("failed", False) is False, result.get("msg")
    assert result["changed"] is True
    assert mesh.cluster.writes_since(mark, user="holder") != []


def test_who_lacks_a_rule_is_told_which(mesh: MeshCluster) -> None:
    (role,) = chart_rules(mesh)
    role["rules"] = [rule for rule in role["rules"] if "events" not in rule["resources"]]
    kubeconfig = user_with(mesh.cluster, "lacking", [*plain_applier(), role])
    mark = mesh.cluster.mark()
    result = mesh.upgrade(kubeconfig=kubeconfig)
    assert_told(result, "escalate clusterroles", "bind clusterroles", "does not hold: create, patch events", cluster=mesh.cluster)
    assert mesh.cluster.writes_since(mark, user="lacking") == []


def test_a_planner_is_told_that_applying_needs_them(mesh: MeshCluster) -> None:
    planner = [role for role in plain_applier() if "applier" not in role["metadata"]["name"]]
    kubeconfig = user_with(mesh.cluster, "looking", planner)
    with unchanged(mesh.cluster):
        result = mesh.upgrade(kubeconfig=kubeconfig, check=True)
    assert result.get("failed", False) is False, result.get("msg")
    (finding,) = [item for item in result["findings"] if item["code"] == "apply-needs-permissions"]
    assert "escalate clusterroles" in finding["what"]
