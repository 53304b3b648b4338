# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each obstacle to a move, from a healthy cluster that has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from hosted.shape import Shape

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_report import cluster_report
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import (
    NOW,
    PROD,
    condition_of,
    etcd,
    inventory,
    nodes,
    settings,
)

URL = "https://user:word@backups.s3.us-east-2.amazonaws.com/prod/etcd.db?X-Amz-Signature=abc123&X-Amz-Security-Token=def456"
PRIOR = Prior("prod-20261121T110000Z-1f3a9c", "2026-11-21T11:00:00Z", uid="", replicas={"kube-apiserver": 3}, cluster=PROD.infra_id)
HYPERSHIFT = "hypershift.openshift.io"


class Record(NamedTuple):
    """A name as Route 53 has it."""

    name: str
    state: str
    owner: str = ""
    target: str = ""


def told(facts: Facts) -> dict[str, str]:
    """The severity of each finding, by its code."""
    return {finding["code"]: finding["severity"] for finding in cluster_report(facts, NOW, machines=False)["findings"]}


def healthy(found: Inventory | None = None, management: Management | None = None) -> Facts:
    found = found or inventory()
    shape = replace(PROD, name=found.target.name)
    return Facts(found, management or settings(), etcd=etcd(), nodes=nodes(shape), instances=None, records=None)


# What a healthy cluster with PrivateLink has.
ALWAYS = {"private-link": "warning", "auto-repair": "info", "issuer-documents-owned": "info"}


def test_a_healthy_cluster_can_be_moved() -> None:
    assert told(healthy()) == ALWAYS
    report = cluster_report(healthy(), NOW, machines=False)
    assert report["can_move"] == {"verdict": "yes", "obstacles": [], "cautions": ["private-link"], "unchecked": ["instances", "dns"]}
    assert (report["etcd"]["one_cluster"], report["machines"]["whole"], report["machines"]["not_whole"]) == (True, 4, [])
    assert [(row["name"], row["desired"], row["current"], row["ready"]) for row in report["node_pools"]] == [
        ("prod-a", 2, 2, 2),
        ("prod-b", 1, 1, 1),
        ("prod-c", 1, 1, 1),
    ]


def annotate(key: str, value: str) -> Callable[[Inventory], None]:
    return lambda found: found.hosted_cluster["metadata"].setdefault("annotations", {}).update({f"{HYPERSHIFT}/{key}": value})


def spec(**fields: object) -> Callable[[Inventory], None]:
    return lambda found: found.hosted_cluster["spec"].update(fields)


def karpenter(found: Inventory) -> None:
    assert found.control_plane is not None
    found.control_plane["metadata"]["finalizers"].append("hypershift.openshift.io/karpenter-finalizer")


