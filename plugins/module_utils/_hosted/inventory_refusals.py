# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a hosted cluster is not backed up as it is: all reasons at once, before anything is stored. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    Object,
    mapping,
    metadata_of,
    name_of,
    ref_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import aws_machine_name, node_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import ETCD
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import EVIDENCE, TEMPLATES, selected, template_references
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

_NOTHING = "nothing was stored"
# Names in a sentence; how many more there are is said.
_MOST = 20


def inventory_refusals(inventory: Inventory) -> list[Refusal]:
    """Return every reason in the objects themselves; what a set would not be restored from as it was is not stored."""
    if mapping(inventory.spec, "platform").get("type") != "AWS":
        # Nothing below is so on another platform.
        return [*_platform(inventory)]
    return [
        *_whose(inventory),
        *_infrastructure(inventory),
        *_etcd(inventory),
        *being_deleted(_stored(inventory)),
        *_machines(inventory),
        *_templates(inventory),
    ]


def being_deleted(items: Iterable[Object]) -> Iterator[Refusal]:
    """Yield a refusal per kind of those of ``items`` that are being deleted."""
    dying: dict[str, list[Object]] = defaultdict(list)
    for item in items:
        if metadata_of(item).get("deletionTimestamp"):
            dying[str(item.get("kind"))].append(item)
    for kind, found in dying.items():
        since = min(str(metadata_of(item)["deletionTimestamp"]) for item in found)
        yield Refusal(
            "being-deleted",
            ref_of(found[0]),
            f"{kind} {named(found)} is being deleted",
            "restored from a backup it would live again: a machine that was meant to go, or a cluster that was",
            f"deleted since {since}, held by its finalizers; {_NOTHING}",
            "wait until it is gone, then run again; when it does not go, find out which finalizer holds it",
        )


def named(items: Sequence[Object]) -> str:
    """Return the names of objects for a sentence."""
    shown = ", ".join(name_of(item) for item in items[:_MOST])
    return f"{shown} and {len(items) - _MOST} more" if len(items) > _MOST else shown


def _platform(inventory: Inventory) -> Iterator[Refusal]:
    platform = mapping(inventory.spec, "platform").get("type")
    yield Refusal(
        "platform-not-aws",
        inventory.target.ref,
        f"the hosted cluster is on platform {platform}",
        "what has to be kept, and how its workers are found again, is known here for AWS only",
        _NOTHING,
        "use the backup of your platform (OADP with the plugin of hosted control planes)",
    )


def _stored(inventory: Inventory) -> Iterator[Object]:
    """All that is stored to be created again, and the workloads and the namespace that are looked at."""
    chosen = selected(inventory)
    yield inventory.hosted_cluster
    yield from inventory.node_pools
    yield from (item for item in (inventory.control_plane, inventory.namespace) if item is not None)
    for plural, items in chosen.items():
        if plural not in EVIDENCE:
            yield from items
    yield from (item for item in inventory.stateful_sets if name_of(item) == ETCD)


def _whose(inventory: Inventory) -> Iterator[Refusal]:
    target = inventory.target
    place = target.control_plane_namespace
    if inventory.control_plane is None:
        yield Refusal(
            "no-control-plane",
            ObjectRef("HostedControlPlane", target.name, place),
            f"there is no HostedControlPlane in namespace {place}",
            "the operator has not made the control plane yet, or it is gone: there is no etcd to take a snapshot of",
            f"the HostedCluster exists; {_NOTHING}",
            "read the conditions of the HostedCluster and the log of the operator, then run again",
        )
    sharing = [other for other in inventory.neighbours if other.control_plane_namespace == place]
    if sharing:
        others = ", ".join(other.annotated for other in sharing)
        yield Refusal(
            "control-plane-namespace-shared",
            ObjectRef("Namespace", place),
            f"namespace {place} would also be the control-plane namespace of {others}",
            "dots of a name become dashes, and both clusters have Secrets, an etcd and machines of the same names there: whose they are"
            " cannot be told for sure",
            _NOTHING,
            "do not delete the other HostedCluster as it is: its operator would delete this namespace; let HyperShift's support part them",
        )


