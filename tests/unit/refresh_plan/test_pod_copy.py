# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a pod that is created again, and what would be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_copy import APPLIED, copy_of, risks
from ansible_collections.meshops.lifecycle.tests.unit.refresh_plan.scenes import RULES, ToyRules

TOKEN_MOUNT = {"name": "kube-api-access-x2x4z", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}


def live(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod as the API server returns it, with a sidecar."""
    app = {"name": "app", "image": "app:1", "volumeMounts": [TOKEN_MOUNT, {"name": "settings", "mountPath": "/etc/app"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "lonely",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "5",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{}],
            "labels": {"app": "lonely"},
            **(metadata or {}),
        },
        "spec": {
            "containers": [app, {"name": "sidecar", "image": "sidecar:1"}],
            "volumes": [{"name": TOKEN_MOUNT["name"], "projected": {}}, {"name": "settings", "configMap": {"name": "settings"}}],
            "nodeName": "node-1",
            "serviceAccount": "shop",
            "serviceAccountName": "shop",
            "restartPolicy": "Always",
            "priorityClassName": "high",
            "priority": 1000,
            "preemptionPolicy": "PreemptLowerPriority",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10},
            ],
            **spec,
        },
        "status": {"phase": "Running"},
    }


def test_a_live_pod_is_cleaned() -> None:
    assert copy_of(live(), RULES) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lonely", "namespace": "shop", "labels": {"app": "lonely"}},
        "spec": {
            "containers": [{"name": "app", "image": "app:1", "volumeMounts": [{"name": "settings", "mountPath": "/etc/app"}]}],
            "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
            "serviceAccountName": "shop",
            "restartPolicy": "Always",
            "priorityClassName": "high",
            "tolerations": [
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10}
            ],
        },
    }


def test_the_live_pod_stays_as_it_is() -> None:
    pod = live()
    copy_of(pod, RULES)
    assert pod == live()


def test_a_token_of_the_old_kind_is_left_out_and_a_volume_of_the_user_is_kept() -> None:
    old = {**TOKEN_MOUNT, "name": "shop-token-8xk2p"}
    own = {**TOKEN_MOUNT, "name": "my-token"}
    for mount, kept in ((old, []), (own, ["my-token"])):
        pod = live(containers=[{"name": "app", "volumeMounts": [mount]}], volumes=[{"name": mount["name"], "secret": {}}])
        assert [volume["name"] for volume in copy_of(pod, RULES)["spec"]["volumes"]] == kept


PROBE = {"httpGet": {"path": "/health", "port": 8080}}


def applied(**fields: Any) -> dict[str, str]:
    """The annotation of a pod that was applied; ``fields`` go into its spec."""
    containers = [{"name": "app", "image": "app:1", "readinessProbe": PROBE}]
    metadata = {"name": "lonely", "labels": {"app": "applied"}}
    return {APPLIED: json.dumps({"kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **fields}})}


class ProbesAreLost(ToyRules):
    """A mesh that has rewritten probes for good."""

    def strip(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        if any("readinessProbe" in container for container in pod["spec"]["containers"]):
            raise LifecycleError("The readinessProbe of container app cannot be restored", why="nobody knows it")
        return super().strip(pod)


def probed(image: str = "app:1") -> list[dict[str, Any]]:
    rewritten = {"httpGet": {"path": "/rewritten", "port": 15901}}
    return [{"name": "app", "image": image, "readinessProbe": rewritten}, {"name": "sidecar", "image": "sidecar:1"}]


def test_what_was_changed_since_it_was_applied_is_kept() -> None:
    annotations = applied()
    found = copy_of(live({"labels": {"app": "changed"}, "annotations": {**annotations, "mine": "2"}}, containers=probed("app:2")), RULES)
    assert found["metadata"] == {
        "name": "lonely",
        "namespace": "shop",
        "labels": {"app": "changed"},
        "annotations": {**annotations, "mine": "2"},
    }
    assert [container["image"] for container in found["spec"]["containers"]] == ["app:2"]


def test_probes_come_back_from_what_was_applied() -> None:
    (container,) = copy_of(live({"annotations": applied()}, containers=probed()), ProbesAreLost())["spec"]["containers"]
    assert container == {"name": "app", "image": "app:1", "readinessProbe": PROBE, "volumeMounts": []}


def test_a_container_that_was_added_keeps_its_own_probe() -> None:
    added = {"name": "added", "image": "added:1", "readinessProbe": {"exec": {"command": ["true"]}}}
    found = copy_of(live({"annotations": applied()}, containers=[*probed(), added]), RULES)
    probes = {container["name"]: container["readinessProbe"] for container in found["spec"]["containers"]}
    assert probes == {"app": PROBE, "added": added["readinessProbe"]}


@pytest.mark.parametrize(
    ("image", "containers", "word"),
    [
        ("app:2", [{"name": "app", "image": "app:1"}], "container app runs app:2, not app:1"),
        ("app:1", [{"name": "app", "image": "app:1"}, {"name": "other", "image": "app:1"}], "has no container other"),
    ],
)
def test_probes_of_another_pod_are_not_used(image: str, containers: list[dict[str, Any]], word: str) -> None:
    pod = live({"annotations": applied(containers=containers)}, containers=probed(image))
    with pytest.raises(LifecycleError, match=word):
        copy_of(pod, ProbesAreLost())


def test_probes_that_nobody_knows_are_told() -> None:
    with pytest.raises(LifecycleError, match="nobody knows it"):
        copy_of(live(containers=probed()), ProbesAreLost())


def test_a_node_that_the_user_has_chosen_stays() -> None:
    assert copy_of(live({"annotations": applied(nodeName="node-1")}, containers=probed()), RULES)["spec"]["nodeName"] == "node-1"


def test_the_address_of_the_old_pod_is_left_out() -> None:
    found = copy_of(live({"annotations": {"cni.projectcalico.org/podIP": "10.0.0.1/32", "mine": "1"}}), RULES)
    assert found["metadata"]["annotations"] == {"mine": "1"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "Pod", "metadata": {"name": "another"}, "spec": {"containers": [{}]}}'])
def test_what_was_applied_to_something_else_is_not_used(text: str) -> None:
    found = copy_of(live({"annotations": {APPLIED: text, "mine": "1"}}), RULES)
    assert found["metadata"]["annotations"] == {"mine": "1"}
    assert found["spec"]["serviceAccountName"] == "shop"


@pytest.mark.parametrize(
    ("metadata", "spec", "word"),
    [
        ({}, {"volumes": [{"name": "b", "emptyDir": {}}, {"name": "a", "ephemeral": {}}]}, "the data in volumes a, b"),
        ({}, {"volumes": [{"name": "a", "hostPath": {"path": "/data"}}]}, "the files of node node-1"),
        ({}, {"ephemeralContainers": [{"name": "debug"}]}, "debug containers"),
        ({}, {"restartPolicy": "Never"}, "restartPolicy Never"),
        ({}, {"restartPolicy": "OnFailure"}, "restartPolicy OnFailure"),
        ({"generateName": "lonely-"}, {}, "name was generated"),
        ({"ownerReferences": [{"kind": "Thing", "name": "x"}]}, {}, "belongs to Thing x"),
        ({"finalizers": ["example.com/keep"]}, {}, "example.com/keep"),
    ],
)
def test_what_would_be_lost(metadata: dict[str, Any], spec: dict[str, Any], word: str) -> None:
    pod = live(metadata, **spec)
    (risk,) = risks(pod, copy_of(pod, RULES))
    assert word in risk


def test_nothing_is_lost() -> None:
    pod = live(volumes=[{"name": "a", "hostPath": {"path": "/data"}}], nodeSelector={"kubernetes.io/hostname": "node-1"})
    assert risks(pod, copy_of(pod, RULES)) == ()
    assert risks(live(), copy_of(live(), RULES)) == ()
