# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release as it is to be: which values it gets, and what its chart makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import Chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preset_values import translate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import preset_spec
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.schema_check import Schema, Violation, violations
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.third_party import CarriedImages, carried_images
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_request import UpgradeRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.values import (
    Pinned,
    Values,
    carry_over,
    coalesced,
    deep_merge,
    describe,
    dropped_findings,
    effective_user_values,
    pin_installer_values,
    schema_violations,
    unread_values,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# What Helm loads as a template; editors leave other files in a chart's directory.
_TEMPLATE_SUFFIXES = (".yaml", ".yml", ".tpl", ".txt", ".json")


class TargetValues(NamedTuple):
    """User-supplied values of the release to be, the MeshConfig that the user wants, and what to tell about both.

    ``plain`` are values that a diff may show: the chart's own defaults, the pins, and what the task gave inline. ``images`` are those
    values that were made of images set by hand.
    """

    values: dict[str, Any]
    plain: dict[str, Any]
    mesh_config: dict[str, Any]
    findings: tuple[Finding, ...]
    refusals: tuple[Refusal, ...]
    images: Mapping[str, Any] = {}


class Situation(NamedTuple):
    """What the values are decided from: the mesh, the revision ``base`` that Helm starts from, and ``given`` whose values are carried over.

    These are two when a run that was not finished has given the release other values. ``before`` are the manifests of ``base``,
    ``attempted`` those of a later revision that did not end well. ``images`` are values that a run which was not finished made of
    images set by hand; None when there was no such run.
    """

    mesh: Mesh
    base: Release
    given: Release
    helm: HelmState
    before: Sequence[Mapping[str, Any]]
    attempted: Sequence[Mapping[str, Any]] = ()
    images: Mapping[str, Any] | None = None
    schema: Schema | None = None


def target_values(situation: Situation, chart: Chart, request: UpgradeRequest) -> TargetValues:
    """Decide the values: carried over by the policy, pinned, checked against the schema of ``chart``.

    Images of third parties that were set by hand become values. Raises Refused when the request renames or moves the mesh.
    """
    mesh, base = situation.mesh, situation.base
    release = ObjectRef("Release", base.name, base.namespace)
    by_hand = _images_by_hand(situation, chart, request)
    given = situation.given
    wanted = effective_user_values(request.values_policy, given.values, given.chart_values, request.values)
    wanted = deep_merge(deep_merge(wanted, by_hand.values), request.values)
    pinned = pin_installer_values(
        wanted,
        mesh.product,
        mesh_name=mesh.name,
        osm_namespace=mesh.namespace,
        release_namespace=base.namespace,
        old_user_values=given.values,
        passed_values=request.values,
    )
    carried = carry_over(pinned.values, request.values, chart.schema)
    translated = translate(request.values, request.mesh_config, mesh.product, mesh.namespace, chart.values)
    refusals = [
        Refusal(
            "invalid-value",
            release,
            f"chart {chart.name} {chart.version} does not accept the values: {describe(violation)}",
            "the chart's values.schema.json refuses it, and Helm would fail",
            "nothing was written",
            "correct the values (option values, values_files, or what earlier releases were given: helm get values)",
        )
        for violation in _all_violations(request.values, coalesced(chart.values, carried.values), chart.schema)
    ]
    findings = [
        *by_hand.findings,
        *dropped_findings(carried.dropped, release, chart.version, given.values),
        *unread_values(request.values, chart.values, release),
        *translated.findings,
    ]
    plain = pinned_values(pinned, deep_merge(deep_merge(chart.values, by_hand.values), request.given_inline))
    return TargetValues(carried.values, plain, translated.spec, tuple(findings), tuple(refusals), by_hand.values)


def _images_by_hand(situation: Situation, chart: Chart, request: UpgradeRequest) -> CarriedImages:
    if situation.images is not None and request.values_policy != "reset":
        return CarriedImages(dict(situation.images), ())
    return carried_images(
        situation.mesh.deployments,
        situation.before,
        situation.mesh.product,
        request.values,
        policy=request.values_policy,
        namespace=situation.mesh.namespace,
        chart_values=chart.values,
        attempted=situation.attempted,
    )


def _all_violations(given: Values, values: Values, schema: Schema | None) -> list[Violation]:
    """Return each violation once: of what the user gave (a pin would hide a root that is no map) and of what the chart sees."""
    found = [*violations(coalesced({}, given), schema or {}, required=False), *schema_violations(values, schema)]
    return list({(violation.where, violation.kind): violation for violation in found}.values())


def pinned_values(pinned: Pinned, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with the pins set in them."""
    for pin in pinned.pins:
        nested: Any = pin.value
        for key in reversed(pin.path.split(".")):
            nested = {key: nested}
        values = deep_merge(values, nested)
    return dict(values)


def rendered_preset(manifests: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """Return the ``spec`` in the preset ConfigMap among ``manifests``, None when there is none."""
    found = (item for item in manifests if item.get("kind") == "ConfigMap" and (item.get("metadata") or {}).get("name") == name)
    return preset_spec(next(found, None))


def templates_digest(templates: Mapping[str, bytes]) -> str:
    """Return a hash that is the same for the same templates, whether they come from a chart or from a release record."""
    digest = hashlib.sha256()
    for name in sorted(templates):
        if name.endswith(_TEMPLATE_SUFFIXES):
            digest.update(name.encode() + b"\0" + hashlib.sha256(templates[name]).digest())
    return digest.hexdigest()[:16]
