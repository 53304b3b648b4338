# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade of one mesh: what it reads, in which phases it writes, and for what it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import Chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.release_status import mark_failed
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, read_release, secret_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_permissions import helm_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import ACTION, base_revision, helm_state
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.lost_edits import lost_edits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import merge
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import spec_schema
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Spec
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.server_check import ServerSays, ask_server
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import bootstrap_settled, without_unknown
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_apply import Writer
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_proof import unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_refusals import (
    NOTHING_WRITTEN,
    chart_refusals,
    mesh_config_refusals,
    release_refusals,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_request import UpgradeRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState, TargetChart, UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import (
    control_plane_steps,
    finish_steps,
    helm_upgrade_needed,
    mesh_config_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import (
    TargetValues,
    rendered_preset,
    target_values,
    templates_digest,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_waits import Waits
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record

NAME = "mesh_upgrade"


class MeshUpgrade:
    """One upgrade of one mesh to one chart; ``mesh`` says which, its state is read again whenever a phase begins."""

    def __init__(
        self,
        api: Api,
        helm: Helm,
        mesh: Mesh,
        chart: Chart,
        request: UpgradeRequest,
        deadline: Deadline,
        *,
        kube_version: str,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._api = api
        self._helm = helm
        self._mesh = mesh
        self._chart = chart
        self._request = request
        self._deadline = deadline
        self._kube_version = kube_version
        self._progress = progress
        self._first_look: Mesh | None = mesh
        self._left_pending: str | None = None
        self._bases: dict[tuple[str, int], Release] = {}
        self._answers: dict[tuple[str, int], ServerSays] = {}
        self._targets: dict[tuple[str, int], tuple[TargetValues, TargetChart]] = {}

    @property
    def target(self) -> str:
        """What is upgraded: ``namespace/mesh``."""
        return f"{self._mesh.namespace}/{self._mesh.name}"

    def procedure(self) -> Procedure[UpgradeState]:
        """Return the upgrade as a procedure."""
        waits = Waits(self._api, self._mesh, self._deadline, self._progress)
        return Procedure(
            name=NAME,
            target=self.target,
            observe=self.observe,
            phases=(
                Phase("control_plane", control_plane_steps, self._apply, self._dry_run),
                Phase(
                    "mesh_config",
                    mesh_config_steps,
                    self._apply,
                    self._dry_run,
                    enter=lambda: waits.for_mesh_config(self._wanted_spec(), self._chart.app_version, self._look),
                ),
                Phase("finish", finish_steps, self._apply, self._dry_run, enter=lambda: waits.for_rollouts(self._rendered_names())),
            ),
            refuse=lambda state: state.refusals,
            findings=lambda state: [*state.carried, *(state.merge.findings if state.merge else ())],
            verify=unproven,
            merge_base=lambda state: {"preset_spec": state.old_preset},
            settle=waits.for_webhooks,
        )

    def observe(self, record: Record | None) -> UpgradeState:
        """Read the mesh, its release and its MeshConfig, and render the target chart with the values that the release gets."""
        mesh = self._look()
        if mesh.release is None:
            raise self._no_release(mesh)
        base = self._base(mesh)
        helm = helm_state(mesh.release, record, time.time())
        self._left_pending = secret_name(helm.name, helm.revision) if helm.ours else None
        crd = self._api.get_or_none(CRD, mesh.product.mesh_config_crd)
        schema = spec_schema(crd or {}, mesh.product.mesh_config_version)
        values, target = self._target(mesh, base, helm, schema)
        old_preset = record.merge_base.get("preset_spec") if record is not None else None
        if not isinstance(old_preset, Mapping):
            old_preset = rendered_preset(parse_manifest(base.manifest), mesh.product.preset_config_map)
        completed = None
        if mesh.mesh_config is not None:
            completed = merge(
                mesh.mesh_config_spec,
                old_preset,
                target.preset_spec,
                values.mesh_config,
                mesh.product,
                target_version=target.version,
                namespace=mesh.namespace,
            )
            if schema is not None and bootstrap_settled(mesh, target.app_version):
                completed = without_unknown(completed, schema, mesh)
        state = UpgradeState(
            mesh=mesh,
            helm=helm,
            target=target,
            merge=completed,
            mesh_config_schema=schema,
            old_preset=old_preset,
            carried=(*values.findings, *lost_edits(mesh.deployments, parse_manifest(base.manifest), target.manifests, mesh.namespace)),
            refusals=(
                *values.refusals,
                *release_refusals(helm, self._deadline.seconds),
                *mesh_config_refusals(values.mesh_config, schema, target.preset_spec, mesh.mesh_config_ref),
            ),
        )
        return self._ask_server(state, base) if helm_upgrade_needed(state) else state

    def _ask_server(self, state: UpgradeState, base: Release) -> UpgradeState:
        """Add what the API server says to the rendered workloads, asked once per base revision."""
        key = (base.name, base.revision)
        if key not in self._answers:
            self._answers[key] = ask_server(self._api, state.target.manifests, base.namespace, parse_manifest(base.manifest))
        refusals, findings = self._answers[key]
        return replace(state, refusals=(*state.refusals, *refusals), carried=(*state.carried, *findings))

    def _look(self) -> Mesh:
        """Return the mesh as it is; the caller's own look is used once."""
        first, self._first_look = self._first_look, None
        if first is not None:
            return first
        return select_mesh(discover(self._api, mesh_name=self._mesh.name, data_plane=False), self._mesh.name, self._mesh.namespace)

    def _base(self, mesh: Mesh) -> Release:
        """Return the revision to start from; the newest one when it is that."""
        revision = base_revision(mesh.release_history)
        if mesh.release is None or revision is None:
            raise self._no_release(mesh)
        if revision == mesh.release.revision:
            return mesh.release
        key = (mesh.release.name, revision)
        if key not in self._bases:
            self._bases[key] = read_release(self._api, mesh.release.namespace, mesh.release.name, revision)
        return self._bases[key]

    def _target(self, mesh: Mesh, base: Release, helm: HelmState, schema: Spec | None) -> tuple[TargetValues, TargetChart]:
        """Return the values and the rendered chart, once per base revision; Refused when rendering it for this mesh makes no sense."""
        wrong_chart = [*chart_refusals(mesh.product, helm, self._chart.name, self._chart.version)]
        busy = release_refusals(helm, self._deadline.seconds)
        if any(refusal.code == "other-product" for refusal in wrong_chart):
            raise refused(f"{NAME} of {self.target}", [*wrong_chart, *busy])
        key = (base.name, base.revision)
        if wrong_chart or key not in self._targets:
            values = target_values(mesh, base, self._chart, self._request)
            if wrong_chart or values.refusals:
                fields = self._field_refusals(mesh, base, values, schema)
                raise refused(f"{NAME} of {self.target}", [*wrong_chart, *busy, *values.refusals, *fields])
            manifests = self._render(base, values.values)
            self._targets[key] = (values, self._rendered(mesh, base, values, manifests))
        return self._targets[key]

    def _field_refusals(self, mesh: Mesh, base: Release, values: TargetValues, schema: Spec | None) -> list[Refusal]:
        """Return what is wrong with the MeshConfig that the user wants, when the chart cannot be rendered with the user's values."""
        if not values.mesh_config:
            return []
        try:
            preset = rendered_preset(self._render(base, {}), mesh.product.preset_config_map) or {}
        except LifecycleError:
            # Only an addition to a refusal that stands already.
            return []
        return list(mesh_config_refusals(values.mesh_config, schema, preset, mesh.mesh_config_ref))

    def _render(self, base: Release, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._helm.template(
            base.name, self._chart.path, base.namespace, values, deadline=self._deadline, kube_version=self._kube_version
        )

    def _rendered(self, mesh: Mesh, base: Release, values: TargetValues, manifests: Sequence[Mapping[str, Any]]) -> TargetChart:
        preset = rendered_preset(manifests, mesh.product.preset_config_map)
        if preset is None:
            raise Refused(
                f"Chart {self._chart.name} {self._chart.version} has no preset for the MeshConfig",
                object=mesh.ref,
                why=f"it renders no ConfigMap {mesh.product.preset_config_map} with a readable preset-mesh-config.json",
                state=NOTHING_WRITTEN,
                next="check the chart (helm template); without the preset the MeshConfig cannot be completed",
            )
        return TargetChart(
            name=self._chart.name,
            version=self._chart.version,
            app_version=self._chart.app_version,
            templates_digest=templates_digest(self._chart.templates),
            values=values.values,
            plain_values=values.plain,
            manifests=manifests,
            preset_spec=preset,
            permissions=helm_permissions(parse_manifest(base.manifest), manifests, base.namespace, self._api.kind_for),
        )

    def _no_release(self, mesh: Mesh) -> Refused:
        return Refused(
            f"Mesh {self.target} has no Helm release that can be upgraded",
            object=mesh.ref,
            why="its Deployments exist, but no Secret of type helm.sh/release.v1 records a deployed revision (or it may not be read)",
            state=NOTHING_WRITTEN,
            next="check that this user may list and get Secrets in the release's namespace; if the records are really gone, adopt the "
            "mesh first (helm install with the same chart and values takes over objects that carry the release's annotations)",
        )

    def _latest(self) -> tuple[TargetValues, TargetChart]:
        return next(reversed(self._targets.values()))

    def _wanted_spec(self) -> Mapping[str, Any]:
        """Return what the MeshConfig's schema must know: the preset of the target and what the user gave."""
        values, target = self._latest()
        return merge({}, None, target.preset_spec, values.mesh_config, self._mesh.product, target_version=target.version).spec

    def _rendered_names(self) -> frozenset[str]:
        """Return the names of the Deployments of the target chart in the mesh's namespace."""
        _values, target = self._latest()
        return frozenset(
            str(item["metadata"]["name"])
            for item in target.manifests
            if item.get("kind") == "Deployment" and item["metadata"].get("namespace", self._mesh.namespace) == self._mesh.namespace
        )

    def _writer(self) -> Writer:
        values, _target = self._latest()
        return Writer(
            self._api,
            self._helm,
            self._mesh,
            self._chart.path,
            values.values,
            f"meshops.lifecycle {NAME} to {self._chart.version}",
            self._deadline,
        )

    def _apply(self, step: Any) -> str:
        if step.action == ACTION and self._left_pending is not None:
            mark_failed(self._api, step.object.namespace, self._left_pending, "the run that began it was killed")
        return self._writer().apply(step)

    def _dry_run(self, step: Any) -> None:
        self._writer().dry_run(step)
