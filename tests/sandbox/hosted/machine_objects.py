# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine graph of a hosted cluster: Cluster API's objects and those of its AWS provider."""

from __future__ import annotations

from collections.abc import Iterator

from .definitions import AWS_PROVIDER, CLUSTER_API, HYPERSHIFT
from .hypershift_objects import subnet
from .made import Made, Object, Owner, condition, metadata
from .shape import Machine, Pool, Shape, machine_set_name, template_name, user_data_name

AWS_API = f"{AWS_PROVIDER}/v1beta2"
_IMAGE = "ami-0c1de55b79f5aff9b"


def cluster_api(shape: Shape) -> str:
    """The apiVersion of Cluster API's objects."""
    return f"{CLUSTER_API}/{shape.cluster_api_version}"


def machine_graph(shape: Shape, endpoint: tuple[str, int], machines: list[Machine]) -> Iterator[Made]:
    """All objects, each owned as Cluster API and HyperShift make it."""
    yield _cluster(shape, endpoint)
    yield _aws_cluster(shape, endpoint)
    for pool in shape.pools:
        for age in range(1 + pool.old_templates):
            yield _template(shape, pool, age)
        own = [machine for machine in machines if machine.pool == pool]
        if pool.upgrade == "Replace":
            yield _machine_deployment(shape, pool, len(own))
        yield _machine_set(shape, pool, len(own))
        if pool.auto_repair:
            yield _health_check(shape, pool)
        for machine in own:
            yield _machine(shape, machine)
            yield _aws_machine(shape, machine)


def _reference(shape: Shape, api_version: str, kind: str, name: str) -> Object:
    """A reference as this version of Cluster API wants it."""
    if shape.cluster_api_version == "v1beta1":
        return {"apiVersion": api_version, "kind": kind, "name": name, "namespace": shape.control_plane_namespace}
    return {"apiGroup": api_version.partition("/")[0], "kind": kind, "name": name}


def _owned_by_cluster(shape: Shape) -> Owner:
    return Owner(cluster_api(shape), "Cluster", shape.infra_id, controller=False)


def _pool_annotation(shape: Shape, pool: Pool) -> Object:
    return {f"{HYPERSHIFT}/nodePool": f"{shape.namespace}/{pool.name}"}


def _labels(shape: Shape, pool: Pool) -> Object:
    """The labels of a pool's machines: that of the cluster, and one that no other pool has."""
    resources = f"{shape.infra_id}-{pool.name}"[:63].strip("-.")
    return {f"{CLUSTER_API}/cluster-name": shape.infra_id, resources: resources}


def _cluster(shape: Shape, endpoint: tuple[str, int]) -> Made:
    spec: Object = {
        "controlPlaneEndpoint": {"host": endpoint[0], "port": endpoint[1]},
        "controlPlaneRef": _reference(shape, f"{HYPERSHIFT}/v1beta1", "HostedControlPlane", shape.name),
        "infrastructureRef": _reference(shape, AWS_API, "AWSCluster", shape.name),
    }
    status: Object = {"phase": "Provisioned"}
    if shape.cluster_api_version == "v1beta1":
        status |= {"infrastructureReady": True, "controlPlaneReady": True}
    else:
        status["initialization"] = {"infrastructureProvisioned": True, "controlPlaneInitialized": True}
    described = metadata(
        shape.infra_id,
        shape.control_plane_namespace,
        annotations={f"{HYPERSHIFT}/cluster": shape.annotated},
        finalizers=[f"cluster.{CLUSTER_API}"],
    )
    return Made(2, {"apiVersion": cluster_api(shape), "kind": "Cluster", "metadata": described, "spec": spec}, status=status)


def _aws_cluster(shape: Shape, endpoint: tuple[str, int]) -> Made:
    spec = {
        "region": shape.region,
        "network": {"vpc": {"id": f"vpc-{shape.digest('vpc', length=17)}"}},
        "controlPlaneEndpoint": {"host": endpoint[0], "port": endpoint[1]},
        "additionalTags": {f"kubernetes.io/cluster/{shape.infra_id}": "owned"},
    }
    described = metadata(
        shape.name,
        shape.control_plane_namespace,
        labels={f"{CLUSTER_API}/cluster-name": shape.infra_id},
        annotations={f"{CLUSTER_API}/managed-by": "external", f"{HYPERSHIFT}/cluster": shape.annotated},
    )
    body = {"apiVersion": AWS_API, "kind": "AWSCluster", "metadata": described, "spec": spec}
    return Made(3, body, _owned_by_cluster(shape), {"ready": True})


