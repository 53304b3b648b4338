# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bare pods that a run which was killed has evicted and not created again, or not told to be ready: they are finished first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.label_selector import fits
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_leftovers import leftover
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import SavedPod, saved_pods

# So many namespaces are asked one by one, which needs no permission for the Secrets of the others.
_SINGLE_NAMESPACES = 20


def tasks_of_saved_pods(api: Api, namespaces: Collection[str], planned: Collection[str], selector: str = "") -> list[Task]:
    """Return a task for each copy in ``namespaces`` whose pod is gone or was made again; ``planned`` are the ids of other tasks.

    ``selector`` chooses by the labels of the pod that is created. A copy of a pod that is still there was made just before its eviction:
    that pod is planned like any other. Number of requests: one per namespace or one for all, and one for each copy. Raises KubeError.
    """
    if not namespaces:
        return []
    copies = [copy for copy in _chosen(saved_pods(api, _places(namespaces)), namespaces, selector) if task_id(copy) not in planned]
    return [_task(copy) for copy, uid in _with_uids(api, copies) if uid != copy.uid]


def leftovers_of_saved_pods(api: Api, namespaces: Collection[str], selector: str = "") -> list[Leftover]:
    """Return a leftover for each copy in ``namespaces`` whose pod does not exist, for a run that creates no bare pods.

    Requests as above; where Secrets may not be listed, nothing is known. Raises other KubeErrors.
    """
    if not namespaces:
        return []
    found = api.map(lambda place: _readable(api, place), _places(namespaces) or [""])
    copies = _chosen([copy for copies in found for copy in copies], namespaces, selector)
    return [leftover("saved-pod", copy.object, 1, copy.secret) for copy, uid in _with_uids(api, copies) if not uid]


def _places(namespaces: Collection[str]) -> list[str]:
    """Return the namespaces to ask one by one; empty for all at once."""
    return sorted(namespaces) if len(namespaces) <= _SINGLE_NAMESPACES else []


def _readable(api: Api, place: str) -> list[SavedPod]:
    try:
        return saved_pods(api, [place] if place else [])
    except Forbidden:
        return []


def _chosen(copies: Sequence[SavedPod], namespaces: Collection[str], selector: str) -> list[SavedPod]:
    def fitting(copy: SavedPod) -> bool:
        return fits(selector, (copy.manifest.get("metadata") or {}).get("labels") or {})

    return [copy for copy in copies if copy.object.namespace in namespaces and fitting(copy)]


def _with_uids(api: Api, copies: Sequence[SavedPod]) -> list[tuple[SavedPod, str]]:
    """Return the copies, each with the uid of the pod that has its name now (empty: there is none)."""
    there = api.map(lambda copy: api.get_or_none(POD, copy.object.name, copy.object.namespace, metadata_only=True), copies)
    return [(copy, pod["metadata"]["uid"] if pod is not None else "") for copy, pod in zip(copies, there, strict=True)]


def task_id(copy: SavedPod) -> str:
    """Return the id of the task that finishes a copy."""
    return step_id("recreate", copy.object)


def _task(copy: SavedPod) -> Task:
    return Task(
        id=task_id(copy),
        object=copy.object,
        kind=POD,
        way="recreate",
        pods=1,
        reason=f"an earlier run has evicted it and was interrupted; its copy is Secret {copy.secret}",
        uid=copy.uid,
        stale=(copy.object.name,),
        manifest=copy.manifest,
    )
