# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a cluster holds, as the API server tells it: what a test compares before and after, whatever a module believes."""

from __future__ import annotations

import copy
import json
import re
import time
import urllib.error
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from sandboxlib.cluster import Cluster

Object = dict[str, Any]
# Of what happened, not of what is there; or written all the time by the cluster itself.
_LEFT_OUT = {"events", "events.events.k8s.io", "nodes", "componentstatuses"}
_PATIENCE = 5.0
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Any word of the OSM family that its control planes, charts and injectors put into objects.
_FAMILY = re.compile(
    r"openservicemesh\.io|flomesh|smi-spec\.io|(sidecar|envoy)-bootstrap-config|\b(osm|fsm)-\w|pipy|\"name\": \"(sidecar|envoy)\"|"
    r"\"prometheus\.io/port\": \"15010\""
)


class Thing(NamedTuple):
    """Which object: the resource with its group (``deployments.apps``), namespace (empty for cluster-wide) and name."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True)
class Look:
    """What was there at one time."""

    objects: dict[Thing, Object]

    def uid(self, thing: Thing) -> str:
        """The uid of an object, empty when it is not there."""
        return str(self.objects[thing]["metadata"].get("uid", "")) if thing in self.objects else ""

    def gone(self, before: Look) -> set[Thing]:
        """What was there before and is not any more, also when another of the same name is."""
        return {thing for thing in before.objects if self.uid(thing) != before.uid(thing)}

    def changed(self, before: Look) -> set[Thing]:
        """What is still there and is not as it was, besides its status."""
        both = before.objects.keys() & self.objects.keys()
        same_uid = (thing for thing in both if self.uid(thing) == before.uid(thing))
        return {thing for thing in same_uid if _wanted(self.objects[thing]) != _wanted(before.objects[thing])}

    def family(self, *, history: bool = False) -> set[Thing]:
        """Whatever has a word of the family in it, or is called by one; of workloads' ``history`` too, which may have anything."""
        found = {thing for thing, item in self.objects.items() if _FAMILY.search(_text(thing, item))}
        return found if history else {thing for thing in found if not _is_history(thing, self.objects[thing])}

    def of(self, resource: str, namespace: str | None = None) -> dict[Thing, Object]:
        """The objects of one resource."""
        return {
            thing: item
            for thing, item in self.objects.items()
            if thing.resource == resource and (namespace is None or thing.namespace == namespace)
        }


def look(cluster: Cluster) -> Look:
    """List everything that can be listed; a resource that cannot be read (its conversion fails) is taken for empty."""
    with ThreadPoolExecutor(4) as pool:
        lists = list(pool.map(lambda resource: _listed(cluster, *resource), _resources(cluster)))
    return Look({thing: item for found in lists for thing, item in found})


def _resources(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield (name with group, path) of every resource, each in its preferred version."""
    groups = [("", "/api/v1")]
    for group in cluster.api.get("/apis")["groups"]:
        groups.append((group["name"], f"/apis/{group['preferredVersion']['groupVersion']}"))
    for group, path in groups:
        try:
            resources = cluster.api.get(path)["resources"]
        except urllib.error.HTTPError as error:
            if error.code in (404, 503):
                continue  # a group whose last definition has just gone
            raise
        for resource in resources:
            name = f"{resource['name']}.{group}".rstrip(".")
            if "list" in resource["verbs"] and "/" not in resource["name"] and name not in _LEFT_OUT:
                yield name, f"{path}/{resource['name']}"


def _listed(cluster: Cluster, resource: str, path: str) -> list[tuple[Thing, Object]]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            items: Iterable[Object] = cluster.api.get(path)["items"]
            break
        except urllib.error.HTTPError as error:
            # 429 is what a new definition's objects are answered with for a moment, and those whose conversion fails for ever.
            if error.code not in (404, 429, 500):
                raise
            if error.code != 429 or time.monotonic() > deadline:
                return []
            time.sleep(0.2)
    return [(Thing(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"]), item) for item in items]


def _wanted(item: Object) -> Object:
    """An object without what the API server and controllers write."""
    kept = copy.deepcopy({key: value for key, value in item.items() if key not in ("status", "apiVersion", "kind")})
    for key in ("resourceVersion", "generation", "managedFields"):
        kept["metadata"].pop(key, None)
    return kept


def _text(thing: Thing, item: Object) -> str:
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    if "annotations" in metadata:
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != _LAST_APPLIED}
    return f"{thing} {json.dumps({**item, 'metadata': metadata})}"


def _is_history(thing: Thing, item: Object) -> bool:
    if thing.resource == "controllerrevisions.apps":
        return True
    return thing.resource == "replicasets.apps" and not item["spec"].get("replicas")
