# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observed states of a mesh at osm-edge 1.2.3 with chart 1.3.9 rendered: plain data, as the API server and Helm return it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, ReplicaSetFacts, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState, TargetChart, UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

OLD_PRESET: dict[str, Any] = {"sidecar": {"sidecarClass": "pipy"}, "traffic": {"enableEgress": False}}
NEW_PRESET: dict[str, Any] = {"sidecar": {"sidecarClass": "pipy"}, "traffic": {"enableEgress": True, "interceptionMode": "iptables"}}
VERSION = "app.kubernetes.io/version"


def deployment(name: str, version: str, *, selector: dict[str, str] | None = None, live: bool = True) -> dict[str, Any]:
    """A Deployment of the control plane, rolled out when it is live."""
    metadata: dict[str, Any] = {"name": name, "namespace": "osm-system", "labels": {"app": name, VERSION: version}}
    image = f"flomesh/{name.replace('osm-', 'osm-edge-')}:{version}"
    item: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector or {"app": name}},
            "template": {"spec": {"containers": [{"name": name, "image": image}]}},
        },
    }
    if live:
        metadata |= {"uid": f"uid-{name}", "resourceVersion": "10", "generation": 1}
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        item["status"] = {"observedGeneration": 1, **counts}
    return item


def webhook(kind: str, name: str, version: str, endpoints: int | None = 1) -> Webhook:
    """A webhook configuration of mesh ``osm``."""
    labels = {"app.kubernetes.io/instance": "osm", VERSION: version}
    return Webhook(
        ref=ObjectRef(kind, name),
        mesh_name="osm",
        app="osm-injector",
        version=version,
        services=(("osm-system", "osm-injector", 9090),),
        fails_closed=True,
        has_ca_bundle=True,
        labels=labels,
        uid=f"uid-{name}",
        resource_version="11",
        endpoints=endpoints,
    )


def controller_selector(version: str) -> dict[str, str]:
    """The selector of osm-controller, which changed in 1.3."""
    return {"app": "osm-controller", "codebase": ""} if version.startswith("1.3") else {"app": "osm-controller"}


def mesh(version: str) -> Mesh:
    """A healthy mesh."""
    names = ("osm-bootstrap", "osm-controller", "osm-injector")
    selectors = {"osm-controller": controller_selector(version)}
    return Mesh(
        product=OSM_EDGE,
        name="osm",
        namespace="osm-system",
        deployments=tuple(deployment(name, version, selector=selectors.get(name)) for name in names),
        mesh_config={"metadata": {"uid": "uid-config", "resourceVersion": "12"}, "spec": OLD_PRESET},
        preset_spec=OLD_PRESET,
        webhooks=(
            webhook("MutatingWebhookConfiguration", "osm-webhook-osm", version),
            webhook("ValidatingWebhookConfiguration", "osm-validator-mesh-osm", version),
        ),
        replica_sets=(ReplicaSetFacts("osm-controller-old", "osm-controller", "uid-rs", "13", 1, "uid-osm-controller"),),
    )


def target(version: str = "1.3.9") -> TargetChart:
    """The chart to upgrade to, rendered."""
    names = ("osm-bootstrap", "osm-controller", "osm-injector")
    selectors = {"osm-controller": controller_selector(version)}
    return TargetChart(
        name="osm-edge",
        version=version,
        app_version=version,
        templates_digest=f"templates-{version}",
        values={"osm": {"meshName": "osm"}},
        plain_values={"osm": {"meshName": "osm"}},
        manifests=[deployment(name, version, selector=selectors.get(name), live=False) for name in names],
        preset_spec=NEW_PRESET,
    )


def helm(version: str, **changes: Any) -> HelmState:
    """A deployed release."""
    values = {"osm": {"meshName": "osm"}} if version == "1.3.9" else {}
    state = HelmState("osm", "osm-system", 1, "deployed", "osm-edge", version, f"templates-{version}", values)
    return replace(state, **changes)


def state(live: str = "1.2.3", *, wanted: str = "1.3.9", **changes: Any) -> UpgradeState:
    """A mesh at ``live`` that is to become ``wanted``; ``changes`` replace fields of the state."""
    observed = changes.pop("mesh", mesh(live))
    merged = merge(observed.mesh_config_spec, OLD_PRESET, NEW_PRESET, {}, OSM_EDGE, target_version=wanted)
    result = UpgradeState(observed, helm(live), target(wanted), merged, {}, OLD_PRESET)
    return replace(result, **changes)


def upgraded() -> UpgradeState:
    """A mesh that has been upgraded and proven."""
    spec = merge(OLD_PRESET, OLD_PRESET, NEW_PRESET, {}, OSM_EDGE, target_version="1.3.9").spec
    done = replace(mesh("1.3.9"), mesh_config={"metadata": {"uid": "uid-config", "resourceVersion": "20"}, "spec": spec})
    return state("1.3.9", mesh=done)
