# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pods of a control plane make in its namespace, and what Helm keeps of it. Pure.

These have no label for the mesh; their names are fixed, and a namespace has one control plane of a product
(osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go, pkg/certificate/castorage/k8s/k8s.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import MESH_CONFIGS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims, artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing, Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_found_definitions import custom_resources
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_WHAT = {"MeshConfig": "mesh-config", "MeshRootCertificate": "root-certificate"}


def root_certificate(product: Product) -> str:
    """Return the name of the MeshRootCertificate that the bootstrap makes from its preset."""
    return f"{product.name_prefix}-mesh-root-certificate"


def mesh_configs(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield MeshConfigs and MeshRootCertificates; those of another name are custom resources that a user made."""
    for item in traces.things:
        what = _WHAT.get(item.kind.kind)
        product = next((product for product in PRODUCTS if product.mesh_config_group == item.kind.group), None)
        if what is None or product is None:
            continue
        yield artefact(item, what, _config_claim(item, product, claims))
    yield from _unread_config(claims)


def _unread_config(claims: Claims) -> Iterator[Artefact]:
    """Yield the MeshConfig of the subject when nobody can read it before the subject's conversion webhook is gone.

    It is planned for from the beginning, since a run that finds more to delete than was planned stops. ``count`` is None.
    """
    subject, observed = claims.subject, claims.observed
    crd = (observed.crds or {}).get(subject.product.mesh_config_crd) if subject is not None else None
    if subject is None or crd is None or MESH_CONFIGS not in observed.unknown or subject.namespace not in observed.namespaces:
        return
    if crd.conversion == "Webhook" and claims.leads_to_subject([crd.conversion_service]):
        ref = ObjectRef("MeshConfig", subject.product.mesh_config_name, subject.namespace)
        found_by = "its name is fixed; whether it is there is seen when the conversion webhook of its definition is gone"
        yield Artefact(ref, custom_resources(crd), "mesh-config", "named", found_by, count=None, unknown=observed.unknown[MESH_CONFIGS])


def _config_claim(item: Thing, product: Product, claims: Claims) -> Claim:
    made = (product.mesh_config_name, root_certificate(product))
    if item.name not in made:
        return Claim("other", f"the control plane makes none of this name, only {' and '.join(made)}")
    subject = claims.subject
    if subject is not None and (item.namespace, product.name_prefix) == (subject.namespace, subject.product.name_prefix):
        return Claim("named", "its name is fixed, and it is in the namespace of the control plane")
    mesh = next((mesh for mesh in claims.others if _is_of(item, product, mesh)), None)
    return claims.of_mesh(mesh, "it is the one") if mesh is not None else Claim("unclaimed", "no control plane is in its namespace")


def _is_of(item: Thing, product: Product, mesh: Mesh) -> bool:
    return (item.namespace, product.name_prefix) == (mesh.namespace, mesh.product.name_prefix)


def ca_secrets(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield the CA Secret of the subject, by the name that its release or its command line says."""
    subject = claims.subject
    if subject is None:
        return
    for item in traces.things:
        if item.kind == SECRET and (item.name, item.namespace) == (subject.ca_secret, subject.namespace):
            yield artefact(item, "ca-secret", _ca_claim(item, claims))


def _ca_claim(item: Thing, claims: Claims) -> Claim:
    if item.by_cert_manager or item.controller:
        return Claim("other", "it has the name of the mesh's CA Secret, but cert-manager or another owner made it and would make it again")
    if item.release is not None and (claims.subject is None or item.release != claims.subject.release):
        return Claim("other", f"Helm's annotations name release {item.release.namespace}/{item.release.name}, which is not the mesh's")
    if item.app_name in _APP_NAMES:
        return Claim("named", "its name is that of the mesh's CA Secret, and its labels name the product")
    return Claim("other", "it has the name of the mesh's CA Secret, but not the labels of one that the mesh made: somebody brought it")


def releases(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield the Helm releases of meshes, and the records of the subject's.

    ``state`` of a release has ``status``, ``revision``, and ``readable``: whether its newest record can be read, which Helm needs.
    """
    subject = claims.subject
    meshes = {mesh.release_ref: mesh for mesh in claims.others if mesh.release_ref is not None}
    newest = {ReleaseRef(info.name, info.namespace): info for info in sorted(traces.revisions, key=lambda info: info.revision)}
    for ref, info in newest.items():
        own = subject is not None and ref == subject.release
        if not own and ref not in meshes:
            continue
        claim = Claim("named", "annotations or record name the mesh") if own else claims.of_mesh(meshes[ref], "it is the release")
        record = subject.mesh.release if own and subject is not None and subject.mesh is not None else None
        state = {"status": info.status, "revision": info.revision, "readable": record is not None or not own}
        where = ObjectRef("HelmRelease", ref.name, ref.namespace)
        found = Artefact(where, SECRET, "helm-release", claim.owner, claim.found_by, info.uid, info.resource_version)
        yield replace(found, users=claim.users, state=state)
    for info in traces.revisions:
        if subject is not None and ReleaseRef(info.name, info.namespace) == subject.release:
            found_by = f"Helm keeps revision {info.revision} of the mesh's release in it"
            record_ref = ObjectRef("Secret", info.secret, info.namespace)
            yield Artefact(record_ref, SECRET, "helm-record", "named", found_by, info.uid, info.resource_version)
