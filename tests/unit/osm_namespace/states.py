# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces, meshes and requests as tests write them down, and the command line of the mesh as a model to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, PodTraits, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace, NamespacesState, ScrapedPod
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

MESH = Mesh(OSM_EDGE, "osm", "osm-system")
FSM_MESH = Mesh(FSM, "fsm", "fsm-system")
MESHES = (MESH, FSM_MESH, Mesh(OSM, "envoy", "osm-system"))


def live(
    name: str = "app",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    *,
    terminating: bool = False,
) -> LiveNamespace:
    """A namespace that exists."""
    return LiveNamespace(name, f"uid-{name}", "7", {"kubernetes.io/metadata.name": name, **(labels or {})}, annotations or {}, terminating)


def enrolled(
    name: str = "app",
    *,
    mesh: str | None = "osm",
    injection: str | None = None,
    metrics: str | None = None,
    ignore: str | None = None,
    product: Product = OSM_EDGE,
    **others: str,
) -> LiveNamespace:
    """A namespace with these values of the family's keys; None leaves a key out. ``others`` are further labels."""
    labels = {product.monitored_by_label: mesh, product.ignore_label: ignore}
    annotations = {product.injection_annotation: injection, product.metrics_annotation: metrics}
    return live(name, {**others, **_given(labels)}, _given(annotations))


def _given(pairs: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in pairs.items() if value is not None}


def state(
    *namespaces: LiveNamespace, request: NamespaceRequest, mesh: Mesh = MESH, targets: Iterable[str] | None = None, **more: Any
) -> NamespacesState:
    """What was read; all namespaces are meant unless ``targets`` says otherwise."""
    names = tuple(item.name for item in namespaces) if targets is None else tuple(targets)
    return NamespacesState(mesh, request, {item.name: item for item in namespaces}, names, **more)


def applied(namespace: LiveNamespace, step: Step) -> LiveNamespace:
    """The namespace as the API server leaves it when it has merged the step's patch."""
    merged = {}
    for part, now in (("labels", namespace.labels), ("annotations", namespace.annotations)):
        merged[part] = _given({**now, **step.desired[part]})
    return namespace._replace(labels=merged["labels"], annotations=merged["annotations"], resource_version="8")


class Keys(NamedTuple):
    """The four keys of one product on a namespace."""

    mesh: str | None
    ignore: str | None
    injection: str | None
    metrics: str | None


def keys_of(namespace: LiveNamespace, product: Product) -> Keys:
    """Read them."""
    return Keys(
        namespace.labels.get(product.monitored_by_label),
        namespace.labels.get(product.ignore_label),
        namespace.annotations.get(product.injection_annotation),
        namespace.annotations.get(product.metrics_annotation),
    )


# The command line, by osm-edge v1.3.9 cmd/cli; a model of what it does to the keys where it does not stop.


def osm_namespace_add(now: Keys, mesh: str, *, disable_injection: bool = False) -> Keys:
    """cmd/cli/namespace_add.go: returns early when it is in the mesh, refuses exactly "true" as ignored."""
    if now.mesh == mesh:
        return now
    if now.ignore == "true":
        raise PermissionError("Cannot add ignored namespace")
    return now._replace(mesh=mesh, injection="disabled" if disable_injection else "enabled")


def osm_namespace_remove(now: Keys, mesh: str) -> Keys:
    """cmd/cli/namespace_remove.go: returns early without the label, refuses another mesh's."""
    if not now.mesh:
        return now
    if now.mesh != mesh:
        raise PermissionError(f"Namespace belongs to mesh [{now.mesh}], not mesh [{mesh}]")
    return Keys(None, None, None, None)


def osm_namespace_ignore(now: Keys) -> Keys:
    """cmd/cli/namespace_ignore.go."""
    return now._replace(ignore="true")


def osm_metrics(now: Keys, *, enable: bool) -> Keys:
    """cmd/cli/metrics_enable.go and metrics_disable.go: only for namespaces of a mesh."""
    if not now.mesh:
        raise PermissionError("does not belong to a mesh")
    return now._replace(metrics="enabled" if enable else None)


# Everything that can be there, and everything that can be asked

REQUESTS = [
    *(
        NamespaceRequest("present", ("app",), injection=injection, metrics=metrics, create=create, allow_move=move)
        for injection in (None, "enabled", "disabled")
        for metrics in (None, "enabled", "disabled")
        for create in (False, True)
        for move in (False, True)
    ),
    *(NamespaceRequest("absent", ("app",), metrics=metrics) for metrics in (None, "disabled")),
    *(NamespaceRequest("ignored", ("app",), metrics=metrics) for metrics in (None, "disabled")),
]
requests = st.sampled_from(REQUESTS)
meshes = st.sampled_from(MESHES)
_switch = st.sampled_from([None, "enabled", "disabled", "yes", "no", "True", "FALSE", "", "maybe"])
_names = st.sampled_from([None, "osm", "fsm", "envoy", "other"])
_ignore = st.sampled_from([None, "true", "false", "", "yes"])


@st.composite
def namespaces(draw: st.DrawFn) -> LiveNamespace:
    """A namespace with any values of the keys of both halves of the family, and other people's."""
    labels: dict[str, str | None] = {"team": draw(st.sampled_from([None, "payments"]))}
    annotations: dict[str, str | None] = {"example.com/owner": draw(st.sampled_from([None, "somebody"]))}
    for product in (OSM_EDGE, FSM):
        labels |= {product.monitored_by_label: draw(_names), product.ignore_label: draw(_ignore)}
        annotations |= {product.injection_annotation: draw(_switch), product.metrics_annotation: draw(_switch)}
    return live("app", _given(labels), _given(annotations), terminating=draw(st.booleans()))


def injector(*, endpoints: int | None, fails_closed: bool = True) -> Webhook:
    """The MutatingWebhookConfiguration of the mesh."""
    return Webhook(
        ref=ObjectRef("MutatingWebhookConfiguration", "osm-webhook-osm"),
        mesh_name="osm",
        app="osm-injector",
        version="1.3.9",
        services=(("osm-system", "osm-injector", 9090),),
        fails_closed=fails_closed,
        has_ca_bundle=True,
        labels={},
        uid="u",
        resource_version="1",
        endpoints=endpoints,
    )


def traits(namespace: str = "app", *, mesh: str | None = None, host_network: bool = False, injection: str | None = None) -> PodTraits:
    """A pod of osm-edge, with a sidecar of ``mesh`` unless that is None."""
    annotations = () if injection is None else ((OSM_EDGE.injection_annotation, injection),)
    bare = PodTraits(namespace, ("Deployment", "app"), host_network, annotations, windows=False)
    if mesh is None:
        return bare
    return bare._replace(container="sidecar", volume="sidecar-bootstrap-config-volume", mesh=mesh, sidecar_image="flomesh/pipy:1")


def scraped(name: str, annotations: Mapping[str, str] | None = None) -> ScrapedPod:
    """A pod to annotate."""
    return ScrapedPod(name, f"uid-{name}", "3", annotations or {})
