# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bed for hosted clusters: types that reject what the real ones reject, whole clusters, real etcd members behind exec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import neighbours, shape_of_size
from hosted.writing import Refused, collection
from hosted_clusters import ManagementCluster
from sandboxlib.errors import SandboxError

Object = dict[str, Any]
HYPERSHIFT = "hypershift.openshift.io/v1beta1"
URL = "https://bucket.s3.us-east-2.amazonaws.com/snapshot.db"
PROD = shape_of_size("prod", 6)
SECRETS_OF_TYPES = {
    "Opaque",
    "kubernetes.io/tls",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
}


@pytest.fixture
def prod(management_cluster: ManagementCluster) -> Hosted:
    """A cluster with six machines that has a real etcd."""
    return management_cluster.hosted(PROD, real=Image())


def listed(hosted: Hosted, api_version: str, kind: str, namespace: str = "") -> list[Object]:
    """All objects of a kind, in its control-plane namespace unless told otherwise."""
    path = collection(api_version, kind, namespace or hosted.shape.control_plane_namespace)
    items: list[Object] = hosted.bed.cluster.api.get(path)["items"]
    return items


def storage(url: object) -> Object:
    """The part of a spec that says where etcd's data comes from."""
    return {"etcd": {"managed": {"storage": {"restoreSnapshotURL": url}}}}


CHANGES = [
    ("HostedCluster", storage([URL]), "restoreSnapshotURL cannot be added or removed after creation"),
    ("HostedControlPlane", storage([URL]), "restoreSnapshotURL cannot be added or removed after creation"),
    ("HostedCluster", {"pausedUntil": "yes!"}, "PausedUntil must be a date in RFC3339 format or 'True', 'true', 'False' or 'false'"),
    ("HostedCluster", {"infraID": "other"}, "infraID is immutable"),
    ("HostedCluster", {"infraID": None}, "infraID cannot be removed once set"),
    ("HostedCluster", {"clusterID": "0" * 8 + "-0000-0000-0000-" + "0" * 12}, "clusterID is immutable"),
    ("HostedCluster", {"issuerURL": "https://elsewhere.example.com"}, "issuerURL is immutable"),
    ("HostedCluster", {"services": []}, "Services is immutable"),
    ("HostedCluster", {"controllerAvailabilityPolicy": "SingleReplica"}, "ControllerAvailabilityPolicy is immutable"),
    ("HostedCluster", {"pausedUntil": "true"}, ""),
    ("HostedCluster", {"pausedUntil": "2030-01-01T00:00:00Z"}, ""),
]


@pytest.mark.timeout(240)
def test_changes_that_the_real_types_reject_are_rejected(prod: Hosted) -> None:
    with prod.bed.writer() as writer:
        for kind, change, message in CHANGES:
            namespace = prod.shape.namespace if kind == "HostedCluster" else prod.shape.control_plane_namespace
            path = f"{collection(HYPERSHIFT, kind, namespace)}/{prod.shape.name}?dryRun=All"
            if message:
                with pytest.raises(Refused) as refused:
                    writer.patch(path, {"spec": change})
                assert (refused.value.status, message in str(refused.value)) == (422, True), (kind, change, str(refused.value))
            else:
                writer.patch(path, {"spec": change})
        pool = f"{collection(HYPERSHIFT, 'NodePool', prod.shape.namespace)}/{prod.shape.pools[0].name}?dryRun=All"
        with pytest.raises(Refused, match="ClusterName is immutable"):
            writer.patch(pool, {"spec": {"clusterName": "other"}})
        with pytest.raises(Refused, match="Both replicas or autoScaling"):
            writer.patch(pool, {"spec": {"autoScaling": {"min": 1, "max": 2}}})


NEW_URLS = [
    ([URL], ""),
    (["s3://bucket/snapshot.db"], ""),
    (["https://" + "x" * 1016], ""),
    (["https://" + "x" * 1017], "may not be more than 1024"),
    ([URL, f"{URL}2"], "must have at most 1 item"),
    (["http://bucket/snapshot.db"], "must be a valid URL with scheme https or s3"),
]


