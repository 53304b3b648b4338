# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into a set: of a cluster among neighbours with confusing names, of several pools, of five hundred machines."""

from __future__ import annotations

import json
import re

import pytest
from hosted.secret_objects import CREDENTIALS, SIGNERS
from hosted.shape import Pool, Shape, neighbours, shape_of_size, template_name, token_name, user_data_name

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import collecting
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import original
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import Collected, Item, item_path
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import NODE_POOL
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import machine_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused, refused
from ansible_collections.meshops.lifecycle.tests.unit.hosted_collect.management_clusters import PROD, Management, Object

PLACE = PROD.control_plane_namespace


def collected(management: Management, shape: Shape = PROD) -> Collected:
    """What a backup of a cluster collects; what it is refused for is raised."""
    inventory = management.inventory(shape)
    contents = read_contents(management.api, inventory)
    refusals = [*inventory_refusals(inventory), *contents.refusals]
    if refusals:
        raise refused("the backup", refusals)
    return collecting.collected(inventory, contents)


def below(result: Collected, place: str) -> set[str]:
    """The names of the files in a directory of the set."""
    return {item.path.removeprefix(f"{place}/").removesuffix(".json") for item in result.items if item.path.startswith(f"{place}/")}


def item_of(result: Collected, path: str) -> Item:
    """The file of that path."""
    (found,) = (item for item in result.items if item.path == path)
    return found


def counted(result: Collected) -> dict[str, int]:
    """What is left out, with its number."""
    return {item.what: item.number for item in result.left_out}


# The namespace of the HostedCluster


def test_secrets_are_those_referred_to_among_neighbours_with_names_like_this_ones() -> None:
    """The written script takes every Secret whose name begins with the cluster's: those of prod2 and prod-eu and of somebody's notes,
    and not the Secret of the identity provider, which is called otherwise."""
    management = Management([PROD, *neighbours(PROD)])
    result = collected(management)
    secrets = below(result, "clusters/secrets")
    expected = {f"prod-{suffix}" for suffix in ("pull-secret", "ssh-key", "etcd-encryption-key", "admin-kubeconfig", "kubeadmin-password")}
    assert secrets == expected | {f"company-login-{PROD.infra_id}"}
    by_prefix = {name_of(item) for item in management.all("Secret", "clusters") if name_of(item).startswith("prod")}
    assert {"prod2-pull-secret", "prod-eu-ssh-key", "prod-notes-of-somebody"} <= by_prefix - secrets
    # Nothing secret of a neighbour was as much as read.
    read = [path for path in management.requests if "/namespaces/clusters/secrets" in path]
    assert "/api/v1/namespaces/clusters/secrets#" in read
    assert {path.rpartition("/")[2] for path in read} == {"secrets#", *secrets}


def test_config_maps_that_are_referred_to_are_in_the_set() -> None:
    """The written script has no ConfigMaps at all."""
    result = collected(Management([PROD, *neighbours(PROD)]))
    names = {f"company-trust-{PROD.infra_id}", f"company-ca-{PROD.infra_id}", "kubelet-limits", "hugepages"}
    assert below(result, "clusters/configmaps") == names


def test_what_only_the_operator_says_is_in_the_set_too() -> None:
    management = Management([PROD])
    mark = {"referenced-resource.hypershift.openshift.io/prod": "managed"}
    other = {"referenced-resource.hypershift.openshift.io/prod2": "managed"}
    for name, annotated in (("of-an-extension", mark), ("of-prod2", other)):
        metadata = {"name": name, "namespace": "clusters", "annotations": annotated, "uid": f"uid of {name}"}
        management.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})
    result = collected(management)
    assert "of-an-extension" in below(result, "clusters/configmaps")
    assert "of-prod2" not in below(result, "clusters/configmaps")
    assert counted(result)["ConfigMaps that other hosted clusters of the namespace refer to"] == 1


