# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a hosted cluster from being backed up, and what is only noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hosted.shape import Pool, Shape, neighbours

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_findings import inventory_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.tests.unit.hosted_collect.management_clusters import PROD, Management, Object

PLACE = PROD.control_plane_namespace
Change = Callable[[Management], None]


def field(kind: str, name: str, path: str, value: object, namespace: str = PLACE) -> Change:
    """Set a field of an object; None takes it away."""

    def change(management: Management) -> None:
        item = management.find(kind, name, namespace)
        *parents, last = path.split(".")
        for parent in parents:
            item = item[parent]
        if value is None:
            del item[last]
        else:
            item[last] = value

    return change


def gone(kind: str, name: str, namespace: str = PLACE) -> Change:
    """Take an object away."""

    def change(management: Management) -> None:
        management.drop(management.find(kind, name, namespace))

    return change


MACHINE = PROD.machines()[0].name
CURRENT = "prod-a-" + PROD.digest("template", "prod-a", "0")
DYING = "2026-11-21T10:00:00Z"
REFUSED = [
    ("platform-not-aws", field("HostedCluster", "prod", "spec.platform", {"type": "KubeVirt"}, "clusters"), "KubeVirt"),
    ("infra-id-missing", field("HostedCluster", "prod", "spec.infraID", None, "clusters"), "has no spec.infraID"),
    ("infra-id-differs", field("HostedControlPlane", "prod", "spec.infraID", "other"), "infraID other"),
    ("etcd-not-managed", field("HostedCluster", "prod", "spec.etcd", {"managementType": "Unmanaged"}, "clusters"), "Unmanaged"),
    ("etcd-missing", gone("StatefulSet", "etcd"), "no StatefulSet etcd"),
    ("no-control-plane", gone("HostedControlPlane", "prod"), "no HostedControlPlane"),
    ("cluster-not-one", gone("Cluster", PROD.infra_id), "has none"),
    ("aws-cluster-missing", gone("AWSCluster", "prod"), "no AWSCluster"),
    ("machine-without-instance", field("AWSMachine", MACHINE, "spec.instanceID", None), "no spec.instanceID"),
    ("machine-without-instance", field("AWSMachine", MACHINE, "spec.providerID", None), "no spec.providerID"),
    ("machine-without-instance", field("AWSMachine", MACHINE, "spec.instanceID", "i-other"), "i-other"),
    ("machine-without-instance", field("Machine", MACHINE, "spec.providerID", "aws:///us-east-2a/i-0"), "i-0"),
    ("machine-without-instance", gone("AWSMachine", MACHINE), f"its AWSMachine {MACHINE} does not exist"),
    ("template-missing", gone("AWSMachineTemplate", CURRENT), CURRENT),
    ("being-deleted", field("HostedCluster", "prod", "metadata.deletionTimestamp", DYING, "clusters"), "HostedCluster prod"),
    ("being-deleted", field("NodePool", "prod-b", "metadata.deletionTimestamp", DYING, "clusters"), "NodePool prod-b"),
    ("being-deleted", field("Machine", MACHINE, "metadata.deletionTimestamp", DYING), f"Machine {MACHINE}"),
    ("being-deleted", field("AWSMachine", MACHINE, "metadata.deletionTimestamp", DYING), f"AWSMachine {MACHINE}"),
    ("being-deleted", field("HostedControlPlane", "prod", "metadata.deletionTimestamp", DYING), "HostedControlPlane prod"),
    ("being-deleted", field("StatefulSet", "etcd", "metadata.deletionTimestamp", DYING), "StatefulSet etcd"),
]


@pytest.mark.parametrize(("code", "change", "text"), REFUSED)
def test_what_could_not_be_restored_as_it_was_is_refused(code: str, change: Change, text: str) -> None:
    management = Management([PROD])
    change(management)
    refusals = inventory_refusals(management.inventory(PROD))
    assert {refusal.code for refusal in refusals} == {code}
    assert any(text in refusal.what for refusal in refusals)
    assert all(refusal.why and refusal.state and refusal.next for refusal in refusals)


def test_a_healthy_cluster_has_nothing_to_refuse_and_nothing_to_tell() -> None:
    inventory = Management([PROD]).inventory(PROD)
    assert (inventory_refusals(inventory), inventory_findings(inventory)) == ([], [])


def test_every_reason_is_told_at_once() -> None:
    management = Management([replace(PROD, etcd_shards=2)])
    field("AWSMachine", MACHINE, "spec.instanceID", None)(management)
    field("NodePool", "prod-a", "metadata.deletionTimestamp", DYING, "clusters")(management)
    found = inventory_refusals(management.inventory(PROD))
    assert [refusal.code for refusal in found] == ["etcd-sharded", "being-deleted", "machine-without-instance"]


