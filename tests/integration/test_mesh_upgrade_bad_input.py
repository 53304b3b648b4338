# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input of mesh_upgrade: what is refused, before anything is written, and what the user is told.

Most of these only read, so they share one cluster as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.repository import ChartRepository, chart_archive, write_chart
from failures import assert_told, unchanged
from mesh_clusters import MESH, MeshCluster
from run_module import run_module
from sandboxlib.binaries import binary
from sandboxlib.loopback import free_port

Result = dict[str, Any]
Refuses = Callable[..., Result]


@pytest.fixture
def old_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """One mesh at 1.2.3."""
    mesh_cluster.reset(MESH)
    return mesh_cluster


@pytest.fixture
def refuses(old_mesh: MeshCluster) -> Refuses:
    """Runs an upgrade that must be refused: ``refuses(words…, option=value…)``."""

    def run(*words: str, **options: Any) -> Result:
        with unchanged(old_mesh.cluster):
            result = old_mesh.upgrade(**options)
        assert_told(result, *words, cluster=old_mesh.cluster)
        return result

    return run


@pytest.fixture(scope="module")
def repository() -> Iterator[str]:
    """URL of a chart repository with three versions."""
    with ChartRepository(["osm-edge-1.2.3", "osm-edge-1.3.8", "osm-edge-1.3.9"]) as charts:
        yield charts.url


def edited_chart(directory: Path, release: str = "osm-edge-1.3.9", **about: str) -> Path:
    """A chart with other entries in its Chart.yaml."""
    chart = write_chart(release, directory)
    path = chart / "Chart.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **about}), encoding="utf-8")
    return chart


# The connection


