# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosted_cluster_backup on real hosted clusters: what is in a set, what is in the bucket, and that nothing else was touched."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from backup_cases import PROD, Backups, contents_of, eventually, forms, runs, sets_in, unfinished_in
from failures import Result, assert_told
from faults.request import Request
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import neighbours
from hosted.writing import Writer, collection
from hosted_clusters import ManagementCluster
from run_module import finish_module
from stop_cases import is_not_copied_while_an_api_server_is_there, is_planned_without_a_write, no_secret_in
from stopped_clusters import look, run_commands
from write_gate import WriteGate
from written import Writes

BUCKET = "module-backups"
MOVE = {"mode": "quiesce", "management_cluster_name": "mgmt-1"}


@pytest.fixture
def prod(management_cluster: ManagementCluster) -> Hosted:
    """A cluster with three real etcd members, and neighbours whose names are easily taken for its own."""
    for shape in neighbours(PROD):
        management_cluster.hosted(shape)
    return management_cluster.hosted(PROD, real=Image())


@pytest.fixture
def backups(prod: Hosted, management_cluster: ManagementCluster, tmp_path: Path) -> Backups:
    return Backups(prod, management_cluster.aws, tmp_path / "sets", management_cluster.bucket(BUCKET))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text("5d" * 32)
    return path


def test_an_online_backup_is_whole_and_touches_nothing(backups: Backups) -> None:
    writes = Writes(backups.hosted, backups.aws)
    result = backups.run()
    assert (result.get("msg", ""), result["changed"], result["verified"]) == ("", True, True)
    assert writes.objects() == []
    assert backups.left_in_pods() == []
    (made,) = sets_in(backups.dest)
    assert unfinished_in(backups.dest) == []
    assert (result["set"]["path"], result["index"]["mode"]) == (str(made), "online")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (backups.dest, *made.rglob("*"))}
    assert modes == {0o700, 0o600}
    # The snapshot that is in the bucket is the one that the index names.
    snapshot = result["snapshot"]
    stored = backups.aws.client("s3").get_object(Bucket=BUCKET, Key=snapshot["key"])["Body"].read()
    assert (len(stored), snapshot["total_keys"] > 100) == (snapshot["size"], True)
    # Everything of this cluster, and nothing of those that have names like it.
    paths = {entry["path"] for entry in result["index"]["objects"]}
    below = f"objects/{PROD.control_plane_namespace}"
    machines = {f"{below}/awsmachines.infrastructure.cluster.x-k8s.io/{machine.name}.json" for machine in backups.hosted.machines}
    assert (len(machines), machines - paths) == (3, set())
    instances = {machine.instance for machine in backups.hosted.machines}
    assert {row["instance_id"] for row in result["index"]["machines"]} == instances
    assert not [path for path in paths if "prod2" in path or "prod-eu" in path or "v2" in path]
    secrets = {
        path.rpartition("/")[2].partition(".")[0] for path in paths if "/secrets/" in path and path.startswith(f"objects/{PROD.namespace}/")
    }
    assert {"prod-pull-secret", f"company-login-{PROD.infra_id}"} <= secrets
    assert "prod-notes-of-somebody" not in secrets
    assert not [path for path in paths if "default-dockercfg" in path or "sh.helm.release" in path]
    describes(result["index"], backups.hosted)
    # The index is written before the last step ends.
    timed = {step["id"] for step in result["steps"] if step["outcome"] == "done" and step["phase"] != "finish"}
    assert {step.partition(":")[0] for step in timed} == {"snapshot", "collect"}
    assert {step for step, seconds in result["index"]["durations"].items() if seconds > 0} == timed
    another_leaves_it_as_it_is(backups, result)


def describes(index: Result, hosted: Hosted) -> None:
    """Assert that an index says what is true of a cluster and of where it is."""
    management, cluster = hosted.bed.management, hosted.bed.cluster
    assert (index["dns"]["owner_id"], index["dns"]["domains"]) == (management.owner_id, [management.domain])
    assert index["dns"]["oidc_buckets"] == [management.oidc_bucket]
    assert (index["versions"]["operator_image"], index["versions"]["hosted_cluster"]) == (management.operator_image, hosted.shape.release)
    assert index["cluster"]["uid"] == cluster.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    reported = cluster.api.get(hosted.path)["status"]["conditions"]
    assert {(item["type"], item["status"]) for item in index["conditions"]} == {(item["type"], item["status"]) for item in reported}


def another_leaves_it_as_it_is(backups: Backups, first: Result) -> None:
    """Make one more, which also clears what a run has left that was killed before it noted anything."""
    before = contents_of(Path(first["set"]["path"]))
    (backups.dest / ".prod-20260101T000000Z-0a1b2c.partial").mkdir(mode=0o700)
    second = backups.run()
    assert {step for step in second["index"]["durations"] if step.startswith("clear:")} == {
        "clear:UnfinishedBackup/prod-20260101T000000Z-0a1b2c"
    }
    assert unfinished_in(backups.dest) == []
    assert first["set"]["run_id"] != second["set"]["run_id"]
    assert contents_of(Path(first["set"]["path"])) == before
    assert len(sets_in(backups.dest)) == 2
    assert {first["snapshot"]["key"], second["snapshot"]["key"]} <= backups.snapshots()
    assert backups.verify(first["set"]["path"], snapshot_check="content")["verified"] is True


