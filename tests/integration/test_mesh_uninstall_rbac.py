# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_uninstall under the ClusterRoles of docs/rbac: they are enough, and without one of their permissions nothing is written."""

from __future__ import annotations

from itertools import product

import pytest
from mesh_clusters import MeshCluster, told
from test_rbac import granted, roles, used, user_with, without
from uninstall_cases import EVERYTHING, SEEN, done, left, planned, reset_to_all_at_once, uninstall

PLANNER = ("planner-mesh_info", "planner-mesh_info-cluster", "planner-sidecar_refresh", "planner-mesh_uninstall")
APPLIER = (*PLANNER, "applier-sidecar_refresh", "applier-mesh_uninstall")
OWN = ("planner-mesh_uninstall", "applier-mesh_uninstall")
# What other meshes need: this one has no such objects.
ELSEWHERE = (
    *product(("get", "delete"), ("apps",), ("daemonsets",)),
    *product(("get", "delete"), ("autoscaling",), ("horizontalpodautoscalers",)),
    *product(("get", "delete"), ("policy",), ("poddisruptionbudgets",)),
    *product(("get", "delete"), ("batch",), ("jobs",)),
    *product(("patch", "delete"), ("apps",), ("replicasets",)),
    ("patch", "", "pods"),  # pods that stay and have annotations for Prometheus
    ("create", "", "configmaps"),  # server-side apply is logged as patch, and needs both
    ("update", "coordination.k8s.io", "leases"),  # renewed only by a run that takes longer
)
WHOLE = {**EVERYTHING, "mesh_name": "osm"}


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh of 1.1 with everything that there can be of it."""
    reset_to_all_at_once(mesh_cluster)
    return mesh_cluster


def of_definitions(files: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """The rules about custom resources, of all definitions that there are; a version has some of them, and objects of a few."""
    return {rule for rule in granted(roles(files)) if rule[1].endswith(("flomesh.io", "smi-spec.io", "openservicemesh.io"))}


def test_the_roles(mesh: MeshCluster) -> None:
    """On one mesh: the planner sees what the administrator sees, who lacks one permission is refused, the applier ends it."""
    wanted = planned(mesh, **WHOLE)["plan"]["id"]
    kubeconfig = str(user_with(mesh.cluster, "uninstall-planner", roles(PLANNER)))
    mark = mesh.cluster.mark()
    result = uninstall(mesh, check=True, kubeconfig=kubeconfig, **WHOLE)
    assert not result.get("failed"), told(result)
    assert result["plan"]["id"] == wanted
    assert "apply-needs-permissions" in [finding["code"] for finding in result["findings"]]
    assert mesh.cluster.writes_since(mark, user="uninstall-planner") == []

    for verb, resource in (
        ("patch", "namespaces"),
        ("patch", "customresourcedefinitions"),
        ("delete", "mutatingwebhookconfigurations"),
        ("delete", "traffictargets"),
        ("create", "leases"),
    ):
        user = f"uninstall-no-{verb}-{resource}"
        kubeconfig = str(user_with(mesh.cluster, user, without(roles(APPLIER), verb, resource)))
        mark = mesh.cluster.mark()
        result = uninstall(mesh, kubeconfig=kubeconfig, confirm="osm", **WHOLE)
        assert result["failed"] is True
        assert f"{verb} {resource}" in result["msg"]
        assert mesh.cluster.writes_since(mark, user=user) == []

    kubeconfig = str(user_with(mesh.cluster, "uninstall-applier", roles(APPLIER)))
    mark = mesh.cluster.mark()
    done(uninstall(mesh, kubeconfig=kubeconfig, confirm="osm", expected_plan_id=wanted, **WHOLE))
    assert left(mesh, SEEN.things) == []
    again = uninstall(mesh, kubeconfig=kubeconfig, confirm="osm", **WHOLE)
    assert not again.get("failed"), told(again)
    assert not again["changed"]
    events = mesh.cluster.audit_since(mark)
    assert granted(roles(OWN)) - used(events, "uninstall-applier") - set(ELSEWHERE) - of_definitions(OWN) == set()
