# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of a hosted cluster that are killed on the way: nothing half-finished looks whole, and the next run clears what was left."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from backup_cases import IMAGE, SMALL, Backups, contents_of, eventually, forms, runs, sets_in, unfinished_in
from failures import assert_told
from faults.front import ApiFront
from faults.request import Request
from hosted.aws import Fault
from hosted.bed import Hosted
from hosted.writing import collection
from hosted_clusters import ManagementCluster
from killed_backups import (
    EVERYWHERE,
    NotThere,
    ended,
    killed_at,
    killed_on_hit,
    left_by,
    nothing_looks_whole,
    started_to_be_killed,
    stored_and_in_the_pod,
    whole,
)
from restored_etcd import ROOT, SHOP, restorable
from run_module import finish_module
from sandboxlib import binaries
from sandboxlib.cluster import Cluster
from write_gate import WriteGate

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import MARKER, PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior, prior_from_json
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import API_SERVERS, CONTROLLERS, KUBE_APISERVER

# The cluster was itself restored, and still names the signed address of the snapshot of then.
SIGNATURE = "canary-of-the-url"
SHAPE = replace(SMALL, restored_from=f"https://backups.s3.us-east-2.amazonaws.com/small/etcd.db?X-Amz-Signature={SIGNATURE}")
# Two parts of 8 MiB.
MEBIBYTES = 12
# The event, the path and the number of it: in the middle of the objects, in the middle of their removal by the next run, before the index,
# before and after the set has its name (while it is read once more), and at the very end.
FILES = {
    "objects": r"open \.partial/objects/ 9",
    "clear": r"os.rmdir . 2",
    "index": r"open \.partial/index\.json$ 1",
    "rename": r"os.rename \.partial$ 1",
    "proof": r"open /small-[^/]*/objects/ 3",
    # The first one is that of the run before.
    "journal": r"os.remove \.journal$ 2",
}
WHOLE = ("proof", "journal")


def made(management_cluster: ManagementCluster) -> Hosted:
    """A cluster with one real etcd member."""
    return management_cluster.hosted(SHAPE, real=IMAGE)


def between_pod_and_bucket(backups: Backups, directory: Path) -> None:
    """Killed where the data are somewhere else: in the pod, on the way, in the bucket."""
    cluster = backups.hosted.bed.cluster
    with WriteGate(cluster) as gate:
        with killed_at(gate, backups, runs("snapshot", "status")):
            pass
        first = left_by(backups)
        assert any(first in name for name in backups.left_in_pods())
        # While the next one clears that: it goes on being known.
        with killed_at(gate, backups, runs("rm")):
            pass
        assert left_by(backups) == first
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
    killed_on_hit(backups, Fault("reset", operation="UploadPart", bucket=backups.bucket, first=2, times=-1))
    third = left_by(backups)
    assert not any(second in name for name in backups.left_in_pods())
    assert (backups.uploads(), backups.snapshots()) == (1, set())

    # All of it is in the bucket, and still in the pod as well.
    with WriteGate(cluster) as gate, killed_at(gate, backups, stored_and_in_the_pod(gate)):
        pass
    fourth = left_by(backups)
    assert third != fourth
    assert (backups.uploads(), backups.snapshots()) == (0, {f"{fourth}/etcd.db"})
    assert any(fourth in name for name in backups.left_in_pods())
    if EVERYWHERE:
        at_every_command(backups)
    result = backups.run()
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    # Nothing is ever deleted from a bucket; what is of no use there is told.
    (orphan,) = [finding for finding in result["findings"] if finding["code"] == "snapshot-without-set"]
    assert EVERYWHERE or fourth in orphan["remedy"]
    assert (unfinished_in(backups.dest), backups.uploads()) == ([], 0)
    assert not any(fourth in name for name in backups.left_in_pods())
    restorable(backups, result, directory, f"{SHOP}/", f"{ROOT}/secrets/shop/")
    of_a_restored_cluster(backups, result)


