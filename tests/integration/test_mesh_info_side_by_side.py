# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_info where osm-edge and FSM have one cluster together, and when Open Service Mesh comes with the name that osm-edge has."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from run_module import run_module
from sandboxlib import paths
from sandboxlib.cluster import Cluster
from sandboxlib.mesh import install
from sandboxlib.options import Options

Result = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(sandbox_home: Path) -> Iterator[Cluster]:
    found = Cluster("info-products", sandbox_home)
    try:
        found.up(Options(mesh="osm-edge=1.3.9"))
        install(found, Options(mesh="fsm=1.5.1"), lambda text: None)
        yield found
    finally:
        found.down()


def info(cluster: Cluster, **options: Any) -> Result:
    result = run_module("mesh_info", {"kubeconfig": str(cluster.kubeconfig), **options})
    assert not result.get("failed"), result
    return result


def eventually(cluster: Cluster, done: Callable[[Result], bool]) -> Result:
    deadline = time.monotonic() + 40
    while not done(result := info(cluster)):
        assert time.monotonic() < deadline, json.dumps(result["meshes"], indent=1)
        time.sleep(0.5)
    return result


def finding(result: Result, code: str) -> Result:
    (found,) = [item for item in result["findings"] if item["code"] == code]
    return found


def test_each_mesh_is_its_own(cluster: Cluster) -> None:
    result = info(cluster)
    fsm, edge = result["meshes"]
    assert (fsm["product"], fsm["name"], fsm["namespace"], fsm["version"]) == ("fsm", "fsm", "fsm-system", "1.5.1")
    assert (edge["product"], edge["name"], edge["namespace"], edge["version"]) == ("osm-edge", "osm", "osm-system", "1.3.9")
    assert {component["name"].partition("-")[0] for component in fsm["components"]} == {"fsm"}
    assert {component["name"].partition("-")[0] for component in edge["components"]} == {"osm"}
    assert (fsm["release"]["chart"], edge["release"]["chart"]) == ("fsm", "osm-edge")
    assert (fsm["mesh_config"]["name"], edge["mesh_config"]["name"]) == ("fsm-mesh-config", "osm-mesh-config")
    assert {hook["service"].partition("/")[0] for hook in fsm["webhooks"]} == {"fsm-system"}
    assert {hook["service"].partition("/")[0] for hook in edge["webhooks"]} == {"osm-system"}
    assert all(hook["alive"] for mesh in (fsm, edge) for hook in mesh["webhooks"])
    told = [item for mesh in (fsm, edge) for item in mesh["findings"] if item["severity"] != "info"]
    assert told == []


def test_what_they_share(cluster: Cluster) -> None:
    result = info(cluster)
    shared = {row["name"]: [user["product"] for user in row["used_by"]] for row in result["shared_crds"]}
    assert shared["traffictargets.access.smi-spec.io"] == ["fsm", "osm-edge"]
    assert "meshconfigs.config.openservicemesh.io" not in shared
    assert "meshconfigs.config.flomesh.io" not in shared
    assert "traffictargets.access.smi-spec.io" in finding(result, "products-side-by-side")["why"]
    assert {item["code"] for item in result["findings"]} == {"products-side-by-side"}


def test_namespaces_belong_to_one_of_them(cluster: Cluster) -> None:
    for name, label in (("shop", "openservicemesh.io/monitored-by=osm"), ("bank", "flomesh.io/monitored-by=fsm")):
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("label", "namespace", name, label)
    fsm, edge = info(cluster)["meshes"]
    assert [row["name"] for row in edge["namespaces"]] == ["shop"]
    assert [row["name"] for row in fsm["namespaces"]] == ["bank"]
    cluster.kubectl("label", "namespace", "bank", "openservicemesh.io/monitored-by=osm")
    twice = finding(info(cluster), "namespace-in-two-meshes")
    assert (twice["severity"], twice["object"]["name"]) == ("error", "bank")
    cluster.kubectl("label", "namespace", "bank", "openservicemesh.io/monitored-by-")


def test_another_product_with_the_same_name(cluster: Cluster) -> None:
    """What osm-edge and Open Service Mesh do to each other. The last test: nothing is put back."""
    chart = str(paths.CHARTS / "osm-1.2.4")
    cluster.helm("install", "upstream", chart, "-n", "upstream", "--create-namespace", "--set", "osm.meshName=osm")
    result = eventually(cluster, lambda seen: "crd-stored-version" in json.dumps(seen["meshes"]))
    assert [(mesh["product"], mesh["namespace"]) for mesh in result["meshes"]] == [
        ("fsm", "fsm-system"),
        ("osm-edge", "osm-system"),
        ("osm", "upstream"),
    ]
    # Its definitions are older than those that osm-edge has stored objects with, so it does not even start; the others wait for it.
    causes = {item["name"]: [trouble["cause"] for trouble in item["diagnosis"]] for item in result["meshes"][2]["components"]}
    assert causes == {
        "osm-bootstrap": ["crd-stored-version"],
        "osm-controller": ["waits-for-bootstrap"],
        "osm-injector": ["waits-for-bootstrap"],
    }
    claimed = finding(result, "namespaces-claimed-twice")
    assert claimed["severity"] == "error"
    assert claimed["what"].endswith("openservicemesh.io/monitored-by=osm: shop")
    assert finding(result, "webhook-name-conflict")["object"]["name"] == "osm-webhook-osm"
    assert "meshconfigs.config.openservicemesh.io" in finding(result, "crd-rivals")["what"]
