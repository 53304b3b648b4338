# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a preflight judges: few paged lists, concurrently, reduced while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    API_SERVICE,
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    CRONJOB,
    DAEMONSET,
    DEPLOYMENT,
    ENDPOINTSLICE,
    INGRESS,
    JOB,
    MUTATING_WEBHOOK,
    NODE,
    POD,
    ROLE,
    ROLEBINDING,
    SERVICE,
    STATEFULSET,
    VALIDATING_WEBHOOK,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight_reduction as reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import (
    ApiServer,
    Binding,
    Caller,
    Facts,
    Policies,
    Route,
    SecurityConstraint,
    Service,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]
Kinds = Sequence[Kind]

# Up to so many namespaces are listed one by one; more, and one list of the whole cluster is less work for everybody.
FEW = 4
# The longest list first.
_WORKLOADS = (POD, DEPLOYMENT, STATEFULSET, DAEMONSET, CRONJOB, JOB)
_GATEWAY = "gateway.networking.k8s.io"
# The newest version that has been in use first.
_GATEWAY_ROUTES: Sequence[Kinds] = (
    (Kind(f"{_GATEWAY}/v1", "HTTPRoute", "httproutes"), Kind(f"{_GATEWAY}/v1beta1", "HTTPRoute", "httproutes")),
    (Kind(f"{_GATEWAY}/v1", "GRPCRoute", "grpcroutes"), Kind(f"{_GATEWAY}/v1alpha2", "GRPCRoute", "grpcroutes")),
    (Kind(f"{_GATEWAY}/v1alpha2", "TCPRoute", "tcproutes"),),
    (Kind(f"{_GATEWAY}/v1alpha2", "TLSRoute", "tlsroutes"),),
)
_TRAFFIC_TARGETS = (Kind("access.smi-spec.io/v1alpha3", "TrafficTarget", "traffictargets"),)
_TRAFFIC_SPLITS = tuple(Kind(f"split.smi-spec.io/{version}", "TrafficSplit", "trafficsplits") for version in ("v1alpha4", "v1alpha2"))
_OPENSHIFT_ROUTES = (Kind("route.openshift.io/v1", "Route", "routes"),)
_CONSTRAINTS = Kind("security.openshift.io/v1", "SecurityContextConstraints", "securitycontextconstraints", namespaced=False)


def read(
    api: Api,
    mesh: Mesh,
    namespaces: Mapping[str, NamespaceFacts],
    others: Mapping[str, NamespaceFacts],
    unread: Mapping[str, str],
    announced: Sequence[Object] = (),
) -> Facts:
    """Read what runs in ``namespaces`` and what decides about its traffic.

    ``others`` are all namespaces, ``unread`` is what is known to be unknown already, ``announced`` are policies (raw objects) that do not
    exist yet and are judged as if they did. Number of requests: about 20 and one more per page of 500; 10 per namespace while there
    are no more than ``FEW``. Raises KubeError; what may not be read is named in ``Facts.unread`` instead.
    """
    return _Reading(api, mesh, namespaces).read(others, unread, announced)


