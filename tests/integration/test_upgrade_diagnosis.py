# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades that do not come to their end, and what is told of them: with real schedulers, Events and logs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from failures import assert_told
from mesh_clusters import MESH, MeshCluster
from sandboxlib.binaries import binary
from test_kube_api import connection_to

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_room import RoomDiscovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.surge import capacity_facts, surge_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_keys import advice
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import diagnose
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room

Result = dict[str, Any]
NAMESPACE = "osm-system"
DEFAULT_SURGE = {"cpu": 1.1, "memory": 320_000_000, "pods": 3, "fits": True}


@pytest.fixture
def old_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """One mesh at 1.2.3."""
    mesh_cluster.reset(MESH)
    return mesh_cluster


@pytest.fixture
def connection(old_mesh: MeshCluster, tmp_path: Path) -> Connection:
    return connection_to(tmp_path / "connection", kubeconfig=str(old_mesh.cluster.kubeconfig))


def rendered(mesh: MeshCluster, connection: Connection, version: str, **values: Any) -> list[Result]:
    """The objects of a chart, as an upgrade renders them."""
    directory = Path(connection.kubeconfig_path).parent
    helm = Helm(str(binary("helm")), kubeconfig_path=connection.kubeconfig_path, directory=str(directory))
    return helm.template("osm", mesh.chart(version), NAMESPACE, {"osm": values}, deadline=Deadline(30), kube_version="1.34.0")


def room_of(connection: Connection) -> Room:
    """What the nodes have left."""
    discovery = RoomDiscovery(connection.api)
    discovery.read_cluster(data_plane=True)
    return discovery.read_room()


def test_an_image_of_another_version_is_refused(old_mesh: MeshCluster) -> None:
    result = old_mesh.upgrade(values={"osm": {"image": {"tag": "1.1.1"}}})
    assert_told(result, "osm-edge-bootstrap:1.1.1 with the command line of 1.3.9", "osm.image.tag", cluster=old_mesh.cluster)
    assert {refusal["code"] for refusal in result["refusals"]} == {"image-mismatch"}


def test_a_program_that_does_not_know_its_parameters_ends_the_wait_early(old_mesh: MeshCluster, tmp_path: Path) -> None:
    """An image whose tag does not tell that it is another program: waiting three minutes for it would be in vain."""
    chart = tmp_path / "in-house"
    shutil.copytree(old_mesh.chart("1.3.9"), chart)
    template = chart / "templates" / "osm-bootstrap.yaml"
    text = template.read_text(encoding="utf-8")
    template.write_text(
        text.replace("            - --osm-namespace\n", "            - --in-house\n            - --osm-namespace\n"), encoding="utf-8"
    )
    progress = tmp_path / "progress.jsonl"
    progress.touch()
    started = time.monotonic()
    process = old_mesh.start_upgrade(timeout=180, chart_ref=str(chart), tmpdir=tmp_path)
    output, _errors = process.communicate(timeout=120)
    assert time.monotonic() - started < 90
    result = json.loads(output)
    assert_told(
        result, "however long it takes", "unknown flag: --", "osm.image.tag", "run the same command again", cluster=old_mesh.cluster
    )
    assert result["object"] == {"kind": "Deployment", "namespace": NAMESPACE, "name": "osm-bootstrap"}
    assert result["diagnosis"][0]["cause"] == "cli-mismatch"
    assert result["not_looked_at"] == []
    lines = [json.loads(line)["text"] for line in progress.read_text(encoding="utf-8").splitlines()]
    assert any("osm-bootstrap: container osm-bootstrap ends again and again" in line for line in lines)
    assert not any("unknown flag" in line for line in lines)


