# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw nodes, pods and workloads as the API server returns them."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room, Tally

Object = dict[str, Any]
LABELS = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
NAMESPACE = "osm-system"


def node(name: str, cpu: str = "2", memory: str = "4Gi", pods: str = "110", **spec: Any) -> Object:
    """A ready node."""
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "1Gi"}
    conditions = [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": name, "labels": {**LABELS}},
        "spec": spec,
        "status": {"allocatable": allocatable, "conditions": conditions},
    }


def container(cpu: str = "", memory: str = "", **more: Any) -> Object:
    """A container with requests."""
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": "c", "image": "c:1", "resources": {"requests": requests}, **more}


def pod(app: str, on: str = "", cpu: str = "", memory: str = "", *, namespace: str = NAMESPACE, phase: str = "Running") -> Object:
    """A pod, waiting for a node when ``on`` is empty."""
    spec: Object = {"containers": [container(cpu, memory)]}
    if on:
        spec["nodeName"] = on
    return {"metadata": {"name": f"{app}-1", "namespace": namespace, "labels": {"app": app}}, "spec": spec, "status": {"phase": phase}}


def workload(name: str, cpu: str = "", memory: str = "", *, kind: str = "Deployment", image: str = "c:1", **spec: Any) -> Object:
    """A workload without server-side defaults; ``template`` adds to its pods."""
    added = spec.pop("template", {})
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(cpu, memory, image=image)], **added}}
    body = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": body}


def room(nodes: list[Object], pods: list[Object]) -> Room:
    """What these nodes have left."""
    tally = Tally(lambda item: item["metadata"]["namespace"] == NAMESPACE)
    for item in pods:
        tally.add(item)
    return tally.room(nodes)
