# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of ``mesh_info``: what was observed, in public words, with what is to be thought of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.components import components, missing_components
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crd_users import shared_crds
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import data_plane, namespace_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_capacity import capacity_findings, mesh_capacity
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_cluster import cluster_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_configuration import (
    configuration_findings,
    crd_rows,
    mesh_config_summary,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_control_plane import control_plane_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_data_plane import data_plane_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_leftovers import leftovers_summary, mesh_leftovers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_reconciler import reconciler, reconciler_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_webhooks import webhook_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import matching, select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room

_ORDER = {"error": 0, "warning": 1, "info": 2}


def report(
    observed: Observed, *, now: float, mesh_name: str | None = None, namespace: str | None = None, room: Room | None = None
) -> dict[str, Any]:
    """Return the result of ``mesh_info``: ``meshes``; ``shared_crds``, ``leftovers`` and ``findings`` of the cluster; ``summary``.

    ``now`` is in seconds since the epoch, ``room`` what the nodes have left (None when that was not read). Raises Refused when a mesh is
    asked for by name or namespace that does not exist.
    """
    chosen = matching(observed, mesh_name, namespace)
    if not chosen and (mesh_name or namespace):
        select_mesh(observed, mesh_name, namespace)
    meshes = [_mesh(mesh, observed, now, room) for mesh in chosen]
    findings = _sorted(cluster_findings(observed))
    counted = Counter(finding["severity"] for part in (findings, *(mesh["findings"] for mesh in meshes)) for finding in part)
    return {
        "changed": False,
        "meshes": meshes,
        "shared_crds": shared_crds(observed),
        "leftovers": leftovers_summary(observed.leftovers),
        "findings": findings,
        "summary": {"meshes": len(meshes), "errors": counted["error"], "warnings": counted["warning"], "infos": counted["info"]},
    }


def _mesh(mesh: Mesh, observed: Observed, now: float, room: Room | None) -> dict[str, Any]:
    running = components(mesh)
    capacity = mesh_capacity(mesh, room)
    pods = data_plane(mesh, observed)
    namespaces = namespace_rows(mesh, observed.namespaces, pods)
    findings = [
        *control_plane_findings(mesh, observed, now),
        *reconciler_findings(mesh, observed),
        *mesh_leftovers(mesh),
        *capacity_findings(mesh, capacity),
        *webhook_findings(mesh, observed, sum(1 for row in namespaces if not row["ignored"])),
        *configuration_findings(mesh, observed),
        *data_plane_findings(mesh, observed, pods),
    ]
    return {
        "product": mesh.product.id,
        "name": mesh.name,
        "namespace": mesh.namespace,
        "version": mesh.version,
        "versions": _versions(mesh),
        "release": _release(mesh),
        "rolled_out": not missing_components(mesh) and all(component.rollout.done for component in running),
        "components": [component.as_dict() for component in running],
        "mesh_config": mesh_config_summary(mesh),
        "namespaces": namespaces,
        "data_plane": pods.as_dict() if pods is not None else None,
        "webhooks": [_webhook(hook) for hook in mesh.webhooks],
        "crds": crd_rows(mesh, observed),
        "reconciler": reconciler(mesh, observed),
        "capacity": capacity,
        "ca_secret": mesh.ca_secret,
        "findings": _sorted(findings),
    }


def _versions(mesh: Mesh) -> dict[str, Any]:
    return {
        "control_plane": {name: mesh.version_of(name) for name in mesh.product.deployments if mesh.deployment(name) is not None},
        "chart": mesh.release.chart_version if mesh.release is not None else "",
        "app": mesh.release.app_version if mesh.release is not None else "",
    }


def _release(mesh: Mesh) -> Mapping[str, Any] | None:
    if mesh.release_ref is None:
        return None
    newest = mesh.release_history[-1] if mesh.release_history else None
    return {
        "name": mesh.release_ref.name,
        "namespace": mesh.release_ref.namespace,
        "revision": newest.revision if newest is not None else None,
        "status": newest.status if newest is not None else "",
        "chart": mesh.release.chart_name if mesh.release is not None else "",
        "updated": mesh.release.last_deployed if mesh.release is not None else "",
    }


def _webhook(hook: Webhook) -> dict[str, Any]:
    return {
        "name": hook.ref.name,
        "kind": hook.ref.kind,
        "service": ", ".join(f"{namespace}/{name}:{port}" for namespace, name, port in hook.services),
        "alive": hook.endpoints > 0 if hook.endpoints is not None else None,
        "ca_bundle": hook.has_ca_bundle,
        "version": hook.version,
        "failure_policy": "Fail" if hook.fails_closed else "Ignore",
    }


def _sorted(findings: Iterable[Finding]) -> Sequence[dict[str, Any]]:
    """Return findings as data, the most severe first."""
    return [finding.as_dict() for finding in sorted(findings, key=lambda finding: _ORDER[finding.severity])]
