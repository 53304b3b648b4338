# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a survey of a cluster leaves out and an uninstallation needs: whose each thing is, and what is left in definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CONFIGMAP,
    CRD,
    DAEMONSET,
    DEPLOYMENT,
    HPA,
    PDB,
    ROLE,
    ROLEBINDING,
    SECRET,
    SERVICE,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import release_product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of, known_crds
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import FAMILY
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import MESH_CONFIGS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_survey import Survey
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claims
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_contents import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_counting import count, reader, why_unread
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing, Traces, bootstrap_secret, thing
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_definitions import (
    custom_resources,
    definition_claim,
    is_definition_of_family,
)

SECRETS, CHART = "bootstrap Secrets", "objects of charts"
_ROOT_CERTIFICATE, _ROOT_PRESET = "MeshRootCertificate", "preset-mesh-root-certificate"
# Kinds of the charts that the survey does not read anyway.
_OF_CHARTS = (SERVICE, CONFIGMAP, DAEMONSET, HPA, PDB, ROLE, ROLEBINDING)


class UninstallSurvey(Survey):
    """A survey that keeps what it has read of charts, and reads what only an uninstallation asks for."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.unread: dict[str, str] = {}
        self._things: list[Thing] = []
        self._bootstrap: list[dict[str, Any]] = []
        self._groups: dict[str, tuple[str, ...]] = {}

    def traces(self) -> Traces:
        """Return what is known after ``read``."""
        evidence = self._evidence
        releases = evidence.releases
        return Traces(
            things=(*self._things, *(thing(DEPLOYMENT, item) for item in evidence.deployments), *map(_mesh_config, evidence.mesh_configs)),
            secrets=tuple(filter(None, (bootstrap_secret(item, self._mounted) for item in self._bootstrap))),
            revisions=tuple(evidence.revisions),
            foreign_releases=frozenset(ref for ref, release in releases.items() if release_product(release) is None),
        )

    # What the survey reads with other aims

    def _has_trace(self) -> bool:
        """What a chart's hook left may be all there is."""
        return True

    def _read_nodes(self) -> None:
        """Nothing is added to a cluster, so room is no question."""

    def _see_bootstrap_secret(self, item: dict[str, Any]) -> None:
        super()._see_bootstrap_secret(item)
        self._bootstrap.append(item)

    def _see_of_chart(self, kind: Kind, item: dict[str, Any]) -> None:
        super()._see_of_chart(kind, item)
        self._things.append(thing(kind, item))

    def _read_bootstrap_secrets(self) -> None:
        self._optional(SECRETS, super()._read_bootstrap_secrets)

    def _read_mesh_configs(self, product: Product) -> None:
        found = self._definition(product.mesh_config_crd)
        if found is None or found.conversion != "Webhook":
            super()._read_mesh_configs(product)
            return
        try:
            self._evidence.mesh_configs.extend(reader(self._api, found).list(custom_resources(found)))
        except KubeError as error:
            self._unknown[MESH_CONFIGS] = why_unread(error, found)

    def _definition(self, name: str) -> CustomResource | None:
        try:
            crd = self._api.get_or_none(CRD, name)
        except Forbidden:
            return None
        return custom_resource(crd) if crd is not None else None

    def _read_crds(self) -> None:
        super()._read_crds()
        found = self._api.raw_get("/apis").get("groups") or ()
        self._groups = {str(group["name"]): _versions(group) for group in found}

    def _unlabelled_crd_reads(self, meshes: Iterable[Mesh]) -> list[Callable[[], None]]:
        """Read all that any version has and that a label does not tell; those of groups that do not exist cannot be there."""
        crds = self._evidence.crds
        if crds is None:
            return []
        names = {crd.name for mesh in meshes for crd in crds_of(mesh.product, mesh.bootstrap_version) or ()} | {*known_crds()}
        return [partial(self._read_crd, name) for name in sorted(names) if name not in crds and name.partition(".")[2] in self._groups]

    def _read_crd(self, name: str) -> None:
        crd = self._definition(name)
        if crd is not None and self._evidence.crds is not None:
            self._evidence.crds[name] = crd

    def _further_reads(self) -> list[Callable[[], None]]:
        kinds = [partial(self._read_of_chart, kind) for kind in _OF_CHARTS]
        return [*super()._further_reads(), *kinds]

    def _read_of_chart(self, kind: Kind) -> None:
        def read() -> None:
            self._things.extend(thing(kind, item) for item in self._api.list(kind, label_selector=FAMILY, metadata_only=True))

        self._optional(f"{CHART} ({kind.kind})", read)

    # What needs the subject

    def complete(self, observed: Observed, subject: Subject | None, request: UninstallRequest) -> Traces:
        """Return all traces, when it is known whose things matter: fourth round."""
        known = self.traces()
        claims = Claims(observed, known, subject)
        crds = [*(observed.crds or {}).values()]
        counted = [crd for crd in crds if is_definition_of_family(crd) and definition_claim(crd, claims, known).owner == "unclaimed"]
        counts: dict[str, int | None] = {}
        uncounted: dict[str, str] = {}
        users: list[Thing] = []
        reads: list[Callable[[], None]] = [partial(self._count_objects, observed, counts, uncounted, crd) for crd in counted]
        reads += [partial(self._read_root_certificates, observed, crd) for crd in crds if crd.kind == _ROOT_CERTIFICATE]
        reads += self._named_reads(subject) if subject is not None else []
        reads += [partial(self._read_named, users, each.kind, each.name, each.namespace) for each in request.user_resources]
        self._run(reads)
        held = self._contents(observed, subject) if subject is not None and request.delete_namespace != "no" else ()
        return replace(self.traces(), counts=counts, uncounted=uncounted, user_resources=tuple(users), held=held)

    def _contents(self, observed: Observed, subject: Subject) -> tuple[Thing, ...]:
        facts = observed.namespaces.get(subject.namespace)
        if facts is None or facts.terminating:
            return ()  # of what is being deleted already nothing can be kept
        held, unread = read_contents(self._api, subject.namespace, self._groups)
        self.unread.update(unread)
        return held

    def _named_reads(self, subject: Subject) -> list[Callable[[], None]]:
        """What has no label of the mesh, or none at all."""
        place = subject.namespace
        named = [(SECRET, subject.ca_secret), (CONFIGMAP, subject.product.preset_config_map), (CONFIGMAP, _ROOT_PRESET)]
        return [partial(self._read_named, self._things, kind, name, place) for kind, name in named if name and place]

    def _read_named(self, things: list[Thing], kind: Kind, name: str, namespace: str) -> None:
        def read() -> None:
            found = self._api.get_or_none(kind, name, namespace or None, metadata_only=True)
            if found is not None and not any(item.uid == found["metadata"]["uid"] for item in things):
                things.append(thing(kind, found))

        self._optionally(f"{kind.kind} {namespace}/{name}", read)

    def _read_root_certificates(self, observed: Observed, crd: CustomResource) -> None:
        kind = custom_resources(crd)
        try:
            self._things.extend(thing(kind, item) for item in reader(self._api, crd, observed).list(kind, metadata_only=True))
        except NotFound:
            return
        except KubeError as error:
            self.unread[crd.name] = why_unread(error, crd)
            if not self.unread[crd.name]:
                raise

    def _count_objects(self, observed: Observed, counts: dict[str, int | None], uncounted: dict[str, str], crd: CustomResource) -> None:
        try:
            counts[crd.name] = count(reader(self._api, crd, observed), custom_resources(crd))
        except NotFound:
            counts[crd.name] = 0  # deleted meanwhile, or not served yet: then nothing could be made of it
        except KubeError as error:
            counts[crd.name], uncounted[crd.name] = None, why_unread(error, crd)
            if not uncounted[crd.name]:
                raise

    def _optionally(self, part: str, read: Callable[[], None]) -> None:
        try:
            read()
        except NotFound:
            return
        except Forbidden as error:
            self.unread[part] = f"not allowed to {error.missing}" if error.missing else str(error)


def _versions(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the versions of an API group, the preferred one first."""
    preferred = (group.get("preferredVersion") or {}).get("version", "")
    return tuple(dict.fromkeys(filter(None, [preferred, *(version["version"] for version in group.get("versions") or ())])))


def _mesh_config(item: Mapping[str, Any]) -> Thing:
    return thing(Kind(item["apiVersion"], "MeshConfig", "meshconfigs"), item)
