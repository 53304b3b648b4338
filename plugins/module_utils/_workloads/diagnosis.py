# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a rollout does not go on, read from the status of its workloads and pods, from Events and from logs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads import remedies
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.crash_log import masked
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_diagnosis import PodEvents, of_pod
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice, Trouble

Object = Mapping[str, Any]
HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_NAMED = 3

# Kept under this name too: who asks for troubles wants to name their type.
__all__ = ["HASH", "Advice", "Trouble", "hopeless", "newest_hashes", "troubles"]


def troubles(
    deployments: Iterable[Object],
    pods: Iterable[Object],
    events: Iterable[Object] = (),
    logs: Mapping[tuple[str, str], str] | None = None,
    *,
    advice: Advice = Advice(),  # noqa: B008  (a NamedTuple of constants)
    newest: Collection[str] | None = None,
) -> list[Trouble]:
    """Return what is wrong with these workloads and pods, at most one line per object, causes before what follows from them.

    ``events`` are raw Events of the namespace, ``logs`` the last lines of containers by (pod, container). ``newest`` are the
    ``pod-template-hash`` values of the newest revisions (``newest_hashes``): pods of others are old, which None leaves open.
    """
    by_pod = PodEvents(events)
    found = [
        *(trouble for deployment in deployments for trouble in _of_workload(deployment)),
        *(trouble for pod in pods for trouble in of_pod(pod, by_pod, logs or {}, advice, _is_old(pod, newest))),
    ]
    return _in_order([*found, *_refused_pods(found, by_pod)], advice)


def hopeless(found: Iterable[Trouble]) -> list[Trouble]:
    """Return those that waiting does not end: somebody has to change something."""
    return [trouble for trouble in found if trouble.hopeless]


def newest_hashes(deployments: Iterable[Object], replica_sets: Iterable[Object]) -> frozenset[str]:
    """Return the ``pod-template-hash`` of every Deployment's newest revision.

    A Deployment whose last change its controller has not seen yet has none: its newest ReplicaSet is that of the template before.
    """
    revisions = {}
    for deployment in deployments:
        metadata, status = deployment["metadata"], deployment.get("status") or {}
        if int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0):
            revisions[metadata.get("uid")] = (metadata.get("annotations") or {}).get(_REVISION)
    hashes = set()
    for item in replica_sets:
        metadata = item["metadata"]
        owner: Object = next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), {})
        revision = revisions.get(owner.get("uid"))
        if revision is not None and (metadata.get("annotations") or {}).get(_REVISION) == revision:
            hashes.add((metadata.get("labels") or {}).get(HASH, ""))
    return frozenset(hashes - {""})


def _is_old(pod: Object, newest: Collection[str] | None) -> bool:
    own = (pod["metadata"].get("labels") or {}).get(HASH)
    return newest is not None and own is not None and own not in newest


def _of_workload(workload: Object) -> Iterator[Trouble]:
    metadata = workload["metadata"]
    name = metadata["name"]
    ref = ObjectRef(workload.get("kind") or "Deployment", name, metadata["namespace"])
    if (workload.get("spec") or {}).get("paused"):
        resume = f"let it go on (kubectl rollout resume -n {ref.namespace} deployment/{name}), then run the same command again"
        yield Trouble(ref, "paused", "it is paused (kubectl rollout pause), so no new pods are made", resume, name)
        return
    conditions = {item["type"]: item for item in (workload.get("status") or {}).get("conditions") or ()}
    # Set by the Deployment controller when the ReplicaSet cannot create pods (kubernetes pkg/controller/deployment/util).
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        yield _refused(ref, str(failure.get("message", "")))
    elif conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        look = f"look at its pods (kubectl describe pod -n {ref.namespace} -l app={name}); it goes on by itself when these become ready"
        yield Trouble(ref, "progress-deadline", "no new pod has become ready within progressDeadlineSeconds", look, name)


def _refused_pods(found: Sequence[Trouble], events: PodEvents) -> Iterator[Trouble]:
    """Yield what Events say about DaemonSets and StatefulSets: they have no condition for pods that cannot be created."""
    known = {trouble.object for trouble in found}
    for ref, message in events.refused_pods():
        if ref not in known:
            yield _refused(ref, message)


def _refused(ref: ObjectRef, message: str) -> Trouble:
    told = f"pods cannot be created: {masked(message)}"
    return Trouble(ref, "pod-creation", told, remedies.of_creation(message, ref), ref.name, short="pods cannot be created")


def _in_order(found: Sequence[Trouble], advice: Advice) -> list[Trouble]:
    """Put causes first, and one line in the place of all pods that only wait for a bootstrap which has a trouble of its own."""
    rooted = any(trouble.component == advice.bootstrap and not trouble.old for trouble in found if advice.bootstrap)
    waiting = [trouble for trouble in found if trouble.cause == "waits-for-bootstrap"] if rooted else []
    kept = [trouble for trouble in found if trouble not in waiting]
    if waiting:
        kept.append(_summary(waiting, advice))
    return sorted(kept, key=lambda trouble: _rank(trouble, advice))


def _summary(waiting: Sequence[Trouble], advice: Advice) -> Trouble:
    names = [trouble.object.name for trouble in waiting]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    message = f"{', '.join(names[:_NAMED])}{more} wait{'s' if len(names) == 1 else ''} for {advice.bootstrap}, which is not ready"
    return waiting[0]._replace(message=message, remedy=f"repair {advice.bootstrap} first: the others go on by themselves")


def _rank(trouble: Trouble, advice: Advice) -> tuple[bool, int]:
    if trouble.cause == "progress-deadline":
        return trouble.old, 4
    if trouble.cause == "terminating":
        return trouble.old, 3
    if trouble.cause in ("waits-for-bootstrap", "init"):
        return trouble.old, 2
    return trouble.old, 0 if advice.bootstrap and trouble.component == advice.bootstrap else 1
