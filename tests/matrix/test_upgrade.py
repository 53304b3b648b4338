# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One upgrade from end to end, by ansible-playbook, with the versions of one leg of the matrix (see tools/matrix).

Ansible, kubernetes.core and the Kubernetes client are those of the environment that runs this; MESHOPS_MATRIX_HELM names the
binary set of helm, MESHOPS_MATRIX_KUBERNETES the minor version that the cluster is.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from charts.repository import write_chart
from mesh_clusters import Mesh, install
from sandboxlib.apps import deploy_apps
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

ROOT = Path(__file__).resolve().parents[2]
HELM = os.environ.get("MESHOPS_MATRIX_HELM", "helm")
KUBERNETES = os.environ.get("MESHOPS_MATRIX_KUBERNETES", Options().kubernetes_version)
NAMESPACE = Mesh().namespace


class Run(NamedTuple):
    """A finished run of the playbook: ``cluster`` is what its report says about the only host."""

    code: int
    cluster: dict[str, Any]


class Leg:
    """A cluster with an old mesh and the bookstore, and the playbook that upgrades it."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self._directory = directory
        chart = write_chart("osm-edge-1.3.9", directory)
        host = {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "meshops_kubeconfig": str(cluster.kubeconfig),
            "mesh_upgrade_chart_ref": str(chart),
            "mesh_upgrade_binary_path": str(binary("helm", HELM)),
        }
        (directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"one": host}}}), encoding="utf-8")

    def run(self, *arguments: str) -> Run:
        """Run the playbook to its end and print what it said."""
        reports = self._directory / "reports"
        known = set(reports.glob("*.json"))
        command = ["ansible-playbook", "meshops.lifecycle.upgrade", "-i", "inventory.yml", "-e", "mesh_upgrade_report_dir=reports"]
        helm = {name: value for name, value in self.cluster.environment().items() if name.startswith("HELM_")}
        done = subprocess.run(
            [*command, *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._directory,
            env={**os.environ, **helm, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        print(done.stdout)
        written = [json.loads(path.read_text(encoding="utf-8")) for path in set(reports.glob("*.json")) - known]
        (cluster,) = written[0]["clusters"] if written else [{}]
        return Run(done.returncode, cluster)


def versions(cluster: Cluster) -> dict[str, str]:
    """The versions that this leg really runs with, asked from each part."""
    found = json.loads((collections() / "kubernetes" / "core" / "MANIFEST.json").read_text(encoding="utf-8"))
    return {
        "Python": platform.python_version(),
        "ansible-core": version("ansible-core"),
        "kubernetes.core": found["collection_info"]["version"],
        "kubernetes (Python)": version("kubernetes"),
        "helm": cluster.helm("version", "--template", "{{.Version}}", of=HELM).removeprefix("v"),
        "Kubernetes": str(cluster.api.get("/version")["gitVersion"]).removeprefix("v"),
    }


def collections() -> Path:
    return Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections"


@pytest.fixture(scope="module")
def leg(sandbox_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leg]:
    cluster = Cluster("matrix", sandbox_home)
    # ansible-core 2.21 puts a socket there, whose path may not be longer than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="leg", dir="/tmp") as short, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", short)
        try:
            cluster.up(Options(kubernetes_version=KUBERNETES))
            cluster.standin.start()
            install(cluster, Mesh(helm=HELM))
            deploy_apps(cluster, Options(mesh="osm-edge=1.2.3", apps="bookstore"), print)
            yield Leg(cluster, tmp_path_factory.mktemp("leg"))
        finally:
            cluster.down()


def test_the_versions_are_those_of_the_leg(leg: Leg, capsys: pytest.CaptureFixture[str]) -> None:
    found = versions(leg.cluster)
    with capsys.disabled():
        print(", ".join(f"{name} {number}" for name, number in found.items()))
    assert found["Kubernetes"].startswith(f"{KUBERNETES}.")
    if os.environ.get("MESHOPS_REQUIREMENTS") == "oldest":
        # What the collection declares is what is tested, and not one version more.
        declared = {
            "ansible-core": lowest(ROOT / "meta" / "runtime.yml", r"requires_ansible: .>=([\d.]+)"),
            "kubernetes.core": lowest(ROOT / "galaxy.yml", r"kubernetes\.core: .>=([\d.]+)"),
            "kubernetes (Python)": lowest(ROOT / "requirements.txt", r"kubernetes>=([\d.]+)"),
        }
        assert {name: found[name] for name in declared} == declared


def lowest(path: Path, pattern: str) -> str:
    """The lowest version that a file of the collection allows."""
    (found,) = re.findall(pattern, path.read_text(encoding="utf-8"))
    return str(found)


def test_a_mesh_is_planned_upgraded_and_then_left_alone(leg: Leg) -> None:
    cluster = leg.cluster
    mark = cluster.mark()
    planned = leg.run("--check", "--diff")
    assert planned.code == 0
    assert (planned.cluster["outcome"], planned.cluster["before"], planned.cluster["after"]) == ("planned", "1.2.3", "1.3.9")
    assert cluster.writes_since(mark) == []

    upgraded = leg.run("-e", f"mesh_upgrade_expected_plan_id={planned.cluster['plan_id']}")
    assert upgraded.code == 0
    assert upgraded.cluster["outcome"] == "changed"
    (release,) = json.loads(cluster.helm("list", "-n", NAMESPACE, "-o", "json", of=HELM))
    assert (release["chart"], release["status"], release["revision"]) == ("osm-edge-1.3.9", "deployed", "2")
    for component in ("osm-bootstrap", "osm-controller", "osm-injector"):
        deployment = cluster.api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{component}")
        images = {container["name"]: container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]}
        assert images[component].endswith(":1.3.9")
        assert deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"]

    mark = cluster.mark()
    again = leg.run()
    assert again.code == 0
    assert again.cluster["outcome"] == "unchanged"
    assert cluster.writes_since(mark) == []
