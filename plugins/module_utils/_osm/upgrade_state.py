# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan of an upgrade is made from: plain data, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission


@dataclass(frozen=True)
class TargetChart:
    """The chart to upgrade to, rendered with the values that the release will have; or an earlier revision of the release itself.

    ``values`` are user-supplied values (what ``helm get values`` shows afterwards); ``templates_digest`` tells a chart of
    the same version with other templates. ``preset_spec`` is the ``spec`` of its preset MeshConfig. ``plain_values`` are those
    that a diff may show. ``revision`` is the revision to go back to, 0 for a chart. ``server_side`` says that Helm will apply it on
    the server, as the newest revision (of a chart) or that revision was.
    """

    name: str
    version: str
    app_version: str
    templates_digest: str
    values: Mapping[str, Any]
    plain_values: Mapping[str, Any]
    manifests: Sequence[Mapping[str, Any]]
    preset_spec: Mapping[str, Any]
    permissions: tuple[Permission, ...] = ()
    revision: int = 0
    server_side: bool = False


@dataclass(frozen=True)
class HelmState:
    """The Helm release as its newest record tells: ``pending_since`` is seconds ago, None when it is not pending.

    ``ours`` says that the pending revision was begun by an earlier run of this procedure, whose helm is gone with it.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart_name: str
    chart_version: str
    templates_digest: str
    values: Mapping[str, Any]
    pending_since: float | None = None
    ours: bool = False


@dataclass(frozen=True)
class UpgradeState:
    """Everything that the plan, the refusals and the proof of an upgrade look at.

    ``mesh_config_schema`` is the schema of ``spec`` in the live CRD, None when there is no CRD; ``merge`` is the outcome of
    completing the MeshConfig, None while there is none to complete. ``old_preset`` is the preset that the mesh was last
    completed with, None when its chart had none; ``carried`` tells what became of older values. ``definitions`` are the CRDs of the
    cluster by name. ``downgrade`` says that the target is older than what is there, or was when the run began. ``base_revision`` is the
    revision that the mesh ran with before the first write, ``base_version`` its chart's version. ``comes_back`` says that a failure is to
    be taken back. ``images`` are values made of images that were set by hand. ``restores`` says that ``merge`` takes an upgrade's
    changes back, so that what it aims at is nothing of ours.
    """

    mesh: Mesh
    helm: HelmState
    target: TargetChart
    merge: MergeResult | None
    mesh_config_schema: Mapping[str, Any] | None
    old_preset: Mapping[str, Any] | None
    carried: tuple[Finding, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    definitions: Mapping[str, CustomResource] = field(default_factory=dict)
    downgrade: bool = False
    base_revision: int = 0
    base_version: str = ""
    comes_back: bool = False
    images: Mapping[str, Any] = field(default_factory=dict)
    restores: bool = False
