# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bare pods, which nobody makes again: saved, evicted, created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AlreadyExists, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt, End, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.eviction import evict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.observation import Seen, Want
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.pod_trial import refusal_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.proof import prove
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Task
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.saved_pod import drop, find_saved, save, secret_name

Object = Mapping[str, Any]
_Stage = Literal["save", "going", "create", "created", "drop"]


class RecreatingAttempt(Attempt):
    """Way recreate. The copy of the pod (a Secret) outlives this run until the new pod is ready."""

    def __init__(self, task: Task, tools: Tools) -> None:
        super().__init__(task, tools)
        self.writes = True
        self._stage: _Stage = "save"
        self._uid = task.uid
        self._manifest: Object = task.manifest or {}
        self._secret = ""
        # Whether the answer to an eviction was lost.
        self._unsure = False
        # Whether the new pod was deleted once.
        self._again = False
        self._good = 0

    def wants(self) -> list[Want]:
        """Return the pod."""
        return [Want(POD, self.task.object.namespace, self.task.object.name)]

    def write(self) -> End | None:
        """Save and evict, create, or remove the copy."""
        self.writes = False
        if self._stage == "save":
            return self._evict()
        if self._stage == "create":
            return self._create()
        if self._secret:
            drop(self.tools.api, self.task.object.namespace, self._secret)
        return End("done" if self.touched else "unchanged", "it was created again and is ready", pods=self._good)

    def _evict(self) -> End | None:
        """Save it and ask for its eviction. A pod that is not there was deleted by an earlier run, if there is a copy of it."""
        ref, api = self.task.object, self.tools.api
        live = api.get_or_none(POD, ref.name, ref.namespace)
        saved = find_saved(api, ref, self._uid) if self._uid else None
        self._secret = saved.secret if saved is not None else ""
        if live is None:
            if saved is None:
                return End("unchanged", "it was deleted meanwhile")
            self._manifest, self._stage, self.writes = saved.manifest, "create", True
            return None
        if self._uid and live["metadata"]["uid"] != self._uid:
            # Somebody, or an earlier run, has made it again.
            self._stage = "created"
            return None
        self._uid = live["metadata"]["uid"]
        # One that goes already cannot be kept by not evicting it.
        refusal = refusal_of(api, self._manifest, ref.namespace) if "deletionTimestamp" not in live["metadata"] else None
        if refusal is not None:
            text = f"it was left alone, because it could not be created again: {refusal}"
            return End("failed", text, "recreate-refused", f"{refusal.next}; then run the same command again")
        if saved is not None and saved.manifest != self._manifest:
            # It was changed after an earlier run had saved it.
            self._drop()
        if not self._secret:
            self._secret = save(api, live, self._manifest)
        eviction = evict(api, ref.namespace, ref.name, self._uid)
        self.budget = ""
        if eviction.answer == "budget":
            self.budget = f"{ref.namespace}/{eviction.text}"
            # It may wait for long: who changes or deletes the pod meanwhile is not to be undone.
            self._drop()
            self._unsure = False
        elif eviction.answer == "refused":
            return End("failed", eviction.text, eviction.code, eviction.remedy)
        elif eviction.answer == "unknown":
            self._unsure = True
        else:
            self._stage, self.touched = "going", True
        return None

    def _drop(self) -> None:
        drop(self.tools.api, self.task.object.namespace, self._secret)
        self._secret = ""

    def _create(self) -> End | None:
        ref = self.task.object
        try:
            self.tools.api.create(POD, self._manifest, ref.namespace)
        except AlreadyExists:
            pass
        except KubeError as error:
            secret = secret_name(ref.name, self._uid)
            advice = (
                f"{error.next}; then run the same command again, or create it by hand: kubectl get secret -n {ref.namespace} {secret} "
                "-o jsonpath='{.data.manifest\\.json}' | base64 -d | kubectl create -f -"
            )
            return End("failed", f"it was deleted and cannot be created again: {error}", "recreate-failed", advice)
        self._stage, self.touched = "created", True
        return None

    def look(self, seen: Seen, now: float) -> End | None:
        """Find out whether the old pod is gone, or the new one ready."""
        pod = seen.get(POD, self.task.object.namespace, self.task.object.name)
        uid = pod["metadata"]["uid"] if pod is not None else ""
        self.note((self._stage, uid, (pod or {}).get("status", {}).get("phase")), now)
        if self._stage == "save":
            if self.stopped:
                return End("not_run")
            self.writes = True
        elif self._stage == "going":
            self.waits_for = "the old pod to end"
            if uid != self._uid:
                self._stage, self.writes, self.since = ("created", False, now) if uid else ("create", True, now)
        elif self._stage == "created":
            return self._created(pod, now)
        return None

    def _created(self, pod: Object | None, now: float) -> End | None:
        if pod is None:
            if self._again:
                return End("failed", "it was created again and somebody has deleted it", "deleted-again", "find out who deletes it")
            # Who ends pods by their names, and is late, may have meant the old one: it is created once more.
            self._again, self._stage, self.writes = True, "create", True
            return None
        proof = prove([pod], self.tools.rules, self.tools.state, lambda pod: True)
        self.note((self._stage, proof), now)
        self.waits_for = proof.message
        if proof.state == "wrong":
            return End("failed", proof.message, proof.code, "look at the injector, then run the same command again")
        if proof.state == "proven" and proof.pods:
            self._good, self._stage, self.writes = proof.pods, "drop", True
        return None

    def pods_for_diagnosis(self, pods: Sequence[Object]) -> list[Object]:
        """Return the pod."""
        return [*pods]

    def tidy(self) -> None:
        """Remove the copy of a pod that was not evicted."""
        if self._secret and self._stage == "save" and not self._unsure:
            self._drop()
