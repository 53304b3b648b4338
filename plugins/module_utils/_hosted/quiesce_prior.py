# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hosted cluster was before it was stopped, kept on its HostedCluster until everything is back. Pure.

It is written before anything else, and what is in it is never written again: a second run finds Deployments at 0 replicas, and
must not take that for what they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    annotation,
    mapping,
    name_of,
    replicas_of,
    uid_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import to_stop

FORMAT = 1
Value = TypeVar("Value")


class PriorMarker(NamedTuple):
    """The marker in the hosted cluster: ``unknown`` when its API did not answer; ``value`` is None where it had no entry ``from``."""

    state: Literal["unknown", "absent", "present"]
    value: str | None = None


UNKNOWN_MARKER = PriorMarker("unknown")


@dataclass(frozen=True)
class Prior:
    """What everything was: ``replicas`` by the name of the Deployment, pauses as they stood in the objects (None: no such field).

    ``uid`` is that of the HostedCluster, ``cluster`` the name of Cluster API's Cluster, "" where there was none.
    """

    run_id: str
    time: str
    uid: str
    replicas: Mapping[str, int] = field(default_factory=dict)
    paused_until: str | None = None
    node_pools: Mapping[str, str | None] = field(default_factory=dict)
    cluster: str = ""
    cluster_paused: bool | None = None
    marker: PriorMarker = UNKNOWN_MARKER

    @property
    def values(self) -> dict[str, Any]:
        """All but who recorded it and when."""
        return {
            "replicas": dict(self.replicas),
            "paused_until": self.paused_until,
            "node_pools": dict(self.node_pools),
            "cluster": self.cluster,
            "cluster_paused": self.cluster_paused,
            "marker": {"state": self.marker.state, "value": self.marker.value},
        }

    def as_json(self) -> str:
        """Return the text of the annotation."""
        known_by = {"format": FORMAT, "run_id": self.run_id, "time": self.time, "uid": self.uid}
        return json.dumps({**known_by, **self.values}, sort_keys=True)


class Recorded(NamedTuple):
    """What an earlier run recorded: nothing, a Prior, or something with a ``problem`` that makes it unreadable."""

    prior: Prior | None
    problem: str = ""


def recorded(inventory: Inventory) -> Recorded:
    """Return what is recorded on the HostedCluster."""
    if PRIOR_ANNOTATION not in mapping(inventory.hosted_cluster, "metadata", "annotations"):
        return Recorded(None)
    try:
        found = prior_from_json(annotation(inventory.hosted_cluster, PRIOR_ANNOTATION))
    except ValueError as error:
        return Recorded(None, str(error))
    if found.uid != uid_of(inventory.hosted_cluster):
        return Recorded(None, f"it was recorded of another HostedCluster (uid {found.uid}), and has come here with a copy of that object")
    return Recorded(found)


def prior_of(inventory: Inventory) -> Prior | None:
    """Return what an earlier run recorded, None when there is nothing or it cannot be read (``recorded`` tells which)."""
    return recorded(inventory).prior


def stopped_by(inventory: Inventory) -> Prior | None:
    """Return the record of a cluster that is stopped still: its HostedCluster is paused for good, or something of it is at 0.

    Whoever brings a cluster back by hand may leave the record, and what is in it is not how the cluster is or has to be.
    """
    prior = prior_of(inventory)
    if prior is None or paused_for_good(inventory.hosted_cluster):
        return prior
    at_zero = {name_of(item) for item in inventory.deployments if not replicas_of(item)}
    return prior if any(number and name in at_zero for name, number in prior.replicas.items()) else None


def current(inventory: Inventory, marker: PriorMarker, run_id: str, time: str) -> Prior:
    """Return how everything is now."""
    cluster = next(iter(inventory.of("clusters")), None)
    return Prior(
        run_id,
        time,
        uid_of(inventory.hosted_cluster),
        {name_of(item): replicas_of(item) for item in to_stop(inventory)},
        paused_until(inventory.hosted_cluster),
        {name_of(pool): paused_until(pool) for pool in inventory.node_pools},
        name_of(cluster) if cluster else "",
        cluster_paused(cluster) if cluster else None,
        marker,
    )


def completed(earlier: Prior | None, now: Prior) -> Prior:
    """Return what is to be recorded: what an earlier run recorded, and in addition what was not there (or not known) then."""
    if earlier is None:
        return now
    return replace(
        earlier,
        replicas={**now.replicas, **earlier.replicas},
        node_pools={**now.node_pools, **earlier.node_pools},
        cluster=earlier.cluster or now.cluster,
        cluster_paused=earlier.cluster_paused if earlier.cluster else now.cluster_paused,
        marker=now.marker if earlier.marker.state == "unknown" else earlier.marker,
    )


def paused_until(item: Mapping[str, Any]) -> str | None:
    """Return ``spec.pausedUntil`` of a HostedCluster or NodePool, None without it."""
    found = mapping(dict(item), "spec").get("pausedUntil")
    return None if found is None else str(found)


def cluster_paused(item: Mapping[str, Any]) -> bool | None:
    """Return ``spec.paused`` of a Cluster, None without it."""
    found = mapping(dict(item), "spec").get("paused")
    return None if found is None else bool(found)


def paused_for_good(item: Mapping[str, Any]) -> bool:
    """Whether a HostedCluster or NodePool stays paused: a time passes in the middle of the run, one that has passed never paused it
    (support/util/pausereconcile.go)."""
    return paused_until(item) in ("true", "True")


def prior_from_json(text: str) -> Prior:
    """Return what the annotation says; ValueError with what is wrong with it."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")
    if data.get("format") != FORMAT:
        raise ValueError(f"its format is {data.get('format')!r}, and {FORMAT} is the only one that this version knows")
    marker = _is(data, "marker", dict)
    state = marker.get("state")
    if state not in ("unknown", "absent", "present"):
        raise ValueError("marker.state is none of unknown, absent, present")
    return Prior(
        _is(data, "run_id", str),
        _is(data, "time", str),
        _is(data, "uid", str),
        _each(data, "replicas", _is_count),
        _optional(data.get("paused_until"), "paused_until", str),
        _each(data, "node_pools", _is_pause),
        _is(data, "cluster", str),
        _optional(data.get("cluster_paused"), "cluster_paused", bool),
        PriorMarker(state, _optional(marker.get("value"), "marker.value", str)),
    )


def _is(data: Mapping[str, Any], key: str, wanted: type[Value]) -> Value:
    found = data.get(key)
    if not isinstance(found, wanted):
        raise ValueError(f"{key} is missing or no {wanted.__name__}")
    return found


def _optional(found: object, key: str, wanted: type[Value]) -> Value | None:
    if found is not None and not isinstance(found, wanted):
        raise ValueError(f"{key} is no {wanted.__name__}")
    return found


def _each(data: Mapping[str, Any], key: str, check: Callable[[object, str], Value]) -> dict[str, Value]:
    return {str(name): check(value, f"{key}.{name}") for name, value in _is(data, key, dict).items()}


def _is_count(found: object, key: str) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise ValueError(f"{key} is no number of replicas")
    return found


def _is_pause(found: object, key: str) -> str | None:
    return _optional(found, key, str)
