# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade with every supported helm: releases that another helm made, failures, operations that were given up."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from mesh_clusters import BOOKSTORE, Mesh, MeshCluster, Result, eventually
from sandboxlib.binaries import binary
from sandboxlib.errors import SandboxError
from sandboxlib.rollouts import unready

OLDEST, NEWEST_3, HELM_4 = "helm-3.14", "helm", "helm-4"
VALUES = "osm: {controllerLogLevel: warn}\n"


def upgrade(mesh: MeshCluster, helm: str, **options: Any) -> Result:
    return mesh.upgrade(binary_path=str(binary("helm", helm)), **options)


def stored(mesh: MeshCluster, revision: int) -> Result:
    """A release as Helm keeps it."""
    secret = mesh.get(f"/api/v1/namespaces/{mesh.mesh.namespace}/secrets/sh.helm.release.v1.{mesh.mesh.release}.v{revision}")
    release: Result = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    return release


def revisions(mesh: MeshCluster, helm: str) -> list[tuple[int, str, str]]:
    """Number, status and chart of every revision, as this helm tells them."""
    history = json.loads(mesh.cluster.helm("history", mesh.mesh.release, "-n", mesh.mesh.namespace, "-o", "json", of=helm))
    return [(entry["revision"], entry["status"], entry["chart"]) for entry in history]


@pytest.mark.parametrize(
    ("made_by", "upgraded_by", "server_side"),
    [(NEWEST_3, OLDEST, False), (NEWEST_3, HELM_4, False), (HELM_4, HELM_4, True), (HELM_4, NEWEST_3, False)],
)
def test_a_mesh_is_upgraded_whoever_made_its_release(mesh_cluster: MeshCluster, made_by: str, upgraded_by: str, server_side: bool) -> None:
    cluster = mesh_cluster.reset(Mesh(helm=made_by, values=VALUES))
    assert (stored(mesh_cluster, 1).get("apply_method") == "ssa") is (made_by == HELM_4)
    result = upgrade(mesh_cluster, upgraded_by)
    assert not result.get("failed"), result
    assert result["summary"]["after"] == "1.3.9"
    assert revisions(mesh_cluster, upgraded_by) == [(1, "superseded", "osm-edge-1.2.3"), (2, "deployed", "osm-edge-1.3.9")]
    release = stored(mesh_cluster, 2)
    # Helm 4 goes on as the release was applied before; Helm 3 knows one way only.
    assert (release.get("apply_method") == "ssa") is server_side
    assert release["config"]["osm"]["controllerLogLevel"] == "warn"
    assert unready(cluster.api, mesh_cluster.mesh.namespace) == []
    mark = cluster.mark()
    again = upgrade(mesh_cluster, upgraded_by)
    assert (again.get("failed"), again["changed"]) == (None, False)
    assert cluster.writes_since(mark) == []


def test_from_helm_3_to_4_and_back(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(BOOKSTORE)
    for helm, level in ((HELM_4, "warn"), (NEWEST_3, "debug"), (HELM_4, "info")):
        result = upgrade(mesh_cluster, helm, values={"osm": {"controllerLogLevel": level}})
        assert not result.get("failed"), result
        assert result["changed"]
        deployed = [number for number, status, _chart in revisions(mesh_cluster, helm) if status == "deployed"]
        assert stored(mesh_cluster, *deployed)["config"]["osm"]["controllerLogLevel"] == level
    assert len(revisions(mesh_cluster, HELM_4)) == 4


@pytest.mark.parametrize("helm", [OLDEST, HELM_4])
def test_a_failed_upgrade_is_finished_by_running_it_again(mesh_cluster: MeshCluster, helm: str) -> None:
    cluster = mesh_cluster.reset(Mesh(helm=NEWEST_3 if helm == OLDEST else HELM_4))
    cluster.kubectl("apply", "-f", "-", stdin=FREEZE)
    try:
        eventually(lambda: frozen(mesh_cluster), "the policy has no effect")
        failed = upgrade(mesh_cluster, helm)
    finally:
        cluster.kubectl("delete", "-f", "-", stdin=FREEZE)
    assert failed["failed"]
    assert "no new Services" in json.dumps(failed)
    assert revisions(mesh_cluster, helm)[-1][1] == "failed"
    eventually(lambda: not frozen(mesh_cluster), "the policy keeps its effect")
    result = upgrade(mesh_cluster, helm)
    assert not result.get("failed"), result
    assert revisions(mesh_cluster, helm)[-1][1:] == ("deployed", "osm-edge-1.3.9")


@pytest.mark.parametrize("helm", [OLDEST, HELM_4])
def test_an_operation_that_was_killed_long_ago_is_given_up(mesh_cluster: MeshCluster, helm: str) -> None:
    cluster = mesh_cluster.reset(Mesh(helm=NEWEST_3 if helm == OLDEST else HELM_4))
    release = stored(mesh_cluster, 1)
    release["version"] = 2
    release["info"].update(status="pending-upgrade", description="Preparing upgrade", last_deployed="2026-01-02T03:04:05.678901234Z")
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    labels = {"name": "osm", "owner": "helm", "status": "pending-upgrade", "version": "2"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": data}}
    body = json.dumps({**secret, "metadata": {"name": "sh.helm.release.v1.osm.v2", "labels": labels}})
    cluster.kubectl("create", "-n", mesh_cluster.mesh.namespace, "-f", "-", stdin=body)
    result = upgrade(mesh_cluster, helm)
    assert not result.get("failed"), result
    assert [status for _number, status, _chart in revisions(mesh_cluster, helm)] == ["superseded", "failed", "deployed"]
    # Whatever else Helm 4 wrote into the record is still there.
    given_up = stored(mesh_cluster, 2)
    assert given_up.get("apply_method") == release.get("apply_method")
    assert given_up["info"]["description"].startswith("pending-upgrade given up")


# Refuses what the upgrade sets on one object of the chart, after helm has begun.
FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [services]}]
  validations: [{expression: "object.metadata.namespace != 'osm-system'", message: no new Services}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze}
spec: {policyName: freeze, validationActions: [Deny]}
"""


def frozen(mesh: MeshCluster) -> bool:
    """Whether the policy has its effect by now."""
    try:
        mesh.cluster.kubectl("label", "service", "osm-controller", "-n", mesh.mesh.namespace, "probe=1", "--overwrite", "--dry-run=server")
    except SandboxError:
        return True
    return False
