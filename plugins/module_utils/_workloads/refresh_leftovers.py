# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that a refresh leaves as they are: why, and what to do about them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover


class _Text(NamedTuple):
    what: str
    remedy: str


_TEXTS: dict[str, _Text] = {
    "paused": _Text(
        "its rollouts are paused, and a paused workload replaces no pods",
        "resume it when that is right (kubectl rollout resume), then run again",
    ),
    "partition": _Text(
        "the update strategy of the StatefulSet has a partition, and these pods are below it",
        "lower spec.updateStrategy.rollingUpdate.partition and run again; or evict these pods one by one: they come back in the revision"
        " that they have, with the sidecar of today",
    ),
    "job": _Text(
        "they belong to a Job, which cannot replace them and runs until it ends",
        "nothing is to be done: let it end; if it cannot go on like this, delete it and create it again",
    ),
    "cron-job": _Text(
        "they belong to a Job of a CronJob, which runs until it ends",
        "nothing is to be done: the next run gets what it should have",
    ),
    "bare-pod": _Text(
        "they have no controller that would create them again",
        "delete each and create it again from its manifest, or run again with bare_pods: recreate (roles: sidecar_refresh_bare_pods,"
        " mesh_uninstall_bare_pods)",
    ),
    "bare-pod-unsafe": _Text(
        "they have no controller, and creating them again may lose something: {detail}",
        "save what is needed, delete each and create it again from its manifest",
    ),
    "saved-pod": _Text(
        "an earlier run has evicted it and has not created it again; its copy is Secret {detail}",
        "run again with bare_pods: recreate (roles: sidecar_refresh_bare_pods, mesh_uninstall_bare_pods), which creates it from the copy",
    ),
    "mirror-pod": _Text(
        "they are static pods: the kubelet runs them from a file on its node, and injection does not reach them",
        "turn injection off for them, or move them to a namespace that is not in the mesh",
    ),
    "manual-injection": _Text(
        "the sidecar stands in the pod template itself (manual injection), so that new pods would have the same one",
        "generate the manifest anew with the tool of the version that is wanted, or take the sidecar out of the template; then apply it",
    ),
    "still-injected": _Text(
        "new pods would get a sidecar again",
        "take them out of injection first (the namespace, or the label or annotation of the pod template), then run again",
    ),
    "unknown-owner": _Text(
        "they belong to a {detail}, and it is not known how that replaces its pods",
        "restart them the way that this controller provides for, or delete one pod after the other if it creates them again",
    ),
    "owner-gone": _Text(
        "the {detail} that they belong to does not exist any more",
        "the garbage collector removes such pods within minutes: run again; if they stay, delete them",
    ),
    "owner-unread": _Text(
        "they belong to a {detail}, which may not be read with these credentials",
        "grant get and list on it (the module's documentation has the ClusterRole), then run again",
    ),
    "pod-denied": _Text("the injector would refuse to let their replacements be created: {detail}", "correct that, then run again"),
    "rollout-failed": _Text(
        "its newest rollout, which is not of this refresh, has failed, and new pods would be of the same template",
        "repair it or take it back (kubectl rollout undo), then run again; if nothing but its old sidecar fails, restart it"
        " (kubectl rollout restart)",
    ),
    "rollout-running": _Text(
        "a rollout is under way, and until its end the DeploymentConfig refuses another one",
        "wait for its end (oc rollout status), then run again",
    ),
}

CODES = frozenset(_TEXTS)


def leftover(code: str, ref: ObjectRef, pods: int, detail: str = "") -> Leftover:
    """Return a leftover in the words of its code, which are the same for all objects with the same ``detail``."""
    text = _TEXTS[code]
    return Leftover(code, ref, pods, text.what.format(detail=detail), text.remedy)
