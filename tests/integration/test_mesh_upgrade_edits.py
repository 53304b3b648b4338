# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades of a mesh that hands have been on: images of others are kept as values, all else is told before it is reverted."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from failures import unchanged
from mesh_clusters import Mesh, MeshCluster

Result = dict[str, Any]
OTHERS = Mesh(values="osm: {deployPrometheus: true, deployGrafana: true, deployJaeger: true}")
IMAGES = {
    "osm-prometheus": ("prometheus", "prom/prometheus:v2.19.1"),
    "osm-grafana": ("grafana", "grafana/grafana:8.5.0"),
    "osm-jaeger": ("jaeger", "jaegertracing/all-in-one:1.26.0"),
}


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh at 1.2.3 whose Prometheus, Grafana and Jaeger were updated as the written procedure says."""
    mesh_cluster.reset(OTHERS)
    for name, (container, image) in IMAGES.items():
        kubectl(mesh_cluster, "set", "image", f"deployment/{name}", f"{container}={image}")
    return mesh_cluster


def kubectl(mesh: MeshCluster, *arguments: str) -> None:
    mesh.cluster.kubectl(arguments[0], "-n", "osm-system", *arguments[1:])


def deployment(mesh: MeshCluster, name: str) -> Result:
    return mesh.get(f"/apis/apps/v1/namespaces/osm-system/deployments/{name}")


def images(mesh: MeshCluster) -> dict[str, str]:
    return {name: deployment(mesh, name)["spec"]["template"]["spec"]["containers"][0]["image"] for name in IMAGES}


def user_values(mesh: MeshCluster) -> Result:
    found: Result = yaml.safe_load(mesh.cluster.helm("get", "values", "osm", "-n", "osm-system", "-o", "yaml"))
    return found


def findings(result: Result, code: str) -> list[Result]:
    return [finding for finding in result["findings"] if finding["code"] == code]


def done(result: Result) -> Result:
    assert result.get("failed", False) is False, result.get("msg")
    return result


def test_images_set_by_hand_outlive_this_upgrade_and_the_next(mesh: MeshCluster) -> None:
    by_hand = {name: image for name, (dummy, image) in IMAGES.items()}
    with unchanged(mesh.cluster):
        planned = done(mesh.upgrade(check=True))
    assert sorted(finding["object"]["name"] for finding in findings(planned, "third-party-image-carried")) == sorted(IMAGES)
    assert findings(planned, "will-be-reverted") == []
    result = done(mesh.upgrade(expected_plan_id=planned["plan"]["id"]))
    assert result["changed"] is True
    assert images(mesh) == by_hand
    values = user_values(mesh)["osm"]
    assert [values[name]["image"] for name in ("prometheus", "grafana", "tracing")] == [*by_hand.values()]
    again = done(mesh.upgrade())
    assert (again["changed"], findings(again, "third-party-image-carried")) == (False, [])
    # They are the release's values now: whatever is upgraded next keeps them.
    assert done(mesh.upgrade(values={"osm": {"controllerLogLevel": "debug"}}))["changed"] is True
    assert images(mesh) == by_hand


def test_a_value_of_the_task_wins_and_says_what_it_reverts(mesh: MeshCluster) -> None:
    wanted = {"osm": {"prometheus": {"image": "prom/prometheus:v2.45.0"}, "deployJaeger": False}}
    result = done(mesh.upgrade(values=wanted))
    assert [finding["object"]["name"] for finding in findings(result, "third-party-image-carried")] == ["osm-grafana"]
    (reverted,) = findings(result, "will-be-reverted")
    assert '"prom/prometheus:v2.19.1" → "prom/prometheus:v2.45.0"' in reverted["what"]
    (removed,) = findings(result, "removed")
    assert removed["object"]["name"] == "osm-jaeger"
    assert "traces" in removed["why"]
    assert deployment(mesh, "osm-prometheus")["spec"]["template"]["spec"]["containers"][0]["image"] == "prom/prometheus:v2.45.0"


def test_a_reset_tells_what_it_reverts(mesh: MeshCluster) -> None:
    with unchanged(mesh.cluster):
        result = done(mesh.upgrade(check=True, values_policy="reset", values=yaml.safe_load(OTHERS.values)))
    assert findings(result, "third-party-image-carried") == []
    assert sorted(finding["object"]["name"] for finding in findings(result, "will-be-reverted")) == sorted(IMAGES)


def test_all_other_edits_are_told_and_come_as_told(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    kubectl(mesh_cluster, "scale", "deployment/osm-injector", "--replicas=2")
    kubectl(mesh_cluster, "set", "resources", "deployment/osm-bootstrap", "--limits=cpu=900m")
    kubectl(mesh_cluster, "set", "env", "deployment/osm-injector", "EXTRA=kept")
    kubectl(mesh_cluster, "label", "deployment/osm-injector", "team=mesh")
    kubectl(mesh_cluster, "patch", "service/osm-validator", "--type=merge", "-p", '{"spec": {"selector": {"app": "mine"}}}')
    kubectl(mesh_cluster, "scale", "deployment/osm-controller", "--replicas=2")
    planned = done(mesh_cluster.upgrade(check=True))
    told = {finding["object"]["name"]: finding for finding in [*findings(planned, "will-be-reverted"), *findings(planned, "edit-lost")]}
    assert {name: finding["code"] for name, finding in told.items()} == {
        "osm-injector": "will-be-reverted",
        "osm-bootstrap": "will-be-reverted",
        "osm-validator": "will-be-reverted",
        "osm-controller": "edit-lost",
    }
    assert told["osm-injector"]["what"].endswith("spec.replicas: 2 → 1")
    assert told["osm-bootstrap"]["what"].endswith('spec.template.spec.containers[osm-bootstrap].resources.limits.cpu: "900m" → "0.5"')
    assert told["osm-validator"]["what"].endswith('spec.selector.app: "mine" → "osm-controller"')
    done(mesh_cluster.upgrade())
    injector = deployment(mesh_cluster, "osm-injector")
    assert (injector["spec"]["replicas"], injector["metadata"]["labels"]["team"]) == (1, "mesh")
    environment = injector["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "EXTRA", "value": "kept"} in environment
    assert deployment(mesh_cluster, "osm-controller")["spec"]["replicas"] == 1


def test_without_an_upgrade_nothing_is_reverted(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    assert done(mesh_cluster.upgrade())["changed"] is True
    kubectl(mesh_cluster, "label", "deployment/osm-injector", "meshName=osm", "--overwrite")
    kubectl(mesh_cluster, "set", "env", "deployment/osm-injector", "EXTRA=kept")
    kubectl(mesh_cluster, "rollout", "status", "deployment/osm-injector", "--timeout=60s")
    again = done(mesh_cluster.upgrade())
    assert again["changed"] is False
    assert [*findings(again, "will-be-reverted"), *findings(again, "edit-lost")] == []
