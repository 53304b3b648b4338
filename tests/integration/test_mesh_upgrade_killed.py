# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade killed at its writes and run again; two runs at once; Helm at work on the release meanwhile."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from mesh_clusters import MESH, MeshCluster, Result, eventually, succeeds
from run_module import finish_module
from sandboxlib.processes import started
from sandboxlib.rollouts import unready
from write_gate import Write, WriteGate

NAMESPACE = MESH.namespace
OURS = "meshops-mesh-upgrade-osm"
COORDINATION = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{OURS}"
RECORD = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{OURS}"
# What a user set before the upgrade, and between the kill and the second run.
BEFORE = {"traffic": {"enablePermissiveTrafficPolicyMode": False}}
BETWEEN = {"sidecar": {"logLevel": "debug"}, "traffic": {"outboundIPRangeExclusionList": ["10.9.0.0/16"]}}


class Kill(NamedTuple):
    """Where a run is killed: at the ``nth`` write of this kind, when it was made (``committed``) or before it is."""

    where: str
    matches: Callable[[Write], bool]
    committed: bool = False
    nth: int = 1

    def __str__(self) -> str:
        return f"{'after' if self.committed else 'before'} {self.where}"


def at(method: str, resource: str, *, helm: bool = False, name: str = "") -> Callable[[Write], bool]:
    def matches(write: Write) -> bool:
        same = (write.method, write.resource, write.helm) == (method, resource, helm)
        return same and (not name or write.name == name)

    return matches


ORPHAN = at("DELETE", "deployments")
RELEASE = at("POST", "secrets", helm=True)
MESH_CONFIG = at("PATCH", "meshconfigs")
KILLS = [
    Kill("the Lease is taken", at("POST", "leases"), committed=True),
    Kill("the record is written", at("PATCH", "configmaps", name=OURS)),
    Kill("the orphan step", ORPHAN),
    Kill("the orphan step", ORPHAN, committed=True),
    Kill("helm records the release", RELEASE),
    Kill("helm records the release", RELEASE, committed=True),
    Kill("helm creates the Deployment anew", at("POST", "deployments", helm=True)),
    Kill("helm records its success", at("PUT", "secrets", helm=True), nth=2),
    Kill("the MeshConfig is completed", MESH_CONFIG),
    Kill("the MeshConfig is completed", MESH_CONFIG, committed=True),
    Kill("the orphaned ReplicaSet is removed", at("DELETE", "replicasets")),
    Kill("a webhook is labelled", at("PATCH", "mutatingwebhookconfigurations"), committed=True),
    Kill("the record is removed", at("DELETE", "configmaps")),
]


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh at 1.2.3 in which a user has changed something."""
    mesh_cluster.reset()
    mesh_cluster.patch_mesh_config(BEFORE)
    return mesh_cluster


@pytest.fixture
def gate(mesh: MeshCluster) -> Iterator[WriteGate]:
    with WriteGate(mesh.cluster) as gate:
        yield gate


@pytest.fixture(scope="module")
def approved(mesh_cluster: MeshCluster) -> str:
    """The id of the plan that somebody has read and approved."""
    mesh_cluster.reset()
    mesh_cluster.patch_mesh_config(BEFORE)
    plan_id: str = mesh_cluster.upgrade(check=True)["plan"]["id"]
    return plan_id


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_a_killed_run_is_finished_by_running_it_again(approved: str, mesh: MeshCluster, gate: WriteGate, kill: Kill) -> None:
    held = gate.hold(kill.matches, nth=kill.nth, committed=kill.committed)
    process = mesh.start_upgrade(kubeconfig=str(gate.kubeconfig), expected_plan_id=approved)
    at_work = held.wait().helm
    helm = children(process.pid)
    assert bool(helm) is at_work
    kill_only(process)
    # Its request is still held: it must not wait for the answer.
    eventually(lambda: not any(started(pid) for pid in helm), "helm did not end with the module", 10)
    held.drop()
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    if kill is not KILLS[0]:
        do_not_wait_for_the_dead(mesh)
    proven(mesh, mesh.upgrade(expected_plan_id=approved))


def test_a_second_run_is_refused_and_names_the_first(mesh: MeshCluster, gate: WriteGate) -> None:
    held = gate.hold(ORPHAN)
    first = mesh.start_upgrade(kubeconfig=str(gate.kubeconfig))
    held.wait()
    mark = mesh.cluster.mark()
    holder = mesh.get(COORDINATION)["spec"]["holderIdentity"]
    second = mesh.upgrade()
    assert second["failed"]
    assert second["msg"].startswith("Another run is working on this target")
    assert holder in second["why"]
    assert f"/{first.pid}/" in holder
    writes = [str(event) for event in mesh.cluster.writes_since(mark) if event.resource != "leases"]
    assert writes == []
    held.release()
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, finish_module(first))


def test_a_young_operation_of_somebody_else_is_waited_for_and_then_refused(mesh: MeshCluster) -> None:
    begin_foreign_upgrade(mesh, timedelta(seconds=1))
    mark, began = mesh.cluster.mark(), time.monotonic()
    result = mesh.upgrade(timeout=8)
    assert result["failed"]
    assert "pending-upgrade" in result["msg"] + result["why"]
    assert time.monotonic() - began > 5
    assert mesh.cluster.writes_since(mark) == []


def test_an_old_operation_of_somebody_else_is_given_up(mesh: MeshCluster) -> None:
    begin_foreign_upgrade(mesh, timedelta(hours=1))
    result = mesh.upgrade()
    assert next(step["id"] for step in result["steps"]) == f"mark_failed:Secret/{NAMESPACE}/sh.helm.release.v1.osm.v2"
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, result)


def test_the_upgrade_goes_on_when_somebody_elses_operation_has_ended(mesh: MeshCluster, tmp_path: Path) -> None:
    begin_foreign_upgrade(mesh, timedelta(seconds=1))
    progress = tmp_path / "progress.jsonl"
    progress.touch(mode=0o600)
    process = mesh.start_upgrade(tmpdir=tmp_path, timeout=100)
    eventually(lambda: "waiting" in progress.read_text(), "the module did not say that it waits")
    rewrite_release(mesh, 1, "superseded")
    rewrite_release(mesh, 2, "deployed")
    result = finish_module(process)
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, result)


def begin_foreign_upgrade(mesh: MeshCluster, age: timedelta) -> None:
    """Leave what a helm leaves that is at work since ``age``, or died then: a pending second revision of the same chart."""
    release = read_release(mesh, 1)
    release["version"] = 2
    release["info"].update(status="pending-upgrade", description="Preparing upgrade")
    release["info"]["last_deployed"] = (datetime.now(UTC) - age).isoformat()
    name = "sh.helm.release.v1.osm.v2"
    labels = {"name": "osm", "owner": "helm", "status": "pending-upgrade", "version": "2"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name, "labels": labels}}
    mesh.cluster.kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps({**secret, "data": {"release": packed(release)}}))


def rewrite_release(mesh: MeshCluster, revision: int, status: str) -> None:
    """Set the status of a revision, as helm does when it has ended."""
    release = read_release(mesh, revision)
    release["info"]["status"] = status
    patch = {"metadata": {"labels": {"status": status}}, "data": {"release": packed(release)}}
    name = f"sh.helm.release.v1.osm.v{revision}"
    mesh.cluster.kubectl("patch", "secret", name, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(patch))


def read_release(mesh: MeshCluster, revision: int) -> Result:
    secret = mesh.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.osm.v{revision}")
    release: Result = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    return release


def packed(release: Result) -> str:
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


def children(module: int) -> list[int]:
    """The processes that the module has started."""
    return [pid for pid, parent in parents().items() if parent == module]


def parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def kill_only(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def do_not_wait_for_the_dead(mesh: MeshCluster) -> None:
    """Let the killed run's Lease be one that expires after a second of being watched: another test waits for a real one."""
    if mesh.cluster.api.exists(COORDINATION):
        patch = json.dumps({"spec": {"leaseDurationSeconds": 1}})
        mesh.cluster.kubectl("patch", "lease", OURS, "-n", NAMESPACE, "--type=merge", "-p", patch)


