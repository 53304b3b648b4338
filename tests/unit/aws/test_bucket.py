# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the settings of a bucket mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import (
    BucketState,
    bucket_findings,
    bucket_refusals,
    bucket_state,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.presign import MOST, url_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
PLAIN_DENIED = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
ENCRYPTION = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key-1"}}
GOOD = BucketState(
    "backups", "us-east-2", exists=True, public=False, block_public=True, versioning=True, encryption="AES256", tls_only=True
)


def answers(**changed: Any) -> dict[str, Any]:
    """What the SDK says of a bucket as it should be, with changes; None takes one away."""
    found = {
        "GetBucketPolicyStatus": {"PolicyStatus": {"IsPublic": False}},
        "GetBucketPolicy": {"Policy": json.dumps({"Statement": [PLAIN_DENIED]})},
        "GetBucketAcl": {"Grants": [{"Grantee": {"ID": "me"}, "Permission": "FULL_CONTROL"}]},
        "GetPublicAccessBlock": {"PublicAccessBlockConfiguration": dict.fromkeys(BLOCKS, True)},
        "GetBucketVersioning": {"Status": "Enabled"},
        "GetBucketEncryption": {"ServerSideEncryptionConfiguration": {"Rules": [ENCRYPTION]}},
    }
    return {**found, **changed}


def test_a_good_bucket_has_nothing_to_say() -> None:
    state = bucket_state("backups", "us-east-2", answers())
    assert state == GOOD._replace(encryption="aws:kms", kms_key_id="key-1")
    assert (bucket_refusals(state, "us-east-2", ["documents"]), bucket_findings(state)) == ([], [])


def test_an_empty_bucket_has_everything_to_say() -> None:
    state = bucket_state("backups", "us-east-2", {operation: {} for operation in answers()})
    assert (state.public, state.encryption, state.unknown) == (False, "", ())
    codes = {finding.code for finding in bucket_findings(state)}
    assert codes == {"bucket-not-versioned", "bucket-not-encrypted", "bucket-not-blocked", "bucket-not-tls-only"}


@pytest.mark.parametrize("group", ["AllUsers", "AuthenticatedUsers"])
def test_a_grant_to_everybody_is_public(group: str) -> None:
    grant = {"Grantee": {"Type": "Group", "URI": f"http://acs.amazonaws.com/groups/global/{group}"}, "Permission": "READ"}
    assert bucket_state("backups", "us-east-2", answers(GetBucketAcl={"Grants": [grant]})).public is True


@pytest.mark.parametrize(
    "changed",
    [
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalTag/x": "y"}}},
        {"Condition": {}},
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::1:root"}},
        {"Action": "s3:PutObject"},
    ],
    ids=["the other way", "somebody", "nobody", "allowed", "one account", "writing only"],
)
def test_only_a_denial_to_everybody_without_tls_closes_a_bucket(changed: dict[str, Any]) -> None:
    policy = {"Policy": json.dumps({"Statement": {**PLAIN_DENIED, **changed}})}
    assert bucket_state("backups", "us-east-2", answers(GetBucketPolicy=policy)).tls_only is False
    assert bucket_state("backups", "us-east-2", answers(GetBucketPolicy={"Policy": json.dumps({"Statement": PLAIN_DENIED})})).tls_only


@pytest.mark.parametrize(
    ("changed", "wanted", "oidc", "codes"),
    [
        ({}, "", (), []),
        ({"exists": False, "region": ""}, "us-east-2", (), ["bucket-missing"]),
        ({"region": ""}, "us-east-2", (), ["bucket-denied"]),
        ({}, "eu-west-1", (), ["bucket-region"]),
        ({"public": True}, "", (), ["bucket-public"]),
        ({"public": None, "unknown": ("s3:GetBucketAcl",)}, "", (), ["bucket-public-unknown"]),
        ({"public": True}, "eu-west-1", ["backups"], ["bucket-region", "bucket-oidc", "bucket-public"]),
    ],
)
def test_says_every_reason_against_a_bucket(changed: dict[str, Any], wanted: str, oidc: list[str], codes: list[str]) -> None:
    found = bucket_refusals(GOOD._replace(**changed), wanted, oidc)
    assert [refusal.code for refusal in found] == codes
    assert all(refusal.what and refusal.why and refusal.state and refusal.next for refusal in found)
    # Which region is wanted is the hosted cluster's business, and no option's.
    assert all("set region" not in refusal.next for refusal in found)


def test_what_is_unknown_is_a_finding_and_nothing_more() -> None:
    state = GOOD._replace(versioning=None, encryption=None, tls_only=None, unknown=("s3:GetBucketVersioning", "s3:GetBucketPolicy"))
    (found,) = bucket_findings(state)
    assert (found.code, found.severity) == ("bucket-unknown", "info")
    assert "s3:GetBucketVersioning" in found.remedy


def test_an_address_that_is_too_long_is_told() -> None:
    cluster = ObjectRef("HostedCluster", "prod", "clusters")
    assert url_findings(MOST, cluster) == url_findings(0, cluster) == []
    (found,) = url_findings(MOST + 1, cluster)
    assert (found.code, found.object) == ("restore-url-too-long", cluster)
    assert "1025" in found.what
