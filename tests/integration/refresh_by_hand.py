# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of a refresh without a mesh, a plan or a module around it, in this process or (to be killed) in one of its own.

The sidecar is a container of that name in the pod template, and it should be ``NEW``. Workloads that roll are refreshed by the
annotation alone, so there the annotation is what makes a pod right.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    DAEMONSET,
    DEPLOYMENT,
    POD,
    REPLICASET,
    REPLICATION_CONTROLLER,
    STATEFULSET,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome, step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import template_token
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Options, Task, Verdict, Way
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import RefreshRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status

Object = Mapping[str, Any]
OLD, NEW, WORD = "proxy:1", "proxy:2", "t1"
SIDECAR = "sidecar"
_OTHERS: dict[Kind, Way] = {
    Kind("apps.openshift.io/v1", "DeploymentConfig", "deploymentconfigs"): "instantiate",
    Kind("argoproj.io/v1alpha1", "Rollout", "rollouts"): "restart_at",
}


class Rules:
    """Satisfies SidecarRules; pods labelled ``naked`` are judged as if nothing had been injected.

    Those labelled ``by-age`` should have been created after the rules were made.
    """

    target, namespace = "mesh-system/mesh", "mesh-system"

    def __init__(self) -> None:
        self._made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def selects(self, namespace: Object) -> bool:
        return bool(namespace)

    def judge(self, pod: Object) -> Verdict:
        metadata = pod["metadata"]
        if "naked" in (metadata.get("labels") or {}):
            return Verdict("missing", "it has no sidecar")
        if "by-age" in (metadata.get("labels") or {}):
            return Verdict("current") if metadata["creationTimestamp"] >= self._made else Verdict("stale", "it is too old")
        if (metadata.get("annotations") or {}).get(TOKEN) == WORD or image_of(pod["spec"]) == NEW:
            return Verdict("current")
        return Verdict("stale", f"runs {image_of(pod['spec'])}, new pods get {NEW}")

    def injects(self, template: Object) -> bool:
        return bool(template)

    def denies(self, template: Object) -> str:
        return "" if template else "empty"

    def written_in(self, template: Object) -> bool:
        return not template

    def fingerprint(self, template: Object) -> str:
        return WORD if template else ""

    def alive(self) -> list[Refusal]:
        return []

    def strip(self, pod: Object) -> dict[str, Any]:
        return dict(pod)


@dataclass
class Done:
    """What came out: outcomes and the codes of what is not fine by name."""

    run: RefreshRun
    outcomes: list[StepOutcome]
    error: LifecycleError | None
    lines: list[str]
    names: list[str]

    @property
    def ends(self) -> dict[str, str]:
        return {name: outcome.outcome for name, outcome in zip(self.names, self.outcomes, strict=True)}

    @property
    def codes(self) -> dict[str, str]:
        return {entry["object"]["name"]: entry["code"] for entry in self.run.entries}

    def entry(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.run.entries if entry["object"]["name"] == name)


@dataclass
class _Caller:
    params: Mapping[str, Any]
    tmpdir: str
    name: str = field(default="refresh_by_hand")


class _Lines(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)
        print(text, flush=True)


def refresh(kubeconfig: str, namespace: str, timeout: float = 120, **options: Any) -> Done:
    """Refresh everything in the namespace that is not as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        api = connect(_Caller({"kubeconfig": kubeconfig}, directory), explicit=True).api
        rules = Rules()
        tasks = tasks_of(api, namespace, rules)
        lines = _Lines()
        asked = Options(**{"pods_per_minute": 0, **options})
        run = RefreshRun(api, rules, tasks, asked, lambda: None, lines, Deadline(timeout))
        outcomes, error = run.run()
        return Done(run, outcomes, error, lines.lines, [task.object.name for task in tasks])


def start(kubeconfig: str, namespace: str, **options: Any) -> subprocess.Popen[str]:
    """Start the same in a process of its own; its output are the lines of progress."""
    text = json.dumps({"kubeconfig": kubeconfig, "namespace": namespace, **options})
    return subprocess.Popen([sys.executable, __file__, text], stdout=subprocess.PIPE, text=True)


def _list(api: Api, kind: Kind, namespace: str) -> list[dict[str, Any]]:
    try:
        return [*api.list(kind, namespace)]
    except NotFound:
        return []


def tasks_of(api: Api, namespace: str, rules: Rules) -> list[Task]:
    """What a plan would make of the namespace."""
    tasks = []
    pods = [*api.list(POD, namespace)]
    for kind in (DEPLOYMENT, STATEFULSET, DAEMONSET, REPLICASET, REPLICATION_CONTROLLER, *_OTHERS):
        for item in _list(api, kind, namespace):
            if item["metadata"].get("ownerReferences"):
                continue
            own = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("app") == item["metadata"]["name"]]
            stale = [pod["metadata"]["name"] for pod in own if rules.judge(pod).state not in ("current", "outside")]
            rolls = kind in (DEPLOYMENT, STATEFULSET, DAEMONSET) and item["spec"].get("updateStrategy", {}).get("type") != "OnDelete"
            under_way = rolls and template_token(item) == WORD
            if stale if not under_way else stale or not rollout_status(item).done:
                tasks.append(_task(item, kind, "wait" if under_way else "rollout" if rolls else _OTHERS.get(kind, "evict"), stale))
    return [*tasks, *(_bare(pod) for pod in pods if not pod["metadata"].get("ownerReferences") and rules.judge(pod).state == "stale")]


def _task(item: Object, kind: Kind, way: Way, stale: list[str]) -> Task:
    metadata = item["metadata"]
    ref = ObjectRef(kind.kind, metadata["name"], metadata["namespace"])
    token = WORD if way in ("rollout", "wait") else ""
    return Task(
        step_id(way, ref), ref, kind, way, len(stale), "stale", metadata["uid"], metadata["resourceVersion"], token, stale=tuple(stale)
    )


def _bare(pod: Object) -> Task:
    metadata = pod["metadata"]
    ref = ObjectRef("Pod", metadata["name"], metadata["namespace"])
    containers = [{"name": item["name"], "image": NEW if item["name"] == SIDECAR else item["image"]} for item in pod["spec"]["containers"]]
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": metadata["labels"]},
        "spec": {"containers": containers},
    }
    return Task(step_id("recreate", ref), ref, POD, "recreate", 1, "stale", metadata["uid"], stale=(ref.name,), manifest=manifest)


def image_of(spec: Object) -> str:
    """The image of the sidecar in a pod's spec."""
    return str(next((item["image"] for item in spec["containers"] if item["name"] == SIDECAR), ""))


if __name__ == "__main__":
    refresh(**json.loads(sys.argv[1]))
