# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosted clusters that are stopped: in which order, killed on the way, worked against, and brought back by the commands that are given."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faults.front import ApiFront
from faults.request import Request
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import Pool, Shape
from hosted_clusters import ManagementCluster
from quiesce_by_hand import NAME, start, stop
from sandboxlib.errors import SandboxError
from stopped_clusters import annotations_of, inside, look, pod_that_stays, run_commands
from stopped_clusters import path as path_of
from write_gate import WriteGate

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT, PRIOR_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior, prior_from_json, prior_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_resume import resume_commands
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import ALL, API_SERVERS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError, StepFailed

Object = dict[str, Any]
EVERY_WRITE = os.environ.get("MESHOPS_ALL_FAULTS", "0") not in ("", "0")
POOLS = (Pool("quiet-a", 1), Pool("quiet-b", 1, autoscaling=(1, 3)))
# Unequal numbers, and one that is at 0 by itself.
SHAPE = Shape(
    "quiet", pools=POOLS, availability="SingleReplica", replicas={"kube-apiserver": 2, "openshift-apiserver": 3, "cluster-autoscaler": 0}
)
REPLICAS = {**dict.fromkeys(ALL, 1), **SHAPE.replicas}
TARGET = Target(SHAPE.namespace, SHAPE.name)
CPNS = SHAPE.control_plane_namespace
UNTIL = "2031-01-01T00:00:00Z"


def eventually(what: str, holds: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.2)


def path(kind: str, name: str = "") -> str:
    """Where an object of the hosted cluster is."""
    return path_of(SHAPE, kind, name)


class Quiet:
    """The hosted cluster of these tests, which is as at first when a test begins."""

    def __init__(self, hosted: Hosted) -> None:
        self.hosted, self.cluster = hosted, hosted.bed.cluster
        self.first = look(hosted)

    @property
    def prior(self) -> Prior:
        """What is on record."""
        return prior_from_json(self.cluster.api.get(path("HostedCluster", SHAPE.name))["metadata"]["annotations"][PRIOR_ANNOTATION])

    def replicas(self) -> dict[str, int]:
        """Of each Deployment that is stopped, how many it wants."""
        items = self.cluster.api.get(path("Deployment"))["items"]
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items if item["metadata"]["name"] in ALL}

    def resume(self, directory: Path) -> None:
        """Run the commands that are given."""
        run_commands(self.hosted, resume_commands(TARGET, self.prior, marker=NAME), directory)

    def patch(self, kind: str, name: str, body: Object) -> None:
        """Change something, and be nobody."""
        with self.hosted.bed.writer() as writer:
            writer.patch(path(kind, name), body)


@pytest.fixture(scope="module")
def made(management_cluster: ManagementCluster) -> Quiet:
    hosted = management_cluster.hosted(SHAPE, real=Image())
    quiet = Quiet(hosted)
    quiet.patch("HostedCluster", SHAPE.name, {"spec": {"pausedUntil": "false"}})
    quiet.patch("NodePool", "quiet-b", {"spec": {"pausedUntil": UNTIL}})
    quiet.first = look(hosted)
    return quiet


@pytest.fixture
def quiet(made: Quiet, tmp_path: Path) -> Iterator[Quiet]:
    yield made
    if PRIOR_ANNOTATION in annotations_of(made.cluster.api.get(path("HostedCluster", SHAPE.name))):
        made.resume(tmp_path / "afterwards")
        made.hosted.wait_for_pods()


def stop_it(quiet: Quiet, **options: Any) -> Any:
    """Stop the cluster in this process."""
    return stop(str(quiet.cluster.kubeconfig), SHAPE.namespace, SHAPE.name, **options)


@pytest.mark.timeout(240)
def test_check_mode_tells_everything_and_writes_nothing(quiet: Quiet) -> None:
    mark = quiet.cluster.mark()
    report = stop_it(quiet, check=True)
    assert [outcome.outcome for outcome in report.outcomes] == ["would_do"] * (2 + 4 + len(ALL) - 1 + 2)
    assert quiet.cluster.writes_since(mark) == []
    assert look(quiet.hosted) == quiet.first


