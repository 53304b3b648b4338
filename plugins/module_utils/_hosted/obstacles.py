# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would stop a move of a hosted cluster to another management cluster, or make it dangerous: in the objects themselves. Pure.

The hazards are those of the code of openshift/hypershift (hypershift-operator/controllers/hostedcluster/hostedcluster_controller.go
``delete``, ``reconcileAWSOIDCDocuments``; support/karpenter), kubernetes-sigs/cluster-api-provider-aws and Kubernetes' own
(StatefulSet's persistentVolumeClaimRetentionPolicy). What is missing, doubled or dying is told by ``inventory_refusals``, what would take
the data plane along by ``quiesce_refusals``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import bare
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import pause_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_surroundings import surroundings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    annotation,
    mapping,
    metadata_of,
    name_of,
    ref_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import (
    DISABLE_MACHINES_ANNOTATION,
    HYPERSHIFT,
    PRIOR_ANNOTATION,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import prior_of, stopped_by
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

Object = dict[str, Any]

KARPENTER_FINALIZER = f"{HYPERSHIFT}/karpenter-finalizer"
_KARPENTER = ("karpenter", "karpenter-operator")
_RESUME = "what resumes it is in the result of the backup that stopped it, and docs/hosted-cluster-backup.md says how"


def obstacles(inventory: Inventory, management: Management, now: datetime) -> list[Finding]:
    """Return them; ``now`` is aware. What was not read (a control plane in a brief look) is not judged."""
    return [
        *_of_machine_management(inventory),
        *_of_volumes(inventory),
        *_of_pauses(inventory, now),
        *_of_stopping(inventory),
        *_of_an_earlier_restore(inventory),
        *surroundings(inventory, management),
    ]


def karpenter_signs(inventory: Inventory) -> list[str]:
    """Return what shows that nodes are made by Karpenter (AutoNode), outside of any NodePool."""
    found = []
    if "autoNode" in inventory.spec:
        found.append("spec.autoNode")
    if inventory.control_plane and KARPENTER_FINALIZER in (metadata_of(inventory.control_plane).get("finalizers") or ()):
        found.append(f"finalizer {KARPENTER_FINALIZER}")
    return found + [f"Deployment {name_of(item)}" for item in inventory.deployments if name_of(item) in _KARPENTER]


def restore_url(item: Object | None) -> str:
    """Return where the data of etcd once came from, without the query that would be the key to it; "" where it began empty."""
    storage = mapping(item or {}, "spec", "etcd", "managed", "storage")
    urls = storage.get("restoreSnapshotURL") or ()
    return bare(str(urls[0])) if urls else ""


def _of_machine_management(inventory: Inventory) -> Iterator[Finding]:
    if annotation(inventory.hosted_cluster, DISABLE_MACHINES_ANNOTATION):
        yield Finding(
            "warning",
            "machine-management-disabled",
            inventory.target.ref,
            f"annotated {DISABLE_MACHINES_ANNOTATION}",
            "Cluster API is not deployed for it: no machine is made, replaced or deleted, as in the middle of a restore",
            "when that restore is complete: "
            f"kubectl annotate hostedcluster -n {inventory.target.namespace} {inventory.target.name} {DISABLE_MACHINES_ANNOTATION}-",
        )


def _of_stopping(inventory: Inventory) -> Iterator[Finding]:
    prior, target = prior_of(inventory), inventory.target
    if prior and stopped_by(inventory) is None:
        yield Finding(
            "warning",
            "record-left",
            target.ref,
            f"backup {prior.run_id} has recorded at {prior.time} what it was before it would be stopped, and it is not paused now"
            + (", nor is anything of it at 0" if inventory.deployments else ""),
            "it was brought back, or never stopped; a later backup in mode quiesce would take that record for what is there now",
            "if it is as it should be: "
            f"kubectl annotate hostedclusters.{HYPERSHIFT} -n {target.namespace} {target.name} {PRIOR_ANNOTATION}-",
        )
    elif prior:
        yield Finding(
            "warning",
            "stopped-by-backup",
            inventory.target.ref,
            f"stopped since {prior.time} by the backup {prior.run_id}",
            "its API servers are down, so that nothing is written behind the snapshot; its nodes go on as they are",
            f"restore it elsewhere, or resume it here: {_RESUME}",
        )


def _of_volumes(inventory: Inventory) -> Iterator[Finding]:
    for stateful_set in inventory.stateful_sets:
        policy = mapping(stateful_set, "spec", "persistentVolumeClaimRetentionPolicy")
        deleting = [when for when in ("whenScaled", "whenDeleted") if policy.get(when) == "Delete"]
        if deleting:
            yield Finding(
                "error" if "whenScaled" in deleting else "warning",
                "etcd-volumes-not-retained",
                ref_of(stateful_set),
                f"persistentVolumeClaimRetentionPolicy: {', '.join(f'{when}: Delete' for when in deleting)}",
                "its volumes are deleted with its pods, and nothing is left to go back to",
                f"kubectl patch statefulset -n {inventory.target.control_plane_namespace} {name_of(stateful_set)} --type merge -p "
                '\'{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Retain","whenDeleted":"Retain"}}}\''
                ", and look whether it stays",
            )


def _of_pauses(inventory: Inventory, now: datetime) -> Iterator[Finding]:
    for item in (inventory.hosted_cluster, *inventory.node_pools):
        pause = pause_of(item, now)
        if not pause.valid:
            yield Finding(
                "warning",
                "pause-not-valid",
                ref_of(item),
                f"pausedUntil: {pause.value!r} is neither a boolean nor a time of RFC 3339",
                "its operator takes that for not paused",
                "write pausedUntil: 'true', or take it away",
            )
        elif pause.over:
            yield Finding(
                "warning",
                "pause-over",
                ref_of(item),
                f"pausedUntil: {pause.until} has passed: it is not paused",
                "whoever wrote it may believe that it still is",
                "write pausedUntil: 'true', or take it away",
            )
        elif pause.until:
            yield Finding(
                "warning",
                "pause-ends",
                ref_of(item),
                f"it is paused until {pause.until} only",
                "a pause that ends in the middle of a move lets both management clusters work on the same machines",
                "write pausedUntil: 'true' before a move",
            )


def _of_an_earlier_restore(inventory: Inventory) -> Iterator[Finding]:
    url = restore_url(inventory.hosted_cluster) or restore_url(inventory.control_plane)
    if url:
        yield Finding(
            "info",
            "restored-before",
            inventory.target.ref,
            f"it was restored from {url}",
            "the URL is immutable and has long expired: restored again with it, etcd would wait for it for ever",
            "a restore must put its own URL in place of it; a backup set keeps it without its query",
        )
