# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an object is stored to be created again, and what is put aside. Pure.

Both parts together are the object as it was, but for what must not lie in a backup at all: the query of an old snapshot URL,
which lets anybody read that snapshot, and the annotation in which kubectl keeps a copy of everything, Secrets and URLs included.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Object, mapping
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT, PRIOR_ANNOTATION

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SNAPSHOT_URL_ANNOTATION = f"{HYPERSHIFT}/etcd-snapshot-url"
_SNAPSHOT_URL = ("spec", "etcd", "managed", "storage", "restoreSnapshotURL")
_WITH_SNAPSHOT_URL = ("HostedCluster", "HostedControlPlane")
# RESTORE_URL_ETCD, in old versions one per member (control-plane-operator v2/etcd/statefulset.go).
_SNAPSHOT_VARIABLE = "RESTORE_URL_ETCD"

# What a server writes itself, or what is only true of this one: a create with a resourceVersion is rejected, owners have other
# uids elsewhere, and with the finalizer hypershift.io/aws-oidc-discovery a new operator would believe that it has uploaded the
# issuer's documents.
_SERVERS_OWN = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "ownerReferences",
    "finalizers",
)
# Allocated per cluster (OpenShift), on Namespaces.
_ALLOCATED = "openshift.io/sa.scc."


def cleaned(item: Object) -> tuple[Object, Object]:
    """Return ``(what is created again, what was taken away)``; neither shares its changed parts with ``item``, which stays as it is."""
    kept = dict(without_credentials(item))
    removed: Object = {}
    if "status" in kept:
        removed["status"] = kept.pop("status")
    if isinstance(kept.get("metadata"), dict):
        metadata, taken = _split(kept["metadata"], _SERVERS_OWN)
        if isinstance(metadata.get("annotations"), dict):
            local = [key for key in metadata["annotations"] if _is_local(str(item.get("kind")), key)]
            metadata["annotations"], annotations = _split(metadata["annotations"], local)
            if annotations:
                taken["annotations"] = annotations
        kept["metadata"] = metadata
        if taken:
            removed["metadata"] = taken
    if item.get("kind") in _WITH_SNAPSHOT_URL:
        kept, urls = _without(kept, _SNAPSHOT_URL)
        removed |= urls
    return kept, removed


def original(kept: Object, removed: Object) -> Object:
    """Return the object that ``cleaned`` made these two of."""
    whole = dict(kept)
    for key, value in removed.items():
        there = whole.get(key)
        whole[key] = original(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return whole


def _is_local(kind: str, annotation: str) -> bool:
    """Whether an annotation says something about this management cluster only."""
    if annotation in (PRIOR_ANNOTATION, SNAPSHOT_URL_ANNOTATION):
        return True
    return kind == "Namespace" and annotation.startswith(_ALLOCATED)


def _split(value: Object, keys: Iterable[str]) -> tuple[Object, Object]:
    taken = {key: value[key] for key in keys if key in value}
    return {key: item for key, item in value.items() if key not in taken}, taken


def _without(value: Object, path: tuple[str, ...]) -> tuple[Object, Object]:
    """Return ``value`` without what is at ``path``, and just that."""
    key, rest = path[0], path[1:]
    if key not in value:
        return value, {}
    if not rest:
        return _split(value, [key])
    if not isinstance(value[key], dict):
        return value, {}
    inner, taken = _without(value[key], rest)
    return {**value, key: inner}, ({key: taken} if taken else {})


# Credentials


def without_credentials(item: Object) -> Object:
    """Return ``item`` without kubectl's copy of it, and without the query of every snapshot URL that it was restored from.

    The URL is a credential wherever it stands: a list that is a set is spelled out in managedFields, and a message may quote it.
    """
    annotations = mapping(item, "metadata", "annotations")
    if LAST_APPLIED in annotations:
        rest = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
        item = {**item, "metadata": {**item["metadata"], "annotations": rest}}
    spellings = dict(_spellings(url for url in snapshot_urls(item) if bare(url) != url))
    redacted: Object = _replaced(item, spellings) if spellings else item
    return redacted


def snapshot_urls(item: Object) -> Iterator[str]:
    """Yield the URLs of the snapshots that an object was, or would be, restored from."""
    found: list[Any] = []
    if item.get("kind") in _WITH_SNAPSHOT_URL:
        urls = mapping(item, *_SNAPSHOT_URL[:-1]).get(_SNAPSHOT_URL[-1])
        found += urls if isinstance(urls, list) else []
        found.append(mapping(item, "metadata", "annotations").get(SNAPSHOT_URL_ANNOTATION))
    if item.get("kind") == "StatefulSet":
        pod = mapping(item, "spec", "template", "spec")
        for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
            found += [entry.get("value") for entry in container.get("env") or () if str(entry.get("name")).startswith(_SNAPSHOT_VARIABLE)]
    yield from (url for url in found if isinstance(url, str) and url)


def bare(url: str) -> str:
    """Return a URL without its query, its fragment and its user: what is left is no credential."""
    address = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _spellings(urls: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each URL as it may be written, longest first: plain, in JSON, and in JSON as Go writes it."""
    for url in sorted(set(urls), key=len, reverse=True):
        quoted = json.dumps(url)[1:-1]
        escaped = quoted.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        yield from ((spelling, bare(url)) for spelling in (escaped, quoted, url))


def _replaced(value: Any, spellings: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, spellings): _replaced(item, spellings) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, spellings) for item in value]
    if isinstance(value, str):
        for spelling, short in spellings.items():
            value = value.replace(spelling, short)
    return value
