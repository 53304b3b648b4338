# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of a backup, and what changed while it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_difference import (
    change_findings,
    changed_objects,
    undone_findings,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_index import Run, index_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import UNKNOWN_MARKER, current
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import index_from
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION
from ansible_collections.meshops.lifecycle.tests.unit.hosted_backup.backup_states import (
    REQUEST,
    SETUP,
    SHAPE,
    TARGET,
    management,
    state_of,
)
from ansible_collections.meshops.lifecycle.tests.unit.hosted_collect.management_clusters import Management as Cluster

RUN = Run("prod-20261121T231500Z-1f3a9c", "2026-11-21T23:15:00Z", {"server": "https://m", "uid": "u"}, "1.34.1", durations={"a": 1.23456})


def test_an_index_says_what_the_cluster_is() -> None:
    index = index_of(state_of(), RUN)
    found = index.hosted_cluster
    assert (found["infra_id"], found["cluster_id"], found["issuer"]) == (SHAPE.infra_id, SHAPE.cluster_id, SHAPE.issuer)
    assert (found["namespace"], found["name"], found["control_plane_namespace"]) == ("clusters", "prod", "clusters-prod")
    assert (found["platform"], found["region"], found["paused_until"]) == ("AWS", SHAPE.region, None)
    assert (index.replicas["kube-apiserver"], index.replicas["cluster-autoscaler"], index.replicas["etcd"]) == (2, 0, 3)
    assert {pool["name"]: (pool["replicas"], pool["autoscaling"]) for pool in index.node_pools} == {
        "prod-a": (2, None),
        "prod-b": (None, {"min": 1, "max": 4}),
    }
    assert {row["instance_id"] for row in index.machines} == {machine.instance for machine in SHAPE.machines()}
    assert index.versions["etcd"] == ["3.6.7"]
    assert (index.cluster, index.tool_version) == (RUN.cluster, VERSION)
    assert (index.durations, index.mode, index.restored_from) == ({"a": 1.235}, "online", False)
    assert index_from(json.loads(index.as_json())) == index


def test_an_index_says_who_runs_the_cluster_and_who_owns_its_names() -> None:
    index = index_of(state_of(), RUN)
    assert index.versions["operator_image"] == SETUP.operator_image
    assert (index.versions["hosted_cluster"], index.versions["kubernetes"]) == (SHAPE.release, "1.34.1")
    names = {f"{label}-{SHAPE.name}.{SETUP.domain}" for label in ("api", "oauth", "ignition", "konnectivity")}
    assert set(index.dns["hostnames"]) == names
    assert {name: value for name, value in index.dns.items() if name != "hostnames"} == {
        "owner_id": SETUP.owner_id,
        "domains": [SETUP.domain],
        "policy": "upsert-only",
        "txt_suffix": "-external-dns",
        "txt_prefix": "%{record_type}-",
        "oidc_buckets": ["documents"],
    }


def test_without_external_dns_and_operator_it_says_so() -> None:
    index = index_of(state_of(management=Management()), RUN)
    assert index.versions["operator_image"] == ""
    assert {name: value for name, value in index.dns.items() if value and name != "hostnames"} == {}


def test_an_index_has_the_conditions_and_what_they_should_be() -> None:
    cluster = management()
    conditions = cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)["status"]["conditions"]
    (degraded,) = (item for item in conditions if item["type"] == "Degraded")
    degraded |= {"status": "True", "reason": "Broken", "message": "two of three"}
    told = {item["type"]: item for item in index_of(state_of(cluster), RUN).conditions}
    assert told.keys() == {item["type"] for item in conditions}
    assert {name for name, item in told.items() if item["expected"] not in ("", item["status"])} == {"Degraded"}
    assert (told["Degraded"]["status"], told["Degraded"]["reason"], told["Degraded"]["message"]) == ("True", "Broken", "two of three")


def test_in_check_mode_it_has_the_objects_without_checksums_and_never_a_secret() -> None:
    index = index_of(state_of(), RUN)
    paths = [entry.path for entry in index.objects]
    assert [path for path in paths if f"hostedclusters.hypershift.openshift.io/{SHAPE.name}." in path]
    assert {(entry.sha256, entry.size) for entry in index.objects} == {("", 0)}
    assert SHAPE.secret not in index.as_json().decode()


def stopped(cluster: Cluster) -> None:
    """Stop the cluster as a run does, with a record of what it was."""
    inventory = cluster.inventory(SHAPE)
    prior = current(inventory, UNKNOWN_MARKER, "prod-1", "2026-11-21T23:00:00Z")
    prior = replace(prior, paused_until="2031-01-01T00:00:00Z")
    hosted_cluster = cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)
    hosted_cluster["metadata"].setdefault("annotations", {})[PRIOR_ANNOTATION] = prior.as_json()
    hosted_cluster["spec"]["pausedUntil"] = "true"
    for pool in cluster.all("NodePool", SHAPE.namespace):
        pool["spec"]["pausedUntil"] = "true"
    for deployment in cluster.all("Deployment", SHAPE.control_plane_namespace):
        deployment["spec"]["replicas"] = 0


def test_of_a_stopped_cluster_the_index_has_what_it_was() -> None:
    cluster = management()
    stopped(cluster)
    index = index_of(state_of(cluster, request=replace(REQUEST, quiesce=True)), RUN)
    assert index.mode == "quiesce"
    assert (index.replicas["kube-apiserver"], index.replicas["cluster-autoscaler"]) == (2, 0)
    assert index.hosted_cluster["paused_until"] == "2031-01-01T00:00:00Z"
    assert {pool["paused_until"] for pool in index.node_pools} == {None}


