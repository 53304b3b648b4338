# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows in a pod's status that its container crashes, as a kubelet would: KWOK's pods never crash by themselves."""

from __future__ import annotations

import datetime
from typing import Any

from .api import Api, Object
from .pods import ControlPlanePod


def mark_crashing(api: Api, pod: ControlPlanePod, times: int) -> None:
    """Waiting in CrashLoopBackOff, not ready."""
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off restarting failed container {pod.role}"}}
    _mark(api, pod, ready=False, state=waiting, restarts=times)


def mark_running(api: Api, pod: ControlPlanePod, times: int) -> None:
    """Running and ready again."""
    _mark(api, pod, ready=True, state={"running": {"startedAt": _now()}}, restarts=times)


def _mark(api: Api, pod: ControlPlanePod, *, ready: bool, state: dict[str, Any], restarts: int) -> None:
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    found = api.find(path)
    if found is None or found["metadata"]["uid"] != pod.uid:
        return
    status = found["status"]
    for container in status.get("containerStatuses", []):
        if container["name"] == pod.role:
            container.update(ready=ready, started=ready, state=state, restartCount=restarts)
    for condition in status.get("conditions", []):
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update(status="True" if ready else "False", lastTransitionTime=_now())
    changed: Object = {"containerStatuses": status.get("containerStatuses", []), "conditions": status.get("conditions", [])}
    api.patch(f"{path}/status", {"status": changed})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
