# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What planning a refresh is made from: a cluster's pods and workloads, reduced while they are read. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import Owner
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import (
    TOKEN,
    ControllerRef,
    Object,
    PodFacts,
    Verdict,
    Workload,
)

_MIRROR = "kubernetes.io/config.mirror"
# What a container waits for that is only being started.
_STARTING = ("ContainerCreating", "PodInitializing")
# A DaemonSet tells the generation of its template in an annotation, and only a ControllerRevision tells its hash; so the generation
# comes first (kubernetes pkg/controller/daemon/util/daemonset_util.go IsPodUpdated takes either).
_REVISION_LABELS = ("pod-template-generation", "pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash")


@dataclass(frozen=True)
class Scope:
    """What a refresh is about.

    ``namespaces`` are those in scope with their labels, ``pods`` their pods that have or would get a sidecar, or were restarted by a
    refresh before. ``owners`` and ``workloads`` (both by uid) are what those pods belong to that may have to be replaced or waited for.
    ``bare`` are raw pods by uid, only with ``recreate_bare_pods``. ``newest`` is the greatest creationTimestamp. ``unread`` are
    permissions that lack, ``findings`` are about what was asked for.
    """

    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pods: tuple[PodFacts, ...] = ()
    owners: Mapping[str, Owner] = field(default_factory=dict)
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    bare: Mapping[str, Object] = field(default_factory=dict)
    newest: str = ""
    unread: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()


def controller_of(metadata: Mapping[str, Any]) -> ControllerRef | None:
    """Return the ownerReference with ``controller: true``."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return ControllerRef(owner["apiVersion"], owner["kind"], owner["name"], owner["uid"])
    return None


def is_over(pod: Object) -> bool:
    """Whether a pod has ended or is being deleted: nobody needs to replace it."""
    return "deletionTimestamp" in pod["metadata"] or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def pod_facts(pod: Object, verdict: Verdict, controllers: dict[str, ControllerRef] | None = None) -> PodFacts:
    """Reduce a raw pod; with ``controllers`` (by uid, filled here) the pods of one owner share its reference."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    controller = controller_of(metadata)
    if controller is not None and controllers is not None:
        controller = controllers.setdefault(controller.uid, controller)
    return PodFacts(
        sys.intern(metadata["namespace"]),
        metadata["name"],
        metadata.get("uid", ""),
        controller,
        sys.intern(_revision(metadata.get("labels") or {}, controller)),
        sys.intern(annotations.get(TOKEN, "")),
        sys.intern((pod.get("status") or {}).get("phase", "")),
        is_ready(pod),
        "deletionTimestamp" in metadata,
        _MIRROR in annotations,
        verdict,
        metadata.get("creationTimestamp") or "",
        failing_containers(pod),
    )


def _revision(labels: Mapping[str, str], controller: ControllerRef | None) -> str:
    if controller is not None and controller.kind == "ReplicationController":
        return controller.name
    return next((labels[key] for key in _REVISION_LABELS if key in labels), "")


def failing_containers(pod: Object) -> tuple[str, ...]:
    """Return the names of a pod's containers, init containers too, that cannot be started or have ended badly and are not ready since."""
    status = pod.get("status") or {}
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return tuple(sys.intern(item["name"]) for item in containers if _fails(item))


def _fails(container: Object) -> bool:
    # An init container that has ended well is ready.
    if container.get("ready"):
        return False
    state = container.get("state") or {}
    waits_for = (state.get("waiting") or {}).get("reason")
    ended = (state.get("terminated") or {}).get("exitCode")
    return bool(ended or container.get("restartCount") or (waits_for and waits_for not in _STARTING))


def is_ready(pod: Object) -> bool:
    """Whether a pod runs, all its containers and sidecars are ready, and so is the pod (istio pkg/kube/util.go ``CheckPodReady``)."""
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        return False
    containers = status.get("containerStatuses") or ()
    if len(containers) < len(pod["spec"]["containers"]) or not all(item.get("ready") for item in containers):
        return False
    # An init container that has ended well is ready, too.
    if not all(item.get("ready") for item in status.get("initContainerStatuses") or ()):
        return False
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or ())
