# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups while AWS, the API server, etcd, a node or a disk fails: what passes is overcome, what does not is told, and nothing is left."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from backup_cases import SMALL, Backups, after_the_upload, eventually, forms, runs, sets_in, small, unfinished_in
from failures import Result, assert_told, story
from faults.front import ApiFront
from faults.request import Request
from faults.rules import Rule, reset, status
from hosted.aws import Credentials, Fault
from hosted.etcd_image import entering
from hosted_clusters import ManagementCluster
from run_module import finish_module
from write_gate import WriteGate
from written import Writes

MEBIBYTE = 1024 * 1024
SMALL_DISK = 'mount -t tmpfs -o size=8m,mode=700 sets "$0"; "$@"; ls -A "$0" >&2'
Place = Callable[[str], Backups]


@pytest.fixture
def stopping_place(management_cluster: ManagementCluster, tmp_path: Path) -> Place:
    """Makes backups into a directory and a bucket of their own."""
    hosted, aws = small(management_cluster), management_cluster.aws

    def made(name: str) -> Backups:
        return Backups(hosted, aws, tmp_path / name, management_cluster.bucket(f"faults-{name}"))

    return made


@pytest.fixture
def place(stopping_place: Place, management_cluster: ManagementCluster) -> Iterator[Place]:
    """The same online: whatever fails, neither cluster is written to."""
    writes = Writes(small(management_cluster), management_cluster.aws)
    yield stopping_place
    assert writes.objects() == []


def good(result: Result) -> Result:
    """One that has ended well."""
    assert (result.get("msg", ""), result.get("verified")) == ("", True), story(result)
    return result


def failed(backups: Backups, result: Result, *words: str) -> None:
    """Assert that it was told, and that neither a set nor a file, nor a part of an upload is left, nor was a secret shown."""
    assert_told(result, *words)
    assert (sets_in(backups.dest), unfinished_in(backups.dest), backups.uploads()) == ([], [], 0), story(result)
    shown = json.dumps(result)
    assert [secret for secret in (SMALL.secret, backups.aws.user.secret) for form in forms(secret) if form in shown] == []


def reads(resource: str) -> Callable[[Request], bool]:
    """Whether a request lists or gets these."""

    def matches(request: Request) -> bool:
        return (request.method, request.resource) == ("GET", resource) and not request.command

    return matches


@pytest.mark.timeout(300)
def test_what_passes_is_overcome(place: Place) -> None:
    backups = place("passing")
    cluster = backups.hosted.bed.cluster
    backups.aws.add(
        Fault("SlowDown", operation="UploadPart", bucket=backups.bucket),
        Fault("reset", operation="UploadPart", bucket=backups.bucket, at=MEBIBYTE),
        Fault("lost-answer", operation="CompleteMultipartUpload", bucket=backups.bucket),
        Fault("InternalError", operation="GetBucketLocation", bucket=backups.bucket),
    )
    rules = [
        Rule(status(429, retry_after=1), reads("hostedclusters")),
        Rule(status(500), reads("pods")),
        Rule(reset(), reads("secrets")),
        Rule(reset(committed=True), reads("machines")),
        Rule(status(503), runs("status", "endpoint")),
        Rule(reset(), runs("sha256sum")),
        Rule(status(500), runs("cat")),
    ]
    with ApiFront(cluster) as front:
        front.add(*rules)
        good(backups.run(front=front.kubeconfig))
    # What is run in a pod, anybody can see there.
    commands = json.dumps([request.command for request in front.requests if request.command])
    assert "snapshot" in commands
    assert [secret for secret in (SMALL.secret, *backups.aws.user) if secret and secret in commands] == []
    assert [str(rule.fault) for rule in rules if not rule.hit] == []
    assert [rule["hit"] for rule in backups.aws.faults()] == [1] * 4
    assert (len(backups.snapshots()), backups.uploads(), backups.left_in_pods()) == (1, 0, [])


