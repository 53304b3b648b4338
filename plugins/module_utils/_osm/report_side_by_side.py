# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about meshes beside each other in one cluster: what they share, and where they get in each other's way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crd_users import is_used
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_data_plane import names
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import Minor, parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def side_by_side_findings(observed: Observed) -> list[Finding]:
    """Judge several meshes in one cluster; none for one or no mesh."""
    if len(observed.meshes) < 2:
        return []
    return [
        *_coexistence(observed),
        *_same_names(observed),
        *_same_namespace(observed.meshes),
        *_enrolled_twice(observed),
        *_rival_definitions(observed),
    ]


def _coexistence(observed: Observed) -> Iterator[Finding]:
    described = names([_described(mesh) for mesh in observed.meshes])
    shared = [name for name, crd in sorted((observed.crds or {}).items()) if sum(1 for mesh in observed.meshes if is_used(crd, mesh)) > 1]
    if len({mesh.product.id for mesh in observed.meshes}) > 1:
        yield Finding(
            "warning",
            "products-side-by-side",
            observed.meshes[0].ref,
            f"the cluster has {described}",
            f"they share CustomResourceDefinitions ({names(shared) if shared else 'SMI, flomesh.io'}):"
            " removing those of one takes away the other's objects",
            "keep it so only while moving from one to the other, and never remove cluster-wide resources of one meanwhile",
        )
    else:
        yield Finding(
            "info",
            "meshes-side-by-side",
            observed.meshes[0].ref,
            f"the cluster has {described}",
            "they share their CustomResourceDefinitions, which each bootstrap overwrites with its own when it starts",
            "name the mesh in every call (mesh_name), and keep them on the same version",
        )


def _same_names(observed: Observed) -> Iterator[Finding]:
    """Webhooks are cluster-wide and named after the mesh; so is the label of its namespaces."""
    for one, other in combinations(observed.meshes, 2):
        if one.name != other.name or one.product.key_domain != other.product.key_domain:
            continue
        label = f"{one.product.monitored_by_label}={one.name}"
        enrolled = [facts.name for facts in observed.namespaces.values() if facts.labels.get(one.product.monitored_by_label) == one.name]
        yield Finding(
            "error",
            "namespaces-claimed-twice",
            one.ref,
            f"{_described(one)} and {_described(other)} both claim the namespaces labelled {label}: {names(enrolled) or 'none yet'}",
            "the controllers of both serve the same pods, and which one issues a sidecar's certificate is chance",
            f"give one of them another name: enrol its namespaces under that, and install it again with {one.product.values_root}.meshName",
        )
        webhook = one.product.mutating_webhook(one.name)
        if webhook == other.product.mutating_webhook(other.name):
            holders = [mesh for mesh in (one, other) if any(hook.ref.name == webhook for hook in mesh.webhooks)]
            held = f"it leads to {holders[0].namespace} now" if holders else "it does not exist now"
            yield Finding(
                "error",
                "webhook-name-conflict",
                ObjectRef("MutatingWebhookConfiguration", webhook),
                f"{_described(one)} and {_described(other)} both make it; {held}",
                "the injector that starts last overwrites it, so pods are injected by one mesh today and by the other tomorrow",
                f"give one of them another name, or another {one.product.values_root}.webhookConfigNamePrefix",
            )


def _same_namespace(meshes: Sequence[Mesh]) -> Iterator[Finding]:
    for one, other in combinations(meshes, 2):
        if one.namespace == other.namespace:
            yield Finding(
                "error",
                "control-planes-share-namespace",
                ObjectRef("Namespace", one.namespace),
                f"{_described(one)} and {_described(other)} have the same namespace",
                f"both keep their preset in ConfigMap {one.product.preset_config_map}, and the one that is installed last overwrites it",
                "install one of them in a namespace of its own",
            )


def _enrolled_twice(observed: Observed) -> Iterator[Finding]:
    """Namespaces with the labels of two products: osm-edge and FSM do not know each other's."""
    labels = {(mesh.product.monitored_by_label, mesh.name): mesh for mesh in observed.meshes}
    for facts in observed.namespaces.values():
        found = [mesh for (label, name), mesh in labels.items() if facts.labels.get(label) == name]
        if len(found) > 1:
            first, second = found[:2]
            yield Finding(
                "error",
                "namespace-in-two-meshes",
                ObjectRef("Namespace", facts.name),
                f"enrolled in {_described(first)} and in {_described(second)}",
                "new pods get the sidecars and the iptables rules of both: the second takes the traffic of the first",
                f"take it out of one of them: kubectl label namespace {facts.name} {first.product.monitored_by_label}-",
            )


def _rival_definitions(observed: Observed) -> Iterator[Finding]:
    """Each bootstrap overwrites the definitions that it ships when it starts (osm-edge v1.3.9 cmd/osm-bootstrap ``applyOrUpdateCRDs``)."""
    for one, other in combinations(observed.meshes, 2):
        if one.product.mesh_config_crd != other.product.mesh_config_crd or _line(one) == _line(other):
            continue
        shared = [name for name, crd in sorted((observed.crds or {}).items()) if is_used(crd, one) and is_used(crd, other)]
        if shared:
            yield Finding(
                "warning",
                "crd-rivals",
                ObjectRef("CustomResourceDefinition", one.product.mesh_config_crd),
                f"{_described(one)} and {_described(other)} install {len(shared)} definitions of the same names in different versions:"
                f" {names(shared)}",
                "the bootstrap that starts last overwrites them: fields that only the other version knows are then dropped when an object"
                " is written, and a MeshConfig can lose settings",
                "bring both to the same product and minor version, or move one to another cluster",
            )


def _line(mesh: Mesh) -> tuple[str, Minor | None]:
    version = parse(mesh.bootstrap_version)
    return mesh.product.id, version.line if version is not None else None


def _described(mesh: Mesh) -> str:
    return f"{mesh.product.title} {mesh.name} in namespace {mesh.namespace}"
