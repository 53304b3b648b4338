# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Istio in raw objects, and the installation that is read from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.discovery import ControlPlane, IstioInstallation
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.injector_config import Injector, read_injector
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.proxy_config import proxy_configs
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.refresh_rules import IstioRules, istio_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import SidecarWebhook, sidecar_webhooks
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api

Object = dict[str, Any]
CONFIGURATIONS: dict[str, list[Object]] = json.loads((Path(__file__).parent / "webhook_configurations.json").read_text())
REVISIONS = sidecar_webhooks(CONFIGURATIONS["revision_and_tag"])
BY_DEFAULT = sidecar_webhooks(CONFIGURATIONS["by_default"])
HUB = "docker.io/istio"
NO_API = cast(Api, None)
TEMPLATES = {
    "sidecar": "spec:\n  containers:\n  - name: istio-proxy\n",
    "gateway": "spec:\n  containers:\n  - name: istio-proxy\n",
    "grpc-simple": "spec:\n  initContainers:\n  - name: grpc-bootstrap-init\n",
}


def config_map(values: Mapping[str, Any] | None = None, **config: Any) -> Object:
    """The ConfigMap of an injector; ``values`` are below ``global``."""
    common = {"hub": HUB, "tag": "1.30.0", "proxy": {"image": "proxyv2"}, **(values or {})}
    settings = {"policy": "enabled", "defaultTemplates": ["sidecar"], "templates": TEMPLATES, **config}
    return {"data": {"values": json.dumps({"global": common}), "config": json.dumps(settings)}}


def mesh_map(**settings: Any) -> Object:
    """The ConfigMap with the mesh's configuration."""
    return {"data": {"mesh": json.dumps({"rootNamespace": "istio-system", "trustDomain": "cluster.local", **settings})}}


def injector(
    revision: str = "default",
    *,
    version: str = "1.30.0",
    values: Mapping[str, Any] | None = None,
    mesh: Mapping[str, Any] | None = None,
    configs: Iterable[Object] = (),
    native: str = "",
    **config: Any,
) -> Injector:
    return read_injector(
        revision,
        "istio-system",
        injector=config_map({"tag": version, **(values or {})}, **config),
        mesh=mesh_map(**(mesh or {})),
        version=parse(version),
        native=native,
        configs=proxy_configs(configs),
    )


def installation(*injectors: Injector, webhooks: Iterable[SidecarWebhook] = tuple(REVISIONS)) -> IstioInstallation:
    """Revisions ``default`` (1.30.0) and ``1-31`` (1.31.0, also as tag ``stable``), unless others are given."""
    found = injectors or (injector(), injector("1-31", version="1.31.0"))
    planes = {item.revision: ControlPlane(item.revision, item.namespace, "istiod", item.version, None) for item in found}
    return IstioInstallation(planes, {item.revision: item for item in found}, [*webhooks])


NAMESPACES: dict[str, dict[str, str]] = {
    "shop": {"istio-injection": "enabled"},
    "canary": {"istio.io/rev": "1-31"},
    "tagged": {"istio.io/rev": "stable"},
    "lost": {"istio.io/rev": "1-29"},
    "off": {"istio-injection": "disabled"},
    "plain": {},
    "istio-system": {},
    "kube-system": {"istio-injection": "enabled"},
}


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Object:
    return {"metadata": {"name": name, "labels": dict(labels or {})}}


def rules(*injectors: Injector, webhooks: Iterable[SidecarWebhook] = tuple(REVISIONS)) -> IstioRules:
    spaces = [namespace(name, labels) for name, labels in NAMESPACES.items()]
    return istio_rules(NO_API, spaces, installation(*injectors, webhooks=webhooks))


def pod(
    place: str = "shop",
    *,
    image: str = "",
    revision: str = "default",
    native: bool = False,
    injected: bool = True,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """An application's pod, with a proxy when ``image`` is given; a template when it is not."""
    containers: list[Object] = [{"name": "app", "image": "web:1"}]
    inits: list[Object] = []
    own = dict(annotations or {})
    if image:
        proxy: Object = {"name": "istio-proxy", "image": image}
        (inits if native else containers).append({**proxy, "restartPolicy": "Always"} if native else proxy)
        if injected:
            status = {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "volumes": None, "revision": revision}
            own["sidecar.istio.io/status"] = json.dumps(status)
    found: Object = {"containers": containers, **spec}
    if inits:
        found["initContainers"] = inits
    return {"metadata": {"name": "web", "namespace": place, "labels": dict(labels or {}), "annotations": own}, "spec": found}
