# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh of sidecars knows and does: data types, and what it asks of a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout

Object = Mapping[str, Any]

# Annotation of pod templates. Its value says for which sidecar and which configuration the pods were replaced last, so that the
# same refresh patches nothing a second time.
TOKEN = "meshops.lifecycle/sidecar"

PodState = Literal["current", "stale", "missing", "unexpected", "outside"]
State = Literal["current", "absent", "restarted"]
Way = Literal["rollout", "evict", "instantiate", "restart_at", "recreate", "wait"]


class Verdict(NamedTuple):
    """What is to be said about the sidecar of a pod.

    ``current``: has the sidecar that it would get today. ``stale``: has another one, ``reason`` says which.
    ``missing``: would get one and has none. ``unexpected``: has one and would get none. ``outside``: neither has nor gets one.
    """

    state: PodState
    reason: str = ""

    @property
    def has_sidecar(self) -> bool:
        """Whether the pod has a sidecar of the mesh."""
        return self.state in ("current", "stale", "unexpected")


class ControllerRef(NamedTuple):
    """An ownerReference with ``controller: true``."""

    api_version: str
    kind: str
    name: str
    uid: str


class PodFacts(NamedTuple):
    """A pod as far as a refresh needs it; 10,000 of them are kept.

    ``revision`` is the label that tells its template (``pod-template-hash`` or ``controller-revision-hash``), ``token`` the value of
    the annotation TOKEN; both are empty without one. ``ready`` is the whole of it: running, every container (and every sidecar among
    the init containers) ready, condition Ready. ``failing`` are the names of its containers that do not come up.
    """

    namespace: str
    name: str
    uid: str
    controller: ControllerRef | None
    revision: str
    token: str
    phase: str
    ready: bool
    deleting: bool
    mirror: bool
    verdict: Verdict
    created: str = ""
    failing: tuple[str, ...] = ()


class Workload(NamedTuple):
    """What owns pods and can replace them.

    ``kind`` is its resource type, ``uid`` and ``resource_version`` the state that was read. ``revision`` is what pods of its present
    template carry (empty: unknown). ``template`` is the raw pod template with the workload's namespace in its metadata, so that it
    can be judged like a pod. ``strategy`` is RollingUpdate, Recreate or OnDelete (empty: its kind knows none).
    """

    ref: ObjectRef
    kind: Kind
    uid: str
    resource_version: str
    template: Object
    token: str = ""
    revision: str = ""
    strategy: str = ""
    partition: int = 0
    paused: bool = False
    counts: Replicas = Replicas(0, 0, 0, 0)
    rollout: Rollout = Rollout("done", "")


@dataclass(frozen=True)
class Task:
    """One workload (or bare pod) to refresh.

    ``pods`` is what it costs of the pace: all its pods for a rollout, those to evict otherwise. ``stale`` are the names of the pods to
    replace one by one (ways ``evict`` and ``recreate``). ``token`` is the value for the annotation TOKEN (ways ``rollout`` and
    ``wait``). ``manifest`` is what a bare pod is created from again. ``drops`` are annotations that the pod template loses by the same
    write (way ``rollout``). ``failing`` (way ``wait``) tells that an earlier run has begun it with the sidecar of today, and that it does
    not come up.
    """

    id: str
    object: ObjectRef
    kind: Kind
    way: Way
    pods: int
    reason: str
    uid: str = ""
    resource_version: str = ""
    token: str = ""
    token_before: str = ""
    stale: tuple[str, ...] = ()
    manifest: Object | None = None
    drops: tuple[str, ...] = ()
    failing: bool = False


class Leftover(NamedTuple):
    """Pods that the refresh does not replace, and what to do about them; ``code`` is a stable kebab-case word."""

    code: str
    object: ObjectRef
    pods: int
    what: str
    remedy: str


@dataclass(frozen=True)
class Options:
    """What the user asks for; times in seconds, ``until`` in seconds since the epoch (None: no end).

    ``selector`` is a label selector of pods. ``began`` belongs to the state ``restarted`` without a token: the creationTimestamp of the
    newest pod that there was when the restart began (``Scope.newest``), so that pods created later are done; empty before that.
    """

    state: State = "current"
    namespaces: tuple[str, ...] = ()
    namespace_selector: str = ""
    exclude_namespaces: tuple[str, ...] = ()
    selector: str = ""
    pods_per_minute: int = 100
    max_parallel_workloads: int = 10
    batch_size: int = 0
    max_failures: int = 1
    wait_timeout: float = 600
    stall_timeout: float = 120
    recreate_bare_pods: bool = False
    ordered: tuple[str, ...] = ()
    until: float | None = None
    token: str = ""
    began: str = ""


class SidecarRules(Protocol):
    """What one mesh says about sidecars; implemented for the OSM family and for Istio."""

    @property
    def target(self) -> str:
        """Name for sentences, for instance ``osm-system/osm``."""

    @property
    def namespace(self) -> str:
        """Namespace of the control plane: its own pods are never touched."""

    def selects(self, namespace: Object) -> bool:
        """Whether a (raw) Namespace is in the mesh."""

    def judge(self, pod: Object) -> Verdict:
        """Judge the sidecar of a raw pod; cheap, it is asked for every pod of the cluster."""

    def injects(self, template: Object) -> bool:
        """Whether a new pod of a template (its namespace is in its metadata) would get a sidecar."""

    def denies(self, template: Object) -> str:
        """Say why the injector would refuse to let a new pod of a template be created at all; empty when it would not."""

    def written_in(self, template: Object) -> bool:
        """Whether the sidecar stands in the template itself, where no restart changes it."""

    def fingerprint(self, template: Object) -> str:
        """Return 16 hexadecimal digits for the sidecar image and all configuration that injection would give to a new pod now."""

    def alive(self) -> list[Refusal]:
        """Ask the cluster whether the injector can answer; reasons why pods would not come back, or come back without a sidecar."""

    def findings(self) -> list[Finding]:
        """Return what the reader should know about who is in the mesh."""

    def strip(self, pod: Object) -> dict[str, Any]:
        """Return a raw pod without what injection added, with the application's own probes; raises LifecycleError when these are lost."""
