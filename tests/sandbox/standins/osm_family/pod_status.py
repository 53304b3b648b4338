# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a control plane's pod, written as a kubelet writes it: KWOK starts these pods, and the stand-in says how they fare."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from .api import Api, ApiError, Object
from .pods import ControlPlanePod

_ATTEMPTS = 5
_BACK_OFF = (10, 20, 40, 80, 160, 300)


def mark_ready(api: Api, pod: ControlPlanePod) -> None:
    """The program's readiness probe succeeds."""

    def change(status: Object) -> None:
        container = _container(status, pod.program)
        container.update(ready=True, started=True, state={"running": {"startedAt": _now()}})
        _set_ready(status, unready=[])

    _change(api, pod, change)


def mark_crashing(api: Api, pod: ControlPlanePod, times: int, exit_code: int) -> None:
    """Waiting in CrashLoopBackOff after its ``times``-th exit, not ready."""
    seconds = _BACK_OFF[min(times, len(_BACK_OFF)) - 1]
    message = f"back-off {seconds}s restarting failed container={pod.program} pod={pod.name}_{pod.namespace}({pod.uid})"

    def change(status: Object) -> None:
        container = _container(status, pod.program)
        ended = {"exitCode": exit_code, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        container.update(ready=False, started=False, state=waiting, lastState={"terminated": ended}, restartCount=times)
        _set_ready(status, unready=[pod.program])

    _change(api, pod, change)


def mark_initializing(api: Api, pod: Object, waiting: str) -> None:
    """Its init container ``waiting`` runs, and has not succeeded: kubectl shows Init:0/1."""
    spec = pod["spec"]

    def change(status: Object) -> None:
        started = {"running": {"startedAt": _now()}}
        status["initContainerStatuses"] = [
            _status(entry, {"ready": False, "started": entry["name"] == waiting, "state": started}) for entry in spec["initContainers"]
        ]
        status["containerStatuses"] = [
            _status(entry, {"ready": False, "started": False, "state": {"waiting": {"reason": "PodInitializing"}}})
            for entry in spec["containers"]
        ]
        _condition(status, "Initialized", ok=False, reason="ContainersNotInitialized", message=_incomplete([waiting]))
        _set_ready(status, unready=[entry["name"] for entry in spec["containers"]])

    _change_of(api, pod["metadata"], change)


def mark_initialized(api: Api, pod: Object) -> None:
    """Its init containers have succeeded; KWOK goes on from there."""

    def change(status: Object) -> None:
        ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": _now(), "finishedAt": _now()}}
        for container in status.get("initContainerStatuses", []):
            container.update(ready=True, started=False, state=ended)
        _condition(status, "Initialized", ok=True)

    _change_of(api, pod["metadata"], change)


def _change(api: Api, pod: ControlPlanePod, change: Callable[[Object], None]) -> None:
    _change_of(api, {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid}, change)


def _change_of(api: Api, metadata: Object, change: Callable[[Object], None]) -> None:
    """Read, change and write the status of a pod that is still the same one; raises ApiError, Unreachable."""
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    for attempt in range(_ATTEMPTS):
        found = api.find(path)
        if found is None or found["metadata"]["uid"] != metadata["uid"]:
            return
        change(found.setdefault("status", {}))
        try:
            api.update(f"{path}/status", found)
            return
        except ApiError as error:
            if error.status == 404 or (error.reason == "Conflict" and attempt < _ATTEMPTS - 1):
                continue
            raise


def _container(status: Object, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next((entry for entry in status.get("containerStatuses", []) if entry["name"] == name), {})
    return found


def _status(container: Object, state: Object) -> Object:
    return {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0, **state}


def _set_ready(status: Object, unready: list[str]) -> None:
    for kind in ("Ready", "ContainersReady"):
        if unready:
            message = f"containers with unready status: [{' '.join(unready)}]"
            _condition(status, kind, ok=False, reason="ContainersNotReady", message=message)
        else:
            _condition(status, kind, ok=True)


def _incomplete(names: list[str]) -> str:
    return f"containers with incomplete status: [{' '.join(names)}]"


def _condition(status: Object, kind: str, *, ok: bool, reason: str = "", message: str = "") -> None:
    wanted = {"type": kind, "status": "True" if ok else "False", **({"reason": reason, "message": message} if reason else {})}
    conditions = status.setdefault("conditions", [])
    found = next((entry for entry in conditions if entry["type"] == kind), None)
    if found is None:
        conditions.append(wanted | {"lastTransitionTime": _now()})
    elif any(found.get(key) != wanted.get(key) for key in ("status", "reason", "message")):
        changed = found["status"] != wanted["status"]
        moment = _now() if changed else found.get("lastTransitionTime", _now())
        found.clear()
        found.update(wanted, lastTransitionTime=moment)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
