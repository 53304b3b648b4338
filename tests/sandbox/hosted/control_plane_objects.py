# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workloads of a hosted control plane: Deployments, the StatefulSet of etcd with its volumes, Services.

The names are those of control-plane-operator/controllers/hostedcontrolplane/v2/assets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .definitions import HYPERSHIFT
from .hypershift_objects import API
from .made import Made, Object, Owner, metadata
from .shape import Shape

# Three of each in a control plane that is highly available.
SERVING = (
    "kube-apiserver",
    "openshift-apiserver",
    "openshift-oauth-apiserver",
    "oauth-openshift",
    "kube-controller-manager",
    "kube-scheduler",
)
# One of each: a second one only waits.
SINGLE = (
    "control-plane-operator",
    "hosted-cluster-config-operator",
    "cluster-api",
    "capi-provider",
    "cluster-autoscaler",
    "machine-approver",
    "ignition-server",
    "cluster-version-operator",
)
_HELD_BY_OPERATOR = ("cluster-api", "capi-provider")
MEMBER_TAINT = "sandbox.meshops/member"
STORAGE_CLASS = "gp3-csi"
DRIVER = "ebs.csi.aws.com"
# A tag without a registry's promise: nothing is pulled.
_IMAGE = "quay.io/openshift-release-dev/ocp-v4.0-art-dev:{}"


def workload_names() -> list[str]:
    """The names of all Deployments."""
    return [*SERVING, *SINGLE]


def workloads(shape: Shape, member_nodes: Sequence[str]) -> Iterator[Made]:
    """All of them. ``member_nodes`` are the nodes where the members of a real etcd answer, in order; none: anywhere."""
    for name in workload_names():
        available = shape.members if name in SERVING else 1
        yield _deployment(shape, name, shape.replicas.get(name, available))
    yield from _etcd_volumes(shape, member_nodes)
    yield _etcd(shape, "etcd", shape.members)
    for number in range(1, shape.etcd_shards):
        yield _etcd(shape, f"etcd-shard-{number}", shape.members, volumes=False)
    yield from _services(shape)


def _owner(shape: Shape) -> Owner:
    return Owner(API, "HostedControlPlane", shape.name)


def _pod_labels(shape: Shape, name: str) -> Object:
    return {
        "app": name,
        f"{HYPERSHIFT}/control-plane-component": name,
        f"{HYPERSHIFT}/hosted-control-plane": shape.control_plane_namespace,
    }


def _deployment(shape: Shape, name: str, replicas: int) -> Made:
    finalizers = [f"{HYPERSHIFT}/component-finalizer"] if name in _HELD_BY_OPERATOR else []
    labels = _pod_labels(shape, name)
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": name, "image": _IMAGE.format(name)}], "automountServiceAccountToken": False},
        },
    }
    described = metadata(name, shape.control_plane_namespace, labels=labels, finalizers=finalizers)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": described, "spec": spec}
    return Made(4, body, _owner(shape), manager="control-plane-operator")


def _etcd_volumes(shape: Shape, member_nodes: Sequence[str]) -> Iterator[Made]:
    """A volume per member, meant for its claim; that of a real member can only be used on the member's node."""
    for index in range(shape.members):
        spec: Object = {
            "capacity": {"storage": "8Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "claimRef": {"namespace": shape.control_plane_namespace, "name": f"data-etcd-{index}"},
            "csi": {"driver": DRIVER, "volumeHandle": f"vol-{shape.digest('volume', str(index), length=17)}"},
        }
        if member_nodes:
            chosen = {"key": "kubernetes.io/hostname", "operator": "In", "values": [member_nodes[index]]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [chosen]}]}}
        name = f"pvc-{shape.digest('claim', str(index), length=32)}"
        yield Made(3, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata(name), "spec": spec}, manager="csi-provisioner")


def _etcd(shape: Shape, name: str, replicas: int, *, volumes: bool = True) -> Made:
    """The StatefulSet, as in v2/assets/etcd/statefulset.yaml as far as a procedure looks at it."""
    mounts = [
        {"name": "data", "mountPath": "/var/lib"},
        {"name": "client-tls", "mountPath": "/etc/etcd/tls/client"},
        {"name": "etcd-ca", "mountPath": "/etc/etcd/tls/etcd-ca"},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    containers: list[Object] = [
        {
            "name": "etcd",
            "image": _IMAGE.format("etcd"),
            "ports": [{"name": "client", "containerPort": 2379}, {"name": "peer", "containerPort": 2380}],
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": mounts if volumes else mounts[1:],
        },
        {"name": "etcd-metrics", "image": _IMAGE.format("etcd")},
        {"name": "healthz", "image": _IMAGE.format("cluster-etcd-operator")},
    ]
    if replicas > 1:
        containers.append({"name": "etcd-defrag", "image": _IMAGE.format("control-plane-operator")})
    template = {
        "metadata": {"labels": _pod_labels(shape, name)},
        "spec": {
            "containers": containers,
            "automountServiceAccountToken": False,
            "tolerations": [{"key": MEMBER_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
            "volumes": [
                {"name": "client-tls", "secret": {"secretName": "etcd-client-tls"}},
                {"name": "etcd-ca", "configMap": {"name": "etcd-ca"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "resources": {"requests": {"storage": "8Gi"}},
        },
    }
    spec: Object = {
        "replicas": replicas,
        "serviceName": f"{name}-discovery",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": name}},
        "template": template,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }
    if volumes:
        spec["volumeClaimTemplates"] = [claim]
    described = metadata(name, shape.control_plane_namespace, labels=_pod_labels(shape, name))
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": described, "spec": spec}
    return Made(4, body, _owner(shape), manager="control-plane-operator")


def _services(shape: Shape) -> Iterator[Made]:
    def service(name: str, app: str, ports: list[Object], annotations: Object | None = None, **spec: object) -> Made:
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(name, shape.control_plane_namespace, annotations=annotations or {}),
            "spec": {"selector": {"app": app}, "ports": ports, **spec},
        }
        return Made(4, body, _owner(shape), manager="control-plane-operator")

    yield service("etcd-client", "etcd", [{"name": "etcd-client", "port": 2379}, {"name": "metrics", "port": 2381}])
    yield service("etcd-discovery", "etcd", [{"name": "peer", "port": 2380}], clusterIP="None", publishNotReadyAddresses=True)
    hostname = {"external-dns.alpha.kubernetes.io/hostname": shape.hostname("api")} if shape.external_dns else None
    yield service("kube-apiserver", "kube-apiserver", [{"name": "client", "port": 6443}], hostname)
