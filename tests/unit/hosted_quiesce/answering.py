# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API server that answers from an inventory, as far as somebody asks who waits until everything has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import ALL, Workload, owner_among
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.tests.unit.hosted_quiesce.clusters_to_stop import Object, inventory


class Answering:
    """Answers from ``of``, which a test changes; counts how often pods were listed."""

    def __init__(self, of: Inventory) -> None:
        self.of = of
        self.looks = 0

    def annotate(self, text: str | None) -> None:
        """Write the record, or take it away."""
        annotations = {} if text is None else {PRIOR_ANNOTATION: text}
        found = self.of.hosted_cluster
        self.of = replace(self.of, hosted_cluster={**found, "metadata": {**found["metadata"], "annotations": annotations}})

    def list(self, kind: Kind, namespace: str) -> Iterator[Object]:
        self.looks += kind.kind == "Pod"
        found = {"Pod": self.of.pods, "Deployment": self.of.deployments, "NodePool": self.of.node_pools}[kind.kind]
        yield from (item for item in found if item["metadata"]["namespace"] == namespace)

    def get(self, kind: Kind, name: str, namespace: str, *, metadata_only: bool = False) -> Object:
        found = self.of.hosted_cluster
        assert (kind.kind, name, namespace) == (found["kind"], found["metadata"]["name"], found["metadata"]["namespace"])
        return {"metadata": found["metadata"]} if metadata_only else found

    def get_or_none(self, kind: Kind, name: str, _namespace: str | None = None) -> Object | None:
        return next((item for item in self.of.of("clusters") if (item["kind"], name_of(item)) == (kind.kind, name)), None)

    def within(self, _seconds: float) -> Answering:
        return self


def stopped(*, pods_of: tuple[str, ...] = (), **options: Any) -> Inventory:
    """A hosted cluster that is paused and at 0; only pods of these Deployments are left, and they are to be deleted."""
    made = inventory(paused_until="true", pools={"prod-a": "true", "prod-b": "true"}, cluster_paused=True, **options)
    left = [Workload(name, {"app": name}) for name in pods_of]
    return replace(
        made,
        deployments=tuple({**item, "spec": {**item["spec"], "replicas": 0}} if name_of(item) in ALL else item for item in made.deployments),
        pods=tuple(
            {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-11-21T23:15:00Z", "finalizers": ["example.com/hold"]}}
            for pod in made.pods
            if owner_among(pod, left)
        ),
    )