def test_a_record_that_was_left_is_not_what_a_running_cluster_is() -> None:
    cluster = management()
    stopped(cluster)
    index = index_of(state_of(cluster), RUN)
    assert (index.mode, index.replicas["kube-apiserver"], index.hosted_cluster["paused_until"]) == ("online", 2, "2031-01-01T00:00:00Z")
    cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)["spec"]["pausedUntil"] = "2032-01-01T00:00:00Z"
    for deployment in cluster.all("Deployment", SHAPE.control_plane_namespace):
        deployment["spec"]["replicas"] = 1
    index = index_of(state_of(cluster), RUN)
    assert (index.replicas["kube-apiserver"], index.hosted_cluster["paused_until"]) == (1, "2032-01-01T00:00:00Z")


def test_what_was_restored_is_known() -> None:
    cluster = management()
    storage = cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)["spec"]["etcd"]["managed"]["storage"]
    storage["restoreSnapshotURL"] = ["https://b.s3.us-east-2.amazonaws.com/run/etcd.db"]
    assert index_of(state_of(cluster), RUN).restored_from is True


# What changed meanwhile


def changes(change: Any) -> list[str]:
    """What a change of the cluster is told as."""
    cluster = management()
    before = cluster.inventory(SHAPE)
    change(cluster)
    return changed_objects(before, cluster.inventory(SHAPE))


def scaled(cluster: Cluster) -> None:
    pool = cluster.find("NodePool", "prod-a", SHAPE.namespace)
    pool["spec"]["replicas"] = 5
    pool["metadata"]["generation"] += 1


def replaced(cluster: Cluster) -> None:
    machine = cluster.find("Machine", SHAPE.machines()[0].name, SHAPE.control_plane_namespace)
    machine["metadata"]["uid"] = "another"


def gone(cluster: Cluster) -> None:
    cluster.drop(cluster.find("Machine", SHAPE.machines()[0].name, SHAPE.control_plane_namespace))


def reported(cluster: Cluster) -> None:
    cluster.find("NodePool", "prod-a", SHAPE.namespace)["status"] = {"replicas": 1}


def unreadable(cluster: Management) -> None:
    cluster.forbidden = {f"/apis/hypershift.openshift.io/v1beta1/namespaces/{SHAPE.control_plane_namespace}/awsendpointservices"}


@pytest.mark.parametrize(
    ("change", "words"),
    [(scaled, "has another spec"), (replaced, "was made again"), (gone, "is gone")],
)
def test_a_change_is_seen_and_told(change: Any, words: str) -> None:
    found = changes(change)
    assert len(found) == 1
    assert found[0].endswith(words)
    (finding,) = change_findings(found, TARGET.ref)
    assert (finding.code, finding.severity) == ("changed-during-backup", "warning")
    assert found[0] in finding.what


def test_a_status_is_no_change_and_no_change_is_not_told() -> None:
    assert changes(reported) == []
    # What cannot be read any more is told by itself, and is not gone.
    assert changes(unreadable) == []
    assert change_findings([], TARGET.ref) == []


def test_many_changes_are_counted() -> None:
    (finding,) = change_findings([f"Machine m{number} is new" for number in range(9)], TARGET.ref)
    assert finding.what.endswith("and 4 more")


def test_of_a_stopped_cluster_the_advice_is_not_to_stop_it() -> None:
    (finding,) = change_findings(["Machine m is new"], TARGET.ref, stopped=True)
    assert "quiesce" not in finding.remedy


# What must not change while a cluster is stopped


def undone(change: Any) -> list[str]:
    """What is told of a change of a cluster that is stopped."""
    cluster = management()
    stopped(cluster)
    before = cluster.inventory(SHAPE)
    change(cluster)
    found = undone_findings(before, cluster.inventory(SHAPE))
    assert {(finding.code, finding.severity, finding.object) for finding in found} <= {("changed-while-stopped", "error", TARGET.ref)}
    return [finding.what for finding in found]


def up_and_down(kind: str, name: str, namespace: str) -> Any:
    """Somebody who undoes the stop and does it again, so that nothing is to be seen but another generation."""

    def change(cluster: Cluster) -> None:
        cluster.find(kind, name, namespace)["metadata"]["generation"] += 2

    return change


@pytest.mark.parametrize(
    ("kind", "name", "namespace"),
    [
        ("HostedCluster", SHAPE.name, SHAPE.namespace),
        ("NodePool", "prod-b", SHAPE.namespace),
        ("Cluster", SHAPE.infra_id, SHAPE.control_plane_namespace),
        ("Deployment", "kube-apiserver", SHAPE.control_plane_namespace),
        ("Deployment", "cluster-api", SHAPE.control_plane_namespace),
    ],
)
def test_what_was_undone_and_done_again_while_stopped_is_seen(kind: str, name: str, namespace: str) -> None:
    (told,) = undone(up_and_down(kind, name, namespace))
    assert told == f"{kind} {namespace}/{name} has another spec since the snapshot"


def test_what_goes_on_beside_a_stopped_cluster_does_not_end_its_backup() -> None:
    assert undone(up_and_down("Deployment", "oauth-openshift", SHAPE.control_plane_namespace)) == []
    assert undone(up_and_down("Machine", SHAPE.machines()[0].name, SHAPE.control_plane_namespace)) == []
    assert undone(reported) == []
