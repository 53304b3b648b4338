# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input of mesh_uninstall: what is refused before anything is written, what the user is told, and what is no error at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cluster_look import look
from failures import assert_told, unchanged
from mesh_clusters import MeshCluster, told
from uninstall_cases import EDGE, SECOND, Plane, beside, uninstall
from uninstall_neighbours import Neighbours

VAULT = {"api_version": "v1", "kind": "ConfigMap", "name": "vault", "namespace": "vault"}


def two_meshes(mesh: MeshCluster) -> None:
    """Two meshes, the first with a namespace in use, and something of somebody else beside its control plane."""
    beside(mesh, SECOND)
    Plane(mesh, EDGE).make(bare=False)
    mesh.cluster.kubectl("create", "configmap", "grafana-dashboards", "-n", "osm-system", "--from-literal=a=b")
    Neighbours("refused").make(mesh.cluster)


@pytest.fixture
def meshes(mesh_cluster: MeshCluster) -> MeshCluster:
    """osm and second; most tests only read."""
    mesh_cluster.reset_prepared(EDGE, "two meshes", two_meshes)
    return mesh_cluster


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ("more than one mesh", "osm in namespace osm-system", "second in namespace second-mesh", "mesh_name")),
        ({"mesh_name": "osn", "confirm": "osn"}, ("no mesh named osn", "osm in namespace osm-system", "did you mean osm?")),
        ({"mesh_name": "osm", "mesh_namespace": "second-mesh", "confirm": "osm"}, ("second-mesh", "osm in namespace osm-system")),
        ({"mesh_name": "osm"}, ("confirm", "osm")),
        ({"mesh_name": "osm", "confirm": "second"}, ("confirm", "second", "osm")),
        ({"mesh_name": "osm", "confirm": "OSM"}, ("confirm", "OSM")),
        ({"mesh_name": "osm", "confirm": "osm", "delete_namespace": "true"}, ("osm-system", "ConfigMap", "grafana-dashboards", "force")),
        ({"mesh_name": "osm", "confirm": "osm", "user_resources": [{**VAULT, "kind": "Vualt"}]}, ("Vualt", "user_resources")),
        ({"mesh_name": "osm", "confirm": "osm", "expected_plan_id": "0" * 16}, ("plan",)),
        ({"mesh_name": "osm", "confirm": "osm", "expected_cluster": "0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11"}, ("not the expected cluster",)),
    ],
    ids=["no-name", "unknown", "elsewhere", "unconfirmed", "other", "case", "shared-namespace", "kind", "plan", "cluster"],
)
def test_it_is_refused(meshes: MeshCluster, options: dict[str, Any], words: tuple[str, ...]) -> None:
    with unchanged(meshes.cluster):
        result = uninstall(meshes, **options)
    assert_told(result, *words, cluster=meshes.cluster)


def test_a_typing_error_in_what_may_be_deleted(meshes: MeshCluster) -> None:
    with unchanged(meshes.cluster):
        result = uninstall(meshes, mesh_name="osm", confirm="osm", delete_cluster_wide_resources=["osm_crd"])
    assert result["failed"] is True
    assert "osm_crds" in result["msg"]


def test_a_program_that_is_not_helm(meshes: MeshCluster, tmp_path: Path) -> None:
    with unchanged(meshes.cluster):
        result = uninstall(meshes, mesh_name="osm", confirm="osm", binary_path=str(tmp_path / "helm"))
    assert_told(result, "helm was not found", "binary_path")


def test_a_namespace_that_nobody_may_delete(mesh_cluster: MeshCluster) -> None:
    """A mesh whose control plane is in kube-system: its namespace is nobody's to delete, whatever is asked."""
    cluster = mesh_cluster.reset(EDGE)
    cluster.kubectl("delete", "deployments,secrets", "--all", "-n", "osm-system")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "osm-controller",
            "namespace": "kube-system",
            "labels": {"app": "osm-controller", "meshName": "osm", "app.kubernetes.io/name": "openservicemesh.io"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "osm-controller"}},
            "template": {
                "metadata": {"labels": {"app": "osm-controller"}},
                "spec": {"containers": [{"name": "osm-controller", "image": "flomesh/osm-edge-controller:1.3.9"}]},
            },
        },
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(deployment))
    for wish in ("true", "force"):
        with unchanged(cluster):
            result = uninstall(mesh_cluster, mesh_name="osm", mesh_namespace="kube-system", confirm="osm", delete_namespace=wish)
        assert_told(result, "kube-system", cluster=cluster)


def test_a_check_needs_no_confirmation_and_lists_what_stays(meshes: MeshCluster) -> None:
    with unchanged(meshes.cluster):
        result = uninstall(meshes, check=True, diff=True, mesh_name="osm", delete_cluster_wide_resources=["all"])
    assert not result.get("failed"), told(result)
    assert result["changed"] is True
    assert {step["outcome"] for step in result["steps"]} == {"would_do"}
    kept = {item["object"]["name"]: item["why"] for item in result["artefacts"] if item["outcome"] == "kept"}
    assert "second" in kept["egresses.policy.openservicemesh.io"]
    assert not any(step["id"].startswith("delete:CustomResourceDefinition/") for step in result["steps"])


def test_no_mesh_at_all_is_no_error(mesh_cluster: MeshCluster) -> None:
    """And what may be left of one that nobody remembers is named and offered."""
    cluster = mesh_cluster.reset(EDGE)
    cluster.helm("uninstall", "osm", "-n", "osm-system", "--timeout", "60s")
    cluster.kubectl("delete", "namespace", "osm-system", "--timeout=60s")
    with unchanged(cluster):
        result = uninstall(mesh_cluster)
    assert not result.get("failed"), told(result)
    assert (result["changed"], result["steps"]) == (False, [])
    told_of = next(item for item in result["findings"] if item["code"] == "definitions-unused")
    assert "19 definitions" in told_of["what"]
    assert "delete_cluster_wide_resources" in told_of["remedy"]
    before = look(cluster)
    result = uninstall(mesh_cluster, confirm="osm", delete_cluster_wide_resources=["all"])
    assert not result.get("failed"), told(result)
    assert before.family()
    assert look(cluster).family() == set()
