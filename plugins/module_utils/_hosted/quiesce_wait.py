# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until what was stopped has ended, and notice at once when somebody starts or un-pauses it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, metadata_of, name_of, ref_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import HOSTED_CLUSTER, NODE_POOL, cluster_api
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_pods import staying
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import cluster_paused, paused_for_good
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import (
    ALL,
    Workload,
    owner_among,
    runs,
    to_stop,
    workload_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer, owner_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NODE, POD, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress

_Object = dict[str, Any]
_INTERVAL = 1.0
_SHOWN = 5


def _no_guard() -> None:
    """Wait without asking whether we still may."""


class StoppedPods:
    """The pods of the Deployments that are stopped; every look is one LIST of pods and one reading of each pause."""

    def __init__(self, api: Api, inventory: Inventory, progress: Progress) -> None:
        self._api, self._inventory, self._progress = api, inventory, progress
        self._namespace = inventory.target.control_plane_namespace

    def wait_until_gone(self, deadline: Deadline, seconds: float, names: Iterable[str] = ALL, guard: Callable[[], None] = _no_guard) -> int:
        """Wait until no pod of the Deployments ``names`` is left, ``seconds`` at most; returns how many there were at first.

        ``guard`` is asked at every look. Raises StepFailed, with who it was, as soon as a pause or a replica is back, and with what
        keeps the pods when the time is over.
        """
        workloads = [workload_of(item) for item in to_stop(self._inventory, names)]
        patience = Deadline(min(seconds, deadline.remaining()))
        first: int | None = None
        while True:
            last = patience.expired
            guard()
            pods = self._pods(workloads)
            self._still_paused()
            # One that is wanted again has a pod that nobody deletes, or is about to have one.
            if not all(metadata_of(pod).get("deletionTimestamp") for pod, _owner in pods) or not pods:
                self._still_stopped(workloads)
            first = len(pods) if first is None else first
            if not pods:
                return first
            if last:
                raise self._stuck(pods, f"the timeout of {deadline.seconds:g} s is over" if deadline.expired else f"after {seconds:g} s")
            self._progress.line(f"stop: waiting for {len(pods)} pods to end")
            patience.sleep(_INTERVAL)

    def _pods(self, workloads: Sequence[Workload]) -> list[tuple[_Object, str]]:
        """Return (pod, Deployment) of those that may still do something."""
        listed = ((pod, owner_among(pod, workloads)) for pod in self._api.list(POD, self._namespace) if runs(pod))
        return [(pod, owner) for pod, owner in listed if owner]

    def _still_stopped(self, workloads: Sequence[Workload]) -> None:
        """A Deployment that wants pods again will have them before long: who has scaled it?"""
        wanted = {workload.name for workload in workloads}
        for item in self._api.list(DEPLOYMENT, self._namespace):
            replicas = mapping(item, "spec").get("replicas", 1)
            if name_of(item) in wanted and replicas:
                by = owner_of(item, "spec", "replicas")
                raise StepFailed(
                    f"{ref_of(item)} was scaled to {replicas} again{f' by {by}' if by else ''}",
                    object=ref_of(item),
                    why=f"it was at 0 and has generation {metadata_of(item).get('generation')} now: somebody works against this procedure",
                    state="the hosted cluster is paused and partly stopped; what it was is on record",
                    next=f"keep {by or 'whoever did it'} from scaling it (a GitOps tool, an operator, an autoscaler, a colleague), "
                    "then run the same command again",
                )

    def _still_paused(self) -> None:
        for item, path, paused in self._pauses():
            if not paused:
                by = owner_of(item, "spec", path) or last_writer(item)
                raise StepFailed(
                    f"The pause of {ref_of(item)} was taken back{f' by {by}' if by else ''}",
                    object=ref_of(item),
                    why=f"its spec.{path} is {mapping(item, 'spec').get(path, 'not there')}: what is stopped is going to be started again",
                    state="the hosted cluster is partly stopped; what it was is on record",
                    next=f"keep {by or 'whoever did it'} from writing it (a GitOps tool, a colleague), then run the same command again",
                )

    def _pauses(self) -> Iterator[tuple[_Object, str, bool]]:
        """Yield what has a pause, its field, and whether it is paused."""
        target = self._inventory.target
        hosted_cluster = self._api.get(HOSTED_CLUSTER, target.name, target.namespace)
        yield hosted_cluster, "pausedUntil", paused_for_good(hosted_cluster)
        own = {name_of(pool) for pool in self._inventory.node_pools}
        for pool in self._api.list(NODE_POOL, target.namespace):
            if name_of(pool) in own:
                yield pool, "pausedUntil", paused_for_good(pool)
        for cluster in self._inventory.of("clusters"):
            found = self._api.get_or_none(cluster_api("Cluster", self._inventory.cluster_api_version), name_of(cluster), self._namespace)
            if found is not None:
                yield found, "paused", bool(cluster_paused(found))

    def _stuck(self, pods: Sequence[tuple[_Object, str]], over: str) -> StepFailed:
        told = [staying(pod, owner, self._node(pod)) for pod, owner in pods]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        return StepFailed(
            f"{len(told)} pods do not end: {', '.join(one.ref.name for one in told[:_SHOWN])}{more}",
            object=told[0].ref,
            why=f"{'; '.join(one.why for one in told[:_SHOWN])}{more}; {over}",
            state="the hosted cluster is paused and its Deployments are at 0; while these pods run, etcd's data or machines may change, so "
            "nothing was copied. What it was is on record",
            next="; ".join([*dict.fromkeys(one.remedy for one in told[:_SHOWN]), "then run the same command again"]),
            details={"pods": [{"pod": one.ref.name, "why": one.why, "remedy": one.remedy} for one in told]},
        )

    def _node(self, pod: _Object) -> _Object | None:
        """Return the pod's node, which only makes a message better."""
        name = str(mapping(pod, "spec").get("nodeName") or "")
        return _optional(self._api, NODE, name) if name else None


def _optional(api: Api, kind: Kind, name: str) -> _Object | None:
    try:
        return api.within(10.0).get_or_none(kind, name)
    except KubeError:
        return None
