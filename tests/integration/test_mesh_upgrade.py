# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade on a real mesh: what it plans, what it does and proves, what it leaves alone, and what it tells."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from charts.repository import ChartRepository, chart_archive
from mesh_clusters import BOOKSTORE, Mesh, MeshCluster, Result, succeeds
from run_module import finish_module
from sandboxlib.audit import Event
from sandboxlib.rollouts import wait_for_rollouts
from write_gate import WriteGate

NEW_PIPY = "flomesh/pipy:0.90.3-38"
PROGRESS = "progress.jsonl"


class Watcher(threading.Thread):
    """Looks again and again while a module runs, and keeps what it saw."""

    def __init__(self, look: Callable[[], Any], pause: float) -> None:
        super().__init__(daemon=True)
        self._look = look
        self._pause = pause
        self._ended = threading.Event()
        self.seen: list[Any] = []

    def run(self) -> None:
        while not self._ended.is_set():
            self.seen.append(self._look())
            self._ended.wait(self._pause)

    def __enter__(self) -> Watcher:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self.join()


@dataclass
class Upgraded:
    """An upgrade that was watched: its results, and what the cluster showed meanwhile."""

    mesh: MeshCluster
    before: Result
    planned: Result
    planning: list[Event]
    done: Result
    again: Result
    repeating: list[Event]
    ready_endpoints: list[int] = field(default_factory=list)
    progress: str = ""


