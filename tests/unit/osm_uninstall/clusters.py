# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters as lists of raw objects, and what the uninstallation makes of them: subject and artefacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import kinds
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence, Site, SiteDetails, release_product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import Leftovers, mounted_secrets
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_attribution import attribute
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing, Traces, bootstrap_secret, thing
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_subject import find_subject
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    crds,
    deployment,
    evidence,
    mesh_config,
    observed,
    release,
    webhook,
)

Object = dict[str, Any]
MESH_CONFIG = Kind("config.openservicemesh.io/v1alpha2", "MeshConfig", "meshconfigs")
ROOT_CERTIFICATE = Kind("config.openservicemesh.io/v1alpha2", "MeshRootCertificate", "meshrootcertificates")
HOOK = "post-delete"


def labels(mesh: str = "osm", product: Product = OSM_EDGE, version: str = "1.3.9") -> dict[str, str]:
    """The labels that a chart gives to its objects."""
    return {"app.kubernetes.io/name": product.app_name, "app.kubernetes.io/instance": mesh, "app.kubernetes.io/version": version}


def made_by_helm(release_name: str, place: str) -> dict[str, str]:
    """The annotations that Helm gives to what it creates."""
    return {"meta.helm.sh/release-name": release_name, "meta.helm.sh/release-namespace": place}


def item(kind: Kind, name: str, place: str = "", *, by: Mapping[str, str] | None = None, **metadata: Any) -> Thing:
    """An object with these annotations."""
    own: Object = {"name": name, "uid": f"uid-{kind.kind}-{place}-{name}", "resourceVersion": "7", **metadata}
    if place:
        own["namespace"] = place
    if by is not None:
        own["annotations"] = dict(by)
    return thing(kind, {"metadata": own})


def chart_things(mesh: str = "osm", place: str = "osm-system", release_name: str = "osm", product: Product = OSM_EDGE) -> list[Thing]:
    """What a chart makes besides its Deployments."""
    by, own = made_by_helm(release_name, place), labels(mesh, product)
    prefix = product.name_prefix
    found = [item(kinds.SERVICE, name, place, by=by, labels=own) for name in product.services]
    found += [item(kinds.SERVICEACCOUNT, release_name, place, by=by, labels=own)]
    found += [item(kind, release_name, by=by, labels=own) for kind in (kinds.CLUSTERROLE, kinds.CLUSTERROLEBINDING)]
    found += [item(kinds.CONFIGMAP, name, place, by=by) for name in ("preset-mesh-config", "preset-mesh-root-certificate")]
    found += [item(kinds.PDB, f"{prefix}-controller-pdb", place, by=by, labels=own)]
    return found


def hook_things(release_name: str, place: str, mesh: str, *, suffix: str = "cleanup", hook: str = HOOK) -> list[Thing]:
    """What a hook that did not end well leaves; Helm gives such objects no annotations of its own."""
    name, annotations = f"{release_name}-{suffix}", {"helm.sh/hook": hook}
    local = [item(kind, name, place, by=annotations, labels=labels(mesh)) for kind in (kinds.JOB, kinds.SERVICEACCOUNT)]
    return [*local, *(item(kind, name, by=annotations, labels=labels(mesh)) for kind in (kinds.CLUSTERROLE, kinds.CLUSTERROLEBINDING))]


def secret(name: str, place: str, mesh: str = "osm", *, mounted: bool = True, product: Product = OSM_EDGE) -> tuple[Object, bool]:
    """A sidecar's bootstrap Secret, and whether a pod mounts it."""
    metadata = {
        "name": f"{product.bootstrap_secret_prefix}{name}",
        "namespace": place,
        "uid": f"uid-{name}",
        "labels": labels(mesh, product),
    }
    return {"metadata": metadata}, mounted


