# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a backup, its refusals, and what it tells: from what was read, without anything being asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_findings import backup_findings, left_stopped
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_plan import (
    clean_steps,
    collect_steps,
    finish_steps,
    snapshot_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_refusals import backup_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import DeadRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal, plan_id
from ansible_collections.meshops.lifecycle.tests.unit.hosted_backup.backup_states import (
    GOOD_BUCKET,
    REQUEST,
    SHAPE,
    TARGET,
    management,
    member,
    state_of,
)

DEAD = DeadRun("/var/backups/hosted", "prod-20261121T231500Z-1f3a9c", {"pod": "etcd-1"})
MISSING = Refusal("reference-missing", ObjectRef("Secret", "pull", "clusters"), "it is not there", "why", "state", "next")
FULL = Refusal("dest-full", ObjectRef("Directory", "/var/backups/hosted"), "no room", "why", "state", "next")


def intent(state: BackupState) -> str:
    """What is approved."""
    steps = [step for plan in (clean_steps, snapshot_steps, collect_steps, finish_steps) for step in plan(state)]
    return plan_id("backup", TARGET.annotated, ((step.id, step.desired) for step in steps if step.writes))


def test_what_is_approved_is_where_the_backup_goes_and_nothing_of_the_run() -> None:
    usual = intent(state_of())
    # A run that was killed, another member that is chosen, and more objects are the same intent.
    assert intent(state_of(dead=(DEAD,))) == usual
    assert intent(state_of(etcd=EtcdState((member(0), member(1, healthy=False, error="x"), member(2)), 3))) == usual
    others: tuple[dict[str, Any], ...] = (
        {"bucket": "elsewhere"},
        {"prefix": ""},
        {"kms_key_id": "alias/backups"},
        {"dest": "/srv"},
        {"key_file": "/etc/key"},
        {"upload_set": True},
    )
    assert len({intent(state_of(request=replace(REQUEST, **other))) for other in others} | {usual}) == len(others) + 1


def test_only_the_snapshot_needs_a_permission_to_write_and_it_says_where_it_is_taken() -> None:
    state = state_of()
    (snapshot,) = snapshot_steps(state)
    asked = {(permission.verb, permission.resource, permission.subresource) for permission in snapshot.permissions}
    assert asked == {("get", "pods", "exec")}
    # Not of the one that leads.
    assert "etcd-1" in snapshot.why
    assert "s3://backups/nightly" in snapshot.why
    assert [step.permissions for step in (*collect_steps(state), *finish_steps(state), *clean_steps(state_of(dead=(DEAD,))))] == [()] * 3
    assert str(len(state.collected.items)) in collect_steps(state)[0].why


def test_a_good_cluster_is_not_refused() -> None:
    assert backup_refusals(state_of()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"missing": (MISSING,)}, "reference-missing"),
        ({"destination": (FULL,)}, "dest-full"),
        ({"bucket": GOOD_BUCKET._replace(name="documents")}, "bucket-oidc"),
        ({"bucket": GOOD_BUCKET._replace(region="eu-west-1")}, "bucket-region"),
        ({"bucket": GOOD_BUCKET._replace(public=True)}, "bucket-public"),
        ({"bucket": GOOD_BUCKET._replace(public=None, unknown=("s3:GetBucketAcl",))}, "bucket-public-unknown"),
        ({"bucket": GOOD_BUCKET._replace(exists=False, region="")}, "bucket-missing"),
        ({"etcd": EtcdState((member(0), member(1, alarms=("NOSPACE of etcd-0",)), member(2)), 3)}, "etcd-alarm"),
        ({"etcd": EtcdState((member(0), member(1, healthy=False), member(2, healthy=False)), 3)}, "etcd-no-quorum"),
        ({"etcd": EtcdState(tuple(member(number, free={"/tmp": 1}) for number in range(3)), 3)}, "etcd-no-room"),
    ],
)
def test_each_part_has_its_refusals(changes: dict[str, Any], code: str) -> None:
    assert [refusal.code for refusal in backup_refusals(state_of(**changes))] == [code]


@pytest.mark.parametrize("bucket", ["issuers", "dotted.name"])
@pytest.mark.parametrize(
    "issuer",
    [
        "https://{}.s3.us-east-2.amazonaws.com/prod-x1",
        "https://{}.s3.amazonaws.com/prod-x1",
        "https://{}.s3-us-west-2.amazonaws.com/prod-x1",
        "https://s3.us-east-2.amazonaws.com/{}/prod-x1",
        "https://{}.s3.cn-north-1.amazonaws.com.cn/prod-x1",
    ],
)
def test_the_bucket_of_the_issuer_is_known_by_its_address_too(issuer: str, bucket: str) -> None:
    cluster = management()
    described = cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)["spec"]
    state = state_of(cluster, bucket=GOOD_BUCKET._replace(name=bucket))
    assert backup_refusals(state) == []
    described["issuerURL"] = issuer.format(bucket)
    state = state_of(cluster, bucket=GOOD_BUCKET._replace(name=bucket))
    assert [refusal.code for refusal in backup_refusals(state)] == ["bucket-oidc"]
    described["issuerURL"] = "https://d111.cloudfront.net/prod-x1"
    assert backup_refusals(state_of(cluster, bucket=GOOD_BUCKET._replace(name=bucket))) == []


def test_all_reasons_come_at_once() -> None:
    state = state_of(missing=(MISSING,), destination=(FULL,), bucket=GOOD_BUCKET._replace(public=True, region="eu-west-1"))
    assert {refusal.code for refusal in backup_refusals(state)} == {"reference-missing", "dest-full", "bucket-public", "bucket-region"}


def test_only_who_wants_to_stop_a_cluster_is_refused_for_that() -> None:
    cluster = management()
    described = cluster.find("HostedCluster", SHAPE.name, SHAPE.namespace)["metadata"]
    described["annotations"] = {**described.get("annotations", {}), "hypershift.openshift.io/cleanup-cloud-resources": "true"}
    assert backup_refusals(state_of(cluster)) == []
    stopping = state_of(cluster, request=replace(REQUEST, quiesce=True))
    assert [refusal.code for refusal in backup_refusals(stopping)] == ["cleanup-cloud-resources"]


def test_what_is_told() -> None:
    codes = [finding.code for finding in backup_findings(state_of())]
    assert "set-not-encrypted" in codes
    assert not {"restore-url-too-long", "etcd-member-down"} & set(codes)
    sealed = replace(REQUEST, key_file="/etc/key")
    down = EtcdState((member(0), member(1), member(2, healthy=False, error="connection refused")), 3)
    told = {finding.code for finding in backup_findings(state_of(request=sealed, etcd=down, url_length=1300))}
    assert {"restore-url-too-long", "etcd-member-down"} <= told
    assert "set-not-encrypted" not in told


def test_what_could_not_be_read_of_the_management_cluster_is_told() -> None:
    state = state_of()
    unread = replace(state.management, unreadable={"external-dns": "not allowed to get deployments"})
    new = {finding.what for finding in backup_findings(replace(state, management=unread))} - {item.what for item in backup_findings(state)}
    assert new == {"external-dns could not be read: not allowed to get deployments"}


def test_a_cluster_that_stays_stopped_has_the_way_back_in_what_is_told() -> None:
    finding = left_stopped(TARGET, ["kubectl one", "kubectl two"])
    assert (finding.severity, finding.object) == ("warning", TARGET.ref)
    assert "kubectl one; kubectl two" in finding.remedy