@pytest.mark.timeout(300)
def test_what_stays_is_told_and_nothing_is_left(place: Place) -> None:
    """Side by side: most of it is waiting for the next attempt."""
    names = ("busy", "broken", "denied", "late", "server", "sealed")
    busy, broken, denied, late, server, sealed = (place(name) for name in names)
    cluster = busy.hosted.bed.cluster
    for backups, fault in ((busy, "SlowDown"), (broken, "reset"), (denied, "AccessDenied")):
        backups.aws.add(Fault(fault, operation="UploadPart", bucket=backups.bucket, at=MEBIBYTE, first=2, times=-1))
    sealed.aws.add(Fault("AccessDenied", operation="PutObject", bucket=sealed.bucket, key="/objects/", times=-1))
    key = late.dest.parent / "key"
    key.touch(mode=0o600)
    key.write_text("3b" * 32)
    with WriteGate(cluster) as gate, ApiFront(cluster) as front, ThreadPoolExecutor(len(names)) as pool:
        held = gate.hold(runs("cat"), any_kind=True)
        front.add(Rule(status(503), reads("secrets"), times=None))
        waiting = {
            "busy": pool.submit(busy.run),
            "broken": pool.submit(broken.run),
            "denied": pool.submit(denied.run),
            "late": pool.submit(late.run, front=gate.kubeconfig, timeout=20),
            "server": pool.submit(server.run, front=front.kubeconfig, request_timeout=10),
            "sealed": pool.submit(sealed.run, upload_set=True, encryption={"key_file": str(key)}),
        }
        results = {name: one.result() for name, one in waiting.items()}
        held.drop()
    failed(busy, results["busy"], "AWS was too busy", "no parts of it are left")
    failed(broken, results["broken"], "the connection broke", "no parts of it are left")
    failed(denied, results["denied"], "s3:PutObject", "no parts of it are left")
    failed(late, results["late"], "time")
    failed(server, results["server"], "secrets", "503")
    for backups in (busy, broken, denied, late, server):
        assert backups.snapshots() == set()
    # The set itself is whole where it is; in the bucket it is none.
    told = results["sealed"]
    assert_told(told, "not in the bucket", "s3:PutObject")
    (made,) = sets_in(sealed.dest)
    assert str(made) in told["state"]
    assert sealed.verify(made, encryption={"key_file": str(key)})["verified"] is True
    assert not any(name.endswith("index.json") for name in sealed.snapshots())
    assert busy.left_in_pods() == []


@pytest.mark.timeout(240)
def test_a_token_that_ends_in_the_middle_leaves_parts_that_the_next_run_removes(place: Place) -> None:
    backups = place("token")
    who: Credentials = backups.aws.session(3600)
    ended = ("UploadPart", "AbortMultipartUpload", "ListMultipartUploads")
    backups.aws.add(
        *(Fault("ExpiredToken", operation=name, bucket=backups.bucket, first=1 + (name == "UploadPart"), times=-1) for name in ended)
    )
    result = backups.run(credentials=who)
    assert_told(result, "temporary credentials have ended", "the next backup")
    assert [form for form in forms(who.token) if form in json.dumps(result)] == []
    backups.aws.clear()
    assert (sets_in(backups.dest), backups.snapshots(), backups.uploads(), backups.left_in_pods()) == ([], set(), 1, [])
    assert unfinished_in(backups.dest) != []
    good(backups.run())
    assert (unfinished_in(backups.dest), backups.uploads(), len(sets_in(backups.dest))) == ([], 0, 1)


class Stream:
    """An interruption of ``cat``: it stays where it is, when some of it has come out, until ``go_on``."""

    def __init__(self) -> None:
        self.some, self.go_on = threading.Event(), threading.Event()

    def takes(self, request: Request) -> bool:
        """The stream of the snapshot."""
        return "cat" in request.command

    def before(self, _request: Request) -> None:
        """Nothing."""

    def after(self, _request: Request) -> None:
        """Nothing."""

    def flows(self, size: int) -> None:
        """Stay."""
        if size > MEBIBYTE:
            self.some.set()
            self.go_on.wait(100)


@pytest.mark.timeout(240)
def test_a_node_that_goes_away_in_the_middle_of_the_stream(place: Place) -> None:
    backups, stream = place("node"), Stream()
    with ApiFront(backups.hosted.bed.cluster) as front:
        front.add(stream)
        process = backups.start(front=front.kubeconfig)
        eventually("the stream", lambda: stream.some.is_set() or process.poll() is not None)
        backups.hosted.real.stop("kwok-0")
        try:
            stream.go_on.set()
            result = finish_module(process)
        finally:
            backups.hosted.real.resume("kwok-0")
    assert_told(result, "etcd-0", "before the command's end was reported")
    # The pod cannot be asked to remove the file, so the run is not forgotten, and the user knows.
    assert "snapshot-left-in-pod" in {finding["code"] for finding in result["findings"]}
    assert (sets_in(backups.dest), backups.snapshots(), backups.uploads()) == ([], set(), 0)
    assert unfinished_in(backups.dest) != []
    good(backups.run())
    assert (unfinished_in(backups.dest), backups.left_in_pods()) == ([], [])