class _Reading:
    """Collects lists in two rounds: what every cluster has, and what those API groups hold that this one has."""

    def __init__(self, api: Api, mesh: Mesh, namespaces: Mapping[str, NamespaceFacts]) -> None:
        self._api = api
        self._mesh = mesh
        self._namespaces = namespaces
        self._unread: dict[str, str] = {}
        self._groups: set[str] | None = None
        self._workloads: dict[ObjectRef, Workload] = {}
        self._services: list[Service] = []
        self._routes: list[Route] = []
        self._callers: list[Caller] = []
        self._bindings: list[Binding] = []
        self._windows: list[str] = []
        self._api_server = ApiServer()
        self._constraints: list[SecurityConstraint] = []
        self._constraint_roles: set[tuple[str, str, str, str]] = set()
        self._policies: dict[str, list[Object]] = {kind: [] for kind in ("TrafficTarget", "TrafficSplit", "IngressBackend", "Egress")}

    def read(self, others: Mapping[str, NamespaceFacts], unread: Mapping[str, str], announced: Sequence[Object]) -> Facts:
        """Read both rounds."""
        self._run([self._read_groups, *self._of_every_cluster()])
        self._run(self._of_some_clusters())
        return Facts(
            mesh=self._mesh,
            namespaces=self._namespaces,
            others=others,
            workloads=sorted(self._workloads.values(), key=lambda item: item.ref),
            services=sorted(self._services, key=lambda item: item.ref),
            routes=sorted(self._routes, key=str),
            callers=sorted(self._callers),
            policies=self._with_announced(announced),
            bindings=sorted(self._bindings, key=lambda item: item.ref),
            api_server=self._api_server,
            windows_nodes=sorted(self._windows),
            openshift=self._has("security.openshift.io", otherwise=False),
            constraints=self._constraints,
            constraint_roles=frozenset(self._constraint_roles),
            unread={**unread, **self._unread},
        )

    def _run(self, reads: Iterable[Callable[[], None]]) -> None:
        self._api.map(lambda read: read(), reads)

    def _of_every_cluster(self) -> list[Callable[[], None]]:
        workloads = [(kind, self._add_workload) for kind in _WORKLOADS]
        reads = self._of_namespaces([*workloads, (SERVICE, self._add_service), (INGRESS, self._add_ingress)])
        cluster_wide = [
            (ROLEBINDING, self._add_binding),
            (CLUSTERROLEBINDING, self._add_binding),
            (MUTATING_WEBHOOK, self._add_webhook),
            (VALIDATING_WEBHOOK, self._add_webhook),
            (API_SERVICE, self._add_api_service),
        ]
        reads += [partial(self._read_list, (kind,), add) for kind, add in cluster_wide]
        return [*reads, self._read_windows_nodes, self._read_api_server]

    def _of_namespaces(self, lists: Sequence[tuple[Kind, Callable[[Object], None]]]) -> list[Callable[[], None]]:
        """Return the reads of lists that matter in the chosen namespaces only."""
        return [partial(self._read_list, (kind,), add, place) for kind, add in lists for place in self._places()]

    def _places(self) -> Sequence[str | None]:
        return [*self._namespaces] if len(self._namespaces) <= FEW else [None]

    def _of_some_clusters(self) -> list[Callable[[], None]]:
        group = f"policy.{self._mesh.product.key_domain}"
        lists: list[tuple[Kinds, Callable[[Object], None], bool]] = [
            # Who may call whom, and who may leave the mesh, can be said in any namespace.
            (_TRAFFIC_TARGETS, self._add_policy, True),
            ((Kind(f"{group}/v1alpha1", "Egress", "egresses"),), self._add_policy, True),
            ((Kind(f"{group}/v1alpha1", "IngressBackend", "ingressbackends"),), self._add_policy, False),
            (_TRAFFIC_SPLITS, self._add_policy, False),
            # A route may lead to another namespace than its own.
            *((kinds, self._add_gateway_route, True) for kinds in _GATEWAY_ROUTES),
            (_OPENSHIFT_ROUTES, self._add_openshift_route, False),
        ]
        reads: list[Callable[[], None]] = [
            partial(self._read_list, kinds, add, place)
            for kinds, add, everywhere in lists
            if self._has(kinds[0].group)
            for place in ([None] if everywhere else self._places())
        ]
        if self._has(_CONSTRAINTS.group, otherwise=False):
            reads += [partial(self._read_list, (_CONSTRAINTS,), self._add_constraint)]
            reads += [partial(self._read_list, (CLUSTERROLE,), self._add_role), *self._of_namespaces([(ROLE, self._add_role)])]
        return reads

    # Reading one thing

    def _read_groups(self) -> None:
        def read() -> None:
            self._groups = {group["name"] for group in self._api.raw_get("/apis").get("groups") or ()}

        self._optional("API groups", read)

    def _has(self, group: str, *, otherwise: bool = True) -> bool:
        """Whether the cluster has an API group; ``otherwise`` when that could not be read."""
        return otherwise if self._groups is None else group in self._groups

    def _read_list(self, kinds: Kinds, add: Callable[[Object], None], place: str | None = None) -> None:
        """Give every object of a kind to ``add``, in the first of its versions that the cluster serves; there may be none."""

        def read() -> None:
            for kind in kinds:
                try:
                    for item in self._api.list(kind, place):
                        add(item)
                    return
                except NotFound:
                    continue

        self._optional(kinds[0].plural, read)

    def _optional(self, part: str, read: Callable[[], None]) -> None:
        try:
            read()
        except Forbidden as error:
            self._unread[part] = f"not allowed to {error.missing}" if error.missing else str(error)

    def _read_windows_nodes(self) -> None:
        def read() -> None:
            nodes = self._api.list(NODE, label_selector="kubernetes.io/os=windows", metadata_only=True)
            self._windows += [node["metadata"]["name"] for node in nodes]

        self._optional("nodes", read)

    def _read_api_server(self) -> None:
        def read() -> None:
            service = self._api.get_or_none(SERVICE, "kubernetes", "default")
            slices: list[Object] = []
            try:
                slices += self._api.list(ENDPOINTSLICE, "default", label_selector="kubernetes.io/service-name=kubernetes")
            finally:
                self._api_server = reduction.api_server(service, slices)

        self._optional("addresses of the API server", read)

    # Keeping what matters

    def _here(self, item: Object) -> bool:
        return item["metadata"].get("namespace") in self._namespaces

    def _add_workload(self, item: Object) -> None:
        found = reduction.workload(item) if self._here(item) else None
        if found is not None:
            # Of pods that only their custom owner answers for, one is enough.
            self._workloads.setdefault(found.ref, found)

    def _add_service(self, item: Object) -> None:
        if self._here(item):
            self._services.append(reduction.service(item))

    def _add_routes(self, routes: Iterator[Route]) -> None:
        self._routes += [route for route in routes if route.namespace in self._namespaces]

    def _add_ingress(self, item: Object) -> None:
        self._add_routes(reduction.ingress_routes(item))

    def _add_gateway_route(self, item: Object) -> None:
        self._add_routes(reduction.gateway_routes(item))

    def _add_openshift_route(self, item: Object) -> None:
        self._add_routes(reduction.openshift_routes(item))

    def _add_callers(self, callers: Iterator[Caller]) -> None:
        self._callers += [caller for caller in callers if caller.namespace in self._namespaces]

    def _add_webhook(self, item: Object) -> None:
        self._add_callers(reduction.webhook_callers(item))

    def _add_api_service(self, item: Object) -> None:
        self._add_callers(reduction.api_service_callers(item))

    def _add_binding(self, item: Object) -> None:
        found = reduction.binding(item)
        if found is not None:
            self._bindings.append(found)

    def _add_constraint(self, item: Object) -> None:
        found = reduction.security_constraint(item)
        if found is not None:
            self._constraints.append(found)

    def _add_role(self, item: Object) -> None:
        metadata = item["metadata"]
        used = reduction.constraints_used_by(item)
        self._constraint_roles |= {(item["kind"], metadata.get("namespace", ""), metadata["name"], name) for name in used}

    def _add_policy(self, item: Object) -> None:
        self._policies[item["kind"]].append(item)

    def _with_announced(self, announced: Sequence[Object]) -> Policies:
        """Put the announced policies beside those that exist, or in their place."""
        for policy in announced:
            known = self._policies.get(str(policy.get("kind")))
            if known is not None:
                place = _place(policy)
                known[:] = [item for item in known if _place(item) != place]
                known.append(policy)
        return Policies(*(sorted(self._policies[kind], key=_place) for kind in self._policies))


def _place(item: Object) -> tuple[str, str]:
    return str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"])
