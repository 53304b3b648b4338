# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the Secrets and ConfigMaps of one hosted cluster: in its own namespace by name, in its control plane's by type.

The namespace of a HostedCluster may hold those of a hundred others: there only metadata is listed, and what is meant is read
one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, Object, mapping, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import being_deleted
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.left_out import LeftOut, left_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import REFERENCED_PREFIX
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.references import CONFIG_MAP, SECRET, Reference, references
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import keeps_secret
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP as CONFIG_MAPS
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET as SECRETS
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

_KINDS: Mapping[str, Kind] = {SECRET: SECRETS, CONFIG_MAP: CONFIG_MAPS}


class Contents(NamedTuple):
    """Secrets and ConfigMaps as they are. ``own`` are those of the HostedCluster's namespace, each with its type;
    ``control_plane`` are the Secrets of the control-plane namespace that are kept."""

    own: tuple[tuple[Kind, Object], ...]
    control_plane: tuple[Object, ...]
    left_out: tuple[LeftOut, ...]
    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]


class _Seen(NamedTuple):
    """What the HostedCluster's namespace has of one kind: name → whether the operator says that it is this cluster's, and
    whether it says so of another one. ``names`` is None when it may not be listed."""

    names: Mapping[str, tuple[bool, bool]] | None
    why: str = ""


def read_contents(api: Api, inventory: Inventory) -> Contents:
    """Return what the hosted cluster refers to and what its control plane has; raises KubeError when that cannot be read.

    A refusal says which required object does not exist, or is being deleted.
    """
    target = inventory.target
    reads: list[Callable[[], Any]] = [partial(_seen, api, inventory, kind) for kind in _KINDS.values()]
    if inventory.control_plane is not None:
        reads.append(partial(_listed, api, target.control_plane_namespace))
    secrets, config_maps, *rest = api.map(lambda read: read(), reads)
    seen: Mapping[str, _Seen] = {SECRET: secrets, CONFIG_MAP: config_maps}
    control_plane: list[Object] = rest[0] if rest else []
    wanted = [*_wanted(inventory, seen)]
    answers = [*zip(wanted, api.map(partial(_read, api, target.namespace), wanted), strict=True)]
    own = tuple((_KINDS[reference.kind], found) for reference, found in answers if found is not None)
    missing = [reference for reference in references(inventory) if not any(name_of(item) == reference.name for item in _of(own, reference))]
    kept = tuple(item for item in control_plane if keeps_secret(item))
    dropped = Counter(str(item.get("type")) for item in control_plane if not keeps_secret(item))
    return Contents(
        own=own,
        control_plane=kept,
        left_out=(*left_secrets(dropped), *_others(seen, own)),
        refusals=(*_missing(inventory, missing), *being_deleted([*(item for _kind, item in own), *kept])),
        findings=(*_not_there(inventory, missing), *_not_listed(inventory, seen)),
    )


# Reading


def _listed(api: Api, namespace: str) -> list[Object]:
    return sorted(api.list(SECRETS, namespace, limit=200), key=name_of)


def _seen(api: Api, inventory: Inventory, kind: Kind) -> _Seen:
    own = f"{REFERENCED_PREFIX}{inventory.target.name}"
    names = {}
    try:
        for item in api.list(kind, inventory.target.namespace, metadata_only=True):
            keys = [key for key in mapping(item, "metadata", "annotations") if key.startswith(REFERENCED_PREFIX)]
            names[name_of(item)] = (own in keys, any(key != own for key in keys))
    except Forbidden as error:
        return _Seen(None, f"not allowed to {error.missing}" if error.missing else error.why)
    return _Seen(names)


def _wanted(inventory: Inventory, seen: Mapping[str, _Seen]) -> Iterator[Reference]:
    """What is read by its name: what is referred to and may be there, and what the operator has marked as this cluster's."""
    mentioned = references(inventory)
    for reference in mentioned:
        names = seen[reference.kind].names
        if names is None or reference.name in names:
            yield reference
    known = {(reference.kind, reference.name) for reference in mentioned}
    for kind, found in seen.items():
        for name, (own, _other) in (found.names or {}).items():
            if own and (kind, name) not in known:
                yield Reference(kind, name, "the operator's annotation", required=False)


def _read(api: Api, namespace: str, reference: Reference) -> Object | None:
    return api.get_or_none(_KINDS[reference.kind], reference.name, namespace)


def _of(own: Sequence[tuple[Kind, Object]], reference: Reference) -> Iterator[Object]:
    return (item for kind, item in own if kind.kind == reference.kind)


# What there is to say about it


def _missing(inventory: Inventory, missing: Sequence[Reference]) -> Iterator[Refusal]:
    namespace = inventory.target.namespace
    for reference in missing:
        if reference.required:
            yield Refusal(
                "reference-missing",
                ObjectRef(reference.kind, reference.name, namespace),
                f"{reference.kind} {namespace}/{reference.name} does not exist, and {reference.said_by} refers to it",
                "the operator stops at a reference that leads nowhere: a cluster restored from this set would not come up",
                "nothing was stored",
                "create it, or take the reference out of the spec",
            )


def _not_there(inventory: Inventory, missing: Sequence[Reference]) -> Iterator[Finding]:
    namespace = inventory.target.namespace
    for reference in missing:
        if not reference.required and not reference.guessed:
            yield Finding(
                "info",
                "reference-gone",
                ObjectRef(reference.kind, reference.name, namespace),
                f"{reference.kind} {namespace}/{reference.name} does not exist, and {reference.said_by} names it",
                "the operator makes it, so it is not needed for a restore",
                "nothing to do",
            )


def _not_listed(inventory: Inventory, seen: Mapping[str, _Seen]) -> Iterator[Finding]:
    for kind, found in seen.items():
        if found.names is None:
            yield Finding(
                "warning",
                "annotations-not-readable",
                ObjectRef("Namespace", inventory.target.namespace),
                f"{kind}s could not be listed: {found.why}",
                "those that the specs refer to are in the set; one that only the operator's annotation names would be missed",
                "grant the permission (the module's documentation has the Role)",
            )


def _others(seen: Mapping[str, _Seen], own: Sequence[tuple[Kind, Object]]) -> Iterator[LeftOut]:
    for kind, found in seen.items():
        mine = {name_of(item) for other, item in own if other.kind == kind}
        rest = [others for name, (_own, others) in (found.names or {}).items() if name not in mine]
        if rest.count(True):
            yield LeftOut(
                f"{kind}s that other hosted clusters of the namespace refer to", "a set is of one hosted cluster", rest.count(True)
            )
        if rest.count(False):
            yield LeftOut(
                f"{kind}s of the namespace that nothing of this hosted cluster refers to",
                "a name that begins like the cluster's says nothing: what is referred to is stored, under whatever name",
                rest.count(False),
            )
