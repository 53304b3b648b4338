# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a MeshConfig edit tells its caller."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.config_procedure import ConfigState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Change, differences, join
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.restart import restart_required
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report


def config_result(mesh: Mesh, report: Report[ConfigState]) -> dict[str, Any]:
    """Return the changes that the plan made, and which of them need new pods."""
    changes = [
        Change(join(path), before, after, "")
        for step in report.plan.steps
        for path, before, after in differences((step.before or {}).get("spec") or {}, (step.after or {}).get("spec") or {})
    ]
    sidecar_class = str((report.observed.wanted.spec.get("sidecar") or {}).get("sidecarClass") or "")
    restart = [reason.as_dict() for reason in restart_required(changes, sidecar_class)]
    return {
        "changes": [{"path": change.path, "before": change.before, "after": change.after} for change in changes],
        "restart_required": restart,
        "summary": {
            "mesh": mesh.name,
            "namespace": mesh.namespace,
            "product": mesh.product.id,
            "changes": len(changes),
            "restart_required": bool(restart),
        },
    }