def _template(shape: Shape, pool: Pool, age: int) -> Made:
    spec = {
        "ami": {"id": _IMAGE},
        "instanceType": pool.instance_type if age == 0 else "m4.large",
        "iamInstanceProfile": f"{shape.infra_id}-worker",
        "subnet": {"id": subnet(shape, f"{shape.region}a")},
        "additionalSecurityGroups": [{"id": f"sg-{shape.digest('workers', length=17)}"}],
        "rootVolume": {"size": 120, "type": "gp3"},
        "uncompressedUserData": True,
        "cloudInit": {"insecureSkipSecretsManager": True, "secureSecretsBackend": "secrets-manager"},
        "additionalTags": {f"kubernetes.io/cluster/{shape.infra_id}": "owned"},
    }
    described = metadata(template_name(shape, pool, age), shape.control_plane_namespace, annotations=_pool_annotation(shape, pool))
    body = {"apiVersion": AWS_API, "kind": "AWSMachineTemplate", "metadata": described, "spec": {"template": {"spec": spec}}}
    return Made(3, body, _owned_by_cluster(shape))


def _machine_spec(shape: Shape, pool: Pool, infrastructure: Object) -> Object:
    spec: Object = {
        "clusterName": shape.infra_id,
        "bootstrap": {"dataSecretName": user_data_name(shape, pool)},
        "infrastructureRef": infrastructure,
        "version": shape.release,
    }
    if shape.cluster_api_version == "v1beta1":
        spec["nodeDrainTimeout"] = "0s"
    return spec


def _replicated(shape: Shape, pool: Pool, count: int) -> Object:
    """What a MachineDeployment and a MachineSet have in common."""
    template = {
        "metadata": {"labels": _labels(shape, pool), "annotations": _pool_annotation(shape, pool)},
        "spec": _machine_spec(shape, pool, _reference(shape, AWS_API, "AWSMachineTemplate", template_name(shape, pool))),
    }
    return {
        "clusterName": shape.infra_id,
        "replicas": count,
        "selector": {"matchLabels": _labels(shape, pool)},
        "template": template,
    }


def _counts(count: int) -> Object:
    """A status in which all is as wanted."""
    ready = {"readyReplicas": count, "availableReplicas": count}
    return {"replicas": count, "observedGeneration": 1, **ready}


def _machine_deployment(shape: Shape, pool: Pool, count: int) -> Made:
    described = metadata(
        pool.name,
        shape.control_plane_namespace,
        labels={f"{CLUSTER_API}/cluster-name": shape.infra_id},
        annotations=_pool_annotation(shape, pool),
        finalizers=[f"{CLUSTER_API}/machinedeployment"],
    )
    spec = _replicated(shape, pool, count)
    if shape.cluster_api_version == "v1beta1":
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        status = {**_counts(count), "updatedReplicas": count, "phase": "Running"}
    else:
        spec["rollout"] = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
        status = {**_counts(count), "upToDateReplicas": count, "phase": "Running"}
    body = {"apiVersion": cluster_api(shape), "kind": "MachineDeployment", "metadata": described, "spec": spec}
    return Made(3, body, _owned_by_cluster(shape), status, manager="manager")


def _machine_set(shape: Shape, pool: Pool, count: int) -> Made:
    hashed = shape.digest("machine-template", pool.name, length=10)
    spec = _replicated(shape, pool, count)
    if pool.upgrade == "Replace":
        for labels in (spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]):
            labels["machine-template-hash"] = hashed
        owner = Owner(cluster_api(shape), "MachineDeployment", pool.name)
    else:
        owner = _owned_by_cluster(shape)
    described = metadata(
        machine_set_name(shape, pool),
        shape.control_plane_namespace,
        labels={**_labels(shape, pool), **({"machine-template-hash": hashed} if pool.upgrade == "Replace" else {})},
        annotations=_pool_annotation(shape, pool),
        finalizers=[f"{CLUSTER_API}/machineset"],
    )
    body = {"apiVersion": cluster_api(shape), "kind": "MachineSet", "metadata": described, "spec": spec}
    return Made(4, body, owner, _counts(count), manager="manager")