@pytest.mark.timeout(240)
def test_a_cluster_is_stopped_and_comes_back_as_it_was(quiet: Quiet, tmp_path: Path) -> None:
    mark = quiet.cluster.mark()
    report = stop_it(quiet)
    assert [finding.code for finding in report.findings] == ["paused-until-a-time"]
    written = [(event.verb, event.name) for event in quiet.cluster.writes_since(mark, user="sandbox-admin")]
    stopped = [name for name in ALL if REPLICAS[name]]
    assert [name for _verb, name in written[-len(stopped) :]] == stopped
    assert written[:2] == [("patch", SHAPE.name)] * 2
    assert set(written[2 : -len(stopped)]) == {("patch", name) for name in ("quiet-a", "quiet-b", SHAPE.infra_id)}
    assert quiet.replicas() == dict.fromkeys(ALL, 0)
    pods = quiet.cluster.api.get(path("Pod"))["items"]
    assert {pod["metadata"]["labels"]["app"] for pod in pods} & set(ALL) == set()
    eventually("the end of the hosted API server", lambda: not answers(quiet))

    # Again: nothing is written, and zero is not taken for what was there.
    mark = quiet.cluster.mark()
    again = stop_it(quiet, run_id="run-2")
    assert [finding.code for finding in again.findings] == ["recorded-before"]
    assert (quiet.cluster.writes_since(mark), again.outcomes) == ([], [])
    assert quiet.prior.replicas == REPLICAS
    assert prior_of(again.observed.inventory) == quiet.prior

    quiet.resume(tmp_path)
    assert look(quiet.hosted) == quiet.first
    quiet.hosted.wait_for_pods()


def answers(quiet: Quiet) -> bool:
    """Whether the hosted cluster's API does."""
    try:
        inside(quiet.hosted, "get", "--raw", "/readyz")
    except SandboxError:
        return False
    return True


def any_write(_request: Request) -> bool:
    return True


def scaled(name: str) -> Callable[[Request], bool]:
    """The write that scales a Deployment."""
    return lambda request: (request.resource, request.name) == ("deployments", name)


# The record, the first pause, the first Deployment that is stopped, the first one of the API servers, the last of all.
SOME_WRITES = (any_write, any_write, scaled(ALL[0]), scaled("kube-apiserver"), scaled(ALL[-1]))


@pytest.mark.timeout(300)
def test_runs_that_are_killed_end_as_one_that_was_not(quiet: Quiet, tmp_path: Path) -> None:
    killed: list[str] = []
    with WriteGate(quiet.cluster) as gate:
        # What a run does that is killed before a write is what the one before has done when it was killed after its own.
        for matches in itertools.repeat(any_write) if EVERY_WRITE else SOME_WRITES:
            write = killed_after(gate, matches, f"run-{len(killed)}")
            if write is None:
                break
            killed.append(f"{write.resource}/{write.name}")
    assert killed[:2] == [f"hostedclusters/{SHAPE.name}"] * 2
    assert killed[-1] == f"deployments/{ALL[-1]}"
    stop_it(quiet, run_id="run-last")
    prior = quiet.prior
    assert (prior.run_id, prior.replicas) == ("run-0", REPLICAS)
    assert (prior.paused_until, prior.node_pools, prior.cluster_paused) == ("false", {"quiet-a": None, "quiet-b": UNTIL}, None)
    assert prior.marker.state == "absent"
    assert quiet.replicas() == dict.fromkeys(ALL, 0)
    quiet.resume(tmp_path)
    assert look(quiet.hosted) == quiet.first


def killed_after(gate: WriteGate, matches: Callable[[Request], bool], run_id: str) -> Request | None:
    """Start a run and kill it when it has made its first write that matches; None when it came to its end without one."""
    held = gate.hold(matches, committed=True)
    process = start(str(gate.kubeconfig), SHAPE.namespace, SHAPE.name, run_id=run_id)
    eventually("the first write", lambda: held.arrived or process.poll() is not None)
    if held.arrived:
        os.kill(process.pid, signal.SIGKILL)
    _output, errors = process.communicate()
    held.drop()
    assert held.arrived or process.returncode == 0, errors
    return held.write if held.arrived else None


