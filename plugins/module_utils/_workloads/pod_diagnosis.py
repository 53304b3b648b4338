# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why one pod is not ready. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads import remedies
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.crash_log import REASONS, Clue, masked, of_text, read_log
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import pod_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice, Cause, Trouble

Object = Mapping[str, Any]

_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
)
_START_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_MOUNT_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
# What the scheduler tried besides only repeats the reason; the claims are said of every pod from Kubernetes 1.34 on.
_PREEMPTION = re.compile(r"[.,]? no new claims to deallocate|[.,]? preemption:")
# Crashes that come again whatever time passes, once they were seen this often.
_HOPELESS: frozenset[Cause] = frozenset({"cli-mismatch", "crd-without-labels", "crd-stored-version", "object-refused"})
_RESTARTS = 2


class PodEvents:
    """Warnings by the pod they are about, the latest last."""

    def __init__(self, events: Iterable[Object]) -> None:
        self._of_pods: dict[str, list[Object]] = {}
        self._others: list[Object] = []
        for event in sorted(events, key=_time):
            about = event.get("involvedObject") or {}
            if about.get("kind") == "Pod":
                self._of_pods.setdefault(str(about.get("name")), []).append(event)
            else:
                self._others.append(event)

    def latest(self, pod: Object, *reasons: str) -> Object | None:
        """Return the newest Event about this very pod (an earlier one may have had its name) with one of ``reasons``."""
        metadata = pod["metadata"]
        for event in reversed(self._of_pods.get(metadata["name"], ())):
            uid = (event.get("involvedObject") or {}).get("uid")
            if event.get("reason") in reasons and uid in (None, "", metadata.get("uid")):
                return event
        return None

    def refused_pods(self) -> Iterator[tuple[ObjectRef, str]]:
        """Yield the newest FailedCreate of every DaemonSet and StatefulSet."""
        newest: dict[ObjectRef, str] = {}
        for event in self._others:
            about = event.get("involvedObject") or {}
            if event.get("reason") == "FailedCreate" and about.get("kind") in ("DaemonSet", "StatefulSet"):
                newest[ObjectRef(about["kind"], about["name"], about.get("namespace", ""))] = str(event.get("message", ""))
        yield from newest.items()


def of_pod(pod: Object, events: PodEvents, logs: Mapping[tuple[str, str], str], advice: Advice, old: bool) -> Iterator[Trouble]:
    """Yield what keeps a raw pod from being ready, one line at most; ``logs`` are by (pod, container)."""
    found = _Pod(pod, events, logs, advice).trouble()
    if found is None:
        return
    if old:
        gone = "it belongs to an earlier revision and goes when the new pods are ready"
        found = found._replace(old=True, hopeless=False, message=f"{found.message} ({gone})")
    yield found


