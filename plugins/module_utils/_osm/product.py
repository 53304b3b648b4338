# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three products of the OSM family as data: what each one calls its objects, keys and images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Product:
    """Names that one product uses.

    Source: osm-edge v1.3.9, osm v1.2.4 and fsm v1.5.1, ``pkg/constants/constants.go`` and the chart's templates.
    """

    id: str
    title: str
    # chart
    chart_name: str
    chart_repository: str
    values_root: str
    namespace_value: str
    default_mesh_name: str
    default_namespace: str
    kube_version: str
    # objects of the control plane
    name_prefix: str
    app_name: str
    mesh_config_name: str
    mesh_config_group: str
    mesh_config_version: str
    preset_config_map: str
    ca_secret: str
    # keys on namespaces and pods
    key_domain: str
    pod_uuid_label: str
    # what injection leaves on a pod
    sidecar_container: str
    init_container: str
    bootstrap_volume: str
    bootstrap_secret_prefix: str
    # how the injector is told about images
    sidecar_image_field: str
    sidecar_windows_image_field: str
    sidecar_image_env: str
    sidecar_windows_image_env: str
    init_image_env: str
    has_sidecar_drivers: bool
    # which images are its own: the last component of a repository path starts with one of these
    image_prefixes: tuple[str, ...]

    @property
    def monitored_by_label(self) -> str:
        """Label of an enrolled namespace; its value is the mesh name."""
        return f"{self.key_domain}/monitored-by"

    @property
    def ignore_label(self) -> str:
        """Label that takes a namespace out of the webhooks' selectors, whatever its value."""
        return f"{self.key_domain}/ignore"

    @property
    def injection_annotation(self) -> str:
        """Annotation of a namespace or a pod: ``enabled`` or ``disabled``."""
        return f"{self.key_domain}/sidecar-injection"

    @property
    def metrics_annotation(self) -> str:
        """Annotation of a namespace: ``enabled`` makes the injector annotate pods for Prometheus."""
        return f"{self.key_domain}/metrics"

    @property
    def controller(self) -> str:
        """Name of the controller's Deployment and Service, and value of its ``app`` label."""
        return f"{self.name_prefix}-controller"

    @property
    def injector(self) -> str:
        """Name of the injector's Deployment and Service, and value of its ``app`` label."""
        return f"{self.name_prefix}-injector"

    @property
    def bootstrap(self) -> str:
        """Name of the bootstrap's Deployment and Service, and value of its ``app`` label."""
        return f"{self.name_prefix}-bootstrap"

    @property
    def deployments(self) -> tuple[str, str, str]:
        """The Deployments that every mesh has, in the order in which they wait for each other."""
        return (self.bootstrap, self.controller, self.injector)

    @property
    def services(self) -> tuple[str, str, str, str]:
        """The Services that every mesh has."""
        return (self.bootstrap, self.controller, self.injector, f"{self.name_prefix}-validator")

    @property
    def injector_webhook(self) -> str:
        """Name of the entry in the MutatingWebhookConfiguration."""
        return f"{self.name_prefix}-inject.k8s.io"

    @property
    def mesh_config_api_version(self) -> str:
        """``group/version`` of the MeshConfig."""
        return f"{self.mesh_config_group}/{self.mesh_config_version}"

    @property
    def mesh_config_crd(self) -> str:
        """Name of the MeshConfig's CustomResourceDefinition."""
        return f"meshconfigs.{self.mesh_config_group}"

    def mutating_webhook(self, mesh_name: str) -> str:
        """Default name of the MutatingWebhookConfiguration (values may change its prefix)."""
        return f"{self.name_prefix}-webhook-{mesh_name}"

    def validating_webhook(self, mesh_name: str) -> str:
        """Default name of the ValidatingWebhookConfiguration (values may change it)."""
        return f"{self.name_prefix}-validator-mesh-{mesh_name}"


OSM_EDGE = Product(
    id="osm-edge",
    title="osm-edge",
    chart_name="osm-edge",
    chart_repository="https://flomesh-io.github.io/osm-edge",
    values_root="osm",
    namespace_value="osmNamespace",
    default_mesh_name="osm",
    default_namespace="osm-system",
    kube_version=">= 1.19.0-0",
    name_prefix="osm",
    app_name="openservicemesh.io",
    mesh_config_name="osm-mesh-config",
    mesh_config_group="config.openservicemesh.io",
    mesh_config_version="v1alpha2",
    preset_config_map="preset-mesh-config",
    ca_secret="osm-ca-bundle",
    key_domain="openservicemesh.io",
    pod_uuid_label="osm-proxy-uuid",
    sidecar_container="sidecar",
    init_container="osm-init",
    bootstrap_volume="sidecar-bootstrap-config-volume",
    bootstrap_secret_prefix="sidecar-bootstrap-config-",
    sidecar_image_field="sidecarImage",
    sidecar_windows_image_field="sidecarWindowsImage",
    sidecar_image_env="OSM_DEFAULT_SIDECAR_IMAGE",
    sidecar_windows_image_env="OSM_DEFAULT_SIDECAR_WINDOWS_IMAGE",
    init_image_env="OSM_DEFAULT_INIT_CONTAINER_IMAGE",
    has_sidecar_drivers=True,
    image_prefixes=("osm-edge-",),
)

