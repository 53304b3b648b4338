# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thorough look at a cluster: what ``discover`` reads, and what is left of meshes that are gone.

A procedure needs ``discover`` only, so it does not load this file.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    ENDPOINTSLICE,
    JOB,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import sites
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.components import components
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import FAMILY
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import DATA_PLANE, HOOKS, WEBHOOKS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_room import APP_NAMES, RoomDiscovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import HookObject, Leftovers, hook_object, mounted_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_keys import advice
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room

_SECRET_PREFIXES = tuple(dict.fromkeys(product.bootstrap_secret_prefix for product in PRODUCTS))
_SERVICE_NAMES = frozenset(service for product in PRODUCTS for service in product.services)


class Surveyed(NamedTuple):
    """``room`` is what the nodes have left; None when pods were not asked for, or there is no mesh."""

    observed: Observed
    room: Room | None


def survey(api: Api, *, mesh_name: str | None = None, data_plane: bool = True) -> Surveyed:
    """Read what ``discover`` reads, leftovers, and what the nodes have left.

    Number of requests: those of ``discover``, one per 500 bootstrap Secrets (only when ``data_plane``); in a cluster with a trace of
    the family 4, and 2 for each Service outside the meshes that a webhook or CRD of the family refers to; one per 500 nodes when there is
    a mesh; those of a diagnosis for each mesh that is not ready. Raises KubeError.
    """
    found = Survey(api)
    observed = found.read(mesh_name, data_plane=data_plane)
    return Surveyed(with_diagnosis(api, observed), found.room)


def with_diagnosis(api: Api, observed: Observed) -> Observed:
    """Add what holds back the components that are not ready; nothing is read for meshes that are."""
    unknown = dict(observed.unknown)
    meshes = []
    for mesh in observed.meshes:
        waiting = [component.ref.name for component in components(mesh) if not component.rollout.done]
        if waiting:
            # Most meshes are sound, and then its thousand lines need not be loaded.
            from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import diagnose

            found = diagnose(api, mesh.namespace, waiting, advice=advice(mesh.product))
            if found.unread:
                unknown[f"diagnosis of {mesh.namespace}"] = "; ".join(found.unread)
            mesh = replace(mesh, troubles=found.troubles)
        meshes.append(mesh)
    return replace(observed, meshes=tuple(meshes), unknown=unknown)


class Survey(RoomDiscovery):
    """Reads webhooks without asking for labels, Secrets before pods, and leftovers together with the control planes' namespaces."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._secrets: int | None = None
        self._unowned: list[tuple[str, str]] = []
        self._mounted: set[tuple[str, str]] = set()
        self._hooks: list[HookObject] = []
        self._services: dict[tuple[str, str], int] = {}
        self.room: Room | None = None

    def read_sites(self) -> Observed:
        """Third round, as one of concurrent requests."""
        observed = super().read_sites()
        return observed.with_leftovers(self._leftovers())

    def _further_reads(self) -> list[Callable[[], None]]:
        if not self._has_trace():
            return []
        nodes = [self._read_nodes] if self._pods is not None and sites(self._evidence) else []
        kinds = ((JOB, False), (SERVICEACCOUNT, True), (CLUSTERROLE, True), (CLUSTERROLEBINDING, True))
        return [
            *nodes,
            *(partial(self._read_hooks, kind, metadata_only) for kind, metadata_only in kinds),
            *(partial(self._read_service, *service) for service in self._foreign_services()),
        ]

    def _has_trace(self) -> bool:
        """Whether the family has ever been here: its definitions outlive an uninstallation."""
        evidence = self._evidence
        return bool(sites(evidence) or evidence.webhooks or evidence.crds or evidence.crds is None)

    # Webhooks: one that lost its labels still catches pods.

    def _read_webhooks(self, kind: Kind) -> None:
        def read() -> None:
            self._evidence.webhooks.extend(hook for hook in map(reduction.webhook, self._api.list(kind)) if _is_of_family(hook))

        self._optional(f"{WEBHOOKS} ({kind.kind})", read)

    # Bootstrap Secrets: read before the pods, because the injector makes a Secret before its pod exists.

    def _read_pods(self) -> None:
        # Most roles do not open the Secrets of all namespaces, nor should they: then the numbers are unknown, and that is all.
        with contextlib.suppress(Forbidden):
            self._read_bootstrap_secrets()
        super()._read_pods()

    def _read_bootstrap_secrets(self) -> None:
        total = 0
        for item in self._api.list(SECRET, label_selector=FAMILY, metadata_only=True):
            if item["metadata"]["name"].startswith(_SECRET_PREFIXES):
                total += 1
                self._see_bootstrap_secret(item)
        self._secrets = total

    def _see_bootstrap_secret(self, item: dict[str, Any]) -> None:
        metadata = item["metadata"]
        # The controller makes the pod the owner, and then the garbage collector looks after the Secret.
        if not metadata.get("ownerReferences"):
            self._unowned.append((metadata["namespace"], metadata["name"]))

    def _count(self, pod: dict[str, Any]) -> None:
        super()._count(pod)
        self._mounted.update(mounted_secrets(pod))

    def _read_nodes(self) -> None:
        self.room = self.read_room()

    def _leftovers(self) -> Leftovers:
        read = self._secrets is not None and DATA_PLANE not in self._unknown
        orphaned = Counter(namespace for namespace, name in self._unowned if (namespace, name) not in self._mounted)
        return Leftovers(
            secrets=self._secrets if read else None,
            orphaned_secrets=dict(sorted(orphaned.items())) if read else None,
            hooks=tuple(sorted(self._hooks)),
            services=self._services,
        )

    # What is left of hooks, and what webhooks and definitions refer to

    def _read_hooks(self, kind: Kind, metadata_only: bool) -> None:
        def read() -> None:
            for item in self._api.list(kind, label_selector=FAMILY, metadata_only=metadata_only):
                self._see_of_chart(kind, item)

        self._optional(f"{HOOKS} ({kind.kind})", read)

    def _see_of_chart(self, _kind: Kind, item: dict[str, Any]) -> None:
        found = hook_object(item)
        if found is not None:
            self._hooks.append(found)

    def _foreign_services(self) -> list[tuple[str, str]]:
        """Return the Services that are no control plane's, whose endpoints nobody else reads."""
        evidence = self._evidence
        referred = {(namespace, name) for hook in evidence.webhooks for namespace, name, dummy in hook.services}
        referred |= {crd.conversion_service for crd in (evidence.crds or {}).values() if crd.conversion == "Webhook"}
        known = {site.namespace for site in sites(evidence)}
        return sorted((namespace, name) for namespace, name in referred if name and (namespace not in known or name not in _SERVICE_NAMES))

    def _read_service(self, namespace: str, name: str) -> None:
        def read() -> None:
            if self._api.get_or_none(SERVICE, name, namespace, metadata_only=True) is None:
                self._services[namespace, name] = -1
                return
            slices = self._api.list(ENDPOINTSLICE, namespace, label_selector=f"kubernetes.io/service-name={name}")
            self._services[namespace, name] = reduction.ready_endpoints(slices).get(name, 0)

        self._optional(f"Service {namespace}/{name}", read)


def _is_of_family(hook: Webhook) -> bool:
    return hook.labels.get("app.kubernetes.io/name") in APP_NAMES or any(name in _SERVICE_NAMES for dummy, name, _port in hook.services)