@pytest.mark.timeout(240)
def test_a_cluster_is_restored_from_one_url_that_is_not_too_long_and_stays(prod: Hosted) -> None:
    shape = prod.shape
    with prod.bed.writer() as writer:
        old = writer.request("GET", prod.path)
        for kind, path in (
            ("HostedCluster", collection(HYPERSHIFT, "HostedCluster", shape.namespace)),
            ("HostedControlPlane", collection(HYPERSHIFT, "HostedControlPlane", shape.control_plane_namespace)),
        ):
            source = writer.request("GET", f"{path}/{shape.name}")
            for urls, message in NEW_URLS:
                body = {
                    "apiVersion": HYPERSHIFT,
                    "kind": kind,
                    "metadata": {"name": "second"},
                    "spec": json.loads(json.dumps(source["spec"])),
                }
                body["spec"]["etcd"]["managed"]["storage"]["restoreSnapshotURL"] = urls
                if message:
                    with pytest.raises(Refused, match=message):
                        writer.request("POST", f"{path}?dryRun=All", body)
                else:
                    writer.request("POST", f"{path}?dryRun=All", body)
        path = collection(HYPERSHIFT, "HostedCluster", shape.namespace)
        second = {"apiVersion": HYPERSHIFT, "kind": "HostedCluster", "metadata": {"name": "second"}, "spec": old["spec"]}
        second["spec"]["etcd"]["managed"]["storage"]["restoreSnapshotURL"] = [URL]
        writer.request("POST", path, second)
        try:
            with pytest.raises(Refused, match="restoreSnapshotURL is immutable"):
                writer.patch(f"{path}/second", {"spec": storage([f"{URL}2"])})
            with pytest.raises(Refused, match="cannot be added or removed"):
                writer.patch(f"{path}/second", {"spec": storage(None)})
        finally:
            writer.request("DELETE", f"{path}/second")


def owner_chain(hosted: Hosted, machine: Object) -> Iterator[tuple[str, str]]:
    """``(kind, name)`` of the owners of an object up to the Cluster; each is there with the uid that is said."""
    version = f"cluster.x-k8s.io/{hosted.shape.cluster_api_version}"
    reference = machine["metadata"]["ownerReferences"][0]
    while True:
        yield reference["kind"], reference["name"]
        path = f"{collection(version, reference['kind'], hosted.shape.control_plane_namespace)}/{reference['name']}"
        owner = hosted.bed.cluster.api.get(path)
        assert owner["metadata"]["uid"] == reference["uid"]
        if not owner["metadata"].get("ownerReferences"):
            return
        reference = owner["metadata"]["ownerReferences"][0]


@pytest.mark.timeout(240)
def test_a_generated_cluster_is_whole_and_the_garbage_collector_leaves_it(prod: Hosted) -> None:
    shape = prod.shape
    machines = listed(prod, "infrastructure.cluster.x-k8s.io/v1beta2", "AWSMachine")
    assert {item["spec"]["providerID"] for item in machines} == {machine.provider_id for machine in prod.machines}
    assert len(machines) == 6
    kinds = [kind for kind, _name in owner_chain(prod, machines[0])]
    assert kinds == ["Machine", "MachineSet", "MachineDeployment", "Cluster"]
    (control_plane,) = listed(prod, HYPERSHIFT, "HostedControlPlane")
    (reference,) = control_plane["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"], reference.get("controller")) == ("Cluster", shape.infra_id, None)
    secrets = listed(prod, "v1", "Secret")
    assert {item["type"] for item in secrets} == SECRETS_OF_TYPES
    pods = listed(prod, "v1", "Pod")
    nodes = {item["metadata"]["name"]: item["spec"]["nodeName"] for item in pods if item["metadata"]["name"].startswith("etcd-")}
    assert nodes == {f"etcd-{member}": node for member, node in enumerate(prod.real.nodes)}
    # Nodes of the hosted cluster are those of the machines, and the Secret leads to its API.
    (kubeconfig,) = (
        item for item in listed(prod, "v1", "Secret", shape.namespace) if item["metadata"]["name"] == f"{shape.name}-admin-kubeconfig"
    )
    assert set(kubeconfig["data"]) == {"kubeconfig"}
    own = prod.bed.cluster.kubectl("--kubeconfig", str(prod.real.kubeconfig), "get", "nodes", "-o", "jsonpath={.items[*].spec.providerID}")
    assert set(own.split()) == {machine.provider_id for machine in prod.machines}


@pytest.mark.timeout(240)
def test_removing_a_cluster_leaves_its_neighbours(management_cluster: ManagementCluster) -> None:
    shape = shape_of_size("stage", 1, pools=1)
    longer, clash = neighbours(shape)[0], neighbours(shape)[-1]
    stage, other = management_cluster.hosted(shape), management_cluster.hosted(longer)
    management_cluster.hosted(clash)
    assert clash.control_plane_namespace == neighbours(shape)[2].control_plane_namespace
    management_cluster.remove(stage)
    api = management_cluster.cluster.api
    assert not api.exists(stage.path)
    assert not api.exists(f"/api/v1/namespaces/{shape.control_plane_namespace}")
    assert len(listed(other, "infrastructure.cluster.x-k8s.io/v1beta2", "AWSMachine")) == 1
    assert api.exists(f"/api/v1/namespaces/{longer.namespace}/secrets/{longer.name}-pull-secret")


