# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosted_cluster_info on a management cluster: as a whole, in brief, with what is wrong, and with what may not be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from failures import assert_told, unchanged
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import Pool, Shape, neighbours, shape_of_size
from hosted_clusters import ManagementCluster
from run_module import run_module
from sandboxlib.cluster import Cluster
from test_rbac import granted, roles, used, without
from written import commands, reads_only

Result = dict[str, Any]
# In a namespace of its own, where no other test stops or changes anything.
PROD = shape_of_size("prod", 6, namespace="seen")
ROLES = ("planner-hosted_cluster_info",)
SIGNED = "https://backups.s3.us-east-2.amazonaws.com/odd/etcd.db?X-Amz-Signature=canary-of-the-url"
# What is wrong with the cluster that has everything wrong which its objects can tell.
ODD = Shape(
    "odd",
    namespace="oddities",
    pools=(Pool("odd-a", 1),),
    availability="SingleReplica",
    external_dns=False,
    restored_from=SIGNED,
    annotations={"argocd.argoproj.io/tracking-id": "hosted:hypershift.openshift.io/HostedCluster:oddities/odd"},
)
MANY = 20
# Where a role is bound, by how its name ends; the first one is for the whole cluster.
PLACES = {
    "info-hosted-clusters": ODD.namespace,
    "info-control-plane": ODD.control_plane_namespace,
    "info-hypershift": "hypershift",
    "info-kube-public": "kube-public",
}


@pytest.fixture
def prod(management_cluster: ManagementCluster) -> Hosted:
    """A cluster with six machines, an API server and three etcd members."""
    return management_cluster.hosted(PROD, real=Image())


def look(cluster: Cluster, kubeconfig: str = "", env: Mapping[str, str] | None = None, **options: Any) -> Result:
    """Run the module, as the administrator unless told otherwise."""
    return run_module("hosted_cluster_info", {"source": {"kubeconfig": kubeconfig or str(cluster.kubeconfig)}, **options}, env=env)


def only(result: Result) -> Result:
    """The one hosted cluster of a result."""
    assert result.get("msg", "") == ""
    assert result["changed"] is False
    (found,) = result["hosted_clusters"]
    return dict(found)


def severities(found: Result) -> dict[str, str]:
    """The severity of each finding, by its code."""
    return {finding["code"]: finding["severity"] for finding in found["findings"]}


def user_with(cluster: Cluster, name: str, documents: list[Result], places: Mapping[str, str] | None = None) -> str:
    """Give a new user exactly these roles and return the path of their kubeconfig.

    ``places`` says where each is bound, by how its name ends; without it all are bound for the whole cluster, which changes nothing
    in the namespaces of hosted clusters that other tests want to find as they were made.
    """
    objects: list[Result] = []
    for role in documents:
        role_name = f"{role['metadata']['name']}-{name}"
        place = next((namespace for ending, namespace in (places or {}).items() if role["metadata"]["name"].endswith(ending)), "")
        objects.append({**role, "metadata": {"name": role_name}})
        objects.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding" if place else "ClusterRoleBinding",
                "metadata": {"name": role_name, **({"namespace": place} if place else {})},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
            }
        )
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(cluster.kubeconfig_for(name))


@pytest.mark.timeout(240)
def test_a_healthy_cluster_as_a_user_with_nothing_to_spare(prod: Hosted) -> None:
    """The roles of docs/rbac are enough, everything is as it should be, and only what reads is run in the etcd pods."""
    cluster = prod.bed.cluster
    kubeconfig = user_with(cluster, "info", roles(ROLES))
    mark = cluster.mark()
    result = look(cluster, kubeconfig, name="prod", namespace="seen", machines=True)
    found = only(result)
    assert severities(found) == {"private-link": "warning", "auto-repair": "info", "issuer-documents-owned": "info"}
    assert found["can_move"] == {"verdict": "yes", "obstacles": [], "cautions": ["private-link"], "unchecked": ["instances", "dns"]}
    assert (found["identity"]["infra_id"], found["identity"]["cluster_id"]) == (PROD.infra_id, PROD.cluster_id)
    assert (found["etcd"]["one_cluster"], [member["pod"] for member in found["etcd"]["members"]]) == (True, ["etcd-0", "etcd-1", "etcd-2"])
    assert [member["leader"] for member in found["etcd"]["members"]].count(True) == 1
    assert {row["instance_id"] for row in found["machines"]["rows"]} == {machine.instance for machine in prod.machines}
    assert {row["node"] for row in found["machines"]["rows"]} == {machine.node for machine in prod.machines}
    assert (found["machines"]["total"], found["machines"]["whole"]) == (6, 6)
    assert [(pool["name"], pool["desired"], pool["ready"]) for pool in found["node_pools"]] == [("prod-a", 3, 3), ("prod-b", 3, 3)]
    assert result["management"]["external_dns"]["owner_id"] == "7f0c2f3a-owner-of-records"
    assert [bucket["name"] for bucket in result["management"]["oidc_buckets"]] == ["hosted-oidc"] * 2
    # Neither what the Secrets of the bed hold, nor the key of the administrator.
    assert "canary" not in json.dumps(result)
    assert "PRIVATE KEY" not in json.dumps(result)
    events = [event for event in cluster.audit_since(mark) if event.user == "info"]
    assert cluster.writes_since(mark) == []
    assert [str(event) for event in events if event.code == 403] == []
    # Six questions to each of three members.
    assert len(commands(events)) == 18
    assert [command for command in commands(events) if not reads_only(command)] == []
    assert granted(roles(ROLES)) - used(events, "info") <= {
        ("create", "", "pods/exec"),  # asked for by Kubernetes 1.35 and later
        ("get", "", "pods/exec"),
        ("list", "hypershift.openshift.io", "hostedclusters"),
    }


