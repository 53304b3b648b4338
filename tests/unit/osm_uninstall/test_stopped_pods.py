# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of a control plane that do not go, and why: what a sandbox cannot play, its nodes never fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_stop import StoppedPods
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress

Object = dict[str, Any]
SINCE = "2026-01-02T03:04:05Z"


class Cluster:
    """Answers what is asked of an API server here, from what the test has put into it."""

    def __init__(self, pods: list[Object], **others: Object) -> None:
        self._pods, self._others = pods, others

    def list(self, kind: Kind, namespace: str) -> Iterator[Object]:
        yield from (pod for pod in self._pods if (kind.kind, namespace) == ("Pod", "osm-system"))

    def within(self, _seconds: float) -> Cluster:
        return self

    def get_or_none(self, kind: Kind, name: str, _namespace: str | None) -> Object | None:
        found = self._others.get(name)
        return found if found is not None and found["kind"] == kind.kind else None


def pod(name: str, node: str = "", *, deleted: bool = True, owner: Object | None = None, job: str = "", app: str = "") -> Object:
    metadata: Object = {"name": name, "uid": name, "labels": {"job-name": job} if job else {"app": app or "osm-bootstrap"}}
    if deleted:
        metadata |= {"deletionTimestamp": SINCE}
    if owner is not None:
        metadata["ownerReferences"] = [{"controller": True, **owner}]
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}, "status": {"phase": "Running"}}


def node(status: str) -> Object:
    condition = {"type": "Ready", "status": status, "lastTransitionTime": SINCE, "reason": "NodeStatusUnknown"}
    return {"kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [condition]}}


def stuck(*pods: Object, **others: Object) -> StepFailed:
    """What is told about these pods when they do not go."""
    watched = StoppedPods(Cluster([*pods], **others), "osm-system", ("osm-bootstrap",), ("osm-cleanup",))
    with pytest.raises(StepFailed) as failed:
        watched.wait_until_gone(Deadline(0.01), 0.0, Progress())
    assert "so nothing else was removed" in failed.value.state
    return failed.value


def test_a_node_that_is_lost() -> None:
    error = stuck(pod("a", "n1"), n1=node("Unknown"))
    assert f"its node n1 is not ready since {SINCE} (NodeStatusUnknown)" in error.why
    assert "bring node n1 back" in error.next
    assert "kubectl delete node n1" in error.next


@pytest.mark.parametrize(
    ("item", "others", "words"),
    [
        (pod("a", "n1"), {"n1": node("True")}, "its node n1 is ready and has not ended it"),
        (pod("a", "n1"), {}, "its node n1 cannot be read, or does not exist"),
        (pod("a"), {}, f"Pod osm-system/a should have gone at {SINCE}"),
        (pod("a", deleted=False), {}, "has no owner that could be scaled"),
        (pod("a", deleted=False, owner={"kind": "StatefulSet", "name": "s"}), {}, "StatefulSet osm-system/s wants it"),
        (
            pod("a", deleted=False, owner={"kind": "ReplicaSet", "name": "orphan"}),
            {"orphan": {"kind": "ReplicaSet", "metadata": {"name": "orphan"}, "spec": {"replicas": 2}}},
            "ReplicaSet osm-system/orphan wants 2",
        ),
        (pod("hook", "n1", job="osm-cleanup"), {"n1": node("True")}, "Pod osm-system/hook should have gone"),
    ],
)
def test_other_reasons(item: Object, others: dict[str, Object], words: str) -> None:
    assert words in stuck(item, **others).why


def test_what_is_not_waited_for() -> None:
    ended = {**pod("done"), "status": {"phase": "Succeeded"}}
    cluster = Cluster([ended, pod("web", app="shop")])
    StoppedPods(cluster, "osm-system", ("osm-bootstrap",), ()).wait_until_gone(Deadline(0.01), 0.0, Progress())
