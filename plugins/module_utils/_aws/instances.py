# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of EC2 instances; this collection never changes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws

# The most values of a filter (EC2 API Reference, DescribeInstances).
_AT_ONCE = 200
ABSENT = "absent"


def instance_states(aws: Aws, ids: Iterable[str], region: str) -> Mapping[str, str]:
    """Return instance id → ``running``, ``stopped``, … as EC2 says, or ``absent`` for one that the account does not have there.

    Raises AwsError.
    """
    wanted = list(dict.fromkeys(ids))
    states = dict.fromkeys(wanted, ABSENT)
    try:
        ec2 = aws.client("ec2", region)
        for start in range(0, len(wanted), _AT_ONCE):
            # A filter, for one id that is not known (any more) would fail a request by ids.
            which = [{"Name": "instance-id", "Values": wanted[start : start + _AT_ONCE]}]
            for page in ec2.get_paginator("describe_instances").paginate(Filters=which):
                for group in page["Reservations"]:
                    states.update((item["InstanceId"], item["State"]["Name"]) for item in group["Instances"])
    except Exception as error:
        raise aws_error(error, f"asking for the state of {len(wanted)} instances in {region}", None) from error
    return states