@pytest.mark.timeout(240)
def test_what_may_not_be_read_is_unknown_and_fails_nothing(prod: Hosted) -> None:
    cluster = prod.bed.cluster
    less = without(without(without(roles(ROLES), "get", "secrets"), "get", "pods/exec"), "get", "configmaps")
    less = without(without(less, "create", "pods/exec"), "list", "awsendpointservices")
    result = look(cluster, user_with(cluster, "info-blindfolded", less), name="prod", namespace="seen")
    found = only(result)
    assert (found["etcd"], found["can_move"]["verdict"]) == (None, "unknown")
    assert found["can_move"]["unchecked"] == ["etcd", "nodes", "instances", "dns"]
    told = json.dumps([*found["findings"], *result["findings"]])
    for missing in ("pods/exec", "get secrets", "get configmaps", "list awsendpointservices"):
        assert missing in told
    # The machines are known from the management cluster; whether their nodes are ready is not.
    assert (found["machines"]["total"], found["machines"]["whole"]) == (6, 6)


@pytest.mark.timeout(240)
def test_a_wrong_name_and_a_wrong_namespace_tell_which_there_are(prod: Hosted) -> None:
    cluster = prod.bed.cluster
    with unchanged(cluster):
        assert_told(look(cluster, name="prud"), "clusters/prud", "seen/prod", cluster=cluster)
        assert_told(look(cluster, name="prod", namespace="elsewhere"), "elsewhere/prod", "seen/prod", cluster=cluster)
        wrong = run_module("hosted_cluster_info", {"source": {"kubeconfig": str(cluster.kubeconfig), "expected_cluster": "another"}})
        assert_told(wrong, "another")


@pytest.mark.timeout(240)
def test_a_member_of_etcd_that_does_not_answer_is_told(prod: Hosted) -> None:
    prod.real.stop("etcd-2")
    try:
        found = only(look(prod.bed.cluster, name="prod", namespace="seen", include=["etcd"]))
    finally:
        prod.real.resume("etcd-2")
    assert found["etcd"]["one_cluster"] is False
    (silent,) = (member for member in found["etcd"]["members"] if not member["healthy"])
    assert (silent["pod"], silent["error"] != "") == ("etcd-2", True)
    assert severities(found)["etcd-member-down"] == "warning"


@pytest.mark.timeout(240)
def test_a_cluster_with_everything_wrong_that_its_objects_can_tell(management_cluster: ManagementCluster) -> None:
    """Paused until a time that has passed, written by Argo CD, once restored, without hostnames, its API out of reach."""
    odd = management_cluster.hosted(ODD)
    cluster = odd.bed.cluster
    change = {"spec": {"pausedUntil": "2026-01-01T00:00:00Z"}}
    cluster.kubectl("patch", "hostedclusters", "odd", "-n", "oddities", "--type=merge", "-p", json.dumps(change))
    kubeconfig = user_with(cluster, "info-placed", roles(ROLES), PLACES)
    mark = cluster.mark()
    with unchanged(cluster):
        result = look(cluster, kubeconfig, name="odd", namespace="oddities")
    found = only(result)
    # Bound as docs/rbac.md says, the roles are enough.
    assert [str(event) for event in cluster.audit_since(mark) if event.user == "info-placed" and event.code == 403] == []
    told = severities(found)
    expected = {
        "no-external-hostname": "error",
        "written-by-another-tool": "error",
        "pause-over": "warning",
        "conditions-stale": "warning",
        "hosted-cluster-not-read": "warning",
        "restored-before": "info",
    }
    assert {code: told.get(code) for code in expected} == expected
    assert found["can_move"]["verdict"] == "no"
    assert found["paused"] == {
        "value": "2026-01-01T00:00:00Z",
        "paused": False,
        "until": "2026-01-01T00:00:00Z",
        "valid": True,
        "cluster_api": False,
    }
    assert found["restored_from"] == SIGNED.partition("?")[0]
    assert "canary" not in json.dumps(result)
    assert {(writer["tool"], writer["object"]["kind"]) for writer in found["writers"]} == {
        ("Argo CD", "HostedCluster"),
        ("Argo CD", "HostedControlPlane"),
    }


