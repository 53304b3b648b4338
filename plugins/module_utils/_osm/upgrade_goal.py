# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an upgrade leads to: a chart with the values that the release gets, or an earlier revision of the release itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import Chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_permissions import helm_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Spec
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_refusals import (
    NOTHING_WRITTEN,
    chart_refusals,
    mesh_config_refusals,
    release_refusals,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_request import UpgradeRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import TargetChart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import (
    Situation,
    TargetValues,
    rendered_preset,
    target_values,
    templates_digest,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal


class Goal(Protocol):
    """What the release is to become. ``chart_path`` is empty when no chart is needed for it."""

    version: str
    app_version: str
    chart_path: str
    request: UpgradeRequest

    def target(self, situation: Situation) -> tuple[TargetValues, TargetChart]:
        """Return the values and the manifests of the release to be.

        Raises Refused when the mesh must not become that.
        """


class ChartGoal:
    """A chart, rendered once per base revision."""

    def __init__(
        self, api: Api, helm: Helm, chart: Chart, request: UpgradeRequest, deadline: Deadline, *, kube_version: str, procedure: str
    ) -> None:
        self.version, self.app_version, self.chart_path, self.request = chart.version, chart.app_version, chart.path, request
        self._api = api
        self._helm = helm
        self._chart = chart
        self._deadline = deadline
        self._kube_version = kube_version
        self._procedure = procedure
        self._targets: dict[tuple[str, int], tuple[TargetValues, TargetChart]] = {}

    def target(self, situation: Situation) -> tuple[TargetValues, TargetChart]:
        """Return the values and the rendered chart; Refused when rendering it for this mesh makes no sense."""
        mesh, base, helm = situation.mesh, situation.base, situation.helm
        chart, may_go_down = self._chart, self.request.allow_downgrade
        wrong_chart = [*chart_refusals(mesh.product, helm, chart.name, chart.version, may_go_down=may_go_down)]
        busy = release_refusals(helm, self._deadline.seconds)
        what = f"{self._procedure} of {mesh.namespace}/{mesh.name}"
        if any(refusal.code == "other-product" for refusal in wrong_chart):
            raise refused(what, [*wrong_chart, *busy])
        key = (base.name, base.revision)
        if wrong_chart or key not in self._targets:
            values = target_values(situation, self._chart, self.request)
            if wrong_chart or values.refusals:
                fields = self._field_refusals(mesh, base, values, situation.schema)
                raise refused(what, [*wrong_chart, *busy, *values.refusals, *fields])
            manifests = self._recorded(situation, values) or self._render(base, values.values)
            self._targets[key] = (values, self._rendered(situation, values, manifests))
        return self._targets[key]

    def _recorded(self, situation: Situation, values: TargetValues) -> Sequence[Mapping[str, Any]]:
        """Return the manifests of the release when it is already what it is to become: Helm rendered them, so it need not again."""
        helm, chart = situation.helm, self._chart
        wanted = (situation.base.revision, "deployed", chart.name, chart.version, templates_digest(chart.templates))
        found = (helm.revision, helm.status, helm.chart_name, helm.chart_version, helm.templates_digest)
        return situation.before if found == wanted and helm.values == values.values else ()

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

    def _render(self, base: Release, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        self._helm.require(self._deadline)
        return self._helm.template(
            base.name, self._chart.path, base.namespace, values, deadline=self._deadline, kube_version=self._kube_version
        )

    def _rendered(self, situation: Situation, values: TargetValues, manifests: Sequence[Mapping[str, Any]]) -> TargetChart:
        mesh = situation.mesh
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
            permissions=helm_permissions(situation.before, manifests, situation.base.namespace, self._api.kind_for),
            server_side=mesh.release.server_side if mesh.release is not None else False,
        )


class RevisionGoal:
    """A revision of the release that once ran: its record has the manifests, so no chart is needed."""

    chart_path = ""

    def __init__(self, api: Api, release: Release) -> None:
        self.version, self.app_version, self.request = release.chart_version, release.app_version, UpgradeRequest()
        self._api = api
        self._release = release

    def target(self, situation: Situation) -> tuple[TargetValues, TargetChart]:
        """Return the revision as the target."""
        old = self._release
        manifests = parse_manifest(old.manifest)
        values = TargetValues(old.values, {}, {}, (), ())
        return values, TargetChart(
            name=old.chart_name,
            version=old.chart_version,
            app_version=old.app_version,
            templates_digest=templates_digest(old.templates),
            values=old.values,
            plain_values={},
            manifests=manifests,
            preset_spec=rendered_preset(manifests, situation.mesh.product.preset_config_map) or {},
            permissions=helm_permissions(situation.before, manifests, old.namespace, self._api.kind_for),
            revision=old.revision,
            server_side=old.server_side,
        )
