# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bucket is: everything about it is asked in its own region, and addresses are signed for that."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# GetBucketLocation's words for the regions of the first years.
_OLD_NAMES = {"": "us-east-1", "EU": "eu-west-1"}


def bucket_ref(bucket: str) -> ObjectRef:
    """Return how a bucket is named in errors and findings."""
    return ObjectRef("Bucket", bucket)


def address(bucket: str, key: str) -> str:
    """Return for instance ``s3://backups/prod/etcd.db``."""
    return f"s3://{bucket}/{key}"


def region_of(aws: Aws, bucket: str) -> str:
    """Return the bucket's region, asked once per ``aws``; raises AwsError (``absent``, ``denied``)."""
    if bucket not in aws.bucket_regions:
        try:
            # The SDK follows to the region that the bucket is in, if it is not the one that was asked.
            found = aws.client("s3").get_bucket_location(Bucket=bucket).get("LocationConstraint") or ""
        except Exception as error:
            raise aws_error(error, f"asking for the region of the bucket {bucket}", bucket_ref(bucket)) from error
        aws.bucket_regions[bucket] = _OLD_NAMES.get(found, found)
    return aws.bucket_regions[bucket]


def s3_of(aws: Aws, bucket: str) -> Any:
    """Return the SDK's S3 client of the bucket's region; raises AwsError."""
    return aws.client("s3", region_of(aws, bucket))