def unscaled(found: Inventory) -> None:
    found.stateful_sets[0]["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] = "Delete"


def undeleted(found: Inventory) -> None:
    found.stateful_sets[0]["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = "Delete"


def recorded(text: str) -> Callable[[Inventory], None]:
    return lambda found: found.hosted_cluster["metadata"].setdefault("annotations", {}).update({"lifecycle.meshops/before-backup": text})


def api_servers_at_zero(found: Inventory) -> None:
    next(item for item in found.deployments if item["metadata"]["name"] == "kube-apiserver")["spec"]["replicas"] = 0


def stopped(found: Inventory) -> None:
    recorded(PRIOR.as_json())(found)
    found.hosted_cluster["spec"]["pausedUntil"] = "true"


def half_started(found: Inventory) -> None:
    """Not paused any more, and its API servers are still at 0."""
    recorded(PRIOR.as_json())(found)
    api_servers_at_zero(found)


def broken_again(found: Inventory) -> None:
    """Brought back by hand, which left the record, and not well."""
    recorded(PRIOR.as_json())(found)
    condition_of(found.hosted_cluster, "Available")["status"] = "False"


def restored(found: Inventory) -> None:
    found.hosted_cluster["spec"]["etcd"]["managed"]["storage"]["restoreSnapshotURL"] = [URL]


def repository(found: Inventory) -> None:
    found.hosted_cluster["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "hosted:x"}


def by_helm(found: Inventory) -> None:
    found.node_pools[0]["metadata"]["annotations"]["meta.helm.sh/release-name"] = "pools"


def unmanaged_network(found: Inventory) -> None:
    del found.of("awsclusters")[0]["metadata"]["annotations"]["cluster.x-k8s.io/managed-by"]


def left_behind(found: Inventory) -> None:
    for plural in ("machinedeployments", "machinesets"):
        for item in found.of(plural):
            item["metadata"]["annotations"]["hypershift.openshift.io/nodePool"] = "clusters/gone"


def dying(found: Inventory) -> None:
    found.node_pools[1]["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"


def all_at_once(found: Inventory) -> None:
    found.of("machinehealthchecks")[0]["spec"]["maxUnhealthy"] = "100%"


def updating(found: Inventory) -> None:
    condition_of(found.node_pools[0], "UpdatingVersion")["status"] = "True"


def half_updated(found: Inventory) -> None:
    found.of("machinedeployments")[0]["status"]["updatedReplicas"] = 1


def a_machine_short(found: Inventory) -> None:
    found.node_pools[0]["status"]["replicas"] = 1


def a_pool_not_ready(found: Inventory) -> None:
    condition_of(found.node_pools[0], "AllNodesHealthy")["status"] = "False"


def upgrading(found: Inventory) -> None:
    found.hosted_cluster["status"]["version"]["history"].insert(0, {"state": "Partial", "version": "4.16.22"})


def degraded(found: Inventory) -> None:
    condition_of(found.hosted_cluster, "Degraded")["status"] = "True"


def invalid(found: Inventory) -> None:
    condition_of(found.hosted_cluster, "ValidReleaseImage")["status"] = "False"


def changed(found: Inventory) -> None:
    found.hosted_cluster["metadata"]["generation"] = 2


def no_instance(found: Inventory) -> None:
    del found.of("awsmachines")[0]["spec"]["instanceID"]


def no_machine(found: Inventory) -> None:
    found.of("machines")[0]["spec"]["infrastructureRef"]["name"] = "another"


CHANGES = [
    (annotate("cleanup-cloud-resources", "true"), {"cleanup-cloud-resources": "error"}),
    (annotate("cleanup-cloud-resources", "false"), {}),
    (annotate("disable-machine-management", ""), {}),
    (annotate("disable-machine-management", "true"), {"machine-management-disabled": "warning"}),
    (spec(autoNode={"provisionerConfig": {"name": "Karpenter"}}), {"autonode": "error"}),
    (karpenter, {"autonode": "error"}),
    (spec(etcd={"managementType": "Unmanaged"}), {"etcd-not-managed": "error"}),
    (spec(platform={"type": "KubeVirt"}), {"platform-not-aws": "error"}),
    (unscaled, {"etcd-volumes-not-retained": "error"}),
    (undeleted, {"etcd-volumes-not-retained": "warning"}),
    (spec(pausedUntil="yes, please"), {"pause-not-valid": "warning"}),
    (spec(pausedUntil="2026-11-21T11:00:00Z"), {"pause-over": "warning"}),
    (stopped, {"stopped-by-backup": "warning", "hosted-cluster-condition": "info"}),
    (half_started, {"stopped-by-backup": "warning"}),
    (recorded(PRIOR.as_json()), {"record-left": "warning"}),
    (broken_again, {"record-left": "warning", "hosted-cluster-condition": "error"}),
    (recorded("{}"), {"record-unreadable": "error"}),
    (api_servers_at_zero, {"stopped-without-record": "error"}),
    (restored, {"restored-before": "info"}),
    (repository, {"written-by-another-tool": "error"}),
    (by_helm, {"written-by-another-tool": "info"}),
    (unmanaged_network, {"aws-cluster-not-external": "warning"}),
    (left_behind, {"node-pool-gone": "warning"}),
    (dying, {"being-deleted": "error"}),
    (all_at_once, {"auto-repair": "warning"}),
    (updating, {"node-pool-updating": "error"}),
    (half_updated, {"node-pool-updating": "error"}),
    (a_machine_short, {"node-pool-incomplete": "warning"}),
    (a_pool_not_ready, {"node-pool-condition": "warning"}),
    (upgrading, {"upgrade-in-progress": "error"}),
    (degraded, {"hosted-cluster-condition": "error"}),
    (invalid, {"hosted-cluster-condition": "warning"}),
    (changed, {"conditions-stale": "warning"}),
    (no_instance, {"machines-not-whole": "error", "machine-without-instance": "error"}),
    (no_machine, {"machines-not-whole": "error", "machine-without-instance": "error"}),
    (spec(issuerURL="https://earlier-oidc.s3.us-east-2.amazonaws.com/prod-bf260"), {"issuer-in-another-bucket": "warning"}),
    (spec(issuerURL="https://login.example.com/prod"), {}),
    (spec(issuerURL="https://s3.us-east-2.amazonaws.com/hosted-oidc/prod-bf260"), {}),
    (spec(issuerURL="https://s3.us-east-2.amazonaws.com/earlier-oidc/prod-bf260"), {"issuer-in-another-bucket": "warning"}),
    (spec(services=[]), {"no-external-hostname": "error"}),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_one_change_is_one_obstacle(change: Callable[[Inventory], None], expected: dict[str, str]) -> None:
    facts = healthy()
    change(facts.inventory)
    report = cluster_report(facts, NOW, machines=False)
    found = {finding["code"]: finding["severity"] for finding in report["findings"]}
    assert {code: severity for code, severity in found.items() if ALWAYS.get(code) != severity} == expected
    assert report["can_move"]["verdict"] == ("no" if "error" in expected.values() else "yes")
    assert all(finding["what"] and finding["why"] and finding["remedy"] for finding in report["findings"])


def test_a_pause_that_ends_is_a_caution_and_its_conditions_are_those_of_a_paused_cluster() -> None:
    facts = healthy()
    facts.inventory.hosted_cluster["spec"]["pausedUntil"] = "2026-11-22T00:00:00Z"
    condition_of(facts.inventory.hosted_cluster, "ReconciliationActive")["status"] = "False"
    assert told(facts) == {**ALWAYS, "pause-ends": "warning"}
    assert cluster_report(facts, NOW, machines=False)["paused"] == {
        "value": "2026-11-22T00:00:00Z",
        "paused": True,
        "until": "2026-11-22T00:00:00Z",
        "valid": True,
        "cluster_api": False,
    }


@pytest.mark.parametrize(
    ("management", "expected"),
    [
        (settings(domain=""), {"external-dns-missing": "error"}),
        (settings(ready=0), {"external-dns-not-running": "error"}),
        (settings(external_dns_arguments=("--policy=upsert-only",)), {"external-dns-keeps-records": "error"}),
        (settings(external_dns_arguments=("--provider=azure",)), {"external-dns-provider": "warning"}),
        (settings(external_dns_arguments=("--registry=noop",)), {"external-dns-registry": "warning"}),
        (settings(owner_id="default"), {"external-dns-owner": "warning"}),
        (settings(domain="elsewhere.example.com"), {"external-dns-domain": "error"}),
        (settings(oidc_bucket="new-oidc"), {"issuer-in-another-bucket": "warning"}),
    ],
)
def test_what_a_management_cluster_can_be_in_the_way_with(management: Management, expected: dict[str, str]) -> None:
    assert told(healthy(management=management)) == {**ALWAYS, **expected}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("owned", {}),
        ("absent", {"record-missing": "warning"}),
        ("txt-only", {"record-without-target": "warning"}),
        ("foreign", {"record-of-another-owner": "error"}),
        ("unowned", {"record-without-owner": "error"}),
    ],
)
def test_records(state: str, expected: dict[str, str]) -> None:
    found = Record("api-prod.hosted.example.com", state, owner="somebody", target="lb.example.com")
    facts = replace(healthy(), records=(found,))
    assert told(facts) == {**ALWAYS, **expected}
    report = cluster_report(facts, NOW, machines=False)
    assert (report["dns"][0]["state"], report["dns"][0]["owner"], report["dns"][1]["state"]) == (state, "somebody", None)
    assert report["can_move"]["unchecked"] == ["instances"]


def test_a_private_cluster_needs_no_hostname() -> None:
    shape = Shape("prod", pools=PROD.pools, external_dns=False, endpoint_access="Private")
    facts = replace(healthy(inventory(shape)), nodes=nodes(shape))
    assert told(facts)["no-external-hostname"] == "info"


def test_neighbours() -> None:
    beside = replace(inventory(), neighbours=(Target("clusters", "prod2"), Target("clusters", "stage")))
    assert told(healthy(beside)) == {**ALWAYS, "namespace-shared": "info"}
    clash = replace(inventory(), neighbours=(Target("clusters-x", "prod"), Target("clusters", "prod.")))
    # A name that comes to the same control-plane namespace, whatever else it is.
    other = replace(clash, target=Target("clusters", "prod-"), neighbours=(Target("clusters", "prod."),))
    assert told(healthy(other))["control-plane-namespace-shared"] == "error"


def test_etcd_that_is_split_is_told_although_its_condition_is_true() -> None:
    facts = replace(healthy(), etcd=etcd(split=True))
    report = cluster_report(facts, NOW, machines=False)
    assert (report["etcd"]["one_cluster"], report["etcd"]["condition"]) == (False, "True")
    assert told(facts)["etcd-split"] == "error"
    assert "etcd-split" in report["can_move"]["obstacles"]
    assert report["can_move"]["verdict"] == "no"


def test_what_was_not_looked_at_is_unknown_and_told() -> None:
    facts = replace(healthy(), etcd=None, nodes=None, unread={"etcd": "not allowed to get pods/exec", "nodes": "no answer"})
    assert told(facts) == {**ALWAYS, "part-not-read": "warning", "hosted-cluster-not-read": "warning"}
    report = cluster_report(facts, NOW, machines=False)
    assert report["can_move"]["verdict"] == "unknown"
    assert report["can_move"]["unchecked"] == ["etcd", "nodes", "instances", "dns"]
    assert report["etcd"] is None


def test_what_it_was_restored_from_has_no_key_in_it() -> None:
    facts = healthy()
    restored(facts.inventory)
    report = cluster_report(facts, NOW, machines=False)
    assert report["restored_from"] == "https://backups.s3.us-east-2.amazonaws.com/prod/etcd.db"
    for secret in ("abc123", "def456", "X-Amz", "user:word"):
        assert secret not in json.dumps(report)


def test_of_a_stopped_cluster_it_is_told_since_when() -> None:
    facts = replace(healthy(), nodes=None, unread={"nodes": "its API servers are stopped"})
    recorded(PRIOR.as_json())(facts.inventory)
    api_servers_at_zero(facts.inventory)
    condition_of(facts.inventory.hosted_cluster, "KubeAPIServerAvailable")["status"] = "False"
    changed(facts.inventory)
    report = cluster_report(facts, NOW, machines=False)
    assert report["stopped"] == {"run_id": PRIOR.run_id, "since": "2026-11-21T11:00:00Z", "replicas": {"kube-apiserver": 3}}
    assert report["control_plane"]["stopped"] == ["kube-apiserver"]
    found = told(facts)
    assert (found["stopped-by-backup"], found["hosted-cluster-condition"], found["conditions-stale"]) == ("warning", "info", "info")
    assert "stopped-without-record" not in found
