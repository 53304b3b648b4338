# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade tells its caller: the summary, and which workloads are to be refreshed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import StaleWorkload, stale_workloads
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import rendered_deployments
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report


def upgrade_result(before: Mesh, report: Report[UpgradeState], observed: Observed) -> dict[str, Any]:
    """Return ``summary`` and ``refresh``, and add the findings about pods to the report's.

    ``before`` is the mesh as it was found, ``observed`` the cluster after the run with its pods (None in it when they may not be listed).
    In check mode the pods are judged by what the plan would make of the mesh.
    """
    state = report.observed
    rows = stale_workloads(_as_upgraded(state), observed)
    report.findings += [_bypass(row) for row in rows if row.unintercepted]
    report.findings += _older_neighbours(state, observed)
    summary = {
        "mesh": before.name,
        "namespace": before.namespace,
        "product": before.product.id,
        "release": state.helm.name,
        # Of a release that is not deployed the record tells what was tried, the controller what runs.
        "before": before.release.chart_version if before.release and before.release.status == "deployed" else before.version,
        "after": state.target.version,
        "resumed": report.resumed,
        "stale_pods": None if observed.data_plane is None else sum(row.pods for row in rows),
    }
    return {"summary": summary, "refresh": [_shown(row) for row in rows]}


def _older_neighbours(state: UpgradeState, observed: Observed) -> list[Finding]:
    """Definitions belong to the cluster, and every osm-bootstrap writes its own over what is there when it starts."""
    mesh, wanted = state.mesh, parse(state.target.app_version)
    others = [other for other in observed.meshes if other.ref != mesh.ref and other.product.mesh_config_crd == mesh.product.mesh_config_crd]
    return [
        Finding(
            "warning",
            "shared-definitions",
            other.ref,
            f"mesh {other.name} in {other.namespace} is at {other.bootstrap_version} and shares its definitions (CRDs) with this mesh",
            f"when its {other.product.bootstrap} starts again it puts the older ones back, and this mesh's MeshConfig loses what they lack",
            "upgrade it soon as well",
        )
        for other in others
        if wanted is not None and (version := parse(other.bootstrap_version)) is not None and version.line < wanted.line
    ]


def _as_upgraded(state: UpgradeState) -> Mesh:
    """Return the mesh as the plan makes it; after the run that is what is live."""
    mesh = state.mesh
    rendered = dict(rendered_deployments(state))
    spec = state.merge.spec if state.merge is not None else mesh.mesh_config_spec
    config = {**mesh.mesh_config, "spec": spec} if mesh.mesh_config is not None else None
    return replace(mesh, deployments=tuple(rendered.values()), mesh_config=config, preset_spec=state.target.preset_spec)


def _shown(row: StaleWorkload) -> dict[str, Any]:
    workload = f"{row.kind}/{row.name}" if row.kind else "bare pods"
    return {"namespace": row.namespace, "workload": workload, "pods": row.pods, "reason": row.reason}


def _bypass(row: StaleWorkload) -> Finding:
    ref = ObjectRef(row.kind, row.name, row.namespace) if row.kind else ObjectRef("Namespace", row.namespace)
    return Finding(
        "error",
        "traffic-bypasses-mesh",
        ref,
        f"{row.pods} pods have a sidecar but no init container: their traffic bypasses the mesh",
        "they were created while the MeshConfig lacked traffic.interceptionMode",
        "restart them first (kubectl rollout restart)" if row.kind else "create these pods anew first",
    )
