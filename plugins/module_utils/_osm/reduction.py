# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw objects reduced to the few fields that a decision needs, while a list is being read: pages are not kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import (
    CustomResource,
    NamespaceFacts,
    PodTraits,
    ReplicaSetFacts,
    Webhook,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

VERSION_LABEL = "app.kubernetes.io/version"
INSTANCE_LABEL = "app.kubernetes.io/instance"
_KEY_DOMAINS = tuple(dict.fromkeys(product.key_domain for product in PRODUCTS))
_INJECTION_KEYS = tuple(dict.fromkeys(product.injection_annotation for product in PRODUCTS))
# Container and volume together are what injection leaves; the uuid label survives copies of a pod template and proves nothing.
_SIDECARS = {product.bootstrap_volume: product.sidecar_container for product in PRODUCTS}
_INIT_CONTAINERS = frozenset(product.init_container for product in PRODUCTS)


def webhook(configuration: Object) -> Webhook:
    """Reduce a webhook configuration; several webhooks in one configuration become one entry."""
    metadata = configuration["metadata"]
    labels = metadata.get("labels") or {}
    hooks = configuration.get("webhooks") or ()
    services = (hook.get("clientConfig", {}).get("service") for hook in hooks)
    return Webhook(
        ref=ObjectRef(configuration["kind"], metadata["name"]),
        mesh_name=labels.get(INSTANCE_LABEL, ""),
        app=labels.get("app", ""),
        version=labels.get(VERSION_LABEL, ""),
        services=tuple(dict.fromkeys((item["namespace"], item["name"], int(item.get("port", 443))) for item in services if item)),
        # The API's default is Fail.
        fails_closed=any(hook.get("failurePolicy", "Fail") == "Fail" for hook in hooks),
        has_ca_bundle=bool(hooks) and all(hook.get("clientConfig", {}).get("caBundle") for hook in hooks),
        labels=labels,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        manager=last_writer(configuration),
    )


def custom_resource(crd: Object) -> CustomResource:
    """Reduce a CustomResourceDefinition: its schemas are most of its size."""
    metadata, spec = crd["metadata"], crd["spec"]
    versions = spec.get("versions") or ()
    conversion = spec.get("conversion") or {}
    service = conversion.get("webhook", {}).get("clientConfig", {}).get("service") or {}
    return CustomResource(
        name=metadata["name"],
        versions=tuple(version["name"] for version in versions if version.get("served")),
        storage=next((version["name"] for version in versions if version.get("storage")), ""),
        conversion=conversion.get("strategy", "None"),
        conversion_service=(service.get("namespace", ""), service.get("name", "")),
        labels=metadata.get("labels") or {},
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        stored=tuple((crd.get("status") or {}).get("storedVersions") or ()),
        namespaced=spec.get("scope", "Namespaced") == "Namespaced",
        kind=(spec.get("names") or {}).get("kind", ""),
    )


def namespace_facts(namespace: Object) -> NamespaceFacts:
    """Reduce a Namespace, whole or as metadata only."""
    metadata = namespace["metadata"]
    annotations = metadata.get("annotations") or {}
    return NamespaceFacts(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        annotations={key: value for key, value in annotations.items() if key.partition("/")[0] in _KEY_DOMAINS},
        terminating="deletionTimestamp" in metadata,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
    )


def workload(item: dict[str, Any]) -> dict[str, Any]:
    """Return a raw Deployment or DaemonSet without what only the API server needs."""
    item["metadata"].pop("managedFields", None)
    return item


def replica_set(item: Object) -> ReplicaSetFacts:
    """Reduce a ReplicaSet."""
    metadata = item["metadata"]
    owner = _controller(metadata)
    return ReplicaSetFacts(
        name=metadata["name"],
        app=(metadata.get("labels") or {}).get("app", ""),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        replicas=int(item.get("status", {}).get("replicas") or 0),
        owner_uid=owner.get("uid", ""),
    )


def ready_endpoints(slices: Iterable[Object]) -> dict[str, int]:
    """Return the number of ready endpoints per Service name from the EndpointSlices of one namespace.

    ``ready`` may be absent, which counts as true (EndpointConditions in k8s.io/api discovery/v1).
    """
    counts: dict[str, int] = {}
    for item in slices:
        service = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        ready = sum(1 for endpoint in item.get("endpoints") or () if (endpoint.get("conditions") or {}).get("ready") is not False)
        counts[service] = counts.get(service, 0) + ready
    return counts


def preset_spec(config_map: Object | None) -> dict[str, Any] | None:
    """Return the ``spec`` of the MeshConfig in ConfigMap ``preset-mesh-config``; None when it is missing or not JSON."""
    try:
        preset = json.loads((config_map or {})["data"]["preset-mesh-config.json"])
    except (KeyError, TypeError, ValueError):
        return None
    # The chart stores the bare spec; a whole object is read as well.
    spec = preset.get("spec", preset) if isinstance(preset, dict) else None
    return spec if isinstance(spec, dict) else None


def pod_traits(pod: Object) -> PodTraits | None:
    """Reduce a pod of the data plane; None for one that has ended or is being deleted."""
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    return sidecar_traits(pod)._replace(workload=_workload_of(metadata))


def sidecar_traits(pod: Object) -> PodTraits:
    """Reduce any pod, or a pod template with its namespace in its metadata; what owns it is left out."""
    metadata, spec = pod["metadata"], pod["spec"]
    annotations = metadata.get("annotations") or {}
    traits = PodTraits(
        namespace=metadata["namespace"],
        workload=("", ""),
        host_network=bool(spec.get("hostNetwork")),
        annotations=tuple((key, annotations[key]) for key in _INJECTION_KEYS if key in annotations),
        windows=(spec.get("nodeSelector") or {}).get("kubernetes.io/os") == "windows",
    )
    volume, container = _sidecar(spec)
    if container is None:
        return traits
    init: Object = next((item for item in spec.get("initContainers") or () if item["name"] in _INIT_CONTAINERS), {})
    return traits._replace(
        container=container["name"],
        volume=volume,
        mesh=next((item.get("value", "") for item in container.get("env") or () if item["name"] == "MESH_NAME"), ""),
        sidecar_image=container["image"],
        init_container=init.get("name", ""),
        init_image=init.get("image", ""),
    )


def _sidecar(spec: Object) -> tuple[str, Object | None]:
    """Return the injected container, told by its name and its volume (osm-edge v1.3.9 pkg/injector/patch.go ``GetProxyUUID``)."""
    for volume in spec.get("volumes") or ():
        name = _SIDECARS.get(volume["name"])
        if name is not None:
            return volume["name"], next((container for container in spec["containers"] if container["name"] == name), None)
    return "", None


def _workload_of(metadata: Object) -> tuple[str, str]:
    """Return (kind, name) of what is restarted to get another pod: a Deployment rather than its ReplicaSet."""
    owner = _controller(metadata)
    kind, name = owner.get("kind", ""), owner.get("name", "")
    template_hash = (metadata.get("labels") or {}).get("pod-template-hash", "")
    if kind == "ReplicaSet" and template_hash and name.endswith(f"-{template_hash}"):
        return "Deployment", name[: -len(template_hash) - 1]
    return kind, name


def _controller(metadata: Object) -> Object:
    return next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), {})
