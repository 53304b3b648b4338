# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a hosted cluster must not be stopped by us. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    annotation,
    metadata_of,
    name_of,
    ref_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import CLEANUP_ANNOTATION, HYPERSHIFT, PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.obstacles import karpenter_signs
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import (
    UNKNOWN_MARKER,
    current,
    paused_for_good,
    recorded,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import HIGHLY_AVAILABLE, to_stop
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# These are at 0 in a cluster that never scales, or whose API has not come up yet; anything else is not, unless somebody stopped it.
_AT_ZERO_BY_ITSELF = ("cluster-autoscaler", "machine-approver")


def quiesce_refusals(inventory: Inventory) -> list[Refusal]:
    """Return every reason not to begin; ``inventory_refusals`` has those that hold for any backup."""
    return [*_record_unreadable(inventory), *_stopped_without_record(inventory), *_being_deleted(inventory), *_for_a_move(inventory)]


def _record_unreadable(inventory: Inventory) -> Iterator[Refusal]:
    problem = recorded(inventory).problem
    if problem:
        target = inventory.target
        yield Refusal(
            "record-unreadable",
            target.ref,
            f"the annotation {PRIOR_ANNOTATION} of {target.ref} cannot be used: {problem}",
            "it says what was there before the hosted cluster was stopped; without it, what is there now would be taken for that",
            "nothing was written",
            "if the hosted cluster is not stopped, or what it was is known otherwise, take the annotation away: "
            f"kubectl annotate hostedclusters.{HYPERSHIFT} -n {target.namespace} {target.name} {PRIOR_ANNOTATION}-",
        )


def _stopped_without_record(inventory: Inventory) -> Iterator[Refusal]:
    """Somebody has stopped it, for instance with the commands of the written procedure: nothing says what it was."""
    found = recorded(inventory)
    if found.prior is not None or found.problem:
        return
    paused = paused_for_good(inventory.hosted_cluster)
    stopped = [name_of(item) for item in to_stop(inventory) if not replicas_of(item)]
    stopped = [name for name in stopped if paused or name not in _AT_ZERO_BY_ITSELF]
    if not stopped:
        return
    target = inventory.target
    usual = _usual(inventory, stopped)
    scaled = "; ".join(f"kubectl scale deployment -n {target.control_plane_namespace} {name} --replicas={usual[name]}" for name in stopped)
    now = current(inventory, UNKNOWN_MARKER, "by-hand", "")
    guess = replace(now, replicas={**now.replicas, **usual}).as_json()
    yield Refusal(
        "stopped-without-record",
        target.ref,
        f"Deployments of {target.ref} are at 0 replicas, and nothing tells what they were before: {', '.join(stopped)}",
        "the original number of replicas is what brings the hosted cluster back; 0 would be taken for it",
        f"nothing was written; the HostedCluster is {'paused' if paused else 'not paused'}",
        f"start it again and let the backup stop it: {scaled}. If it must stay stopped, put on record what it was (here: what HyperShift "
        f"makes, paused as it is now): kubectl annotate hostedclusters.{HYPERSHIFT} -n {target.namespace} {target.name} "
        f"{shlex.quote(f'{PRIOR_ANNOTATION}={guess}')}",
    )


def _usual(inventory: Inventory, names: list[str]) -> dict[str, int]:
    available = 1 if inventory.spec.get("controllerAvailabilityPolicy") == "SingleReplica" else 3
    return {name: available if name in HIGHLY_AVAILABLE else 1 for name in names}


def _being_deleted(inventory: Inventory) -> Iterator[Refusal]:
    for deployment in to_stop(inventory):
        since = metadata_of(deployment).get("deletionTimestamp")
        if since:
            yield Refusal(
                "deployment-being-deleted",
                ref_of(deployment),
                f"{ref_of(deployment)} is being deleted since {since}",
                "somebody takes this control plane down: what is saved now is not whole",
                "nothing was written",
                "find out who deletes it and let that end; its finalizers are "
                f"{', '.join(metadata_of(deployment).get('finalizers') or ()) or 'none'}",
            )


def _for_a_move(inventory: Inventory) -> Iterator[Refusal]:
    """A cluster is stopped to be moved, and its source is deleted in the end: what would take the data plane along then."""
    target = inventory.target
    cleanup = annotation(inventory.hosted_cluster, CLEANUP_ANNOTATION)
    # The operator compares with "true"; whoever wrote something else surely meant something.
    if cleanup and cleanup.lower() != "false":
        yield Refusal(
            "cleanup-cloud-resources",
            target.ref,
            f"{target.ref} has the annotation {CLEANUP_ANNOTATION}: {cleanup}",
            "when it is deleted after the move, load balancers, volumes and the registry's bucket that the cluster still uses go with it",
            "nothing was written",
            f"take it away: kubectl annotate hostedclusters.{HYPERSHIFT} -n {target.namespace} {target.name} {CLEANUP_ANNOTATION}-",
        )
    signs = karpenter_signs(inventory)
    if signs:
        yield Refusal(
            "autonode",
            target.ref,
            f"{target.ref} has nodes that AutoNode (Karpenter) makes: {', '.join(signs)}",
            "no NodePool, Machine or AWSMachine is behind them: they would not be in the backup, and HyperShift ends their "
            "instances by force when the source is deleted (OCPBUGS-62944)",
            "nothing was written",
            "move the workloads to nodes of NodePools and turn AutoNode off, or back up in mode online",
        )