def at_every_command(backups: Backups) -> None:
    """Killed before and after each command in a pod (those of clearing included), and at each operation on the bucket."""
    for place in itertools.count(2):
        if not killed_at_command(backups, place // 2, committed=place % 2 == 1):
            break
        nothing_looks_whole(backups)
    for operation in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
        for fault in ("reset", "lost-answer"):
            killed_on_hit(backups, Fault(fault, operation=operation, bucket=backups.bucket, times=-1))
            left_by(backups)


def killed_at_command(backups: Backups, number: int, *, committed: bool) -> bool:
    """Kill a run at its command of that number; False when it ends without one."""
    with WriteGate(backups.hosted.bed.cluster) as gate:
        try:
            with killed_at(gate, backups, in_a_pod, nth=number, committed=committed):
                return True
        except NotThere as end:
            # It has come to a good end.
            if not end.result.get("verified"):
                raise
            return False


def in_a_pod(request: Request) -> bool:
    """Whether a request runs a command there."""
    return bool(request.command)


def of_a_restored_cluster(backups: Backups, result: dict[str, Any]) -> None:
    """Assert that the set says so, and has the old address without what made it a key."""
    assert result["index"]["restored_from"] is True
    assert "restored-before" in {finding["code"] for finding in result["findings"]}
    directory = Path(result["set"]["path"])
    verified = backups.verify(directory, snapshot_check="content")
    assert "restored-source" in {finding["code"] for finding in verified["findings"]}
    files = "\n".join(path.read_text() for path in sorted(directory.rglob("*")) if path.is_file())
    assert "backups.s3.us-east-2.amazonaws.com/small/etcd.db" in files
    assert [form for form in forms(SIGNATURE) for shown in (json.dumps([result, verified]), files) if form in shown] == []


def among_files(backups: Backups) -> None:
    """Killed while the set is written, and while it is stored in the bucket as well."""
    run_id = ""
    for name, place in FILES.items():
        ended(started_to_be_killed(backups, place))
        before, run_id = run_id, left_by(backups)
        # What was being cleared is not forgotten, and is no set either.
        assert (run_id == before) == (name == "clear")
        assert run_id in {path.name for path in sets_in(backups.dest)} or name not in WHOLE
        if name == "objects":
            told = backups.verify(backups.dest / f".{run_id}.partial")
            assert_told(told, "index.json")
    # The last ones were killed when their sets were whole, which the next runs leave as they are.
    there = {path: contents_of(path) for path in sets_in(backups.dest)}
    assert len(there) == len(WHOLE)
    key = backups.dest.with_name("key")
    key.touch(mode=0o600)
    key.write_text("9c" * 32)
    sealed = {"encryption": {"key_file": str(key)}}
    # Read for the bucket when the objects are there, before the index is.
    ended(started_to_be_killed(backups, r"open /small-[^/]*/index\.json\.hmac$ 1", upload_set=True, **sealed))
    (other,) = set(sets_in(backups.dest)) - set(there)
    assert any(f"{other.name}/objects/" in stored for stored in backups.snapshots())
    assert_told(backups.verify(f"s3://{backups.bucket}/{other.name}", **sealed), "index.json")
    if EVERYWHERE:
        at_many_files(backups, other)
    number = len(sets_in(backups.dest))
    result = backups.run()
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    assert {path: contents_of(path) for path in there} == there
    assert (len(sets_in(backups.dest)), unfinished_in(backups.dest)) == (number + 1, [])
    assert backups.verify(max(there))["verified"] is True
    assert backups.verify(other, **sealed)["verified"] is True


def at_many_files(backups: Backups, sealed: Path) -> None:
    """Killed at every seventh file that a run opens, and whenever it makes a directory, removes or renames something in dest."""
    for event, step in (("open", 7), ("os.mkdir", 3), ("os.rename", 1), ("os.remove", 5), ("os.rmdir", 3)):
        for number in itertools.count(1, step):
            process = started_to_be_killed(backups, f"{event} {backups.dest}/ {number}")
            stdout, _stderr = process.communicate(timeout=120)
            assert process.returncode in (0, -signal.SIGKILL), stdout
            assert all(whole(path) for path in sets_in(backups.dest) if path != sealed)
            if process.returncode == 0:
                break


@pytest.mark.timeout(2000 if EVERYWHERE else 300)
def test_the_next_run_clears_what_a_killed_one_has_left(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    hosted, aws = made(management_cluster), management_cluster.aws
    hosted.fill(MEBIBYTES)
    mark = hosted.bed.cluster.mark()
    on_the_way, in_files = (
        Backups(hosted, aws, tmp_path / name, management_cluster.bucket(name)) for name in ("killed-on-the-way", "killed-in-files")
    )
    with ThreadPoolExecutor(2) as pool:
        for done in (pool.submit(between_pod_and_bucket, on_the_way, tmp_path / "restored"), pool.submit(among_files, in_files)):
            done.result()
    assert on_the_way.left_in_pods() == []
    assert [str(event) for event in hosted.bed.cluster.writes_since(mark) if event.resource != "pods/exec"] == []


# Killed while the cluster is stopped

NAME = "mgmt-1"
# What the marker says of the move before this one.
OLD = "mgmt-0"
MODE: dict[str, Any] = {"mode": "quiesce", "management_cluster_name": NAME}
CPNS = SHAPE.control_plane_namespace
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{CPNS}/leases/meshops-hosted-cluster-backup-{SHAPE.name}"
Matches = Callable[[ApiFront], Callable[[Request], bool]]


def writes(method: str, resource: str, *names: str) -> Matches:
    """Whether a request is that write."""

    def matches(request: Request) -> bool:
        return (request.method, request.resource) == (method, resource) and (not names or request.name in names) and request.writes

    return lambda _front: matches


def after(earlier: Matches, method: str, resource: str) -> Matches:
    """Whether a request is one like that, when another has been there."""

    def choose(front: ApiFront) -> Callable[[Request], bool]:
        was = earlier(front)
        return lambda request: (request.method, request.resource) == (method, resource) and any(map(was, list(front.requests)))

    return choose


def commands(*words: str) -> Matches:
    """Whether a request runs such a command in a pod."""
    return lambda _front: runs(*words)


class Place(NamedTuple):
    """Where a run is killed: before a request reaches the server, or with ``committed`` when it was carried out.

    What is not ``always`` tested is so with MESHOPS_ALL_FAULTS.
    """

    matches: Matches
    committed: bool = False
    always: bool = False


STOPPED = writes("PATCH", "deployments", API_SERVERS[-1])
# In the order in which a run comes to them; each run begins where the one before has ended.
BEFORE_THE_MARKER = (
    Place(writes("POST", "leases"), committed=True),
    Place(writes("PATCH", "configmaps")),
    Place(writes("PATCH", "configmaps"), committed=True),
    Place(writes("PATCH", "hostedclusters")),
    # The record of what was there: the first write of all to the cluster.
    Place(writes("PATCH", "hostedclusters"), committed=True, always=True),
)
BEFORE_A_POD_STAYS = (
    # The first pause: the marker is written.
    Place(writes("PATCH", "hostedclusters"), always=True),
    Place(writes("PATCH", "hostedclusters"), committed=True),
    # Those of the pools are made at the same time.
    Place(writes("PATCH", "clusters")),
    Place(writes("PATCH", "clusters"), committed=True, always=True),
    *(Place(writes("PATCH", "deployments", name), committed=True) for name in CONTROLLERS[:-1]),
    # The first wait.
    Place(after(writes("PATCH", "deployments"), "GET", "pods")),
)
BEFORE_THE_SNAPSHOT = (
    Place(writes("PATCH", "deployments", KUBE_APISERVER)),
    Place(writes("PATCH", "deployments", KUBE_APISERVER), committed=True, always=True),
    # The second wait.
    Place(after(STOPPED, "GET", "pods"), always=True),
    Place(commands("snapshot", "save")),
    Place(commands("snapshot", "status")),
    Place(commands("cat")),
    Place(stored_and_in_the_pod, always=True),
)
# The last write of all is that which forgets the plan: the set is whole by then.
AT_THE_END = (Place(writes("DELETE", "configmaps"), always=True), Place(writes("DELETE", "configmaps"), committed=True))


@dataclass
class Stopping:
    """A cluster that is stopped by runs that do not come to their end; ``recorded`` is what the first of them found."""

    backups: Backups
    plan_id: str
    recorded: list[Prior] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        """The management cluster."""
        return self.backups.hosted.bed.cluster

    def prior(self) -> list[Prior]:
        """What is on record, if there is something."""
        annotations = self.cluster.api.get(self.backups.hosted.path)["metadata"].get("annotations") or {}
        return [prior_from_json(annotations[PRIOR_ANNOTATION])] if PRIOR_ANNOTATION in annotations else []

    def marker(self) -> str:
        """What the marker in the hosted cluster says."""
        where = ("--kubeconfig", str(self.backups.hosted.real.kubeconfig), "-n", "default")
        return self.cluster.kubectl("get", "configmap", MARKER, *where, "-o", "jsonpath={.data.from}")

    def killed(self, *places: Place) -> None:
        """Kill a run at each of the places and look at what it leaves."""
        for place in places:
            if place.always or EVERYWHERE:
                with WriteGate(self.cluster) as gate:
                    options = {"expected_plan_id": self.plan_id, **MODE}
                    with killed_at(gate, self.backups, place.matches(gate), committed=place.committed, **options):
                        pass
                self.look()

    def killed_in_files(self) -> None:
        """Kill a run at each of the places where it does something with a file."""
        for name, place in FILES.items():
            # At the very end the plan is forgotten, and with it who approved it.
            if name != "journal":
                ended(started_to_be_killed(self.backups, place, expected_plan_id=self.plan_id, **MODE))
                self.look()

    def look(self) -> None:
        """Assert that nothing half-finished looks whole, and that nobody takes what is there now for what was there at first."""
        if self.cluster.api.exists(LEASE):
            # Let that of the killed run end at once.
            patch = ("--type=merge", "-p", '{"spec": {"leaseDurationSeconds": 1}}')
            self.cluster.kubectl("patch", "lease", "-n", CPNS, LEASE.rpartition("/")[2], *patch)
        nothing_looks_whole(self.backups)
        now = self.prior()
        self.recorded = self.recorded or now
        assert now == self.recorded

    def replicas(self) -> dict[str, int]:
        """How many pods each Deployment of the control plane wants."""
        items = self.cluster.api.get(collection("apps/v1", "Deployment", CPNS))["items"]
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}

    def resume(self, commands: list[str], directory: Path) -> None:
        """Run the commands that were given, in a shell that stops at the first that fails."""
        directory.mkdir()
        environment = {**self.cluster.environment(), "PATH": f"{binaries.binary('kubectl').parent}:{os.environ['PATH']}"}
        script = "\n".join(["set -eu", *commands])
        done = subprocess.run(["sh", "-c", script], cwd=directory, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def stays(stopping: Stopping, tmp_path: Path) -> list[str]:
    """A pod that does not go, and somebody who takes a pause back meanwhile: both are named, and nothing is copied."""
    hosted, cluster, backups = stopping.backups.hosted, stopping.cluster, stopping.backups
    pods = cluster.api.get(collection("v1", "Pod", CPNS))["items"]
    pod = next(str(item["metadata"]["name"]) for item in pods if item["metadata"]["labels"]["app"] == CONTROLLERS[-1])
    path = f"{collection('v1', 'Pod', CPNS)}/{pod}"
    with hosted.bed.writer() as writer:
        writer.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})
        try:
            stopping.killed(*BEFORE_A_POD_STAYS)
            assert stopping.marker() == NAME
            result = backups.run(stop_timeout=2, **MODE)
            assert_told(result, pod, "example.com/hold", "nothing was copied")
            stopping.look()
            directory = tmp_path / "progress"
            directory.mkdir()
            progress = directory / "progress.jsonl"
            progress.touch()
            process = backups.start(tmpdir=directory, stop_timeout=200, **MODE)
            eventually("a run that waits", lambda: "waiting for" in progress.read_text() or process.poll() is not None)
            patch = '{"spec": {"pausedUntil": "false"}}'
            arguments = ("hostedclusters.hypershift.openshift.io", "-n", SHAPE.namespace, SHAPE.name, "--type=merge", "-p", patch)
            cluster.kubectl("patch", *arguments, "--field-manager=argocd-controller")
            worked_against = finish_module(process)
        finally:
            writer.patch(path, {"metadata": {"finalizers": None}})
    assert_told(worked_against, "pause", "argocd-controller")
    stopping.look()
    assert (sets_in(backups.dest), unfinished_in(backups.dest), backups.snapshots()) == ([], [], set())
    commands: list[str] = result["resume_commands"]
    assert worked_against["resume_commands"] == commands
    return commands


