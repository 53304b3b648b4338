# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The meshes of a cluster as they were observed: data types only, nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import Leftovers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble

Object = Mapping[str, Any]


class ReleaseRef(NamedTuple):
    """A Helm release: its record lies in ``namespace``, which need not be the one of the mesh."""

    name: str
    namespace: str


class Webhook(NamedTuple):
    """A MutatingWebhookConfiguration or ValidatingWebhookConfiguration of the family.

    ``mesh_name`` and ``version`` are its labels; ``services`` are (namespace, name, port); ``endpoints`` is the number of
    ready endpoints of the least served one, None when it could not be read, -1 when the Service does not exist. ``manager`` is the field
    manager that wrote it last.
    """

    ref: ObjectRef
    mesh_name: str
    app: str
    version: str
    services: tuple[tuple[str, str, int], ...]
    fails_closed: bool
    has_ca_bundle: bool
    labels: Mapping[str, str]
    uid: str
    resource_version: str
    endpoints: int | None = None
    manager: str = ""


class CustomResource(NamedTuple):
    """A CustomResourceDefinition: ``versions`` are the served ones, ``conversion`` is its strategy.

    ``stored`` are the versions in which etcd may hold objects (``status.storedVersions``): a definition without one of them is refused
    by the API server. ``kind`` is what its objects call themselves.
    """

    name: str
    versions: tuple[str, ...]
    storage: str
    conversion: str
    conversion_service: tuple[str, str]
    labels: Mapping[str, str]
    uid: str
    resource_version: str
    stored: tuple[str, ...] = ()
    namespaced: bool = True
    kind: str = ""


