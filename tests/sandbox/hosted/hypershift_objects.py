# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HyperShift's own objects of a hosted cluster."""

from __future__ import annotations

from collections.abc import Iterator

from .definitions import CLUSTER_API, HYPERSHIFT
from .made import Made, Object, Owner, condition, metadata
from .shape import Pool, Shape, template_name

API = f"{HYPERSHIFT}/v1beta1"
FINALIZER = f"{HYPERSHIFT}/finalizer"
_ACCOUNT = "123456789012"
_SERVICES = ("APIServer", "OAuthServer", "Konnectivity", "Ignition")
_PREFIXES = {"APIServer": "api", "OAuthServer": "oauth", "Konnectivity": "konnectivity", "Ignition": "ignition"}
_ROLES = (
    "ingress",
    "imageRegistry",
    "storage",
    "network",
    "kubeCloudController",
    "nodePoolManagement",
    "controlPlaneOperator",
)
# support/conditions/conditions.go: what is True and False of a healthy cluster.
_TRUE = (
    "Available",
    "InfrastructureReady",
    "KubeAPIServerAvailable",
    "IgnitionEndpointAvailable",
    "EtcdAvailable",
    "ValidReleaseInfo",
    "ValidConfiguration",
    "SupportedHostedCluster",
    "ClusterVersionSucceeding",
    "ClusterVersionAvailable",
    "ClusterVersionReleaseAccepted",
    "ReconciliationActive",
    "ReconciliationSucceeded",
    "ConfigOperatorReconciliationSucceeded",
    "ValidHostedControlPlaneConfiguration",
    "ValidReleaseImage",
    "PlatformCredentialsFound",
    "DataPlaneConnectionAvailable",
    "ControlPlaneConnectionAvailable",
    "ValidOIDCConfiguration",
    "ValidAWSIdentityProvider",
    "AWSDefaultSecurityGroupCreated",
    "AWSEndpointAvailable",
    "AWSEndpointServiceAvailable",
    "ExternalDNSReachable",
)
_FALSE = ("Progressing", "Degraded", "ClusterVersionProgressing")
_POOL_TRUE = (
    "Ready",
    "ValidReleaseImage",
    "ValidGeneratedPayload",
    "ValidMachineConfig",
    "ValidTuningConfig",
    "AllMachinesReady",
    "AllNodesHealthy",
    "ReconciliationActive",
    "ReachedIgnitionEndpoint",
    "UpdateManagementEnabled",
    "ValidArchPlatform",
    "SupportedVersionSkew",
    "AWSSecurityGroupAvailable",
    "ValidPlatformImage",
)
_POOL_FALSE = ("UpdatingVersion", "UpdatingConfig", "UpdatingPlatformMachineTemplate")


def release_image(shape: Shape) -> str:
    """The release that the cluster and its pools run."""
    return f"quay.io/openshift-release-dev/ocp-release:{shape.release}-x86_64"


def _etcd(shape: Shape) -> Object:
    storage: Object = {"type": "PersistentVolume", "persistentVolume": {"size": "8Gi", "storageClassName": "gp3-csi"}}
    if shape.restored_from:
        storage["restoreSnapshotURL"] = [shape.restored_from]
    return {"managementType": "Managed", "managed": {"storage": storage}}


def _services(shape: Shape) -> list[Object]:
    def publishing(service: str) -> Object:
        if not shape.external_dns:
            return {"type": "LoadBalancer" if service == "APIServer" else "Route"}
        return {"type": "Route", "route": {"hostname": shape.hostname(_PREFIXES[service])}}

    return [{"service": service, "servicePublishingStrategy": publishing(service)} for service in _SERVICES]


def _networking() -> Object:
    return {
        "networkType": "OVNKubernetes",
        "clusterNetwork": [{"cidr": "10.132.0.0/14"}],
        "serviceNetwork": [{"cidr": "172.31.0.0/16"}],
        "machineNetwork": [{"cidr": "10.0.0.0/16"}],
    }


def _platform(shape: Shape) -> Object:
    roles = {f"{role}ARN": f"arn:aws:iam::{_ACCOUNT}:role/{shape.infra_id}-{role.lower()}" for role in _ROLES}
    return {
        "type": "AWS",
        "aws": {
            "region": shape.region,
            "endpointAccess": shape.endpoint_access,
            "cloudProviderConfig": {
                "vpc": f"vpc-{shape.digest('vpc', length=17)}",
                "zone": f"{shape.region}a",
                "subnet": {"id": subnet(shape, f"{shape.region}a")},
            },
            "rolesRef": roles,
            "resourceTags": [{"key": f"kubernetes.io/cluster/{shape.infra_id}", "value": "owned"}],
        },
    }


def subnet(shape: Shape, zone: str) -> str:
    """The id of its subnet in a zone."""
    return f"subnet-{shape.digest('subnet', zone, length=17)}"