def test_check_mode_plans_and_shows_the_index_and_writes_nothing(backups: Backups) -> None:
    there, writes = backups.snapshots(), Writes(backups.hosted, backups.aws)
    result = backups.run(check=True)
    assert (result.get("msg", ""), result["changed"]) == ("", True)
    assert writes.nothing()
    assert (backups.dest.exists(), backups.left_in_pods(), backups.snapshots()) == (False, [], there)
    made = backups.run(expected_plan_id=result["plan"]["id"])
    assert made.get("msg", "") == ""
    planned, kept = result["index"], made["index"]
    same = ("hosted_cluster", "versions", "replicas", "machines", "owners", "dns", "node_pools", "left_out", "objects")
    assert {name: planned[name] for name in same} == {name: kept[name] for name in same}


def test_a_set_in_the_bucket_has_no_secret_in_clear_and_is_verified_without_a_cluster(
    backups: Backups, key_file: Path, tmp_path: Path
) -> None:
    result = no_secret_leaves_the_set(backups, key_file, tmp_path)
    address = f"s3://{BUCKET}/nightly/east/{result['set']['run_id']}"
    assert result["set"]["uploaded_to"] == address
    s3 = backups.aws.client("s3")
    keys = {key for key in backups.snapshots() if result["set"]["run_id"] in key}
    assert len(keys) == result["set"]["files"] + 1
    for key in keys:
        if not key.endswith("etcd.db"):
            stored = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode("latin-1")
            assert not [form for form in forms(PROD.secret) if form in stored], key
    whole = backups.verify(address, encryption={"key_file": str(key_file)}, snapshot_check="content")
    assert (whole.get("msg", ""), whole["verified"]) == ("", True)
    # Without the key nothing is believed, and one that lost a file is no set.
    s3.delete_object(Bucket=BUCKET, Key=sorted(key for key in keys if "/objects/" in key)[0])
    lost = backups.verify(address)
    assert (lost["failed"], lost["verified"]) == (True, False)
    assert [finding["code"] for finding in lost["findings"] if finding["severity"] == "error"] == ["key-missing", "file-missing"]


def no_secret_leaves_the_set(backups: Backups, key_file: Path, tmp_path: Path) -> Result:
    """Make a set that is in the bucket as well, and look for secrets in whatever is shown."""
    directory = tmp_path / "module"
    directory.mkdir()
    (directory / "progress.jsonl").touch()
    credentials = backups.aws.session(900)
    sealed = {"encryption": {"key_file": str(key_file)}, "upload_set": True, "prefix": "nightly/east"}
    process = backups.start(credentials=credentials, tmpdir=directory, **sealed)
    stdout, stderr = process.communicate(timeout=300)
    result: Result = json.loads(stdout.splitlines()[-1])
    assert result.get("msg", "") == ""
    shown = stdout + stderr + (directory / "progress.jsonl").read_text() + (Path(result["set"]["path"]) / "index.json").read_text()
    secrets = (PROD.secret, credentials.secret, credentials.token, "5d" * 32)
    assert not [secret for secret in secrets for form in forms(secret) if form in shown]
    # Temporary keys make an address that HyperShift would not take, which is told now and not when it is needed.
    assert result["presigned_url_length"] > 1024
    assert "restore-url-too-long" in {finding["code"] for finding in result["findings"]}
    return result


def test_a_stopped_cluster_stays_stopped_and_its_index_knows_what_it_was(backups: Backups, tmp_path: Path) -> None:
    """Last, because the cluster has to be made anew after it."""
    before = look(backups.hosted)
    approved = {**MOVE, "expected_plan_id": is_planned_without_a_write(backups, **MOVE)}
    is_refused_when_something_is_gone_since_its_snapshot(backups)
    is_not_copied_while_an_api_server_is_there(backups, tmp_path, **approved)
    is_no_set_when_somebody_has_undone_the_stop(backups, approved)
    with between(backups, runs("cat"), **approved) as patched:
        path = f"{collection('cluster.x-k8s.io/v1beta1', 'MachineHealthCheck', PROD.control_plane_namespace)}/prod-a"
        patched.writer.patch(path, {"spec": {"maxUnhealthy": 1}})
    result = patched.result
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    # What is saved is what is there after the snapshot.
    (changed,) = (finding for finding in result["findings"] if finding["code"] == "changed-during-backup")
    assert "MachineHealthCheck whole-prod/prod-a has another spec" in changed["what"]
    saved = Path(result["set"]["path"], f"objects/{PROD.control_plane_namespace}/machinehealthchecks.cluster.x-k8s.io/prod-a.json")
    assert json.loads(saved.read_text())["spec"]["maxUnhealthy"] == 1
    assert "left-stopped" in {finding["code"] for finding in result["findings"]}
    assert result["resume_commands"]
    replicas = result["index"]["replicas"]
    assert (replicas["kube-apiserver"], replicas["cluster-api"], replicas["oauth-openshift"]) == (3, 1, 3)
    assert {pool["paused_until"] for pool in result["index"]["node_pools"]} == {None}
    # Again: what is at 0 now is not taken for what it was, and nothing is written but another set.
    cluster = backups.hosted.bed.cluster
    mark = cluster.mark()
    again = is_not_verified_when_it_was_changed_before_the_proof(backups)
    assert again["resume_commands"] == result["resume_commands"]
    kinds = {event.resource for event in cluster.writes_since(mark) if event.resource != "pods/exec"}
    assert kinds <= {"leases", "configmaps"}
    # As they are told, to the letter.
    assert no_secret_in(backups, json.dumps(result))
    run_commands(backups.hosted, result["resume_commands"], tmp_path / "afterwards")
    assert look(backups.hosted) == before


