# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one deployment of a DeploymentConfig is: a ReplicationController, and the arithmetic of rolling to it.

Names, labels and annotations are those of library-go's pkg/apps/appsutil (MakeDeployment) and openshift/api's apps/v1 constants.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from osm_family.api import Object

from .objects import GROUP, STORED_GROUP

PHASE = "openshift.io/deployment.phase"
VERSION = "openshift.io/deployment-config.latest-version"
CONFIG = "openshift.io/deployment-config.name"
ENCODED = "openshift.io/encoded-deployment-config"
REASON = "openshift.io/deployment.status-reason"
CANCELLED = "openshift.io/deployment.cancelled"
ENDED = ("Complete", "Failed")


class Scale(NamedTuple):
    """How many pods a controller is to have and has, and how many of them are available."""

    wanted: int
    present: int
    available: int


def controller(config: Object) -> Object:
    """The ReplicationController of the newest version, without pods yet."""
    name, version = config["metadata"]["name"], config["status"]["latestVersion"]
    deployment = f"{name}-{version}"
    template = json.loads(json.dumps(config["spec"]["template"]))
    metadata = template.setdefault("metadata", {})
    labels = {"deployment": deployment, "deploymentconfig": name}
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    about = {VERSION: str(version), CONFIG: name, "openshift.io/deployment.name": deployment}
    metadata["annotations"] = {**metadata.get("annotations", {}), **about}
    owner = {
        "apiVersion": f"{GROUP}/v1", "kind": "DeploymentConfig", "name": name, "uid": config["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {
            "name": deployment,
            "labels": {**config["metadata"].get("labels", {}), CONFIG: name},
            "annotations": {PHASE: "New", VERSION: str(version), CONFIG: name, ENCODED: json.dumps(config).replace(STORED_GROUP, GROUP)},
            "ownerReferences": [owner],
        },
        "spec": {"replicas": 0, "selector": {**(config["spec"].get("selector") or {}), **labels}, "template": template},
    }


def encoded_template(deployment: Object) -> Object:
    """The template that the deployment was made of."""
    template: Object = json.loads(deployment["metadata"]["annotations"][ENCODED])["spec"]["template"]
    return template


def version(deployment: Object) -> int:
    return int(deployment["metadata"]["annotations"][VERSION])


def phase(deployment: Object) -> str:
    return str(deployment["metadata"]["annotations"].get(PHASE, ""))


def scale(deployment: Object) -> Scale:
    status = deployment.get("status", {})
    return Scale(deployment["spec"]["replicas"], status.get("replicas", 0), status.get("availableReplicas", 0))


def next_step(config: Object, new: Scale, old: Scale) -> tuple[int, int] | None:
    """How many pods the new and the old controllers are to have next; None when the new one has all and the old ones none."""
    desired = config["spec"]["replicas"]
    if new.wanted == new.available == desired and old.wanted == old.present == 0:
        return None
    if config["spec"]["strategy"].get("type") == "Recreate":
        return (desired if old.present == 0 else new.wanted), 0
    parameters = config["spec"]["strategy"].get("rollingParams") or {}
    surge = _share(parameters.get("maxSurge", "25%"), desired, up=True)
    unavailable = _share(parameters.get("maxUnavailable", "25%"), desired, up=False)
    if surge == unavailable == 0:
        unavailable = 1
    present = max(new.wanted, new.present) + max(old.wanted, old.present)
    more = max(0, min(desired - new.wanted, desired + surge - present))
    # Those that were told to go do not count, though they may still answer.
    available = min(new.available, new.wanted) + min(old.available, old.wanted)
    less = max(0, min(old.wanted, available - (desired - unavailable)))
    return new.wanted + more, old.wanted - less


def _share(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = of * int(value.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def conditions(config: Object, newest: Object | None, available: int) -> list[Object]:
    """The conditions Available and Progressing (openshift-controller-manager pkg/apps/deploymentconfig, updateConditions)."""
    name = newest["metadata"]["name"] if newest else ""
    found = [_condition("Available", "True" if available >= config["spec"]["replicas"] else "False")]
    if newest and phase(newest) == "Complete":
        text = f'replication controller "{name}" successfully rolled out'
        found.append(_condition("Progressing", "True", "NewReplicationControllerAvailable", text))
    elif newest and phase(newest) == "Failed":
        text = f'replication controller "{name}" has failed progressing'
        found.append(_condition("Progressing", "False", "ProgressDeadlineExceeded", text))
    elif newest:
        found.append(_condition("Progressing", "True", "ReplicationControllerUpdated", f'replication controller "{name}" is progressing'))
    return found


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    known = {"reason": reason, "message": message} if reason else {}
    return {"type": kind, "status": status, **known}
