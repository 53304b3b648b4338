# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a diagnosis needs: workloads, pods, Events, and the last log lines of containers that end again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, EVENT, POD, REPLICASET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import newest_hashes, troubles
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice, Trouble

Object = dict[str, Any]

# Nobody waits long for a diagnosis: a node that is gone makes every read of its logs fail slowly.
_SECONDS = 10.0
_LOGS = 8
_LOG_LINES = "100"
_LOG_BYTES = "65536"


class Diagnosis(NamedTuple):
    """What was found, and the reads that failed (a permission that is missing, in most cases)."""

    troubles: tuple[Trouble, ...] = ()
    unread: tuple[str, ...] = ()


def diagnose(api: Api, namespace: str, names: Collection[str], *, advice: Advice, redactor: Redactor | None = None) -> Diagnosis:
    """Say what keeps the Deployments ``names`` back: 4 lists, and one read per container that crashes (8 at most).

    What may not be read is left out and told. Raises nothing: a diagnosis comes on top of a failure that must be told in any case.
    """
    return _Reading(api.within(_SECONDS), namespace, redactor or Redactor()).diagnose(names, advice)


class _Reading:
    def __init__(self, api: Api, namespace: str, redactor: Redactor) -> None:
        self._api = api
        self._namespace = namespace
        self._redactor = redactor
        self._unread: list[str] = []

    def diagnose(self, names: Collection[str], advice: Advice) -> Diagnosis:
        reads: list[Callable[[], list[Object] | None]] = [
            lambda: self._listed("Deployments", lambda: self._api.list(DEPLOYMENT, self._namespace)),
            lambda: self._listed("ReplicaSets", lambda: self._api.list(REPLICASET, self._namespace, metadata_only=True)),
            lambda: self._listed("Pods", lambda: self._api.list(POD, self._namespace)),
            lambda: self._listed("Events", self._events),
        ]
        deployments, replica_sets, pods, events = self._api.map(lambda read: read(), reads)
        wanted = [item for item in deployments or () if item["metadata"]["name"] in names]
        own = [pod for pod in pods or () if _belongs(pod, wanted, names)]
        found = troubles(
            wanted,
            own,
            events or (),
            self._logs(own),
            advice=advice,
            newest=None if replica_sets is None or deployments is None else newest_hashes(wanted, replica_sets),
        )
        return Diagnosis(tuple(found), tuple(dict.fromkeys(self._unread)))

    def _listed(self, what: str, read: Callable[[], Iterable[Object]]) -> list[Object] | None:
        try:
            return [*read()]
        except KubeError as error:
            self._missing(f"{what} of namespace {self._namespace}", error)
            return None

    def _events(self) -> Iterator[Object]:
        for event in self._api.list(EVENT, self._namespace, field_selector="type=Warning"):
            event["message"] = self._redactor.text(str(event.get("message") or ""))
            yield event

    def _logs(self, pods: Iterable[Object]) -> dict[tuple[str, str], str]:
        wanted = [item for pod in pods for item in _crashing(pod)][:_LOGS]
        texts = self._api.map(self._log, wanted)
        return {(pod, container): text for (pod, container, _previous), text in zip(wanted, texts, strict=True) if text}

    def _log(self, wanted: tuple[str, str, bool]) -> str:
        pod, container, previous = wanted
        query = {"container": container, "tailLines": _LOG_LINES, "limitBytes": _LOG_BYTES}
        if previous:
            query["previous"] = "true"
        try:
            return self._redactor.text(self._api.raw_text(POD.path(self._namespace, pod, "log"), **query))
        except KubeError as error:
            # 400 and 404: the container or its pod is gone meanwhile, so that there is no log.
            if error.status not in (400, 404):
                self._missing(f"logs of namespace {self._namespace}", error)
            return ""

    def _missing(self, what: str, error: KubeError) -> None:
        needs = error.missing if isinstance(error, Forbidden) else ""
        self._unread.append(f"{what}: {f'needs the permission to {needs}' if needs else error.why or error.msg}")


def _belongs(pod: Object, deployments: Iterable[Object], names: Collection[str]) -> bool:
    """Whether a pod is one of these Deployments', or was before their selector changed."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get("app") in names or any(_selects(item, labels) for item in deployments)


def _selects(deployment: Object, labels: Mapping[str, str]) -> bool:
    wanted = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _crashing(pod: Object) -> Iterator[tuple[str, str, bool]]:
    """Yield (pod, container, whether the log of the run before is wanted) of each container that has ended badly."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if container.get("ready"):
            continue
        state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated") or {}
        ended = (state.get("terminated") or {}).get("exitCode")
        # While it waits to be started again, the kubelet serves the log of the run that has ended.
        if ended or (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
            yield pod["metadata"]["name"], container["name"], False
        elif last.get("exitCode"):
            yield pod["metadata"]["name"], container["name"], True
