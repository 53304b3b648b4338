# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a bucket is good for backups: what is known of it, and what that means."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.actions import action_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import AwsError, aws_error, code_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.place import bucket_ref, region_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# Answers that say "there is none".
_NONE = frozenset({"NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError"})
# Answers of stores that are like S3 and do not have this.
_NOT_HERE = frozenset({"NotImplemented", "MethodNotAllowed"})
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_EVERYBODY = frozenset(f"http://acs.amazonaws.com/groups/global/{group}" for group in ("AllUsers", "AuthenticatedUsers"))
_UNREAD = object()


class BucketState(NamedTuple):
    """What is known of a bucket; None: it may not be read, and ``unknown`` has the permissions that are missing.

    ``region`` is empty when the bucket is not there, or may not be asked at all (another account's, as a rule).
    ``encryption`` is empty, ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
    """

    name: str
    region: str
    exists: bool
    public: bool | None = None
    block_public: bool | None = None
    versioning: bool | None = None
    encryption: str | None = None
    kms_key_id: str = ""
    tls_only: bool | None = None
    unknown: tuple[str, ...] = ()


def read_bucket(aws: Aws, name: str) -> BucketState:
    """Return what the credentials may know of the bucket ``name``; raises AwsError when that cannot be found out."""
    try:
        region = region_of(aws, name)
    except AwsError as error:
        if error.absent:
            return BucketState(name, "", exists=False)
        if error.denied:
            return BucketState(name, "", exists=True, unknown=("s3:GetBucketLocation",))
        raise
    s3 = aws.client("s3", region)
    read = {
        "GetBucketPolicyStatus": s3.get_bucket_policy_status,
        "GetBucketPolicy": s3.get_bucket_policy,
        "GetBucketAcl": s3.get_bucket_acl,
        "GetPublicAccessBlock": s3.get_public_access_block,
        "GetBucketVersioning": s3.get_bucket_versioning,
        "GetBucketEncryption": s3.get_bucket_encryption,
    }
    with ThreadPoolExecutor(len(read)) as pool:
        answers = dict(zip(read, pool.map(partial(_answer, name), read.values()), strict=True))
    return bucket_state(name, region, answers)


