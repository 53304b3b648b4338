# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets a sidecar, which one, and whether a pod has the one that it would get today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import find_element
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse

_ENABLED = ("enabled", "yes", "true")
_DISABLED = ("disabled", "no", "false")
# osm-edge v1.3.9 pkg/injector/webhook.go: never injected, whatever their labels say.
_SYSTEM_NAMESPACES = ("kube-system", "kube-public")

RawObject = Mapping[str, Any]


class Decision(NamedTuple):
    """What the injector does with a new pod; ``inject`` is None when it denies the pod's creation."""

    inject: bool | None
    reason: str


class Sidecar(NamedTuple):
    """The sidecar that a pod has; ``init_image`` is None without an init container of the mesh."""

    image: str
    mesh_name: str
    init_image: str | None


class DesiredSidecar(NamedTuple):
    """What a pod created now would get; an image is None when it is not known."""

    image: str | None
    init_image: str | None
    with_init: bool


def must_inject(pod: RawObject, namespace: RawObject, product: Product, mesh_name: str, osm_namespace: str) -> Decision:
    """Decide as the webhook's selector and then ``mustInject`` do (osm-edge v1.3.9 pkg/injector/webhook.go).

    ``pod`` and ``namespace`` are raw objects; a workload's pod template serves as a pod.
    """
    labels = _metadata(namespace, "labels")
    name = str((namespace.get("metadata") or {}).get("name", ""))
    if labels.get(product.monitored_by_label) != mesh_name:
        return Decision(inject=False, reason=f"namespace {name} is not enrolled in mesh {mesh_name}")
    if product.ignore_label in labels:
        return Decision(inject=False, reason=f"namespace {name} has the label {product.ignore_label}")
    if "control-plane" in labels or labels.get("name") == osm_namespace:
        return Decision(inject=False, reason=f"namespace {name} is left out by the webhook's selector")
    if (pod.get("spec") or {}).get("hostNetwork") is True:
        return Decision(inject=False, reason="the pod uses the host's network")
    if name in (*_SYSTEM_NAMESPACES, osm_namespace):
        return Decision(inject=False, reason=f"namespace {name} is never injected")
    return _by_annotations(pod, namespace, product)


def _by_annotations(pod: RawObject, namespace: RawObject, product: Product) -> Decision:
    key = product.injection_annotation
    own, inherited = _metadata(pod, "annotations").get(key), _metadata(namespace, "annotations").get(key)
    # The namespace's value is read even where the pod's own decides.
    for place, value in (("pod", own), ("namespace", inherited)):
        if value is not None and str(value).lower() not in (*_ENABLED, *_DISABLED):
            return Decision(inject=None, reason=f"the {place}'s annotation {key} has the invalid value {value!r}: the pod is denied")
    if own is not None:
        enabled = str(own).lower() in _ENABLED
        return Decision(inject=enabled, reason=f"the pod's annotation {'enables' if enabled else 'disables'} injection")
    if inherited is not None and str(inherited).lower() in _ENABLED:
        return Decision(inject=True, reason="the namespace's annotation enables injection")
    return Decision(inject=False, reason="neither pod nor namespace enables injection")


def _metadata(obj: RawObject, part: str) -> Mapping[str, Any]:
    found = (obj.get("metadata") or {}).get(part)
    return found if isinstance(found, Mapping) else {}


def desired_sidecar_image(
    spec: RawObject, injector_env: Mapping[str, str], product: Product = OSM_EDGE, *, windows: bool = False
) -> str | None:
    """Return the sidecar image of new pods: MeshConfig field, then driver of the class, then the injector's environment.

    Source: osm-edge v1.3.9 pkg/configurator/methods.go ``GetSidecarImage``.
    """
    field = product.sidecar_windows_image_field if windows else product.sidecar_image_field
    env = product.sidecar_windows_image_env if windows else product.sidecar_image_env
    return _image(spec, field, injector_env.get(env, ""), product)


