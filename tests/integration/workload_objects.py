# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of every kind of workload that a refresh of sidecars meets. Each is called what its pods' label ``app`` says.

``labels`` and ``annotations`` are those of the pods (of the workload itself too, where labels choose workloads), ``pod`` is merged into
the pod's spec, and ``spec`` into the workload's. The label ``sandbox.meshops/pod`` lets pods misbehave, see tests/sandbox/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
IMAGE = "web:1"
BEHAVIOUR = "sandbox.meshops/pod"
BEHAVIOUR_SECONDS = "sandbox.meshops/seconds"


def namespace(name: str, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None) -> Object:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": _metadata(name, None, labels, annotations)}


def deployment(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A Deployment in namespace ``where``."""
    return _workload("apps/v1", "Deployment", name, where, replicas, **options)


def stateful_set(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A StatefulSet without volumes; its pods start side by side unless ``spec`` says otherwise."""
    made = _workload("apps/v1", "StatefulSet", name, where, replicas, **options)
    made["spec"] = {"serviceName": name, "podManagementPolicy": "Parallel"} | made["spec"]
    return made


def daemon_set(name: str, where: str, **options: Any) -> Object:
    """A DaemonSet: one pod per node."""
    return _workload("apps/v1", "DaemonSet", name, where, None, **options)


def replica_set(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A ReplicaSet that no Deployment owns."""
    return _workload("apps/v1", "ReplicaSet", name, where, replicas, **options)


def replication_controller(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A ReplicationController."""
    made = _workload("v1", "ReplicationController", name, where, replicas, **options)
    made["spec"]["selector"] = made["spec"]["selector"]["matchLabels"]
    return made


def rollout(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A Rollout of Argo Rollouts, with the canary strategy that replaces pods like a Deployment."""
    made = _workload("argoproj.io/v1alpha1", "Rollout", name, where, replicas, **options)
    made["spec"] = {"strategy": {"canary": {"maxUnavailable": 1, "maxSurge": 1}}} | made["spec"]
    return made


def deployment_config(name: str, where: str, replicas: int = 1, **options: Any) -> Object:
    """A DeploymentConfig of OpenShift."""
    made = _workload("apps.openshift.io/v1", "DeploymentConfig", name, where, replicas, **options)
    made["spec"]["selector"] = made["spec"]["selector"]["matchLabels"]
    return {**made, "spec": {"strategy": {"type": "Rolling"}, "triggers": [{"type": "ConfigChange"}]} | made["spec"]}


def job(name: str, where: str, **options: Any) -> Object:
    """A Job whose pod runs until it is deleted, unless ``image`` says otherwise: KWOK ends the others at once."""
    options.setdefault("image", "batch-hanging:1")
    options["pod"] = {"restartPolicy": "Never", **(options.get("pod") or {})}
    made = _workload("batch/v1", "Job", name, where, None, **options)
    del made["spec"]["selector"]
    return made


def cron_job(name: str, where: str, schedule: str = "* * * * *", **options: Any) -> Object:
    """A CronJob; ``options`` are those of its Jobs."""
    template = {"metadata": {"labels": {"app": name}}, "spec": job(name, where, **options)["spec"]}
    metadata = _metadata(name, where, {"app": name}, None)
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": {"schedule": schedule, "jobTemplate": template}}


def bare_pod(
    name: str,
    where: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    image: str = IMAGE,
    pod: Mapping[str, Any] | None = None,
) -> Object:
    """A pod that nobody owns."""
    metadata = _metadata(name, where, {"app": name, **(labels or {})}, annotations)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _pod_spec(image, pod)}


def disruption_budget(name: str, where: str, app: str = "", **spec: Any) -> Object:
    """A PodDisruptionBudget of the pods of ``app`` (default: called like the budget); ``spec`` has minAvailable or maxUnavailable."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name, where, None, None),
        "spec": {"selector": {"matchLabels": {"app": app or name}}, **spec},
    }


def behaving(behaviour: str, seconds: float | None = None) -> dict[str, dict[str, str]]:
    """The ``labels`` and ``annotations`` that let pods misbehave, to be passed on: ``deployment("a", "ns", **behaving("never-ready"))``."""
    annotations = {} if seconds is None else {BEHAVIOUR_SECONDS: f"{seconds:g}"}
    return {"labels": {BEHAVIOUR: behaviour}, "annotations": annotations}


def _workload(
    api_version: str,
    kind: str,
    name: str,
    where: str,
    replicas: int | None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    image: str = IMAGE,
    pod: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Object:
    of_pods = {"app": name, **(labels or {})}
    template: Object = {"metadata": {"labels": of_pods}, "spec": _pod_spec(image, pod)}
    if annotations:
        template["metadata"]["annotations"] = dict(annotations)
    count = {} if replicas is None else {"replicas": replicas}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": _metadata(name, where, of_pods, None),
        "spec": {**count, "selector": {"matchLabels": {"app": name}}, "template": template, **(spec or {})},
    }


def _pod_spec(image: str, pod: Mapping[str, Any] | None) -> Object:
    return {"containers": [{"name": "app", "image": image, "ports": [{"containerPort": 8080}]}], **(pod or {})}


def _metadata(name: str, where: str | None, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> Object:
    made: Object = {"name": name}
    if where is not None:
        made["namespace"] = where
    if labels:
        made["labels"] = dict(labels)
    if annotations:
        made["annotations"] = dict(annotations)
    return made
