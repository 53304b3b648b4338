# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads in parts that nobody has finished: they are no objects, but cost as much."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error, code_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.place import address, bucket_ref, s3_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws


def abort_uploads(aws: Aws, bucket: str, prefix: str) -> int:
    """Take back every unfinished upload to the key ``prefix`` or below it, and return how many there were; raises AwsError.

    Below means after a slash: what is under ``prod`` is none of ``prod-2``'s.
    """
    if not prefix.strip("/"):
        raise ValueError("the uploads of a whole bucket are not one run's")
    s3, within = s3_of(aws, bucket), prefix.rstrip("/") + "/"
    number = 0
    try:
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in page.get("Uploads") or ():
                key = upload["Key"]
                if key != prefix and not key.startswith(within):
                    continue
                try:
                    s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
                except Exception as error:
                    if code_of(error) != "NoSuchUpload":
                        raise
                else:
                    number += 1
    except Exception as error:
        raise aws_error(error, f"taking back unfinished uploads to {address(bucket, prefix)}", bucket_ref(bucket)) from error
    return number
