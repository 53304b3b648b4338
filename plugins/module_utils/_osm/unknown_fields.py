# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of a preset that the installed MeshConfig CRD does not know.

The bootstrap reads the preset into typed structs, which drop what they do not know, so a chart's preset may name fields
that its own CRD never gets. They cannot be written, and waiting for them would be in vain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status

# Absent keys without which sidecars do not do their work (osm-edge v1.3.9 pkg/sidecar/providers/pipy: driver/sidecar.go, repo/plugin.go).
VITAL_KEYS = {
    "traffic.interceptionMode": ("interception-mode-missing", "new pods get a sidecar without osm-init: their traffic bypasses the mesh"),
    "pluginChains": ("plugin-chains-missing", "sidecars get no routing modules: requests between services fail"),
}
# The bootstrap needs 10 to 15 s for all CRDs (its client sends 5 requests a second) and is ready afterwards.
SETTLED_SECONDS = 60.0


def bootstrap_rolled_out(mesh: Mesh, version: str) -> bool:
    """Whether the bootstrap of ``version`` runs and is ready: it writes its definitions before that."""
    deployment = mesh.deployment(mesh.product.bootstrap)
    return deployment is not None and mesh.bootstrap_version == version and rollout_status(deployment).done


def bootstrap_settled(mesh: Mesh, version: str) -> bool:
    """Whether the bootstrap of ``version`` has been rolled out for so long that it must have brought its CRDs."""
    deployment = mesh.deployment(mesh.product.bootstrap)
    if deployment is None or mesh.bootstrap_version != version or not rollout_status(deployment).done:
        return False
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    times = [str(condition.get("lastUpdateTime") or "") for condition in conditions if condition.get("type") == "Progressing"]
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(times[0])
    except (IndexError, ValueError):
        return False
    return age.total_seconds() > SETTLED_SECONDS


def without_unknown(completed: MergeResult, schema: Mapping[str, Any], mesh: Mesh) -> MergeResult:
    """Return ``completed`` without the fields that ``schema`` does not know, each told as a finding."""
    unknown: list[str] = []
    spec = _known(completed.spec, schema, "", unknown)
    findings = [
        Finding(
            "info",
            "preset-field-unknown",
            mesh.mesh_config_ref,
            f"the preset of the chart has {path}, which the installed CRD does not know",
            "the control plane ignores it as well",
            "nothing to do",
        )
        for path in unknown
        if path not in VITAL_KEYS  # told by the proof, as an error
    ]
    changes = [
        change for change in completed.changes if not any(change.path == path or change.path.startswith(f"{path}.") for path in unknown)
    ]
    return MergeResult(spec, changes, [*completed.findings, *findings])


def _known(value: Mapping[str, Any], schema: Mapping[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return dict(value)
    known: dict[str, Any] = {}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key not in properties:
            unknown.append(where)
        else:
            known[key] = _known(item, properties[key], where, unknown) if isinstance(item, Mapping) else item
    return known


def has_path(spec: Mapping[str, Any], path: str) -> bool:
    """Whether ``spec`` has a value at a written path such as ``traffic.interceptionMode``."""
    value: object = spec
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def knows(schema: Mapping[str, Any], path: str) -> bool:
    """Whether the schema of a spec has a field at a written path; a schema without properties takes anything."""
    for key in path.split("."):
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or schema.get("x-kubernetes-preserve-unknown-fields"):
            return True
        if key not in properties:
            return False
        schema = properties[key]
    return True
