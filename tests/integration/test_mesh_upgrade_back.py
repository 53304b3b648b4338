# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Going back: a downgrade on purpose, and an upgrade that fails and is taken back."""

from __future__ import annotations

import json
from typing import Any

from mesh_clusters import Mesh, MeshCluster, Result, eventually, told

NEW = Mesh(version="1.3.9")
BROKEN = {"osm": {"image": {"tag": "no-such-release"}}}
INJECTOR = {"osm": {"image": {"name": {"osmInjector": "osm-edge-injector-missing"}}}}
SPLITS = "trafficsplits.split.smi-spec.io"
SPLIT = {
    "apiVersion": "split.smi-spec.io/v1alpha4",
    "kind": "TrafficSplit",
    "metadata": {"name": "books", "namespace": "default"},
    "spec": {"service": "books", "backends": [{"service": "books-v1", "weight": 90}, {"service": "books-v2", "weight": 10}]},
}


def steps(result: Result) -> list[str]:
    return [step["id"] for step in result["steps"]]


def versions(mesh_cluster: MeshCluster) -> dict[str, str]:
    items = mesh_cluster.get("/apis/apps/v1/namespaces/osm-system/deployments")["items"]
    return {item["metadata"]["name"]: item["metadata"]["labels"]["app.kubernetes.io/version"] for item in items}


def assert_at(mesh_cluster: MeshCluster, version: str) -> None:
    """The whole control plane is at ``version``, Helm says so, and nothing of a run is left."""
    assert set(versions(mesh_cluster).values()) == {version}
    releases = json.loads(mesh_cluster.cluster.helm("list", "-n", "osm-system", "-o", "json"))
    assert [(release["chart"], release["status"]) for release in releases] == [(f"osm-edge-{version}", "deployed")]
    sets = mesh_cluster.get("/apis/apps/v1/namespaces/osm-system/replicasets")["items"]
    assert [item["metadata"]["name"] for item in sets if not item["metadata"].get("ownerReferences")] == []
    maps = mesh_cluster.get("/api/v1/namespaces/osm-system/configmaps")["items"]
    assert [item["metadata"]["name"] for item in maps if "meshops" in item["metadata"]["name"]] == []
    assert mesh_cluster.get("/apis/coordination.k8s.io/v1/namespaces/osm-system/leases")["items"] == []


def test_a_downgrade_is_only_made_when_it_is_allowed_and_then_complete(mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.reset(NEW)
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(SPLIT))
    mesh_cluster.patch_mesh_config({"observability": {"osmLogLevel": "warn"}})
    older = str(mesh_cluster.chart("1.2.3"))

    refused = mesh_cluster.upgrade(chart_ref=older)
    assert refused["failed"]
    assert [refusal["code"] for refusal in refused["refusals"]] == ["downgrade"]
    assert "allow_downgrade" in refused["next"]

    mark = cluster.mark()
    planned = mesh_cluster.upgrade(chart_ref=older, allow_downgrade=True, check=True)
    assert not planned.get("failed"), told(planned)
    assert cluster.writes_since(mark) == []
    assert "definitions-left-behind" in {finding["code"] for finding in planned["findings"]}

    done = mesh_cluster.upgrade(chart_ref=older, allow_downgrade=True, expected_plan_id=planned["plan"]["id"])
    assert not done.get("failed"), told(done)
    assert steps(done)[:3] == [
        f"migrate_storage:CustomResourceDefinition/{SPLITS}",
        "orphan:Deployment/osm-system/osm-controller",
        "helm_upgrade:Release/osm-system/osm",
    ]
    assert_at(mesh_cluster, "1.2.3")
    assert done["summary"]["before"] == "1.3.9"
    config = mesh_cluster.mesh_config
    assert config["observability"]["osmLogLevel"] == "warn"
    assert [driver["sidecarImage"] for driver in config["sidecar"]["sidecarDrivers"] if driver["sidecarName"] == "pipy"] == [
        "flomesh/pipy:0.70.0-46"
    ]
    definition = mesh_cluster.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{SPLITS}")
    assert definition["status"]["storedVersions"] == ["v1alpha2"]
    split = mesh_cluster.get("/apis/split.smi-spec.io/v1alpha2/namespaces/default/trafficsplits/books")
    assert split["spec"] == SPLIT["spec"]

    again = mesh_cluster.upgrade(chart_ref=older)
    assert not again.get("failed"), told(again)
    assert not again["changed"]


