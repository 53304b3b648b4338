# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control planes that do not come up, as a test can make them: what pods, logs and Events then say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mesh_by_hand import MESH, Manifest, crash, enrol, newest_pod, pod, state, wait, waits_with
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

_FATAL = "FatalInvalidCLIParameters"


@pytest.fixture(scope="module")
def small(sandbox_home: Path) -> Iterator[Cluster]:
    """A cluster with little room and an osm-edge 1.2.3 mesh, which each test of this module leaves as it was."""
    cluster = Cluster("standin-failures", sandbox_home)
    try:
        cluster.up(Options(mesh="osm-edge=1.2.3", nodes=2, node_cpu="2", node_memory="4Gi"))
        yield cluster
    finally:
        cluster.down()


def patch(cluster: Cluster, deployment: str, *operations: Manifest) -> None:
    cluster.kubectl("patch", "deployment", deployment, *MESH, "--type=json", "-p", json.dumps(operations))


def without(cluster: Cluster, deployment: str, flag: str) -> None:
    """Take a flag and its value from the command line of a program."""
    path = f"/apis/apps/v1/namespaces/osm-system/deployments/{deployment}"
    containers = cluster.api.get(path)["spec"]["template"]["spec"]["containers"]
    index = next(index for index, entry in enumerate(containers) if entry["name"] == deployment)
    args = containers[index]["args"]
    position = args.index(flag)
    where = f"/spec/template/spec/containers/{index}/args"
    patch(cluster, deployment, {"op": "replace", "path": where, "value": args[:position] + args[position + 2 :]})


def undo(cluster: Cluster, deployment: str) -> None:
    cluster.kubectl("rollout", "undo", "deployment", deployment, *MESH)
    cluster.kubectl("rollout", "status", "deployment", deployment, *MESH, "--timeout=60s")


def warnings(cluster: Cluster, name: str) -> list[Manifest]:
    """The Warning Events about a pod."""
    items = cluster.api.get("/api/v1/namespaces/osm-system/events")["items"]
    return [item for item in items if item["type"] == "Warning" and item["involvedObject"]["name"] == name]


@pytest.mark.parametrize(
    ("program", "flag", "error"),
    [
        ("osm-injector", "--mesh-name", "Please specify the mesh name using --mesh-name"),
        ("osm-controller", "--validator-webhook-config", "Please specify the webhook configuration name using --validator-webhook-config"),
    ],
)
def test_parameter_that_is_missing(small: Cluster, program: str, flag: str, error: str) -> None:
    """osm-edge v1.3.9 cmd/osm-injector/osm-injector.go and cmd/osm-controller/osm-controller.go ``validateCLIParams``."""
    without(small, program, flag)
    crashing, log = crash(small, program)
    assert {key: log[key] for key in ("level", "error", "reason", "message")} == {
        "level": "fatal", "error": error, "reason": _FATAL, "message": "Error validating CLI parameters",
    }  # fmt: skip
    name = crashing["metadata"]["name"]
    event = next(item for item in warnings(small, name) if item["reason"] == _FATAL)
    assert (event["message"], event["source"]["component"]) == ("Error validating CLI parameters", "osm-controller")
    status = state(crashing, program)
    assert (status["ready"], status["lastState"]["terminated"]["exitCode"]) == (False, 1)
    assert status["restartCount"] >= 1
    assert error in small.kubectl("logs", *MESH, name, "-c", program, "--previous")
    # The old pod goes on serving.
    assert sorted(line.split()[2] for line in _listed(small, program)) == ["CrashLoopBackOff", "Running"]
    undo(small, program)


def test_bootstrap_without_a_namespace_panics_before_it_can_record_an_event(small: Cluster) -> None:
    """osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go ``main``; pkg/k8s/events/events.go ``waitForFatalEvent`` (no watcher yet)."""
    without(small, "osm-bootstrap", "--osm-namespace")
    crashing = wait("the crash loop", lambda: waits_with(small, "osm-bootstrap", "CrashLoopBackOff"))
    log = small.kubectl("logs", *MESH, crashing["metadata"]["name"])
    assert "EventRecorder is uninitialized" in log
    assert "panic: runtime error: invalid memory address or nil pointer dereference" in log
    assert state(crashing, "osm-bootstrap")["lastState"]["terminated"]["exitCode"] == 2
    assert {item["reason"] for item in warnings(small, crashing["metadata"]["name"])} <= {"BackOff"}
    undo(small, "osm-bootstrap")


def test_image_that_does_not_know_a_flag_of_the_chart(small: Cluster) -> None:
    """github.com/spf13/pflag ``ExitOnError``; --trust-domain came with 1.2."""
    small.kubectl("set", "image", "deployment/osm-injector", *MESH, "osm-injector=flomesh/osm-edge-injector:1.1.1")
    crashing = wait("the crash loop", lambda: waits_with(small, "osm-injector", "CrashLoopBackOff"))
    lines = small.kubectl("logs", *MESH, crashing["metadata"]["name"]).splitlines()
    assert (lines[1], lines[-1]) == ("unknown flag: --trust-domain", "unknown flag: --trust-domain")
    assert state(crashing, "osm-injector")["lastState"]["terminated"]["exitCode"] == 2
    undo(small, "osm-injector")