def proven(mesh: MeshCluster, result: Result) -> None:
    """The second run ended well, and everything is as after an upgrade that nobody disturbed, with the user's edits in it."""
    assert not result.get("failed"), result
    assert result["summary"]["after"] == "1.3.9"
    [release] = json.loads(mesh.cluster.helm("list", "-n", NAMESPACE, "--all", "-o", "json"))
    assert (release["chart"], release["status"]) == ("osm-edge-1.3.9", "deployed")
    assert unready(mesh.cluster.api, NAMESPACE) == []
    replica_sets = mesh.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")["items"]
    running = [item["metadata"]["labels"]["app"] for item in replica_sets if item["spec"]["replicas"]]
    assert sorted(running) == ["osm-bootstrap", "osm-controller", "osm-injector"]
    spec = mesh.mesh_config
    assert spec["traffic"]["interceptionMode"] == "iptables"
    assert set(spec["pluginChains"]) == {"inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http"}
    assert spec["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.90.3-38"
    assert spec["traffic"]["enablePermissiveTrafficPolicyMode"] is False
    assert spec["traffic"]["outboundIPRangeExclusionList"] == ["10.9.0.0/16"]
    assert spec["sidecar"]["logLevel"] == "debug"
    for plural, name in (("mutating", "osm-webhook-osm"), ("validating", "osm-validator-mesh-osm")):
        webhook = mesh.get(f"/apis/admissionregistration.k8s.io/v1/{plural}webhookconfigurations/{name}")
        assert webhook["metadata"]["labels"]["app.kubernetes.io/version"] == "1.3.9"
    assert not mesh.cluster.api.exists(RECORD)
    assert not mesh.cluster.api.exists(COORDINATION)
