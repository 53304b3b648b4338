# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of every module that asks AWS; mirrors ``_aws/session.py`` ``AWS_SPEC``."""

from __future__ import annotations


class ModuleDocFragment:
    """Who asks AWS, and where."""

    DOCUMENTATION = r"""
options:
  access_key:
    description:
      - The id of an AWS access key.
      - Without O(access_key) and O(profile) the SDK finds credentials as everywhere, in C(AWS_ACCESS_KEY_ID) and the other C(AWS_*)
        variables, in the configuration files, or by the role of the machine. That, or a profile, is better than keys in options.
      - Mutually exclusive with O(profile).
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description:
      - The secret of O(access_key), which must be given, too.
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description:
      - The token that belongs to O(access_key) when it is a temporary one.
      - A token makes presigned URLs long. One of more than about 600 characters makes them longer than a HostedCluster takes.
    type: str
    aliases: [aws_session_token]
  profile:
    description:
      - A profile of the configuration files of AWS; C(AWS_PROFILE) when it is left out.
      - Mutually exclusive with O(access_key), O(secret_key) and O(session_token).
    type: str
    aliases: [aws_profile]
  region:
    description:
      - The AWS region.
      - When it is left out, C(AWS_REGION), C(AWS_DEFAULT_REGION) or the profile says it.
      - A bucket is always asked in its own region.
    type: str
    aliases: [aws_region]
  endpoint_url:
    description:
      - An address to ask instead of those of AWS, with the bucket in its path. All services are asked there.
      - When it is left out, C(AWS_ENDPOINT_URL), C(AWS_ENDPOINT_URL_S3) and the other settings of the SDK are used.
      - It must begin with C(https://), wherever it comes from. Nothing is sent to an address without TLS.
    type: str
    aliases: [aws_endpoint_url]
  aws_ca_bundle:
    description:
      - A file with the certificates of the authorities to trust, in PEM form; C(AWS_CA_BUNDLE) when it is left out.
    type: path
  validate_certs:
    description:
      - Whether certificates are checked. Without that, anybody on the way can read and alter what is sent; use O(aws_ca_bundle) instead.
    type: bool
    default: true
requirements:
  - boto3 >= 1.34.0
  - botocore >= 1.34.0
"""