@pytest.mark.timeout(240)
def test_instances_and_names(management_cluster: ManagementCluster) -> None:
    bed, aws = management_cluster.bed, management_cluster.aws
    shape = Shape("named", namespace="names", pools=(Pool("named-a", 2),), availability="SingleReplica")
    named, route53, namesake = bed.add(shape, aws.run_instances(shape)), aws.client("route53"), ""
    try:
        gone, stays = named.machines
        aws.client("ec2", region=shape.region).terminate_instances(InstanceIds=[gone.instance])
        zone = aws.create_zone(shape, bed.management.owner_id)
        # There are two public zones of that name, so somebody has to say which of them counts.
        namesake = route53.create_hosted_zone(Name=shape.domain, CallerReference="namesake")["HostedZone"]["Id"]
        asked = {"name": "named", "namespace": "names", "include": ["instances", "dns"], "zone_id": zone, "machines": True}
        found = only(look(bed.cluster, env=aws.environment(), **asked))
        assert {(row["state"], row["owner"]) for row in found["dns"]} == {("owned", bed.management.owner_id)}
        assert {row["instance_id"]: (row["instance_state"], row["problems"]) for row in found["machines"]["rows"]} == {
            gone.instance: ("terminated", ["instance-terminated"]),
            stays.instance: ("running", []),
        }
        assert "machines-not-whole" in found["can_move"]["obstacles"]
        # Without credentials both are unknown, and the rest is there.
        nobody = {**aws.environment(), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        blind = only(look(bed.cluster, env=nobody, **asked))
        assert blind["can_move"]["unchecked"] == ["etcd", "nodes", "instances", "dns"]
        assert [finding["what"].partition(":")[0] for finding in blind["findings"] if finding["code"] == "part-not-read"] == [
            "dns",
            "instances",
        ]
    finally:
        if namesake:
            route53.delete_hosted_zone(Id=namesake)
        bed.remove(named)


@pytest.mark.timeout(240)
def test_many_clusters_with_confusing_names_cost_a_handful_of_requests(management_cluster: ManagementCluster) -> None:
    bed = management_cluster.bed
    first = Shape("app", namespace="fleet", pools=(Pool("app-a", 1),))
    names = [first, *neighbours(first), *(Shape(f"app-{number}", "fleet", (Pool(f"app-{number}-a", 1),)) for number in range(MANY - 6))]
    there = [bed.add(replace(shape, control_plane=False)) for shape in names]
    try:
        kubeconfig = user_with(bed.cluster, "info-brief", [*roles(ROLES)[:1], *roles(ROLES)[3:]])
        mark = bed.cluster.mark()
        result = look(bed.cluster, kubeconfig, namespace="fleet")
        assert result.get("msg", "") == ""
        # The one that has the same name elsewhere is in another namespace.
        assert [found["name"] for found in result["hosted_clusters"]] == sorted(
            {shape.name for shape in names if shape.namespace == "fleet"}
        )
        pools = {found["name"]: [pool["name"] for pool in found["node_pools"]] for found in result["hosted_clusters"]}
        assert (pools["app"], pools["app2"], pools["app.v2"], pools["app-v2"]) == (["app-a"], ["app2-a"], ["app-v2-a"], ["app-v2-b"])
        clashing = [found["name"] for found in result["hosted_clusters"] if "control-plane-namespace-shared" in severities(found)]
        assert clashing == ["app-v2", "app.v2"]
        asked = [event for event in bed.cluster.audit_since(mark) if event.user == "info-brief"]
        assert len(asked) <= 8, [str(event) for event in asked]
        assert [str(event) for event in asked if event.code >= 300 or event.write] == []
        everywhere = look(bed.cluster, kubeconfig)
        assert {f"{shape.namespace}/{shape.name}" for shape in names} <= {
            f"{found['namespace']}/{found['name']}" for found in everywhere["hosted_clusters"]
        }
    finally:
        for hosted in there:
            bed.remove(hosted)
