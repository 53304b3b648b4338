# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conditions of HostedClusters and NodePools, row by row (openshift/hypershift support/conditions/conditions.go)."""

from __future__ import annotations

import pytest
from hosted.hypershift_objects import _FALSE, _POOL_FALSE, _POOL_TRUE, _TRUE
from hosted.shape import Shape

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import (
    Conditions,
    hosted_cluster_conditions,
    node_pool_conditions,
)
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import PROD, Object, condition_of, inventory

OPPOSITE = {"True": "False", "False": "True"}


def judged(item: Object, *, paused: bool = False) -> Conditions:
    judge = hosted_cluster_conditions if item["kind"] == "HostedCluster" else node_pool_conditions
    return judge(item, paused=paused)


def first_pool(shape: Shape = PROD) -> Object:
    return inventory(shape).node_pools[0]


@pytest.mark.parametrize("kind", [*_TRUE, *_FALSE])
def test_each_condition_of_a_hosted_cluster(kind: str) -> None:
    """It is expected as it is when all is well; the opposite and Unknown are wrong; when it is missing it is not reported."""
    item = inventory().hosted_cluster
    found = condition_of(item, kind)
    assert judged(item).wrong == ()
    for status in (OPPOSITE[found["status"]], "Unknown"):
        found["status"] = status
        assert [condition.type for condition in judged(item).wrong] == [kind]
    item["status"]["conditions"].remove(found)
    assert (judged(item).wrong, judged(item).missing) == ((), (kind,))


@pytest.mark.parametrize("kind", [*_POOL_TRUE, *_POOL_FALSE, "AutoscalingEnabled", "AutorepairEnabled"])
def test_each_condition_of_a_node_pool(kind: str) -> None:
    item = first_pool()
    found = condition_of(item, kind)
    assert judged(item).wrong == ()
    found["status"] = OPPOSITE[found["status"]]
    assert [condition.type for condition in judged(item).wrong] == [kind]
    item["status"]["conditions"].remove(found)
    assert (judged(item).wrong, judged(item).missing) == ((), (kind,))


def test_what_depends_on_the_spec_of_a_pool() -> None:
    scaled = inventory().node_pools[2]
    assert condition_of(scaled, "AutoscalingEnabled")["status"] == "True"
    assert judged(scaled).wrong == ()
    del scaled["spec"]["autoScaling"]
    scaled["spec"]["management"]["autoRepair"] = False
    assert [condition.type for condition in judged(scaled).wrong] == ["AutoscalingEnabled", "AutorepairEnabled"]


def test_kms_is_expected_only_where_it_encrypts() -> None:
    item = inventory().hosted_cluster
    item["status"]["conditions"].append({"type": "ValidAWSKMSConfig", "status": "Unknown"})
    assert judged(item).wrong == ()
    item["spec"]["secretEncryption"] = {"type": "kms"}
    assert [condition.type for condition in judged(item).wrong] == ["ValidAWSKMSConfig"]
    item["spec"]["secretEncryption"] = {"type": "aescbc"}
    condition_of(item, "ValidAWSKMSConfig")["status"] = "False"
    assert [condition.type for condition in judged(item).wrong] == ["ValidAWSKMSConfig"]


def test_names_and_endpoints_are_expected_only_where_there_are_some() -> None:
    item = inventory(Shape("prod", external_dns=False, endpoint_access="Public")).hosted_cluster
    for kind in ("ExternalDNSReachable", "AWSEndpointAvailable", "AWSEndpointServiceAvailable"):
        item["status"]["conditions"].remove(condition_of(item, kind))
    assert (judged(item).wrong, judged(item).missing) == ((), ())
    public = inventory(Shape("prod", endpoint_access="Private")).hosted_cluster
    public["status"]["conditions"].remove(condition_of(public, "AWSEndpointAvailable"))
    assert judged(public).missing == ("AWSEndpointAvailable",)


def test_nothing_of_aws_is_expected_elsewhere() -> None:
    item = inventory().hosted_cluster
    item["spec"]["platform"] = {"type": "KubeVirt"}
    condition_of(item, "ValidOIDCConfiguration")["status"] = "False"
    assert judged(item).wrong == ()
    assert judged(item).as_dict()["others"]["ValidOIDCConfiguration"] == "False"


@pytest.mark.parametrize("item", [inventory().hosted_cluster, first_pool()], ids=["HostedCluster", "NodePool"])
def test_while_it_is_paused_nothing_is_reconciled(item: Object) -> None:
    assert [condition.type for condition in judged(item, paused=True).wrong] == ["ReconciliationActive"]
    condition_of(item, "ReconciliationActive")["status"] = "False"
    assert judged(item, paused=True).wrong == ()
    assert [condition.type for condition in judged(item).wrong] == ["ReconciliationActive"]


def test_a_condition_of_an_earlier_spec_is_stale() -> None:
    item = inventory().hosted_cluster
    assert judged(item).stale == ()
    item["metadata"]["generation"] = 2
    for entry in item["status"]["conditions"]:
        entry["observedGeneration"] = 2
    condition_of(item, "Available")["observedGeneration"] = 1
    # Some writers leave the field out, or at 0.
    del condition_of(item, "Degraded")["observedGeneration"]
    condition_of(item, "Progressing")["observedGeneration"] = 0
    assert [condition.type for condition in judged(item).stale] == ["Available"]
    assert judged(item).as_dict()["stale"] == ["Available"]


def test_what_it_returns() -> None:
    item = inventory().hosted_cluster
    condition_of(item, "Degraded").update(status="True", reason="Broken", message="no quorum")
    item["status"]["conditions"].append({"type": "HostedClusterRestoredFromBackup", "status": "True"})
    shown = judged(item).as_dict()
    assert (shown["as_expected"], shown["others"]) == (27, {"HostedClusterRestoredFromBackup": "True"})
    assert [(row["type"], row["status"], row["expected"], row["message"]) for row in shown["not_as_expected"]] == [
        ("Degraded", "True", "False", "no quorum")
    ]
    assert judged(item).status_of("EtcdAvailable") == "True"
    assert judged({"kind": "HostedCluster", "metadata": {}}).status_of("EtcdAvailable") == ""


def test_a_message_never_has_the_signature_of_a_url() -> None:
    signed = "https://b.s3.amazonaws.com/etcd.db?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=abc123"
    item = inventory().hosted_cluster
    condition_of(item, "Degraded").update(status="True", message=f"cannot get {signed}")
    told = str(judged(item).as_dict())
    assert "cannot get https://b.s3.amazonaws.com/etcd.db?" in told
    assert "abc123" not in told
