# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop a control plane, and wait until its pods are gone: what still runs would undo what comes next.

The bootstrap of osm-edge 1.1 writes the conversion webhook into the MeshConfig's definition, the reconciler of later versions makes
definitions and webhooks again (osm-edge v1.1.0 pkg/crdconversion, v1.3.9 pkg/reconciler).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import owner_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NODE, POD, REPLICASET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_deletion import Patience
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import held, sentence
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

Object = Mapping[str, Any]
_SCALED: Mapping[str, Kind] = {kind.kind: kind for kind in (DEPLOYMENT, REPLICASET)}
_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_INTERVAL = 0.5


def stop_workload(api: Api, step: Step, *, dry_run: bool = False) -> str:
    """Scale a Deployment (or a ReplicaSet without one) to zero.

    Only the uid is a condition: zero is zero, whatever else has changed in it, and its status changes often.
    """
    ref = step.object
    api.patch(_SCALED[ref.kind], ref.name, {"spec": {"replicas": 0}}, ref.namespace, uid=step.uid, dry_run=dry_run)
    return "scaled to 0"


class StoppedPods:
    """The pods of a control plane: those of the Deployments ``apps`` (the value of their label ``app``), and those of the Jobs ``jobs``."""

    def __init__(self, api: Api, namespace: str, apps: Collection[str], jobs: Collection[str]) -> None:
        self._api = api
        self._namespace = namespace
        self._apps = frozenset(apps)
        self._jobs = frozenset(jobs)

    def wait_until_gone(self, deadline: Deadline, seconds: float, progress: Progress) -> None:
        """Wait until no pod is left; raises StepFailed with what keeps them when for ``seconds`` (and their grace period) none has gone."""
        patience = Patience(deadline, seconds)
        while pods := self._pods():
            patience.seconds = seconds + max(int(pod["metadata"].get("deletionGracePeriodSeconds") or 0) for pod in pods)
            if not patience.left(sorted(pod["metadata"]["uid"] for pod in pods)):
                raise self._stuck(pods, patience.over)
            progress.line(f"conversion: waiting for {len(pods)} pods of the control plane to go")
            deadline.sleep(_INTERVAL)

    def _pods(self) -> list[Object]:
        """Return the pods that could still do something: one that has ended does not count."""
        return [
            pod
            for pod in self._api.list(POD, self._namespace)
            if self._is_one(pod["metadata"].get("labels") or {}) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def _is_one(self, labels: Mapping[str, str]) -> bool:
        return labels.get("app") in self._apps or any(labels.get(key) in self._jobs for key in _JOB_LABELS)

    def _stuck(self, pods: list[Object], over: str) -> StepFailed:
        told = [*self._told(pods)]
        first = pods[0]["metadata"]
        return StepFailed(
            f"{len(pods)} pods of the control plane do not go",
            object=ObjectRef("Pod", first["name"], self._namespace),
            why=f"{sentence(why for why, dummy in told)}; {over}",
            state="the control plane is scaled to 0; while these pods run they may write definitions and webhooks again, "
            "so nothing else was removed",
            next=sentence([*(remedy for dummy, remedy in told), "then run the same command again"]),
        )

    def _told(self, pods: list[Object]) -> Iterator[tuple[str, str]]:
        """Yield (why, what to do) of each pod."""
        for pod in pods:
            metadata = pod["metadata"]
            ref = ObjectRef("Pod", metadata["name"], self._namespace)
            stuck = held({**pod, "kind": "Pod"})
            if not metadata.get("deletionTimestamp"):
                yield self._still_wanted(pod, ref)
            elif stuck is not None:
                yield str(stuck), "; ".join(stuck.remedies)
            else:
                yield self._not_confirmed(pod, ref)

    def _still_wanted(self, pod: Object, ref: ObjectRef) -> tuple[str, str]:
        """Explain a pod that nobody has deleted: somebody wants it."""
        owner = next((item for item in pod["metadata"].get("ownerReferences") or () if item.get("controller")), None)
        if owner is None:
            return f"{ref} has no owner that could be scaled", f"delete it: kubectl delete pod -n {ref.namespace} {ref.name}"
        top = ObjectRef(owner["kind"], owner["name"], ref.namespace)
        found = self._top(top)
        name = ObjectRef(found["kind"], found["metadata"]["name"], ref.namespace) if found is not None else top
        wanted = (found or {}).get("spec", {}).get("replicas")
        by = owner_of(found, "spec", "replicas") if found is not None else ""
        return (
            f"{ref} is not being deleted: {name} wants {wanted if wanted is not None else 'it'}" + (f" (set by {by})" if by else ""),
            f"stop whoever scales {name} up again (a GitOps controller, an autoscaler), and scale it to 0",
        )

    def _top(self, ref: ObjectRef) -> Object | None:
        """Return the ReplicaSet, or the Deployment that it belongs to."""
        if ref.kind != REPLICASET.kind:
            return None
        replica_set = self._optional(REPLICASET, ref)
        owners = (replica_set or {}).get("metadata", {}).get("ownerReferences") or ()
        owner = next((item for item in owners if item.get("controller") and item["kind"] == DEPLOYMENT.kind), None)
        deployment = self._optional(DEPLOYMENT, ObjectRef(DEPLOYMENT.kind, owner["name"], ref.namespace)) if owner is not None else None
        return deployment or replica_set

    def _not_confirmed(self, pod: Object, ref: ObjectRef) -> tuple[str, str]:
        """Explain a pod whose node does not say that it has ended."""
        name = str(pod["spec"].get("nodeName") or "")
        since = pod["metadata"]["deletionTimestamp"]
        node = self._optional(NODE, ObjectRef(NODE.kind, name)) if name else None
        force = f"kubectl delete pod -n {ref.namespace} {ref.name} --force"
        if not name:
            return f"{ref} should have gone at {since}", f"look at it; it runs on no node: {force}"
        if node is None:
            return f"{ref} should have gone at {since}; its node {name} cannot be read, or does not exist", f"look at node {name}"
        ready: Object = next((item for item in (node.get("status") or {}).get("conditions") or () if item["type"] == "Ready"), {})
        if ready.get("status") == "True":
            return (
                f"{ref} should have gone at {since}; its node {name} is ready and has not ended it",
                f"look at the kubelet of node {name}",
            )
        unready = f"not ready since {ready.get('lastTransitionTime', 'unknown')} ({ready.get('reason', 'unknown')})"
        why = f"{ref} should have gone at {since}; its node {name} is {unready}, so nobody knows whether it runs"
        return why, f"bring node {name} back; if that machine is off for good: kubectl delete node {name}, or {force}"

    def _optional(self, kind: Kind, ref: ObjectRef) -> Object | None:
        """Return an object that only makes a message better."""
        try:
            return self._api.within(10.0).get_or_none(kind, ref.name, ref.namespace or None)
        except KubeError:
            return None