@dataclass
class Between:
    """A backup that is held; ``result`` is there when it has gone on to its end."""

    writer: Writer
    result: Result = field(default_factory=dict)


@contextmanager
def between(backups: Backups, matches: Callable[[Request], bool], **options: Any) -> Iterator[Between]:
    """Run until a request that matches, let the caller do something, and go on."""
    cluster = backups.hosted.bed.cluster
    with WriteGate(cluster) as gate, backups.hosted.bed.writer() as writer:
        held = gate.hold(matches, any_kind=True)
        process = backups.start(front=gate.kubeconfig, **options)
        eventually("the request to wait at", lambda: held.arrived or process.poll() is not None)
        assert held.arrived, process.communicate()[0]
        told = Between(writer)
        yield told
        held.release()
        told.result = finish_module(process)


def no_set(backups: Backups, result: Result) -> set[str]:
    """Assert that a failed backup has left nothing but its snapshot, and told that; returns the codes of all findings."""
    assert (sets_in(backups.dest), unfinished_in(backups.dest), backups.left_in_pods()) == ([], [], [])
    (orphan,) = (finding for finding in result["findings"] if finding["code"] == "snapshot-without-set")
    assert [key for key in backups.snapshots() if key in orphan["remedy"]]
    return {finding["code"] for finding in result["findings"]}


def is_refused_when_something_is_gone_since_its_snapshot(backups: Backups) -> None:
    """It is looked for after the snapshot, and not only when the backup was planned."""
    below = collection("v1", "ConfigMap", PROD.namespace)
    there = backups.hosted.bed.cluster.api.get(f"{below}/kubelet-a")
    with between(backups, runs("cat")) as deleted:
        deleted.writer.request("DELETE", f"{below}/kubelet-a")
    with backups.hosted.bed.writer() as writer:
        writer.request("POST", below, {**there, "metadata": {"name": "kubelet-a", "namespace": PROD.namespace}})
    assert_told(deleted.result, "has changed since its snapshot", "kubelet-a")
    assert {refusal["code"] for refusal in deleted.result["refusals"]} == {"reference-missing"}
    no_set(backups, deleted.result)


def is_no_set_when_somebody_has_undone_the_stop(backups: Backups, options: Result) -> None:
    """Nobody sees from a set that its proof has failed, so there is none."""
    with between(backups, runs("cat"), **options) as undone:
        backups.hosted.bed.cluster.kubectl(
            *("patch", "hostedclusters.hypershift.openshift.io", "-n", PROD.namespace, PROD.name, "--type=merge"),
            *("-p", '{"spec": {"pausedUntil": "false"}}', "--field-manager=argocd-controller"),
        )
    assert_told(undone.result, "did not stay stopped", "argocd-controller", "no set was made")
    assert (undone.result["changed"], bool(undone.result["resume_commands"]), "set" in undone.result) == (True, True, False)
    assert {"not-paused", "snapshot-without-set"} <= no_set(backups, undone.result)


def is_not_verified_when_it_was_changed_before_the_proof(backups: Backups) -> Result:
    """The set has its name already, so what is said of it is that it is not whole."""
    before, stored = set(sets_in(backups.dest)), backups.snapshots()

    def proof(request: Request) -> bool:
        return request.resource != "leases" and set(sets_in(backups.dest)) > before

    with between(backups, proof, **MOVE) as damaged:
        (made,) = set(sets_in(backups.dest)) - before
        (key,) = backups.snapshots() - stored
        s3 = backups.aws.client("s3")
        (version,) = s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])
        next(made.rglob("prod-a.json")).write_text("{}")
    result = damaged.result
    assert_told(result, "not proven", "the snapshot is gone")
    assert (result["verified"], result["set"]["path"]) == (False, str(made))
    assert {"file-edited", "snapshot-missing"} <= {finding["code"] for finding in result["findings"]}
    return result
