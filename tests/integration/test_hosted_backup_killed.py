# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of a hosted cluster that are killed on the way: nothing half-finished looks whole, and the next run clears what was left."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from backup_cases import SMALL, Backups, after_the_upload, contents_of, eventually, runs, sets_in, small, unfinished_in
from failures import assert_told
from faults.request import Request
from hosted.aws import Fault
from hosted.writing import collection
from hosted_clusters import ManagementCluster
from run_module import Module, finish_module
from sandboxlib.cluster import Cluster
from write_gate import Held, WriteGate

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import verify_set

HOOK = Path(__file__).parent / "killed_at"
# The event, the path and the number of it: in the middle of the objects, before the index, before and after the set has its name.
FILES = {
    "objects": r"open \.partial/objects/ 9",
    "index": r"open \.partial/index\.json$ 1",
    "rename": r"os.rename \.partial$ 1",
    # The first one is that of the run before.
    "journal": r"os.remove \.journal$ 2",
}


def ended(process: Module) -> None:
    """Wait for a process that was killed."""
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL


def whole(directory: Path) -> bool:
    """Whether that is a set; where its snapshot is does not count."""
    return verify_set(DirectorySet(str(directory)), None, None).ok


def left_by(backups: Backups) -> str:
    """The one run that has left something in dest, of which nothing looks whole; what those before it left is gone."""
    (run_id,) = {Path(name).stem.removeprefix(".") for name in unfinished_in(backups.dest)}
    partial = backups.dest / f".{run_id}.partial"
    assert not whole(partial)
    assert all(map(whole, sets_in(backups.dest)))
    return run_id


def kill(process: Module) -> None:
    """End it as a machine does that loses its power."""
    process.kill()
    ended(process)


@contextmanager
def killed_at(gate: WriteGate, backups: Backups, matches: Callable[[Request], bool], **options: Any) -> Iterator[Held]:
    """Run until a request that matches, which never reaches the server; then kill it."""
    held = gate.hold(matches, any_kind=True)
    process = backups.start(front=gate.kubeconfig, **options)
    eventually("the request to be killed at", lambda: held.arrived or process.poll() is not None)
    assert held.arrived, process.communicate()[0]
    try:
        yield held
    finally:
        kill(process)
        held.drop()


def between_pod_and_bucket(backups: Backups) -> None:
    """Killed where the data are somewhere else: in the pod, on the way, in the bucket."""
    cluster = backups.hosted.bed.cluster
    with WriteGate(cluster) as gate:
        with killed_at(gate, backups, runs("snapshot", "status")):
            pass
        first = left_by(backups)
        assert any(first in name for name in backups.left_in_pods())

        # While etcd writes the snapshot: it does not come to its end, because its etcd is stopped.
        etcd = cluster.process(backups.hosted.real.component("etcd-0")).pid
        try:
            with killed_at(gate, backups, runs("snapshot", "save")) as held:
                os.kill(etcd, signal.SIGSTOP)
                held.release()
                eventually("the beginning of a snapshot", lambda: any(name.endswith(".part") for name in backups.left_in_pods()))
        finally:
            os.kill(etcd, signal.SIGCONT)
        second = left_by(backups)
        assert not any(first in name for name in backups.left_in_pods())
        assert any(second in name for name in backups.left_in_pods())

    # One part is there, and the other does not come through.
    fault = Fault("reset", operation="UploadPart", bucket=backups.bucket, first=2, times=-1)
    backups.aws.add(fault)
    process = backups.start()
    eventually("the second part", lambda: hits(backups, "reset") > 0)
    kill(process)
    backups.aws.clear()
    third = left_by(backups)
    assert not any(second in name for name in backups.left_in_pods())
    assert (backups.uploads(), backups.snapshots()) == (1, set())

    with WriteGate(cluster) as gate, killed_at(gate, backups, after_the_upload(gate)):
        pass
    fourth = left_by(backups)
    assert third != fourth
    assert (backups.uploads(), backups.snapshots()) == (0, {f"{fourth}/etcd.db"})
    result = backups.run()
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    # Nothing is ever deleted from a bucket; what is of no use there is told.
    (orphan,) = [finding for finding in result["findings"] if finding["code"] == "snapshot-without-set"]
    assert fourth in orphan["remedy"]
    assert (unfinished_in(backups.dest), backups.uploads()) == ([], 0)


