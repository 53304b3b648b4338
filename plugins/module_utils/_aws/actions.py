# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which permission of IAM each operation needs (Service Authorization Reference of S3, EC2 and Route 53)."""

from __future__ import annotations

# The operations are named as in the SDK. S3 has no permission of the name of many of its operations.
ACTIONS = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "GetBucketLocation": "s3:GetBucketLocation",
    "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
    "GetBucketPolicy": "s3:GetBucketPolicy",
    "GetBucketAcl": "s3:GetBucketAcl",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "DescribeInstances": "ec2:DescribeInstances",
    "ListHostedZones": "route53:ListHostedZones",
    "ListResourceRecordSets": "route53:ListResourceRecordSets",
}


def action_of(operation: str) -> str:
    """Return for instance ``s3:PutObject``; empty for an operation that needs no permission or is none of ours."""
    return ACTIONS.get(operation, "")
