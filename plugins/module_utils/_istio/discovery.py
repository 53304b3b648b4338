# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the Istio of a cluster: its control planes, their injectors, and the webhooks that lead to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.candidates import ISTIOD
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.injector_config import Injector, read_injector
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.proxy_config import ProxyConfig, proxy_configs
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.versions import Version, read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import (
    DEFAULT,
    REVISION_LABEL,
    SidecarWebhook,
    sidecar_webhooks,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, DEPLOYMENT, MUTATING_WEBHOOK, Kind

Object = Mapping[str, Any]

_PROXY_CONFIG = Kind("networking.istio.io/v1beta1", "ProxyConfig", "proxyconfigs")
_NAMESPACE = "istio-system"


class ControlPlane(NamedTuple):
    """One istiod: ``deployment`` is None where only webhooks tell of it (it runs elsewhere, or is gone)."""

    revision: str
    namespace: str
    name: str
    version: Version | None
    deployment: Object | None


@dataclass(frozen=True)
class IstioInstallation:
    """All revisions of the Istio of one cluster.

    ``control_planes`` and ``injectors`` are by revision; the default revision's name is ``default``. ``tags`` maps revision tags to
    revisions.
    """

    control_planes: Mapping[str, ControlPlane]
    injectors: Mapping[str, Injector]
    webhooks: Sequence[SidecarWebhook]

    @property
    def namespace(self) -> str:
        """Namespace of the control plane, of the default revision if there are several."""
        found = self.control_planes.get(DEFAULT) or next(iter(self.control_planes.values()))
        return found.namespace

    @property
    def namespaces(self) -> frozenset[str]:
        """Namespaces of all control planes."""
        return frozenset(item.namespace for item in self.control_planes.values())

    @property
    def tags(self) -> dict[str, str]:
        """Revision tags and where they point to."""
        return {webhook.tag: webhook.revision for webhook in self.webhooks if webhook.tag}


def find_istio(api: Api) -> IstioInstallation | None:
    """Read the Istio of a cluster; None when there is neither an istiod nor a webhook of one.

    Number of requests: 3, and 2 for each revision. Raises KubeError.
    """
    lists = api.map(lambda read: read(api), (_deployments, _webhooks, _proxy_configs))
    deployments, webhooks, configs = lists
    planes = {plane.revision: plane for plane in (*_elsewhere(webhooks), *map(_control_plane, deployments))}
    if not planes:
        return None
    injectors = api.map(lambda plane: _injector(api, plane, configs), planes.values())
    return IstioInstallation(planes, {item.revision: item for item in injectors}, webhooks)


def _deployments(api: Api) -> list[Any]:
    return [*api.list(DEPLOYMENT, label_selector=ISTIOD)]


def _webhooks(api: Api) -> list[Any]:
    return [*sidecar_webhooks(api.list(MUTATING_WEBHOOK))]


def _proxy_configs(api: Api) -> list[Any]:
    """Before 1.11 there is no such kind."""
    try:
        return [*proxy_configs(api.list(_PROXY_CONFIG))]
    except (NotFound, Forbidden):
        return []


def _elsewhere(webhooks: Sequence[SidecarWebhook]) -> Iterator[ControlPlane]:
    """Yield the control planes that webhooks lead to, as long as nothing else tells of them."""
    for webhook in webhooks:
        namespace, name = webhook.hook.service or (_NAMESPACE, _suffixed("istiod", webhook.revision))
        yield ControlPlane(webhook.revision, namespace, name, None, None)


def _control_plane(deployment: Object) -> ControlPlane:
    metadata = deployment["metadata"]
    labels = {**_labels(deployment["spec"]["template"]), **_labels(deployment)}
    container = _discovery(deployment)
    version = read_image(str(container.get("image", ""))).version
    return ControlPlane(labels.get(REVISION_LABEL) or DEFAULT, metadata["namespace"], metadata["name"], version, deployment)


def _labels(item: Object) -> Mapping[str, str]:
    return (item.get("metadata") or {}).get("labels") or {}


def _discovery(deployment: Object) -> Object:
    containers = deployment["spec"]["template"]["spec"].get("containers") or ()
    found: Object = next((item for item in containers if item.get("name") == "discovery"), {})
    return found


def _injector(api: Api, plane: ControlPlane, configs: Sequence[ProxyConfig]) -> Injector:
    names = (_suffixed("istio-sidecar-injector", plane.revision), _suffixed("istio", plane.revision))
    injector, mesh = api.map(lambda name: api.get_or_none(CONFIGMAP, name, plane.namespace), names)
    environment = _discovery(plane.deployment).get("env") or () if plane.deployment is not None else ()
    native = next((str(item.get("value") or "") for item in environment if item["name"] == "ENABLE_NATIVE_SIDECARS"), "")
    return read_injector(
        plane.revision, plane.namespace, injector=injector, mesh=mesh, version=plane.version, native=native, configs=configs
    )


def _suffixed(name: str, revision: str) -> str:
    return name if revision == DEFAULT else f"{name}-{revision}"
