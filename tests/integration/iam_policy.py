# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IAM policy that the guide gives to users, against what modules have asked of the bed's AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.actions import action_of

POLICY = Path(__file__).parents[2] / "examples" / "policies" / "hosted-cluster-backup-iam.json"
BUCKET, PREFIX = "example-backups", "hosted-clusters/"
# The front names the operations of a bucket after their addresses.
_NAMES = {"GetBucketPublicAccessBlock": "GetPublicAccessBlock", "ListObjects": "ListObjectsV2"}


class Needed(NamedTuple):
    """A permission, and where; the action is empty for what no backup should ask for."""

    action: str
    bucket: str
    key: str


def policy_for(bucket: str = BUCKET, prefix: str = PREFIX) -> dict[str, Any]:
    """The policy with a user's own bucket and prefix (empty, or with a slash at its end)."""
    text = POLICY.read_text(encoding="utf-8").replace(PREFIX, prefix).replace(BUCKET, bucket)
    policy: dict[str, Any] = json.loads(text)
    return policy


def needed(requests: Sequence[Mapping[str, Any]]) -> set[Needed]:
    """What has to be allowed for these requests, as the front has seen them."""
    names = [(_NAMES.get(one["operation"], one["operation"]), one) for one in requests]
    return {Needed(action_of(name), one["bucket"], one["key"]) for name, one in names}


def not_allowed(requests: Sequence[Mapping[str, Any]], policy: Mapping[str, Any]) -> list[Needed]:
    """What of these requests IAM would not allow."""
    return [one for one in sorted(needed(requests)) if not allowed(policy, *one)]


def allowed(policy: Mapping[str, Any], action: str, bucket: str, key: str) -> bool:
    """Whether IAM would allow it, as far as action and resource go; a Deny wins."""
    place = "/".join(part for part in (bucket, key) if part)
    effects = set()
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resource = statement["Resource"]
        here = fnmatchcase(f"arn:aws:s3:::{place}", resource) if action.startswith("s3:") else not resource.startswith("arn:aws:s3")
        if here and any(fnmatchcase(action, one) for one in actions):
            effects.add(statement["Effect"])
    return effects == {"Allow"}