@dataclass
class Cluster:
    """What is in a cluster. ``details`` are what was read in the control planes' namespaces."""

    found: Evidence
    things: list[Thing] = field(default_factory=list)
    secrets: list[tuple[Object, bool]] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    counts: dict[str, int | None] = field(default_factory=dict)
    uncounted: dict[str, str] = field(default_factory=dict)
    services: dict[tuple[str, str], int] = field(default_factory=dict)
    details: Mapping[Site, SiteDetails] | None = None
    endpoints: Mapping[str, int] | None = None
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> Observed:
        leftovers = Leftovers(services=self.services)
        return observed(
            self.found, pods=self.pods, details=self.details, endpoints=self.endpoints, unknown=self.unknown, leftovers=leftovers
        )

    @property
    def traces(self) -> Traces:
        mounted = {(raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw, used in self.secrets if used}
        mounted |= {ref for pod in self.pods for ref in mounted_secrets(pod)}
        reduced = (bootstrap_secret(raw, mounted) for raw, dummy in self.secrets)
        configs = (thing(Kind(raw["apiVersion"], "MeshConfig", "meshconfigs"), raw) for raw in self.found.mesh_configs)
        return Traces(
            things=(*self.things, *(thing(kinds.DEPLOYMENT, raw) for raw in self.found.deployments), *configs),
            secrets=tuple(each for each in reduced if each is not None),
            revisions=tuple(self.found.revisions),
            foreign_releases=frozenset(ref for ref, record in self.found.releases.items() if release_product(record) is None),
            counts=self.counts,
            uncounted=self.uncounted,
        )

    def subject(self, memory: Mapping[str, Any] | None = None, **request: Any) -> Subject | None:
        return find_subject(self.observed, self.traces, UninstallRequest(**request), memory or {})

    def artefacts(self, subject: Subject | None) -> list[Artefact]:
        return list(attribute(self.observed, self.traces, subject))

    def named(self, mesh_name: str = "osm", **request: Any) -> dict[str, Artefact]:
        """The artefacts of the named mesh, by ``what`` and object."""
        return self.of("named", mesh_name, **request)

    def of(self, owner: str, mesh_name: str = "osm", **request: Any) -> dict[str, Artefact]:
        subject = self.subject(mesh_name=mesh_name, **request)
        return {f"{each.what} {each.ref}": each for each in self.artefacts(subject) if each.owner == owner}


def with_mesh(
    version: str = "1.3.9", name: str = "osm", place: str = "osm-system", *, records: Iterable[Release] | None = None, **more: Any
) -> Cluster:
    """A sound osm-edge, with everything that chart and pods made."""
    parts: dict[str, Any] = {
        "deployments": [_of_release(deployment(each, version, mesh=name, namespace=place), name, place) for each in OSM_EDGE.deployments],
        "webhooks": [webhook(mesh=name, version=version, place=place), _validator(name, version, place)],
        "mesh_configs": [mesh_config({}, place=place)],
        "releases": [release(version, name=name, place=place, meshName=name)] if records is None else records,
        "definitions": crds(version),
        **more,
    }
    things = [*chart_things(name, place, name), item(kinds.SECRET, "osm-ca-bundle", place, labels=_without_instance(version))]
    things.append(item(ROOT_CERTIFICATE, "osm-mesh-root-certificate", place))
    return Cluster(evidence(**parts), things)


def both(one: Cluster, other: Cluster) -> Cluster:
    """One cluster with everything of two."""
    found, more = one.found, other.found
    merged = Evidence(
        namespaces={**found.namespaces, **more.namespaces},
        deployments=[*found.deployments, *more.deployments],
        webhooks=[*found.webhooks, *more.webhooks],
        mesh_configs=[*found.mesh_configs, *more.mesh_configs],
        revisions=[*found.revisions, *more.revisions],
        releases={**found.releases, **more.releases},
        crds={**(found.crds or {}), **(more.crds or {})},
    )
    return Cluster(merged, [*one.things, *other.things], [*one.secrets, *other.secrets], [*one.pods, *other.pods])


def release_of(name: str, place: str) -> ReleaseRef:
    return ReleaseRef(name, place)


def _of_release(raw: Object, name: str, place: str) -> Object:
    raw["metadata"]["annotations"] = made_by_helm(name, place)
    return raw


def _validator(name: str, version: str, place: str) -> Object:
    return webhook("ValidatingWebhookConfiguration", mesh=name, version=version, place=place)


def _without_instance(version: str) -> dict[str, str]:
    """The CA Secret has no label for its mesh (osm-edge v1.3.9 pkg/certificate/castorage/k8s/k8s.go)."""
    return {key: value for key, value in labels(version=version).items() if not key.endswith("instance")}