def _shared_spec(shape: Shape) -> Object:
    """What a HostedControlPlane takes over from its HostedCluster."""
    return {
        "clusterID": shape.cluster_id,
        "infraID": shape.infra_id,
        "issuerURL": shape.issuer,
        "controllerAvailabilityPolicy": shape.availability,
        "infrastructureAvailabilityPolicy": "SingleReplica",
        "dns": {"baseDomain": shape.domain, "publicZoneID": "ZPUBLIC", "privateZoneID": "ZPRIVATE"},
        "etcd": _etcd(shape),
        "networking": _networking(),
        "platform": _platform(shape),
        "services": _services(shape),
        "secretEncryption": {"type": "aescbc", "aescbc": {"activeKey": {"name": f"{shape.name}-etcd-encryption-key"}}},
        "additionalTrustBundle": {"name": trust_bundle(shape)},
        "configuration": {
            "oauth": {
                "identityProviders": [
                    {
                        "name": "company",
                        "type": "OpenID",
                        "mappingMethod": "claim",
                        "openID": {
                            "clientID": "hosted",
                            "issuer": "https://login.example.com",
                            "clientSecret": {"name": f"company-login-{shape.infra_id}"},
                            "ca": {"name": f"company-ca-{shape.infra_id}"},
                        },
                    }
                ]
            }
        },
    }


def trust_bundle(shape: Shape) -> str:
    """The ConfigMap with certificates of the company; its name does not begin with the cluster's."""
    return f"company-trust-{shape.infra_id}"


def _version(shape: Shape) -> Object:
    image = release_image(shape)
    entry = {
        "state": "Completed",
        "image": image,
        "version": shape.release,
        "startedTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:30:00Z",
        "verified": False,
    }
    return {
        "desired": {"image": image, "version": shape.release},
        "history": [entry],
        "observedGeneration": 1,
        "availableUpdates": None,
    }


def _conditions(true: tuple[str, ...], false: tuple[str, ...]) -> list[Object]:
    return [
        *(condition(name, status=True, generation=1) for name in true),
        *(condition(name, status=False, generation=1) for name in false),
    ]


def hosted_cluster(shape: Shape, endpoint: tuple[str, int]) -> Made:
    """The HostedCluster, as healthy as can be; ``endpoint`` is where its API answers."""
    finalizers = [FINALIZER, "hypershift.io/aws-oidc-discovery"]
    spec = {
        **_shared_spec(shape),
        "pullSecret": {"name": f"{shape.name}-pull-secret"},
        "sshKey": {"name": f"{shape.name}-ssh-key"},
        "release": {"image": release_image(shape)},
        "olmCatalogPlacement": "management",
        "capabilities": {},
    }
    status = {
        "conditions": _conditions(_TRUE, _FALSE),
        "version": _version(shape),
        "kubeconfig": {"name": f"{shape.name}-admin-kubeconfig"},
        "kubeadminPassword": {"name": f"{shape.name}-kubeadmin-password"},
        "ignitionEndpoint": shape.hostname("ignition"),
        "controlPlaneEndpoint": {"host": endpoint[0], "port": endpoint[1]},
        "oauthCallbackURLTemplate": f"https://{shape.hostname('oauth')}:443/oauth2callback/[identity-provider-name]",
        "payloadArch": "AMD64",
    }
    labels = {f"{HYPERSHIFT}/auto-created-for-infra": shape.infra_id}
    described = metadata(shape.name, shape.namespace, finalizers=finalizers, labels=labels, annotations=dict(shape.annotations))
    return Made(1, {"apiVersion": API, "kind": "HostedCluster", "metadata": described, "spec": spec}, status=status, manager="hypershift")


def hosted_control_plane(shape: Shape, endpoint: tuple[str, int], cluster_api: str) -> Made:
    """The HostedControlPlane, owned by the Cluster without being controlled by it."""
    spec = {
        **_shared_spec(shape),
        "pullSecret": {"name": "pull-secret"},
        "sshKey": {"name": "ssh-key"},
        "releaseImage": release_image(shape),
    }
    status = {
        "ready": True,
        "initialized": True,
        "externalManagedControlPlane": True,
        "version": shape.release,
        "versionStatus": _version(shape),
        "kubeConfig": {"name": "admin-kubeconfig", "key": "kubeconfig"},
        "kubeadminPassword": {"name": "kubeadmin-password"},
        "controlPlaneEndpoint": {"host": endpoint[0], "port": endpoint[1]},
        "conditions": _conditions(("Available", "InfrastructureReady", "KubeAPIServerAvailable", "EtcdAvailable"), ("Degraded",)),
    }
    annotations = {f"{HYPERSHIFT}/cluster": shape.annotated, **shape.annotations}
    described = metadata(
        shape.name,
        shape.control_plane_namespace,
        finalizers=[FINALIZER],
        annotations=annotations,
        labels={f"{CLUSTER_API}/cluster-name": shape.infra_id},
    )
    owner = Owner(cluster_api, "Cluster", shape.infra_id, controller=False)
    return Made(3, {"apiVersion": API, "kind": "HostedControlPlane", "metadata": described, "spec": spec}, owner, status)


