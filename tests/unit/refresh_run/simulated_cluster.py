# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster that lives in a dictionary and on a clock that only ``sleep`` moves: controllers, an injector, budgets, faults.

It answers the requests that a refresh sends. Controllers act every half second of its time, as the real ones do: Deployments surge by
one pod, StatefulSets and DaemonSets replace one pod after the other, ReplicaSets make a new pod when one is gone.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AlreadyExists,
    BudgetExhausted,
    Call,
    Conflict,
    NotFound,
    ServerFailure,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    BUILT_IN,
    DAEMONSET,
    DEPLOYMENT,
    POD,
    REPLICASET,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Task, Verdict

Object = dict[str, Any]
NEW, OLD = "proxy:2", "proxy:1"
TICK = 0.5


class SimulatedCluster:
    """The API of ``_kube/api.py`` as far as a refresh uses it. ``injected`` is the sidecar image that new pods get ('' for none)."""

    server = "simulated"

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self.injected = NEW
        self.injector_alive = True
        self.start_seconds = 1.0
        self.end_seconds = 0.5
        # Budgets by app label: name and whether they allow a disruption now.
        self.budgets: dict[str, tuple[str, Callable[[], bool]]] = {}
        self.writes: list[tuple[float, str, str]] = []
        self.reads: list[tuple[str, str]] = []
        # Asked before every request; raises to make it fail.
        self.fault: Callable[[str, Kind, str], None] = lambda verb, kind, name: None
        # Called after every tick.
        self.watch: Callable[[], None] = lambda: None
        self._objects: defaultdict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._pods_by_owner: defaultdict[str, dict[str, Object]] = defaultdict(dict)
        self._version = 0
        self._uid = 0
        self._ticked = self.time

    # Time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        end = self.time + seconds
        while self._ticked + TICK <= end:
            self._ticked += TICK
            self.time = self._ticked
            self.tick()
        self.time = end

    def settle(self, seconds: float = 30.0) -> None:
        self.sleep(seconds)
        self.writes.clear()
        self.reads.clear()

    # The API

    def get(self, kind: Kind, name: str, namespace: str | None = None, **_options: Any) -> Object:
        self._request("get", kind, name)
        return copy.deepcopy(self._find("get", kind, name, namespace))

    def get_or_none(self, kind: Kind, name: str, namespace: str | None = None, **_options: Any) -> Object | None:
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", **_options: Any) -> Iterator[Object]:
        self._request("list", kind, "")
        wanted = dict(part.split("=") for part in label_selector.split(",") if part)
        for item in self.all(kind):
            labels = item["metadata"].get("labels") or {}
            if namespace in (None, item["metadata"]["namespace"]) and wanted.items() <= labels.items():
                yield copy.deepcopy(item)

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Object:
        self._request("patch", kind, f"{namespace}/{name}")
        live = self._find("patch", kind, name, namespace)
        for key, value in (("uid", uid), ("resourceVersion", resource_version)):
            if value and live["metadata"][key] != value:
                raise Conflict(_call("patch", kind, name), status=409, reason="Conflict", message=f"{key} differs")
        _merge(live, body)
        self.touch(live)
        live["metadata"]["managedFields"] = [{"manager": "meshops.lifecycle", "time": self.stamp()}]
        return copy.deepcopy(live)

    def create(self, kind: Kind, body: Mapping[str, Any], namespace: str | None = None, *, dry_run: bool = False) -> Object:
        metadata = body["metadata"]
        place = namespace or metadata["namespace"]
        if dry_run:
            self.fault("dry run", kind, f"{place}/{metadata['name']}")
            return copy.deepcopy(dict(body))
        self._request("create", kind, f"{place}/{metadata['name']}")
        if (place, metadata["name"]) in self._objects[kind.plural]:
            raise AlreadyExists(_call("create", kind, metadata["name"]), status=409, reason="AlreadyExists")
        return copy.deepcopy(self.put(kind, {**copy.deepcopy(dict(body)), "metadata": {**metadata, "namespace": place}}))

    def delete(self, kind: Kind, name: str, namespace: str | None = None) -> bool:
        self._request("delete", kind, f"{namespace}/{name}")
        return self._objects[kind.plural].pop((namespace or "", name), None) is not None

    def post(self, kind: Kind, name: str, namespace: str | None, subresource: str, body: Mapping[str, Any]) -> Object:
        self._request(subresource, kind, f"{namespace}/{name}")
        if subresource != "eviction":
            raise NotImplementedError(subresource)
        live = self._find("evict", kind, name, namespace)
        uid = body["deleteOptions"]["preconditions"]["uid"]
        if live["metadata"]["uid"] != uid:
            raise Conflict(_call("evict", kind, name), status=409, reason="Conflict", message="uid differs")
        budget = self.budgets.get(live["metadata"]["labels"]["app"])
        if budget is not None and not budget[1]():
            cause = {"reason": "DisruptionBudget", "message": f"The disruption budget {budget[0]} needs 2 healthy pods and has 2 currently"}
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            raise BudgetExhausted(
                _call("evict", kind, name), status=429, reason="TooManyRequests", message=text, details={"causes": [cause]}
            )
        self.end(live)
        return {}

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Sequence[Any]:
        return [function(item) for item in items]

    def within(self, _seconds: float) -> SimulatedCluster:
        return self

    def _request(self, verb: str, kind: Kind, name: str) -> None:
        self.fault(verb, kind, name)
        if verb in ("get", "list"):
            self.reads.append((verb, kind.kind))
        else:
            self.writes.append((self.time, verb, name))

    # What is there

    def all(self, kind: Kind) -> Sequence[Object]:
        return [*self._objects[kind.plural].values()]

    def pods(self, app: str = "") -> Sequence[Object]:
        return [pod for pod in self.all(POD) if not app or pod["metadata"]["labels"]["app"] == app]

    def there(self, kind: Kind, namespace: str, name: str) -> Object:
        return self._objects[kind.plural][namespace, name]

    def put(self, kind: Kind, item: Object) -> Object:
        """Store a new object."""
        self._uid += 1
        metadata = item["metadata"]
        metadata |= {"uid": f"uid-{self._uid}", "generation": 1, "creationTimestamp": self.stamp()}
        item |= {"apiVersion": kind.api_version, "kind": kind.kind}
        if kind == POD:
            self._admit(item)
        self._objects[kind.plural][metadata["namespace"], metadata["name"]] = item
        if kind == POD:
            self._pods_by_owner[_owner(item)][metadata["name"]] = item
        self.touch(item, spec=False)
        return item

    def touch(self, item: Object, *, spec: bool = True) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        if spec:
            item["metadata"]["generation"] += 1

    def drop(self, item: Object) -> None:
        metadata = item["metadata"]
        del self._objects[BUILT_IN[item["apiVersion"], item["kind"]].plural][metadata["namespace"], metadata["name"]]
        if item["kind"] == "Pod":
            del self._pods_by_owner[_owner(item)][metadata["name"]]

    def end(self, pod: Object) -> None:
        pod["metadata"].setdefault("deletionTimestamp", self.stamp())
        pod.setdefault("_ends", self.time + float(pod.get("_slow_end") or self.end_seconds))

    def stamp(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _find(self, verb: str, kind: Kind, name: str, namespace: str | None) -> Object:
        found = self._objects[kind.plural].get((namespace or "", name))
        if found is None:
            raise NotFound(_call(verb, kind, name), status=404, reason="NotFound", message=f"{name} not found")
        return found

    # Workloads

    def workload(self, kind: Kind, name: str, replicas: int = 2, namespace: str = "shop", **spec: Any) -> Object:
        """A workload whose pods have the old sidecar."""
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
        body = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
            "status": {},
        }
        now, self.injected = self.injected, OLD
        made = self.put(kind, body)
        for dummy in range(replicas + 2):
            self._control(made)
        for pod in self.pods(name):
            pod["_ready_at"] = 0.0
            _set_ready(pod, ready=True)
        self._control(made)
        self.injected = now
        return made

    def bare_pod(self, name: str, namespace: str = "shop") -> Object:
        now, self.injected = self.injected, OLD
        metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
        pod = self.put(POD, {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app:1"}]}})
        pod["_ready_at"] = 0.0
        self.tick()
        self.injected = now
        return pod

    def task(self, workload: Object, token: str = "t1", **more: Any) -> Task:
        """The task that a plan would have for it."""
        kind = BUILT_IN[workload["apiVersion"], workload["kind"]]
        metadata, spec = workload["metadata"], workload["spec"]
        ref = ObjectRef(kind.kind, metadata["name"], metadata["namespace"])
        if kind == POD:
            manifest = {"metadata": {"name": ref.name, "namespace": ref.namespace, "labels": metadata["labels"]}, "spec": spec}
            return Task(step_id("recreate", ref), ref, kind, "recreate", 1, "stale", metadata["uid"], stale=(ref.name,), manifest=manifest)
        evicted = kind in (REPLICASET,) or (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
        stale = tuple(sorted(pod["metadata"]["name"] for pod in self.pods(ref.name) if sidecar(pod) != NEW)) if evicted else ()
        way = more.pop("way", "evict" if evicted else "rollout")
        pods = len(stale) if evicted else int(spec["replicas"])
        return Task(
            step_id(way, ref),
            ref,
            kind,
            way,
            pods,
            "stale",
            metadata["uid"],
            metadata["resourceVersion"],
            "" if evicted else token,
            stale=stale,
            **more,
        )

    # Controllers

    def tick(self) -> None:
        """Let half a second's work be done."""
        for pod in self.all(POD):
            if pod["metadata"].get("deletionTimestamp"):
                if self.time >= pod["_ends"]:
                    self.drop(pod)
            else:
                _set_ready(pod, ready=self.time >= pod["_ready_at"])
        for kind in (DEPLOYMENT, REPLICASET, STATEFULSET, DAEMONSET):
            for item in self.all(kind):
                self._act(item)
        self.watch()

    def _control(self, item: Object) -> None:
        self._act(item)
        for owned in [other for other in self.all(REPLICASET) if _owner(other) == item["metadata"]["uid"]]:
            self._act(owned)

    def _act(self, item: Object) -> None:
        """What the controller of one object does."""
        if item["kind"] == "Deployment":
            self._deployment(item)
        elif item["kind"] == "ReplicaSet":
            self._replica_set(item)
        else:
            self._ordinals(item)

    def _deployment(self, deployment: Object) -> None:
        spec, metadata, wanted = deployment["spec"], deployment["metadata"], deployment["spec"]["replicas"]
        sets = [item for item in self.all(REPLICASET) if _owner(item) == metadata["uid"]]
        revision = _hash(spec["template"])
        current = next((item for item in sets if item["metadata"]["labels"]["pod-template-hash"] == revision), None)
        if current is None:
            template = copy.deepcopy(spec["template"])
            template["metadata"]["labels"]["pod-template-hash"] = revision
            current = self.put(
                REPLICASET,
                {
                    "metadata": {
                        "name": f"{metadata['name']}-{revision}",
                        "namespace": metadata["namespace"],
                        "labels": template["metadata"]["labels"],
                        "ownerReferences": [_reference(deployment)],
                    },
                    "spec": {"replicas": 0, "template": template, "selector": {"matchLabels": template["metadata"]["labels"]}},
                    "status": {},
                },
            )
        others = [item for item in sets if item is not current]
        pods = {item["metadata"]["uid"]: [pod for pod in self._owned(item) if _lives(pod)] for item in (current, *others)}
        mine, old = pods[current["metadata"]["uid"]], [pod for item in others for pod in pods[item["metadata"]["uid"]]]
        available = sum(map(is_ready, mine))
        current["spec"]["replicas"] = min(wanted, max(current["spec"]["replicas"], wanted + 1 - len(old)))
        for item in others:
            spare = max(0, len(old) - (wanted - available))
            item["spec"]["replicas"] = max(0, len(pods[item["metadata"]["uid"]]) - spare)
        ready = available + sum(map(is_ready, old))
        deployment["status"] = {
            "observedGeneration": metadata["generation"],
            "replicas": len(mine) + len(old),
            "updatedReplicas": len(mine),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }

    def _replica_set(self, item: Object) -> None:
        pods, spec = [pod for pod in self._owned(item) if _lives(pod)], item["spec"]
        for dummy in range(spec["replicas"] - len(pods)):
            self._make_pod(item, f"{item['metadata']['name']}-{self._uid:05d}")
        for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - spec["replicas"])]:
            self.end(pod)
        ready = sum(map(is_ready, pods))
        item["status"] = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1}

    def _ordinals(self, item: Object) -> None:
        spec, metadata = item["spec"], item["metadata"]
        revision, rule = _hash(spec["template"]), spec.get("updateStrategy") or {}
        below = (rule.get("rollingUpdate") or {}).get("partition", 0)
        pods = {pod["metadata"]["name"]: pod for pod in self._owned(item)}
        names = [f"{metadata['name']}-{number}" for number in range(spec["replicas"])]
        missing = next((name for name in names if name not in pods), None)
        unready = any(not is_ready(pod) for pod in pods.values())
        old = [pods[name] for number, name in enumerate(names) if name in pods and number >= below and _revision(pods[name]) != revision]
        if missing is not None:
            self._make_pod(item, missing, revision)
        elif rule.get("type") != "OnDelete" and old and not unready:
            self.end(old[-1])
        mine = [pod for pod in pods.values() if _lives(pod)]
        updated, ready = sum(_revision(pod) == revision for pod in mine), sum(map(is_ready, mine))
        if item["kind"] == "DaemonSet":
            status = {"desiredNumberScheduled": spec["replicas"], "updatedNumberScheduled": updated, "numberReady": ready}
            item["status"] = {**status, "numberAvailable": ready, "observedGeneration": metadata["generation"]}
        else:
            status = {"replicas": len(mine), "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready}
            current = revision if updated == len(mine) else "older"
            item["status"] = {
                **status,
                "observedGeneration": metadata["generation"],
                "currentRevision": current,
                "updateRevision": revision,
            }

    def _make_pod(self, owner: Object, name: str, revision: str = "") -> None:
        template = copy.deepcopy(owner["spec"]["template"])
        labels = {**template["metadata"]["labels"], **({"controller-revision-hash": revision} if revision else {})}
        metadata = {**template["metadata"], "labels": labels, "name": name, "namespace": owner["metadata"]["namespace"]}
        self.put(POD, {"metadata": {**metadata, "ownerReferences": [_reference(owner)]}, "spec": template["spec"]})

    def _admit(self, pod: Object) -> None:
        """The injector, and the kubelet's first status."""
        spec = copy.deepcopy(pod["spec"])
        spec["containers"] = [item for item in spec["containers"] if item["name"] != "sidecar"]
        if self.injected:
            spec["containers"].append({"name": "sidecar", "image": self.injected})
        pod["spec"] = spec
        behaviour = pod["metadata"]["labels"].get("behaviour", "")
        pod["_ready_at"] = float("inf") if behaviour == "never-ready" and self.injected == NEW else self.time + self.start_seconds
        _set_ready(pod, ready=False)

    def _owned(self, owner: Object) -> Sequence[Object]:
        return [*self._pods_by_owner[owner["metadata"]["uid"]].values()]


class SimulatedRules:
    """A mesh whose pods should have ``NEW``; satisfies SidecarRules."""

    target, namespace = "mesh-system/mesh", "mesh-system"

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self.asked = 0

    def selects(self, namespace: Mapping[str, Any]) -> bool:
        return bool(namespace)

    def judge(self, pod: Mapping[str, Any]) -> Verdict:
        image = sidecar(pod)
        if not image:
            return Verdict("missing", "it has no sidecar")
        return Verdict("current") if image == NEW else Verdict("stale", f"runs {image}, new pods get {NEW}")

    def injects(self, template: Mapping[str, Any]) -> bool:
        return bool(template)

    def written_in(self, template: Mapping[str, Any]) -> bool:
        return not template

    def denies(self, template: Mapping[str, Any]) -> str:
        return "" if template else "nothing"

    def fingerprint(self, template: Mapping[str, Any]) -> str:
        return _hash(template)

    def alive(self) -> list[Refusal]:
        self.asked += 1
        if self._cluster.injector_alive:
            return []
        service = ObjectRef("Service", "injector", "mesh-system")
        return [Refusal("injector-down", service, "no endpoint of the injector is ready", "pods would not come back", "", "repair it")]

    def strip(self, pod: Mapping[str, Any]) -> Object:
        return dict(pod)


def sidecar(pod: Mapping[str, Any]) -> str:
    """The image of a pod's sidecar, or the empty string."""
    return str(next((item["image"] for item in pod["spec"]["containers"] if item["name"] == "sidecar"), ""))


def failing(*writes: str) -> Callable[[str, Kind, str], None]:
    """A fault: these writes (verbs) answer 500."""

    def fault(verb: str, kind: Kind, name: str) -> None:
        if verb in writes:
            raise ServerFailure(_call(verb, kind, name), status=500, reason="InternalError", message="etcd is gone")

    return fault


def template_token(workload: Object) -> str:
    """The token that a workload's template carries."""
    return str((workload["spec"]["template"]["metadata"].get("annotations") or {}).get(TOKEN, ""))


def _call(verb: str, kind: Kind, name: str) -> Call:
    return Call(verb, f"{kind.kind} {name}", "/", "simulated")


def _merge(target: Object, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _hash(template: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]


def _reference(owner: Object) -> Object:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def _owner(item: Object) -> str:
    return next((str(ref["uid"]) for ref in item["metadata"].get("ownerReferences") or ()), "")


def _revision(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("controller-revision-hash", ""))


def _lives(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"]


def is_ready(pod: Object) -> bool:
    """Whether a pod says that it is ready."""
    return any(item["status"] == "True" for item in pod["status"]["conditions"])


def _set_ready(pod: Object, *, ready: bool) -> None:
    pod["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": item["name"], "ready": ready} for item in pod["spec"]["containers"]],
    }
