# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a refresh is planned from: namespaces, pods, and only those owners that matter; reduced while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, POD, REPLICASET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import (
    ARGO_ROLLOUT,
    Climb,
    Owner,
    known_kind,
    to_read,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import (
    ControllerRef,
    Object,
    Options,
    PodFacts,
    SidecarRules,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope, controller_of, is_over, pod_facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_namespaces import Namespaces, choose, namespace_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_needs import Need, reason_to_replace
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_workload import REVISION, workload

__all__ = ["Scope", "read_scope"]

_HASH = "pod-template-hash"
_PAGE = 500
# Up to here namespaces are listed one by one, which needs no permission for the others.
_SINGLE_NAMESPACES = 20
# Up to here objects are read one by one; a list costs about as much as this many of them.
_SINGLE_OBJECTS = 40
_MOST_ROUNDS = 12


def read_scope(api: Api, rules: SidecarRules, options: Options) -> Scope:
    """Read the cluster for one refresh.

    Number of requests: one per 500 namespaces (two with a selector) and 500 pods, or at least one per namespace when 20 or fewer are
    asked for; then a list of each kind of owner that matters, or one read for each when there are 40 or fewer. Raises KubeError; an owner
    that may not be read is told in ``Scope.unread``.
    """
    return _Reading(api, rules, options).read()


class _Reading:
    def __init__(self, api: Api, rules: SidecarRules, options: Options) -> None:
        self._api = api
        self._rules = rules
        self._options = options
        self._known: dict[str, Object] = {}
        self._selected: list[str] = []
        self._pods: list[PodFacts] = []
        self._bare: dict[str, Object] = {}
        self._owners: dict[str, Owner] = {}
        self._workloads: dict[str, Workload] = {}
        # Hash of the ReplicaSet that has a Deployment's uid and revision.
        self._hashes: dict[tuple[str, str], str] = {}
        self._unread: set[str] = set()
        # By uid: 10,000 pods have few owners.
        self._controllers: dict[str, ControllerRef] = {}

    def read(self) -> Scope:
        reads: list[Callable[[], None]] = [self._read_namespaces]
        everywhere = not self._options.namespaces and not self._options.namespace_selector
        if everywhere:
            reads.append(partial(self._read_pods, None, _PAGE))
        if self._options.namespace_selector:
            reads.append(self._read_selected)
        self._api.map(lambda read: read(), reads)
        chosen = choose(self._known, self._selected, self._rules, self._options)
        if chosen.refusals:
            return Scope(refusals=chosen.refusals)
        if not everywhere:
            self._read_pods_of(chosen.names)
        names = self._in_scope(chosen)
        self._pods = [pod for pod in self._pods if pod.namespace in names]
        holding = {pod.namespace for pod in self._pods}
        findings = namespace_findings(self._known, self._selected, holding, self._rules, self._options)
        self._read_owners()
        return Scope(
            namespaces={name: self._known[name]["metadata"].get("labels") or {} for name in sorted(names)},
            pods=tuple(self._pods),
            owners=self._owners,
            workloads=self._workloads,
            bare={uid: pod for uid, pod in self._bare.items() if pod["metadata"]["namespace"] in names},
            newest=max((pod.created for pod in self._pods), default=""),
            unread=tuple(sorted(self._unread)),
            findings=tuple(findings),
        )

    # Namespaces

    def _read_namespaces(self) -> None:
        self._known = {item["metadata"]["name"]: item for item in self._api.list(NAMESPACE, metadata_only=True)}

    def _read_selected(self) -> None:
        found = self._api.list(NAMESPACE, label_selector=self._options.namespace_selector, metadata_only=True)
        self._selected = [item["metadata"]["name"] for item in found]

    def _in_scope(self, chosen: Namespaces) -> frozenset[str]:
        if not chosen.everywhere:
            return chosen.names
        holding = {pod.namespace for pod in self._pods}
        return frozenset(name for name in chosen.names if name in holding or self._rules.selects(self._known[name]))

    # Pods

    def _read_pods_of(self, namespaces: frozenset[str]) -> None:
        if len(namespaces) > _SINGLE_NAMESPACES:
            self._read_pods(None, _PAGE, namespaces)
            return
        # Pages of several lists are in memory at the same time.
        page = max(50, _PAGE // max(1, len(namespaces)))
        self._api.map(lambda name: self._read_pods(name, page), sorted(namespaces))

    def _read_pods(self, namespace: str | None, page: int, only: frozenset[str] | None = None) -> None:
        rules, state = self._rules, self._options.state
        for pod in self._api.list(POD, namespace, label_selector=self._options.selector, limit=page):
            place = pod["metadata"]["namespace"]
            if place == rules.namespace or (only is not None and place not in only) or is_over(pod):
                continue
            facts = pod_facts(pod, rules.judge(pod), self._controllers)
            if facts.verdict.state == "outside" and not facts.token:
                continue
            self._pods.append(facts)
            if self._options.recreate_bare_pods and facts.controller is None and reason_to_replace(facts, Need(state)):
                pod["metadata"].pop("managedFields", None)
                self._bare[facts.uid] = pod

    # Owners

    def _read_owners(self) -> None:
        """Read owners round by round: ReplicaSets, what owns these, and so on."""
        need = Need(self._options.state, began=self._options.began)
        starts = {
            pod.controller.uid: (pod.namespace, pod.controller)
            for pod in self._pods
            # What a token is worth is only known with the template.
            if pod.controller is not None and not pod.mirror and (pod.token or reason_to_replace(pod, need))
        }
        for _round in range(_MOST_ROUNDS):
            wanted = [*to_read(starts.values(), self._owners, self._workloads)]
            if not wanted:
                return
            groups: dict[tuple[str, str, bool], list[tuple[str, Climb]]] = {}
            for namespace, climb in wanted:
                groups.setdefault((climb.ref.api_version, climb.ref.kind, climb.whole), []).append((namespace, climb))
            reads = [read for members in groups.values() for read in self._reads(members)]
            self._api.map(lambda read: read(), reads)
            # What a list did not have is asked for by name: it may be too young for the list, or gone.
            self._api.map(self._read_one, [item for item in wanted if not self._is_read(item[1])])

    def _is_read(self, climb: Climb) -> bool:
        return climb.ref.uid in self._workloads or (climb.ref.uid in self._owners and not climb.whole)

    def _reads(self, members: list[tuple[str, Climb]]) -> Iterator[Callable[[], None]]:
        if len(members) <= _SINGLE_OBJECTS:
            return
        first = members[0][1]
        kind = self._kind(first.ref)
        if kind is None or not kind.namespaced:
            return
        wanted = {climb.ref.uid: climb for _namespace, climb in members}
        namespaces = {namespace for namespace, _climb in members}
        places: Iterable[str | None] = sorted(namespaces) if len(namespaces) <= _SINGLE_NAMESPACES else [None]
        for place in places:
            yield partial(self._read_list, kind, place, wanted, whole=first.whole)

    def _read_list(self, kind: Kind, namespace: str | None, wanted: dict[str, Climb], *, whole: bool) -> None:
        try:
            for item in self._api.list(kind, namespace, metadata_only=not whole):
                found = wanted.get(item["metadata"].get("uid", ""))
                if found is not None:
                    self._found(found, kind, item)
        except Forbidden:
            # Single ones may be allowed, and tell what lacks if not.
            return

    def _read_one(self, wanted: tuple[str, Climb]) -> None:
        namespace, climb = wanted
        ref = climb.ref
        kind = self._kind(ref)
        try:
            item = None if kind is None else self._api.get_or_none(kind, ref.name, namespace, metadata_only=not climb.whole)
        except Forbidden as error:
            self._owners[ref.uid] = Owner(ref, namespace, state="unread")
            self._unread.add(error.missing or error.why)
            return
        if kind is None or item is None or item["metadata"].get("uid") != ref.uid:
            self._owners[ref.uid] = Owner(ref, namespace, state="gone")
            return
        self._found(climb, kind, item)

    def _kind(self, ref: ControllerRef) -> Kind | None:
        return known_kind(ref) or self._api.kind_for(ref.api_version, ref.kind)

    def _found(self, climb: Climb, kind: Kind, item: Object) -> None:
        metadata = item["metadata"]
        namespace = metadata.get("namespace", "")
        own = controller_of(metadata)
        if kind == REPLICASET and own is not None:
            revision = (metadata.get("annotations") or {}).get(REVISION, "")
            self._hashes[own.uid, revision] = (metadata.get("labels") or {}).get(_HASH, "")
        self._owners[climb.ref.uid] = Owner(climb.ref, namespace, own)
        if not climb.whole:
            return
        newest = ""
        if kind == DEPLOYMENT:
            newest = self._hashes.get((climb.ref.uid, (metadata.get("annotations") or {}).get(REVISION, "")), "")
        self._workloads[climb.ref.uid] = workload(item, kind, newest, self._template_elsewhere(kind, item))

    def _template_elsewhere(self, kind: Kind, item: Object) -> Object | None:
        """Return the pod template of the Deployment that an Argo Rollout refers to."""
        spec = item.get("spec") or {}
        reference = spec.get("workloadRef") or {}
        if kind != ARGO_ROLLOUT or spec.get("template") or reference.get("kind") != "Deployment":
            return None
        try:
            found = self._api.get_or_none(DEPLOYMENT, reference["name"], item["metadata"]["namespace"])
        except Forbidden as error:
            self._unread.add(error.missing or error.why)
            return None
        return None if found is None else found["spec"].get("template")
