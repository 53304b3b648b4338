# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one deployment of a DeploymentConfig is: a ReplicationController, and how it takes the place of the others.

Names, labels and annotations are those of library-go's pkg/apps/appsutil (MakeDeployment) and openshift/api's apps/v1 constants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from osm_family.api import Object
from rolling import bounds, next_step, scale, total

from .objects import GROUP, STORED_GROUP

PHASE = "openshift.io/deployment.phase"
VERSION = "openshift.io/deployment-config.latest-version"
CONFIG = "openshift.io/deployment-config.name"
ENCODED = "openshift.io/encoded-deployment-config"
REASON = "openshift.io/deployment.status-reason"
CANCELLED = "openshift.io/deployment.cancelled"
ENDED = ("Complete", "Failed")


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


def step(config: Object, newest: Object, others: Sequence[Object]) -> tuple[int, int] | None:
    """How many pods the newest and the other controllers are to have next; None when it is done."""
    desired, new, old = config["spec"]["replicas"], scale(newest), total(others)
    if config["spec"]["strategy"].get("type") == "Recreate" and old.wanted + old.present:
        return 0, 0
    parameters = config["spec"]["strategy"].get("rollingParams") or {}
    surge, unavailable = bounds(desired, parameters.get("maxSurge", "25%"), parameters.get("maxUnavailable", "25%"))
    return next_step(desired, surge, unavailable, new, old)


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
