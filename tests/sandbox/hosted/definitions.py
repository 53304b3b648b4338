# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of a management cluster: HyperShift's and the AWS provider's as small ones of our own, Cluster API's real ones.

Ours let every field pass and have the rules that a procedure can meet, with the texts of HyperShift
(api/hypershift/v1beta1/hostedcluster_types.go, nodepool_types.go). One version of Cluster API's types is served: between
two the real ones are converted by a webhook, which does not run here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml
from sandboxlib import binaries

Object = dict[str, Any]
HYPERSHIFT = "hypershift.openshift.io"
CLUSTER_API = "cluster.x-k8s.io"
AWS_PROVIDER = "infrastructure.cluster.x-k8s.io"
CLUSTER_API_VERSIONS = ("v1beta1", "v1beta2")

_ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class Kind(NamedTuple):
    """A type that is defined here; ``replicas`` says that it has a scale subresource."""

    group: str
    version: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    replicas: bool = False

    @property
    def api_version(self) -> str:
        """As an object says it."""
        return f"{self.group}/{self.version}"


OWN_KINDS = (
    Kind(HYPERSHIFT, "v1beta1", "HostedCluster", "hostedclusters", ("hc", "hcs")),
    Kind(HYPERSHIFT, "v1beta1", "HostedControlPlane", "hostedcontrolplanes", ("hcp", "hcps")),
    Kind(HYPERSHIFT, "v1beta1", "NodePool", "nodepools", ("np", "nps"), replicas=True),
    Kind(HYPERSHIFT, "v1beta1", "AWSEndpointService", "awsendpointservices"),
    Kind(HYPERSHIFT, "v1beta1", "ControlPlaneComponent", "controlplanecomponents", ("cpc", "cpcs")),
    Kind(AWS_PROVIDER, "v1beta2", "AWSCluster", "awsclusters", ("awsc",)),
    Kind(AWS_PROVIDER, "v1beta2", "AWSMachine", "awsmachines", ("awsm",)),
    Kind(AWS_PROVIDER, "v1beta2", "AWSMachineTemplate", "awsmachinetemplates", ("awsmt",)),
)
CLUSTER_API_PLURALS = {
    "Cluster": "clusters",
    "MachineDeployment": "machinedeployments",
    "MachineSet": "machinesets",
    "Machine": "machines",
    "MachineHealthCheck": "machinehealthchecks",
}


def definitions(cluster_api_version: str) -> list[Object]:
    """Return every CustomResourceDefinition; ``cluster_api_version`` is the one version of Cluster API's types that is served."""
    return [*(_own(kind) for kind in OWN_KINDS), *(_cluster_api(plural, cluster_api_version) for plural in CLUSTER_API_PLURALS.values())]


def _cluster_api(plural: str, version: str) -> Object:
    path = binaries.directory("cluster-api") / "definitions" / f"{CLUSTER_API}_{plural}.yaml"
    definition: Object = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    spec = definition["spec"]
    spec["versions"] = [{**found, "served": True, "storage": True} for found in spec["versions"] if found["name"] == version]
    spec["conversion"] = {"strategy": "None"}
    return definition


def _own(kind: Kind) -> Object:
    subresources: Object = {"status": {}}
    if kind.replicas:
        subresources["scale"] = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    schema = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"spec": _SPECS.get(kind.kind, _ANYTHING), "status": _ANYTHING},
    }
    # The AWS provider's contract with Cluster API (cmd/install/assets/assets.go).
    contract = {"labels": {f"{CLUSTER_API}/v1beta1": kind.version}} if kind.group == AWS_PROVIDER else {}
    names = {"kind": kind.kind, "listKind": f"{kind.kind}List", "plural": kind.plural, "singular": kind.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}", **contract},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {**names, "shortNames": list(kind.short)},
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": subresources,
                }
            ],
        },
    }


def _rule(rule: str, message: str) -> Object:
    return {"rule": rule, "message": message}


def _fields(properties: Object, *rules: Object, required: tuple[str, ...] = ()) -> Object:
    """A typed object that lets other fields pass. Rules about changes need every parent to be typed."""
    schema: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": properties}
    if rules:
        schema["x-kubernetes-validations"] = list(rules)
    if required:
        schema["required"] = list(required)
    return schema


def _immutable(name: str) -> Object:
    return _rule("self == oldSelf", f"{name} is immutable")


def _once_set(name: str) -> Object:
    return _rule('oldSelf == "" || self == oldSelf', f"{name} is immutable")