def test_everything_waits_for_a_bootstrap_that_crashes(small: Cluster) -> None:
    """osm-edge v1.3.9 charts/osm/templates/osm-injector-deployment.yaml (``init-osm-injector``)."""
    small.kubectl("scale", "deployment", "osm-bootstrap", *MESH, "--replicas=0")
    wait("the bootstrap to go", lambda: not _listed(small, "osm-bootstrap"))
    small.kubectl("set", "image", "deployment/osm-bootstrap", *MESH, "osm-bootstrap=flomesh/osm-edge-bootstrap:1.1.1")
    small.kubectl("scale", "deployment", "osm-bootstrap", *MESH, "--replicas=1")
    small.kubectl("rollout", "restart", "deployment", "osm-injector", *MESH)
    wait("Init:0/1", lambda: any("Init:0/1" in line for line in _listed(small, "osm-injector")))
    wait("the crash loop", lambda: waits_with(small, "osm-bootstrap", "CrashLoopBackOff"))
    waiting = newest_pod(small, "osm-injector")
    assert state(waiting, "init-osm-injector")["state"].keys() == {"running"}
    assert state(waiting, "osm-injector")["state"]["waiting"]["reason"] == "PodInitializing"
    conditions = {entry["type"]: (entry["status"], entry.get("reason")) for entry in waiting["status"]["conditions"]}
    assert conditions["Initialized"] == ("False", "ContainersNotInitialized")
    with pytest.raises(SandboxError, match="is waiting to start: PodInitializing"):
        small.kubectl("logs", *MESH, waiting["metadata"]["name"], "-c", "osm-injector")
    undo(small, "osm-bootstrap")
    small.kubectl("rollout", "status", "deployment", "osm-injector", *MESH, "--timeout=60s")


@pytest.mark.parametrize("image", ["flomesh/osm-edge-injector:1.2.3-missing", "unreachable.invalid/osm-edge-injector:1.2.3"])
def test_image_that_cannot_be_pulled(small: Cluster, image: str) -> None:
    """What a kubelet says of it; tests/sandbox/stages/pod-image-missing.yaml."""
    small.kubectl("set", "image", "deployment/osm-injector", *MESH, f"osm-injector={image}")
    blocked = wait("the back-off", lambda: waits_with(small, "osm-injector", "ImagePullBackOff"))
    assert state(blocked, "osm-injector")["state"]["waiting"]["message"] == f'Back-off pulling image "{image}"'
    assert blocked["status"]["phase"] == "Pending"
    conditions = {entry["type"]: entry.get("message") for entry in blocked["status"]["conditions"]}
    assert conditions["Ready"] == "containers with unready status: [osm-injector]"
    assert "Error: ErrImagePull" in {item["message"] for item in warnings(small, blocked["metadata"]["name"])}
    with pytest.raises(SandboxError, match="is waiting to start: ImagePullBackOff"):
        small.kubectl("logs", *MESH, blocked["metadata"]["name"])
    undo(small, "osm-injector")


def test_image_of_an_application_that_cannot_be_pulled(small: Cluster) -> None:
    """A kubelet starts init containers one after the other, and containers after them."""
    namespace = enrol(small, "app", sidecar_injection="disabled")
    spec = pod("web", namespace, initContainers=[{"name": "first", "image": "app:1"}, {"name": "second", "image": "other-missing:1"}])
    small.kubectl("create", "-f", "-", stdin=json.dumps(spec))
    wait("the back-off", lambda: "Init:ImagePullBackOff" in small.kubectl("get", "pods", "-n", namespace))
    found = small.api.get(f"/api/v1/namespaces/{namespace}/pods/web")
    assert state(found, "first")["state"]["terminated"]["exitCode"] == 0
    assert state(found, "app")["state"]["waiting"]["reason"] == "PodInitializing"


def test_no_room(small: Cluster) -> None:
    """The real scheduler; the chart's controller asks for half a CPU."""
    request = {"op": "replace", "path": "/spec/template/spec/containers/1/resources/requests/cpu", "value": "2500m"}
    limit = {"op": "replace", "path": "/spec/template/spec/containers/1/resources/limits/cpu", "value": "2500m"}
    patch(small, "osm-controller", limit, request)
    pending = wait("a pod without a node", lambda: _unschedulable(newest_pod(small, "osm-controller")))
    (condition,) = [entry for entry in pending["status"]["conditions"] if entry["type"] == "PodScheduled"]
    assert "0/2 nodes are available: 2 Insufficient cpu" in condition["message"]
    name = pending["metadata"]["name"]
    events = wait("the scheduler's Event", lambda: [item for item in warnings(small, name) if item["reason"] == "FailedScheduling"])
    assert "Insufficient cpu" in events[0].get("message", events[0].get("note"))
    undo(small, "osm-controller")


def _listed(cluster: Cluster, app: str) -> list[str]:
    return cluster.kubectl("get", "pods", *MESH, "-l", f"app={app}", "--no-headers").splitlines()


def _unschedulable(found: Manifest) -> Manifest:
    """The pod if the scheduler has found no node for it."""
    conditions = found["status"].get("conditions", [])
    return found if any(entry.get("reason") == "Unschedulable" for entry in conditions) else {}