class NamespaceFacts(NamedTuple):
    """A namespace: labels whole, and those annotations that the family knows."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    terminating: bool
    uid: str = ""
    resource_version: str = ""

    def as_namespace(self) -> dict[str, Any]:
        """Return a raw Namespace with these facts."""
        return {"metadata": {"name": self.name, "labels": self.labels, "annotations": self.annotations}}


class ReplicaSetFacts(NamedTuple):
    """A ReplicaSet of a control plane; ``owner_uid`` is empty when no Deployment owns it any more."""

    name: str
    app: str
    uid: str
    resource_version: str
    replicas: int
    owner_uid: str


class PodTraits(NamedTuple):
    """What decides about a pod's sidecar. Pods with equal traits are counted, not kept.

    ``workload`` is (kind, name) of what owns it, both empty for a bare pod. ``annotations`` are its injection annotations.
    ``container`` is the name of its sidecar, ``mesh`` that sidecar's ``MESH_NAME``; both are empty when it has none,
    and ``init_container`` and ``init_image`` when the init container is missing.
    """

    namespace: str
    workload: tuple[str, str]
    host_network: bool
    annotations: tuple[tuple[str, str], ...]
    windows: bool
    container: str = ""
    volume: str = ""
    mesh: str = ""
    sidecar_image: str = ""
    init_container: str = ""
    init_image: str = ""

    @property
    def injected(self) -> bool:
        """Whether the pod has a sidecar of the family."""
        return bool(self.container)

    def as_pod(self) -> dict[str, Any]:
        """Return a raw pod that has these traits and nothing else."""
        spec: dict[str, Any] = {"hostNetwork": self.host_network}
        if self.windows:
            spec["nodeSelector"] = {"kubernetes.io/os": "windows"}
        if self.injected:
            environment = [{"name": "MESH_NAME", "value": self.mesh}]
            spec["containers"] = [{"name": self.container, "image": self.sidecar_image, "env": environment}]
            spec["volumes"] = [{"name": self.volume}]
        if self.init_container:
            spec["initContainers"] = [{"name": self.init_container, "image": self.init_image}]
        return {"metadata": {"namespace": self.namespace, "annotations": dict(self.annotations)}, "spec": spec}


@dataclass(frozen=True)
class Mesh:
    """One control plane, found by any one of its parts.

    ``deployments`` and ``daemon_sets`` are raw objects, without managed fields. ``release_ref`` comes from the annotations of the
    Deployments, or from the record; ``release`` is the newest record and None when there is none or it may not be read;
    ``release_history`` are its revisions by their labels, oldest first. ``mesh_config`` is the raw object. ``preset_spec`` is the
    spec in ConfigMap ``preset-mesh-config``. ``endpoints`` has the number of ready endpoints per Service of the namespace, None when
    it may not be read; ``ca_secret`` is None when it may not be read. ``troubles`` are what keeps
    its components back, when that was asked for.
    """

    product: Product
    name: str
    namespace: str
    deployments: Sequence[Object] = ()
    daemon_sets: Sequence[Object] = ()
    release_ref: ReleaseRef | None = None
    release: Release | None = None
    release_history: tuple[ReleaseInfo, ...] = ()
    mesh_config: Object | None = None
    preset_spec: Mapping[str, Any] | None = None
    webhooks: tuple[Webhook, ...] = ()
    endpoints: Mapping[str, int] | None = None
    replica_sets: tuple[ReplicaSetFacts, ...] = ()
    ca_secret: bool | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """The mesh as an object of sentences: its namespace and name."""
        return ObjectRef("Mesh", self.name, self.namespace)

    @property
    def mesh_config_ref(self) -> ObjectRef:
        """Name of the MeshConfig, whether it exists or not."""
        return ObjectRef("MeshConfig", self.product.mesh_config_name, self.namespace)

    def deployment(self, name: str) -> Object | None:
        """Return the raw Deployment with that name."""
        return next((item for item in self.deployments if item["metadata"]["name"] == name), None)

    def version_of(self, component: str) -> str:
        """Return the version that a Deployment runs: its image's tag, or its version label when the tag is none (a digest, ``latest``)."""
        deployment = self.deployment(component)
        if deployment is None:
            return ""
        containers = deployment["spec"]["template"]["spec"].get("containers") or ()
        image = next((container.get("image", "") for container in containers if container.get("name") == component), "")
        tag, label = read_image(image).tag, self.chart_version_of(component)
        return tag if parse(tag) is not None or not label else label

    def chart_version_of(self, component: str) -> str:
        """Return the ``appVersion`` of the chart that a Deployment was rendered from, which is its version label; empty without one."""
        labels = (self.deployment(component) or {}).get("metadata", {}).get("labels") or {}
        return str(labels.get("app.kubernetes.io/version") or "")

    @property
    def version(self) -> str:
        """Version of the control plane: the controller's; while that is missing, what is nearest to it. Empty when nothing tells."""
        product = self.product
        running = (self.version_of(name) for name in (product.controller, product.injector, product.bootstrap))
        return next(filter(None, running), self.release.app_version or self.release.chart_version if self.release else "")

    @property
    def injector_version(self) -> str:
        """Version of what decides about sidecars."""
        return self.version_of(self.product.injector) or self.version

    @property
    def bootstrap_version(self) -> str:
        """Version of what installs CRDs and MeshConfig."""
        return self.version_of(self.product.bootstrap) or self.version

    @property
    def mesh_config_spec(self) -> Mapping[str, Any]:
        """The live ``spec`` of the MeshConfig, empty when there is none."""
        return (self.mesh_config or {}).get("spec") or {}

    @property
    def injector_environment(self) -> dict[str, str]:
        """Environment of the injector's container: it has the default images of sidecar and init container."""
        deployment = self.deployment(self.product.injector) or {}
        containers = deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ()
        named: Object = next((item for item in containers if item.get("name") == self.product.injector), {})
        return {str(item["name"]): str(item.get("value") or "") for item in named.get("env") or ()}


@dataclass(frozen=True)
class Observed:
    """Everything that was read of one cluster.

    ``data_plane`` counts pods by their traits, None when it was not asked for or may not be read. ``unknown`` maps each part that
    could not be read to the reason. ``stray_webhooks`` lead to no control plane; ``leftovers`` is None when nobody asked for it.
    """

    server: str
    meshes: tuple[Mesh, ...]
    namespaces: Mapping[str, NamespaceFacts]
    crds: Mapping[str, CustomResource] | None = None
    data_plane: Mapping[PodTraits, int] | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    stray_webhooks: tuple[Webhook, ...] = ()
    leftovers: Leftovers | None = None

    def with_leftovers(self, leftovers: Leftovers) -> Observed:
        """Return the same observation with leftovers."""
        return replace(self, leftovers=leftovers)
