# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a hosted cluster from a real API server: read with the right to read only, and put together again from their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hosted.bed import Hosted
from hosted.shape import Pool, Shape, neighbours
from hosted.writing import Refused as Denied
from hosted.writing import collection
from hosted_clusters import ManagementCluster
from sandboxlib.users import User, kubeconfig_for

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import LAST_APPLIED, original
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import Collected, collected
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect

Object = dict[str, Any]
URL = "https://bucket.s3.us-east-2.amazonaws.com/run/etcd.db?X-Amz-Credential=AKIA&X-Amz-Signature=00ff"
POOLS = (Pool("coll-a", 2, config=("coll-kubelet",)), Pool("coll-b", 1, upgrade="InPlace"), Pool("coll-c", 1, autoscaling=(1, 3)))
COLL = Shape("coll", pools=POOLS, availability="SingleReplica", restored_from=URL)
LONGER = neighbours(COLL)[0]
READER = User("set-reader")
# All that reading a hosted cluster needs; nothing of it is a write.
RULES = [
    {"apiGroups": ["hypershift.openshift.io"], "resources": ["*"], "verbs": ["get", "list"]},
    {"apiGroups": ["cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io", "route.openshift.io"], "resources": ["*"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
]


@dataclass
class Caller:
    """What a module is for ``connect``."""

    params: Mapping[str, Any]
    tmpdir: str
    name: str = field(default="test_hosted_collect")


@pytest.fixture
def api(management_cluster: ManagementCluster, tmp_path: Path) -> Api:
    """The management cluster for somebody who may only read."""
    metadata, group = {"name": READER.name}, "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": RULES}
    binding = {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
    binding |= {"roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": READER.name}}
    binding |= {"subjects": [{"apiGroup": group, "kind": "User", "name": READER.name}]}
    with management_cluster.bed.writer() as writer:
        for plural, body in (("clusterroles", role), ("clusterrolebindings", binding)):
            try:
                writer.request("POST", f"/apis/{group}/v1/{plural}", body)
            except Denied as denied:
                if denied.status != 409:
                    raise
    kubeconfig = kubeconfig_for(management_cluster.cluster.layout, READER)
    return connect(Caller({"kubeconfig": str(kubeconfig)}, str(tmp_path)), explicit=True).api


@pytest.fixture
def coll(management_cluster: ManagementCluster) -> Hosted:
    """A cluster that was itself restored, beside some with names like its own."""
    for shape in (LONGER, neighbours(COLL)[4]):
        management_cluster.hosted(shape)
    return management_cluster.hosted(COLL)


def stored(hosted: Hosted, item: Object) -> Object:
    """The object on the server."""
    described = item["metadata"]
    path = collection(item["apiVersion"], item["kind"], described.get("namespace", ""))
    found: Object = hosted.bed.cluster.api.get(f"{path}/{described['name']}")
    return found


def collect(api: Api, inventory: Inventory) -> Collected:
    """What a backup saves of it."""
    return collected(inventory, read_contents(api, inventory))


@pytest.mark.timeout(300)
def test_a_set_has_this_cluster_and_nothing_of_its_neighbours(coll: Hosted, api: Api) -> None:
    cluster = coll.bed.cluster
    # Somebody has used kubectl: its copy of the object has the old URL, too.
    with coll.bed.writer() as writer:
        writer.patch(coll.path, {"metadata": {"annotations": {LAST_APPLIED: json.dumps({"spec": URL})}}})
    mark = cluster.mark()
    inventory = read_inventory(api, Target(COLL.namespace, COLL.name))
    assert inventory_refusals(inventory) == []
    result = collect(api, inventory)

    own = (COLL.namespace, COLL.control_plane_namespace)
    counts: dict[str, int] = {}
    for item in result.items:
        assert item.object["metadata"].get("namespace", own[1]) in own
        counts[item.object["kind"]] = counts.get(item.object["kind"], 0) + 1
    expected = {"HostedCluster": 1, "NodePool": 3, "HostedControlPlane": 1, "Cluster": 1, "AWSCluster": 1, "AWSMachineTemplate": 6}
    expected |= {"MachineDeployment": 2, "MachineSet": 3, "Machine": 4, "AWSMachine": 4, "ConfigMap": 3}
    assert {kind: counts[kind] for kind in expected} == expected
    # What a neighbour has, and what has a name that begins like the cluster's.
    names = {item.object["metadata"]["name"] for item in result.items if item.object["kind"] == "Secret"}
    assert not {name for name in names if name.startswith(("coll2", "coll-v2", "coll-notes"))}
    assert {row.instance_id for row in result.instances} == {machine.instance for machine in coll.machines}

    # Both parts of a file are the object, but for the signature of the old URL, which the server repeats in managedFields.
    assert "X-Amz-" in json.dumps(cluster.api.get(coll.path)["metadata"]["managedFields"])
    text = json.dumps([(item.object, item.removed) for item in result.items])
    assert "X-Amz-" not in text
    assert not any(LAST_APPLIED in item.object["metadata"].get("annotations", {}) for item in result.items)
    assert URL.partition("?")[0] in text
    for item in result.items:
        if item.object["kind"] in (
            "NodePool",
            "Machine",
            "AWSMachine",
            "Secret",
            "ConfigMap",
            "MachineSet",
            "AWSMachineTemplate",
            "Cluster",
        ):
            assert original(item.object, item.removed) == stored(coll, item.object), item.path

    requests = [event for event in cluster.audit_since(mark) if event.user == READER.name]
    assert {event.verb for event in requests} == {"get", "list"}
    assert len(requests) < 45
    read = {event.name for event in requests if event.resource == "secrets" and event.namespace == COLL.namespace and event.name}
    assert read <= names


@pytest.mark.timeout(300)
def test_what_was_cleaned_can_be_created_again(coll: Hosted, api: Api) -> None:
    result = collect(api, read_inventory(api, Target(COLL.namespace, COLL.name)))
    with coll.bed.writer() as writer:
        for item in result.items:
            if item.evidence:
                continue
            described = item.object["metadata"]
            body = {**item.object, "metadata": {**described, "name": f"{described['name'][:40].rstrip('-.')}-again"}}
            path = collection(body["apiVersion"], body["kind"], described["namespace"])
            writer.request("POST", f"{path}?dryRun=All", body)


@pytest.mark.timeout(300)
def test_a_machine_that_is_being_deleted_is_not_stored(management_cluster: ManagementCluster, api: Api) -> None:
    longer = management_cluster.hosted(LONGER)
    name = longer.machines[0].name
    try:
        with longer.bed.writer() as writer:
            writer.request("DELETE", f"{collection('cluster.x-k8s.io/v1beta1', 'Machine', LONGER.control_plane_namespace)}/{name}")
        refusals = inventory_refusals(read_inventory(api, Target(LONGER.namespace, LONGER.name)))
    finally:
        management_cluster.remove(longer)
    assert ("being-deleted", name) in {(refusal.code, refusal.object.name) for refusal in refusals}
