# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosted_cluster_backup on real hosted clusters: what is in a set, what is in the bucket, and that nothing else was touched."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from backup_cases import PROD, Backups, contents_of, forms, sets_in, unfinished_in
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import neighbours
from hosted_clusters import ManagementCluster
from sandboxlib.audit import AuditLog

BUCKET = "module-backups"


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


class Writes:
    """What is written to both clusters from now on; a command run in a pod is no write of an object."""

    def __init__(self, hosted: Hosted) -> None:
        self._logs = (AuditLog(hosted.bed.cluster.layout.audit_log), AuditLog(hosted.real.layout.audit_log))
        self._marks = [log.mark() for log in self._logs]

    def seen(self) -> list[str]:
        events = [event for log, mark in zip(self._logs, self._marks, strict=True) for event in log.writes(mark)]
        return [str(event) for event in events if event.resource != "pods/exec"]


def test_an_online_backup_is_whole_and_touches_nothing(backups: Backups) -> None:
    writes = Writes(backups.hosted)
    result = backups.run()
    assert (result.get("msg", ""), result["changed"], result["verified"]) == ("", True, True)
    assert writes.seen() == []
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
    assert {
        f"{below}/awsmachines.infrastructure.cluster.x-k8s.io/{machine.name}" in path
        for machine in backups.hosted.machines
        for path in paths
    } >= {True}
    instances = {machine.instance for machine in backups.hosted.machines}
    assert {row["instance_id"] for row in result["index"]["machines"]} == instances
    assert not [path for path in paths if "prod2" in path or "prod-eu" in path or "v2" in path]
    secrets = {
        path.rpartition("/")[2].partition(".")[0] for path in paths if "/secrets/" in path and path.startswith(f"objects/{PROD.namespace}/")
    }
    assert {"prod-pull-secret", f"company-login-{PROD.infra_id}"} <= secrets
    assert "prod-notes-of-somebody" not in secrets
    assert not [path for path in paths if "default-dockercfg" in path or "sh.helm.release" in path]


def test_another_backup_leaves_the_first_as_it_is(backups: Backups) -> None:
    first = backups.run()
    before = contents_of(Path(first["set"]["path"]))
    second = backups.run()
    assert first["set"]["run_id"] != second["set"]["run_id"]
    assert contents_of(Path(first["set"]["path"])) == before
    assert len(sets_in(backups.dest)) == 2
    assert {first["snapshot"]["key"], second["snapshot"]["key"]} <= backups.snapshots()
    assert backups.verify(first["set"]["path"], snapshot_check="content")["verified"] is True


def test_check_mode_plans_and_shows_the_index_and_writes_nothing(backups: Backups) -> None:
    aws, writes = backups.aws, Writes(backups.hosted)
    asked, there = len(aws.requests()), backups.snapshots()
    result = backups.run(check=True)
    assert (result.get("msg", ""), result["changed"]) == ("", True)
    assert writes.seen() == []
    assert (backups.dest.exists(), backups.left_in_pods(), backups.snapshots()) == (False, [], there)
    operations = {request["operation"] for request in aws.requests(asked)}
    assert not {name for name in operations if name.startswith(("Put", "Create", "Upload", "Delete", "Complete"))}
    made = backups.run(expected_plan_id=result["plan"]["id"])
    assert made.get("msg", "") == ""
    planned, kept = result["index"], made["index"]
    same = ("hosted_cluster", "versions", "replicas", "machines", "owners", "dns", "node_pools", "left_out", "objects")
    assert {name: planned[name] for name in same} == {name: kept[name] for name in same}


def test_a_set_in_the_bucket_is_encrypted_and_verified_without_a_cluster(backups: Backups, key_file: Path) -> None:
    result = backups.run(prefix="nightly/east", encryption={"key_file": str(key_file)}, upload_set=True)
    assert result.get("msg", "") == ""
    address = f"s3://{BUCKET}/nightly/east/{result['set']['run_id']}"
    assert result["set"]["uploaded_to"] == address
    s3 = backups.aws.client("s3")
    keys = {key for key in backups.snapshots() if result["set"]["run_id"] in key}
    assert len(keys) == result["set"]["files"] + 1
    for key in keys:
        if not key.endswith("etcd.db"):
            stored = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode("latin-1")
            assert not [form for form in forms(PROD.secret) if form in stored], key
    opened = {"encryption": {"key_file": str(key_file)}}
    assert backups.verify(address, **opened, snapshot_check="content")["verified"] is True
    # Without the key nothing is believed, and one that lost a file is no set.
    assert "key" in backups.verify(address)["msg"]
    s3.delete_object(Bucket=BUCKET, Key=sorted(key for key in keys if "/objects/" in key)[0])
    lost = backups.verify(address, **opened)
    assert (lost["failed"], lost["verified"]) == (True, False)
    assert "missing" in json.dumps(lost["findings"])


def test_no_secret_leaves_the_set(backups: Backups, key_file: Path, tmp_path: Path) -> None:
    directory = tmp_path / "module"
    directory.mkdir()
    (directory / "progress.jsonl").touch()
    credentials = backups.aws.session(900)
    process = backups.start(credentials=credentials, tmpdir=directory, encryption={"key_file": str(key_file)}, upload_set=True)
    stdout, stderr = process.communicate(timeout=300)
    result = json.loads(stdout.splitlines()[-1])
    assert result.get("msg", "") == ""
    shown = stdout + stderr + (directory / "progress.jsonl").read_text() + (Path(result["set"]["path"]) / "index.json").read_text()
    secrets = (PROD.secret, credentials.secret, credentials.token, "5d" * 32)
    assert not [secret for secret in secrets for form in forms(secret) if form in shown]
    # Temporary keys make an address that HyperShift would not take, which is told now and not when it is needed.
    assert result["presigned_url_length"] > 1024
    assert "restore-url-too-long" in {finding["code"] for finding in result["findings"]}


def test_a_stopped_cluster_stays_stopped_and_its_index_knows_what_it_was(backups: Backups) -> None:
    """Last, because the cluster has to be made anew after it."""
    planned = backups.run(check=True, mode="quiesce", management_cluster_name="mgmt-1")
    assert planned["plan"]["risk"] == "disruptive"
    result = backups.run(mode="quiesce", management_cluster_name="mgmt-1", expected_plan_id=planned["plan"]["id"])
    assert (result.get("msg", ""), result["verified"]) == ("", True)
    assert "left-stopped" in {finding["code"] for finding in result["findings"]}
    assert result["resume_commands"]
    replicas = result["index"]["replicas"]
    assert (replicas["kube-apiserver"], replicas["cluster-api"], replicas["oauth-openshift"]) == (3, 1, 3)
    assert {pool["paused_until"] for pool in result["index"]["node_pools"]} == {None}
    # Again: what is at 0 now is not taken for what it was, and nothing is written but another set.
    cluster = backups.hosted.bed.cluster
    mark = cluster.mark()
    again = backups.run(mode="quiesce", management_cluster_name="mgmt-1")
    assert (again.get("msg", ""), again["resume_commands"]) == ("", result["resume_commands"])
    kinds = {event.resource for event in cluster.writes_since(mark) if event.resource != "pods/exec"}
    assert kinds <= {"leases", "configmaps"}