def etcd_arguments(authority: str) -> list[str]:
    """What etcdctl needs in the pod."""
    client = "/etc/etcd/tls/client/etcd-client"
    return ["--endpoints=https://localhost:2379", f"--cacert=/{authority}", f"--cert={client}.crt", f"--key={client}.key"]


def run_in(hosted: Hosted, member: int, *command: str) -> str:
    """Run a command in an etcd pod."""
    return hosted.bed.cluster.kubectl("exec", "-n", hosted.shape.control_plane_namespace, f"etcd-{member}", "-c", "etcd", "--", *command)


@pytest.mark.timeout(240)
def test_each_etcd_pod_is_a_member_and_has_files_of_its_own(prod: Hosted) -> None:
    arguments = etcd_arguments(Image().authority)
    answers = [json.loads(run_in(prod, member, "etcdctl", *arguments, "endpoint", "status", "-w", "json")) for member in range(3)]
    headers = [answer[0]["Status"]["header"] for answer in answers]
    assert len({header["member_id"] for header in headers}) == 3
    assert len({header["cluster_id"] for header in headers}) == 1
    run_in(prod, 1, "etcdctl", *arguments, "snapshot", "save", "/tmp/snapshot.db")
    found = json.loads(run_in(prod, 1, "etcdutl", "snapshot", "status", "/tmp/snapshot.db", "-w", "json"))
    assert found["totalKey"] > 100
    for command in (["cat", "/etc/etcd/tls/etcd-ca/missing"], ["touch", "/new"], ["tar", "--version"]):
        with pytest.raises(SandboxError):
            run_in(prod, 1, *command)
    with pytest.raises(SandboxError, match="No such file"):
        run_in(prod, 0, "ls", "/tmp/snapshot.db")
    run_in(prod, 1, "rm", "/tmp/snapshot.db")
    prod.real.alarm(on=True)
    assert "NOSPACE" in run_in(prod, 2, "etcdctl", *arguments, "alarm", "list")
    prod.real.alarm(on=False)
    assert run_in(prod, 2, "etcdctl", *arguments, "alarm", "list").strip() == ""


@pytest.mark.timeout(240)
def test_the_older_image_has_the_other_paths_and_a_volume_can_be_full(prod: Hosted) -> None:
    old = Image("old", etcdutl=False, tmp_size="64k")
    backend = prod.real.with_image(old)
    try:
        arguments = etcd_arguments(old.authority)
        run_in(prod, 2, "etcdctl", *arguments, "snapshot", "save", "/var/lib/snapshot.db")
        found = json.loads(run_in(prod, 2, "etcdctl", "snapshot", "status", "/var/lib/snapshot.db", "-w", "json"))
        assert found["totalKey"] > 100
        with pytest.raises(SandboxError, match="no space left on device"):
            run_in(prod, 2, "etcdctl", *arguments, "snapshot", "save", "/tmp/snapshot.db")
        with pytest.raises(SandboxError):
            run_in(prod, 2, "test", "-x", "/usr/bin/etcdutl")
    finally:
        backend.with_image(Image())


@pytest.mark.timeout(240)
def test_a_member_can_be_stopped_and_comes_back(prod: Hosted) -> None:
    prod.real.stop("etcd-2")
    try:
        healthy = etcd_arguments(Image().authority)
        assert "is healthy" in run_in(prod, 0, "etcdctl", *healthy, "endpoint", "health")
        with pytest.raises(SandboxError):
            run_in(prod, 2, "etcdctl", *healthy, "endpoint", "health", "--command-timeout=1s")
    finally:
        prod.real.resume("etcd-2")


@pytest.mark.timeout(240)
def test_the_real_api_server_ends_with_its_pods_and_comes_back_with_them(prod: Hosted) -> None:
    cluster, namespace = prod.bed.cluster, prod.shape.control_plane_namespace
    process = prod.real.component("kube-apiserver")
    cluster.kubectl("scale", "deployment/kube-apiserver", "-n", namespace, "--replicas=0")
    prod.bed.wait("the API server to end", lambda _writer: not cluster.process(process).alive)
    # Nothing writes any more.
    arguments = etcd_arguments(Image().authority)
    revisions = {
        json.loads(run_in(prod, member, "etcdctl", *arguments, "endpoint", "status", "-w", "json"))[0]["Status"]["header"]["revision"]
        for member in (0, 1, 2)
    }
    assert len(revisions) == 1
    cluster.kubectl("scale", "deployment/kube-apiserver", "-n", namespace, "--replicas=3")
    prod.bed.wait("the API server to be there again", lambda _writer: cluster.process(process).alive)
    prod.real.wait_for_api()
    assert "order-1" in cluster.kubectl("--kubeconfig", str(prod.real.kubeconfig), "get", "cm", "-n", "shop")
