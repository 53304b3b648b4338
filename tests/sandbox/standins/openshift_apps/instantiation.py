# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``POST .../deploymentconfigs/NAME/instantiate``: a new deployment of what the template says now.

As openshift-apiserver's pkg/apps/apiserver/registry/instantiate/rest.go does it, without image streams: nothing resolves images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from osm_family.api import Api, ApiError, Object

from .objects import STORED_PATH

_ATTEMPTS = 5


class Refused(Exception):
    """The request was refused; ``status`` is the Status object of the answer."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status: Object = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message,
        }  # fmt: skip


def instantiate(api: Api, namespace: str, name: str, request: Object, query: Mapping[str, str]) -> Object:
    """Answer one DeploymentRequest: the changed DeploymentConfig, or a Status that says that nothing was to be done; raises Refused."""
    if request.get("kind") != "DeploymentRequest":
        raise Refused(400, "BadRequest", f"no kind {request.get('kind')!r} is known here, only DeploymentRequest")
    path = f"{STORED_PATH}/namespaces/{namespace}/deploymentconfigs/{request.get('name') or name}"
    for attempt in range(_ATTEMPTS):
        config = _get(api, path)
        if config["spec"].get("paused"):
            text = f'deployment config "{name}" is paused - unable to request a new deployment'
            raise Refused(422, "Invalid", f'DeploymentRequest.apps.openshift.io "{name}" is invalid: spec.paused: Forbidden: {text}')
        cause = _cause(api, config, force=bool(request.get("force")))
        if cause is None:
            return {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 204,
                "message": f'deployment config "{name}" cannot be instantiated',
            }  # fmt: skip
        status = config.setdefault("status", {})
        status["latestVersion"] = status.get("latestVersion", 0) + 1
        status["details"] = {"message": "manual change" if cause == "Manual" else "config change", "causes": [{"type": cause}]}
        try:
            return api.request("PUT", f"{path}/status", config, query=query)
        except ApiError as error:
            if error.reason != "Conflict" or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _get(api: Api, path: str) -> Object:
    try:
        return api.get(path)
    except ApiError as error:
        raise Refused(error.status, error.reason, str(error)) from error


def _cause(api: Api, config: Object, *, force: bool) -> str | None:
    """Why there is to be a new deployment; None when there is no reason. The newest deployment must be there (canTrigger)."""
    name, latest = config["metadata"]["name"], config.get("status", {}).get("latestVersion", 0)
    deployed = None
    if latest:
        controller = _get(api, f"/api/v1/namespaces/{config['metadata']['namespace']}/replicationcontrollers/{name}-{latest}")
        deployed = json.loads(controller["metadata"]["annotations"]["openshift.io/encoded-deployment-config"])["spec"]["template"]
    for trigger in config["spec"]["triggers"]:
        if trigger["type"] == "ImageChange" and not trigger.get("imageChangeParams", {}).get("lastTriggeredImage"):
            raise Refused(400, "BadRequest", f'cannot trigger a deployment for "{name}" because it contains unresolved images')
    if force:
        return "Manual"
    automatic = any(trigger["type"] == "ConfigChange" for trigger in config["spec"]["triggers"])
    return "ConfigChange" if automatic and deployed != config["spec"]["template"] else None