@pytest.mark.timeout(240)
def test_an_etcd_that_goes_down_after_the_plan(place: Place) -> None:
    backups = place("down")
    real = backups.hosted.real
    with meeting(backups, runs("ls"), nth=2) as (gate, process):
        real.stop("etcd-0")
        try:
            gate()
            result = finish_module(process)
        finally:
            real.resume("etcd-0")
    failed(backups, result, "0 of 1 etcd members are healthy")
    outcomes = {step["id"]: step["outcome"] for step in result["steps"]}
    assert outcomes[f"snapshot:StatefulSet/{SMALL.control_plane_namespace}/etcd"] == "failed"
    assert (backups.snapshots(), backups.left_in_pods()) == (set(), [])


@contextmanager
def meeting(backups: Backups, matches: Callable[[Request], bool], nth: int = 1, **options: Any) -> Iterator[tuple[Callable[[], None], Any]]:
    """A backup that waits at a request; calling what is given lets it go on."""
    with WriteGate(backups.hosted.bed.cluster) as gate:
        held = gate.hold(matches, nth=nth, any_kind=True)
        process = backups.start(front=gate.kubeconfig, **options)
        eventually("the request to wait at", lambda: held.arrived or process.poll() is not None)
        yield held.release, process


@pytest.mark.timeout(240)
def test_a_pod_whose_disk_becomes_full(place: Place) -> None:
    backups = place("pod-disk")
    cluster, namespace = backups.hosted.bed.cluster, SMALL.control_plane_namespace
    inside = ("exec", "-n", namespace, "etcd-0", "-c", "etcd", "--")
    try:
        with meeting(backups, runs("snapshot", "save")) as (go_on, process):
            cluster.kubectl(*inside, "bash", "-c", "dd if=/dev/zero of=/tmp/ballast bs=1M count=500 2>/dev/null; true")
            go_on()
            result = finish_module(process)
    finally:
        cluster.kubectl(*inside, "rm", "-f", "/tmp/ballast")
    failed(backups, result, "etcd-0", "no space left on device", "room")
    assert (backups.snapshots(), backups.left_in_pods()) == (set(), [])


@pytest.mark.timeout(240)
def test_a_controller_whose_disk_becomes_full(place: Place) -> None:
    """After the snapshot: there was room for the set when it was planned."""
    backups = place("disk")
    backups.dest.mkdir(mode=0o700)
    within = [*entering(), "sh", "-c", SMALL_DISK, str(backups.dest)]
    with WriteGate(backups.hosted.bed.cluster) as gate:
        held = gate.hold(after_the_upload(gate), any_kind=True)
        process = backups.start(front=gate.kubeconfig, within=within)
        eventually("the end of the upload", lambda: held.arrived or process.poll() is not None)
        with (Path(f"/proc/{process.pid}/root{backups.dest}") / "ballast").open("wb", buffering=0) as ballast:
            fill_up(ballast)
        held.release()
        stdout, stderr = process.communicate(timeout=200)
    result = json.loads(stdout.splitlines()[-1])
    assert_told(result, "file system is full", "make room")
    # That snapshot is in the bucket, and of no use: the user is told how to remove it.
    (left,) = [finding for finding in result["findings"] if finding["code"] == "snapshot-without-set"]
    (stored,) = backups.snapshots()
    assert stored in left["remedy"]
    assert stderr.split() == ["ballast"]


def fill_up(ballast: Any) -> None:
    """Write until there is no room."""
    for size in (MEBIBYTE, 4096, 1):
        try:
            while ballast.write(b"x" * size):
                pass
        except OSError:
            continue


@pytest.mark.timeout(240)
def test_no_cluster_is_stopped_for_a_backup_that_may_not_be_stored(stopping_place: Place) -> None:
    """Last: the Lease that is written makes the next test wait for a new cluster."""
    backups = stopping_place("forbidden")
    cluster = backups.hosted.bed.cluster
    # Without kms:Decrypt, an upload may be begun, and its first part is refused.
    backups.aws.add(Fault("AccessDenied", operation="UploadPart", bucket=backups.bucket, times=-1))
    mark = cluster.mark()
    failed(backups, backups.run(mode="quiesce"), "s3:PutObject")
    # The Lease and the record of the run are all that was written.
    assert {event.resource for event in cluster.writes_since(mark) if event.resource != "pods/exec"} <= {"leases", "configmaps"}
    assert backups.uploads() == 0
