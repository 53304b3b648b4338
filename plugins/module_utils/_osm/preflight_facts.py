# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a preflight knows about namespaces and what runs in them: data types only, nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import is_enrolled
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import Decision, expects_init, must_inject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]


class Account(NamedTuple):
    """A service account."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return for instance ``shop/cart``."""
        return f"{self.namespace}/{self.name}"


class Workload(NamedTuple):
    """What makes pods (or a bare pod): ``template`` is its pod template as a raw pod, reduced, with the namespace in its metadata."""

    ref: ObjectRef
    template: Object

    @property
    def namespace(self) -> str:
        """Namespace of its pods."""
        return self.ref.namespace

    @property
    def spec(self) -> Object:
        """The pod's spec."""
        spec: Object = self.template["spec"]
        return spec

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of its pods."""
        return self.template["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations of its pods."""
        return self.template["metadata"].get("annotations") or {}

    @property
    def account(self) -> Account:
        """Service account of its pods."""
        return Account(self.namespace, str(self.spec.get("serviceAccountName") or "default"))

    @property
    def containers(self) -> Sequence[Object]:
        """Containers without the init containers."""
        return self.spec.get("containers") or ()

    @property
    def windows(self) -> bool:
        """Whether its pods ask for a Windows node; only the selector is looked at by the injector."""
        selector = (self.spec.get("nodeSelector") or {}).get("kubernetes.io/os")
        return "windows" in (selector, (self.spec.get("os") or {}).get("name"))


class ServicePort(NamedTuple):
    """A port of a Service; ``target`` is a number, or the name of a container's port."""

    name: str
    number: int
    protocol: str
    app_protocol: str | None
    target: int | str
    node_port: int = 0


class Service(NamedTuple):
    """A Service; ``type`` is ClusterIP, NodePort, LoadBalancer or ExternalName."""

    ref: ObjectRef
    type: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    headless: bool = False
    external_ips: tuple[str, ...] = ()

    def selects(self, workload: Workload) -> bool:
        """Whether pods of the workload are behind this Service."""
        return bool(self.selector) and workload.namespace == self.ref.namespace and matches(self.selector, workload.labels)


class Route(NamedTuple):
    """A way from outside the cluster to a Service: an Ingress, a route of the Gateway API, a Route of OpenShift.

    ``port`` is a port's number or name as the route says it, None for all ports.
    """

    ref: ObjectRef
    namespace: str
    service: str
    port: int | str | None


class Caller(NamedTuple):
    """Something of the API server's that calls a Service itself: an admission webhook, an aggregated API."""

    ref: ObjectRef
    namespace: str
    service: str


class ApiServer(NamedTuple):
    """Addresses of the Kubernetes API: of the Service ``kubernetes``, and of what is behind it."""

    service_ips: tuple[str, ...] = ()
    endpoint_ips: tuple[str, ...] = ()
    port: int = 443


class SecurityConstraint(NamedTuple):
    """A SecurityContextConstraints of OpenShift that lets a privileged init container run; users and groups that may use it."""

    name: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Binding(NamedTuple):
    """A RoleBinding or ClusterRoleBinding (namespace empty) with those subjects that are service accounts or groups of them.

    ``role`` is (kind, name).
    """

    ref: ObjectRef
    role: tuple[str, str]
    accounts: tuple[Account, ...] = ()
    groups: tuple[str, ...] = ()

    def binds(self, account: Account) -> bool:
        """Whether the account is one of the subjects, by itself or as a member of its namespace's group."""
        return account in self.accounts or f"system:serviceaccounts:{account.namespace}" in self.groups


