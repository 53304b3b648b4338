# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the workloads of a namespace run what they should."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from .api import Api
from .errors import SandboxError

_POLL_SECONDS = 0.2


def wait_for_rollouts(api: Api, namespaces: Iterable[str], timeout: float = 120.0) -> None:
    """Wait until every Deployment, StatefulSet, DaemonSet and bare pod of the namespaces is ready; SandboxError if not."""
    deadline = time.monotonic() + timeout
    waiting = list(namespaces)
    while True:
        missing = [text for namespace in waiting for text in unready(api, namespace)]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise SandboxError(f"not ready after {timeout:.0f} s: {'; '.join(missing)}")
        time.sleep(_POLL_SECONDS)


def unready(api: Api, namespace: str) -> list[str]:
    """What is not ready in the namespace, each as "Kind namespace/name: why"."""
    found = []
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for item in api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s")["items"]:
            if reason := _lag(kind, item):
                found.append(f"{kind} {namespace}/{item['metadata']['name']}: {reason}")
    for pod in api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]:
        conditions = {entry["type"]: entry["status"] for entry in pod["status"].get("conditions", [])}
        if pod["status"].get("phase") != "Succeeded" and conditions.get("Ready") != "True":
            found.append(f"Pod {namespace}/{pod['metadata']['name']}: {pod['status'].get('phase', 'unknown')}")
    return found


def _lag(kind: str, item: dict[str, Any]) -> str:
    status = item.get("status", {})
    if status.get("observedGeneration", 0) < item["metadata"]["generation"]:
        return "not seen by its controller yet"
    if kind == "DaemonSet":
        wanted = status["desiredNumberScheduled"]
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted = item["spec"]["replicas"]
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return "" if updated >= wanted and available >= wanted else f"{updated} updated and {available} available of {wanted}"
