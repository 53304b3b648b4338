# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw Deployments, pods, Events and logs of a control plane in trouble."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice

Object = dict[str, Any]
NAMESPACE = "osm-system"
ADVICE = Advice(
    images="osm.image.registry and osm.image.tag",
    image_of={"osm-prometheus": "osm.prometheus.image"},
    requests_of={"osm-injector": "osm.injector.resource.requests", "osm-controller": "osm.osmController.resource.requests"},
    bootstrap="osm-bootstrap",
)


def pod(app: str, *, number: int = 1, image: str = "", template: str = "", **status: Any) -> Object:
    """A scheduled pod."""
    labels = {"app": app} | ({"pod-template-hash": template} if template else {})
    name = f"{app}-{number}"
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "uid": f"uid-{name}"},
        "spec": {"nodeName": "n1", "containers": [{"name": app, "image": image or f"flomesh/{app}:1.3.9"}]},
        "status": {"phase": "Pending", "conditions": conditions, **status},
    }


def unscheduled(app: str, message: str, reason: str = "Unschedulable") -> Object:
    """A pod that no node takes."""
    item = pod(app, conditions=[{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}])
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "0.3", "memory": "64Mi"}}
    return item


def waiting(app: str, reason: str, message: str = "", *, number: int = 1, restarts: int = 0, code: int = 0, **more: Any) -> Object:
    """A pod whose container waits, after having ended with ``code``."""
    container: Object = {
        "name": app,
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    if code:
        container["lastState"] = {"terminated": {"exitCode": code, "reason": "Error"}}
    return pod(app, number=number, containerStatuses=[container], **more)


def crashing(app: str, restarts: int = 3, code: int = 1, **more: Any) -> Object:
    """A pod in CrashLoopBackOff."""
    return waiting(app, "CrashLoopBackOff", "back-off 40s", restarts=restarts, code=code, **more)


def initializing(app: str, number: int = 1, container: str = "") -> Object:
    """A pod whose init container runs: kubectl shows Init:0/1."""
    init = {"name": container or f"init-{app}", "ready": False, "restartCount": 0, "state": {"running": {}}}
    main = {"name": app, "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}
    return pod(app, number=number, initContainerStatuses=[init], containerStatuses=[main])


def running(app: str, *, ready: bool = False) -> Object:
    """A running pod."""
    item = pod(app, phase="Running", containerStatuses=[{"name": app, "ready": ready, "restartCount": 0, "state": {"running": {}}}])
    item["status"]["conditions"][1]["status"] = "True" if ready else "False"
    return item


def event(about: str, reason: str, message: str, *, kind: str = "Pod", at: int = 0, uid: str = "") -> Object:
    """A Warning about an object of the namespace."""
    return {
        "metadata": {"name": f"{about}.{at}", "namespace": NAMESPACE},
        "involvedObject": {"kind": kind, "name": about, "namespace": NAMESPACE, "uid": uid or (f"uid-{about}" if kind == "Pod" else "")},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:{at:02}Z",
    }


def log_line(message: str, error: str = "", *, reason: str = "", level: str = "fatal") -> str:
    """A line as zerolog writes it."""
    entry = {"level": level, "component": "osm-bootstrap/main", "error": error, "reason": reason, "message": message}
    return json.dumps({key: value for key, value in entry.items() if value})


def deployment(name: str, *, revision: str = "2", observed: int = 2, paused: bool = False, **conditions: Object) -> Object:
    """A Deployment with conditions by their types."""
    return {
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": revision},
        },
        "spec": {"paused": paused, "selector": {"matchLabels": {"app": name}}},
        "status": {"observedGeneration": observed, "conditions": [{"type": key, **value} for key, value in conditions.items()]},
    }


def replica_set(owner: str, template: str, revision: str) -> Object:
    """A ReplicaSet of a Deployment."""
    return {
        "metadata": {
            "name": f"{owner}-{template}",
            "namespace": NAMESPACE,
            "labels": {"pod-template-hash": template},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": owner, "uid": f"uid-{owner}", "controller": True}],
        }
    }
