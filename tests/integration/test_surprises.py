# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Meshes that hands and other tools have been on: the upgrade ends well, or refuses before it writes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from mesh_clusters import Mesh, MeshCluster, install

Result = dict[str, Any]
NAMESPACE = ("-n", "osm-system")


@pytest.fixture
def old_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    mesh_cluster.reset()
    return mesh_cluster


def outcomes(result: Result) -> set[str]:
    return {step["outcome"] for step in result["steps"]}


def codes(result: Result) -> set[str]:
    return {finding["code"] for finding in result["findings"]}


def done(result: Result) -> bool:
    """Whether an upgrade has ended well; its message is shown when not."""
    return not result.get("failed", False) or pytest.fail(result["msg"])


def test_a_controller_without_its_label_is_orphaned_too(old_mesh: MeshCluster) -> None:
    """Helm came first and failed at the immutable selector, with the injector replaced and the MeshConfig incomplete."""
    old_mesh.cluster.kubectl("label", "deployment/osm-controller", *NAMESPACE, "app.kubernetes.io/name-")
    result = old_mesh.upgrade()
    assert done(result)
    assert "orphan:Deployment/osm-system/osm-controller" in {step["id"] for step in result["steps"]}
    assert old_mesh.upgrade()["changed"] is False


@pytest.mark.parametrize("check", [True, False])
def test_a_value_that_only_the_api_server_refuses(old_mesh: MeshCluster, check: bool) -> None:
    """The chart's schema takes any text as a label; Helm found out when osm-controller was gone already."""
    mark = old_mesh.cluster.mark()
    result = old_mesh.upgrade(check=check, values={"osm": {"osmController": {"podLabels": {"team": "two words"}}}})
    assert result["failed"]
    assert [refusal["code"] for refusal in result["refusals"]] == ["invalid-object"]
    assert result["object"] == {"kind": "Deployment", "namespace": "osm-system", "name": "osm-controller"}
    assert "two words" in result["msg"]
    assert old_mesh.cluster.writes_since(mark) == []


def test_a_type_that_kubernetes_has_removed(old_mesh: MeshCluster) -> None:
    """The chart renders autoscaling/v2beta2; Helm found out when osm-controller was gone already."""
    mark = old_mesh.cluster.mark()
    result = old_mesh.upgrade(values={"osm": {"osmController": {"autoScale": {"enable": True}}}})
    assert result["failed"]
    assert [refusal["code"] for refusal in result["refusals"]] == ["unknown-type"]
    assert "autoscaling/v2beta2" in result["msg"]
    assert old_mesh.cluster.writes_since(mark) == []


def test_a_neighbour_that_stays_behind_is_told(old_mesh: MeshCluster) -> None:
    """Definitions are the cluster's: the older osm-bootstrap puts its own back whenever it starts."""
    install(old_mesh.cluster, Mesh(name="second", release="second", namespace="second-system", values="osm: {enforceSingleMesh: false}"))
    result = old_mesh.upgrade(check=True, mesh_name="second")
    (finding,) = [finding for finding in result["findings"] if finding["code"] == "shared-definitions"]
    assert finding["object"]["name"] == "osm"
    assert "1.2.3" in finding["what"]


def test_edits_of_the_controller_are_told_before_they_are_lost(old_mesh: MeshCluster) -> None:
    old_mesh.cluster.kubectl("scale", "deployment/osm-controller", *NAMESPACE, "--replicas=2")
    result = old_mesh.upgrade(check=True)
    (finding,) = [finding for finding in result["findings"] if finding["code"] == "edit-lost"]
    assert "replicas: 2 → 1" in finding["what"]


def test_a_mesh_without_mesh_config_gets_a_complete_one(old_mesh: MeshCluster) -> None:
    """It used to stop half-way: completing what osm-bootstrap had created was more than the plan had shown."""
    old_mesh.cluster.kubectl("scale", "deployment/osm-bootstrap", *NAMESPACE, "--replicas=0")
    old_mesh.cluster.kubectl("wait", "pod", "-l", "app=osm-bootstrap", *NAMESPACE, "--for=delete", "--timeout=60s")
    old_mesh.cluster.kubectl("delete", "meshconfig", "osm-mesh-config", *NAMESPACE)
    result = old_mesh.upgrade()
    assert done(result)
    assert old_mesh.mesh_config["traffic"]["interceptionMode"]
    assert old_mesh.upgrade()["changed"] is False


def test_an_image_that_was_put_back_is_not_proven(old_mesh: MeshCluster) -> None:
    assert done(old_mesh.upgrade())
    old = "osm-injector=flomesh/osm-edge-injector:1.2.3"
    old_mesh.cluster.kubectl("set", "image", "deployment/osm-injector", *NAMESPACE, old)
    old_mesh.cluster.kubectl("rollout", "status", "deployment/osm-injector", *NAMESPACE, "--timeout=60s")
    result = old_mesh.upgrade()
    assert result["failed"]
    assert result["changed"] is False
    assert codes(result) == {"wrong-image"}
    assert "kubectl set image deployment/osm-injector" in result["next"]


def test_release_mesh_and_namespace_are_three_names(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(Mesh(name="prod.mesh-1", release="edge", namespace="infra-mesh"))
    assert done(mesh_cluster.upgrade())
    assert mesh_cluster.upgrade()["changed"] is False


def test_an_unusual_place_to_run(old_mesh: MeshCluster, tmp_path: Path) -> None:
    """A kubeconfig with relative paths and a credential plugin, blanks in TMPDIR, no home, a C locale, helm's own variables."""
    blank = tmp_path / "a b"
    blank.mkdir()
    kubeconfig = relative_kubeconfig(old_mesh.cluster.kubeconfig, tmp_path)
    elsewhere = {"KUBECONFIG": "/nonexistent", "HELM_NAMESPACE": "default", "HELM_DRIVER": "configmap", "HELM_DEBUG": "true"}
    environment = {"TMPDIR": str(blank), "HOME": "/nonexistent", "LC_ALL": "C", "PYTHONUTF8": "0", **elsewhere}
    old_mesh.__dict__["environment"] = {**old_mesh.environment, **environment}
    try:
        result = old_mesh.upgrade(check=True, kubeconfig=str(kubeconfig), values={"osm": {"tracing": {"address": "jäger.example"}}})
    finally:
        del old_mesh.__dict__["environment"]
    assert done(result)
    assert outcomes(result) == {"would_do"}
    assert list(blank.iterdir()) == []


def relative_kubeconfig(path: Path, directory: Path) -> Path:
    """Write the kubeconfig anew: its authority is a file beside it, its credentials come from a program beside it."""
    config = yaml.safe_load(path.read_text())
    for cluster in config["clusters"]:
        authority = cluster["cluster"].pop("certificate-authority-data")
        (directory / "ca.crt").write_bytes(base64.b64decode(authority))
        cluster["cluster"]["certificate-authority"] = "ca.crt"
    for user in config["users"]:
        certificate, key = (base64.b64decode(user["user"].pop(f"client-{part}-data")).decode() for part in ("certificate", "key"))
        answer = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"clientCertificateData": certificate, "clientKeyData": key},
        }
        program = directory / "credentials"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        program.chmod(0o700)
        user["user"] = {"exec": {"apiVersion": answer["apiVersion"], "command": "./credentials", "interactiveMode": "Never"}}
    written = directory / "kubeconfig"
    written.write_text(yaml.safe_dump(config))
    return written
