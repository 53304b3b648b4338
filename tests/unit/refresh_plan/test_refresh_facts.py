# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw pods, reduced."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, ControllerRef, Verdict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import (
    failing_containers,
    is_over,
    is_ready,
    pod_facts,
)

STALE = Verdict("stale", "old")


def owner(kind: str, *, controls: bool = True) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": kind, "name": "web-5d4f", "uid": "u", "controller": controls}


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-5d4f-x", "namespace": "shop", "uid": "p", **metadata},
        "spec": {"containers": [{"name": "app"}, {"name": "sidecar"}]},
        "status": status or {},
    }


def running(ready: str, init: str = "", condition: str = "True") -> dict[str, Any]:
    """The status of a pod; a ``+`` for each container that is ready, a ``-`` for each other one."""
    return {
        "phase": "Running",
        "containerStatuses": [{"name": str(at), "ready": each == "+"} for at, each in enumerate(ready)],
        "initContainerStatuses": [{"name": str(at), "ready": each == "+"} for at, each in enumerate(init)],
        "conditions": [{"type": "Ready", "status": condition}],
    }


def test_a_pod_of_a_replica_set() -> None:
    labels = {"pod-template-hash": "5d4f"}
    found = pod_facts(
        pod(
            running("++"),
            labels=labels,
            annotations={TOKEN: "word"},
            ownerReferences=[owner("X", controls=False), owner("ReplicaSet")],
        ),
        STALE,
    )
    assert found.controller == ControllerRef("apps/v1", "ReplicaSet", "web-5d4f", "u")
    assert (found.revision, found.token, found.phase, found.ready, found.verdict) == ("5d4f", "word", "Running", True, STALE)
    assert not found.deleting
    assert not found.mirror


@pytest.mark.parametrize(
    ("labels", "kind", "revision"),
    [
        ({"controller-revision-hash": "web-77"}, "StatefulSet", "web-77"),
        ({"controller-revision-hash": "77", "pod-template-generation": "3"}, "DaemonSet", "3"),
        ({"rollouts-pod-template-hash": "9b"}, "ReplicaSet", "9b"),
        ({"deployment": "web-3"}, "ReplicationController", "web-5d4f"),
        ({}, "ReplicaSet", ""),
    ],
)
def test_what_tells_the_template(labels: dict[str, str], kind: str, revision: str) -> None:
    assert pod_facts(pod(labels=labels, ownerReferences=[owner(kind)]), STALE).revision == revision


def test_a_pod_without_controller_and_a_static_pod() -> None:
    assert pod_facts(pod(), STALE).controller is None
    static = pod_facts(pod(annotations={"kubernetes.io/config.mirror": "1"}, ownerReferences=[owner("Node")]), STALE)
    assert static.mirror


def test_pods_of_one_owner_share_its_reference() -> None:
    shared: dict[str, ControllerRef] = {}
    first, second = (pod_facts(pod(ownerReferences=[owner("ReplicaSet")]), STALE, shared) for _pod in range(2))
    assert first.controller is second.controller


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (running("++"), True),
        (running("++", init="+"), True),
        (running("++", init="-"), False),
        (running("+-"), False),
        (running("+"), False),
        (running("++", condition="False"), False),
        ({**running("++"), "phase": "Pending"}, False),
        ({}, False),
    ],
)
def test_ready_is_the_whole_of_it(status: dict[str, Any], ready: bool) -> None:
    assert is_ready(pod(status)) is ready


def container(name: str, *, ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


@pytest.mark.parametrize(
    ("container", "fails"),
    [
        (container("app", waiting={"reason": "ImagePullBackOff"}), True),
        (container("app", restarts=3, waiting={"reason": "CrashLoopBackOff"}), True),
        (container("app", restarts=3, running={}), True),
        (container("app", terminated={"exitCode": 1}), True),
        (container("app", terminated={"exitCode": 0}), False),
        (container("app", waiting={"reason": "PodInitializing"}), False),
        (container("app", waiting={"reason": "ContainerCreating"}), False),
        (container("app", waiting={}), False),
        (container("app", running={}), False),
        (container("app", ready=True, restarts=3, running={}), False),
    ],
)
def test_which_containers_do_not_come_up(container: dict[str, Any], fails: bool) -> None:
    status = {"containerStatuses": [{"name": "other", "ready": True}, container], "initContainerStatuses": None}
    assert failing_containers(pod(status)) == (("app",) if fails else ())
    assert failing_containers(pod({"initContainerStatuses": [container]})) == (("app",) if fails else ())
    assert pod_facts(pod(status), STALE).failing == (("app",) if fails else ())


def test_what_is_over() -> None:
    assert is_over(pod({"phase": "Succeeded"}))
    assert is_over(pod({"phase": "Failed"}))
    assert is_over(pod(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert not is_over(pod({"phase": "Pending"}))