@pytest.mark.parametrize(
    ("kind", "name", "said_by"),
    [
        ("Secret", "prod-pull-secret", "HostedCluster prod spec.pullSecret"),
        ("ConfigMap", "kubelet-limits", "NodePool prod-a spec.config[]"),
        ("ConfigMap", f"company-ca-{PROD.infra_id}", "identityProviders[].openID.ca"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(kind: str, name: str, said_by: str) -> None:
    """The written script finds what is there, and does not miss what is not."""
    management = Management([PROD])
    management.drop(management.find(kind, name, "clusters"))
    with pytest.raises(Refused) as told:
        collected(management)
    (refusal,) = told.value.details["refusals"]
    assert (refusal["code"], refusal["object"]["name"]) == ("reference-missing", name)
    assert said_by in refusal["what"]


def test_what_the_operator_makes_again_may_be_missing() -> None:
    management = Management([PROD])
    management.drop(management.find("Secret", "prod-kubeadmin-password", "clusters"))
    result = collected(management)
    assert [(item.code, item.object.name) for item in result.findings] == [("reference-gone", "prod-kubeadmin-password")]


def test_a_secret_that_is_being_deleted_is_refused_with_all_other_reasons() -> None:
    management = Management([PROD])
    management.find("Secret", "prod-ssh-key", "clusters")["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    management.find("NodePool", "prod-a", "clusters")["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    inventory = management.inventory(PROD)
    with pytest.raises(Refused) as told:
        collected(management)
    assert [item["object"]["kind"] for item in told.value.details["refusals"]] == ["NodePool", "Secret"]
    assert [item.object.kind for item in read_contents(management.api, inventory).refusals] == ["Secret"]


def test_without_the_permission_to_list_secrets_those_referred_to_are_read_by_name() -> None:
    management = Management([PROD])
    management.forbidden = {"/api/v1/namespaces/clusters/secrets"}
    result = collected(management)
    assert {"prod-pull-secret", f"company-login-{PROD.infra_id}", "prod-admin-kubeconfig"} <= below(result, "clusters/secrets")
    assert [item.code for item in result.findings] == ["annotations-not-readable"]


# The control-plane namespace


def test_secrets_of_the_control_plane_are_kept_by_type() -> None:
    """The written script drops every line of a table with "docker", "NAME" or "token-" and the cluster's name in it: the pull secret, a
    login for a mirror, and tokens of node pools whose names begin with the cluster's."""
    management = Management([PROD])
    secrets = below(collected(management), f"{PLACE}/secrets")
    kept = {"pull-secret", "ssh-key", "docker-mirror-login", "sa-signing-key", "kubeadmin-password", "kas-secret-encryption-config"}
    kept |= {*SIGNERS, *CREDENTIALS}
    kept |= {name(PROD, pool) for pool in PROD.pools for name in (token_name, user_data_name)}
    assert kept <= secrets
    types = {item["type"] for item in management.all("Secret", PLACE) if name_of(item) not in secrets}
    assert types == {
        "kubernetes.io/service-account-token",
        "kubernetes.io/dockercfg",
        "helm.sh/release.v1",
        "bootstrap.kubernetes.io/token",
    }
    # As the script would.
    lines = [f"{name_of(item)} {item['type']}" for item in management.all("Secret", PLACE)]
    dropped = {line.split()[0] for line in lines if re.search("docker|service-account-token|oauth-openshift|NAME|token-prod", line)}
    assert {"pull-secret", "docker-mirror-login", token_name(PROD, PROD.pools[0])} <= dropped & secrets


def test_each_template_is_a_file_of_its_own_and_found_without_knowing_its_hash() -> None:
    """The written script asks for a template with the name of the node pool, which does not exist, and puts all into one file named after
    the cluster."""
    management = Management([PROD])
    metadata = {"name": "nobodys-1234", "namespace": PLACE, "uid": "nobody"}
    template = {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "AWSMachineTemplate", "metadata": metadata, "spec": {}}
    management.put(template)
    # One that is only referred to.
    current = management.find("AWSMachineTemplate", template_name(PROD, PROD.pools[0]), PLACE)
    del current["metadata"]["annotations"], current["metadata"]["ownerReferences"]
    result = collected(management)
    names = {template_name(PROD, pool, age) for pool in PROD.pools for age in range(1 + pool.old_templates)}
    assert below(result, f"{PLACE}/awsmachinetemplates.infrastructure.cluster.x-k8s.io") == names
    assert len(names) == 8
    assert counted(result)["templates and other objects of the control-plane namespace that nobody of this cluster refers to"] == 1


def test_every_node_pool_and_its_machines_are_in_the_set() -> None:
    """The written script has one variable for the names of all node pools."""
    result = collected(Management([PROD, *neighbours(PROD)]))
    assert below(result, "clusters/nodepools.hypershift.openshift.io") == {"prod-a", "prod-b", "prod-c"}
    assert below(result, f"{PLACE}/machinedeployments.cluster.x-k8s.io") == {"prod-a", "prod-c"}
    assert len(below(result, f"{PLACE}/machinesets.cluster.x-k8s.io")) == 3
    machines = {machine.name for machine in PROD.machines()}
    assert below(result, f"{PLACE}/machines.cluster.x-k8s.io") == machines
    assert below(result, f"{PLACE}/awsmachines.infrastructure.cluster.x-k8s.io") == machines
    assert below(result, f"{PLACE}/clusters.cluster.x-k8s.io") == {PROD.infra_id}
    autoscaled = item_of(result, "clusters/nodepools.hypershift.openshift.io/prod-c.json").object["spec"]
    assert autoscaled["autoScaling"] == {"min": 1, "max": 4}
    assert "replicas" not in autoscaled
    places = {item.path.partition("/")[0] for item in result.items}
    assert places == {"clusters", PLACE, "_cluster"}


def test_dots_in_a_name_become_dashes_in_one_place_only() -> None:
    """The written script joins the two names as they are."""
    dotted = neighbours(PROD)[2]
    result = collected(Management([PROD, dotted]), dotted)
    assert item_of(result, "clusters/hostedclusters.hypershift.openshift.io/prod.v2.json").object["metadata"]["name"] == "prod.v2"
    assert item_of(result, "clusters-prod-v2/hostedcontrolplanes.hypershift.openshift.io/prod.v2.json")


# All of it


def test_evidence_is_there_and_marked() -> None:
    """The written script has no health checks, endpoint services, replica counts or versions."""
    result = collected(Management([PROD]))
    evidence: dict[str, list[Object]] = {}
    for item in result.items:
        if item.evidence:
            evidence.setdefault(item.object["kind"], []).append(item.object | item.removed)
    assert {kind: len(items) for kind, items in evidence.items()} == {
        "MachineHealthCheck": 2,
        "AWSEndpointService": 2,
        "ControlPlaneComponent": 14,
        "Namespace": 1,
        "StatefulSet": 1,
        "Deployment": 14,
    }
    replicas = {
        name_of(item_of(result, item.path).object): item.object["spec"]["replicas"] for item in result.items if "/deploy" in item.path
    }
    assert (replicas["kube-apiserver"], replicas["cluster-api"]) == (3, 1)
    assert {item["status"]["version"] for item in evidence["ControlPlaneComponent"]} == {"4.16.21"}
    assert all(item["status"]["endpointID"].startswith("vpce-") for item in evidence["AWSEndpointService"])


def test_files_together_are_the_objects_and_alone_can_be_created() -> None:
    management = Management([PROD])
    result = collected(management)
    for item in result.items:
        assert "apiVersion" in item.object
        assert not {"uid", "resourceVersion", "ownerReferences", "finalizers"} & set(item.object["metadata"])
        assert "status" not in item.object
        if item.object["kind"] != "Deployment":
            metadata = item.object["metadata"]
            stored = management.find(item.object["kind"], metadata["name"], metadata.get("namespace", None))
            assert original(item.object, item.removed) == stored
    assert len({item.path for item in result.items}) == len(result.items)


def test_owners_come_before_what_they_own_and_pools_before_secrets_of_the_control_plane() -> None:
    """The operator deletes Secrets of node pools that do not exist."""
    result = collected(Management([PROD]))
    order = [item.path for item in result.items]
    # A HostedControlPlane is owned by the Cluster and owns Secrets: no order has all of them, the references are made at the end.
    late = {f"{PLACE}/clusters.cluster.x-k8s.io/{PROD.infra_id}.json", f"{PLACE}/hostedcontrolplanes.hypershift.openshift.io/prod.json"}
    for edge in result.owners:
        if edge.owner not in late:
            assert order.index(edge.owner) < order.index(edge.dependent)
    assert order.index("clusters/nodepools.hypershift.openshift.io/prod-c.json") < min(
        index for index, path in enumerate(order) if path.startswith(f"{PLACE}/secrets/")
    )


def test_who_owned_what_is_kept_between_the_files() -> None:
    """The written script keeps the owners' old uids in the files: the garbage collector deletes what is restored with them."""
    result = collected(Management([PROD]))
    machine = PROD.machines()[0].name
    owners = {edge.dependent: edge for edge in result.owners}
    edge = owners[f"{PLACE}/awsmachines.infrastructure.cluster.x-k8s.io/{machine}.json"]
    assert (edge.owner, edge.controller) == (f"{PLACE}/machines.cluster.x-k8s.io/{machine}.json", True)
    assert edge.owner_uid == f"uid of Machine/{PLACE}/{machine}"
    chain = [edge.owner]
    while chain[-1] in owners:
        chain.append(owners[chain[-1]].owner)
    assert [path.split("/")[1].partition(".")[0] for path in chain] == ["machines", "machinesets", "machinedeployments", "clusters"]
    pool = owners["clusters/nodepools.hypershift.openshift.io/prod-a.json"]
    assert (pool.owner, pool.controller) == ("clusters/hostedclusters.hypershift.openshift.io/prod.json", False)


def test_an_owner_of_another_time_is_told() -> None:
    management = Management([PROD])
    management.find("NodePool", "prod-a", "clusters")["metadata"]["ownerReferences"][0]["uid"] = "of yesterday"
    result = collected(management)
    assert [(item.code, item.object.name) for item in result.findings] == [("owner-stale", "prod-a")]
    assert counted(result)["links to owners that are not in the set"] == 1


def test_what_is_not_in_the_set_is_said_with_reason_and_number() -> None:
    result = collected(Management([PROD, *neighbours(PROD)]))
    assert all(item.what and item.why for item in result.left_out)
    numbers = counted(result)
    assert numbers["the disks of the workers"] == 6
    assert numbers["the volumes of etcd (PersistentVolumeClaims data-etcd-N)"] == 3
    assert numbers["DNS records"] == 4
    assert numbers["IAM roles and the identity provider"] == 7
    assert numbers["load balancers, VPC endpoints and their security groups"] == 2
    assert numbers["other hosted clusters of the same namespace, with their node pools"] == 4
    assert numbers["Secrets of type kubernetes.io/dockercfg of the control-plane namespace"] == 1
    assert numbers["Secrets of type helm.sh/release.v1 of the control-plane namespace"] == 1
    # Somebody's notes, and per neighbour: notes, kubeconfig, password.
    assert numbers["Secrets of the namespace that nothing of this hosted cluster refers to"] == 13
    assert numbers["Secrets that other hosted clusters of the namespace refer to"] == 16
    assert "the data in persistent volumes of the hosted cluster" in numbers
    assert not any("KMS" in what or "Karpenter" in what for what in numbers)


def test_what_else_a_cluster_with_kms_and_karpenter_would_lack() -> None:
    management = Management([PROD])
    spec = management.find("HostedCluster", "prod", "clusters")["spec"]
    spec |= {"secretEncryption": {"type": "kms", "kms": {}}, "autoNode": {"provisionerConfig": {"name": "Karpenter"}}}
    told = " ".join(counted(collected(management)))
    assert "KMS key" in told
    assert "Karpenter" in told


def test_a_cluster_that_was_restored_itself_hands_no_old_credential_on() -> None:
    """The written script stores the URL, with which anybody can read that snapshot while it is valid, and restores it again."""
    url = "https://b.s3.us-east-2.amazonaws.com/etcd.db?X-Amz-Signature=abc&X-Amz-Security-Token=def"
    shape = Shape("prod", pools=(Pool("prod-a", 1),), restored_from=url)
    result = collected(Management([shape]), shape)
    text = json.dumps([item.object for item in result.items] + [item.removed for item in result.items])
    assert "X-Amz" not in text
    for path in ("clusters/hostedclusters", f"{PLACE}/hostedcontrolplanes"):
        item = item_of(result, f"{path}.hypershift.openshift.io/prod.json")
        assert "restoreSnapshotURL" not in item.object["spec"]["etcd"]["managed"]["storage"]
        assert item.removed["spec"]["etcd"]["managed"]["storage"]["restoreSnapshotURL"] == [url.partition("?")[0]]


def test_secret_values_are_in_the_files_only() -> None:
    result = collected(Management([PROD]))
    assert "canary" not in str((result.left_out, result.owners, result.instances, result.findings))


# Machines


def test_every_machine_with_its_instance_and_its_node() -> None:
    result = collected(Management([PROD]))
    assert [(row.machine, row.instance_id, row.provider_id, row.node, row.node_pool) for row in result.instances] == [
        (machine.name, machine.instance, machine.provider_id, machine.node, machine.pool.name)
        for machine in sorted(PROD.machines(), key=lambda machine: machine.name)
    ]
    assert {(row.aws_machine == row.machine, row.phase) for row in result.instances} == {(True, "Running")}


def test_nodes_that_are_asked_count_more_than_what_machines_say() -> None:
    inventory = Management([PROD]).inventory(PROD)
    machines = sorted(PROD.machines(), key=lambda machine: machine.name)
    first, second = machines[0], machines[1]
    nodes = [
        {"metadata": {"name": "renamed"}, "spec": {"providerID": first.provider_id}},
        {"metadata": {"name": second.node}, "spec": {}},
    ]
    rows = machine_rows(inventory, nodes)
    assert [row.node for row in rows] == ["renamed", second.node, "", "", "", ""]


def test_an_instance_without_machine_has_a_row() -> None:
    management = Management([PROD])
    name = PROD.machines()[0].name
    management.drop(management.find("Machine", name, PLACE))
    (row,) = (row for row in collected(management).instances if not row.machine)
    assert (row.aws_machine, row.instance_id, row.node) == (name, PROD.machines()[0].instance, "")


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_five_hundred_machines_in_ten_pools(version: str) -> None:
    shape = shape_of_size("prod", 500, pools=10, cluster_api_version=version)
    management = Management([shape], served=(version,))
    result = collected(management, shape)
    assert len(result.instances) == 500
    assert {row.instance_id for row in result.instances} == {machine.instance for machine in shape.machines()}
    assert {row.node for row in result.instances} == {machine.node for machine in shape.machines()}
    assert len([edge for edge in result.owners if "/awsmachines." in edge.dependent]) == 500
    assert result.findings == ()
    # Lists, and a few objects by name: not a request per machine.
    assert len(management.requests) < 40


# Names of files


def test_a_file_is_called_after_its_object() -> None:
    assert item_path(NODE_POOL, {"metadata": {"name": "a", "namespace": "n"}}) == "n/nodepools.hypershift.openshift.io/a.json"
    assert item_path(NAMESPACE, {"metadata": {"name": "a"}}) == "_cluster/namespaces/a.json"
    long, other = ({"metadata": {"name": "x" * 252 + last, "namespace": "n"}} for last in "ab")
    assert len(item_path(NODE_POOL, long).rpartition("/")[2]) < 255
    assert item_path(NODE_POOL, long) != item_path(NODE_POOL, other)