def test_no_cluster_is_named(old_mesh: MeshCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current cluster of the environment is not taken."""
    for name in ("KUBECONFIG", "CONTEXT", "HOST", "API_KEY"):
        monkeypatch.delenv(f"K8S_AUTH_{name}", raising=False)
    mark = old_mesh.cluster.mark()
    result = run_module("mesh_upgrade", {"chart_version": "1.3.9"}, env={"KUBECONFIG": str(old_mesh.cluster.kubeconfig)})
    assert_told(result, "No cluster is named", "K8S_AUTH_", "module_defaults", "nothing was contacted")
    assert [event for event in old_mesh.cluster.audit_since(mark) if event.user_agent.startswith("meshops")] == []


def test_the_api_server_does_not_answer(old_mesh: MeshCluster) -> None:
    nowhere = f"https://127.0.0.1:{free_port()}"
    result = old_mesh.upgrade(host=nowhere)
    assert_told(result, nowhere, "refused")
    assert result["cluster"]["server"] == nowhere


def test_denied_credentials(old_mesh: MeshCluster) -> None:
    cluster = old_mesh.cluster
    connection = {"host": cluster.server, "api_key": "not-a-token-of-this-cluster", "ca_cert": str(cluster.layout.pki / "ca.crt")}
    with unchanged(cluster):
        result = run_module("mesh_upgrade", {**connection, "chart_version": "1.3.9"})
    assert_told(result, "401", cluster=cluster)
    assert "not-a-token-of-this-cluster" not in str(result)


def test_a_kubeconfig_that_does_not_exist(old_mesh: MeshCluster, tmp_path: Path) -> None:
    assert_told(old_mesh.upgrade(kubeconfig=str(tmp_path / "absent")), "absent does not exist")


def test_an_unknown_context(old_mesh: MeshCluster) -> None:
    assert_told(old_mesh.upgrade(context="wset"), "no context wset", old_mesh.cluster.name)


def test_a_user_who_may_do_nothing(old_mesh: MeshCluster) -> None:
    with unchanged(old_mesh.cluster):
        result = old_mesh.upgrade(kubeconfig=str(old_mesh.cluster.kubeconfig_for("nobody")))
    assert_told(result, "403", "nobody", "list", cluster=old_mesh.cluster)


def test_another_cluster_than_expected(refuses: Refuses) -> None:
    refuses("not the expected cluster", "kube-system", expected_cluster="0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11")


# The mesh


def test_a_mesh_that_does_not_exist(refuses: Refuses) -> None:
    result = refuses("no mesh named osn", "osm in namespace osm-system", "did you mean osm?", mesh_name="osn")
    assert result["meshes"] == [{"name": "osm", "namespace": "osm-system", "product": "osm-edge", "version": "1.2.3"}]


def test_a_mesh_in_another_namespace(refuses: Refuses) -> None:
    refuses("in namespace default", "osm in namespace osm-system", mesh_name="osm", mesh_namespace="default")


# The chart


def test_the_upstream_chart(refuses: Refuses, tmp_path: Path) -> None:
    """The written procedure names it; all its objects are called as those of osm-edge."""
    chart = edited_chart(tmp_path, name="osm")
    refuses("Open Service Mesh", "osm-edge", "https://flomesh-io.github.io/osm-edge", "nothing was written", chart_ref=str(chart))


def test_a_chart_of_something_else(refuses: Refuses, tmp_path: Path) -> None:
    refuses("not a chart of this family", "osm-edge", chart_ref=str(edited_chart(tmp_path, name="nginx")))


def test_a_version_that_does_not_exist(refuses: Refuses, repository: str) -> None:
    result = refuses("1.3.7", repository, "did you mean 1.3.9 or 1.3.8?", chart_repo=repository, chart_version="1.3.7")
    assert result["versions"] == ["1.3.9", "1.3.8", "1.2.3"]


@pytest.mark.parametrize("version", ["1.3", ">=1.3.0", "1.x"])
def test_a_range_of_versions(refuses: Refuses, repository: str, version: str) -> None:
    """What is taken from a range depends on the date."""
    refuses(f"chart_version {version} is a range", "1.3.9", chart_repo=repository, chart_version=version)


def test_a_chart_that_the_repository_lacks(refuses: Refuses, repository: str) -> None:
    refuses("osm-edg", repository, "the chart of osm-edge is osm-edge", chart_repo=repository, chart_ref="osm-edg", chart_version="1.3.9")


def test_a_repository_without_a_version(refuses: Refuses, repository: str) -> None:
    refuses("chart_version is missing", "set chart_version", chart_repo=repository, chart_ref="osm-edge")


def test_a_repository_that_does_not_answer(refuses: Refuses) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    refuses(nowhere, "check the address", chart_repo=nowhere, chart_version="1.3.9")


def test_a_repository_that_is_no_url(refuses: Refuses) -> None:
    refuses("from charts", "check the address", chart_repo="charts", chart_version="1.3.9")


def test_a_chart_that_does_not_exist(refuses: Refuses, tmp_path: Path) -> None:
    refuses("was not found", "correct chart_ref", chart_ref=str(tmp_path / "osm-edge-1.3.9.tgz"))


def test_a_directory_that_is_no_chart(refuses: Refuses, tmp_path: Path) -> None:
    refuses(str(tmp_path), "no Chart.yaml", chart_ref=str(tmp_path))


def test_a_damaged_archive(refuses: Refuses, tmp_path: Path) -> None:
    archive = chart_archive("osm-edge-1.3.9", tmp_path)
    archive.write_bytes(archive.read_bytes()[:2000])
    refuses(str(archive), "cannot be read", "pull the chart again", chart_ref=str(archive))


def test_a_version_that_is_not_the_chart_s(refuses: Refuses, old_mesh: MeshCluster) -> None:
    refuses("is version 1.3.9, not 1.3.8", chart_ref=str(old_mesh.chart("1.3.9")), chart_version="1.3.8")


def test_a_downgrade(refuses: Refuses, tmp_path: Path) -> None:
    chart = write_chart("osm-edge-1.2.1", tmp_path)
    refuses("1.2.1 is older than 1.2.3", "are lost", "name a version from 1.2.3 on", "allow_downgrade: true", chart_ref=str(chart))


# The values


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"osm:\n  image:\n   tag: [1.3.9\n  x: y\n", ("line 4",)),
        (b"- osm\n- image\n", ("a list, not a mapping",)),
        (b"just text\n", ("a text, not a mapping",)),
        (b"3\n", ("a single value, not a mapping",)),
        (b"osm:\n  meshName: \xff\xfe\n", ("not UTF-8",)),
        (None, ("No such file",)),
    ],
    ids=["syntax", "list", "text", "number", "not-utf-8", "missing"],
)
def test_a_broken_values_file(refuses: Refuses, tmp_path: Path, content: bytes | None, words: tuple[str, ...]) -> None:
    path = tmp_path / "values.yaml"
    if content is not None:
        path.write_bytes(content)
    refuses(str(path), *words, "correct the file", values_files=[str(path)])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"osm": {"enableEgres": True}}, ("osm.enableEgres", "did you mean enableEgress")),
        ({"osm": {"image": {"registri": "x"}}}, ("osm.image.registri", "did you mean registry?")),
        ({"osm": {"enableEgress": "ja"}}, ("osm.enableEgress", "not of type boolean")),
        ({"osm": {"osmController": {"replicaCount": "two"}}}, ("osm.osmController.replicaCount", "not of type integer")),
        ({"osm": "none"}, ("osm: this text is not of type object",)),
        ({"osm": {"meshName": "blue"}}, ("osm.meshName must stay osm, not blue",)),
        ({"osm": {"osmNamespace": "mesh"}}, ("osm.osmNamespace must stay osm-system, not mesh",)),
    ],
    ids=["unknown-key", "unknown-nested-key", "no-boolean", "no-integer", "no-mapping", "another-name", "another-namespace"],
)
def test_values_that_the_chart_does_not_take(refuses: Refuses, values: Result, words: tuple[str, ...]) -> None:
    refuses(*words, "nothing was written", values=values)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"trafic": {"enableEgress": True}}, ("trafic", "unknown field", "did you mean traffic?")),
        ({"traffic": {"enableEgres": True}}, ("traffic.enableEgres", "did you mean enableEgress?")),
        ({"sidecar": {"localProxyMode": "podip"}}, ("sidecar.localProxyMode", "PodIP")),
        ({"sidecar": {"logLevel": False}}, ("sidecar.logLevel", 'write logLevel: "off"')),
        ({"traffic": {"outboundIPRangeExclusionList": ["10.0.0.0/33"]}}, ("outboundIPRangeExclusionList[0]", "10.0.0.0/33")),
        ({"traffic": {"outboundIPRangeExclusionList": ["fd00::/8"]}}, ("outboundIPRangeExclusionList[0]", "IPv4 only")),
        ({"traffic": {"enableEgress": None}}, ("traffic.enableEgress has no value",)),
    ],
    ids=["unknown-map", "unknown-field", "enum", "off", "bad-range", "ipv6", "null"],
)
def test_a_mesh_config_that_cannot_be(refuses: Refuses, spec: Result, words: tuple[str, ...]) -> None:
    refuses(*words, "nothing was", mesh_config=spec)


def test_all_that_is_wrong_is_told_at_once(refuses: Refuses) -> None:
    result = refuses(
        "osm.enableEgres",
        "osm.image.tag",
        "sidecar.logLevel",
        "traffic.outboundPortExclusionList[0]",
        values={"osm": {"enableEgres": True, "image": {"tag": 1.3}}},
        mesh_config={"sidecar": {"logLevel": "loud"}, "traffic": {"outboundPortExclusionList": [70000]}},
    )
    assert len(result["refusals"]) == 4


# Helm


def test_no_helm(old_mesh: MeshCluster, tmp_path: Path) -> None:
    options = old_mesh.options(chart_ref=str(old_mesh.chart("1.3.9")))
    with unchanged(old_mesh.cluster):
        result = run_module("mesh_upgrade", options, env={"PATH": str(tmp_path)})
    assert_told(result, "helm was not found", "PATH", "install helm", "binary_path", cluster=old_mesh.cluster)


def test_a_path_without_helm(refuses: Refuses, tmp_path: Path) -> None:
    refuses(f"{tmp_path}/helm was not found", "binary_path", binary_path=f"{tmp_path}/helm")


@pytest.mark.parametrize("program", [str(binary("kubectl")), sys.executable, "/bin/true"], ids=["kubectl", "python", "true"])
def test_a_program_that_is_not_helm(refuses: Refuses, program: str) -> None:
    refuses(f"{program} is not helm", "correct binary_path", binary_path=program)


def test_a_helm_that_is_too_old(refuses: Refuses, tmp_path: Path) -> None:
    old = tmp_path / "helm"
    old.write_text("#!/bin/sh\necho v3.11.2\n", encoding="utf-8")
    old.chmod(0o700)
    refuses("3.11.2", "3.14", "binary_path", binary_path=str(old))


# Times


@pytest.mark.parametrize("option", ["timeout", "request_timeout", "max_parallel_requests"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_number_that_is_too_small(old_mesh: MeshCluster, option: str, value: int) -> None:
    options: Result = {option: value}
    with unchanged(old_mesh.cluster):
        result = old_mesh.upgrade(**options)
    assert result["failed"] is True
    assert result["msg"] == f"{option} must be at least 1, got {value}"


# Clusters that are not as one mesh with its release: each of these writes, and the next reset puts the cluster back


@pytest.fixture(scope="module")
def two_meshes(mesh_cluster: MeshCluster, tmp_path_factory: pytest.TempPathFactory) -> MeshCluster:
    """The mesh osm at 1.2.3 and a mesh that is called old, installed by a chart 1.1.3."""
    mesh_cluster.reset(MESH)
    chart = edited_chart(tmp_path_factory.mktemp("charts"), "osm-edge-1.2.3", version="1.1.3")
    # Without its hooks: they refuse a second mesh beside one that wants to be the only one.
    where = ("--namespace", "old-mesh", "--create-namespace", "--set", "osm.meshName=old,osm.enforceSingleMesh=false", "--no-hooks")
    mesh_cluster.cluster.helm("install", "old", str(chart), *where)
    return mesh_cluster


def test_two_meshes_and_no_name(two_meshes: MeshCluster) -> None:
    with unchanged(two_meshes.cluster):
        result = two_meshes.upgrade()
    assert_told(result, "more than one mesh", "osm in namespace osm-system", "old in namespace old-mesh", "set mesh_name")
    assert sorted(mesh["name"] for mesh in result["meshes"]) == ["old", "osm"]


def test_two_meshes_and_a_misspelt_name(two_meshes: MeshCluster) -> None:
    with unchanged(two_meshes.cluster):
        result = two_meshes.upgrade(mesh_name="olds")
    assert_told(result, "no mesh named olds", "osm in namespace osm-system", "old in namespace old-mesh", "did you mean old?")


def test_a_skipped_minor_version_and_all_else_at_once(two_meshes: MeshCluster) -> None:
    with unchanged(two_meshes.cluster):
        result = two_meshes.upgrade(mesh_name="old", values={"osm": {"enableEgres": True}})
    assert_told(result, "1.1.3 → 1.3.9 skips a minor version", "chart_version: 1.2.3 now", "osm.enableEgres")


def test_one_of_two_meshes_is_planned_by_its_name(two_meshes: MeshCluster) -> None:
    with unchanged(two_meshes.cluster):
        result = two_meshes.upgrade(mesh_name="osm", check=True)
    assert result.get("failed", False) is False, result.get("msg")
    assert {step["object"]["namespace"] for phase in result["plan"]["phases"] for step in phase["steps"]} <= {"osm-system", ""}


def test_a_mesh_without_its_release(old_mesh: MeshCluster) -> None:
    old_mesh.cluster.kubectl("delete", "secrets", "-n", "osm-system", "-l", "owner=helm")
    with unchanged(old_mesh.cluster):
        result = old_mesh.upgrade()
    assert_told(result, "osm-system/osm has no Helm release", "helm.sh/release.v1", "adopt the mesh", cluster=old_mesh.cluster)


def test_a_control_plane_that_does_not_come(old_mesh: MeshCluster) -> None:
    """Nobody plays the new pods, so the CRD does not get its fields: told when the time is over; the same command then goes on."""
    old_mesh.cluster.standin.pause()
    try:
        result = old_mesh.upgrade(timeout=12)
    finally:
        old_mesh.cluster.standin.resume()
    words = ("Waited 12 s in vain", "did not bring", "traffic.interceptionMode", "logs -n osm-system osm-bootstrap-")
    assert_told(result, *words, "run the same command again", cluster=old_mesh.cluster)
    assert result["object"] == {"kind": "Deployment", "namespace": "osm-system", "name": "osm-bootstrap"}
    outcomes = {step["id"]: step["outcome"] for step in result["steps"]}
    assert outcomes["helm_upgrade:Release/osm-system/osm"] == "done"
    assert "not_run" in outcomes.values()
    again = old_mesh.upgrade()
    assert again.get("failed", False) is False, again.get("msg")
    assert again["summary"]["resumed"] is True
    assert again["summary"]["after"] == "1.3.9"
    assert [finding for finding in again["findings"] if finding["severity"] == "error"] == []
