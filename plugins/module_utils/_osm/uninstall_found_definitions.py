# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose each CustomResourceDefinition is, who converts it, and what is left in it. Pure.

osm's own command line deletes ten by name, one of them misspelt (osm-edge v1.3.9 cmd/cli/uninstall_mesh.go); FSM's since 1.2 deletes by
label, the Gateway API and what osm-edge 1.3 has in ``flomesh.io`` included. A definition names no mesh, so it is judged by its group and by
which versions install it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crd_users import is_used
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import known_crds
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import NAME_LABEL, Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import endpoints_of, is_living, title
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_SMI = "smi-spec.io"
_OWN_GROUPS = ("openservicemesh.io", "flomesh.io")
_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_SERVICES = frozenset(service for product in PRODUCTS for service in product.services)


def definitions(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield the definitions with their users, the conversions that lead to a control plane, and the custom resources.

    A definition that only the subject uses is ``unclaimed``: with the subject its last user goes. ``count`` is the number of its objects
    (None: not known, ``unknown`` says why; or not asked for, because it is not unclaimed). ``state`` has ``used_by_mesh`` (whether the
    subject's version installs it), ``storage``, ``versions``, and for one that is converted ``service``. A conversion's ``state`` has its
    ``service`` and ``endpoints``.
    """
    for crd in (claims.observed.crds or {}).values():
        claim = definition_claim(crd, claims, traces)
        if is_definition_of_family(crd):
            yield from _definition(crd, claim, claims, traces)
        if crd.conversion == "Webhook":
            yield from _conversion(crd, claims)


def is_definition_of_family(crd: CustomResource) -> bool:
    """Whether a definition is one that the family made, or shares; a label alone does not make the Gateway API the mesh's."""
    return _in_groups(crd, (*_OWN_GROUPS, _SMI)) or crd.labels.get(NAME_LABEL) in _APP_NAMES


def custom_resources(crd: CustomResource) -> Kind:
    """Return the type of its objects, in the version that is stored: no conversion is needed to read what is stored so."""
    group, plural = crd.name.partition(".")[2], crd.name.partition(".")[0]
    return Kind(f"{group}/{crd.storage}", crd.kind or plural, plural, crd.namespaced)


def _in_groups(crd: CustomResource, groups: tuple[str, ...]) -> bool:
    group = crd.name.partition(".")[2]
    return any(group == each or group.endswith(f".{each}") for each in groups)


def _definition(crd: CustomResource, claim: Claim, claims: Claims, traces: Traces) -> Iterator[Artefact]:
    count, unknown = traces.counts.get(crd.name), traces.uncounted.get(crd.name, "")
    state = {"used_by_mesh": _used_by_subject(crd, claims), "storage": crd.storage, "versions": [*crd.versions]}
    if crd.conversion == "Webhook":
        state["service"] = "/".join(crd.conversion_service)
    ref = ObjectRef("CustomResourceDefinition", crd.name)
    what = "smi-crd" if _in_groups(crd, (_SMI,)) else "osm-crd"
    found = Artefact(ref, CRD, what, claim.owner, claim.found_by, crd.uid, crd.resource_version)
    yield replace(found, users=claim.users, count=count, unknown=unknown, state=state)
    if count != 0 and (count is not None or unknown):
        found_by = "they are objects of this definition, whoever made them"
        yield Artefact(ref, custom_resources(crd), "custom-resources", claim.owner, found_by, count=count, unknown=unknown)


def definition_claim(crd: CustomResource, claims: Claims, traces: Traces) -> Claim:
    """Judge a definition by who installs it, besides the subject."""
    users = tuple(sorted([*(title(mesh) for mesh in claims.living if is_used(crd, mesh)), *_strangers(crd, traces, claims)]))
    own = _used_by_subject(crd, claims)
    if users:
        found_by = f"{', '.join(users)} {'use' if len(users) > 1 else 'uses'} it{' as well' if own else ''}"
        return Claim("shared" if own else "other", found_by, users)
    if not _in_groups(crd, (*_OWN_GROUPS, _SMI)):
        return Claim("other", f"only its label {NAME_LABEL} is the mesh's: its group is not, and others use that without a mesh")
    if _in_groups(crd, (_SMI,)) and crd.labels.get(NAME_LABEL) not in _APP_NAMES:
        return Claim("other", f"it lacks the label {NAME_LABEL} that the mesh gives to those it makes, so somebody else made it")
    known = "it is one of those that the mesh installs" if own else "it is one of the family"
    if crd.name not in known_crds():
        known = "its group is of the family"
    return Claim("unclaimed", f"{known}, and no other mesh of this cluster uses it")


def _used_by_subject(crd: CustomResource, claims: Claims) -> bool:
    subject = claims.subject
    if subject is None:
        return False
    if subject.mesh is not None and is_living(subject.mesh) and subject.mesh.bootstrap_version:
        return is_used(crd, subject.mesh)
    # Without its version, what any version of the product installs.
    return crd.name in known_crds(subject.product) or (subject.product is FSM and _in_groups(crd, ("flomesh.io", _SMI)))


def _strangers(crd: CustomResource, traces: Traces, claims: Claims) -> Iterator[str]:
    """Yield Deployments of a product that is no mesh here and has such definitions: fsm-classic uses those of ``flomesh.io``.

    fsm-classic is the chart ``fsm`` 0.x of https://charts.flomesh.io, a dependency that osm-edge can bring along.
    """
    group = crd.name.partition(".")[2]
    if group != "flomesh.io" and not group.endswith(".flomesh.io"):
        return
    places = {mesh.namespace for mesh in claims.observed.meshes} | {claims.subject.namespace if claims.subject is not None else ""}
    for item in traces.things:
        if item.kind.kind == "Deployment" and item.app_name == FSM.app_name and item.namespace not in places:
            yield str(item.ref)


def _conversion(crd: CustomResource, claims: Claims) -> Iterator[Artefact]:
    namespace, name = crd.conversion_service
    endpoints = endpoints_of(crd.conversion_service, claims.observed)
    claim = _conversion_claim(crd, claims, endpoints)
    if claim is not None:
        yield Artefact(
            ObjectRef("CustomResourceDefinition", crd.name),
            CRD,
            "conversion-webhook",
            claim.owner,
            claim.found_by,
            crd.uid,
            crd.resource_version,
            users=claim.users,
            state={"service": f"{namespace}/{name}", "endpoints": endpoints},
        )


def _conversion_claim(crd: CustomResource, claims: Claims, endpoints: int | None) -> Claim | None:
    leads = f"its conversion leads to Service {'/'.join(crd.conversion_service)}"
    if claims.leads_to_subject([crd.conversion_service]):
        return Claim("named", f"{leads} of the control plane")
    mesh = claims.other_behind([crd.conversion_service])
    if mesh is not None:
        return claims.of_mesh(mesh, leads)
    if not is_definition_of_family(crd) and crd.conversion_service[1] not in _SERVICES:
        return None
    if endpoints is None or endpoints > 0:
        return Claim("other", f"{leads}, which is of no mesh here{'' if endpoints is None else ' and is served'}")
    return Claim("unclaimed", f"{leads}, which {'does not exist' if endpoints < 0 else 'has no ready endpoint'}")
