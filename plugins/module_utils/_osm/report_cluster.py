# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that are about the cluster and not about one mesh of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_data_plane import names
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_leftovers import cluster_leftovers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_side_by_side import side_by_side_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def cluster_findings(observed: Observed) -> list[Finding]:
    """Judge what lies between the meshes: namespaces of no mesh, several control planes, leftovers, what could not be read."""
    return [*_absent_meshes(observed), *side_by_side_findings(observed), *cluster_leftovers(observed), *_unread(observed)]


def _absent_meshes(observed: Observed) -> Iterator[Finding]:
    present = {(mesh.product.monitored_by_label, mesh.name) for mesh in observed.meshes}
    strays: dict[tuple[str, str], list[str]] = {}
    for label in dict.fromkeys(product.monitored_by_label for product in PRODUCTS):
        for facts in observed.namespaces.values():
            if label in facts.labels and (label, facts.labels[label]) not in present:
                strays.setdefault((label, facts.labels[label]), []).append(facts.name)
    for (label, mesh_name), found in strays.items():
        yield Finding(
            "warning",
            "namespace-of-absent-mesh",
            ObjectRef("Namespace", found[0]),
            f"labelled {label}={mesh_name}, but there is no mesh {mesh_name}: {names(sorted(found))}",
            "the mesh was removed, or renamed by an upgrade, and its namespaces kept the label",
            f"label them for the mesh that is there, or: kubectl label namespace {found[0]} {label}-",
        )


def _unread(observed: Observed) -> Iterator[Finding]:
    for part, reason in sorted(observed.unknown.items()):
        yield Finding(
            "warning",
            "not-readable",
            ObjectRef("Cluster", observed.server),
            f"{part}: {reason}",
            "this part of the report is unknown, not empty",
            "grant the permission (the module's documentation has the ClusterRole), or ignore this part",
        )
