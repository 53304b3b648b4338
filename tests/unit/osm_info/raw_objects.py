# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw objects of a mesh as an API server returns them, and observations made of them by the real reduction and assembly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import (
    Evidence,
    Site,
    SiteDetails,
    assemble,
    sites,
    stray_webhooks,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import Leftovers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2, PRESET_1_3

Object = dict[str, Any]
NOW = 1_760_000_000.0
PRESETS: Mapping[str, Object] = {"1.2.3": PRESET_1_2, "1.3.9": PRESET_1_3}
_IMAGES = {OSM_EDGE.id: "flomesh/osm-edge-", OSM.id: "openservicemesh/osm-", FSM.id: "flomesh/fsm-"}


def deployment(
    name: str, version: str, *, product: Product = OSM_EDGE, mesh: str = "osm", namespace: str = "osm-system", **status: Any
) -> Object:
    """A component with one pod, rolled out unless ``status`` says otherwise."""
    short = name.partition("-")[2]
    counts = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "generation": 1,
            "labels": {"app": name, "meshName": mesh, "app.kubernetes.io/name": product.app_name, "app.kubernetes.io/version": version},
            "annotations": {"meta.helm.sh/release-name": mesh, "meta.helm.sh/release-namespace": namespace},
        },
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": f"{_IMAGES[product.id]}{short}:{version}",
                            "env": [{"name": product.init_image_env, "value": f"flomesh/osm-edge-sidecar-init:{version}"}],
                        }
                    ]
                }
            },
        },
        "status": {**counts, **status},
    }


def namespace(name: str, *, mesh: str = "", injection: str = "", product: Product = OSM_EDGE, **labels: str) -> Object:
    """A Namespace, enrolled when ``mesh`` is given."""
    enrolled = {product.monitored_by_label: mesh} if mesh else {}
    annotations = {product.injection_annotation: injection} if injection else {}
    return {"metadata": {"name": name, "labels": {**enrolled, **labels}, "annotations": annotations}}