OSM = replace(
    OSM_EDGE,
    id="osm",
    title="Open Service Mesh",
    chart_name="osm",
    chart_repository="https://openservicemesh.github.io/osm",
    kube_version=">= 1.22.9-0",
    sidecar_container="envoy",
    bootstrap_volume="envoy-bootstrap-config-volume",
    bootstrap_secret_prefix="envoy-bootstrap-config-",
    sidecar_image_field="envoyImage",
    sidecar_windows_image_field="envoyWindowsImage",
    sidecar_image_env="OSM_DEFAULT_ENVOY_IMAGE",
    sidecar_windows_image_env="OSM_DEFAULT_ENVOY_WINDOWS_IMAGE",
    has_sidecar_drivers=False,
    image_prefixes=("osm-controller", "osm-injector", "osm-bootstrap", "osm-crds", "osm-preinstall", "osm-healthcheck"),
)

FSM = replace(
    OSM_EDGE,
    id="fsm",
    title="Flomesh Service Mesh",
    chart_name="fsm",
    chart_repository="https://flomesh-io.github.io/fsm",
    values_root="fsm",
    namespace_value="fsmNamespace",
    default_mesh_name="fsm",
    default_namespace="fsm-system",
    name_prefix="fsm",
    app_name="flomesh.io",
    mesh_config_name="fsm-mesh-config",
    mesh_config_group="config.flomesh.io",
    mesh_config_version="v1alpha3",
    ca_secret="fsm-ca-bundle",
    key_domain="flomesh.io",
    pod_uuid_label="fsm-proxy-uuid",
    init_container="fsm-init",
    sidecar_windows_image_field="",
    sidecar_image_env="FSM_DEFAULT_SIDECAR_IMAGE",
    sidecar_windows_image_env="",
    init_image_env="FSM_DEFAULT_INIT_CONTAINER_IMAGE",
    has_sidecar_drivers=False,
    image_prefixes=("fsm-controller", "fsm-injector", "fsm-bootstrap", "fsm-crds", "fsm-preinstall", "fsm-healthcheck"),
)

PRODUCTS: tuple[Product, ...] = (OSM_EDGE, OSM, FSM)


def product_of_images(images: Iterable[str]) -> Product | None:
    """Tell the product from container images of its control plane: a registry or mirror in front does not matter.

    osm-edge and Open Service Mesh name every object alike; only their images differ (``osm-edge-controller``,
    ``osm-controller``).
    """
    names = [image.split("@")[0].rsplit("/", 1)[-1].split(":")[0] for image in images]
    return next((product for product in PRODUCTS for name in names if name.startswith(product.image_prefixes)), None)


def product_of_chart(chart_name: str, chart_version: str = "") -> Product | None:
    """Tell the product from a chart's name.

    The chart ``fsm`` 0.x at https://charts.flomesh.io is fsm-classic, another product (osm-edge has it as an optional
    sub-chart): it answers None.
    """
    if chart_name == FSM.chart_name and chart_version.lstrip("v").startswith("0."):
        return None
    return next((product for product in PRODUCTS if product.chart_name == chart_name), None)


def product_of_release(chart_name: str, images: Iterable[str], chart_version: str = "") -> Product | None:
    """Tell the product of a Helm release or of a rendered chart: by its images first, then by the chart's name.

    An in-house copy of a chart may carry any name.
    """
    return product_of_images(images) or product_of_chart(chart_name, chart_version)


def product_of_deployment(deployment: Mapping[str, Any]) -> Product | None:
    """Tell the product of a control plane's Deployment (a raw object) by its images, its containers, its labels.

    A container ``osm-pipy-repo`` exists only in osm-edge, so images renamed by a mirror do not hide it. Without any of
    that, ``app.kubernetes.io/name`` tells FSM from the other two but not these from each other: then None.
    """
    pod_spec = deployment.get("spec", {}).get("template", {}).get("spec", {})
    containers = [*pod_spec.get("initContainers", []), *pod_spec.get("containers", [])]
    known = product_of_images(str(container.get("image", "")) for container in containers)
    if known is not None:
        return known
    if any(container.get("name") == "osm-pipy-repo" for container in containers):
        return OSM_EDGE
    labels = deployment.get("metadata", {}).get("labels") or {}
    return FSM if labels.get("app.kubernetes.io/name") == FSM.app_name else None
