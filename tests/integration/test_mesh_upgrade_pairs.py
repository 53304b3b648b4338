# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade between the releases of every product of the family (1.2 to 1.3 of osm-edge has files of its own)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from mesh_clusters import Mesh, MeshCluster, Result, told

FSM = {"product": "fsm", "name": "fsm", "release": "fsm", "namespace": "fsm-system"}


class Pair(NamedTuple):
    """An upgrade: the mesh before, the version after, the sidecar image that the MeshConfig names then (empty: it names none)."""

    mesh: Mesh
    after: str
    image: str

    def __str__(self) -> str:
        return f"{self.mesh.product}-{self.mesh.version}-to-{self.after}"


PAIRS = (
    Pair(Mesh(version="1.1.3"), "1.2.3", "flomesh/pipy:0.70.0-46"),
    Pair(Mesh(version="1.2.0"), "1.2.3", "flomesh/pipy:0.70.0-46"),
    Pair(Mesh(version="1.2.3"), "1.2.3-ubi8", "flomesh/pipy-ubi8:0.70.0-46"),
    Pair(Mesh(version="1.3.0-beta.4"), "1.3.9", "flomesh/pipy:0.90.3-38"),
    Pair(Mesh(version="1.3.0"), "1.3.9", "flomesh/pipy:0.90.3-38"),
    Pair(Mesh(version="1.2.3", product="osm"), "1.2.4", ""),
    Pair(Mesh(version="1.5.0", **FSM), "1.5.1", "flomesh/pipy:1.5.10"),
    Pair(Mesh(version="1.4.0", **FSM), "1.5.1", "flomesh/pipy:1.5.10"),
)
LOG_LEVEL = {"observability": {"osmLogLevel": "warn"}}


def edit_of(mesh: Mesh) -> dict[str, Any]:
    return {"observability": {"fsmLogLevel" if mesh.product == "fsm" else "osmLogLevel": "warn"}}


def sidecar_image(spec: Result) -> str:
    """The image that new pods get by the MeshConfig: its own field, else that of the driver."""
    sidecar = spec.get("sidecar") or {}
    drivers = {driver["sidecarName"]: driver.get("sidecarImage", "") for driver in sidecar.get("sidecarDrivers") or ()}
    return str(sidecar.get("sidecarImage") or drivers.get("pipy", ""))


def chart_and_status(mesh_cluster: MeshCluster) -> tuple[str, str]:
    (release,) = json.loads(mesh_cluster.cluster.helm("list", "-n", mesh_cluster.mesh.namespace, "-o", "json"))
    return release["chart"], release["status"]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_an_upgrade_is_proven_keeps_edits_and_leaves_nothing_for_a_second_run(mesh_cluster: MeshCluster, pair: Pair) -> None:
    cluster, mesh = mesh_cluster.reset(pair.mesh), pair.mesh
    mesh_cluster.patch_mesh_config(edit_of(mesh))
    chart = str(mesh_cluster.chart(pair.after, mesh.product))

    mark = cluster.mark()
    planned = mesh_cluster.upgrade(chart_ref=chart, check=True)
    assert not planned.get("failed"), told(planned)
    assert cluster.writes_since(mark) == []

    done = mesh_cluster.upgrade(chart_ref=chart, expected_plan_id=planned["plan"]["id"])
    assert not done.get("failed"), told(done)
    assert (done["summary"]["before"], done["summary"]["after"]) == (mesh.version, pair.after)
    assert chart_and_status(mesh_cluster) == (f"{mesh.product}-{pair.after}", "deployed")
    spec = mesh_cluster.mesh_config
    assert {**spec["observability"], **edit_of(mesh)["observability"]} == spec["observability"]
    assert sidecar_image(spec) == pair.image

    mark = cluster.mark()
    again = mesh_cluster.upgrade(chart_ref=chart)
    assert not again.get("failed"), told(again)
    assert not again["changed"], again["plan_table"]
    assert cluster.writes_since(mark) == []


def test_two_minor_versions_are_two_runs_and_the_first_is_named(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(Mesh(version="1.1.3"))
    refused = mesh_cluster.upgrade(check=True)
    assert [refusal["code"] for refusal in refused["refusals"]] == ["skips-minor"]
    assert "chart_version: 1.2.3 now" in refused["next"]
    for version in ("1.2.3", "1.3.9"):
        done = mesh_cluster.upgrade(chart_ref=str(mesh_cluster.chart(version)))
        assert not done.get("failed"), told(done)
    assert mesh_cluster.mesh_config["traffic"]["interceptionMode"] == "iptables"
    # osm-edge 1.1 closes the mesh by default, later versions open it: what the mesh runs with stays.
    assert not mesh_cluster.mesh_config["traffic"].get("enableEgress")
    assert not mesh_cluster.mesh_config["traffic"].get("enablePermissiveTrafficPolicyMode")


def test_fsm_gets_its_own_name_of_the_interception_mode(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(Mesh(version="1.4.0", **FSM))
    assert mesh_cluster.mesh_config["traffic"]["interceptionMode"] == "iptables"
    done = mesh_cluster.upgrade(chart_ref=str(mesh_cluster.chart("1.5.1", "fsm")))
    assert not done.get("failed"), told(done)
    assert mesh_cluster.mesh_config["traffic"]["interceptionMode"] == "PodLevel"


def test_a_mesh_that_was_upgraded_by_hand_keeps_its_doors_closed(mesh_cluster: MeshCluster) -> None:
    """``helm upgrade`` leaves the MeshConfig of 1.1, in which a door that is closed is simply absent."""
    cluster = mesh_cluster.reset(Mesh(version="1.1.3"))
    cluster.helm("upgrade", "osm", str(mesh_cluster.chart("1.2.3")), "-n", "osm-system", "--set", "osm.meshName=osm")
    done = mesh_cluster.upgrade(chart_ref=str(mesh_cluster.chart("1.2.3")))
    assert not done.get("failed"), told(done)
    traffic = mesh_cluster.mesh_config["traffic"]
    assert not traffic.get("enableEgress")
    assert not traffic.get("enablePermissiveTrafficPolicyMode")
    assert "changed-default-not-applied" in {finding["code"] for finding in done["findings"]}