@dataclass(frozen=True)
class Policies:
    """Raw objects of the mesh's APIs, those of the cluster and those that are announced, in all namespaces."""

    traffic_targets: Sequence[Object] = ()
    traffic_splits: Sequence[Object] = ()
    ingress_backends: Sequence[Object] = ()
    egresses: Sequence[Object] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that the checks decide with.

    ``namespaces`` are those to check, ``others`` all namespaces of the cluster, ``control_planes`` those with a mesh. ``unread`` maps
    what could not be read to the missing permission. ``openshift`` says whether the cluster has SecurityContextConstraints;
    ``constraints`` are those that would do, ``constraint_roles`` the (kind, namespace, name, constraint) of roles that allow the use of
    one (``*``: of all).
    """

    mesh: Mesh
    namespaces: Mapping[str, NamespaceFacts]
    others: Mapping[str, NamespaceFacts] = field(default_factory=dict)
    workloads: Sequence[Workload] = ()
    services: Sequence[Service] = ()
    routes: Sequence[Route] = ()
    callers: Sequence[Caller] = ()
    policies: Policies = field(default_factory=Policies)
    bindings: Sequence[Binding] = ()
    api_server: ApiServer = field(default_factory=ApiServer)
    windows_nodes: Sequence[str] = ()
    control_planes: frozenset[str] = frozenset()
    openshift: bool = False
    constraints: Sequence[SecurityConstraint] = ()
    constraint_roles: frozenset[tuple[str, str, str, str]] = frozenset()
    unread: Mapping[str, str] = field(default_factory=dict)

    # What the mesh is set to

    @cached_property
    def line(self) -> tuple[int, int]:
        """Major and minor version of the control plane as osm-edge and OSM count; FSM, and a version that is not known, are newer."""
        version = parse(self.mesh.version)
        if version is None or self.mesh.product.id == "fsm":
            return (99, 0)
        return (version.major, version.minor)

    @property
    def traffic(self) -> Object:
        """The part ``traffic`` of the MeshConfig."""
        return self.mesh.mesh_config_spec.get("traffic") or {}

    @property
    def sidecar(self) -> Object:
        """The part ``sidecar`` of the MeshConfig."""
        return self.mesh.mesh_config_spec.get("sidecar") or {}

    @property
    def feature_flags(self) -> Object:
        """The part ``featureFlags`` of the MeshConfig."""
        return self.mesh.mesh_config_spec.get("featureFlags") or {}

    @property
    def permissive(self) -> bool:
        """Whether every sidecar may speak to every other; a field that is absent is false for the controller."""
        return bool(self.traffic.get("enablePermissiveTrafficPolicyMode"))

    @cached_property
    def with_init(self) -> bool:
        """Whether new pods get the init container that intercepts traffic."""
        return expects_init(self.mesh.mesh_config_spec, self.mesh.product, self.mesh.injector_version)

    # What is enrolled, and what would be

    def key(self, name: str) -> str:
        """Return a key of the mesh's product, for instance ``openservicemesh.io/metrics``."""
        return f"{self.mesh.product.key_domain}/{name}"

    def enrolled(self, namespace: str) -> bool:
        """Whether a namespace is in the mesh, or will be because it is one of those to check."""
        facts = self.others.get(namespace)
        return namespace in self.namespaces or (facts is not None and is_enrolled(facts, self.mesh) and not self.ignored(facts))

    def ignored(self, namespace: NamespaceFacts) -> bool:
        """Whether the webhooks pass the namespace over, whatever the value of the label."""
        return self.mesh.product.ignore_label in namespace.labels

    def decision(self, workload: Workload) -> Decision:
        """Say whether new pods of a workload get a sidecar once its namespace is enrolled."""
        return self._decisions[workload.ref]

    @cached_property
    def _decisions(self) -> Mapping[ObjectRef, Decision]:
        return {workload.ref: self._decide(workload) for workload in self.workloads}

    def _decide(self, workload: Workload) -> Decision:
        mesh, namespace = self.mesh, self.namespaces[workload.namespace]
        dropped = (mesh.product.ignore_label, "control-plane", "name")
        labels = {key: value for key, value in namespace.labels.items() if key not in dropped}
        labels[mesh.product.monitored_by_label] = mesh.name
        annotations = {**namespace.annotations, mesh.product.injection_annotation: "enabled"}
        enrolled = {"metadata": {"name": namespace.name, "labels": labels, "annotations": annotations}}
        return must_inject(workload.template, enrolled, mesh.product, mesh.name, mesh.namespace)

    @cached_property
    def injected(self) -> tuple[Workload, ...]:
        """The workloads whose new pods get a sidecar once their namespace is enrolled."""
        return tuple(workload for workload in self.workloads if self.decision(workload).inject)

    def behind(self, service: Service) -> list[Workload]:
        """Return the workloads with a sidecar that a Service sends to."""
        return self._behind[service.ref]

    @cached_property
    def _behind(self) -> Mapping[ObjectRef, list[Workload]]:
        return {
            service.ref: [workload for workload in self._injected_of.get(service.ref.namespace, ()) if service.selects(workload)]
            for service in self.services
        }

    @cached_property
    def _injected_of(self) -> Mapping[str, list[Workload]]:
        found: dict[str, list[Workload]] = {}
        for workload in self.injected:
            found.setdefault(workload.namespace, []).append(workload)
        return found

    @cached_property
    def by_service(self) -> Mapping[tuple[str, str], Service]:
        """The Services by namespace and name."""
        return {(service.ref.namespace, service.ref.name): service for service in self.services}

    @property
    def pipy(self) -> bool:
        """Whether the sidecars are Pipy: OSM's are Envoy, and osm-edge can be set to it."""
        driver = str(self.sidecar.get("sidecarClass") or "pipy").lower()
        return self.mesh.product.sidecar_container == OSM_EDGE.sidecar_container and driver == "pipy"


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil an equality selector."""
    return all(labels.get(key) == value for key, value in selector.items())


def named(refs: Iterable[object], most: int = 3) -> str:
    """Return the first few in one phrase: ``a, b, c and 4 more``."""
    texts = [str(ref) for ref in refs]
    rest = len(texts) - most
    return ", ".join(texts) if rest <= 0 else f"{', '.join(texts[:most])} and {rest} more"
