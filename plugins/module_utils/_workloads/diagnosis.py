# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a rollout does not go on, read from the status of its pods and of its Deployment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Cause = Literal["unschedulable", "image-pull", "crash-loop", "init", "not-ready", "pod-creation", "paused"]
_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_REMEDIES: dict[Cause, str] = {
    "unschedulable": "make room on the nodes, or lower the resource requests in the chart values",
    "image-pull": "check the image's registry and tag in the chart values, and the pull secret",
    "crash-loop": "read the container's log: parameters that the image does not know mean that chart and image versions differ",
    "init": "look at what this init container waits for first",
    "not-ready": "read the container's log and its readiness probe",
    "pod-creation": "read the message: an admission webhook, a quota or a missing service account refuses the pods",
    "paused": "let it go on (kubectl rollout resume), then run the same command again",
}


class Trouble(NamedTuple):
    """What keeps one object back."""

    object: ObjectRef
    cause: Cause
    message: str

    @property
    def remedy(self) -> str:
        """What usually helps."""
        return _REMEDIES[self.cause]

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.object}: {self.message}"


def troubles(deployments: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]) -> list[Trouble]:
    """Return what is wrong with these Deployments and pods, at most one line per object."""
    return [
        *(trouble for deployment in deployments for trouble in _of_deployment(deployment)),
        *(trouble for pod in pods for trouble in _of_pod(pod)),
    ]


def _of_deployment(deployment: Mapping[str, Any]) -> Iterator[Trouble]:
    metadata = deployment["metadata"]
    ref = ObjectRef("Deployment", metadata["name"], metadata["namespace"])
    if (deployment.get("spec") or {}).get("paused"):
        yield Trouble(ref, "paused", "it is paused (kubectl rollout pause), so no new pods are made")
        return
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        # Set by the Deployment controller when the ReplicaSet cannot create pods (kubernetes pkg/controller/deployment/util).
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield Trouble(ref, "pod-creation", f"pods cannot be created: {condition.get('message', '')}")


def _of_pod(pod: Mapping[str, Any]) -> Iterator[Trouble]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    if metadata.get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return
    ref = ObjectRef("Pod", metadata["name"], metadata["namespace"])
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        yield Trouble(ref, "unschedulable", f"{scheduled.get('reason', 'not scheduled')}: {scheduled.get('message', '')}")
        return
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        trouble = _of_container(ref, container)
        if trouble is not None:
            yield trouble
            return
    waiting = [container["name"] for container in status.get("initContainerStatuses") or () if not container.get("ready")]
    if waiting:
        yield Trouble(ref, "init", f"init container {waiting[0]} has not finished")
    elif conditions.get("Ready", {}).get("status") != "True":
        unready = [container["name"] for container in status.get("containerStatuses") or () if not container.get("ready")]
        yield Trouble(ref, "not-ready", f"not ready: {', '.join(unready) or status.get('phase', 'unknown')}")


def _of_container(pod: ObjectRef, container: Mapping[str, Any]) -> Trouble | None:
    state = container.get("state") or {}
    waiting, terminated = state.get("waiting") or {}, state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    reason = waiting.get("reason", "")
    if reason in _IMAGE_REASONS:
        return Trouble(
            pod,
            "image-pull",
            f"container {container['name']}: {reason} {container.get('image', '')}: {waiting.get('message', '')}".rstrip(": "),
        )
    if reason == "CrashLoopBackOff" or (terminated.get("exitCode") and not container.get("ready")):
        code = terminated.get("exitCode", "unknown")
        return Trouble(
            pod, "crash-loop", f"container {container['name']} ends with exit code {code} ({container.get('restartCount', 0)} restarts)"
        )
    return None
