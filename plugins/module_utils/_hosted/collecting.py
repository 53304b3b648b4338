# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contents of a backup set: every object that is stored, cleaned, with what is left out and how all hangs together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import cleaned
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import Contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    Object,
    mapping,
    metadata_of,
    name_of,
    ref_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_findings import inventory_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import HOSTED_CLUSTER, HOSTED_CONTROL_PLANE, NODE_POOL
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.left_out import LeftOut, left_out
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import MachineRow, machine_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.ownership import Edge, Ownership, ownership
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import EVIDENCE, selected, unselected
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, SECRET, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

# A file's name may have 255 bytes, an object's 253.
_LONGEST_NAME = 200
# No namespace can have this name.
_NO_NAMESPACE = "_cluster"


class Item(NamedTuple):
    """One file of a set: ``object`` as it is created again, ``removed`` what was taken away (``cleaning.original`` joins them).

    What is ``evidence`` is there to be looked at; no restore creates it.
    """

    path: str
    object: Object
    removed: Object
    evidence: bool = False


@dataclass(frozen=True)
class Collected:
    """All of one hosted cluster's objects, in the order in which they can be created, evidence last."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    owners: tuple[Edge, ...]
    instances: tuple[MachineRow, ...]
    findings: tuple[Finding, ...]


class _Source(NamedTuple):
    """An object as it was read, and its type."""

    kind: Kind
    object: Object
    evidence: bool = False


def collected(inventory: Inventory, contents: Contents) -> Collected:
    """Put together what was read: a pure function."""
    sources = [(item_path(source.kind, source.object), source) for source in _sources(inventory, contents)]
    owners = ownership((path, source.object) for path, source in sources)
    return Collected(
        items=tuple(_item(path, source) for path, source in sources),
        left_out=tuple(_left_out(inventory, contents, owners)),
        owners=owners.edges,
        instances=machine_rows(inventory, None),
        findings=(*inventory_findings(inventory), *contents.findings, *_stale_owners(sources, owners)),
    )


def item_path(kind: Kind, item: Object) -> str:
    """Return the name of an object's file: ``clusters/nodepools.hypershift.openshift.io/prod-a.json``."""
    name = name_of(item)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    place = str(metadata_of(item).get("namespace") or _NO_NAMESPACE)
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return f"{place}/{resource}/{name}.json"


def _sources(inventory: Inventory, contents: Contents) -> Iterator[_Source]:
    """Yield all objects: NodePools before Secrets of the control-plane namespace, then its machines, owners before what they own.

    The operator deletes Secrets of node pools that do not exist (hypershift-operator/controllers/nodepool/secret_janitor.go).
    """
    chosen, kinds = selected(inventory), inventory.kinds()
    yield from (_Source(kind, item) for kind, item in contents.own)
    yield _Source(HOSTED_CLUSTER, inventory.hosted_cluster)
    yield from (_Source(NODE_POOL, pool) for pool in inventory.node_pools)
    yield from (_Source(SECRET, item) for item in contents.control_plane)
    if inventory.control_plane is not None:
        yield _Source(HOSTED_CONTROL_PLANE, inventory.control_plane)
    order = ("clusters", "awsclusters", "awsmachinetemplates", "machinedeployments", "machinesets", "machines", "awsmachines", *EVIDENCE)
    for plural in order:
        yield from (_Source(kinds[plural], item, plural in EVIDENCE) for item in chosen.get(plural, ()))
    if inventory.namespace is not None:
        yield _Source(NAMESPACE, inventory.namespace, evidence=True)
    if inventory.etcd is not None:
        yield _Source(STATEFULSET, inventory.etcd, evidence=True)
    yield from (_Source(DEPLOYMENT, _summary(item), evidence=True) for item in inventory.deployments)


def _item(path: str, source: _Source) -> Item:
    # Lists of Secrets and the like leave these two out of their elements; a file has to say them.
    named = {"apiVersion": source.kind.api_version, "kind": source.kind.kind, **source.object}
    return Item(path, *cleaned(named), source.evidence)


def _summary(deployment: Object) -> Object:
    """Return what a Deployment of the control plane is kept for: how many pods it wanted, of which images."""
    pod = mapping(deployment, "spec", "template", "spec")
    images = {str(container.get("name")): container.get("image") for container in pod.get("containers") or ()}
    metadata = {key: value for key, value in metadata_of(deployment).items() if key in ("name", "namespace", "labels")}
    spec = {"replicas": mapping(deployment, "spec").get("replicas"), "images": images}
    return {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "metadata": metadata, "spec": spec}


def _left_out(inventory: Inventory, contents: Contents, owners: Ownership) -> Iterator[LeftOut]:
    yield from left_out(inventory)
    yield from contents.left_out
    nobodys = len([*unselected(inventory)])
    if nobodys:
        yield LeftOut(
            "templates and other objects of the control-plane namespace that nobody of this cluster refers to",
            "they are leftovers, or somebody else's",
            nobodys,
        )
    if owners.outside:
        yield LeftOut("links to owners that are not in the set", "their owners are made by others, or again", len(owners.outside))


def _stale_owners(sources: list[tuple[str, _Source]], owners: Ownership) -> Iterator[Finding]:
    there = {(source.kind.kind, name_of(source.object)) for _path, source in sources}
    by_path = {path: source.object for path, source in sources}
    for path, reference in owners.outside:
        if (reference.get("kind"), reference.get("name")) in there:
            item = by_path[path]
            yield Finding(
                "warning",
                "owner-stale",
                ref_of(item),
                f"{item.get('kind')} {name_of(item)} says that {reference.get('kind')} {reference.get('name')} owns it, with another uid",
                "an owner of that uid does not exist, so the garbage collector may delete the object at any time",
                "find out who made it: after a restore by hand the owner references have to be made anew",
            )