def hits(backups: Backups, fault: str) -> int:
    """How many requests to the bucket a fault has hit."""
    return sum(rule["hit"] for rule in backups.aws.faults() if (rule["bucket"], rule["fault"]) == (backups.bucket, fault))


def among_files(backups: Backups) -> None:
    """Killed while the set is written, and while it is stored in the bucket as well."""
    for name, place in FILES.items():
        ended(started_to_be_killed(backups, place))
        if name != "journal":
            run_id = left_by(backups)
            assert [path.name for path in sets_in(backups.dest)] == []
            if name == "objects":
                told = backups.verify(backups.dest / f".{run_id}.partial")
                assert_told(told, "index.json")
    # The last one was killed when its set was whole, which the next runs leave as it is.
    (made,) = sets_in(backups.dest)
    before = contents_of(made)
    key = backups.dest.with_name("key")
    key.touch(mode=0o600)
    key.write_text("9c" * 32)
    sealed = {"encryption": {"key_file": str(key)}}
    # Read for the bucket when the objects are there, before the index is.
    ended(started_to_be_killed(backups, r"open /small-[^/]*/index\.json\.hmac$ 1", upload_set=True, **sealed))
    (other,) = set(sets_in(backups.dest)) - {made}
    assert any(f"{other.name}/objects/" in stored for stored in backups.snapshots())
    assert_told(backups.verify(f"s3://{backups.bucket}/{other.name}", **sealed), "index.json")
    result = backups.run()
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    assert (contents_of(made), len(sets_in(backups.dest)), unfinished_in(backups.dest)) == (before, 3, [])
    assert backups.verify(made)["verified"] is True
    assert backups.verify(other, **sealed)["verified"] is True


def started_to_be_killed(backups: Backups, place: str, **options: Any) -> Module:
    """A backup that is killed when it does that with a file."""
    path = os.pathsep.join([str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])])
    return backups.start(env={"PYTHONPATH": path, "KILLED_AT": place}, **options)


@pytest.mark.timeout(300)
def test_the_next_run_clears_what_a_killed_one_has_left(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    hosted = small(management_cluster)
    aws = management_cluster.aws
    mark = hosted.bed.cluster.mark()
    both = [Backups(hosted, aws, tmp_path / name, management_cluster.bucket(name)) for name in ("killed-on-the-way", "killed-in-files")]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(run, backups) for run, backups in zip((between_pod_and_bucket, among_files), both, strict=True)]:
            done.result()
    assert both[0].left_in_pods() == []
    assert [str(event) for event in hosted.bed.cluster.writes_since(mark) if event.resource != "pods/exec"] == []


# Killed while the cluster is stopped

MODE: dict[str, Any] = {"mode": "quiesce", "management_cluster_name": "mgmt-1"}
CPNS = SMALL.control_plane_namespace
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{CPNS}/leases/meshops-hosted-cluster-backup-{SMALL.name}"


def writes(method: str, resource: str, name: str = "") -> Callable[[Request], bool]:
    """Whether a request is that write."""

    def matches(request: Request) -> bool:
        return (request.method, request.resource) == (method, resource) and name in ("", request.name) and request.writes

    return matches


@dataclass
class Stopping:
    """A cluster that is stopped by runs that do not come to their end; ``recorded`` is what the first of them found."""

    backups: Backups
    plan_id: str
    recorded: dict[str, Any] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        """The management cluster."""
        return self.backups.hosted.bed.cluster

    def prior(self) -> dict[str, Any]:
        """What is on record."""
        annotations = self.cluster.api.get(self.backups.hosted.path)["metadata"]["annotations"]
        found: dict[str, Any] = json.loads(annotations[PRIOR_ANNOTATION])
        return found

    def killed(self, matches: Callable[[Request], bool], *, committed: bool = False) -> None:
        """Kill a run at a request (``committed``: when it was carried out) and look at what it leaves."""
        with WriteGate(self.cluster) as gate:
            held = gate.hold(matches, committed=committed, any_kind=True)
            process = self.backups.start(front=gate.kubeconfig, expected_plan_id=self.plan_id, **MODE)
            eventually("the request to be killed at", lambda: held.arrived or process.poll() is not None)
            assert held.arrived, process.communicate()[0]
            kill(process)
            held.drop()
        self.forget_the_dead()
        self.unchanged()
        assert all(map(whole, sets_in(self.backups.dest)))

    def unchanged(self) -> None:
        """Assert that nobody takes what is there now for what was there at first."""
        now = self.prior()
        self.recorded = self.recorded or now
        assert now == self.recorded

    def forget_the_dead(self) -> None:
        """Let the Lease of a killed run end at once."""
        if self.cluster.api.exists(LEASE):
            self.cluster.kubectl(
                "patch", "lease", "-n", CPNS, LEASE.rpartition("/")[2], "--type=merge", "-p", '{"spec": {"leaseDurationSeconds": 1}}'
            )

    def replicas(self) -> dict[str, int]:
        """How many pods each Deployment of the control plane wants."""
        items = self.cluster.api.get(collection("apps/v1", "Deployment", CPNS))["items"]
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}


