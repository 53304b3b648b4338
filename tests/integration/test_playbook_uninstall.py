# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/uninstall.yml on a fleet: what it shows, what it wants confirmed, how it goes on, and what its report proves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, Run, another_cluster
from fleet import fleet as new_fleet
from mesh_clusters import Mesh, MeshCluster, eventually, install
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options
from workload_objects import deployment, namespace

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = "meshops.lifecycle.uninstall"
SECOND = Mesh(version="1.3.9", name="line-2", release="line-2", namespace="line-2", values="osm: {enforceSingleMesh: false}")
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SHARED = "CustomResourceDefinition meshconfigs.config.openservicemesh.io"
# Keeps one Secret of the first mesh; a dry run is let pass, so that it is planned. Where no Secret "probe" can be made, it is in force.
KEEP = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: keep}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, DELETE], resources: [secrets]}]
  validations:
    - expression: >-
        request.name != 'probe'
        && (request.name != 'osm-ca-bundle' || request.namespace != 'osm-system' || request.?dryRun.orValue(false))
      message: change freeze until Monday
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: keep}
spec: {policyName: keep, validationActions: [Deny]}
"""


@pytest.fixture(scope="module")
def cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """A cluster with two meshes; an application is in the first."""
    with another_cluster(sandbox_home, Options(mesh="osm-edge=1.3.9")) as found:
        install(found, SECOND)
        apply(found, namespace("shop", {"openservicemesh.io/monitored-by": "osm"}, {"openservicemesh.io/sidecar-injection": "enabled"}))
        apply(found, deployment("cart", "shop"))
        eventually(lambda: containers(found, "shop") == [{"app", "sidecar"}], "the application has no sidecar", 60)
        yield found


@pytest.fixture
def fleet(tmp_path: Path, cluster: Cluster) -> Iterator[Fleet]:
    """Both meshes, each as a host."""
    variables = {
        "mesh_uninstall_mesh_name": "{{ inventory_hostname }}",
        "mesh_uninstall_delete_cluster_wide_resources": ["all"],
        "mesh_uninstall_pods_per_minute": 0,
        "mesh_uninstall_binary_path": str(binary("helm")),
    }
    with new_fleet(tmp_path, PLAYBOOK, "mesh_uninstall", MeshCluster(cluster).environment, **variables) as both:
        both.add("osm", cluster.kubeconfig, mesh_uninstall_delete_namespace=True)
        both.add("line-2", cluster.kubeconfig)
        yield both


def apply(cluster: Cluster, manifest: dict[str, Any]) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def containers(cluster: Cluster, where: str) -> list[set[str]]:
    """The names of the containers of each pod that is not being deleted."""
    pods: list[dict[str, Any]] = cluster.api.get(f"/api/v1/namespaces/{where}/pods")["items"]
    return [{each["name"] for each in pod["spec"]["containers"]} for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def names(cluster: Cluster, path: str) -> set[str]:
    return {item["metadata"]["name"] for item in cluster.api.get(path)["items"]}


def fates(run: Run, host: str) -> dict[str, str]:
    """What became of each artefact, by ``KIND NAME``."""
    return {f"{item['object']['kind']} {item['object']['name']}": item["outcome"] for item in run.clusters[host]["artefacts"]}


def report(run: Run, directory: Path) -> str:
    """The newest report for people."""
    assert "Report: " in run.output
    return max((directory / "reports").glob("uninstall-*.md")).read_text(encoding="utf-8")


def keep_a_secret(cluster: Cluster) -> None:
    """Make an uninstallation of the first mesh fail on its way, and only when it is applied."""
    cluster.kubectl("apply", "-f", "-", stdin=KEEP)
    eventually(lambda: kept(cluster), "the policy has no effect")


def kept(cluster: Cluster) -> bool:
    """Whether the policy is in force."""
    try:
        cluster.kubectl("create", "secret", "generic", "probe", "-n", "osm-system", "--dry-run=server")
    except SandboxError as error:
        return "change freeze" in str(error)
    return False


def test_check_mode_shows_what_goes_and_what_stays(fleet: Fleet, cluster: Cluster, tmp_path: Path) -> None:
    mark = cluster.mark()
    run = fleet.run("--check", "--diff", playbook=str(ROOT / "playbooks" / "uninstall.yml"))
    assert (run.code, run.outcomes) == (0, {"osm": "planned", "line-2": "planned"})
    assert cluster.writes_since(mark) == []
    planned = fates(run, "osm")
    assert planned["MutatingWebhookConfiguration osm-webhook-osm"] == "to_remove"
    # The other mesh uses it.
    assert planned[SHARED] == "kept"
    assert "unenrol:Namespace/shop" in {step["id"] for step in run.clusters["osm"]["steps"]}
    assert "artefacts to remove" in run.clusters["osm"]["what"]
    text = report(run, tmp_path)
    assert "| to be removed | mutating-webhook | MutatingWebhookConfiguration osm-webhook-osm |" in text
    assert "check mode: nothing was written" in text


def test_without_a_confirmation_nothing_begins(fleet: Fleet, cluster: Cluster) -> None:
    mark = cluster.mark()
    fleet.add("line-2", cluster.kubeconfig, mesh_uninstall_confirm="osm")
    run = fleet.run()
    assert (run.code, run.outcomes) == (2, {"osm": "refused", "line-2": "refused"})
    assert "mesh_uninstall_confirm=osm" in run.clusters["osm"]["next"]
    assert "confirm is osm" in run.clusters["line-2"]["reason"]
    assert cluster.writes_since(mark) == []


def test_a_failure_is_reported_and_the_printed_command_goes_on(fleet: Fleet, cluster: Cluster, tmp_path: Path) -> None:
    confirmed = ("-e", json.dumps({"mesh_uninstall_confirm": "{{ inventory_hostname }}"}))
    keep_a_secret(cluster)
    halted = fleet.run(*confirmed)
    assert (halted.code, halted.outcomes) == (2, {"osm": "failed", "line-2": "not_reached"})
    assert "change freeze until Monday" in halted.clusters["osm"]["reason"]
    assert halted.clusters["osm"]["changed"] is True
    assert containers(cluster, "shop") == [{"app"}]
    assert fates(halted, "osm")["Secret osm-ca-bundle"] == "failed"
    text = report(halted, tmp_path)
    assert "| NOT REMOVED: " in text
    assert "| gone | mutating-webhook | MutatingWebhookConfiguration osm-webhook-osm |" in text
    assert names(cluster, WEBHOOKS) == {"osm-webhook-line-2"}

    cluster.kubectl("delete", "validatingadmissionpolicybinding", "keep")
    resumed = fleet.command(halted.command)
    assert (resumed.code, resumed.outcomes) == (0, {"osm": "changed", "line-2": "changed"})
    # What both used stayed when the first went, and went with the second.
    assert fates(resumed, "osm")[SHARED] == "kept"
    assert [thing for thing, outcome in fates(resumed, "line-2").items() if outcome != "gone"] == ["Namespace line-2"]
    assert "NOT REMOVED" not in report(resumed, tmp_path)
    assert (names(cluster, WEBHOOKS), names(cluster, DEFINITIONS)) == (set(), set())
    assert names(cluster, "/api/v1/namespaces") & {"osm-system", "line-2"} == {"line-2"}

    mark = cluster.mark()
    again = fleet.run(*confirmed)
    assert (again.code, again.outcomes) == (0, {"osm": "unchanged", "line-2": "unchanged"})
    assert cluster.writes_since(mark) == []