def pod(
    place: str = "shop",
    *,
    image: str = "",
    init: str = "",
    mesh: str = "osm",
    product: Product = OSM_EDGE,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Object:
    """An application's pod, with a sidecar when ``image`` is given."""
    spec: Object = {"containers": [{"name": "app", "image": "app:1"}], "volumes": [{"name": "data"}]}
    if image:
        environment = [{"name": "POD_NAME", "valueFrom": {}}, {"name": "MESH_NAME", "value": mesh}]
        spec["containers"].append({"name": product.sidecar_container, "image": image, "env": environment})
        spec["volumes"].append({"name": product.bootstrap_volume})
    if init:
        spec["initContainers"] = [{"name": product.init_container, "image": init}]
    owner = {"kind": "ReplicaSet", "name": "app-5d7f", "uid": "rs", "controller": True}
    metadata = {"namespace": place, "name": "app-5d7f-x", "labels": {"pod-template-hash": "5d7f"}, "ownerReferences": [owner]}
    return {"metadata": {**metadata, "annotations": dict(annotations or {})}, "spec": {**spec, **fields}, "status": {"phase": "Running"}}


def webhook(
    kind: str = "MutatingWebhookConfiguration", *, mesh: str = "osm", version: str = "1.2.3", place: str = "osm-system", **hook: Any
) -> Object:
    """A webhook configuration as injector or controller make it."""
    mutating = kind.startswith("Mutating")
    app, service, name = (
        ("osm-injector", "osm-injector", f"osm-webhook-{mesh}")
        if mutating
        else ("osm-controller", "osm-validator", f"osm-validator-mesh-{mesh}")
    )
    labels = {
        "app": app,
        "app.kubernetes.io/name": "openservicemesh.io",
        "app.kubernetes.io/instance": mesh,
        "app.kubernetes.io/version": version,
    }
    client = {"service": {"namespace": place, "name": service, "port": 9090}, "caBundle": "Y2E="}
    entry = {"name": "osm-inject.k8s.io", "clientConfig": client, "failurePolicy": "Fail", **hook}
    return {"kind": kind, "metadata": {"name": name, "labels": labels, "uid": f"uid-{name}", "resourceVersion": "7"}, "webhooks": [entry]}


def mesh_config(spec: Object, *, place: str = "osm-system", product: Product = OSM_EDGE) -> Object:
    """A MeshConfig."""
    return {
        "apiVersion": product.mesh_config_api_version,
        "kind": "MeshConfig",
        "metadata": {"name": product.mesh_config_name, "namespace": place},
        "spec": spec,
    }


def crd(name: str, *served: str, storage: str = "", labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A CustomResourceDefinition."""
    versions = [{"name": version, "served": True, "storage": version == (storage or served[0]), "schema": {}} for version in served]
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "openservicemesh.io"} if labels is None else labels},
        "spec": {"versions": versions, **spec},
    }


def crds(version: str, product: Product = OSM_EDGE) -> list[Object]:
    """The CRDs that a version installs."""
    return [
        crd(item.name, *item.served, storage=item.storage, labels={"app.kubernetes.io/name": item.app_name})
        for item in crds_of(product, version) or ()
    ]


def release(
    version: str, *, name: str = "osm", place: str = "osm-system", status: str = "deployed", chart: str = "osm-edge", **values: Any
) -> Release:
    """A Helm release; ``values`` are those of the user below ``osm``."""
    return Release(
        name=name,
        namespace=place,
        revision=1,
        status=status,
        chart_name=chart,
        chart_version=version,
        app_version=version,
        templates={},
        values={"osm": values},
        chart_values={"osm": {"meshName": "osm", "osmNamespace": ""}},
        manifest="".join(f"  image: flomesh/{chart}-{name}:{version}\n" for name in ("controller", "injector", "bootstrap")),
        first_deployed="",
        last_deployed="2026-01-02T03:04:05Z",
        description="Install complete",
    )


def revision(record: Release, *, age: float = 60.0) -> ReleaseInfo:
    """The metadata of a release's record."""
    secret = f"sh.helm.release.v1.{record.name}.v{record.revision}"
    return ReleaseInfo(record.name, record.namespace, record.revision, record.status, NOW - age, secret)


def evidence(
    *,
    deployments: Iterable[Object] = (),
    webhooks: Iterable[Object] = (),
    mesh_configs: Iterable[Object] = (),
    releases: Iterable[Release] = (),
    namespaces: Iterable[Object] = (),
    definitions: Iterable[Object] = (),
    age: float = 60.0,
) -> Evidence:
    """What the cluster-wide lists would give."""
    facts = [reduction.namespace_facts(item) for item in namespaces]
    resources = [reduction.custom_resource(item) for item in definitions]
    return Evidence(
        namespaces={item.name: item for item in facts},
        deployments=[*deployments],
        webhooks=[reduction.webhook(item) for item in webhooks],
        mesh_configs=[*mesh_configs],
        revisions=[revision(item, age=age) for item in releases],
        releases={ReleaseRef(item.name, item.namespace): item for item in releases},
        crds={item.name: item for item in resources},
    )


def healthy(version: str = "1.3.9", *, spec: Object | None = None, **changes: Any) -> Evidence:
    """Everything that belongs to a sound mesh ``osm`` in ``osm-system`` with one enrolled namespace ``shop``."""
    parts: dict[str, Any] = {
        "deployments": [deployment(name, version) for name in OSM_EDGE.deployments],
        "webhooks": [webhook(version=version), webhook("ValidatingWebhookConfiguration", version=version)],
        "mesh_configs": [mesh_config(spec if spec is not None else PRESETS[version])],
        "releases": [release(version)],
        "namespaces": [namespace("shop", mesh="osm", injection="enabled"), namespace("osm-system"), namespace("default")],
        "definitions": crds(version),
    }
    return evidence(**{**parts, **changes})


def observed(
    found: Evidence,
    *,
    version: str = "1.3.9",
    pods: Iterable[Object] | None = (),
    endpoints: Mapping[str, int] | None = None,
    unknown: Mapping[str, str] | None = None,
    details: Mapping[Site, SiteDetails] | None = None,
    leftovers: Leftovers | None = None,
    troubles: Sequence[Trouble] = (),
) -> Observed:
    """The observation of a cluster with that evidence; every Service of a mesh has one ready endpoint unless ``endpoints`` is given."""
    preset = {"data": {"preset-mesh-config.json": json.dumps(PRESETS[version])}}
    served = {"osm-injector": 1, "osm-validator": 1, "osm-controller": 1, "osm-bootstrap": 1} if endpoints is None else dict(endpoints)
    places = (
        details if details is not None else {site: SiteDetails(endpoints=served, preset=preset, ca_secret=True) for site in sites(found)}
    )
    traits = None if pods is None else Counter(item for item in map(reduction.pod_traits, pods) if item is not None)
    return Observed(
        "https://cluster",
        tuple(replace(mesh, troubles=tuple(troubles)) for mesh in assemble(found, places)),
        found.namespaces,
        found.crds,
        traits,
        dict(unknown or {}),
        stray_webhooks(found),
        leftovers,
    )