@pytest.mark.timeout(2000 if EVERYWHERE else 400)
def test_a_cluster_whose_stop_is_killed_in_each_phase_is_stopped_in_the_end(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    """Last, because the cluster has to be made anew after it."""
    backups = Backups(made(management_cluster), management_cluster.aws, tmp_path / "sets", management_cluster.bucket("killed-stops"))
    with backups.hosted.real.writer() as writer:
        marker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARKER}, "data": {"from": OLD}}
        writer.request("POST", collection("v1", "ConfigMap", "default"), marker)
    stopping = Stopping(backups, backups.run(check=True, **MODE)["plan"]["id"])
    before = stopping.replicas()
    stopping.killed(*BEFORE_THE_MARKER)
    assert stopping.marker() == OLD
    commands = stays(stopping, tmp_path)
    stopping.killed(*BEFORE_THE_SNAPSHOT)
    assert sets_in(backups.dest) == []
    if EVERYWHERE:
        stopping.killed_in_files()
    number = len(sets_in(backups.dest))
    stopping.killed(*AT_THE_END)
    assert len(sets_in(backups.dest)) > number
    result = backups.run(expected_plan_id="" if EVERYWHERE else stopping.plan_id, **MODE)
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    stopping.look()
    assert result["resume_commands"] == commands
    (prior,) = stopping.recorded
    assert {name: result["index"]["replicas"][name] for name in before} == before
    assert dict(prior.replicas) == {name: before[name] for name in prior.replicas}
    assert [name for name in prior.replicas if stopping.replicas()[name]] == []
    assert (unfinished_in(backups.dest), backups.uploads(), backups.left_in_pods()) == ([], 0, [])

    # Nothing was written to etcd after the snapshot, and whoever restores it learns where it was.
    same = [f"{ROOT}/{kind}/" for kind in ("configmaps", "secrets", "minions", "serviceaccounts")]
    found = restorable(backups, result, tmp_path / "restored", *same)
    assert NAME.encode() in found[f"{ROOT}/configmaps/default/{MARKER}"].value
    stopping.resume(commands, tmp_path / "resumed")
    assert (stopping.replicas(), stopping.marker(), stopping.prior()) == (before, OLD, [])
