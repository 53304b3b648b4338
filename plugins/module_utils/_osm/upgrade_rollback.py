# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back after an upgrade that failed: to which revision, whether at all, and how both outcomes are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.coordination import KubeRecordStore, object_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, read_release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_memory import remembered
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LeaseLost, LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record

# What a run that failed tells about itself, and the way back tells about itself under the key ``rollback``.
_TOLD = ("changed", "plan", "plan_table", "steps", "findings")


def can_roll_back(error: LifecycleError) -> bool:
    """Whether this failure is one after which a mesh may be taken back: nobody else is at work, and no plan was refused."""
    return not isinstance(error, (Refused, LeaseLost))


def record_of_failure(api: Api, mesh: Mesh, procedure: str) -> Record | None:
    """Return the record of what the run that failed, or one before it, began; without one there is nothing to take back."""
    return KubeRecordStore(api, mesh.namespace, object_name(procedure, mesh.name)).read()


def revision_before(api: Api, mesh: Mesh, record: Record) -> Release | None:
    """Return the revision that the mesh ran with before the first write; None when that had never been deployed."""
    memory = remembered(record)
    if mesh.release_ref is None or not memory.revision:
        return None
    release = read_release(api, mesh.release_ref.namespace, mesh.release_ref.name, memory.revision)
    return release if release.status in ("deployed", "superseded") else None


def rolled_back(error: LifecycleError, release: Release, result: Mapping[str, Any]) -> LifecycleError:
    """Return the error of an upgrade that was taken back; ``result`` is what the way back tells."""
    return LifecycleError(
        f"{error.msg}; the mesh was rolled back to {release.chart_version}, and that is proven",
        object=error.object,
        why=f"the upgrade failed: {error.why}" if error.why else "",
        state=f"release {release.name} is what it was in revision {release.revision} ({release.chart_name} {release.chart_version}); "
        + _mesh_config(result),
        next=f"nothing has to be repaired; for another try: {error.next}",
        details={
            **error.details,
            "rollback": {**_told(result), "revision": release.revision, "version": release.chart_version, "proven": True},
        },
    )


def _mesh_config(result: Mapping[str, Any]) -> str:
    kept = [finding["what"] for finding in result.get("findings") or () if finding["code"] == "edit-kept"]
    if kept:
        return f"the MeshConfig is as it was before the upgrade, except: {'; '.join(kept)}"
    return "the MeshConfig is as it was before the upgrade"


def not_rolled_back(error: LifecycleError, second: LifecycleError, release: Release | None) -> LifecycleError:
    """Return the error of an upgrade that failed, and whose way back failed as well."""
    return LifecycleError(
        f"{error.msg}; and the rollback failed: {second.msg}",
        object=second.object or error.object,
        why="; ".join(filter(None, [error.why, second.why and f"rollback: {second.why}"])),
        state=second.state or error.state,
        next="; ".join(filter(None, [second.next or error.next, _either_way(release)])),
        details={**error.details, "rollback": {**_told(second.details), "proven": False}},
    )


def _either_way(release: Release | None) -> str:
    if release is None:
        return ""
    back = f"chart_version: {release.chart_version} with allow_downgrade: true"
    return f"the same command tries the upgrade again, {back} goes on with the way back"


def no_way_back(error: LifecycleError) -> LifecycleError:
    """Return the error of an upgrade that failed before there was anything to go back to."""
    error.next = f"{error.next}; it was not rolled back, because no revision of the release was ever deployed"
    return error


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in _TOLD if key in result}
