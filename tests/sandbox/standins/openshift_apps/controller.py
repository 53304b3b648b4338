# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes what DeploymentConfigs ask for come about: what openshift-controller-manager and its deployer pods do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from osm_family.api import Api, ApiError, Object
from playing import Lookout
from rolling import total

from .deployments import (
    CANCELLED,
    CONFIG,
    ENDED,
    PHASE,
    REASON,
    conditions,
    controller,
    encoded_template,
    phase,
    step,
    version,
)
from .objects import STORED_PATH

_CONFIGS = f"{STORED_PATH}/deploymentconfigs"
_CONTROLLERS = "/api/v1/replicationcontrollers"
# openshift/api apps/v1: RollingParams.timeoutSeconds.
_TIMEOUT_SECONDS = 600


class Controller:
    """Makes all DeploymentConfigs come about."""

    def __init__(self, api: Api, say: Callable[[str], None]) -> None:
        self._api, self._say = api, say
        self._lookout = Lookout(api, ((_CONFIGS, ""), (_CONTROLLERS, CONFIG)), self._look, say)

    def start(self) -> None:
        self._lookout.start()

    def _look(self) -> None:
        configs = self._api.get(_CONFIGS)["items"]
        owned: dict[str, list[Object]] = {}
        for item in self._api.get(_CONTROLLERS, labelSelector=CONFIG)["items"] if configs else ():
            for owner in item["metadata"].get("ownerReferences", []):
                owned.setdefault(owner["uid"], []).append(item)
        for config in configs:
            metadata = config["metadata"]
            try:
                self._reconcile(config, sorted(owned.get(metadata["uid"], []), key=version))
            except ApiError as error:  # a conflict, mostly: the next look has what is newer
                self._say(f"{metadata['namespace']}/{metadata['name']}: {error}")
                self._lookout.again()
                time.sleep(0.05)

    def _reconcile(self, config: Object, deployments: Sequence[Object]) -> None:
        if "deletionTimestamp" in config["metadata"]:
            return
        latest = config.get("status", {}).get("latestVersion", 0)
        newest = next((item for item in deployments if version(item) == latest), None)
        paused = config["spec"].get("paused", False)
        if not paused and _changed(config, latest, newest):
            self._update_status(config, deployments, latest + 1, newest)
            return
        if latest and newest is None and not paused:
            for item in deployments:
                if phase(item) not in ENDED:
                    self._end(item, "Failed", "newer deployment was found running", {CANCELLED: "true"})
            path = f"/api/v1/namespaces/{config['metadata']['namespace']}/replicationcontrollers"
            newest = self._api.create(path, controller(config))
            deployments = [*deployments, newest]
            self._say(f"created {_name(newest)}")
        if newest is not None and phase(newest) not in ENDED:
            self._roll(config, newest, [item for item in deployments if item is not newest])
        elif not paused:
            self._settle(config, deployments)
        self._update_status(config, deployments, latest, newest)

    def _roll(self, config: Object, newest: Object, others: Sequence[Object]) -> None:
        wanted = step(config, newest, others)
        if wanted is None:
            self._end(newest, "Complete", "")
            return
        seconds = (config["spec"]["strategy"].get("rollingParams") or {}).get("timeoutSeconds", _TIMEOUT_SECONDS)
        if _age(newest) > seconds:
            self._end(newest, "Failed", "timeout")
            return
        if phase(newest) == "New":
            self._patch(newest, {"metadata": {"annotations": {PHASE: "Running"}}})
        self._scale(newest, wanted[0])
        removed = total(others).wanted - wanted[1]
        for item in others:
            share = min(removed, item["spec"]["replicas"])
            self._scale(item, item["spec"]["replicas"] - share)
            removed -= share

    def _settle(self, config: Object, deployments: Sequence[Object]) -> None:
        """The last deployment that was completed has all pods, the others have none (reconcileDeployments)."""
        active = next((item for item in reversed(deployments) if phase(item) == "Complete"), None)
        for item in deployments:
            self._scale(item, config["spec"]["replicas"] if item is active else 0)

    def _scale(self, item: Object, replicas: int) -> None:
        if item["spec"]["replicas"] != replicas:
            self._say(f"{_name(item)}: {item['spec']['replicas']} -> {replicas}")
            self._patch(item, {"spec": {"replicas": replicas}})

    def _end(self, item: Object, wanted: str, reason: str, annotations: dict[str, str] | None = None) -> None:
        self._say(f"{_name(item)}: {wanted} {reason}".rstrip())
        because = {REASON: reason} if reason else {}
        self._patch(item, {"metadata": {"annotations": {PHASE: wanted, **because, **(annotations or {})}}})
        item["metadata"]["annotations"][PHASE] = wanted

    def _patch(self, item: Object, patch: Object) -> None:
        metadata = item["metadata"]
        self._api.patch(f"/api/v1/namespaces/{metadata['namespace']}/replicationcontrollers/{metadata['name']}", patch)

    def _update_status(self, config: Object, deployments: Sequence[Object], latest: int, newest: Object | None) -> None:
        statuses = [item.get("status", {}) for item in deployments]
        replicas = sum(status.get("replicas", 0) for status in statuses)
        available = sum(status.get("availableReplicas", 0) for status in statuses)
        now = config.get("status", {})
        wanted = {
            **now,
            "latestVersion": latest,
            "observedGeneration": config["metadata"]["generation"],
            "replicas": replicas,
            "readyReplicas": sum(status.get("readyReplicas", 0) for status in statuses),
            "availableReplicas": available,
            "unavailableReplicas": replicas - available,
            "updatedReplicas": (newest or {}).get("status", {}).get("replicas", 0),
            "conditions": conditions(config, newest, available),
        }
        if wanted != now:
            metadata = config["metadata"]
            path = f"{STORED_PATH}/namespaces/{metadata['namespace']}/deploymentconfigs/{metadata['name']}/status"
            self._api.update(path, {**config, "status": wanted})


def _changed(config: Object, latest: int, newest: Object | None) -> bool:
    """Whether the trigger ConfigChange asks for a deployment: the first one, or one of another template."""
    if all(trigger["type"] != "ConfigChange" for trigger in config["spec"]["triggers"]):
        return False
    return latest == 0 or (newest is not None and encoded_template(newest) != config["spec"]["template"])


def _age(item: Object) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(item["metadata"]["creationTimestamp"])).total_seconds()


def _name(item: Object) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
