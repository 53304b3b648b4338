# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From scattered evidence to meshes: a mesh is there when any one of its parts is. Pure.

After the controller's Deployment was orphaned for an upgrade, or after an uninstallation that left its webhooks behind, most
parts are missing; a procedure that is run again must find the mesh all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import (
    CustomResource,
    Mesh,
    NamespaceFacts,
    ReleaseRef,
    ReplicaSetFacts,
    Webhook,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import (
    FSM,
    OSM,
    OSM_EDGE,
    PRODUCTS,
    Product,
    product_of_deployment,
    product_of_release,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import preset_spec

Object = Mapping[str, Any]

# Without any other trace of a mesh, this many releases are looked into.
_MOST_UNNAMED_RELEASES = 20
_COMPONENT_APPS = {app: product.name_prefix for product in PRODUCTS for app in product.deployments}
_SERVICES = {service: product.name_prefix for product in PRODUCTS for service in product.services}
_CONFIG_GROUPS = {product.mesh_config_group: product.name_prefix for product in PRODUCTS}


class Site(NamedTuple):
    """Where a control plane lives. Its objects' names do not contain the mesh's name, so a namespace holds one per prefix."""

    prefix: str
    namespace: str


@dataclass
class Evidence:
    """What the cluster-wide lists returned; ``crds`` is None when they may not be read."""

    namespaces: dict[str, NamespaceFacts] = field(default_factory=dict)
    deployments: list[Object] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    mesh_configs: list[Object] = field(default_factory=list)
    revisions: list[ReleaseInfo] = field(default_factory=list)
    releases: dict[ReleaseRef, Release] = field(default_factory=dict)
    crds: dict[str, CustomResource] | None = None


@dataclass
class SiteDetails:
    """What was read in the namespace of one control plane."""

    daemon_sets: list[Object] = field(default_factory=list)
    endpoints: dict[str, int] | None = None
    replica_sets: list[ReplicaSetFacts] = field(default_factory=list)
    preset: Object | None = None
    ca_secret: bool | None = None


def sites(evidence: Evidence) -> list[Site]:
    """Return where control planes are, or were: every kind of evidence counts."""
    found = [Site(_COMPONENT_APPS[name], _namespace(item)) for item in evidence.deployments if (name := _name(item)) in _COMPONENT_APPS]
    services = [service for hook in evidence.webhooks for service in hook.services]
    found += [Site(_SERVICES[name], namespace) for namespace, name, dummy in services if name in _SERVICES]
    found += [Site(prefix, _namespace(item)) for item in evidence.mesh_configs if (prefix := _config_prefix(item))]
    found += [site for release in evidence.releases.values() if (site := site_of_release(release)) is not None]
    return sorted(set(found))


def stray_webhooks(evidence: Evidence) -> tuple[Webhook, ...]:
    """Return the webhook configurations of the family that lead to no Service that a control plane has."""
    places = sites(evidence)
    strays = (hook for hook in evidence.webhooks if not any(_points_to(hook, site) for site in places))
    return tuple(sorted(strays, key=lambda hook: hook.ref))


def site_of_release(release: Release) -> Site | None:
    """Return where a release puts its control plane, None when it is not one of the family.

    Every chart of the family can put its objects elsewhere than the record (value ``osm.osmNamespace``).
    """
    product = release_product(release)
    if product is None:
        return None
    return Site(product.name_prefix, str(release_value(release, product, product.namespace_value) or release.namespace))


def release_product(release: Release) -> Product | None:
    """Tell the product of a release record."""
    # The manifest is a text of up to a megabyte; the controller's image line is enough.
    lines = (line.strip() for line in release.manifest.splitlines() if "image:" in line)
    images = (line.partition("image:")[2].strip().strip("\"'") for line in lines)
    return product_of_release(release.chart_name, images, release.chart_version)


def release_candidates(evidence: Evidence, mesh_name: str | None) -> list[ReleaseInfo]:
    """Return the newest revision of every release that may be a mesh of the family: records are large, so not all are read.

    These are the releases that a Deployment names in its annotations, those that lie where other evidence is, and those
    that are called like a mesh. Without any other evidence the first 20 of the cluster are candidates.
    """
    newest = {ReleaseRef(info.name, info.namespace): info for info in sorted(evidence.revisions, key=lambda info: info.revision)}
    named = {ref for item in evidence.deployments if (ref := release_annotation(item)) is not None}
    places = {site.namespace for site in sites(evidence)}
    names = _likely_names(evidence, mesh_name)
    chosen = [info for ref, info in newest.items() if ref in named or ref.namespace in places or ref.name in names]
    if chosen or places:
        return chosen
    return sorted(newest.values())[:_MOST_UNNAMED_RELEASES]


def _likely_names(evidence: Evidence, mesh_name: str | None) -> set[str]:
    names = {mesh_name or ""} | {hook.mesh_name for hook in evidence.webhooks}
    for product in PRODUCTS:
        names |= {product.default_mesh_name, product.chart_name}
        names |= {facts.labels.get(product.monitored_by_label, "") for facts in evidence.namespaces.values()}
    return names - {""}


def release_annotation(item: Object) -> ReleaseRef | None:
    """Return the release that an object says it belongs to (annotations that Helm writes)."""
    annotations = item["metadata"].get("annotations") or {}
    name = annotations.get("meta.helm.sh/release-name")
    return ReleaseRef(name, annotations.get("meta.helm.sh/release-namespace", _namespace(item))) if name else None


def assemble(evidence: Evidence, details: Mapping[Site, SiteDetails]) -> tuple[Mesh, ...]:
    """Return the meshes, by namespace."""
    return tuple(sorted((_mesh(evidence, site, detail) for site, detail in details.items()), key=lambda mesh: (mesh.namespace, mesh.name)))


def _mesh(evidence: Evidence, site: Site, details: SiteDetails) -> Mesh:
    deployments = [item for item in evidence.deployments if _namespace(item) == site.namespace and _belongs(item, site)]
    core = [item for item in deployments if _name(item) in _COMPONENT_APPS]
    release_ref = next((ref for item in core if (ref := release_annotation(item)) is not None), None)
    if release_ref is None:
        release_ref = next((ref for ref, release in evidence.releases.items() if site_of_release(release) == site), None)
    release = evidence.releases.get(release_ref) if release_ref is not None else None
    history = tuple(info for info in evidence.revisions if (info.name, info.namespace) == release_ref)
    mesh_config = next(
        (item for item in evidence.mesh_configs if _namespace(item) == site.namespace and _config_prefix(item) == site.prefix), None
    )
    product = _product(site, core, release, mesh_config, evidence)
    webhooks = tuple(
        _with_endpoints(hook, details) for hook in sorted(evidence.webhooks, key=lambda hook: hook.ref) if _points_to(hook, site)
    )
    return Mesh(
        product=product,
        name=_mesh_name(product, core, release, webhooks, evidence),
        namespace=site.namespace,
        deployments=deployments,
        daemon_sets=[item for item in details.daemon_sets if _belongs(item, site)],
        release_ref=release_ref,
        release=release,
        release_history=history,
        mesh_config=mesh_config,
        preset_spec=preset_spec(details.preset),
        webhooks=webhooks,
        endpoints=details.endpoints,
        replica_sets=tuple(item for item in details.replica_sets if _COMPONENT_APPS.get(item.app) == site.prefix),
        ca_secret=details.ca_secret,
    )


def _belongs(item: Object, site: Site) -> bool:
    """Whether a Deployment of the family in that namespace belongs to the control plane with that prefix.

    The names of the optional ones begin with the prefix as well, except ``jaeger`` of osm-edge 1.1.
    """
    prefix = site.prefix
    return _COMPONENT_APPS.get(_name(item), "") == prefix or _name(item).startswith(f"{prefix}-") or _name(item) == "jaeger"


def _product(site: Site, core: Sequence[Object], release: Release | None, mesh_config: Object | None, evidence: Evidence) -> Product:
    """Tell the product. osm-edge and Open Service Mesh name everything alike, so what only one of them has decides."""
    if site.prefix == FSM.name_prefix:
        return FSM
    known = next((product for item in core if (product := product_of_deployment(item)) is not None), None)
    known = known or (release_product(release) if release is not None else None)
    if known is not None:
        return known
    sidecar = ((mesh_config or {}).get("spec") or {}).get("sidecar") or {}
    if "envoyImage" in sidecar and "sidecarDrivers" not in sidecar:
        return OSM
    if "sidecarDrivers" in sidecar or "accesscontrols.policy.openservicemesh.io" in (evidence.crds or {}):
        return OSM_EDGE
    return OSM_EDGE if evidence.crds is None or mesh_config is None else OSM


def _mesh_name(product: Product, core: Sequence[Object], release: Release | None, webhooks: Sequence[Webhook], evidence: Evidence) -> str:
    """Return the mesh's name from the first of: Deployments, release, webhooks, enrolled namespaces; else the product's default."""
    # The controller decides: it is the one whose name osm's own command line takes (osm-edge cmd/cli/util.go getMeshInfoList).
    ordered = sorted(core, key=lambda item: _name(item) != product.controller)
    labels = (((item["metadata"].get("labels") or {}).get("meshName", "")) for item in ordered)
    from_release = str(release_value(release, product, "meshName") or "") if release is not None else ""
    candidates = [*labels, from_release, *(hook.mesh_name for hook in webhooks), *_enrolled_in(product, evidence)]
    return next(filter(None, candidates), product.default_mesh_name)


def _enrolled_in(product: Product, evidence: Evidence) -> list[str]:
    """Return the one mesh name that namespaces carry, when it is one."""
    names = {facts.labels.get(product.monitored_by_label, "") for facts in evidence.namespaces.values()} - {""}
    return [*names] if len(names) == 1 else []


def release_value(release: Release, product: Product, key: str) -> Any:
    """Return a value below the chart's root key: what the user gave, else the chart's default."""
    for values in (release.values, release.chart_values):
        section = values.get(product.values_root)
        if isinstance(section, Mapping) and section.get(key) is not None:
            return section[key]
    return None


def _points_to(hook: Webhook, site: Site) -> bool:
    return any(namespace == site.namespace and _SERVICES.get(name) == site.prefix for namespace, name, dummy in hook.services)


def _with_endpoints(hook: Webhook, details: SiteDetails) -> Webhook:
    if details.endpoints is None:
        return hook
    return hook._replace(endpoints=min(details.endpoints.get(name, -1) for _namespace, name, _port in hook.services))


def _config_prefix(item: Object) -> str:
    group = str(item.get("apiVersion", "")).partition("/")[0]
    prefix = _CONFIG_GROUPS.get(group, "")
    names: Iterable[str] = (product.mesh_config_name for product in PRODUCTS if product.name_prefix == prefix)
    return prefix if _name(item) in names else ""


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])


def _namespace(item: Object) -> str:
    return str(item["metadata"].get("namespace", ""))
