# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What meshes have in the namespaces of applications: bootstrap Secrets, sidecars, and marks that nobody reads any more. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE, POD, SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Enrolled
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import BootstrapSecret, Traces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import titles
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def bootstrap_secrets(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield one artefact for each namespace and owner: all Secrets of the subject, but of meshes that are gone only what no pod uses.

    ``state`` has ``orphaned`` (how many no pod mounts and no pod owns) and ``meshes`` (the names in their labels). A Secret that a pod
    owns goes with the pod; the controller makes the pod its owner only while it runs (osm-edge v1.3.9 pkg/k8s/announcement_handlers.go).
    """
    groups: dict[tuple[str, Claim], list[BootstrapSecret]] = {}
    for secret in traces.secrets:
        groups.setdefault((secret.namespace, _secret_claim(secret, claims)), []).append(secret)
    for (namespace, claim), found in groups.items():
        orphaned = sum(1 for secret in found if secret.orphaned)
        count = len(found) if claim.owner in ("named", "other", "shared") else orphaned
        if count:
            state = {"orphaned": orphaned, "meshes": sorted({secret.mesh_name for secret in found})}
            ref = ObjectRef("Namespace", namespace)
            yield Artefact(ref, SECRET, "bootstrap-secrets", claim.owner, claim.found_by, users=claim.users, count=count, state=state)


def _secret_claim(secret: BootstrapSecret, claims: Claims) -> Claim:
    if not secret.mesh_name:
        return Claim("unclaimed", "their labels name no mesh")
    return _claim_by_name(secret.mesh_name, secret.app_name, "their labels name", claims)


def _claim_by_name(name: str, app_name: str, how: str, claims: Claims) -> Claim:
    alike = claims.named_alike(name, app_name)
    if claims.is_subjects(name, app_name):
        if alike:
            return Claim("shared", f"{how} mesh {name}, and so is called another mesh", titles(alike))
        return Claim("named", f"{how} mesh {name}")
    if alike:
        return Claim("other", f"{how} mesh {name}", titles(alike))
    return Claim("unclaimed", f"{how} mesh {name}, which has no control plane here")


def sidecars(claims: Claims) -> Iterator[Artefact]:
    """Yield the pods that have a sidecar, as one artefact for each namespace and mesh; those of other living meshes are left out."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for traits, count in (claims.observed.data_plane or {}).items():
        if traits.injected:
            counts[traits.namespace, traits.mesh, _app_name(traits.container, traits.init_container, claims)] += count
    for (namespace, mesh, app_name), count in sorted(counts.items()):
        claim = _claim_by_name(mesh, app_name, "their sidecars name", claims)
        if claim.owner != "other":
            ref = ObjectRef("Namespace", namespace)
            state = {"mesh": mesh}
            yield Artefact(ref, POD, "sidecar", claim.owner, claim.found_by, users=claim.users, count=count, state=state)


def _app_name(container: str, init_container: str, claims: Claims) -> str:
    """Tell the product of a sidecar; osm-edge and FSM call theirs alike, and without an init container only the mesh's name is left."""
    if container == OSM.sidecar_container:
        return OSM.app_name
    by_init = next((product.app_name for product in PRODUCTS if product.init_container == init_container), "")
    return by_init or (claims.subject.product.app_name if claims.subject is not None else PRODUCTS[0].app_name)


def left_enrolled(claims: Claims, enrolled: Iterable[Enrolled]) -> Iterator[Artefact]:
    """Yield the namespaces that carry the label of a mesh that is not there; ``state`` has its name as ``mesh``."""
    known = {item.name for item in enrolled}
    for facts in claims.observed.namespaces.values():
        for product in (OSM_EDGE, FSM):  # Open Service Mesh has osm-edge's keys
            name = facts.labels.get(product.monitored_by_label, "")
            if not name or facts.name in known or facts.terminating or claims.is_subjects(name, product.app_name):
                continue
            claim = _claim_by_name(name, product.app_name, f"its label {product.monitored_by_label} names", claims)
            if claim.owner == "unclaimed":
                ref = ObjectRef("Namespace", facts.name)
                state = {"mesh": name}
                yield Artefact(
                    ref, NAMESPACE, "enrolled-namespace", claim.owner, claim.found_by, facts.uid, facts.resource_version, state=state
                )