RESOURCES = {"Deployment": "deployments.apps", "Cluster": "clusters.cluster.x-k8s.io"}
# Each one in its own way; the others of quiesce_wait.py are unit tests.
AGAINST: tuple[tuple[str, str, Object, str], ...] = (
    ("Deployment", "capi-provider", {"spec": {"replicas": 2}}, "was scaled to 2 again by somebody"),
    ("Cluster", SHAPE.infra_id, {"spec": {"paused": False}}, f"pause of Cluster {CPNS}/{SHAPE.infra_id} was taken back by somebody"),
    ("NodePool", "quiet-b", {"spec": {"pausedUntil": UNTIL}}, "pause of NodePool clusters/quiet-b was taken back by somebody"),
    (
        "HostedCluster",
        SHAPE.name,
        {"metadata": {"annotations": {PRIOR_ANNOTATION: None}}},
        "HostedCluster clusters/quiet is gone or was changed",
    ),
)


@pytest.mark.timeout(240)
def test_a_pod_that_stays_is_named_and_who_works_against_it_too(quiet: Quiet, tmp_path: Path) -> None:
    with pod_that_stays(quiet.hosted, "cluster-api") as name:
        with pytest.raises(StepFailed) as failed:
            stop_it(quiet, stop_timeout=2.0)
        assert name in failed.value.msg
        assert "example.com/hold" in failed.value.why
        prior = quiet.prior
        assert prior.replicas == REPLICAS
        for change in AGAINST:
            ended = works_against(quiet, *change)
            # Nothing that the controllers might start again was stopped.
            assert {app: quiet.replicas()[app] for app in API_SERVERS} == {app: REPLICAS[app] for app in API_SERVERS}
        # The last one took the record away, and is told how it is put back.
        assert PRIOR_ANNOTATION not in annotations_of(quiet.cluster.api.get(path("HostedCluster", SHAPE.name)))
        put_back = ended.next.partition("put it back: ")[2].partition("; then run")[0]
        run_commands(quiet.hosted, [put_back], tmp_path / "back")
        assert quiet.prior == prior


def works_against(quiet: Quiet, kind: str, name: str, change: Object, told: str) -> LifecycleError:
    """Change something while a run waits for pods; how it has ended."""
    with ThreadPoolExecutor(1) as pool, ApiFront(quiet.cluster) as front:
        run = pool.submit(stop, str(front.kubeconfig), SHAPE.namespace, SHAPE.name, stop_timeout=120.0)
        # It has everything stopped, and looks again and again.
        eventually("a look at the pods", lambda: run.done() or looks(front) > 1)
        place = CPNS if kind in RESOURCES else SHAPE.namespace
        resource = RESOURCES.get(kind, f"{kind.lower()}s.{HYPERSHIFT}")
        arguments = ["--type", "merge", "-p", json.dumps(change), "--field-manager", "somebody"]
        quiet.cluster.kubectl("patch", resource, "-n", place, name, *arguments)
        with pytest.raises((StepFailed, Interrupted), match=told) as ended:
            run.result(timeout=100)
    return ended.value


def looks(front: ApiFront) -> int:
    """How often a run has looked at the pods alone: when it reads everything, it reads machines before it reads pods again."""
    read = [request.resource for request in list(front.requests) if request.method == "GET" and request.resource in ("pods", "awsmachines")]
    return len(list(itertools.takewhile(lambda resource: resource == "pods", reversed(read))))


@pytest.mark.timeout(240)
def test_a_cluster_whose_api_is_dead_is_stopped_all_the_same(quiet: Quiet, tmp_path: Path) -> None:
    quiet.hosted.real.stop("kube-apiserver")
    report = stop_it(quiet)
    assert [finding.code for finding in report.findings if finding.severity == "warning"] == ["marker-not-written"]
    assert quiet.replicas() == dict.fromkeys(ALL, 0)
    assert quiet.prior.marker.state == "unknown"
    quiet.resume(tmp_path)
    quiet.hosted.wait_for_pods()
    quiet.hosted.real.resume("kube-apiserver")
    assert look(quiet.hosted) == quiet.first