class _Pod:
    def __init__(self, pod: Object, events: PodEvents, logs: Mapping[tuple[str, str], str], advice: Advice) -> None:
        self._pod, self._events, self._logs, self._advice = pod, events, logs, advice
        metadata, self._status = pod["metadata"], pod.get("status") or {}
        self._ref = ObjectRef("Pod", metadata["name"], metadata["namespace"])
        self._component = (metadata.get("labels") or {}).get("app", "") or _owner(metadata)
        self._conditions = {item["type"]: item for item in self._status.get("conditions") or ()}

    def trouble(self) -> Trouble | None:
        if self._pod["metadata"].get("deletionTimestamp"):
            return self._terminating()
        if self._status.get("phase") == "Succeeded":
            return None
        if self._status.get("phase") == "Failed":
            ended = ": ".join(filter(None, ("it has ended", self._status.get("reason"), self._status.get("message"))))
            return self._told("not-ready", masked(ended), f"kubectl delete pod -n {self._ref.namespace} {self._ref.name}")
        if self._conditions.get("PodScheduled", {}).get("status") == "False":
            return self._unscheduled()
        inits, containers = (self._status.get(key) or () for key in ("initContainerStatuses", "containerStatuses"))
        for container in (*inits, *containers):
            found = self._container(container)
            if found is not None:
                return found
        waiting = next((item["name"] for item in inits if not item.get("ready")), "")
        return self._init(waiting) if waiting else self._unready(containers)

    def _told(self, cause: Cause, message: str, remedy: str, *, hopeless: bool = False, short: str = "") -> Trouble:
        return Trouble(self._ref, cause, message, remedy, self._component, hopeless, short=short)

    def _terminating(self) -> Trouble | None:
        metadata = self._pod["metadata"]
        finalizers = metadata.get("finalizers") or ()
        if not finalizers:
            return None
        message = f"it is being deleted since {metadata['deletionTimestamp']}, and held by {', '.join(finalizers)}"
        return self._told("terminating", message, "find out who should take the finalizer away: its controller has to run")

    def _unscheduled(self) -> Trouble:
        condition = self._conditions["PodScheduled"]
        event = self._events.latest(self._pod, "FailedScheduling") or {}
        message = _PREEMPTION.split(str(condition.get("message") or event.get("message") or ""))[0].rstrip("., ")
        cause: Cause = "unschedulable"
        if "Insufficient cpu" in message:
            cause = "insufficient-cpu"
        elif "Insufficient memory" in message:
            cause = "insufficient-memory"
        text = ": ".join(filter(None, (condition.get("reason", "not scheduled"), message)))
        if condition.get("reason") == "SchedulingGated":
            return self._told(cause, text, "somebody has put a scheduling gate on the pod: its controller has to take it away")
        need = pod_request(self._pod.get("spec") or {})
        return self._told(cause, text, remedies.of_scheduling(message, self._component, need, self._advice))

    def _container(self, container: Object) -> Trouble | None:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        reason, name = waiting.get("reason", ""), container["name"]
        if reason in _IMAGE_REASONS:
            return self._image(container, reason, waiting.get("message", ""))
        if reason in _START_REASONS:
            message = f"container {name} cannot be started: {reason}: {waiting.get('message', '')}".rstrip(": ")
            look = f"make what it names (a ConfigMap, a Secret, a command): kubectl describe pod -n {self._ref.namespace} {self._ref.name}"
            return self._told("container-start", message, look, short=f"container {name} cannot be started: {reason}")
        if reason == "CrashLoopBackOff" or (ended.get("exitCode") and not container.get("ready")):
            return self._crash(container, ended)
        return None

    def _image(self, container: Object, reason: str, message: str) -> Trouble:
        image = _image_of(self._pod, container)
        event = self._events.latest(self._pod, "Failed") or {}
        # The back-off says nothing about why; the Event of the attempt does.
        detail = (
            str(event.get("message") or "") if reason == "ImagePullBackOff" and "Failed to pull" in str(event.get("message")) else message
        )
        key = self._advice.image_of.get(self._component, self._advice.images)
        text = f"container {container['name']}: {reason} {image}: {masked(detail)}".rstrip(": ")
        remedy = remedies.of_image(detail, image, reason, self._ref.namespace, key)
        short = f"container {container['name']}: {reason} {image}"
        return self._told("image-pull", text, remedy, hopeless=reason == "InvalidImageName", short=short)

    def _crash(self, container: Object, ended: Object) -> Trouble:
        name, restarts = container["name"], int(container.get("restartCount") or 0)
        message = f"container {name} ends with exit code {ended.get('exitCode', 'unknown')} (restarts: {restarts})"
        if ended.get("reason") == "OOMKilled":
            raise_it = self._advice.requests_of.get(self._component, "").replace(".requests", ".limits.memory")
            remedy = f"it needs more memory than its limit: raise {raise_it or 'its memory limit in the chart values'}"
            return self._told("crash-loop", f"{message}: OOMKilled", remedy)
        clue = self._clue(name, ended)
        if clue is not None:
            message = f"{message}: {clue.quote}"
            if clue.subject.get("crd") and clue.cause == "crd-without-labels":
                message += f" (at CRD {clue.subject['crd']}, which has no labels)"
        cause: Cause = clue.cause if clue is not None else "crash-loop"
        remedy = remedies.of_crash(clue, self._ref, name, self._advice)
        short = f"container {name} ends again and again (restarts: {restarts}): {cause}"
        return self._told(cause, message, remedy, hopeless=cause in _HOPELESS and restarts >= _RESTARTS, short=short)

    def _clue(self, container: str, ended: Object) -> Clue | None:
        """Return why it ended: from its log, else from its Event, else from its termination message."""
        clue = read_log(self._logs.get((self._ref.name, container), "")) or read_log(str(ended.get("message") or ""))
        if clue is not None and clue.cause != "crash-loop":
            return clue
        event = self._events.latest(self._pod, *REASONS)
        if event is None:
            return clue
        text = str(event.get("message", ""))
        return of_text(text) or Clue(REASONS[event["reason"]], masked(f"{event['reason']}: {text}"))

    def _init(self, name: str) -> Trouble:
        bootstrap, namespace = self._advice.bootstrap, self._ref.namespace
        blocked = self._starting()
        if blocked is not None:
            return blocked
        # osm-edge v1.3.9 charts/osm/templates/osm-injector.yaml: curl on osm-bootstrap:9091/healthz, 50 times.
        if bootstrap and self._component != bootstrap and name.startswith("init-"):
            look = (
                f"look at {bootstrap} first: kubectl get pods -n {namespace} -l app={bootstrap}; "
                f"kubectl logs -n {namespace} deployment/{bootstrap}"
            )
            return self._told("waits-for-bootstrap", f"init container {name} waits for {bootstrap} to answer", look)
        look = f"look at what this init container waits for: kubectl logs -n {namespace} {self._ref.name} -c {name}"
        return self._told("init", f"init container {name} has not finished", look)

    def _starting(self) -> Trouble | None:
        """Return why no container can be started yet: a volume, a network."""
        event = self._events.latest(self._pod, *_MOUNT_EVENTS)
        statuses = (item for key in ("initContainerStatuses", "containerStatuses") for item in self._status.get(key) or ())
        started = any("running" in (item.get("state") or {}) for item in statuses)
        if event is None or started:
            return None
        look = (
            f"make what it names, or repair the node's storage or network: kubectl describe pod -n {self._ref.namespace} {self._ref.name}"
        )
        reason = str(event["reason"])
        return self._told("container-start", f"{reason}: {masked(str(event.get('message', '')))}", look, short=reason)

    def _unready(self, containers: Iterable[Object]) -> Trouble | None:
        if self._conditions.get("Ready", {}).get("status") == "True":
            return None
        blocked = self._starting()
        if blocked is not None:
            return blocked
        unready = [item for item in containers if not item.get("ready")]
        names = ", ".join(item["name"] for item in unready) or self._status.get("phase", "unknown")
        logs = f"kubectl logs -n {self._ref.namespace} {self._ref.name}"
        event = self._events.latest(self._pod, "Unhealthy")
        if event is not None and unready:
            text = f"not ready: {names}: {masked(str(event.get('message', '')))}"
            look = f"the program runs and does not answer its probe: {logs} -c {unready[0]['name']}"
            return self._told("probe-failing", text, look, short=f"not ready: {names}: its probe fails")
        if not self._pod.get("spec", {}).get("nodeName") and not self._conditions:
            return self._told(
                "unschedulable", "no scheduler has looked at it", "check that the scheduler runs (kubectl get pods -n kube-system)"
            )
        return self._told("not-ready", f"not ready: {names}", f"read its log, and its readiness probe: {logs}")


def _image_of(pod: Object, container: Object) -> str:
    """Return the image as the template names it; the status may have a digest or nothing."""
    spec = pod.get("spec") or {}
    named = next(
        (
            item.get("image", "")
            for key in ("initContainers", "containers")
            for item in spec.get(key) or ()
            if item["name"] == container["name"]
        ),
        "",
    )
    return str(named or container.get("image", ""))


def _owner(metadata: Object) -> str:
    return str(next((ref.get("name", "") for ref in metadata.get("ownerReferences") or () if ref.get("controller")), ""))


def _time(event: Object) -> str:
    """Return when it was last seen; both styles of Events are RFC 3339, so texts compare."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("metadata", {}).get("creationTimestamp")
        or ""
    )