def _infrastructure(inventory: Inventory) -> Iterator[Refusal]:
    target, infra_id = inventory.target, inventory.infra_id
    if not infra_id:
        yield Refusal(
            "infra-id-missing",
            target.ref,
            "the HostedCluster has no spec.infraID",
            "it is the name of the Cluster and in the tags of everything in AWS: without it nothing can be found again",
            _NOTHING,
            "wait until the operator has set it, then run again",
        )
        return
    control_plane = inventory.control_plane
    if control_plane is None:
        return
    other = mapping(control_plane, "spec").get("infraID")
    if other != infra_id:
        yield Refusal(
            "infra-id-differs",
            ref_of(control_plane),
            f"the HostedControlPlane says infraID {other}, the HostedCluster {infra_id}",
            "they describe the same infrastructure, so one of them is not what it seems",
            _NOTHING,
            "find out which one the machines carry in their label cluster.x-k8s.io/cluster-name",
        )
    clusters = inventory.of("clusters")
    if [name_of(item) for item in clusters] != [infra_id]:
        place = target.control_plane_namespace
        yield Refusal(
            "cluster-not-one",
            ObjectRef("Cluster", infra_id, place),
            f"namespace {place} should have exactly one Cluster, {infra_id}, and has {named(clusters) or 'none'}",
            "everything that belongs to the hosted cluster is found through it",
            _NOTHING,
            "read the conditions of the HostedCluster; a second Cluster is not HyperShift's and has to go elsewhere",
        )
    if not selected(inventory).get("awsclusters"):
        yield Refusal(
            "aws-cluster-missing",
            ObjectRef("AWSCluster", target.name, target.control_plane_namespace),
            "there is no AWSCluster of the hosted cluster",
            "without it the AWS provider would not know, after a restore, which network the machines are in",
            _NOTHING,
            "read the conditions of the HostedCluster and the log of the operator",
        )


def _etcd(inventory: Inventory) -> Iterator[Refusal]:
    place = inventory.target.control_plane_namespace
    etcd = mapping(inventory.spec, "etcd").get("managementType")
    if etcd != "Managed":
        yield Refusal(
            "etcd-not-managed",
            inventory.target.ref,
            f"the etcd of the hosted cluster is {etcd}",
            "it runs somewhere else, so that its snapshot cannot be taken from here",
            _NOTHING,
            "back that etcd up where it runs",
        )
    elif inventory.etcd is None and inventory.control_plane is not None:
        yield Refusal(
            "etcd-missing",
            ObjectRef("StatefulSet", ETCD, place),
            f"there is no StatefulSet {ETCD} in namespace {place}",
            "a backup without a snapshot of etcd has no cluster in it",
            _NOTHING,
            "read the conditions of the HostedCluster; the operator makes it",
        )
    shards = [item for item in inventory.stateful_sets if name_of(item).startswith(f"{ETCD}-") and replicas_of(item) > 0]
    if shards:
        yield Refusal(
            "etcd-sharded",
            ref_of(shards[0]),
            f"there is more than one etcd: {ETCD}, {named(shards)}",
            "a snapshot is of one of them, and a restore knows only one: what is in the others would be lost",
            _NOTHING,
            "this cluster uses sharding of etcd (a preview), for which there is no backup here",
        )


def _machines(inventory: Inventory) -> Iterator[Refusal]:
    chosen = selected(inventory)
    instances = {name_of(item): item for item in chosen.get("awsmachines", ())}
    for machine in chosen.get("machines", ()):
        aws = instances.get(aws_machine_name(machine))
        if node_name(machine) and (why := _not_found_again(machine, aws)):
            yield Refusal(
                "machine-without-instance",
                ref_of(machine),
                f"Machine {name_of(machine)} is Node {node_name(machine)}, and {why}",
                "restored like that, the AWS provider would not find the running instance and would make a new one",
                _NOTHING,
                "read the conditions of both objects and the log of capi-provider, then run again",
            )
    by_instance: dict[str, list[Object]] = defaultdict(list)
    for aws in instances.values():
        if instance := mapping(aws, "spec").get("instanceID"):
            by_instance[str(instance)].append(aws)
    for instance, sharing in by_instance.items():
        if len(sharing) > 1:
            yield Refusal(
                "instance-used-twice",
                ref_of(sharing[0]),
                f"AWSMachines {named(sharing)} are the same EC2 instance {instance}",
                "when one of them is deleted, the worker of the other one is terminated",
                _NOTHING,
                "find out which of them the Machine with a Node belongs to",
            )


def _not_found_again(machine: Object, aws: Object | None) -> str:
    """Return why the instance of a running machine would not be found by a restored AWSMachine, "" when it would."""
    if aws is None:
        return f"its AWSMachine {aws_machine_name(machine) or '(none named)'} does not exist"
    instance, provider = (str(mapping(aws, "spec").get(field) or "") for field in ("instanceID", "providerID"))
    missing = [field for field, value in (("instanceID", instance), ("providerID", provider)) if not value]
    if missing:
        return f"its AWSMachine has no spec.{' and no spec.'.join(missing)}"
    said = str(mapping(machine, "spec").get("providerID") or provider)
    if said != provider or provider.rpartition("/")[2] != instance:
        return f"it says providerID {said}, its AWSMachine {provider} and instanceID {instance}"
    return ""


def _templates(inventory: Inventory) -> Iterator[Refusal]:
    there = {name_of(item) for item in inventory.of(TEMPLATES)}
    for name, item in template_references(inventory):
        # A MachineSet that was scaled down is only history: its template may be gone.
        if name not in there and replicas_of(item) > 0:
            yield Refusal(
                "template-missing",
                ref_of(item),
                f"{item.get('kind')} {name_of(item)} makes machines of AWSMachineTemplate {name}, which does not exist",
                "restored like that it could not replace a machine",
                _NOTHING,
                "let the operator roll the NodePool out again, then run again",
            )
