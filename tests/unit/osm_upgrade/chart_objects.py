# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects as a chart renders them, and as the API server answers with them: it writes quantities its own way and fills in defaults."""

from __future__ import annotations

import copy
from typing import Any

Object = dict[str, Any]
NAMESPACE = "osm-system"


def rendered(version: str = "1.2.3", selector: dict[str, str] | None = None) -> Object:
    """The Deployment of osm-controller with everything that charts of the family write into one."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "osm-controller",
            "namespace": NAMESPACE,
            "labels": {"app": "osm-controller", "app.kubernetes.io/version": version},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector or {"app": "osm-controller"}},
            "template": {
                "metadata": {"labels": {"app": "osm-controller"}, "annotations": {"prometheus.io/port": "9091"}},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": "osm",
                    "securityContext": {"runAsUser": 1000, "supplementalGroups": [5555]},
                    "nodeSelector": {},
                    "tolerations": [{"key": "mesh", "operator": "Exists"}],
                    "initContainers": [{"name": "init-osm-controller", "image": "curlimages/curl", "args": ["--retry", "50"]}],
                    "containers": [
                        {
                            "name": "osm-pipy-repo",
                            "image": "flomesh/pipy-repo:0.70.0-46",
                            "ports": [{"name": "pipy-admin-port", "containerPort": 6060}],
                            "command": ["pipy"],
                        },
                        {
                            "name": "osm-controller",
                            "image": f"flomesh/osm-edge-controller:{version}",
                            "imagePullPolicy": "IfNotPresent",
                            "ports": [{"name": "admin-port", "containerPort": 15000}, {"name": "metrics", "containerPort": 9091}],
                            "args": ["--verbosity", "info", "--osm-version", version],
                            "resources": {"limits": {"cpu": "1.5", "memory": "1G"}, "requests": {"cpu": "0.5", "memory": "128M"}},
                            "livenessProbe": {"initialDelaySeconds": 1, "httpGet": {"path": "/health/alive", "port": 9091}},
                            "env": [
                                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                                {"name": "SIDECAR_CLASS", "value": "pipy"},
                                {"name": "EMPTY", "value": ""},
                            ],
                            "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": True}],
                        },
                    ],
                    "volumes": [{"name": "config", "configMap": {"name": "fluentbit-configmap"}}],
                },
            },
        },
    }


def service() -> Object:
    """A Service with two ports."""
    ports = [{"name": "pipy", "port": 6060, "targetPort": 6060}, {"name": "healthz", "port": 9091, "targetPort": 9091}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "osm-controller", "namespace": NAMESPACE, "labels": {"app": "osm-controller"}},
        "spec": {"ports": ports, "selector": {"app": "osm-controller"}},
    }


def autoscaler() -> Object:
    """A HorizontalPodAutoscaler of osm-controller."""
    target = {"type": "Utilization", "averageUtilization": 80}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "osm-controller-hpa", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "osm-controller"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def disruption_budget() -> Object:
    """A PodDisruptionBudget of osm-controller."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "osm-controller-pdb", "namespace": NAMESPACE},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "osm-controller"}}},
    }


def config_map() -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "fluentbit-configmap", "namespace": NAMESPACE},
        "data": {"fluent-bit.conf": "[OUTPUT]\n"},
    }


def as_stored(manifest: Object) -> Object:
    """The object as the API server answers with it after Helm has created it (compared with a real one in the integration tests)."""
    stored = copy.deepcopy(manifest)
    metadata, spec = stored["metadata"], stored.get("spec", {})
    metadata |= {"uid": "u", "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    metadata.setdefault("labels", {})["app.kubernetes.io/managed-by"] = "Helm"
    metadata["annotations"] = {"meta.helm.sh/release-name": "osm", "deployment.kubernetes.io/revision": "1"}
    if stored["kind"] == "Deployment":
        spec |= {"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
        _fill_pod(spec["template"]["spec"])
        stored["status"] = {"replicas": 1}
    elif stored["kind"] == "Service":
        spec |= {"type": "ClusterIP", "clusterIP": "10.0.0.9", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
        for port in spec["ports"]:
            port["protocol"] = "TCP"
    return stored


def _fill_pod(pod: Object) -> None:
    pod |= {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
    }
    pod["serviceAccount"] = pod["serviceAccountName"]
    pod.pop("nodeSelector")
    pod["volumes"][0]["configMap"]["defaultMode"] = 420
    for container in [*pod["initContainers"], *pod["containers"]]:
        container.setdefault("imagePullPolicy", "Always")
        container |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        container.setdefault("resources", {})
        for port in container.get("ports", ()):
            port["protocol"] = "TCP"
        for kind, amounts in container["resources"].items():
            container["resources"][kind] = amounts | {"cpu": {"1.5": "1500m", "0.5": "500m"}[amounts["cpu"]]}
        if "livenessProbe" in container:
            container["livenessProbe"] |= {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
            container["livenessProbe"]["httpGet"]["scheme"] = "HTTP"
        for variable in container.get("env", ()):
            if variable.get("value") == "":
                del variable["value"]
            if "valueFrom" in variable:
                variable["valueFrom"]["fieldRef"]["apiVersion"] = "v1"