def test_an_upgrade_that_fails_is_taken_back_and_proven(mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.reset()
    mesh_cluster.patch_mesh_config({"traffic": {"enableEgress": False}})
    before = mesh_cluster.mesh_config
    result = mesh_cluster.upgrade(values=BROKEN, rollback_on_failure=True, timeout=20)
    assert result["failed"]
    assert "rolled back to 1.2.3" in result["msg"]
    assert result["rollback"]["proven"], told(result)
    assert "helm_rollback:Release/osm-system/osm" in {step["id"] for step in result["rollback"]["steps"]}
    assert_at(mesh_cluster, "1.2.3")
    assert mesh_cluster.mesh_config == before

    fixed = mesh_cluster.upgrade()
    assert not fixed.get("failed"), told(fixed)
    assert_at(mesh_cluster, "1.3.9")
    assert mesh_cluster.mesh_config["traffic"]["enableEgress"] is False
    assert cluster.standin.alive


def test_what_others_changed_during_a_failed_upgrade_stays(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    process = mesh_cluster.start_upgrade(values=BROKEN, rollback_on_failure=True, timeout=20)
    eventually(lambda: versions(mesh_cluster).get("osm-controller") == "1.3.9", "Helm began")
    mesh_cluster.patch_mesh_config({"observability": {"osmLogLevel": "debug"}})
    output, _errors = process.communicate(timeout=120)
    result: dict[str, Any] = json.loads(output)
    assert result["rollback"]["proven"], told(result)
    assert mesh_cluster.mesh_config["observability"]["osmLogLevel"] == "debug"
    assert_at(mesh_cluster, "1.2.3")


def test_without_the_option_a_downgrade_returns_to_the_old_meshconfig(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    before = mesh_cluster.mesh_config
    failed = mesh_cluster.upgrade(values=BROKEN, timeout=8)
    assert failed["failed"]
    assert "rollback" not in failed
    back = mesh_cluster.upgrade(chart_ref=str(mesh_cluster.chart("1.2.3")), allow_downgrade=True, values_policy="reset")
    assert not back.get("failed"), told(back)
    assert_at(mesh_cluster, "1.2.3")
    assert mesh_cluster.mesh_config == before


def test_what_an_attempt_that_failed_asked_for_does_not_stick(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    before = mesh_cluster.mesh_config
    first = mesh_cluster.upgrade(values=INJECTOR, mesh_config={"observability": {"osmLogLevel": "warn"}}, timeout=20)
    assert first["failed"]
    assert mesh_cluster.mesh_config["observability"]["osmLogLevel"] == "warn"
    # The run that goes back wrote nothing itself, or another value than the first: all of it is taken back.
    second = mesh_cluster.upgrade(
        values=INJECTOR, mesh_config={"observability": {"osmLogLevel": "debug"}}, rollback_on_failure=True, timeout=12
    )
    assert second["rollback"]["proven"], told(second)
    assert mesh_cluster.mesh_config == before
    assert_at(mesh_cluster, "1.2.3")
    assert mesh_cluster.upgrade(values=INJECTOR, timeout=12)["failed"]
    right = mesh_cluster.upgrade()
    assert not right.get("failed"), told(right)
    assert "image" not in json.loads(mesh_cluster.cluster.helm("get", "values", "osm", "-n", "osm-system", "-o", "json"))["osm"]


def test_a_definition_that_an_older_bootstrap_put_back_is_brought_again(mesh_cluster: MeshCluster) -> None:
    """Helm does not replace a bootstrap that is there already, and a bootstrap writes its definitions only when it starts."""
    cluster = mesh_cluster.reset(NEW)
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/meshconfigs.config.openservicemesh.io"
    definition = mesh_cluster.get(path)
    for version in definition["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        spec.pop("pluginChains", None)
        spec["traffic"]["properties"].pop("interceptionMode", None)
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps(definition))
    mesh_cluster.patch_mesh_config({"observability": {"osmLogLevel": "warn"}})
    assert "interceptionMode" not in mesh_cluster.mesh_config["traffic"]
    done = mesh_cluster.upgrade()
    assert not done.get("failed"), told(done)
    assert "restart:Deployment/osm-system/osm-bootstrap" in steps(done)
    assert mesh_cluster.mesh_config["traffic"]["interceptionMode"] == "iptables"
    assert mesh_cluster.mesh_config["observability"]["osmLogLevel"] == "warn"
    assert_at(mesh_cluster, "1.3.9")
