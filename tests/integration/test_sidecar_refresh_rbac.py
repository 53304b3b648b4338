# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sidecar_refresh under the ClusterRoles of docs/rbac: they are enough, and without one of their permissions nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import workload_objects as objects
from mesh_clusters import Mesh, MeshCluster, told
from refreshing import Shop, outcomes
from test_rbac import roles, user_with, without

PLANNER = ("planner-mesh_info", "planner-sidecar_refresh")
APPLIER = (*PLANNER, "applier-sidecar_refresh")


@pytest.fixture(scope="module")
def shop(mesh_cluster: MeshCluster) -> Iterator[Shop]:
    """One namespace whose sidecars are made stale by each test."""
    mesh_cluster.reset(Mesh("1.3.9"))
    found = Shop(mesh_cluster, "granted")
    labels, annotations = {"openservicemesh.io/monitored-by": "osm"}, {"openservicemesh.io/sidecar-injection": "enabled"}
    mesh_cluster.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects.namespace("granted", labels, annotations)))
    found.deploy(objects.deployment("web", "granted"), objects.replica_set("lonely", "granted"), objects.bare_pod("debug", "granted"))
    yield found
    mesh_cluster.cluster.kubectl("delete", "namespace", "granted", "--wait=false")


def test_a_planner_sees_the_plan_and_writes_nothing(shop: Shop) -> None:
    shop.outdate()
    kubeconfig = user_with(shop.cluster, "refresh-planner", roles(PLANNER))
    mark = shop.cluster.mark()
    result = shop.refresh(check=True, kubeconfig=kubeconfig)
    assert not result.get("failed"), told(result)
    assert set(outcomes(result).values()) == {"would_do"}
    assert "apply-needs-permissions" in [finding["code"] for finding in result["findings"]]
    assert shop.cluster.writes_since(mark, user="refresh-planner") == []


def test_an_applier_applies(shop: Shop) -> None:
    image = shop.outdate()
    kubeconfig = user_with(shop.cluster, "refresh-applier", roles(APPLIER))
    done = shop.refresh(kubeconfig=kubeconfig, bare_pods="recreate")
    assert not done.get("failed"), told(done)
    assert set(shop.images().values()) == {image}


@pytest.mark.parametrize(("verb", "resource"), [("patch", "deployments"), ("create", "pods/eviction"), ("create", "leases")])
def test_it_is_refused_before_the_first_write(shop: Shop, verb: str, resource: str) -> None:
    shop.outdate()
    user = f"refresh-no-{verb}-{resource.replace('/', '-')}"
    kubeconfig = user_with(shop.cluster, user, without(roles(APPLIER), verb, resource))
    mark = shop.cluster.mark()
    result = shop.refresh(kubeconfig=kubeconfig)
    assert result["failed"] is True
    assert f"{verb} {resource}" in result["msg"]
    assert shop.cluster.writes_since(mark, user=user) == []


def test_an_owner_that_may_not_be_read_is_told(shop: Shop) -> None:
    shop.outdate()
    less = without(without(roles(PLANNER), "get", "replicasets"), "list", "replicasets")
    result = shop.refresh(check=True, kubeconfig=user_with(shop.cluster, "refresh-blind", less))
    assert not result.get("failed"), told(result)
    assert {group["code"] for group in result["leftovers"]} >= {"owner-unread"}
    assert any("replicasets" in finding["what"] for finding in result["findings"] if finding["code"] == "owner-unread")
