# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup decides on, in memory: a cluster of the sandbox, a good etcd and a good bucket."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hosted.operator_objects import Management as Setup
from hosted.operator_objects import operator_objects
from hosted.shape import Pool, Shape

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import BucketState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_request import BackupRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import collected
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState, Member, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import management as management_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.tests.unit.hosted_collect.management_clusters import Management as Cluster

SHAPE = Shape(
    "prod",
    pools=(Pool("prod-a", 2), Pool("prod-b", 1, autoscaling=(1, 4), upgrade="InPlace")),
    replicas={"kube-apiserver": 2, "cluster-autoscaler": 0},
)
TARGET = Target(SHAPE.namespace, SHAPE.name)
TOOLS = Tools(authority="/etc/etcd/tls/etcd-ca/ca.crt", client=True, etcdctl=True, etcdutl=True)
REQUEST = BackupRequest(TARGET, quiesce=False, dest="/var/backups/hosted", bucket="backups", prefix="nightly")
GOOD_BUCKET = BucketState("backups", SHAPE.region, exists=True, public=False, block_public=True, versioning=True, tls_only=True)
SETUP = Setup(oidc_bucket="documents", external_dns_arguments=("--txt-prefix=%{record_type}-", "--policy=upsert-only"))
IDS = ("a1", "b2", "c3")


def member(number: int, **changes: Any) -> Member:
    """A healthy member; the first one leads."""
    return Member(
        f"etcd-{number}",
        member_id=IDS[number],
        name=f"etcd-{number}",
        version="3.6.7",
        db_size=1 << 20,
        revision=1000,
        leader=number == 0,
        leader_id=IDS[0],
        healthy=True,
        member_ids=IDS,
        cluster_id="c0",
        tools=TOOLS,
        free={"/tmp": 1 << 30, "/var/lib": 1 << 30},
    )._replace(**changes)


def management() -> Cluster:
    """The management cluster with the hosted cluster on it."""
    return Cluster([SHAPE])


def _operator_object(name: str) -> dict[str, Any]:
    (found,) = (made.body for made in operator_objects(SETUP) if made.name == name)
    return found


def state_of(cluster: Cluster | None = None, **changes: Any) -> BackupState:
    """What is read of the cluster when everything is as it should be, but for ``changes``."""
    read = cluster or management()
    inventory = read.inventory(SHAPE)
    contents = read_contents(read.api, inventory)
    state = BackupState(
        REQUEST,
        inventory,
        management_of(*(_operator_object(name) for name in ("operator", "external-dns", "oidc-storage-provider-s3-config")), {}),
        EtcdState(tuple(map(member, range(3))), 3),
        GOOD_BUCKET,
        collected(inventory, contents),
        missing=tuple(contents.refusals),
        url_length=400,
    )
    return replace(state, **changes)