def _health_check(shape: Shape, pool: Pool) -> Made:
    described = metadata(pool.name, shape.control_plane_namespace, annotations=_pool_annotation(shape, pool))
    conditions = [("Ready", "False", 480), ("Ready", "Unknown", 480)]
    spec: Object = {"clusterName": shape.infra_id, "selector": {"matchLabels": _labels(shape, pool)}}
    if shape.cluster_api_version == "v1beta1":
        spec |= {
            "maxUnhealthy": 2,
            "nodeStartupTimeout": "20m0s",
            "unhealthyConditions": [
                {"type": kind, "status": status, "timeout": f"{seconds // 60}m0s"} for kind, status, seconds in conditions
            ],
        }
    else:
        spec["checks"] = {
            "nodeStartupTimeoutSeconds": 1200,
            "unhealthyNodeConditions": [
                {"type": kind, "status": status, "timeoutSeconds": seconds} for kind, status, seconds in conditions
            ],
        }
        spec["remediation"] = {"triggerIf": {"unhealthyLessThanOrEqualTo": 2}}
    body = {"apiVersion": cluster_api(shape), "kind": "MachineHealthCheck", "metadata": described, "spec": spec}
    return Made(3, body, _owned_by_cluster(shape))


def _machine(shape: Shape, machine: Machine) -> Made:
    pool = machine.pool
    labels = _labels(shape, pool)
    if pool.upgrade == "Replace":
        labels["machine-template-hash"] = shape.digest("machine-template", pool.name, length=10)
    described = metadata(
        machine.name,
        shape.control_plane_namespace,
        labels=labels,
        annotations=_pool_annotation(shape, pool),
        finalizers=[f"machine.{CLUSTER_API}"],
    )
    spec = _machine_spec(shape, pool, _reference(shape, AWS_API, "AWSMachine", machine.name))
    spec["providerID"] = machine.provider_id
    status: Object = {"phase": "Running", "observedGeneration": 1}
    if shape.cluster_api_version == "v1beta1":
        status |= {
            "nodeRef": {"apiVersion": "v1", "kind": "Node", "name": machine.node},
            "bootstrapReady": True,
            "infrastructureReady": True,
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for kind in ("Ready", "InfrastructureReady", "NodeHealthy")
            ],
        }
    else:
        status |= {
            "nodeRef": {"name": machine.node},
            "initialization": {"bootstrapDataSecretCreated": True, "infrastructureProvisioned": True},
            "conditions": [condition(kind, status=True) for kind in ("Ready", "InfrastructureReady", "NodeHealthy")],
        }
    body = {"apiVersion": cluster_api(shape), "kind": "Machine", "metadata": described, "spec": spec}
    return Made(5, body, Owner(cluster_api(shape), "MachineSet", machine_set_name(shape, pool)), status, manager="manager")


def _aws_machine(shape: Shape, machine: Machine) -> Made:
    described = metadata(
        machine.name,
        shape.control_plane_namespace,
        labels=_labels(shape, machine.pool),
        annotations={
            **_pool_annotation(shape, machine.pool),
            f"{CLUSTER_API}/cloned-from-name": template_name(shape, machine.pool),
            f"{CLUSTER_API}/cloned-from-groupkind": f"AWSMachineTemplate.{AWS_PROVIDER}",
        },
        finalizers=[f"awsmachine.{AWS_PROVIDER}"],
    )
    spec = {
        "ami": {"id": _IMAGE},
        "instanceID": machine.instance,
        "instanceType": machine.pool.instance_type,
        "providerID": machine.provider_id,
        "subnet": {"id": subnet(shape, machine.zone)},
        "iamInstanceProfile": f"{shape.infra_id}-worker",
        "cloudInit": {},
        "uncompressedUserData": True,
    }
    status = {
        "ready": True,
        "instanceState": "running",
        "addresses": [{"type": "InternalIP", "address": machine.address}, {"type": "InternalDNS", "address": machine.node}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }
    body = {"apiVersion": AWS_API, "kind": "AWSMachine", "metadata": described, "spec": spec}
    return Made(6, body, Owner(cluster_api(shape), "Machine", machine.name), status, manager="manager")