_RESTORE_SNAPSHOT_URL: Object = {
    "type": "array",
    "maxItems": 1,
    "x-kubernetes-list-type": "set",
    "items": {"type": "string", "maxLength": 1024},
    "x-kubernetes-validations": [
        _rule("self.size() <= 1", "RestoreSnapshotURL shouldn't contain more than 1 entry"),
        _immutable("restoreSnapshotURL"),
        _rule(
            "self.size() == 0 || self[0].matches('^(https|s3)://.*')",
            "restoreSnapshotURL must be a valid URL with scheme https or s3",
        ),
    ],
}
_STORAGE = _fields(
    {"type": {"type": "string", "enum": ["PersistentVolume"]}, "restoreSnapshotURL": _RESTORE_SNAPSHOT_URL},
    _rule(
        "has(self.restoreSnapshotURL) == has(oldSelf.restoreSnapshotURL)",
        "restoreSnapshotURL cannot be added or removed after creation",
    ),
    required=("type",),
)
_ETCD = _fields(
    {
        "managementType": {"type": "string", "enum": ["Managed", "Unmanaged"], "x-kubernetes-validations": [_immutable("managementType")]},
        "managed": _fields({"storage": _STORAGE}, required=("storage",)),
    },
    _rule(
        "self.managementType == 'Managed' ? has(self.managed) : !has(self.managed)",
        "Only managed configuration must be set when managementType is Managed",
    ),
    required=("managementType",),
)
_PAUSED_RULE = _rule(
    r"self.matches('^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}.*$') || self in ['true', 'false', 'True', 'False']",
    "PausedUntil must be a date in RFC3339 format or 'True', 'true', 'False' or 'false'",
)
_SERVICES: Object = {"type": "array", "maxItems": 6, "items": _ANYTHING, "x-kubernetes-list-type": "atomic"}
_HOSTED_CLUSTER = _fields(
    {
        "etcd": _ETCD,
        "pausedUntil": {"type": "string", "minLength": 4, "maxLength": 35, "x-kubernetes-validations": [_PAUSED_RULE]},
        "infraID": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "x-kubernetes-validations": [
                _rule(
                    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    "infraID must consist of lowercase alphanumeric characters or '-', start and end with an alphanumeric character, "
                    "and be between 1 and 253 characters",
                ),
                _once_set("infraID"),
            ],
        },
        "clusterID": {
            "type": "string",
            "minLength": 36,
            "maxLength": 36,
            "x-kubernetes-validations": [
                _rule(
                    "self.matches('[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}')",
                    "clusterID must be an RFC4122 UUID value (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in hexadecimal digits)",
                ),
                _once_set("clusterID"),
            ],
        },
        "issuerURL": {
            "type": "string",
            "default": "https://kubernetes.default.svc",
            "x-kubernetes-validations": [_immutable("issuerURL"), _rule("isURL(self)", "issuerURL must be a valid absolute URL")],
        },
        "controllerAvailabilityPolicy": {
            "type": "string",
            "default": "HighlyAvailable",
            "enum": ["HighlyAvailable", "SingleReplica"],
            "x-kubernetes-validations": [_immutable("ControllerAvailabilityPolicy")],
        },
        "platform": _fields({"type": {"type": "string"}}, required=("type",)),
        "services": _SERVICES,
    },
    _rule('self.platform.type != "IBMCloud" ? self.services == oldSelf.services : true', "Services is immutable"),
    _rule("!has(oldSelf.infraID) || has(self.infraID)", "infraID cannot be removed once set"),
    _rule("!has(oldSelf.clusterID) || has(self.clusterID)", "clusterID cannot be removed once set"),
    required=("etcd", "networking", "platform", "pullSecret", "release", "services"),
)
_HOSTED_CONTROL_PLANE = _fields(
    {"etcd": _ETCD, "pausedUntil": {"type": "string", "maxLength": 255}},
    required=("dns", "etcd", "infraID", "issuerURL", "platform", "pullSecret", "releaseImage", "services", "sshKey"),
)
_NODE_POOL = _fields(
    {
        "clusterName": {"type": "string", "x-kubernetes-validations": [_immutable("ClusterName")]},
        "pausedUntil": {"type": "string", "minLength": 1, "maxLength": 35, "x-kubernetes-validations": [_PAUSED_RULE]},
        "replicas": {"type": "integer", "format": "int32"},
        "autoScaling": _ANYTHING,
        "management": _fields({"upgradeType": {"type": "string", "enum": ["Replace", "InPlace"]}}, required=("upgradeType",)),
    },
    _rule("!has(self.replicas) || !has(self.autoScaling)", "Both replicas or autoScaling should not be set"),
    required=("clusterName", "management", "platform", "release"),
)
_SPECS: dict[str, Object] = {
    "HostedCluster": _HOSTED_CLUSTER,
    "HostedControlPlane": _HOSTED_CONTROL_PLANE,
    "NodePool": _NODE_POOL,
    "AWSMachine": _fields({"instanceType": {"type": "string", "minLength": 2}}, required=("instanceType",)),
    "AWSMachineTemplate": _fields({"template": _ANYTHING}, required=("template",)),
}
