# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the meshes of a cluster: few paged lists, read concurrently, reduced while they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CONFIGMAP,
    CRD,
    DAEMONSET,
    DEPLOYMENT,
    ENDPOINTSLICE,
    MUTATING_WEBHOOK,
    NAMESPACE,
    POD,
    REPLICASET,
    SECRET,
    SERVICE,
    VALIDATING_WEBHOOK,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import (
    ReleaseInfo,
    ReleaseUnreadable,
    list_releases,
    read_release,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import (
    Evidence,
    Site,
    SiteDetails,
    assemble,
    release_annotation,
    release_candidates,
    sites,
    stray_webhooks,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import (
    CRDS,
    DATA_PLANE,
    MESH_CONFIGS,
    RELEASES,
    WEBHOOKS,
    preset_part,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, PodTraits, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product

# Label selector of what a chart or a component of the family made.
FAMILY = f"app.kubernetes.io/name in ({','.join(dict.fromkeys(product.app_name for product in PRODUCTS))})"
_COMPONENTS = f"app in ({','.join(dict.fromkeys(name for product in PRODUCTS for name in product.deployments))})"
# A CRD is mostly schema, up to 200 kB of it.
_CRDS_PER_PAGE = 20


def discover(api: Api, *, mesh_name: str | None = None, data_plane: bool = True) -> Observed:
    """Read what is needed to know every mesh of the cluster; ``mesh_name`` is a hint which Helm releases may be one.

    Number of requests: about 15, one more per 500 pods, namespaces or release revisions, and 6 per mesh. Raises KubeError; a part that
    the user may not read (except Deployments and Namespaces) is named in ``Observed.unknown`` instead.
    """
    return Discovery(api).read(mesh_name, data_plane=data_plane)


class Discovery:
    """Collects evidence in three rounds of concurrent requests: cluster-wide lists, records by name, the control planes' namespaces."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._evidence = Evidence()
        self._unknown: dict[str, str] = {}
        self._pods: Counter[PodTraits] | None = None

    def read(self, mesh_name: str | None = None, *, data_plane: bool = True) -> Observed:
        """Read all three rounds."""
        self.read_cluster(data_plane=data_plane)
        self.read_releases(mesh_name)
        return self.read_sites()

    def read_cluster(self, *, data_plane: bool) -> None:
        """First round."""
        reads = [self._read_pods] if data_plane else []
        # The longest first.
        reads += [self._read_crds, self._read_revisions, self._read_namespaces, self._read_deployments]
        reads += [partial(self._read_webhooks, kind) for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK)]
        reads += [partial(self._read_mesh_configs, product) for product in _one_per_config_group()]
        self._run(reads)

    def read_releases(self, mesh_name: str | None) -> None:
        """Second round: what needs names from the first."""
        if RELEASES in self._unknown:
            self._read_revisions_of_named_releases()
        candidates = release_candidates(self._evidence, mesh_name)
        self._run([partial(self._read_release, info) for info in candidates])

    def read_sites(self) -> Observed:
        """Third round: each control plane's namespace."""
        details = {site: SiteDetails() for site in sites(self._evidence)}
        reads = [read for site, detail in details.items() for read in self._site_reads(site, detail)]
        reads += [read for site in details for read in self._unlabelled_deployment_reads(site)]
        self._run([*reads, *self._unlabelled_crd_reads(assemble(self._evidence, details)), *self._further_reads()])
        return Observed(
            server=self._api.server,
            meshes=assemble(self._evidence, details),
            namespaces=self._evidence.namespaces,
            crds=self._evidence.crds,
            data_plane=self._pods,
            unknown=self._unknown,
            stray_webhooks=stray_webhooks(self._evidence),
        )

    def _further_reads(self) -> list[Callable[[], None]]:
        """Return what else is read in the third round."""
        return []

    def _run(self, reads: list[Callable[[], None]]) -> None:
        self._api.map(lambda read: read(), reads)

    def _optional(self, part: str, read: Callable[[], None]) -> None:
        """Read a part that a user may lack the permission for, or that is damaged."""
        try:
            read()
        except ReleaseUnreadable as error:
            self._unknown[part] = str(error)
        except Forbidden as error:
            self._unknown[part] = f"not allowed to {error.missing}" if error.missing else str(error)

    # The lists of the first round

    def _read_namespaces(self) -> None:
        found = self._api.list(NAMESPACE, metadata_only=True)
        self._evidence.namespaces = {item["metadata"]["name"]: reduction.namespace_facts(item) for item in found}

    def _read_deployments(self) -> None:
        self._evidence.deployments = [reduction.workload(item) for item in self._api.list(DEPLOYMENT, label_selector=FAMILY)]

    def _read_webhooks(self, kind: Kind) -> None:
        self._optional(
            f"{WEBHOOKS} ({kind.kind})",
            lambda: self._evidence.webhooks.extend(map(reduction.webhook, self._api.list(kind, label_selector=FAMILY))),
        )

    def _read_crds(self) -> None:
        def read() -> None:
            found = map(reduction.custom_resource, self._api.list(CRD, label_selector=FAMILY, limit=_CRDS_PER_PAGE))
            self._evidence.crds = {crd.name: crd for crd in found}

        self._optional(CRDS, read)

    def _read_mesh_configs(self, product: Product) -> None:
        self._optional(MESH_CONFIGS, lambda: self._evidence.mesh_configs.extend(self._mesh_configs(product)))

    def _mesh_configs(self, product: Product) -> Iterator[dict[str, Any]]:
        """Yield the MeshConfigs of a group, in its newest version, else in the one that is stored (FSM 1.0 has no v1alpha3)."""
        try:
            yield from self._api.list(Kind(product.mesh_config_api_version, "MeshConfig", "meshconfigs"))
        except NotFound:
            crd = self._api.get_or_none(CRD, product.mesh_config_crd)
            if crd is not None:
                version = reduction.custom_resource(crd).storage
                yield from self._api.list(Kind(f"{product.mesh_config_group}/{version}", "MeshConfig", "meshconfigs"))

    def _read_revisions(self) -> None:
        def read() -> None:
            self._evidence.revisions = list_releases(self._api)

        self._optional(RELEASES, read)

    def _read_pods(self) -> None:
        def read() -> None:
            self._pods = Counter(item for item in self._traits(self._api.list(POD)) if item is not None)

        self._optional(DATA_PLANE, read)

    def _traits(self, pods: Iterator[dict[str, Any]]) -> Iterator[PodTraits | None]:
        return map(reduction.pod_traits, pods)

    # What is read by name

    def _read_revisions_of_named_releases(self) -> None:
        """A user who may not list all Secrets may often list those of the mesh's namespace."""
        evidence = self._evidence
        named = {ref for item in evidence.deployments if (ref := release_annotation(item)) is not None}
        places = {ref.namespace for ref in named} | {site.namespace for site in sites(evidence)}
        reason = self._unknown.pop(RELEASES)

        def read() -> None:
            evidence.revisions = [info for place in sorted(places) for info in list_releases(self._api, place)]

        self._optional(RELEASES, read)
        if not places:
            self._unknown[RELEASES] = reason

    def _read_release(self, info: ReleaseInfo) -> None:
        def read() -> None:
            release = read_release(self._api, info.namespace, info.name, info.revision)
            self._evidence.releases[ReleaseRef(info.name, info.namespace)] = release

        self._optional(f"Helm release {info.namespace}/{info.name}", read)

    def _site_reads(self, site: Site, details: SiteDetails) -> list[Callable[[], None]]:
        """Return the reads of one control plane's namespace."""
        api, namespace = self._api, site.namespace
        product = next(item for item in PRODUCTS if item.name_prefix == site.prefix)

        def endpoints() -> None:
            names = [item["metadata"]["name"] for item in api.list(SERVICE, namespace, metadata_only=True)]
            ready = reduction.ready_endpoints(api.list(ENDPOINTSLICE, namespace))
            details.endpoints = {name: ready.get(name, 0) for name in names}

        def replica_sets() -> None:
            details.replica_sets = [reduction.replica_set(item) for item in api.list(REPLICASET, namespace, label_selector=_COMPONENTS)]

        def daemon_sets() -> None:
            details.daemon_sets = [reduction.workload(item) for item in api.list(DAEMONSET, namespace, label_selector=FAMILY)]

        def preset() -> None:
            details.preset = api.get_or_none(CONFIGMAP, product.preset_config_map, namespace)

        def ca_secret() -> None:
            details.ca_secret = api.get_or_none(SECRET, product.ca_secret, namespace, metadata_only=True) is not None

        parts = {
            f"endpoints of {namespace}": endpoints,
            f"ReplicaSets of {namespace}": replica_sets,
            f"DaemonSets of {namespace}": daemon_sets,
            preset_part(namespace): preset,
            f"CA secret of {namespace}": ca_secret,
        }
        return [partial(self._optional, part, read) for part, read in parts.items()]

    def _unlabelled_deployment_reads(self, site: Site) -> list[Callable[[], None]]:
        """The control plane's Deployments have fixed names: one that lost its label is there all the same."""
        api, deployments, namespace = self._api, self._evidence.deployments, site.namespace
        product = next(item for item in PRODUCTS if item.name_prefix == site.prefix)
        listed = {item["metadata"]["name"] for item in deployments if item["metadata"]["namespace"] == namespace}

        def read(name: str) -> None:
            found = api.get_or_none(DEPLOYMENT, name, namespace)
            if found is not None:
                deployments.append(reduction.workload(found))

        names = (product.controller, product.injector, product.bootstrap)
        return [partial(self._optional, f"Deployment {namespace}/{name}", partial(read, name)) for name in names if name not in listed]

    def _unlabelled_crd_reads(self, meshes: Iterable[Mesh]) -> list[Callable[[], None]]:
        """CRDs that are known by name only: one without labels makes osm-bootstrap crash, so it must not be overlooked."""
        crds = self._evidence.crds
        if crds is None:
            return []
        known = {crd.name for mesh in meshes for crd in crds_of(mesh.product, mesh.bootstrap_version) or ()}

        def read(name: str) -> None:
            crd = self._api.get_or_none(CRD, name)
            if crd is not None:
                crds[name] = reduction.custom_resource(crd)

        return [partial(read, name) for name in sorted(known) if name not in crds]


def _one_per_config_group() -> list[Product]:
    return [*{product.mesh_config_group: product for product in PRODUCTS}.values()]
