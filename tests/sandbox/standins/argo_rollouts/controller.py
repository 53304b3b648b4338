# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Rollouts with a canary strategy without steps, and restarts their pods: what the rollouts-controller does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from osm_family.api import Api, ApiError, Object
from playing import Lookout
from rolling import next_step, scale, total

from .definition import ROLLOUTS
from .replica_sets import HASH, REVISION, age, can_restart, desired, limits, needs_restart, replica_set, status, template_hash

_SETS = "/apis/apps/v1/replicasets"
# utils/defaults DefaultProgressDeadlineSeconds
_DEADLINE_SECONDS = 600


class Controller:
    """Makes all Rollouts come about."""

    def __init__(self, api: Api, say: Callable[[str], None]) -> None:
        self._api, self._say = api, say
        self._lookout = Lookout(api, ((ROLLOUTS, ""), (_SETS, HASH), ("/api/v1/pods", HASH)), self._look, say)

    def start(self) -> None:
        self._lookout.start()

    def _look(self) -> None:
        rollouts = self._api.get(ROLLOUTS)["items"]
        owned: dict[str, list[Object]] = {}
        for item in self._api.get(_SETS, labelSelector=HASH)["items"] if rollouts else ():
            for owner in item["metadata"].get("ownerReferences", []):
                owned.setdefault(owner["uid"], []).append(item)
        for rollout in rollouts:
            metadata = rollout["metadata"]
            try:
                self._reconcile(rollout, owned.get(metadata["uid"], []))
            except ApiError as error:  # a conflict, mostly: the next look has what is newer
                self._say(f"{metadata['namespace']}/{metadata['name']}: {error}")
                self._lookout.again()
                time.sleep(0.05)

    def _reconcile(self, rollout: Object, sets: Sequence[Object]) -> None:
        if "deletionTimestamp" in rollout["metadata"]:
            return
        now, found = datetime.now(UTC), template_hash(rollout)
        restarted_at = rollout.get("status", {}).get("restartedAt")
        newest = next((item for item in sets if item["metadata"]["labels"].get(HASH) == found), None)
        changed = rollout.get("status", {}).get("currentPodHash", found) != found
        if newest is None and not rollout["spec"].get("paused"):
            newest = self._create(rollout, sets)
            sets = [*sets, newest]
        if changed:
            # A new update takes the place of a restart that was asked for (rollout/sync.go resetRolloutStatus).
            restarted_at = rollout["spec"].get("restartAt")
        elif needs_restart(rollout, now):
            evicted, remaining = self._restart(rollout, sets)
            if evicted:
                return  # what is available is not known any more: nothing else is done in this round
            if not remaining:
                restarted_at = rollout["spec"]["restartAt"]
        if newest is not None and not rollout["spec"].get("paused"):
            self._roll(rollout, newest, [item for item in sets if item is not newest])
        deadline = rollout["spec"].get("progressDeadlineSeconds", _DEADLINE_SECONDS)
        self._update_status(rollout, status(rollout, sets, restarted_at, late=newest is not None and age(newest, now) > deadline))

    def _create(self, rollout: Object, sets: Sequence[Object]) -> Object:
        revision = max((int(item["metadata"]["annotations"][REVISION]) for item in sets), default=0) + 1
        made = self._api.create(f"/apis/apps/v1/namespaces/{rollout['metadata']['namespace']}/replicasets", replica_set(rollout, revision))
        self._say(f"created {made['metadata']['name']}")
        return made

    def _roll(self, rollout: Object, newest: Object, others: Sequence[Object]) -> None:
        surge, unavailable = limits(rollout)
        step = next_step(desired(rollout), surge, unavailable, scale(newest), total(others))
        if step is None:
            return
        self._scale(newest, step[0])
        removed = total(others).wanted - step[1]
        for item in others:
            share = min(removed, item["spec"]["replicas"])
            self._scale(item, item["spec"]["replicas"] - share)
            removed -= share

    def _restart(self, rollout: Object, sets: Sequence[Object]) -> tuple[int, int]:
        """Evict pods that are older than asked for, as many as may go; how many went, and how many are still to go."""
        namespace = rollout["metadata"]["namespace"]
        ours = {item["metadata"]["uid"] for item in sets}
        pods = [
            pod
            for pod in self._api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=HASH)["items"]
            if any(owner["uid"] in ours for owner in pod["metadata"].get("ownerReferences", []))
        ]
        # A pod of the same second counts as new.
        asked = datetime.fromisoformat(rollout["spec"]["restartAt"])
        older = [pod for pod in pods if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) < asked]
        room = can_restart(rollout, sets, sum(_available(pod) for pod in pods))
        evicted = 0
        for pod in older:
            if room > evicted and "deletionTimestamp" not in pod["metadata"] and self._evict(pod):
                evicted += 1
        return evicted, len(older) - evicted

    def _evict(self, pod: Object) -> bool:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        try:
            self._api.create(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", eviction)
        except ApiError as error:
            if error.status != 429:  # a disruption budget: later
                raise
            self._say(f"{namespace}/{name}: {error}")
            return False
        self._say(f"restarting {namespace}/{name}")
        return True

    def _scale(self, item: Object, replicas: int) -> None:
        metadata = item["metadata"]
        if item["spec"]["replicas"] != replicas:
            self._say(f"{metadata['name']}: {item['spec']['replicas']} -> {replicas}")
            path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/replicasets/{metadata['name']}"
            self._api.patch(path, {"spec": {"replicas": replicas}})

    def _update_status(self, rollout: Object, wanted: Object) -> None:
        if wanted != rollout.get("status"):
            metadata = rollout["metadata"]
            path = f"/apis/argoproj.io/v1alpha1/namespaces/{metadata['namespace']}/rollouts/{metadata['name']}/status"
            self._api.update(path, {**rollout, "status": wanted})


def _available(pod: Object) -> bool:
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in pod.get("status", {}).get("conditions", []))
    return ready and "deletionTimestamp" not in pod["metadata"]
