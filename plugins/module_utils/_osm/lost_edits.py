# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody changed in a Deployment after Helm, and what is lost when the Deployment is created anew. Pure.

Helm's own patch keeps such edits where the chart does not touch them; a Deployment that is orphaned for its selector is made from
the chart alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

# Fields of a pod template that the API server neither fills in nor rewrites.
_POD_FIELDS = ("nodeSelector", "tolerations", "affinity", "imagePullSecrets", "priorityClassName", "serviceAccountName", "hostNetwork")
_CONTAINER_FIELDS = ("image", "command", "args")
# Says when it was restarted, not how it is to be.
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
_UNITS = {"": 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_SHOWN = 60


def lost_edits(live: Sequence[Object], before: Sequence[Object], after: Sequence[Object], namespace: str) -> list[Finding]:
    """Return a warning for each Deployment whose selector changes and that differs from what Helm made of it.

    ``live`` are the Deployments as they are, ``before`` and ``after`` the manifests of the release now and to be.
    """
    old, new = _deployments(before, namespace), _deployments(after, namespace)
    found = []
    for item in live:
        name = item["metadata"]["name"]
        if name in old and name in new and item["spec"]["selector"] != new[name]["spec"]["selector"]:
            becomes = dict(_settings(new[name]))
            was, now = dict(_settings(old[name])), dict(_settings(item))
            edits = [key for key in dict.fromkeys([*now, *was]) if now.get(key) != was.get(key) and now.get(key) != becomes.get(key)]
            if edits:
                found.append(_finding(ObjectRef("Deployment", name, namespace), edits, now, becomes))
    return found


def _finding(ref: ObjectRef, edits: Sequence[str], now: Object, becomes: Object) -> Finding:
    told = "; ".join(f"{key}: {_text(key, now.get(key))} → {_text(key, becomes.get(key))}" for key in edits)
    return Finding(
        "warning",
        "edit-lost",
        ref,
        f"edits that Helm does not know will be lost: {told}",
        "its selector is immutable, so it is deleted and made from the chart alone",
        "give them as values to keep them (for instance osm.osmController.replicaCount), or make them again afterwards",
    )


def _deployments(manifests: Sequence[Object], namespace: str) -> dict[str, Object]:
    found = (item for item in manifests if item.get("kind") == "Deployment")
    return {item["metadata"]["name"]: item for item in found if item["metadata"].get("namespace", namespace) == namespace}


def _settings(deployment: Object) -> Iterator[tuple[str, Any]]:
    """Yield (what, value) of everything that people change and the API server leaves as it was written."""
    spec = deployment["spec"]
    if spec.get("replicas") is not None:  # absent where an autoscaler decides
        yield "replicas", spec["replicas"]
    template, pod = spec["template"].get("metadata") or {}, spec["template"]["spec"]
    for kind in ("labels", "annotations"):
        for key, value in (template.get(kind) or {}).items():
            if key != _RESTARTED:
                yield f"pod {kind[:-1]} {key}", value
    for field in _POD_FIELDS:
        if pod.get(field):
            yield field, pod[field]
    for container in [*(pod.get("initContainers") or ()), *pod["containers"]]:
        yield from _container_settings(container)


def _container_settings(container: Object) -> Iterator[tuple[str, Any]]:
    here = f"container {container['name']}"
    for field in _CONTAINER_FIELDS:
        if container.get(field):
            yield f"{here} {field}", container[field]
    for variable in container.get("env") or ():
        yield f"{here} env {variable['name']}", str(variable.get("value") or "")
    for kind in ("requests", "limits"):
        for resource, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            yield f"{here} {kind}.{resource}", _amount(amount)


def _amount(quantity: object) -> Any:
    """Return a quantity as a number, so that ``0.5`` and ``500m`` are the same."""
    match = _QUANTITY.fullmatch(str(quantity))
    return round(float(match[1]) * _UNITS[match[2]], 6) if match is not None and match[2] in _UNITS else quantity


def _text(key: str, value: Any) -> str:
    if value is None:
        return "(none)"
    if " env " in key:
        return "(a value)"  # may be secret
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