def desired_init_image(spec: RawObject, injector_env: Mapping[str, str], product: Product = OSM_EDGE) -> str | None:
    """Return the init container's image of new pods, in the same order (``GetInitContainerImage``); FSM has it only in the environment."""
    return _image(spec, "" if product is FSM else "initContainerImage", injector_env.get(product.init_image_env, ""), product)


def _image(spec: RawObject, field: str, default: str, product: Product) -> str | None:
    sidecar = spec.get("sidecar") or {}
    if field and sidecar.get(field):
        return str(sidecar[field])
    if field and product.has_sidecar_drivers:
        path = ("sidecar", "sidecarDrivers")
        at = find_element(path, sidecar.get("sidecarDrivers"), str(sidecar.get("sidecarClass") or "").lower())
        if at is not None and sidecar["sidecarDrivers"][at].get(field):
            return str(sidecar["sidecarDrivers"][at][field])
    return default or None


def expects_init(spec: RawObject, product: Product, control_plane_version: str) -> bool:
    """Whether new pods get the init container that intercepts traffic.

    osm-edge has modes since 1.3.0 and knows no default: without ``iptables`` in the MeshConfig there is no interception
    (v1.3.9 pkg/sidecar/providers/pipy/driver/sidecar.go ``Patch``). FSM names the mode ``PodLevel`` since 1.5.
    """
    version = parse(control_plane_version)
    if product is OSM_EDGE and (version is None or (version.major, version.minor) >= (1, 3)):
        return bool((spec.get("traffic") or {}).get("interceptionMode") == "iptables")
    if product is FSM:
        return (spec.get("traffic") or {}).get("interceptionMode") in ("iptables", "PodLevel")
    return True


def desired_sidecar(spec: RawObject, injector_env: Mapping[str, str], product: Product, control_plane_version: str) -> DesiredSidecar:
    """Return what a (Linux) pod created now would get."""
    return DesiredSidecar(
        desired_sidecar_image(spec, injector_env, product),
        desired_init_image(spec, injector_env, product),
        expects_init(spec, product, control_plane_version),
    )


def sidecar_of(pod: RawObject, product: Product) -> Sidecar | None:
    """Return the pod's sidecar, or None.

    Container *and* bootstrap volume must be there: the uuid label alone survives copies of a pod (pkg/mesh/mesh.go).
    """
    spec = pod.get("spec") or {}
    container = _named(spec.get("containers"), product.sidecar_container)
    if container is None or _named(spec.get("volumes"), product.bootstrap_volume) is None:
        return None
    init = _named(spec.get("initContainers"), product.init_container)
    mesh_name = (_named(container.get("env"), "MESH_NAME") or {}).get("value", "")
    return Sidecar(str(container.get("image", "")), str(mesh_name), None if init is None else str(init.get("image", "")))


def has_sidecar(pod: RawObject, product: Product) -> bool:
    """Whether the pod was injected by this product."""
    return sidecar_of(pod, product) is not None


def _named(items: Iterable[RawObject] | None, name: str) -> RawObject | None:
    return next((item for item in items or () if item.get("name") == name), None)


def stale_reason(pod: RawObject, product: Product, desired: DesiredSidecar) -> str | None:
    """Say why the pod's sidecar is not the one that it would get today; None when it is, or when it has none."""
    sidecar = sidecar_of(pod, product)
    if sidecar is None:
        return None
    windows = ((pod.get("spec") or {}).get("nodeSelector") or {}).get("kubernetes.io/os") == "windows"
    if desired.with_init and not windows and sidecar.init_image is None:
        return f"no {product.init_container}: the pod's traffic bypasses the mesh"
    if not desired.with_init and sidecar.init_image is not None:
        return f"has {product.init_container}, which new pods do not get"
    if desired.image is not None and not windows and sidecar.image != desired.image:
        return f"runs {sidecar.image}, new pods get {desired.image}"
    if desired.with_init and desired.init_image is not None and sidecar.init_image not in (None, desired.init_image):
        return f"was started by {sidecar.init_image}, new pods by {desired.init_image}"
    return None