def stays(stopping: Stopping, tmp_path: Path) -> list[str]:
    """A pod that does not go, and somebody who takes a pause back meanwhile: both are named, and nothing is copied."""
    hosted, cluster, backups = stopping.backups.hosted, stopping.cluster, stopping.backups
    pods = cluster.api.get(collection("v1", "Pod", CPNS))["items"]
    pod = next(str(item["metadata"]["name"]) for item in pods if item["metadata"]["labels"]["app"] == "cluster-api")
    path = f"{collection('v1', 'Pod', CPNS)}/{pod}"
    with hosted.bed.writer() as writer:
        writer.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})
        try:
            result = backups.run(stop_timeout=2, **MODE)
            assert_told(result, pod, "example.com/hold", "nothing was copied")
            stopping.unchanged()
            directory = tmp_path / "progress"
            directory.mkdir()
            progress = directory / "progress.jsonl"
            progress.touch()
            process = backups.start(tmpdir=directory, stop_timeout=200, **MODE)
            eventually("a run that waits", lambda: "waiting for" in progress.read_text() or process.poll() is not None)
            patch = '{"spec": {"pausedUntil": "false"}}'
            arguments = ("hostedclusters.hypershift.openshift.io", "-n", SMALL.namespace, SMALL.name, "--type=merge", "-p", patch)
            cluster.kubectl("patch", *arguments, "--field-manager=argocd-controller")
            worked_against = finish_module(process)
        finally:
            writer.patch(path, {"metadata": {"finalizers": None}})
    assert_told(worked_against, "pause", "argocd-controller")
    stopping.unchanged()
    assert (sets_in(backups.dest), unfinished_in(backups.dest), backups.snapshots()) == ([], [], set())
    commands: list[str] = result["resume_commands"]
    assert worked_against["resume_commands"] == commands
    return commands


@pytest.mark.timeout(400)
def test_a_cluster_whose_stop_is_killed_in_each_phase_is_stopped_in_the_end(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    """Last, because the cluster has to be made anew after it."""
    backups = Backups(small(management_cluster), management_cluster.aws, tmp_path / "sets", management_cluster.bucket("killed-stops"))
    stopping = Stopping(backups, backups.run(check=True, **MODE)["plan"]["id"])
    before = stopping.replicas()
    # The record of what was there is the first write of all; then the pauses.
    stopping.killed(writes("PATCH", "hostedclusters"), committed=True)
    stopping.killed(writes("PATCH", "nodepools"), committed=True)
    commands = stays(stopping, tmp_path)
    stopping.killed(writes("PATCH", "deployments", "kube-apiserver"), committed=True)
    stopping.killed(runs("snapshot", "status"))
    assert sets_in(backups.dest) == []
    # The last write of all: the set is whole by then.
    stopping.killed(writes("DELETE", "configmaps"))
    assert len(sets_in(backups.dest)) == 1
    result = backups.run(expected_plan_id=stopping.plan_id, **MODE)
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    stopping.unchanged()
    assert result["resume_commands"] == commands
    stopped = stopping.recorded["replicas"]
    assert {name: result["index"]["replicas"][name] for name in before} == before
    assert {name: stopped[name] for name in stopped} == {name: before[name] for name in stopped}
    assert [name for name in stopped if stopping.replicas()[name]] == []
    assert (unfinished_in(backups.dest), backups.uploads(), backups.left_in_pods()) == ([], 0, [])
