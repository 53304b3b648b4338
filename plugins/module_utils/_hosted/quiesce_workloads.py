# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads of a hosted control plane are stopped, in which order, and which pods are theirs. Pure.

What writes to etcd does so through an API server, so that etcd is quiet when those are gone; what runs EC2 instances or scales
the others up again is stopped before them (control-plane-operator/controllers/hostedcontrolplane/v2/assets).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, metadata_of, name_of

CONTROL_PLANE_OPERATOR = "control-plane-operator"
KUBE_APISERVER = "kube-apiserver"
# The first makes the others again, the second writes into the hosted cluster, the rest makes and ends machines.
CONTROLLERS = (
    CONTROL_PLANE_OPERATOR,
    "hosted-cluster-config-operator",
    "cluster-api",
    "capi-provider",
    "cluster-autoscaler",
    "machine-approver",
)
API_SERVERS = (KUBE_APISERVER, "openshift-apiserver", "openshift-oauth-apiserver")
ALL = (*CONTROLLERS, *API_SERVERS)
# The others have one replica whatever the availability is.
HIGHLY_AVAILABLE = frozenset(API_SERVERS)


class Workload(NamedTuple):
    """A Deployment as far as its pods are to be recognised: its selector, and the name that its ReplicaSets begin with."""

    name: str
    match_labels: Mapping[str, str]
    match_expressions: tuple[Mapping[str, Any], ...] = ()


def to_stop(inventory: Inventory, names: Iterable[str] = ALL) -> list[dict[str, Any]]:
    """Return those Deployments of ``names`` that exist, in this order."""
    there = {name_of(item): item for item in inventory.deployments}
    return [there[name] for name in names if name in there]


def workload_of(deployment: dict[str, Any]) -> Workload:
    """Return how its pods are recognised."""
    selector = mapping(deployment, "spec", "selector")
    return Workload(name_of(deployment), selector.get("matchLabels") or {}, tuple(selector.get("matchExpressions") or ()))


def owner_among(pod: dict[str, Any], workloads: Iterable[Workload]) -> str:
    """Return the name of the Deployment that a pod is of, "" when it is of none of them.

    By its owner, a ReplicaSet that is named after its Deployment and the hash of its template, or by the Deployment's selector:
    a pod without an owner (somebody took it away to look at it) still runs what it ran.
    """
    labels = metadata_of(pod).get("labels") or {}
    owner: dict[str, Any] = next((item for item in metadata_of(pod).get("ownerReferences") or () if item.get("controller")), {})
    template = labels.get("pod-template-hash")
    for workload in workloads:
        if template and owner.get("kind") == "ReplicaSet" and owner.get("name") == f"{workload.name}-{template}":
            return workload.name
    return next((workload.name for workload in workloads if _selects(workload, labels)), "")


def runs(pod: dict[str, Any]) -> bool:
    """Whether a pod may still do something: one that has ended does not, whoever keeps it."""
    return mapping(pod, "status").get("phase") not in ("Succeeded", "Failed")


def _selects(workload: Workload, labels: Mapping[str, str]) -> bool:
    if not workload.match_labels and not workload.match_expressions:
        return False
    return all(labels.get(key) == value for key, value in workload.match_labels.items()) and all(
        _fulfils(expression, labels) for expression in workload.match_expressions
    )


def _fulfils(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Label selectors as in apimachinery pkg/apis/meta/v1/types.go."""
    key, values = str(expression.get("key")), expression.get("values") or ()
    if expression.get("operator") == "Exists":
        return key in labels
    if expression.get("operator") == "DoesNotExist":
        return key not in labels
    if expression.get("operator") == "In":
        return labels.get(key) in values
    return labels.get(key) not in values