def node_pools(shape: Shape) -> Iterator[Made]:
    """The NodePools, owned by the HostedCluster."""
    for pool in shape.pools:
        yield _node_pool(shape, pool)


def _node_pool(shape: Shape, pool: Pool) -> Made:
    configuration = shape.digest("config", pool.name)
    spec: Object = {
        "clusterName": shape.name,
        "management": {
            "autoRepair": pool.auto_repair,
            "upgradeType": pool.upgrade,
            "replace": {"strategy": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        },
        "platform": {
            "type": "AWS",
            "aws": {
                "instanceType": pool.instance_type,
                "instanceProfile": f"{shape.infra_id}-worker",
                "subnet": {"id": subnet(shape, f"{shape.region}a")},
                "securityGroups": [{"id": f"sg-{shape.digest('workers', length=17)}"}],
                "rootVolume": {"size": 120, "type": "gp3"},
            },
        },
        "release": {"image": release_image(shape)},
        "config": [{"name": name} for name in pool.config],
        "tuningConfig": [{"name": name} for name in pool.tuning],
        "arch": "amd64",
    }
    if pool.autoscaling:
        spec["autoScaling"] = {"min": pool.autoscaling[0], "max": pool.autoscaling[1]}
    else:
        spec["replicas"] = pool.machines
    status = {
        "replicas": pool.machines,
        "version": shape.release,
        "conditions": [
            *_conditions(_POOL_TRUE, _POOL_FALSE),
            condition("AutoscalingEnabled", status=pool.autoscaling is not None, generation=1),
            condition("AutorepairEnabled", status=pool.auto_repair, generation=1),
        ],
    }
    annotations = {
        f"{HYPERSHIFT}/nodePoolCurrentConfig": configuration,
        f"{HYPERSHIFT}/nodePoolCurrentConfigVersion": configuration,
        f"{HYPERSHIFT}/nodePoolPlatformMachineTemplate": template_name(shape, pool),
    }
    labels = {f"{HYPERSHIFT}/auto-created-for-infra": shape.infra_id}
    described = metadata(pool.name, shape.namespace, finalizers=[FINALIZER], annotations=annotations, labels=labels)
    body = {"apiVersion": API, "kind": "NodePool", "metadata": described, "spec": spec}
    return Made(2, body, Owner(API, "HostedCluster", shape.name, controller=False), status, manager="hypershift")


def endpoint_services(shape: Shape) -> Iterator[Made]:
    """The AWSEndpointServices of a cluster that has a private side."""
    if shape.endpoint_access == "Public":
        return
    for name in ("private-router", "kube-apiserver-private"):
        finalizers = [f"{HYPERSHIFT}/control-plane-operator-finalizer", f"{HYPERSHIFT}/hypershift-operator-finalizer"]
        described = metadata(name, shape.control_plane_namespace, finalizers=finalizers)
        spec = {
            "networkLoadBalancerName": shape.digest("nlb", name, length=32),
            "subnetIDs": [subnet(shape, f"{shape.region}a")],
            "resourceTags": [{"key": f"kubernetes.io/cluster/{shape.infra_id}", "value": "owned"}],
        }
        status = {
            "endpointServiceName": f"com.amazonaws.vpce.{shape.region}.vpce-svc-{shape.digest('service', name, length=17)}",
            "endpointID": f"vpce-{shape.digest('endpoint', name, length=17)}",
            "dnsNames": [f"api.{shape.name}.hypershift.local", f"*.apps.{shape.name}.hypershift.local"],
            "dnsZoneID": "ZPRIVATE",
            "conditions": [condition("AWSEndpointAvailable", status=True), condition("AWSEndpointServiceAvailable", status=True)],
        }
        yield Made(3, {"apiVersion": API, "kind": "AWSEndpointService", "metadata": described, "spec": spec}, status=status)


def components(shape: Shape, names: list[str]) -> Iterator[Made]:
    """A ControlPlaneComponent per workload."""
    for name in names:
        described = metadata(name, shape.control_plane_namespace)
        status = {"version": shape.release, "conditions": [condition("Available", status=True), condition("RolloutComplete", status=True)]}
        owner = Owner(API, "HostedControlPlane", shape.name)
        yield Made(4, {"apiVersion": API, "kind": "ControlPlaneComponent", "metadata": described, "spec": {}}, owner, status)
