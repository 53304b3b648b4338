# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a pod to what has to be restarted: along the controller references, as far as it is known how an owner replaces its pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CRONJOB,
    DAEMONSET,
    DEPLOYMENT,
    JOB,
    REPLICASET,
    REPLICATION_CONTROLLER,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import ControllerRef, Workload

ARGO_ROLLOUT = Kind("argoproj.io/v1alpha1", "Rollout", "rollouts")
DEPLOYMENT_CONFIG = Kind("apps.openshift.io/v1", "DeploymentConfig", "deploymentconfigs")

# By API group, because a reference may name a version that the server no longer serves.
_KNOWN: dict[tuple[str, str], Kind] = {
    (kind.group, kind.kind): kind
    for kind in (
        DEPLOYMENT,
        STATEFULSET,
        DAEMONSET,
        REPLICASET,
        REPLICATION_CONTROLLER,
        JOB,
        CRONJOB,
        ARGO_ROLLOUT,
        DEPLOYMENT_CONFIG,
    )
}
# These replace their pods, whoever has made them: an operator that owns a Deployment lets it do so.
_REPLACING = frozenset({DEPLOYMENT, STATEFULSET, DAEMONSET, ARGO_ROLLOUT, DEPLOYMENT_CONFIG})
# These only keep a number of pods, so that an owner is looked for.
_KEEPING = frozenset({REPLICASET, REPLICATION_CONTROLLER})
# Nothing sane is nested deeper; references could form a circle.
_DEEPEST = 10

End = Literal["workload", "job", "cron-job", "unknown", "gone", "unread", "to-read"]


class Owner(NamedTuple):
    """An object that owns pods or their owners; ``controller`` is its own. Gone: there is none with that uid; unread: not allowed."""

    ref: ControllerRef
    namespace: str
    controller: ControllerRef | None = None
    state: Literal["found", "gone", "unread"] = "found"


class Climb(NamedTuple):
    """Where the references lead to; ``whole`` (for ``to-read``) tells whether more than its metadata is needed."""

    end: End
    ref: ControllerRef
    whole: bool = False


def known_kind(ref: ControllerRef) -> Kind | None:
    """Return the resource type of a reference to an object that Kubernetes, Argo or OpenShift defines."""
    return _KNOWN.get((ref.api_version.rpartition("/")[0], ref.kind))


def climb(start: ControllerRef, owners: Mapping[str, Owner], workloads: Mapping[str, Workload]) -> Climb:
    """Follow controller references from a pod's controller through what was read."""
    ref = start
    for _step in range(_DEEPEST):
        kind = known_kind(ref)
        if ref.uid in workloads:
            return Climb("workload", ref)
        if kind == CRONJOB:
            return Climb("cron-job", ref)
        owner = owners.get(ref.uid)
        if owner is None:
            return Climb("to-read", ref, kind in _REPLACING)
        if owner.state != "found":
            return Climb(owner.state, ref)
        if owner.controller is None:
            return _top(ref, kind)
        ref = owner.controller
    return Climb("unknown", ref)


def _top(ref: ControllerRef, kind: Kind | None) -> Climb:
    if kind in _KEEPING:
        return Climb("to-read", ref, whole=True)
    return Climb("job" if kind == JOB else "unknown", ref)


def to_read(
    starts: Iterable[tuple[str, ControllerRef]], owners: Mapping[str, Owner], workloads: Mapping[str, Workload]
) -> Iterator[tuple[str, Climb]]:
    """Yield (namespace, climb) of every object that must be read next, once; ``starts`` are (namespace, controller) of pods."""
    seen: set[str] = set()
    for namespace, start in starts:
        found = climb(start, owners, workloads)
        if found.end == "to-read" and found.ref.uid not in seen:
            seen.add(found.ref.uid)
            yield namespace, found
