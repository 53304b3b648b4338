# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Editing a MeshConfig as a procedure: one phase, one patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_edit import EditResult, edit
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import merge_patch, mesh_config_kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import replaced_silently, spec_schema, validate
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step


@dataclass(frozen=True)
class ConfigRequest:
    """What the user asks for; each in the shape of a MeshConfig ``spec``."""

    spec: Mapping[str, Any]
    add: Mapping[str, Any]
    remove: Mapping[str, Any]


@dataclass(frozen=True)
class ConfigState:
    """The live MeshConfig (raw object), what it is to become, and the schema of ``spec`` in the installed CRD."""

    mesh: Mesh
    live: Mapping[str, Any]
    wanted: EditResult
    schema: Mapping[str, Any]


def config_procedure(api: Api, mesh: Mesh, request: ConfigRequest) -> Procedure[ConfigState]:
    """Return the procedure that brings the MeshConfig of ``mesh`` into the requested state."""
    kind, ref = mesh_config_kind(mesh.product), mesh.mesh_config_ref

    def observe(_record: Record | None) -> ConfigState:
        live = api.get_or_none(kind, ref.name, ref.namespace)
        crd = api.get_or_none(CRD, mesh.product.mesh_config_crd)
        schema = spec_schema(crd or {}, mesh.product.mesh_config_version)
        if live is None or schema is None:
            raise _nothing_to_edit(mesh, "it does not exist" if schema else f"CRD {mesh.product.mesh_config_crd} does not exist")
        return ConfigState(mesh, live, edit(live.get("spec") or {}, request.spec, request.add, request.remove), schema)

    def apply(step: Step) -> str:
        api.patch(kind, ref.name, dict(step.desired), ref.namespace, uid=step.uid, resource_version=step.resource_version, strict=True)
        return ""

    def dry_run(step: Step) -> None:
        api.patch(kind, ref.name, dict(step.desired), ref.namespace, uid=step.uid, strict=True, dry_run=True)

    return Procedure(
        name="mesh_config",
        target=f"{mesh.namespace}/{mesh.name}",
        observe=observe,
        phases=(Phase("mesh_config", config_steps, apply, dry_run),),
        refuse=config_refusals,
        findings=lambda state: replaced_silently(state.wanted.spec, ref) if state.wanted.changes else (),
        verify=config_unproven,
    )


def _nothing_to_edit(mesh: Mesh, why: str) -> Refused:
    bootstrap = mesh.product.bootstrap
    return Refused(
        f"{mesh.mesh_config_ref} cannot be edited",
        object=mesh.mesh_config_ref,
        why=f"{why}; {bootstrap} brings both, from ConfigMap {mesh.product.preset_config_map}",
        state="nothing was written",
        next=f"look at {bootstrap} in namespace {mesh.namespace} (meshops.lifecycle.mesh_info tells its state)",
    )


def config_steps(state: ConfigState) -> list[Step]:
    """Return one patch, or nothing when the MeshConfig is as it is wanted."""
    if not state.wanted.changes:
        return []
    metadata, before, ref = state.live["metadata"], state.live.get("spec") or {}, state.mesh.mesh_config_ref
    return [
        Step(
            "patch",
            ref,
            why="; ".join(f"{change.path}: {change.before!r} → {change.after!r}" for change in state.wanted.changes),
            desired={"spec": merge_patch(before, state.wanted.spec)},
            before={"spec": before},
            after={"spec": state.wanted.spec},
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            permissions=(Permission("patch", state.mesh.product.mesh_config_group, "meshconfigs", ref.namespace, ref.name),),
        )
    ]


def config_refusals(state: ConfigState) -> list[Refusal]:
    """Return every value that the API server would refuse, drop or misread; nothing when nothing changes."""
    if not state.wanted.changes:
        return []
    ref = state.mesh.mesh_config_ref
    return [
        Refusal("invalid-value", ref, f"{problem.path}: {problem.what}", problem.why, "nothing was written", problem.fix)
        for problem in validate(state.wanted.spec, state.schema)
    ]


def config_unproven(state: ConfigState) -> Sequence[Finding]:
    """Return what reading back does not show."""
    return [
        Finding(
            "error",
            "not-as-wanted",
            state.mesh.mesh_config_ref,
            f"{change.path} is {change.before!r}, wanted {change.after!r}",
            "the API server dropped the value, or somebody else writes this field",
            "look at who manages the field (kubectl get meshconfig -o yaml --show-managed-fields)",
        )
        for change in state.wanted.changes
    ]
