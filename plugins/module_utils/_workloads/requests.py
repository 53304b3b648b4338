# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a pod asks a node for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import millicores, whole

Object = Mapping[str, Any]


class Amount(NamedTuple):
    """CPU in millicores, memory in bytes, and a number of pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def plus(self, other: Amount) -> Amount:
        """Return the sum."""
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def minus(self, other: Amount) -> Amount:
        """Return the difference, which may be negative."""
        return Amount(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)

    def times(self, count: int) -> Amount:
        """Return the amount ``count`` times."""
        return Amount(self.cpu * count, self.memory * count, self.pods * count)

    def holds(self, need: Amount) -> bool:
        """Whether ``need`` fits into this. What is not asked for always fits (scheduler ``NodeResourcesFit``): a full node takes it."""
        return all(wanted == 0 or wanted <= left for wanted, left in zip(need, self, strict=True))


def amount(resources: Object, *, pods: int = 0) -> Amount:
    """Return a resource list (``{cpu: 500m, memory: 64Mi}``) as an amount; raises ValueError for what is no quantity."""
    return Amount(millicores(resources.get("cpu", 0)), whole(resources.get("memory", 0)), pods)


def pod_request(spec: Object) -> Amount:
    """Return what a pod with this ``spec`` asks for, itself counted as one pod.

    Init containers run one after another before the others, so the largest one counts, together with the restartable ones (sidecars)
    that were started before it. Source: kubernetes ``component-helpers/resource/helpers.go`` ``PodRequests``.
    """
    running = _sum(container_request(container) for container in spec.get("containers") or ())
    sidecars = peak = Amount()
    for container in spec.get("initContainers") or ():
        request = container_request(container)
        if container.get("restartPolicy") == "Always":
            sidecars = sidecars.plus(request)
            peak = _largest(peak, sidecars)
        else:
            peak = _largest(peak, sidecars.plus(request))
    wanted = _largest(running.plus(sidecars), peak)
    # A pod's own requests take the place of what its containers ask for (PodLevelResources, on by default from Kubernetes 1.34 on).
    for_pod = (spec.get("resources") or {}).get("requests") or {}
    wanted = Amount(
        millicores(for_pod["cpu"]) if "cpu" in for_pod else wanted.cpu,
        whole(for_pod["memory"]) if "memory" in for_pod else wanted.memory,
    )
    return wanted.plus(amount(spec.get("overhead") or {}, pods=1))


def container_request(container: Object) -> Amount:
    """Return what one container asks for: a limit without a request is one (kubernetes ``SetDefaults_Pod``)."""
    resources = container.get("resources") or {}
    return amount({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = Amount()
    for item in amounts:
        total = total.plus(item)
    return total


def _largest(one: Amount, other: Amount) -> Amount:
    return Amount(*(max(pair) for pair in zip(one, other, strict=True)))
