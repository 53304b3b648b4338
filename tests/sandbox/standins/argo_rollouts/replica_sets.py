# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Rollout is made of: a ReplicaSet per template, known by a hash, and the status that tells of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from osm_family.api import Object
from rolling import bounds, total

from .definition import GROUP

HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"


def template_hash(rollout: Object) -> str:
    """A hash of the pod template, ten letters and digits."""
    return hashlib.sha256(json.dumps(rollout["spec"]["template"], sort_keys=True).encode()).hexdigest()[:10]


def replica_set(rollout: Object, revision: int) -> Object:
    """The ReplicaSet of the present template, without pods yet."""
    name, found = rollout["metadata"]["name"], template_hash(rollout)
    template = json.loads(json.dumps(rollout["spec"]["template"]))
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**metadata.get("labels", {}), HASH: found}
    selector = rollout["spec"]["selector"]
    owner = {
        "apiVersion": f"{GROUP}/v1alpha1", "kind": "Rollout", "name": name, "uid": rollout["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{found}",
            "labels": metadata["labels"],
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": 0,
            "selector": {**selector, "matchLabels": {**selector.get("matchLabels", {}), HASH: found}},
            "template": template,
        },
    }


def desired(rollout: Object) -> int:
    return int(rollout["spec"].get("replicas", 1))


def limits(rollout: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods (utils/defaults: 25 % each)."""
    canary = rollout["spec"].get("strategy", {}).get("canary") or {}
    return bounds(desired(rollout), canary.get("maxSurge", "25%"), canary.get("maxUnavailable", "25%"))


def needs_restart(rollout: Object, now: datetime) -> bool:
    """Whether pods older than ``spec.restartAt`` are to go (utils/replicaset NeedsRestart)."""
    wanted, done = rollout["spec"].get("restartAt"), rollout.get("status", {}).get("restartedAt")
    return wanted is not None and wanted != done and now > datetime.fromisoformat(wanted)


def status(rollout: Object, sets: Sequence[Object], restarted_at: str | None, *, late: bool) -> Object:
    """The new status; ``late`` is a new ReplicaSet that made no progress for too long."""
    found = template_hash(rollout)
    now = rollout.get("status", {})
    newest = [item for item in sets if item["metadata"]["labels"].get(HASH) == found]
    everything, updated = total(sets), total(newest)
    ready = sum(item.get("status", {}).get("readyReplicas", 0) for item in sets)
    done = updated.present == updated.available == desired(rollout) and everything.present == updated.present
    made: Object = {
        **{key: value for key, value in now.items() if key not in ("message", "restartedAt")},
        # The one number in a status that is a text.
        "observedGeneration": str(rollout["metadata"]["generation"]),
        "currentPodHash": found,
        "stableRS": found if done else now.get("stableRS", ""),
        "replicas": everything.present,
        "HPAReplicas": everything.present,
        "updatedReplicas": updated.present,
        "readyReplicas": ready,
        "availableReplicas": everything.available,
        "selector": ",".join(f"{key}={value}" for key, value in rollout["spec"]["selector"].get("matchLabels", {}).items()),
    }
    if restarted_at is not None:
        made["restartedAt"] = restarted_at
    made["conditions"] = _conditions(rollout, done=done, late=late and not done)
    made["phase"], message = _phase(rollout, made, late=late and not done)
    if message:
        made["message"] = message
    return made


def _conditions(rollout: Object, *, done: bool, late: bool) -> list[Object]:
    name = f"{rollout['metadata']['name']}-{template_hash(rollout)}"
    progress = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    if late:
        progress = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    elif not done:
        progress = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    return [
        {"type": "Progressing", "status": progress[0], "reason": progress[1], "message": progress[2]},
        {"type": "Healthy", "status": "True" if done else "False", "reason": "RolloutHealthy"},
    ]


def _phase(rollout: Object, made: Object, *, late: bool) -> tuple[str, str]:
    """Phase and message (utils/rollout CalculateRolloutPhase)."""
    if late:
        return "Degraded", f"ProgressDeadlineExceeded: {made['conditions'][0]['message']}"
    if rollout["spec"].get("paused"):
        return "Paused", "manually paused"
    waiting = {
        "rollout is restarting": rollout["spec"].get("restartAt") not in (None, made.get("restartedAt")),
        "more replicas need to be updated": made["updatedReplicas"] < desired(rollout),
        "updated replicas are still becoming available": made["availableReplicas"] < made["updatedReplicas"],
        "old replicas are pending termination": made["replicas"] > made["updatedReplicas"],
        "waiting for all steps to complete": made["stableRS"] != made["currentPodHash"],
    }
    return next((("Progressing", message) for message, holds in waiting.items() if holds), ("Healthy", ""))


def can_restart(rollout: Object, sets: Sequence[Object], available: int) -> int:
    """How many pods may go now (rollout/restart.go Reconcile): maxUnavailable, but one at least."""
    present = sum(item.get("status", {}).get("replicas", 0) for item in sets)
    return available - (max(desired(rollout), present) - max(limits(rollout)[1], 1))


def age(item: Object, now: datetime) -> float:
    """Seconds since the object was created."""
    return (now - datetime.fromisoformat(item["metadata"]["creationTimestamp"])).total_seconds()