def test_a_namespace_that_another_cluster_would_also_have_is_refused() -> None:
    dotted, clash = neighbours(PROD)[2], neighbours(PROD)[4]
    management = Management([dotted, clash])
    (refusal,) = inventory_refusals(management.inventory(dotted))
    assert refusal.code == "control-plane-namespace-shared"
    assert "clusters/prod-v2" in refusal.what
    # Neighbours of the same namespace alone are nothing to worry about.
    assert inventory_refusals(Management([PROD, *neighbours(PROD)]).inventory(PROD)) == []


def test_a_second_cluster_in_the_namespace_is_refused_and_machines_of_it_are_told() -> None:
    management = Management([PROD])
    cluster = management.find("Cluster", PROD.infra_id, PLACE)
    management.put({**cluster, "metadata": {**cluster["metadata"], "name": "prod-zzzzz", "uid": "of its own"}})
    assert [item.code for item in inventory_refusals(management.inventory(PROD))] == ["cluster-not-one"]
    assert "not-of-this-cluster" in {item.code for item in inventory_findings(management.inventory(PROD))}


def test_one_instance_is_not_two_machines() -> None:
    management = Management([PROD])
    first, second = (management.find("AWSMachine", machine.name, PLACE) for machine in PROD.machines()[:2])
    for key in ("instanceID", "providerID"):
        second["spec"][key] = first["spec"][key]
    management.find("Machine", second["metadata"]["name"], PLACE)["spec"]["providerID"] = first["spec"]["providerID"]
    assert [item.code for item in inventory_refusals(management.inventory(PROD))] == ["instance-used-twice"]


def test_a_machine_that_is_not_a_node_yet_is_told_only() -> None:
    management = Management([PROD])
    machine = management.find("Machine", MACHINE, PLACE)
    del machine["status"]["nodeRef"], machine["spec"]["providerID"]
    aws = management.find("AWSMachine", MACHINE, PLACE)
    del aws["spec"]["instanceID"], aws["spec"]["providerID"]
    inventory = management.inventory(PROD)
    assert inventory_refusals(inventory) == []
    assert [item.code for item in inventory_findings(inventory)] == ["machine-without-node"]


def changed(management: Management, kind: str, name: str, more: Object) -> None:
    """Put a copy of an object with other metadata beside it."""
    item = management.find(kind, name, PLACE)
    management.put({**item, "metadata": {**item["metadata"], "uid": "of its own", **more}})


def test_what_is_only_noticed() -> None:
    management = Management([replace(PROD, restored_from="https://b.s3.us-east-2.amazonaws.com/k?X-Amz-Signature=abc")])
    del management.find("AWSCluster", "prod", PLACE)["metadata"]["annotations"]["cluster.x-k8s.io/managed-by"]
    changed(management, "AWSMachine", MACHINE, {"name": "alone", "ownerReferences": []})
    management.find("AWSMachine", "alone", PLACE)["spec"] = {"instanceType": "m5.large"}
    old = management.find("MachineSet", "prod-a-" + PROD.digest("set", "prod-a", length=5), PLACE)
    history = {**old, "metadata": {**old["metadata"], "name": "prod-a-old", "uid": "of its own"}, "spec": {**old["spec"], "replicas": 0}}
    reference = {"kind": "AWSMachineTemplate", "name": "prod-a-forgotten"}
    template = {**old["spec"]["template"], "spec": {**old["spec"]["template"]["spec"], "infrastructureRef": reference}}
    management.put({**history, "spec": {**history["spec"], "template": template}})
    changed(
        management, "MachineDeployment", "prod-a", {"name": "gone", "annotations": {"hypershift.openshift.io/nodePool": "clusters/gone"}}
    )
    inventory = management.inventory(PROD)
    assert inventory_refusals(inventory) == []
    findings = inventory_findings(inventory)
    codes = ["restored-before", "aws-cluster-not-external", "aws-machine-without-machine", "node-pool-gone", "template-gone"]
    assert [item.code for item in findings] == codes
    assert "Signature" not in str(findings)


def test_what_may_not_be_read_is_told() -> None:
    management = Management([PROD])
    management.forbidden = {f"/apis/route.openshift.io/v1/namespaces/{PLACE}/routes", f"/api/v1/namespaces/{PLACE}/services"}
    findings = inventory_findings(management.inventory(PROD))
    assert [(item.code, item.what.partition(" ")[0]) for item in findings] == [("not-readable", "routes"), ("not-readable", "services")]


def test_a_cluster_without_machines_is_no_reason() -> None:
    shape = Shape("empty", pools=(Pool("empty-a", 0),))
    assert inventory_refusals(Management([shape]).inventory(shape)) == []
