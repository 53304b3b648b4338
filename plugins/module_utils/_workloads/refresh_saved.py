# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bare pods that a run which was killed has evicted and not created again, or not told to be ready: they are finished first."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import SavedPod, saved_pods

# So many namespaces are asked one by one, which needs no permission for the Secrets of the others.
_SINGLE_NAMESPACES = 20


def tasks_of_saved_pods(api: Api, namespaces: Collection[str], planned: Collection[str]) -> list[Task]:
    """Return a task for each copy in ``namespaces`` whose pod is gone or was made again; ``planned`` are the ids of other tasks.

    A copy of a pod that is still there was made just before its eviction: that pod is planned like any other. Number of requests: one
    per namespace or one for all, and one for each copy. Raises KubeError.
    """
    places = sorted(namespaces) if len(namespaces) <= _SINGLE_NAMESPACES else []
    if not namespaces:
        return []
    copies = [copy for copy in saved_pods(api, places) if copy.object.namespace in namespaces and task_id(copy) not in planned]
    there = api.map(lambda copy: api.get_or_none(POD, copy.object.name, copy.object.namespace, metadata_only=True), copies)
    return [_task(copy) for copy, pod in zip(copies, there, strict=True) if pod is None or pod["metadata"]["uid"] != copy.uid]


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
