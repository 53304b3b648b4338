# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workload's pods are replaced when its template changes: how many at once, which old ones make room. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import quantity
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount, pod_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import PlacedPod, Room

Object = Mapping[str, Any]
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class Roll(NamedTuple):
    """The replacement of one workload's pods.

    ``need`` is what each new pod asks for, ``wanted`` how many there will be, ``surge`` how many may be there beyond that, and
    ``unavailable`` how many old ones may go before a new one is ready. Of an ``orphaned`` workload (its selector changes, so it is made
    anew) the old pods stay until all new ones are there. A DaemonSet has one pod per node.
    """

    ref: ObjectRef
    template: Object
    need: Amount
    wanted: int
    surge: int
    unavailable: int
    old: tuple[PlacedPod, ...] = ()
    orphaned: bool = False

    @property
    def daemon(self) -> bool:
        """Whether every node gets one pod."""
        return self.ref.kind == "DaemonSet"

    @property
    def at_once(self) -> int:
        """How many new pods are made before an old one goes (of a DaemonSet: on each node)."""
        if self.daemon:
            return 1
        return self.wanted if self.orphaned else max(0, min(self.wanted, self.wanted + self.surge - len(self.old)))


def rolls(rendered: Iterable[Object], live: Iterable[Object], room: Room, namespace: str) -> list[Roll]:
    """Return what replaces or adds pods when ``live`` workloads become the ``rendered`` ones; other kinds of objects are passed over.

    Raises ValueError when a template asks for something that is no quantity.
    """
    there = {_key(item, namespace): item for item in live if item.get("kind") in KINDS}
    pairs = ((item, there.get(_key(item, namespace))) for item in rendered if item.get("kind") in KINDS)
    return [roll(item, old, room, namespace) for item, old in pairs if old is None or changes_pods(item, old)]


def roll(workload: Object, live: Object | None, room: Room, namespace: str) -> Roll:
    """Return how the pods of ``live`` (None: there are none) are replaced by those of ``workload``."""
    spec = workload["spec"]
    replicas = spec.get("replicas")
    if replicas is None and live is not None:
        replicas = live["spec"].get("replicas")
    wanted = 1 if replicas is None else int(replicas)
    surge, unavailable = _pace(workload["kind"], spec, wanted)
    template = spec["template"].get("spec") or {}
    kind, name, place = _key(workload, namespace)
    return Roll(
        ref=ObjectRef(kind, name, place),
        template=template,
        need=pod_request(template),
        wanted=wanted,
        surge=surge,
        unavailable=unavailable,
        old=() if live is None else tuple(pod for pod in room.own if pod.namespace == place and _owns(live, pod.labels)),
        orphaned=live is not None and selector_changes(workload, live),
    )


def selector_changes(workload: Object, live: Object) -> bool:
    """Whether the immutable selector changes, so that the workload is made anew beside its old pods."""
    return bool(_selector(workload) != _selector(live))


def changes_pods(workload: Object, live: Object) -> bool:
    """Whether the rendered workload has something in its pod template (or its count) that the live one lacks.

    What only the live one has are the API server's defaults and what others added, which Helm's three-way merge keeps.
    """
    more = int(workload["spec"].get("replicas") or 0) > int(live["spec"].get("replicas") or 0)
    return more or selector_changes(workload, live) or not _holds(live["spec"]["template"], workload["spec"]["template"])


def _holds(found: Any, wanted: Any, *, quantities: bool = False) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return not wanted and found is None
        return all(_holds(found.get(key), value, quantities=quantities or key in ("limits", "requests")) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(found, (list, tuple)):
            return not wanted and found is None
        return len(found) == len(wanted) and all(_holds(one, other) for one, other in zip(found, wanted, strict=True))
    if found is None:
        return wanted is None or wanted is False or wanted in ("", 0)
    # The API server stores "0.5" as "500m".
    return bool(quantity(found) == quantity(wanted)) if quantities else bool(found == wanted)


def _pace(kind: str, spec: Object, wanted: int) -> tuple[int, int]:
    """Return (surge, unavailable). Source: kubernetes ``pkg/controller/deployment/util`` ``ResolveFenceposts``."""
    if kind == "StatefulSet":
        return 0, 1
    strategy = spec.get("strategy" if kind == "Deployment" else "updateStrategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    default_surge, default_unavailable = ("25%", "25%") if kind == "Deployment" else (0, 1)
    surge = _share(rolling.get("maxSurge", default_surge), wanted, math.ceil)
    unavailable = _share(rolling.get("maxUnavailable", default_unavailable), wanted, math.floor)
    return surge, unavailable if surge or unavailable else 1


def _share(value: Any, of: int, rounded: Any) -> int:
    text = str(value)
    return int(rounded(int(text[:-1]) * of / 100)) if text.endswith("%") else int(text)


def _selector(workload: Object) -> Any:
    selector = workload["spec"].get("selector") or {}
    return selector.get("matchLabels") or {}, selector.get("matchExpressions") or []


def _owns(workload: Object, labels: Mapping[str, str]) -> bool:
    wanted = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _key(workload: Object, namespace: str) -> tuple[str, str, str]:
    metadata = workload["metadata"]
    return workload["kind"], metadata["name"], metadata.get("namespace") or namespace
