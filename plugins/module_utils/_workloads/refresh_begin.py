# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begins to replace the pods of one workload: the one write that makes its controller do the rest.

Where a template annotation is written, it is the memory: a workload whose template has it already is not begun a second time.
DeploymentConfigs and Rollouts are asked whether they are at it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Conflict, Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import REPLICATION_CONTROLLER
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import RC_PHASE, stamp_of, template_token
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Task

Object = Mapping[str, Any]

# A busy status changes the resourceVersion all the time.
_ATTEMPTS = 8
_RC_ENDED = ("Complete", "Failed")


class Begun(NamedTuple):
    """``begun`` by this call, ``already`` (nothing was written: it replaces its pods by now), or ``gone`` with the workload.

    ``mark`` is what the completion is told by: the token, ``spec.restartAt``, or the number of a DeploymentConfig's version. ``stamp``
    is the API server's time of our write.
    """

    state: Literal["begun", "already", "gone"]
    mark: str = ""
    message: str = ""
    stamp: str = ""


GONE = Begun("gone", message="it was deleted meanwhile")
_REPLACED = Begun("gone", message="it was deleted and made anew meanwhile: its pods are new")


def begin(api: Api, task: Task, now: float) -> Begun:
    """Make the write of a task whose way is rollout, instantiate, restart_at or wait; ``now`` is in seconds since the epoch.

    Raises StepFailed when the workload is paused, and KubeError.
    """
    try:
        if task.way == "rollout":
            return _roll_out(api, task)
        if task.way == "instantiate":
            return _instantiate(api, task)
        if task.way == "restart_at":
            return _restart_at(api, task, now)
        return _wait_for(api, task)
    except NotFound:
        return GONE


def rollout_patch(task: Task) -> dict[str, Any]:
    """Return the merge patch that makes a workload replace its pods."""
    return {"spec": {"template": {"metadata": {"annotations": {**dict.fromkeys(task.drops), TOKEN: task.token}}}}}


def _roll_out(api: Api, task: Task) -> Begun:
    patch = rollout_patch(task)
    version, lost = task.resource_version, False
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            stored = api.patch(task.kind, task.object.name, patch, task.object.namespace, uid=task.uid, resource_version=version)
            return Begun("begun", task.token, stamp=stamp_of(stored))
        except Conflict as conflict:
            lost = lost or conflict.after_lost_answer
            if attempt == _ATTEMPTS:
                raise
        live = api.get(task.kind, task.object.name, task.object.namespace)
        if live["metadata"]["uid"] != task.uid:
            return _REPLACED
        if template_token(live) == task.token:
            # Our own write, when its answer was lost.
            return Begun("begun" if lost else "already", task.token)
        _refuse_paused(live, task)
        # The patch is about annotations of ours only, so it takes nothing away from whoever has changed the object.
        version = live["metadata"]["resourceVersion"]
    raise RuntimeError("unreachable: the last attempt returns or raises")


def _instantiate(api: Api, task: Task) -> Begun:
    """Deploy the template as it is (``latest: false`` moves no image). Source: openshift/oc pkg/cli/rollout/latest.go."""
    name, namespace = task.object.name, task.object.namespace
    live = api.get(task.kind, name, namespace)
    if task.uid and live["metadata"]["uid"] != task.uid:
        return _REPLACED
    _refuse_paused(live, task)
    latest = latest_version(live)
    if latest:
        newest = api.get_or_none(REPLICATION_CONTROLLER, f"{name}-{latest}", namespace)
        if newest is not None and _phase(newest) not in _RC_ENDED:
            return Begun("already", str(latest))
    request = {"kind": "DeploymentRequest", "apiVersion": task.kind.api_version, "name": name, "latest": False, "force": True}
    try:
        answer = api.post(task.kind, name, namespace, "instantiate", request)
    except (NotFound, Forbidden):
        # Servers before OpenShift 3.4 do not have it.
        body = {"status": {"latestVersion": latest + 1}}
        answer = api.patch(task.kind, name, body, namespace, uid=task.uid, resource_version=live["metadata"]["resourceVersion"])
    return Begun("begun", str(max(latest_version(answer), latest + 1)))


def _restart_at(api: Api, task: Task, now: float) -> Begun:
    """Set ``spec.restartAt``: the controller evicts what is older. Source: argoproj/argo-rollouts rollout/restart.go."""
    live = api.get(task.kind, task.object.name, task.object.namespace)
    if task.uid and live["metadata"]["uid"] != task.uid:
        return _REPLACED
    wanted = (live.get("spec") or {}).get("restartAt")
    if wanted and wanted != (live.get("status") or {}).get("restartedAt"):
        return Begun("already", str(wanted))
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"spec": {"restartAt": moment}}
    stored = api.patch(task.kind, task.object.name, body, task.object.namespace, uid=live["metadata"]["uid"])
    return Begun("begun", moment, stamp=stamp_of(stored))


def _wait_for(api: Api, task: Task) -> Begun:
    """Write nothing: it was begun before. Its mark is what it is at."""
    live = api.get(task.kind, task.object.name, task.object.namespace)
    if task.uid and live["metadata"]["uid"] != task.uid:
        return _REPLACED
    mark = task.token
    if not mark:
        mark = str((live.get("spec") or {}).get("restartAt") or latest_version(live) or "")
    return Begun("already", mark)


def latest_version(config: Object) -> int:
    """Return the number of a DeploymentConfig's newest version, 0 for none."""
    return int((config.get("status") or {}).get("latestVersion") or 0)


def _phase(controller: Object) -> str:
    return str((controller["metadata"].get("annotations") or {}).get(RC_PHASE, ""))


def _refuse_paused(live: Object, task: Task) -> None:
    if (live.get("spec") or {}).get("paused"):
        raise StepFailed(
            f"{task.object} is paused",
            object=task.object,
            why="whoever paused it does not want new pods now",
            state="it was not touched",
            next="resume it (kubectl rollout resume), then run the same command again",
            details={"code": "paused"},
        )
