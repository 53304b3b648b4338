# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is noticed about a hosted cluster while it is backed up, and keeps nobody from doing so. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import bare, snapshot_urls
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    Object,
    annotation,
    mapping,
    name_of,
    ref_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import named
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import aws_machine_name, node_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import MANAGED_BY_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import (
    TEMPLATES,
    pool_of,
    selected,
    template_references,
    unselected,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def inventory_findings(inventory: Inventory) -> list[Finding]:
    """Return what a reader of the backup should know about the objects in it."""
    return [*_unreadable(inventory), *_restored(inventory), *_machines(inventory), *_templates(inventory), *_strangers(inventory)]


def _unreadable(inventory: Inventory) -> Iterator[Finding]:
    for what, why in sorted(inventory.unreadable.items()):
        yield Finding(
            "warning",
            "not-readable",
            ObjectRef("Namespace", inventory.target.control_plane_namespace),
            f"{what} could not be read: {why}",
            "a restore does not need them, but the set cannot show how they were, nor can a clash with them be seen",
            "grant the permission (the module's documentation has the ClusterRole), or look at what serves them (kubectl get apiservices)",
        )


def _restored(inventory: Inventory) -> Iterator[Finding]:
    urls = [*snapshot_urls(inventory.hosted_cluster)]
    if urls:
        yield Finding(
            "info",
            "restored-before",
            inventory.target.ref,
            f"the hosted cluster was itself restored, from {bare(urls[0])}",
            "its objects still name that snapshot; the set has the address without the signature that made it a credential",
            "nothing to do: a restore puts the new snapshot there",
        )
    for aws in selected(inventory).get("awsclusters", ()):
        if annotation(aws, MANAGED_BY_ANNOTATION) != "external":
            yield Finding(
                "warning",
                "aws-cluster-not-external",
                ref_of(aws),
                f"AWSCluster {name_of(aws)} has no annotation {MANAGED_BY_ANNOTATION}: external",
                "the AWS provider would manage the network itself, and take it down with the object",
                f"let the operator reconcile it, or set the annotation, before the set is used: {MANAGED_BY_ANNOTATION}=external",
            )


def _machines(inventory: Inventory) -> Iterator[Finding]:
    chosen = selected(inventory)
    machines, instances = chosen.get("machines", ()), {name_of(item): item for item in chosen.get("awsmachines", ())}
    coming = [item for item in machines if not node_name(item)]
    if coming:
        yield Finding(
            "warning",
            "machine-without-node",
            ref_of(coming[0]),
            f"Machine {named(coming)} has not become a Node yet",
            "what has no instance yet gets a new one where it is restored",
            "back up again when the node pool is at rest",
        )
    orphans = [instances[name] for name in sorted(instances.keys() - {aws_machine_name(item) for item in machines})]
    if orphans:
        yield Finding(
            "warning",
            "aws-machine-without-machine",
            ref_of(orphans[0]),
            f"AWSMachine {named(orphans)} belongs to no Machine",
            "the AWS provider leaves it alone, and nobody ends its instance",
            "find out whether its instance is still wanted",
        )
    pools = {name_of(pool) for pool in inventory.node_pools}
    leftovers: dict[str, list[Object]] = defaultdict(list)
    for plural in ("machinedeployments", "machinesets", "machines"):
        for item in chosen.get(plural, ()):
            if (pool := pool_of(inventory, item)) not in pools and (plural == "machines" or replicas_of(item) > 0):
                leftovers[pool].append(item)
    for pool, items in leftovers.items():
        yield Finding(
            "warning",
            "node-pool-gone",
            ref_of(items[0]),
            f"{items[0].get('kind')} {named(items)} is of NodePool {pool or '(none named)'}, which does not exist",
            "the operator does not look after it, here or where it is restored",
            "find out whether its machines are still wanted",
        )


def _templates(inventory: Inventory) -> Iterator[Finding]:
    there = {name_of(item) for item in inventory.of(TEMPLATES)}
    for name, item in template_references(inventory):
        if name not in there and replicas_of(item) == 0:
            yield Finding(
                "info",
                "template-gone",
                ref_of(item),
                f"{item.get('kind')} {name_of(item)} names AWSMachineTemplate {name}, which does not exist any more",
                "it wants no machines, so it makes none of it",
                "nothing to do",
            )


def _strangers(inventory: Inventory) -> Iterator[Finding]:
    strangers: dict[str, list[Object]] = defaultdict(list)
    for item in unselected(inventory):
        # A template of an earlier time that nobody refers to is nothing to worry about: left_out counts it.
        if item.get("kind") != "AWSMachineTemplate" and mapping(item, "metadata"):
            strangers[str(item.get("kind"))].append(item)
    for kind, items in strangers.items():
        yield Finding(
            "warning",
            "not-of-this-cluster",
            ref_of(items[0]),
            f"{kind} {named(items)} is in the control-plane namespace and not of Cluster {inventory.infra_id}",
            "it has neither the label nor the owner of the hosted cluster's machines, so it is not in the set",
            "find out whose it is: HyperShift makes nothing there for anybody else",
        )
