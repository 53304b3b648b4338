# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an address would be that is signed in advance; the address itself never leaves this file."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.objects import object_ref
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.place import address, region_of, s3_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# The longest entry of a HostedCluster's spec.etcd.managed.storage.restoreSnapshotURL (hypershift
# api/hypershift/v1beta1/hostedcluster_types.go).
MOST = 1024


def url_length(aws: Aws, bucket: str, key: str, seconds: int) -> int:
    """Return how many characters an address has that lets anybody GET the object for ``seconds``, signed with these credentials.

    Nothing is asked but the region of the bucket; the object need not be there. Raises AwsError.
    """
    s3 = signing_client(aws, bucket)
    try:
        return len(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds))
    except Exception as error:
        raise aws_error(error, f"measuring an address of {address(bucket, key)}", object_ref(bucket, key)) from error


def signing_client(aws: Aws, bucket: str) -> Any:
    """Return the S3 client that signs addresses at the host of the bucket's region; raises AwsError.

    Unless told where the bucket belongs, botocore signs at s3.amazonaws.com, which only redirects to other regions than us-east-1
    (botocore signers.py ``_should_use_global_endpoint``); at an endpoint of one's own it must not be told.
    """
    s3 = s3_of(aws, bucket)
    host = urlsplit(s3.meta.endpoint_url).hostname or ""
    own_name = re.search(r"\.amazonaws\.com(\.cn)?$", host)
    return aws.client("s3", region_of(aws, bucket), addressing="virtual") if own_name else s3


def url_findings(length: int, ref: ObjectRef) -> list[Finding]:
    """Return what the length of a restore's address (of the HostedCluster ``ref``) means; 0 is unknown."""
    if length <= MOST:
        return []
    return [
        Finding(
            "warning",
            "restore-url-too-long",
            ref,
            f"with these credentials the address that a restore reads the snapshot from has {length} characters, and {MOST} is the most",
            "a HostedCluster takes no longer one, and the session token of temporary credentials is a part of it",
            "restore with the keys of an IAM user (or with temporary ones whose token is shorter), or use a shorter prefix",
        )
    ]
