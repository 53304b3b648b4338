# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts for the checks: raw objects as an API server returns them, reduced by the real reduction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight_reduction as reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction as mesh_reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import ApiServer, Facts, Policies, Service, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_1, PRESET_1_2, PRESET_1_3
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import deployment, mesh_config

Object = dict[str, Any]
PLACE = "shop"
_PRESETS = {"1.1.3": PRESET_1_1, "1.2.3": PRESET_1_2, "1.2.4": PRESET_1_2, "1.3.9": PRESET_1_3, "1.5.1": PRESET_1_3}
KUBERNETES = ApiServer(("10.96.0.1",), ("192.0.2.10",), 443)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Object:
    """``base`` with ``changes``, maps merged."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(result.get(key) or {}, value) if isinstance(value, Mapping) else value
    return result


def mesh(version: str = "1.3.9", *, product: Product = OSM_EDGE, name: str = "osm", **changes: Any) -> Mesh:
    """A mesh with the preset of its version as its MeshConfig, ``changes`` merged into it."""
    place = product.default_namespace
    # A 1.5 mesh of FSM calls the mode otherwise.
    mode = {"traffic": {"interceptionMode": "PodLevel"}} if product is FSM else {}
    spec = merged(merged(_PRESETS[version], mode), changes)
    parts = [deployment(part, version, product=product, mesh=name, namespace=place) for part in product.deployments]
    return Mesh(product, name, place, deployments=parts, mesh_config=mesh_config(spec, place=place, product=product))


def namespace(
    name: str = PLACE, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> NamespaceFacts:
    """A namespace that is not enrolled unless its labels say so."""
    return mesh_reduction.namespace_facts(
        {"metadata": {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {})}}
    )


def pod_template(*, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A pod template with one container; ``spec`` are fields of the pod's spec."""
    return {
        "metadata": {"labels": dict(labels or {"app": "cart"}), "annotations": dict(annotations or {})},
        "spec": {"containers": [{"name": "cart", "image": "cart:1"}], **spec},
    }


def workload(
    kind: str = "Deployment", name: str = "cart", place: str = PLACE, *, status: Object | None = None, **template: Any
) -> Workload:
    """A workload; ``template`` as for ``pod_template``."""
    pod = pod_template(**template)
    spec = {"Pod": pod["spec"], "CronJob": {"jobTemplate": {"spec": {"template": pod}}}}.get(kind, {"template": pod})
    metadata = {"name": name, "namespace": place, **(pod["metadata"] if kind == "Pod" else {})}
    found = reduction.workload({"kind": kind, "metadata": metadata, "spec": spec, "status": status or {}})
    assert found is not None
    return found


def service(
    name: str = "cart", place: str = PLACE, *, selector: Mapping[str, str] | None = None, ports: Iterable[Object] = (), **spec: Any
) -> Service:
    """A Service with port 80 unless ``ports`` say otherwise, that selects the workload ``cart``."""
    body = {
        "clusterIP": "10.96.1.1",
        "selector": {"app": "cart"} if selector is None else dict(selector),
        "ports": [*ports] or [{"name": "http-web", "port": 80, "targetPort": 8080}],
    }
    return reduction.service({"metadata": {"name": name, "namespace": place}, "spec": {**body, **spec}})


def policy(kind: str, name: str = "policy", place: str = PLACE, **spec: Any) -> Object:
    """A policy of the mesh, or one of SMI."""
    return {"kind": kind, "metadata": {"name": name, "namespace": place}, "spec": spec}


def target(source: str, destination: str) -> Object:
    """A TrafficTarget between service accounts, each written as NAMESPACE/NAME."""
    (client, client_name), (server, server_name) = source.split("/"), destination.split("/")
    return policy(
        "TrafficTarget",
        f"{client}-{client_name}-{server_name}",
        server,
        destination={"kind": "ServiceAccount", "name": server_name, "namespace": server},
        sources=[{"kind": "ServiceAccount", "name": client_name, "namespace": client}],
    )


_DEFAULT_MESH = mesh()


def facts(*workloads: Workload, of: Mesh | None = None, namespaces: Iterable[NamespaceFacts] = (), **parts: Any) -> Facts:
    """Facts about the namespaces given (by default those of the workloads and Services), in a cluster that has ``default`` besides."""
    services: Iterable[Service] = parts.get("services", ())
    policies = parts.pop("policies", {})
    places = dict.fromkeys([*(item.namespace for item in workloads), *(item.ref.namespace for item in services)])
    chosen = {item.name: item for item in namespaces} or {name: namespace(name) for name in places or [PLACE]}
    others = {**chosen, **{item.name: item for item in parts.pop("outside", [namespace("default")])}}
    return Facts(
        mesh=of or _DEFAULT_MESH,
        namespaces=chosen,
        others=others,
        workloads=workloads,
        policies=Policies(**policies),
        api_server=parts.pop("api_server", KUBERNETES),
        **parts,
    )


def told(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """Severity, code and object (kind/name) of findings."""
    return [(finding.severity, finding.code, f"{finding.object.kind}/{finding.object.name}") for finding in findings]


ALL_PRODUCTS = (mesh("1.3.9"), mesh("1.2.4", product=OSM), mesh("1.5.1", product=FSM, name="fsm"))