@pytest.fixture(scope="module")
def upgraded(mesh_cluster: MeshCluster, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    """The bookstore's mesh, upgraded as first read in check mode, and then once more."""
    cluster = mesh_cluster.reset(BOOKSTORE)
    before = mesh_cluster.mesh_config
    mark = cluster.mark()
    planned = mesh_cluster.upgrade(check=True, diff=True)
    planning = cluster.writes_since(mark)
    scratch = tmp_path_factory.mktemp("module")
    (scratch / PROGRESS).touch(mode=0o600)
    with Watcher(lambda: ready_endpoints(mesh_cluster, "osm-controller"), 0.05) as watcher:
        done = finish_module(mesh_cluster.start_upgrade(tmpdir=scratch, expected_plan_id=planned["plan"]["id"]))
    assert not done.get("failed"), done
    mark = cluster.mark()
    again = mesh_cluster.upgrade()
    return Upgraded(
        mesh_cluster,
        before,
        planned,
        planning,
        done,
        again,
        cluster.writes_since(mark),
        watcher.seen,
        (scratch / PROGRESS).read_text(),
    )


def ready_endpoints(mesh: MeshCluster, service: str) -> int:
    slices = mesh.get(f"/apis/discovery.k8s.io/v1/namespaces/{mesh.mesh.namespace}/endpointslices")["items"]
    mine = (item for item in slices if item["metadata"]["labels"].get("kubernetes.io/service-name") == service)
    return sum(bool(endpoint["conditions"].get("ready")) for item in mine for endpoint in item["endpoints"] or ())


def codes(result: Result) -> set[str]:
    return {finding["code"] for finding in result["findings"]}


def step_ids(result: Result) -> list[str]:
    return [step["id"] for phase in result["plan"]["phases"] for step in phase["steps"]]


def driver_image(spec: Result) -> str:
    image: str = next(driver["sidecarImage"] for driver in spec["sidecar"]["sidecarDrivers"] if driver["sidecarName"] == "pipy")
    return image


def new_pod(mesh: MeshCluster, namespace: str, name: str) -> Result:
    """Create a pod; the webhook of an injector that has just started may not answer at first."""
    succeeds(lambda: mesh.cluster.kubectl("run", name, "--image=web:1", f"--namespace={namespace}"))
    return mesh.get(f"/api/v1/namespaces/{namespace}/pods/{name}")


def shape(pod: Result) -> tuple[str, list[str]]:
    """The sidecar's image and the names of the init containers."""
    [sidecar] = [container["image"] for container in pod["spec"]["containers"] if container["name"] == "sidecar"]
    return sidecar, [container["name"] for container in pod["spec"].get("initContainers", [])]


# Planned


def test_check_mode_writes_nothing(upgraded: Upgraded) -> None:
    assert upgraded.planning == []
    assert upgraded.planned["changed"] is True
    assert {step["outcome"] for step in upgraded.planned["steps"]} == {"would_do"}


def test_the_plan_of_check_mode_is_what_is_done(upgraded: Upgraded) -> None:
    assert upgraded.planned["plan"]["id"] == upgraded.done["plan"]["id"]
    assert [step["id"] for step in upgraded.done["steps"]] == [step["id"] for step in upgraded.planned["steps"]]
    assert {step["outcome"] for step in upgraded.done["steps"]} == {"done"}


def test_the_plan_orphans_the_controller_and_cleans_up_behind_it(upgraded: Upgraded) -> None:
    actions = [step_id.partition(":")[0] for step_id in step_ids(upgraded.planned)]
    assert actions == ["orphan", "helm_upgrade", "patch", "delete", "label", "label"]


def test_the_diff_shows_the_release_the_mesh_config_and_the_webhooks(upgraded: Upgraded) -> None:
    diffs = {entry["before_header"].removesuffix(" (before)"): entry for entry in upgraded.planned["diff"]}
    release = diffs["Release osm-system/osm"]
    assert "osm-edge-1.2.3" in release["before"]
    assert "osm-edge-1.3.9" in release["after"]
    config = diffs["MeshConfig osm-system/osm-mesh-config"]
    assert "interceptionMode: iptables" not in config["before"]
    assert "interceptionMode: iptables" in config["after"]
    webhook = diffs["MutatingWebhookConfiguration osm-webhook-osm"]
    assert "app.kubernetes.io/version: 1.2.3" in webhook["before"]
    assert "app.kubernetes.io/version: 1.3.9" in webhook["after"]


# Done


def test_the_release_and_the_control_plane_are_at_the_new_version(upgraded: Upgraded) -> None:
    [release] = json.loads(upgraded.mesh.cluster.helm("list", "-n", "osm-system", "--all", "-o", "json"))
    assert (release["chart"], release["status"]) == ("osm-edge-1.3.9", "deployed")
    for deployment in upgraded.mesh.get("/apis/apps/v1/namespaces/osm-system/deployments")["items"]:
        assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "1.3.9"
        assert deployment["status"]["updatedReplicas"] == deployment["status"]["availableReplicas"] == deployment["spec"]["replicas"]
    assert upgraded.done["summary"] == {
        "mesh": "osm",
        "namespace": "osm-system",
        "product": "osm-edge",
        "release": "osm",
        "before": "1.2.3",
        "after": "1.3.9",
        "resumed": False,
        "stale_pods": upgraded.done["summary"]["stale_pods"],
    }


def test_the_mesh_config_is_completed_and_nothing_else_of_it_changed(upgraded: Upgraded) -> None:
    spec = upgraded.mesh.mesh_config
    assert spec["traffic"]["interceptionMode"] == "iptables"
    assert set(spec["pluginChains"]) == {"inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http"}
    assert driver_image(upgraded.before) == "flomesh/pipy:0.70.0-46"
    assert driver_image(spec) == NEW_PIPY
    for part in ("sidecar", "traffic", "observability", "certificate", "featureFlags"):
        for key, value in upgraded.before[part].items():
            if key != "sidecarDrivers":
                assert spec[part][key] == value


def test_the_old_controller_served_until_the_new_one_did_and_is_gone(upgraded: Upgraded) -> None:
    assert len(upgraded.ready_endpoints) > 10
    assert min(upgraded.ready_endpoints) >= 1
    replica_sets = upgraded.mesh.get("/apis/apps/v1/namespaces/osm-system/replicasets?labelSelector=app%3Dosm-controller")["items"]
    assert [item["metadata"]["ownerReferences"][0]["kind"] for item in replica_sets] == ["Deployment"]
    assert ready_endpoints(upgraded.mesh, "osm-controller") == 1


def test_the_webhooks_say_which_version_they_are_of(upgraded: Upgraded) -> None:
    for path in ("mutatingwebhookconfigurations/osm-webhook-osm", "validatingwebhookconfigurations/osm-validator-mesh-osm"):
        webhook = upgraded.mesh.get(f"/apis/admissionregistration.k8s.io/v1/{path}")
        assert webhook["metadata"]["labels"]["app.kubernetes.io/version"] == "1.3.9"


def test_the_record_and_the_lease_are_gone(upgraded: Upgraded) -> None:
    api = upgraded.mesh.cluster.api
    assert not api.exists("/api/v1/namespaces/osm-system/configmaps/meshops-mesh-upgrade-osm")
    assert not api.exists("/apis/coordination.k8s.io/v1/namespaces/osm-system/leases/meshops-mesh-upgrade-osm")


def test_new_pods_get_the_new_sidecar_with_interception(upgraded: Upgraded) -> None:
    assert shape(new_pod(upgraded.mesh, "bookbuyer", "born-after")) == (NEW_PIPY, ["osm-init"])


def test_every_injected_pod_is_stale_and_named_by_workload(upgraded: Upgraded) -> None:
    rows = upgraded.done["refresh"]
    assert {row["workload"] for row in rows} >= {"Deployment/bookbuyer", "StatefulSet/mysql", "bare pods"}
    assert all(NEW_PIPY in row["reason"] for row in rows)
    assert upgraded.done["summary"]["stale_pods"] == sum(row["pods"] for row in rows)
    assert {(row["namespace"], row["workload"], row["pods"]) for row in upgraded.planned["refresh"]} == {
        (row["namespace"], row["workload"], row["pods"]) for row in rows
    }
    assert not [finding for finding in upgraded.done["findings"] if finding["severity"] == "error"]


def test_the_second_run_changes_nothing(upgraded: Upgraded) -> None:
    assert (upgraded.again["changed"], upgraded.again["steps"]) == (False, [])
    assert upgraded.repeating == []


def test_progress_names_the_steps(upgraded: Upgraded) -> None:
    texts = [json.loads(line)["text"] for line in upgraded.progress.splitlines()]
    assert "control_plane: helm_upgrade Release osm-system/osm" in texts
    assert "mesh_config: patch MeshConfig osm-system/osm-mesh-config" in texts


def test_the_same_chart_again_with_a_setting_changes_only_the_mesh_config(upgraded: Upgraded) -> None:
    mesh = upgraded.mesh
    result = mesh.upgrade(mesh_config={"traffic": {"enableEgress": False}}, values={"osm": {"outboundPortExclusionList": [6379]}})
    assert not result.get("failed"), result
    assert mesh.mesh_config["traffic"]["enableEgress"] is False
    assert mesh.mesh_config["traffic"]["outboundPortExclusionList"] == [6379]
    assert "value-applied-to-mesh-config" in codes(result)


# Refused


def test_only_the_approved_plan_is_applied(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset()
    approved = mesh_cluster.upgrade(check=True)["plan"]["id"]
    mark = mesh_cluster.cluster.mark()
    result = mesh_cluster.upgrade(expected_plan_id=approved, mesh_config={"traffic": {"enableEgress": False}})
    assert result["failed"]
    assert approved in result["msg"]
    assert result["plan"]["id"] != approved
    assert result["plan"]["id"] in result["next"]
    assert mesh_cluster.cluster.writes_since(mark) == []


def test_another_cluster_than_the_expected_one_is_asked_nothing_else(mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.reset()
    mark = cluster.mark()
    result = mesh_cluster.upgrade(expected_cluster="11111111-2222-3333-4444-555555555555")
    assert result["failed"]
    assert "11111111-2222-3333-4444-555555555555" in result["msg"] + result["why"]
    asked = [event for event in cluster.audit_since(mark) if event.user_agent.startswith("meshops.lifecycle")]
    assert [(event.verb, event.resource, event.name) for event in asked] == [("get", "namespaces", "kube-system")]


def test_a_chart_is_the_same_as_directory_archive_and_from_a_repository(mesh_cluster: MeshCluster, tmp_path: Path) -> None:
    mesh_cluster.reset()
    directory = mesh_cluster.upgrade(check=True)
    archive = mesh_cluster.upgrade(check=True, chart_ref=str(chart_archive("osm-edge-1.3.9", tmp_path)))
    with ChartRepository(["osm-edge-1.3.8", "osm-edge-1.3.9"]) as repository:
        published = mesh_cluster.upgrade(check=True, chart_repo=repository.url, chart_version="1.3.9")
    assert step_ids(directory) == step_ids(archive) == step_ids(published) != []
    assert directory["plan"]["id"] == archive["plan"]["id"] == published["plan"]["id"]


# Another mesh, with settings of its own

INSTALLED_WITH = """
osm:
  pipyRepoImage: registry.example.com/pipy-repo:1
  image: {registry: registry.example.com/flomesh}
  osmController: {podLabels: {team: payments}}
  certificateProvider: {serviceCertValidityDuration: 12h}
  vault: {token: installed-canary-token, host: installed-canary-host}
"""
SHOP = Mesh(name="shop", release="edge", namespace="mesh-system", values=INSTALLED_WITH)
# What its user has set since; the sidecar image is of their own making.
EDITS: Result = {
    "sidecar": {"logLevel": "debug", "sidecarImage": "registry.example.com/own/pipy:7"},
    "traffic": {"enablePermissiveTrafficPolicyMode": False, "outboundIPRangeExclusionList": ["10.9.0.0/16", "10.10.0.1/32"]},
}
# Secrets, some under keys that do not look like it; the last reaches the MeshConfig.
SECRET_VALUES = """
osm:
  vault: {token: file-canary-token, role: file-canary-role}
  fluentBit: {workspaceId: file-canary-workspace, primaryKey: file-canary-key}
  osmBootstrap: {podLabels: {note: file-canary-label}}
  remoteLogging: {authorization: file-canary-authorization}
"""
MORE_VALUES = "osm: {injector: {podLabels: {team: search}}}"


@dataclass
class Own:
    """What came of upgrading the mesh with settings of its own."""

    mesh: MeshCluster
    planned: Result
    done: Result
    progress: str
    command_lines: set[str]


@pytest.fixture(scope="module")
def own(mesh_cluster: MeshCluster, tmp_path_factory: pytest.TempPathFactory) -> Own:
    mesh_cluster.reset(SHOP)
    mesh_cluster.patch_mesh_config(EDITS)
    scratch = tmp_path_factory.mktemp("own")
    files = [scratch / "secret.yaml", scratch / "more.yaml"]
    for path, text in zip(files, (SECRET_VALUES, MORE_VALUES), strict=True):
        path.write_text(text)
    (scratch / PROGRESS).touch(mode=0o600)
    options = {
        "chart_ref": str(with_other_default(mesh_cluster.chart("1.3.9"), scratch)),
        "values_files": [str(path) for path in files],
        "values": {"osm": {"osmController": {"podLabels": {"tier": "mesh"}}, "configResyncInterval": "90s"}},
        "mesh_config": {"observability": {"osmLogLevel": "warn"}},
    }
    planned = mesh_cluster.upgrade(check=True, diff=True, **options)
    assert not planned.get("failed"), planned
    with Watcher(command_lines, 0.01) as watcher:
        done = finish_module(mesh_cluster.start_upgrade(tmpdir=scratch, diff=True, **options))
    assert not done.get("failed"), done
    seen = {line for lines in watcher.seen for line in lines}
    return Own(mesh_cluster, planned, done, (scratch / PROGRESS).read_text(), seen)


def with_other_default(chart: Path, scratch: Path) -> Path:
    """A copy of the chart whose default for egress is another one."""
    copy = scratch / "osm-edge"
    shutil.copytree(chart, copy)
    values = (copy / "values.yaml").read_text()
    assert values.count("enableEgress: true") == 1
    (copy / "values.yaml").write_text(values.replace("enableEgress: true", "enableEgress: false"))
    return copy


def command_lines() -> list[str]:
    """The arguments of every process on this machine, as everybody can read them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def own_values(own: Own) -> Result:
    values: Result = json.loads(own.mesh.cluster.helm("get", "values", "edge", "-n", "mesh-system", "-o", "json"))["osm"]
    return values


def test_the_mesh_keeps_its_name(own: Own) -> None:
    assert own_values(own)["meshName"] == "shop"
    names = [
        item["metadata"]["name"] for item in own.mesh.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")["items"]
    ]
    assert names == ["osm-webhook-shop"]
    controller = own.mesh.get("/apis/apps/v1/namespaces/mesh-system/deployments/osm-controller")
    command = json.dumps(controller["spec"]["template"]["spec"]["containers"])
    assert '"--mesh-name", "shop"' in command


def test_values_are_carried_over_and_those_of_files_and_task_laid_over(own: Own) -> None:
    values = own_values(own)
    assert values["image"] == {"registry": "registry.example.com/flomesh"}
    assert values["osmController"]["podLabels"] == {"team": "payments", "tier": "mesh"}
    assert values["injector"]["podLabels"] == {"team": "search"}
    assert values["vault"] == {"token": "file-canary-token", "host": "installed-canary-host", "role": "file-canary-role"}


def test_a_value_that_the_new_chart_does_not_know_is_dropped_and_told(own: Own) -> None:
    assert "pipyRepoImage" not in own_values(own)
    [finding] = [entry for entry in own.done["findings"] if entry["code"] == "value-dropped"]
    assert "osm.pipyRepoImage" in finding["what"]
    assert "repoServer.image" in finding["remedy"]


def test_edits_of_the_mesh_config_survive(own: Own) -> None:
    spec = own.mesh.mesh_config
    assert spec["sidecar"]["logLevel"] == "debug"
    assert spec["sidecar"]["sidecarImage"] == "registry.example.com/own/pipy:7"
    assert spec["traffic"]["enablePermissiveTrafficPolicyMode"] is False
    assert spec["traffic"]["outboundIPRangeExclusionList"] == ["10.9.0.0/16", "10.10.0.1/32"]
    assert spec["certificate"]["serviceCertValidityDuration"] == "12h"
    assert spec["traffic"]["interceptionMode"] == "iptables"


def test_a_changed_default_is_told_and_not_applied(own: Own) -> None:
    assert own.mesh.mesh_config["traffic"]["enableEgress"] is True
    [finding] = [entry for entry in own.done["findings"] if "traffic.enableEgress" in entry["what"]]
    assert (finding["code"], finding["severity"]) == ("changed-default-not-applied", "warning")
    assert 'mesh_config: {"traffic": {"enableEgress": false}}' in finding["remedy"]


def test_settings_of_this_task_reach_the_mesh_config(own: Own) -> None:
    assert own.mesh.mesh_config["observability"]["osmLogLevel"] == "warn"
    assert own.mesh.mesh_config["sidecar"]["configResyncInterval"] == "90s"


def test_secrets_show_up_nowhere(own: Own) -> None:
    assert own.planned["diff"]
    shown = {
        "result of check mode": json.dumps({**own.planned, "invocation": None}),
        "invocation": json.dumps(own.planned["invocation"]),
        "result": json.dumps(own.done),
        "progress": own.progress,
        "arguments of processes": "\n".join(own.command_lines),
    }
    assert {what: [word for word in text.split() if "canary" in word] for what, text in shown.items()} == {what: [] for what in shown}
    assert any("--values" in line and "upgrade edge" in line for line in own.command_lines), "helm was not seen at work"


# Twice upgraded, and pods born at the wrong moment


def test_a_mesh_that_was_upgraded_before_gets_the_new_sidecar(mesh_cluster: MeshCluster) -> None:
    mesh_cluster.reset(Mesh(version="1.2.0"))
    assert driver_image(mesh_cluster.mesh_config) == "flomesh/pipy:0.70.0-2"
    within = mesh_cluster.cluster
    # As with the CLI: the MeshConfig stays as the first installation made it.
    within.helm("upgrade", "osm", str(mesh_cluster.chart("1.2.3")), "-n", "osm-system")
    wait_for_rollouts(within.api, ["osm-system"])
    assert driver_image(mesh_cluster.mesh_config) == "flomesh/pipy:0.70.0-2"
    result = mesh_cluster.upgrade()
    assert not result.get("failed"), result
    assert result["summary"]["before"] == "1.2.3"
    assert driver_image(mesh_cluster.mesh_config) == NEW_PIPY


def test_pods_born_before_the_mesh_config_was_complete_come_first(mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.reset(BOOKSTORE)
    with WriteGate(cluster) as gate:
        held = gate.hold(lambda write: write.resource == "meshconfigs")
        process = mesh_cluster.start_upgrade(kubeconfig=str(gate.kubeconfig))
        held.wait()
        wait_for_rollouts(cluster.api, ["osm-system"])
        assert shape(new_pod(mesh_cluster, "bookthief", "born-too-early"))[1] == []
        held.release()
        result = finish_module(process)
    assert not result.get("failed"), result
    first, *others = result["refresh"]
    assert (first["namespace"], first["workload"], first["pods"]) == ("bookthief", "bare pods", 1)
    assert others
    errors = [finding for finding in result["findings"] if finding["severity"] == "error"]
    assert [(finding["code"], finding["object"]["name"]) for finding in errors] == [("traffic-bypasses-mesh", "bookthief")]
    assert shape(new_pod(mesh_cluster, "bookthief", "born-later"))[1] == ["osm-init"]
