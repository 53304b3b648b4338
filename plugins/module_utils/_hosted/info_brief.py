# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All hosted clusters of a management cluster in brief: two lists, and what there is once. Reading, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import hosted_cluster_conditions
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import service_hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_findings import (
    condition_findings,
    from_refusals,
    ordered,
    verdict,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_names import dns_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import pause_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pools import pool_findings, pools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_report import summary
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, metadata_of, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import being_deleted
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import HOSTED_CLUSTER, NODE_POOL
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.obstacles import obstacles
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_refusals import quiesce_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.writers import field_managers, writers
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind

Object = dict[str, Any]


def read_brief(api: Api, namespace: str | None) -> list[Inventory] | None:
    """Return every hosted cluster of a namespace, or of all, with its node pools and nothing else; None: HyperShift is not installed.

    Raises KubeError when they may not be listed.
    """

    def read(kind: Kind) -> list[Object] | None:
        try:
            return list(api.list(kind, namespace))
        except NotFound:
            return None

    hosted_clusters, node_pools = api.map(read, (HOSTED_CLUSTER, NODE_POOL))
    return None if hosted_clusters is None else inventories(hosted_clusters, node_pools or [])


def inventories(hosted_clusters: Sequence[Object], node_pools: Sequence[Object]) -> list[Inventory]:
    """Return them with their node pools and neighbours, ordered by namespace and name. Pure."""
    found = {Target(str(metadata_of(item).get("namespace") or ""), name_of(item)): item for item in hosted_clusters}
    own: dict[Target, list[Object]] = {target: [] for target in found}
    for pool in node_pools:
        target = Target(str(metadata_of(pool).get("namespace") or ""), str(mapping(pool, "spec").get("clusterName") or ""))
        own.setdefault(target, []).append(pool)
    return [
        Inventory(
            target=target,
            hosted_cluster=found[target],
            node_pools=tuple(sorted(own[target], key=name_of)),
            neighbours=tuple(
                other
                for other in sorted(found)
                if other != target
                and (other.namespace == target.namespace or other.control_plane_namespace == target.control_plane_namespace)
            ),
        )
        for target in sorted(found)
    ]


def brief_report(inventory: Inventory, management: Management, now: datetime) -> dict[str, Any]:
    """Return an entry of ``hosted_clusters`` that has what two lists can tell; all else is None. Pure."""
    pause = pause_of(inventory.hosted_cluster, now)
    conditions = hosted_cluster_conditions(inventory.hosted_cluster, paused=pause.paused)
    found_pools = pools(inventory, now)
    findings = ordered(
        [
            *from_refusals(being_deleted([inventory.hosted_cluster, *inventory.node_pools])),
            *from_refusals(quiesce_refusals(inventory)),
            *condition_findings(inventory, conditions),
            *pool_findings(inventory, found_pools),
            *dns_findings(inventory, [*service_hostnames(inventory.hosted_cluster)], management, None),
            *obstacles(inventory, management, now),
        ]
    )
    return {
        **summary(inventory, now),
        "conditions": conditions.as_dict(),
        "node_pools": [pool.as_dict() for pool in found_pools],
        "control_plane": None,
        "machines": None,
        "etcd": None,
        "dns": None,
        "private_link": None,
        "autonode": None,
        "writers": [writer.as_dict() for writer in writers(inventory)],
        "field_managers": sorted(field_managers([inventory.hosted_cluster, *inventory.node_pools])),
        "can_move": verdict(findings, {}),
        "findings": [finding.as_dict() for finding in findings],
    }
