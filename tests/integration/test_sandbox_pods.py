# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that misbehave because of a label, with and without containers that an injector added."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from mesh_clusters import eventually
from sandboxlib.cluster import Cluster
from workload_objects import Object, bare_pod, behaving, deployment

# What an injector adds: the proxies of both families, as a container and as a native sidecar.
INJECTED = {
    "nothing": {},
    "sidecar": {
        "initContainers": [{"name": "osm-init", "image": "osm-init:1"}],
        "containers": [{"name": "app", "image": "web:1"}, {"name": "sidecar", "image": "pipy:1"}],
    },
    "native": {
        "initContainers": [
            {"name": "istio-init", "image": "proxyv2:1"},
            {"name": "istio-proxy", "image": "proxyv2:1", "restartPolicy": "Always"},
        ]
    },
}
every_injection = pytest.mark.parametrize("injected", INJECTED)


@pytest.fixture
def create(shared_cluster: Cluster, namespace: str) -> Callable[[Object], Callable[[], dict[str, Any]]]:
    """Creates an object; what it returns reads the first pod of the same name, as it is then."""

    def creates(item: Object) -> Callable[[], dict[str, Any]]:
        shared_cluster.kubectl("apply", "-f", "-", stdin=json.dumps(item))
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{item['metadata']['name']}"

        def pod() -> dict[str, Any]:
            found = shared_cluster.api.get(path)["items"]
            return found[0] if found else {"status": {}}

        return pod

    return creates


def state(pod: dict[str, Any], container: str) -> dict[str, Any]:
    """The status of a container, init containers too; empty when there is none."""
    statuses = [*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", [])]
    return next((status for status in statuses if status["name"] == container), {})


def ready(pod: dict[str, Any]) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))


def waits(pod: dict[str, Any], reason: str) -> bool:
    return state(pod, "app").get("state", {}).get("waiting", {}).get("reason") == reason


def injected_are_ready(pod: dict[str, Any]) -> bool:
    proxies = [state(pod, name) for name in ("sidecar", "istio-proxy")]
    return all(status["ready"] and "running" in status["state"] for status in proxies if status)


@every_injection
def test_a_slow_start_takes_the_seconds_of_its_annotation(create: Callable[..., Any], namespace: str, injected: str) -> None:
    read = create(bare_pod("web", namespace, pod=INJECTED[injected], **behaving("slow-start", 3)))
    eventually(lambda: read()["status"].get("phase") == "Running", "the pod does not run")
    pod = read()
    assert not ready(pod)
    assert injected_are_ready(pod)
    eventually(lambda: ready(read()), "the pod does not become ready")
    status = read()["status"]
    assert all(container["ready"] for container in status["containerStatuses"])
    (condition,) = [item for item in status["conditions"] if item["type"] == "Ready"]
    took = datetime.fromisoformat(condition["lastTransitionTime"]) - datetime.fromisoformat(status["startTime"])
    assert took >= timedelta(seconds=2)  # the times are in whole seconds


@every_injection
def test_a_pod_that_never_gets_ready_keeps_its_workload_waiting(create: Callable[..., Any], namespace: str, injected: str) -> None:
    read = create(deployment("web", namespace, pod=INJECTED[injected], **behaving("never-ready")))
    eventually(lambda: read()["status"].get("phase") == "Running", "the pod does not run")
    time.sleep(2)
    pod = read()
    assert not ready(pod)
    assert injected_are_ready(pod)
    (condition,) = [item for item in pod["status"]["conditions"] if item["type"] == "ContainersReady"]
    assert condition["message"] == "containers with unready status: [app]"


@every_injection
def test_a_crash_loop(shared_cluster: Cluster, create: Callable[..., Any], namespace: str, injected: str) -> None:
    read = create(deployment("web", namespace, pod=INJECTED[injected], **behaving("crash-loop")))
    eventually(lambda: waits(read(), "CrashLoopBackOff"), "the pod does not crash")
    pod = read()
    app = state(pod, "app")
    assert (app["restartCount"], app["lastState"]["terminated"]["exitCode"]) == (1, 1)
    assert injected_are_ready(pod)
    events = shared_cluster.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    assert "BackOff" in {event["reason"] for event in events if event["involvedObject"]["kind"] == "Pod"}


@every_injection
def test_an_image_that_cannot_be_pulled(shared_cluster: Cluster, create: Callable[..., Any], namespace: str, injected: str) -> None:
    read = create(deployment("web", namespace, pod=INJECTED[injected], **behaving("image-pull")))
    eventually(lambda: waits(read(), "ImagePullBackOff"), "the image was pulled")
    pod = read()
    assert pod["status"]["phase"] == "Pending"
    assert injected_are_ready(pod)
    events = shared_cluster.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    assert {"Error: ErrImagePull", "Error: ImagePullBackOff"} <= {event["message"] for event in events}


def test_a_slow_stop_takes_the_seconds_of_its_annotation(shared_cluster: Cluster, create: Callable[..., Any], namespace: str) -> None:
    read = create(bare_pod("web", namespace, **behaving("slow-stop", 3)))
    eventually(lambda: ready(read()), "the pod does not become ready")
    mark = shared_cluster.mark()
    shared_cluster.kubectl("delete", "pod", "web", "-n", namespace, "--wait=false")
    assert ready(read())
    eventually(lambda: not read()["status"], "the pod does not go")
    asked, done = [event for event in shared_cluster.audit_since(mark) if (event.verb, event.namespace) == ("delete", namespace)]
    assert done.timestamp - asked.timestamp > timedelta(seconds=2.9)


def test_pods_without_the_label_start_and_stop_at_once(shared_cluster: Cluster, create: Callable[..., Any], namespace: str) -> None:
    read = create(bare_pod("web", namespace))
    eventually(lambda: ready(read()), "the pod does not become ready")
    shared_cluster.kubectl("delete", "pod", "web", "-n", namespace, "--timeout=20s")
    assert not read()["status"]
