# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the pods of workloads that say they are done, with as few lists as that takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD, REPLICASET, REPLICATION_CONTROLLER, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.proof import controller_uid

Object = Mapping[str, Any]

# Beyond this, one list of the whole namespace is less than one for each workload.
_SINGLE = 4
_BETWEEN: dict[str, Kind] = {"Deployment": REPLICASET, "Rollout": REPLICASET, "DeploymentConfig": REPLICATION_CONTROLLER}


class _Lists(NamedTuple):
    namespace: str
    selector: str
    between: tuple[Kind, ...]


def pods_of(api: Api, workloads: Sequence[Object]) -> dict[str, list[Object]]:
    """Return the raw pods of each raw workload by the workload's uid: those that it controls, or whose controller it controls."""
    found: dict[str, list[Object]] = {workload["metadata"]["uid"]: [] for workload in workloads}
    for pods in api.map(lambda lists: _read(api, lists, found), _lists(workloads)):
        for uid, pod in pods:
            found[uid].append(pod)
    return found


def _lists(workloads: Sequence[Object]) -> list[_Lists]:
    by_namespace: defaultdict[str, list[Object]] = defaultdict(list)
    for workload in workloads:
        by_namespace[workload["metadata"]["namespace"]].append(workload)
    result = []
    for namespace, members in by_namespace.items():
        selectors = [selector_text(member) for member in members]
        if len(members) <= _SINGLE and all(selectors):
            result += [_Lists(namespace, text, _between([member])) for text, member in zip(selectors, members, strict=True)]
        else:
            result.append(_Lists(namespace, "", _between(members)))
    return result


def _between(workloads: Iterable[Object]) -> tuple[Kind, ...]:
    return tuple(dict.fromkeys(_BETWEEN[item["kind"]] for item in workloads if item["kind"] in _BETWEEN))


def _read(api: Api, lists: _Lists, wanted: Mapping[str, object]) -> list[tuple[str, Object]]:
    owner_of = {
        item["metadata"]["uid"]: controller_uid(item)
        for kind in lists.between
        for item in api.list(kind, lists.namespace, label_selector=lists.selector, metadata_only=True)
    }
    result: list[tuple[str, Object]] = []
    seen: set[str] = set()
    for pod in api.list(POD, lists.namespace, label_selector=lists.selector):
        owner = controller_uid(pod)
        uid = owner if owner in wanted else owner_of.get(owner, "")
        if uid in wanted and pod["metadata"]["uid"] not in seen:
            seen.add(pod["metadata"]["uid"])
            result.append((uid, pod))
    return result


def selector_text(workload: Object) -> str:
    """Return a workload's selector as a query parameter, the empty string when it selects by nothing that is known here."""
    selector = (workload.get("spec") or {}).get("selector") or {}
    # Those of DeploymentConfigs and ReplicationControllers are plain labels.
    plain = not {"matchLabels", "matchExpressions"} & set(selector)
    parts = [f"{key}={value}" for key, value in (selector if plain else selector.get("matchLabels") or {}).items()]
    for rule in () if plain else selector.get("matchExpressions") or ():
        key, operator, values = rule["key"], rule["operator"], ",".join(rule.get("values") or ())
        if operator == "Exists":
            parts.append(key)
        elif operator == "DoesNotExist":
            parts.append(f"!{key}")
        else:
            parts.append(f"{key} {'in' if operator == 'In' else 'notin'} ({values})")
    return ",".join(parts)
