# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an upgrade must not start: every reason at once, each with what to do instead."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import versions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import validate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Spec
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import releases_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import VITAL_KEYS, has_path
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState, TargetChart
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

NOTHING_WRITTEN = "nothing was written; the mesh keeps running as it is"


def chart_refusals(
    product: Product, helm: HelmState, chart_name: str, chart_version: str, *, may_go_down: bool = False
) -> Iterator[Refusal]:
    """Yield why this chart must not replace the release's chart; ``may_go_down`` is the option ``allow_downgrade``.

    Upstream OSM and osm-edge name all their objects alike, so Helm itself would replace one by the other.
    """
    release = ObjectRef("Release", helm.name, helm.namespace)
    if chart_name != product.chart_name:
        other = next((candidate for candidate in PRODUCTS if candidate.chart_name == chart_name), None)
        yield Refusal(
            "other-product",
            release,
            f"chart {chart_name} is {_whose(other)}, the mesh is {product.title}",
            "its objects have the same names, so Helm would replace the mesh by another product instead of upgrading it",
            NOTHING_WRITTEN,
            f"use chart {product.chart_name} of {product.chart_repository} (leave out chart_ref and chart_repo, or name your mirror of it)",
        )
        return
    if versions.parse(chart_version) is None or versions.parse(helm.chart_version) is None:
        return
    if versions.is_downgrade(helm.chart_version, chart_version) and not may_go_down:
        yield Refusal(
            "downgrade",
            release,
            f"{chart_version} is older than {helm.chart_version}",
            "settings and objects that the older version does not know are lost, and it puts its CRDs over the newer ones",
            NOTHING_WRITTEN,
            f"name a version from {helm.chart_version} on, or set allow_downgrade: true if going back is what you want",
        )
    elif versions.skips_minor(helm.chart_version, chart_version):
        hops = [*_hops(product, helm.chart_version, chart_version), chart_version]
        yield Refusal(
            "skips-minor",
            release,
            f"{helm.chart_version} → {chart_version} skips a minor version",
            "only steps of one minor version are supported: a MeshConfig of 1.1, for instance, makes the bootstrap of 1.3 crash",
            NOTHING_WRITTEN,
            f"go to {', then to '.join(hops)}, one run each (chart_version: {hops[0]} now)",
        )


def _hops(product: Product, current: str, target: str) -> Iterator[str]:
    """Yield the versions to stop at between two versions: the newest published one of each minor version."""
    known = [release.chart for release in releases_of(product)]
    for line in versions.minor_path(current, target)[:-1]:
        yield versions.newest_of(line, known) or f"the newest {line}"


def _whose(product: Product | None) -> str:
    return f"that of another product, {product.title}" if product is not None else "not a chart of this family"


def release_refusals(helm: HelmState, timeout: float) -> Iterator[Refusal]:
    """Yield why Helm must not be started on this release; a revision that an earlier run of ours began is not a reason."""
    release = ObjectRef("Release", helm.name, helm.namespace)
    if helm.status in ("uninstalling", "uninstalled", "pending-install"):
        yield Refusal(
            "release-not-upgradable",
            release,
            f"revision {helm.revision} is {helm.status}",
            "there is no release to upgrade from",
            NOTHING_WRITTEN,
            f"finish that first (helm history {helm.name} -n {helm.namespace} tells how far it came)",
        )
    elif helm.pending_since is not None and not helm.ours and helm.pending_since < timeout:
        yield release_pending(helm, timeout)


def release_pending(helm: HelmState, timeout: float) -> Refusal:
    """Return why somebody else's pending Helm operation is not disturbed."""
    return Refusal(
        "release-pending",
        ObjectRef("Release", helm.name, helm.namespace),
        f"revision {helm.revision} is {helm.status} since {helm.pending_since or 0.0:.0f} s",
        "another Helm operation is at work on this release",
        NOTHING_WRITTEN,
        f"wait for it; one that is older than timeout ({timeout:.0f} s) when a run begins is taken for dead and marked as failed",
    )


def mesh_config_refusals(wanted: Spec, schema: Spec | None, preset: Spec, mesh_config: ObjectRef) -> Iterator[Refusal]:
    """Yield what is wrong with the MeshConfig that the user gave, judged by the installed CRD and the target's preset.

    The CRD of the target version comes with its bootstrap, so a field that only the preset of the target knows is right too.
    """
    if schema is None:
        return
    for problem in validate(wanted, schema, partial=True):
        if problem.what == "unknown field" and has_path(preset, problem.path):
            continue
        yield Refusal(
            "invalid-value", mesh_config, f"mesh_config {problem.path}: {problem.what}", problem.why, NOTHING_WRITTEN, problem.fix
        )


def preserve_refusals(policy: str, mesh: Mesh, given: Spec, target: TargetChart) -> Iterator[Refusal]:
    """Yield what the target version cannot do without and what neither the MeshConfig nor the user has, when it must not be completed."""
    if policy != "preserve" or mesh.mesh_config is None:
        return
    for path, (code, effect) in VITAL_KEYS.items():
        if has_path(target.preset_spec, path) and not has_path(mesh.mesh_config_spec, path) and not has_path(given, path):
            yield Refusal(
                code,
                mesh.mesh_config_ref,
                f"{path} is missing in the MeshConfig, and mesh_config_policy is preserve",
                f"with {target.version} {effect}",
                NOTHING_WRITTEN,
                f"give {path} in mesh_config, or set mesh_config_policy: merge",
            )


def image_refusals(product: Product, target: TargetChart) -> Iterator[Refusal]:
    """Yield the components whose image is of another minor version than the chart: they do not know the chart's command line.

    Source: osm-edge v1.3.9 docs, "CLI/image version mismatch": the pods crash with FatalInvalidCLIParameters or ``unknown flag``. A tag
    that is no version (``latest``, a digest) is not judged.
    """
    wanted = versions.parse(target.app_version)
    for manifest in target.manifests:
        name = (manifest.get("metadata") or {}).get("name")
        if wanted is None or manifest.get("kind") != "Deployment" or name not in product.deployments:
            continue
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            image = str(container.get("image", ""))
            found = versions.parse(read_image(image).tag)
            if container["name"] == name and found is not None and found.line != wanted.line:
                yield Refusal(
                    "image-mismatch",
                    ObjectRef("Deployment", str(name)),
                    f"{name} would run {image} with the command line of {target.version}",
                    "images and chart of different minor versions do not fit together: the pods crash at once",
                    NOTHING_WRITTEN,
                    f"take {product.values_root}.image.tag out of the values, or set it to {target.app_version}",
                )
