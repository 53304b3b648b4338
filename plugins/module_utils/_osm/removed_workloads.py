# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads that the new chart calls something else, or does not have any more: Helm deletes them. Pure.

osm-edge 1.2 calls the Deployment ``jaeger`` of 1.1 ``osm-jaeger`` and has no ``osm-multicluster-gateway`` (charts 1.1.3 and 1.2.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.third_party import third_parties
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

_KINDS = ("Deployment", "DaemonSet", "StatefulSet")
# What is gone with the pods; they keep it in memory or in an emptyDir.
_LOSSES = {
    "jaeger": "the traces that it has collected are lost: it keeps them in memory",
    "prometheus": "the metrics that it has collected are lost: it keeps them in the pod",
    "grafana": "dashboards and users that were made in it are lost: it keeps them in the pod",
    "multicluster-gateway": "requests from other clusters that go through it fail",
    "interceptor": "pods whose traffic it redirects lose that until they are restarted",
    "ingress": "requests from outside that go through it fail",
    "egress-gateway": "requests to the outside that go through it fail",
}


def removed_workloads(before: Sequence[Object], after: Sequence[Object], product: Product, namespace: str) -> list[Finding]:
    """Return a finding for each workload of the manifests ``before`` that those ``after`` do not have: ``renamed`` or ``removed``."""
    old, new = _names(before, namespace), _names(after, namespace)
    found = []
    for kind, name in sorted(old - new):
        ref = ObjectRef(kind, name, namespace)
        names = next((part.deployments for part in third_parties(product) if name in part.deployments), ())
        successor = next((other for other in names if (kind, other) in new), "")
        loss = _loss(name, product)
        if successor:
            what, why = f"it is called {successor} in the new chart", f"Helm creates {successor} and deletes {name}"
            remedy = "nothing to do for the mesh; whatever names it (scripts, dashboards, port forwards) must use the new name"
        else:
            what, why = "the new chart does not have it", "Helm deletes it"
            remedy = "nothing to do if that is meant; else look for the value that brings it (helm show values)"
        found.append(Finding("info", "renamed" if successor else "removed", ref, what, f"{why}; {loss}" if loss else why, remedy))
    return found


def _names(manifests: Sequence[Object], namespace: str) -> set[tuple[str, str]]:
    return {
        (str(item["kind"]), str(item["metadata"]["name"]))
        for item in manifests
        if item.get("kind") in _KINDS and (item["metadata"].get("namespace") or namespace) == namespace
    }


def _loss(name: str, product: Product) -> str:
    short = name.removeprefix(f"{product.name_prefix}-")
    return next((loss for part, loss in _LOSSES.items() if short == part or short.startswith(f"{part}-")), "")