def test_no_node_has_room_and_smaller_requests_go_on(old_mesh: MeshCluster, connection: Connection) -> None:
    """Told before, as a finding; told after, as the scheduler's words; and the same command with other values goes on."""
    wanted = {"osmController": {"resource": {"requests": {"cpu": "2k", "memory": "128M"}, "limits": {"cpu": "2k"}}}}
    live = [*connection.api.list(DEPLOYMENT, NAMESPACE)]
    room = room_of(connection)
    before = surge_findings(room, rendered(old_mesh, connection, "1.3.9", **wanted), live, NAMESPACE, OSM_EDGE)
    assert [(item.code, item.object.name) for item in before] == [("insufficient-capacity", "osm-controller")]
    assert "osm.osmController.resource.requests.cpu from 2000 to" in before[0].remedy
    result = old_mesh.upgrade(timeout=30, values={"osm": wanted})
    assert_told(
        result, "Waited 30 s in vain", "Insufficient cpu", "osm.osmController.resource.requests.cpu (now 2000)", cluster=old_mesh.cluster
    )
    assert [item["cause"] for item in result["diagnosis"]] == ["insufficient-cpu"]
    again = old_mesh.upgrade(values={"osm": {"osmController": {"resource": {"requests": {"cpu": "100m"}}}}})
    assert again.get("msg", "") == ""
    assert again["summary"]["after"] == "1.3.9"


def test_a_healthy_mesh_has_no_trouble_and_its_surge_fits(old_mesh: MeshCluster, connection: Connection) -> None:
    api = connection.api
    mark = old_mesh.cluster.mark()
    assert diagnose(api, NAMESPACE, OSM_EDGE.deployments, advice=advice(OSM_EDGE)) == ((), ())
    live = [*api.list(DEPLOYMENT, NAMESPACE)]
    room = room_of(connection)
    ours = {event.verb for event in old_mesh.cluster.audit_since(mark) if event.user_agent.startswith("meshops")}
    assert ours == {"get", "list"}
    facts = capacity_facts(room, live, NAMESPACE)
    assert (facts["checked"], facts["surge"], facts["usable_nodes"]) == (True, DEFAULT_SURGE, len(room.nodes))
    assert {pod.labels["app"] for pod in room.own} == {*OSM_EDGE.deployments}
    # Rendering what runs replaces nothing: the server's defaults and "500m" for "0.5" are no differences.
    small = room._replace(nodes=tuple(node._replace(free=node.free._replace(cpu=0)) for node in room.nodes))
    assert surge_findings(small, rendered(old_mesh, connection, "1.2.3"), live, NAMESPACE, OSM_EDGE) == []
    found = surge_findings(small, rendered(old_mesh, connection, "1.3.9"), live, NAMESPACE, OSM_EDGE)
    assert {item.object.name for item in found} == {*OSM_EDGE.deployments}


def test_a_cordoned_cluster(old_mesh: MeshCluster, connection: Connection) -> None:
    for node in yaml.safe_load(old_mesh.cluster.kubectl("get", "nodes", "-o", "yaml"))["items"]:
        old_mesh.cluster.kubectl("cordon", node["metadata"]["name"])
    live = [*connection.api.list(DEPLOYMENT, NAMESPACE)]
    room = room_of(connection)
    found = surge_findings(room, rendered(old_mesh, connection, "1.3.9"), live, NAMESPACE, OSM_EDGE)
    assert {item.code for item in found} == {"insufficient-capacity"}
    assert all("no node may take it" in item.what for item in found)
    old_mesh.cluster.kubectl("rollout", "restart", "-n", NAMESPACE, "deployment/osm-injector")
    deadline = time.monotonic() + 60
    # The scheduler takes its time on a busy machine.
    while not (troubles := diagnose(connection.api, NAMESPACE, OSM_EDGE.deployments, advice=advice(OSM_EDGE)).troubles) or (
        "no scheduler has looked at it" in str(troubles[0])
    ):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert [(item.component, item.cause) for item in troubles] == [("osm-injector", "unschedulable")]
    assert "kubectl uncordon NODE" in troubles[0].remedy
