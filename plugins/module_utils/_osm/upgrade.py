# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade of one mesh, or its way back: what it reads, in which phases it writes, and for what it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.release_status import mark_failed
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, read_release, secret_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions import MIGRATE, definition_steps, stored_otherwise
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions_apply import read_definitions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import ACTION, ROLLBACK, base_revision, helm_state
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult, lost_settings, merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_restore import restore
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import spec_schema
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Spec
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import bootstrap_settled, without_unknown
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_apply import Writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_goal import Goal
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_memory import Memory, memory_of, remembered
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_proof import unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_questions import Answer, ask_cluster
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_refusals import (
    NOTHING_WRITTEN,
    image_refusals,
    mesh_config_refusals,
    preserve_refusals,
    release_refusals,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import TargetChart, UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import (
    bootstrap_steps,
    control_plane_steps,
    definition_phase,
    definition_problems,
    definition_remarks,
    finish_steps,
    helm_upgrade_needed,
    mesh_config_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import (
    Situation,
    TargetValues,
    rendered_preset,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_waits import Waits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import is_downgrade
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Guard, Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room

NAME = "mesh_upgrade"


class MeshUpgrade:
    """One change of one mesh to one goal; ``mesh`` says which, its state is read again whenever a phase begins.

    ``observed`` is what the caller has read already; ``room`` tells what the nodes have left, asked only when Helm is going to work
    (without it that is not checked).
    """

    def __init__(
        self,
        api: Api,
        helm: Helm,
        mesh: Mesh,
        observed: Observed,
        goal: Goal,
        deadline: Deadline,
        *,
        room: Callable[[], Room] | None = None,
        progress: Callable[[str], None] = lambda text: None,
        redactor: Redactor | None = None,
    ) -> None:
        self._api = api
        self._helm = helm
        self._mesh = mesh
        self._goal = goal
        self._deadline = deadline
        self._room = room
        self._progress = progress
        self._redactor = redactor
        self._first_look: tuple[Observed, Mesh] | None = (observed, mesh)
        self._left_pending: str | None = None
        self._read: dict[tuple[str, int], Release] = {}
        self._parsed: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._answers: dict[tuple[str, int], Answer] = {}
        self._latest: tuple[TargetValues, TargetChart] | None = None
        self._last: UpgradeState | None = None

    @property
    def target(self) -> str:
        """What is upgraded: ``namespace/mesh``."""
        return f"{self._mesh.namespace}/{self._mesh.name}"

    def procedure(self) -> Procedure[UpgradeState]:
        """Return the upgrade as a procedure."""
        waits = Waits(self._api, self._mesh, self._deadline, self._progress, self._redactor)

        def before_bootstrap(_guard: Guard) -> None:
            if not self._comes_back():
                waits.for_mesh_config(self._wanted_spec(), self._goal.app_version, lambda: self._look()[1], or_rolled_out=True)

        def before_mesh_config(guard: Guard) -> None:
            if self._comes_back():
                # The other bootstrap writes its definitions first, so that what they lack is gone when the MeshConfig is put back.
                waits.for_rollouts(self._rendered_names(), lambda: self._keep_migrated(guard))
            waits.for_mesh_config(self._wanted_spec(), self._goal.app_version, lambda: self._look()[1])

        def before_finish(_guard: Guard) -> None:
            waits.for_rollouts(self._rendered_names())

        return Procedure(
            name=NAME,
            target=self.target,
            observe=self.observe,
            phases=(
                Phase("definitions", definition_phase, self._apply, self._dry_run),
                Phase("control_plane", control_plane_steps, self._apply, self._dry_run),
                Phase("bootstrap", bootstrap_steps, self._apply, enter=before_bootstrap),
                Phase("mesh_config", mesh_config_steps, self._apply, self._dry_run, enter=before_mesh_config),
                Phase("finish", finish_steps, self._apply, self._dry_run, enter=before_finish),
            ),
            refuse=lambda state: state.refusals,
            findings=lambda state: [*state.carried, *definition_remarks(state), *(state.merge.findings if state.merge else ())],
            verify=unproven,
            merge_base=memory_of,
            settle=waits.for_webhooks,
        )

    def observe(self, record: Record | None) -> UpgradeState:
        """Read the mesh, its release and its MeshConfig, and render the target chart with the values that the release gets."""
        observed, mesh = self._look()
        if mesh.release is None:
            raise self._no_release(mesh)
        base = self._base(mesh)
        before = self._manifests(base)
        attempted = self._manifests(mesh.release) if mesh.release.revision != base.revision else []
        memory = remembered(record)
        helm = helm_state(mesh.release, record, time.time())
        self._left_pending = secret_name(helm.name, helm.revision) if helm.ours else None
        crd = self._api.get_or_none(CRD, mesh.product.mesh_config_crd)
        schema = spec_schema(crd or {}, mesh.product.mesh_config_version)
        down = is_downgrade(helm.chart_version, self._goal.version) or memory.down_to == self._goal.version
        situation = Situation(mesh, base, self._values_base(base, memory), helm, before, attempted, memory.images, schema)
        self._latest = values, target = self._goal.target(situation)
        old_preset = memory.preset_spec
        if old_preset is None:
            old_preset = rendered_preset(before, mesh.product.preset_config_map)
        completed = self._completed(mesh, values, target, old_preset, memory, down) if mesh.mesh_config is not None else None
        if completed is not None and completed.changes and memory.preset_spec is None:
            old_preset = self._first_preset(mesh) or old_preset
            completed = self._completed(mesh, values, target, old_preset, memory, down)
        if completed is not None and schema is not None and bootstrap_settled(mesh, target.app_version):
            completed = without_unknown(completed, schema, mesh)
        state = UpgradeState(
            mesh=mesh,
            helm=helm,
            target=target,
            merge=completed,
            mesh_config_schema=schema,
            old_preset=old_preset,
            carried=values.findings,
            refusals=(
                *values.refusals,
                *release_refusals(helm, self._deadline.seconds),
                *mesh_config_refusals(values.mesh_config, schema, target.preset_spec, mesh.mesh_config_ref),
                *image_refusals(mesh.product, target),
                *preserve_refusals(self._goal.request.mesh_config_policy, mesh, values.mesh_config, target),
            ),
            definitions=observed.crds or {},
            downgrade=down,
            base_revision=memory.revision or base.revision,
            base_version=memory.version or base.chart_version,
            comes_back=self._goal.request.rollback_on_failure,
            images=values.images,
            restores=self._restores(target, memory, down),
        )
        self._last = self._before_helm(state, situation) if helm_upgrade_needed(state) else state
        return self._last

    def _completed(
        self, mesh: Mesh, values: TargetValues, target: TargetChart, old_preset: Spec | None, memory: Memory, down: bool
    ) -> MergeResult:
        """Return what the MeshConfig is to be."""
        preserve = self._goal.request.mesh_config_policy == "preserve"
        live = mesh.mesh_config_spec
        if memory.spec is not None and self._restores(target, memory, down):
            back = restore(live, memory.spec, memory.written, mesh.mesh_config_ref)
            given = merge(back.spec, None, {}, values.mesh_config, mesh.product, namespace=mesh.namespace)
            return MergeResult(given.spec, [*back.changes, *given.changes], back.findings)
        completed = merge(
            live,
            {} if preserve else old_preset,
            {} if preserve else target.preset_spec,
            values.mesh_config,
            mesh.product,
            target_version=target.version,
            namespace=mesh.namespace,
            downgrade=down,
        )
        lost = lost_settings(live, old_preset, target.preset_spec, target.version, mesh.mesh_config_ref) if down else []
        return completed._replace(findings=[*completed.findings, *lost])

    def _restores(self, target: TargetChart, memory: Memory, down: bool) -> bool:
        """Whether the MeshConfig goes back to what it was before an upgrade: its revision is the goal, or its version on the way down."""
        comes_back = bool(target.revision) or (down and memory.version == target.version)
        return comes_back and memory.spec is not None and bool(memory.written)

    def _before_helm(self, state: UpgradeState, situation: Situation) -> UpgradeState:
        """Add what only matters when Helm is going to work; the API server is asked once per base revision."""
        product, version = state.mesh.product, state.target.app_version
        state = replace(state, definitions=read_definitions(self._api, product, version, state.definitions))
        key = (situation.base.name, situation.base.revision)
        if key not in self._answers:
            self._answers[key] = ask_cluster(self._api, state, situation, self._room)
        answer = self._answers[key]
        return replace(
            state,
            target=replace(state.target, permissions=(*state.target.permissions, *answer.missing)),
            refusals=(*state.refusals, *answer.refusals, *definition_problems(state)),
            carried=(*state.carried, *answer.findings),
        )

    def _look(self) -> tuple[Observed, Mesh]:
        """Return the cluster and the mesh as they are; the caller's own look is used once."""
        first, self._first_look = self._first_look, None
        if first is not None:
            return first
        observed = discover(self._api, mesh_name=self._mesh.name, data_plane=False)
        return observed, select_mesh(observed, self._mesh.name, self._mesh.namespace)

    def _base(self, mesh: Mesh) -> Release:
        """Return the revision to start from; the newest one when it is that."""
        revision = base_revision(mesh.release_history)
        if mesh.release is None or revision is None:
            raise self._no_release(mesh)
        return self._revision(mesh.release, revision)

    def _revision(self, known: Release, number: int) -> Release:
        """Return a revision of the release that ``known`` is one of; another one is read once."""
        if number == known.revision:
            return known
        key = (known.name, number)
        if key not in self._read:
            self._read[key] = read_release(self._api, known.namespace, *key)
        return self._read[key]

    def _values_base(self, base: Release, memory: Memory) -> Release:
        """Return the revision whose values are carried over: that before the first write, not what a run that failed gave the release."""
        return self._revision(base, memory.revision or base.revision)

    def _manifests(self, release: Release) -> list[dict[str, Any]]:
        """Return the objects of a revision, read once."""
        key = (release.name, release.revision)
        if key not in self._parsed:
            self._parsed[key] = parse_manifest(release.manifest)
        return self._parsed[key]

    def _first_preset(self, mesh: Mesh) -> Spec | None:
        """Return the preset of the oldest revision that is kept: a MeshConfig that nobody completed since then was made of it.

        A key that it had as a zero and that is absent means that zero, whatever the chart's default has become by now.
        """
        ran = [info.revision for info in mesh.release_history if info.status in ("deployed", "superseded")]
        if mesh.release is None or not ran or min(ran) == mesh.release.revision:
            return None
        return rendered_preset(self._manifests(self._revision(mesh.release, min(ran))), mesh.product.preset_config_map)

    def _no_release(self, mesh: Mesh) -> Refused:
        return Refused(
            f"Mesh {self.target} has no Helm release that can be upgraded",
            object=mesh.ref,
            why="its Deployments exist, but no Secret of type helm.sh/release.v1 records a deployed revision (or it may not be read)",
            state=NOTHING_WRITTEN,
            next="check that this user may list and get Secrets in the release's namespace; if the records are really gone, adopt the "
            "mesh first (helm install with the same chart and values takes over objects that carry the release's annotations)",
        )

    def _comes_back(self) -> bool:
        return self._last is not None and (self._last.downgrade or self._last.target.revision > 0)

    def _targeted(self) -> tuple[TargetValues, TargetChart]:
        if self._latest is None:
            raise RuntimeError("nothing was observed yet")
        return self._latest

    def _wanted_spec(self) -> Mapping[str, Any]:
        """Return what the MeshConfig's schema must know: the preset of the target and what the user gave."""
        values, target = self._targeted()
        return merge({}, None, target.preset_spec, values.mesh_config, self._mesh.product, target_version=target.version).spec

    def _rendered_names(self) -> frozenset[str]:
        """Return the names of the Deployments of the target chart in the mesh's namespace."""
        _values, target = self._targeted()
        return frozenset(
            str(item["metadata"]["name"])
            for item in target.manifests
            if item.get("kind") == "Deployment" and item["metadata"].get("namespace", self._mesh.namespace) == self._mesh.namespace
        )

    def _writer(self) -> Writer:
        values, target = self._targeted()
        return Writer(
            self._api,
            self._helm,
            self._mesh,
            self._goal.chart_path,
            values.values,
            f"meshops.lifecycle {NAME} to {self._goal.version}",
            self._deadline,
            target.revision,
            target.server_side,
        )

    def _apply(self, step: Step) -> str:
        if step.action in (ACTION, ROLLBACK) and self._left_pending is not None:
            mark_failed(self._api, step.object.namespace, self._left_pending, "the run that began it was killed")
        return self._writer().apply(step)

    def _keep_migrated(self, guard: Guard) -> None:
        """Migrate again what a newer bootstrap, started for the last time, has set back to its own storage version meanwhile."""
        product, version = self._mesh.product, self._goal.app_version
        read = {name: self._api.get_or_none(CRD, name) for name in stored_otherwise(product, version)}
        live = {name: custom_resource(crd) for name, crd in read.items() if crd is not None}
        for step in definition_steps(product, version, live):
            if step.action == MIGRATE:
                self._progress(f"mesh_config: {step.object.name} is stored in a version that {version} does not know, migrating it")
                guard()
                self._writer().apply(step)

    def _dry_run(self, step: Step) -> None:
        self._writer().dry_run(step)
