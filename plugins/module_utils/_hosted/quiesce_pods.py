# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that do not go although what they belong to is at 0: why, and what to do. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import mapping, metadata_of, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_Object = dict[str, Any]


class Staying(NamedTuple):
    """Why one pod is still there, and what to do about it."""

    ref: ObjectRef
    why: str
    remedy: str


def staying(pod: _Object, workload: str, node: _Object | None) -> Staying:
    """Explain a pod of the Deployment ``workload``; ``node`` is the one that it is on, None when there is none (any more)."""
    metadata = metadata_of(pod)
    ref = ObjectRef("Pod", name_of(pod), str(metadata.get("namespace") or ""))
    since, finalizers = metadata.get("deletionTimestamp"), metadata.get("finalizers") or ()
    place = str(mapping(pod, "spec").get("nodeName") or "")
    delete = f"kubectl delete pod -n {ref.namespace} {ref.name}"
    if not since:
        return Staying(ref, *_not_deleted(pod, ref, workload, delete))
    if finalizers:
        return Staying(
            ref,
            f"{ref} is to be gone since {since} and is held by finalizer {', '.join(finalizers)}",
            f"whoever has put it there must take it away, or you: kubectl edit pod -n {ref.namespace} {ref.name}",
        )
    grace = metadata.get("deletionGracePeriodSeconds")
    late = f"{ref} is to be gone by {since} (grace period {grace} s)"
    force = f"{delete} --force --grace-period=0"
    if not place:
        return Staying(ref, f"{late}; it is on no node", f"look at it; it runs nowhere: {force}")
    if node is None:
        return Staying(ref, f"{late}; its node {place} does not exist, or cannot be read", f"if that machine is off for good: {force}")
    ready: _Object = next((item for item in mapping(node, "status").get("conditions") or () if item.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return Staying(
            ref,
            f"{late}; its node {place} is ready and has not ended it",
            f"wait for the grace period with a larger stop_timeout, or look at the kubelet of node {place}",
        )
    reason = f"{ready.get('reason', 'unknown')} since {ready.get('lastTransitionTime', 'unknown')}"
    return Staying(
        ref,
        f"{late}; its node {place} is not ready ({reason}), so nobody knows whether it still runs",
        f"bring node {place} back; only when that machine is off for good: kubectl delete node {place}, or {force}",
    )


def _not_deleted(pod: _Object, ref: ObjectRef, workload: str, delete: str) -> tuple[str, str]:
    owner = next((item for item in metadata_of(pod).get("ownerReferences") or () if item.get("controller")), None)
    if owner is None:
        return f"{ref} looks like one of Deployment {workload}, has no owner, and nobody has deleted it", f"delete it: {delete}"
    if owner.get("kind") != "ReplicaSet":
        whose = f"{owner.get('kind')} {owner.get('name')}"
        return f"{ref} looks like one of Deployment {workload} and belongs to {whose}", f"stop {whose}"
    return (
        f"{ref} belongs to Deployment {workload}, which is at 0, and nobody has deleted it",
        "the Deployment controller in kube-controller-manager of the management cluster does that: is it running?",
    )
