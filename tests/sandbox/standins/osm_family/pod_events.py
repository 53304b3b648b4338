# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events about a control plane's pod: what its program records, and what the kubelet says when it crashes."""

from __future__ import annotations

from .api import Api
from .pod_logs import now
from .pods import ControlPlanePod


def record_event(api: Api, pod: ControlPlanePod, component: str, reason: str, message: str) -> None:
    """Record one Warning; raises ApiError, Unreachable."""
    moment = now()
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{pod.name}.", "namespace": pod.namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": moment[:19] + "Z",
        "lastTimestamp": moment[:19] + "Z",
        "count": 1,
    }
    api.create(f"/api/v1/namespaces/{pod.namespace}/events", body)
