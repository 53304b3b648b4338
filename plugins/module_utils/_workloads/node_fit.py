# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which nodes a pod may be put on, as far as it is simple: node selector, required node affinity, taints. Pure.

Left out: pod (anti-)affinity, topology spread, volumes and host ports; where a pod has these, a node may still refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]


def admits(name: str, labels: Mapping[str, str], taints: Iterable[Object], spec: Object) -> bool:
    """Whether the node's labels and taints let a pod with this ``spec`` in; its size is not looked at."""
    return selected(name, labels, spec) and tolerated(taints, spec.get("tolerations") or ())


def selected(name: str, labels: Mapping[str, str], spec: Object) -> bool:
    """Whether ``nodeSelector`` and required node affinity choose the node."""
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    # Terms are alternatives; an empty term chooses nothing (core/v1 NodeSelectorTerm).
    return any(_term(name, labels, term) for term in required.get("nodeSelectorTerms") or ())


def tolerated(taints: Iterable[Object], tolerations: Iterable[Object]) -> bool:
    """Whether no taint keeps the pod away; ``PreferNoSchedule`` does not."""
    accepted = [*tolerations]
    hard = (taint for taint in taints if taint.get("effect") in ("NoSchedule", "NoExecute"))
    return all(any(_tolerates(toleration, taint) for toleration in accepted) for taint in hard)


def _term(name: str, labels: Mapping[str, str], term: Object) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_matches(labels, item) for item in expressions) and all(_matches({"metadata.name": name}, item) for item in fields)


def _matches(labels: Mapping[str, str], requirement: Object) -> bool:
    key, values = requirement["key"], [str(value) for value in requirement.get("values") or ()]
    found = labels.get(key)
    operator = requirement.get("operator")
    if operator == "In":
        return found in values
    if operator == "NotIn":
        return found not in values
    if operator == "Exists":
        return found is not None
    if operator == "DoesNotExist":
        return found is None
    if operator in ("Gt", "Lt") and found is not None and len(values) == 1:
        try:
            return int(found) > int(values[0]) if operator == "Gt" else int(found) < int(values[0])
        except ValueError:
            return False
    return False


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")
