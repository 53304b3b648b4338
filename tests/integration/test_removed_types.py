# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release from the time before Kubernetes removed a type: Helm cannot upgrade it, and the user is told what to do instead."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
import yaml
from failures import assert_told, unchanged
from mesh_clusters import MeshCluster
from sandboxlib.errors import SandboxError

Object = dict[str, Any]
NAMESPACE = ("-n", "osm-system")
RECORD = "/api/v1/namespaces/osm-system/secrets/sh.helm.release.v1.osm.v1"


def budget(api_version: str) -> Object:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    annotations = {"meta.helm.sh/release-name": "osm", "meta.helm.sh/release-namespace": "osm-system"}
    return {
        "apiVersion": api_version,
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "osm-controller-pdb", "namespace": "osm-system", "labels": labels, "annotations": annotations},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "osm-controller"}}},
    }


def rewrite(mesh: MeshCluster, old: str, new: str) -> None:
    """Replace the first of a text in the manifest of the release's record."""
    stored = mesh.get(RECORD)["data"]["release"]
    record = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(stored))))
    if old not in record["manifest"]:
        raise LookupError(f"the manifest has no {old}")
    record["manifest"] = record["manifest"].replace(old, new, 1)
    content = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(record).encode()))).decode()
    patch = json.dumps({"data": {"release": content}})
    mesh.cluster.kubectl("patch", "secret", "sh.helm.release.v1.osm.v1", *NAMESPACE, "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def aged(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh whose budget was created as policy/v1beta1: the server answers with policy/v1 now, the record has what it was."""
    mesh_cluster.reset()
    mesh_cluster.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(budget("policy/v1")))
    first = "---\n# Source: osm-edge/templates/rbac.yaml"
    rewrite(mesh_cluster, first, f"---\n{yaml.safe_dump(budget('policy/v1beta1'))}{first}")
    return mesh_cluster


def test_helm_itself_stops(aged: MeshCluster) -> None:
    with pytest.raises(SandboxError, match="unable to build kubernetes objects from current release manifest") as told:
        aged.cluster.helm("upgrade", "osm", str(aged.chart("1.3.9")), "--namespace", "osm-system", "--set", "osm.meshName=osm")
    assert 'no matches for kind "PodDisruptionBudget" in version "policy/v1beta1"' in str(told.value)


def test_the_upgrade_is_refused_with_the_remedy(aged: MeshCluster) -> None:
    with unchanged(aged.cluster):
        result = aged.upgrade()
    assert_told(result, "PodDisruptionBudget osm-system/osm-controller-pdb", "policy/v1beta1", "in the release's record", "mapkubeapis")
    assert [refusal["code"] for refusal in result["refusals"]] == ["unknown-type"]


def test_the_remedy_helps(aged: MeshCluster) -> None:
    """As the plugin does it. The chart has no budget any more, so Helm removes it, unless it is told to keep it."""
    rewrite(aged, "policy/v1beta1", "policy/v1")
    aged.cluster.kubectl("annotate", "poddisruptionbudget/osm-controller-pdb", *NAMESPACE, "helm.sh/resource-policy=keep")
    result = aged.upgrade()
    assert result.get("failed", False) is False, result.get("msg")
    assert aged.get("/apis/policy/v1/namespaces/osm-system/poddisruptionbudgets/osm-controller-pdb")["spec"]["minAvailable"] == 1
    assert aged.upgrade()["changed"] is False


def test_what_the_chart_would_bring(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    values = {"osm": {"osmController": {"autoScale": {"enable": True}}, "injector": {"enablePodDisruptionBudget": True}}}
    with unchanged(mesh_cluster.cluster):
        result = mesh_cluster.upgrade(values=values)
    assert_told(result, "Kubernetes 1.26", "osm.osmController.autoScale.enable to false", "osm.injector.enablePodDisruptionBudget to false")
    assert [refusal["code"] for refusal in result["refusals"]] == ["unknown-type", "unknown-type"]