def bucket_state(name: str, region: str, answers: Mapping[str, Any]) -> BucketState:
    """Return the state that ``answers`` tell: operation → the SDK's answer, {} where there is none, UNREAD where it may not be read."""
    known = {operation: answer for operation, answer in answers.items() if answer is not _UNREAD}
    blocked = known.get("GetPublicAccessBlock")
    block_public = None if blocked is None else _blocks(blocked)
    rules = (known.get("GetBucketEncryption") or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules") or [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    versioning, policy = known.get("GetBucketVersioning"), known.get("GetBucketPolicy")
    return BucketState(
        name,
        region,
        exists=True,
        public=_public(known, block_public=block_public),
        block_public=block_public,
        versioning=None if versioning is None else versioning.get("Status") == "Enabled",
        encryption=str(default.get("SSEAlgorithm") or "") if "GetBucketEncryption" in known else None,
        kms_key_id=str(default.get("KMSMasterKeyID") or ""),
        tls_only=None if policy is None else _tls_only(policy),
        unknown=tuple(action_of(operation) for operation in answers if operation not in known),
    )


def bucket_refusals(state: BucketState, wanted_region: str, oidc_buckets: Collection[str]) -> list[Refusal]:
    """Return why nothing of a hosted cluster may be stored there; ``wanted_region`` is empty when none is wanted."""
    ref, name = bucket_ref(state.name), state.name
    if not state.exists:
        return [
            Refusal(
                "bucket-missing",
                ref,
                f"there is no bucket {name}",
                "the backup is stored in a bucket that somebody has set up for that",
                "it does not exist, in any region",
                "check its name, and endpoint_url if one is set; the guide has the commands that make one",
            )
        ]
    if not state.region:
        return [
            Refusal(
                "bucket-denied",
                ref,
                f"the bucket {name} may not be asked",
                "it belongs to somebody else, or the credentials lack s3:GetBucketLocation",
                "AWS denies access to it",
                "check the name and the profile; allow what examples/policies/hosted-cluster-backup-iam.json allows",
            )
        ]
    found = []
    if wanted_region and state.region != wanted_region:
        found.append(
            Refusal(
                "bucket-region",
                ref,
                f"the bucket {name} is in {state.region}, not in {wanted_region}",
                "the destination reads the snapshot while it starts, and that shall not depend on another region",
                f"its region is {state.region}",
                f"name a bucket in {wanted_region}, which is the region of the hosted cluster",
            )
        )
    if name in oidc_buckets:
        found.append(
            Refusal(
                "bucket-oidc",
                ref,
                f"{name} is the bucket of the OIDC documents",
                "all the world may read what is in it, for AWS must, and a snapshot has every secret of the hosted cluster",
                "the HyperShift operator publishes the documents of its hosted clusters there",
                "name a private bucket of its own for backups",
            )
        )
    if state.public is not False:
        found.append(_public_refusal(state))
    return found


def _public_refusal(state: BucketState) -> Refusal:
    ref, why = bucket_ref(state.name), "a snapshot has every secret of the hosted cluster"
    if state.public:
        return Refusal(
            "bucket-public",
            ref,
            f"the bucket {state.name} is public",
            why,
            "its policy or its ACL lets everybody in",
            f"turn on Block Public Access: {_block_command(state.name)}; then take the grant out of the policy or the ACL",
        )
    return Refusal(
        "bucket-public-unknown",
        ref,
        f"whether the bucket {state.name} is public may not be read",
        why,
        f"the credentials lack {', '.join(state.unknown)}",
        f"allow {', '.join(state.unknown)}",
    )


def bucket_findings(state: BucketState) -> list[Finding]:
    """Return what would be better about a bucket that is there; an expiry of old backups is the owner's business."""
    if not state.exists or not state.region:
        return []
    name, found = state.name, []
    if state.versioning is False:
        command = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        found.append(_finding(name, "bucket-not-versioned", "keeps no versions", "what is overwritten or deleted is gone", command))
    if state.encryption == "":
        rule = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
        command = f"aws s3api put-bucket-encryption --bucket {name} --server-side-encryption-configuration '{rule}'"
        why = "backups are stored encrypted, but what others put there need not be"
        found.append(_finding(name, "bucket-not-encrypted", "has no default encryption", why, command, "info"))
    if state.block_public is False:
        why = "one grant to everybody in its policy or in an ACL makes every backup public"
        found.append(_finding(name, "bucket-not-blocked", "does not block public access in full", why, _block_command(name)))
    if state.tls_only is False:
        why = "whoever may read it may do so without TLS"
        remedy = "deny s3:* to everybody where aws:SecureTransport is false, in the bucket's policy"
        found.append(_finding(name, "bucket-not-tls-only", "can be read without TLS", why, remedy))
    if state.unknown:
        why = "a backup bucket should be private, versioned, encrypted and closed to plain HTTP"
        found.append(_finding(name, "bucket-unknown", "cannot be judged in full", why, f"allow {', '.join(state.unknown)}", "info"))
    return found


def _finding(name: str, code: str, what: str, why: str, remedy: str, severity: Severity = "warning") -> Finding:
    return Finding(severity, code, bucket_ref(name), f"the bucket {name} {what}", why, remedy)


def _block_command(name: str) -> str:
    settings = ",".join(f"{block}=true" for block in _BLOCKS)
    return f"aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {settings}"


def _answer(bucket: str, ask: Callable[..., Any]) -> Any:
    try:
        return ask(Bucket=bucket)
    except Exception as error:
        if code_of(error) in _NONE:
            return {}
        made = aws_error(error, f"reading the settings of the bucket {bucket}", bucket_ref(bucket))
        if isinstance(made, AwsError) and (made.denied or made.code in _NOT_HERE):
            return _UNREAD
        raise made from error


def _blocks(answer: Mapping[str, Any]) -> bool:
    settings = answer.get("PublicAccessBlockConfiguration") or {}
    return all(settings.get(block) is True for block in _BLOCKS)


def _public(known: Mapping[str, Any], *, block_public: bool | None) -> bool | None:
    """Public is what the policy or the ACL says to be; blocked access settles what may not be read."""
    status, acl = known.get("GetBucketPolicyStatus"), known.get("GetBucketAcl")
    if status and (status.get("PolicyStatus") or {}).get("IsPublic"):
        return True
    if acl and any((grant.get("Grantee") or {}).get("URI") in _EVERYBODY for grant in acl.get("Grants") or ()):
        return True
    if (status is None or acl is None) and not block_public:
        return None
    return False


def _tls_only(answer: Mapping[str, Any]) -> bool:
    """Whether a policy denies everything to everybody who comes without TLS."""
    statements = json.loads(answer.get("Policy") or "{}").get("Statement") or []
    return any(_denies_plain(statement) for statement in (statements if isinstance(statements, list) else [statements]))


def _denies_plain(statement: Mapping[str, Any]) -> bool:
    principal, conditions = statement.get("Principal"), (statement.get("Condition") or {}).get("Bool") or {}
    everybody = principal == "*" or (isinstance(principal, Mapping) and "*" in _several(principal.get("AWS")))
    transport = next((_several(value) for name, value in conditions.items() if name.lower() == "aws:securetransport"), [])
    reading = set(_several(statement.get("Action"))) & {"*", "s3:*", "s3:Get*", "s3:GetObject"}
    # Each further condition would let somebody in.
    alone = len(conditions) == 1 and len(statement.get("Condition") or {}) == 1
    return (
        statement.get("Effect") == "Deny" and everybody and alone and bool(reading) and [str(one).lower() for one in transport] == ["false"]
    )


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
