# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that do not end, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_pods import staying
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import pod

DELETED = {"deletionTimestamp": "2026-11-21T23:15:00Z", "deletionGracePeriodSeconds": 135}


def node(status: str) -> dict[str, Any]:
    """A node with that readiness."""
    return {
        "status": {
            "conditions": [{"type": "Ready", "status": status, "reason": "NodeStatusUnknown", "lastTransitionTime": "2026-11-21T22:00:00Z"}]
        }
    }


@pytest.mark.parametrize(
    ("metadata", "on", "why", "remedy"),
    [
        ({**DELETED, "finalizers": ["example.com/hold"]}, node("True"), "held by finalizer example.com/hold", "kubectl edit pod"),
        (DELETED, node("True"), "(grace period 135 s); its node node-0 is ready", "larger stop_timeout"),
        (DELETED, node("Unknown"), "not ready (NodeStatusUnknown since 2026-11-21T22:00:00Z)", "kubectl delete node node-0"),
        (DELETED, None, "node node-0 does not exist", "--force --grace-period=0"),
        ({}, node("True"), "nobody has deleted it", "kube-controller-manager"),
        ({"ownerReferences": []}, node("True"), "has no owner", "kubectl delete pod -n clusters-prod kube-apiserver-6f7d-0"),
        (
            {"ownerReferences": [{"kind": "Job", "name": "copy", "controller": True}]},
            node("True"),
            "belongs to Job copy",
            "stop Job copy",
        ),
    ],
    ids=["finalizer", "grace period", "node not ready", "node gone", "not deleted", "no owner", "another owner"],
)
def test_why_a_pod_stays(metadata: dict[str, Any], on: dict[str, Any] | None, why: str, remedy: str) -> None:
    told = staying(pod("kube-apiserver", **metadata), "kube-apiserver", on)
    assert str(told.ref) == "Pod clusters-prod/kube-apiserver-6f7d-0"
    assert why in told.why
    assert remedy in told.remedy


def test_a_pod_without_a_node_runs_nowhere() -> None:
    waiting = {**pod("kube-apiserver", **DELETED), "spec": {}}
    assert "it is on no node" in staying(waiting, "kube-apiserver", None).why
