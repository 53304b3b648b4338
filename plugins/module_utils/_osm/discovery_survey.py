# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thorough look at a cluster: what ``discover`` reads, and what is left of meshes that are gone.

A procedure needs ``discover`` only, so it does not load this file.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

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
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import FAMILY, Discovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import DATA_PLANE, HOOKS, WEBHOOKS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import HookObject, Leftovers, hook_object, mounted_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed, PodTraits, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS

_SECRET_PREFIXES = tuple(dict.fromkeys(product.bootstrap_secret_prefix for product in PRODUCTS))
_SERVICE_NAMES = frozenset(service for product in PRODUCTS for service in product.services)
_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)


def survey(api: Api, *, mesh_name: str | None = None, data_plane: bool = True) -> Observed:
    """Read what ``discover`` reads, and leftovers.

    Number of requests: those of ``discover``, one per 500 bootstrap Secrets (only when ``data_plane``), and, in a cluster with a trace of
    the family, 4 and 2 for each Service outside the meshes that a webhook or CRD of the family refers to. Raises KubeError.
    """
    found = _Survey(api)
    found.read_cluster(data_plane=data_plane)
    found.read_releases(mesh_name)
    return found.read_sites()


class _Survey(Discovery):
    """Reads webhooks without asking for labels, Secrets before pods, and leftovers together with the control planes' namespaces."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._secrets: int | None = None
        self._unowned: list[tuple[str, str]] = []
        self._mounted: set[tuple[str, str]] = set()
        self._hooks: list[HookObject] = []
        self._services: dict[tuple[str, str], int] = {}

    def read_sites(self) -> Observed:
        """Third round, as one of concurrent requests."""
        observed = super().read_sites()
        return observed.with_leftovers(self._leftovers())

    def _further_reads(self) -> list[Callable[[], None]]:
        if not self._has_trace():
            return []
        kinds = ((JOB, False), (SERVICEACCOUNT, True), (CLUSTERROLE, True), (CLUSTERROLEBINDING, True))
        return [
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
            metadata = item["metadata"]
            if metadata["name"].startswith(_SECRET_PREFIXES):
                total += 1
                # The controller makes the pod the owner, and then the garbage collector looks after the Secret.
                if not metadata.get("ownerReferences"):
                    self._unowned.append((metadata["namespace"], metadata["name"]))
        self._secrets = total

    def _traits(self, pods: Iterator[dict[str, Any]]) -> Iterator[PodTraits | None]:
        for pod in pods:
            self._mounted.update(mounted_secrets(pod))
            yield reduction.pod_traits(pod)

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
            found = map(hook_object, self._api.list(kind, label_selector=FAMILY, metadata_only=metadata_only))
            self._hooks.extend(item for item in found if item is not None)

        self._optional(f"{HOOKS} ({kind.kind})", read)

    def _foreign_services(self) -> list[tuple[str, str]]:
        """Return the Services outside the control planes' namespaces, whose endpoints nobody else reads."""
        evidence = self._evidence
        referred = {(namespace, name) for hook in evidence.webhooks for namespace, name, dummy in hook.services}
        referred |= {crd.conversion_service for crd in (evidence.crds or {}).values() if crd.conversion == "Webhook"}
        known = {site.namespace for site in sites(evidence)}
        return sorted((namespace, name) for namespace, name in referred if name and namespace not in known)

    def _read_service(self, namespace: str, name: str) -> None:
        def read() -> None:
            if self._api.get_or_none(SERVICE, name, namespace, metadata_only=True) is None:
                self._services[namespace, name] = -1
                return
            slices = self._api.list(ENDPOINTSLICE, namespace, label_selector=f"kubernetes.io/service-name={name}")
            self._services[namespace, name] = reduction.ready_endpoints(slices).get(name, 0)

        self._optional(f"Service {namespace}/{name}", read)


def _is_of_family(hook: Webhook) -> bool:
    return hook.labels.get("app.kubernetes.io/name") in _APP_NAMES or any(name in _SERVICE_NAMES for dummy, name, _port in hook.services)
