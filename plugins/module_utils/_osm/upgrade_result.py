# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade tells its caller: the summary, and which workloads are to be refreshed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import desired_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.stale_workloads import StaleWorkload, bypass_findings, stale_workloads
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import rendered_deployments
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report


def upgrade_result(before: Mesh, report: Report[UpgradeState], data_plane: Mapping[PodTraits, int] | None) -> dict[str, Any]:
    """Return ``summary``, ``refresh`` and the findings about pods; ``data_plane`` is None when the pods may not be listed."""
    state = report.observed
    rows = stale_workloads(data_plane or {}, state.mesh, desired_sidecar(*_as_upgraded(state))) if state.merge else []
    report.findings += bypass_findings(rows)
    return {"summary": upgrade_summary(before, state, report, rows, data_plane is not None), "refresh": [row.as_dict() for row in rows]}


def upgrade_summary(before: Mesh, state: UpgradeState, report: Report[UpgradeState], rows: list[StaleWorkload], counted: bool) -> dict[str, Any]:
    """Return the upgrade in a few words; ``stale_pods`` is None when the pods may not be listed."""
    return {
        "mesh": before.name,
        "namespace": before.namespace,
        "product": before.product.id,
        "release": state.helm.name,
        "before": before.release.chart_version if before.release else before.version,
        "after": state.target.version,
        "resumed": report.resumed,
        "stale_pods": sum(row.pods for row in rows) if counted else None,
    }


def _as_upgraded(state: UpgradeState) -> tuple[Mapping[str, Any], Mapping[str, str], Any, str]:
    """Return what decides about new sidecars when the plan is done: in check mode that is not what is live."""
    product = state.mesh.product
    manifest = dict(rendered_deployments(state)).get(product.injector) or {}
    environment = Mesh(product, state.mesh.name, state.mesh.namespace, deployments=(manifest,) if manifest else ()).injector_environment
    return state.merge.spec if state.merge else {}, environment, product, state.target.app_version
