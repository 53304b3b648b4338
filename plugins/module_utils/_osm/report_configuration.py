# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the MeshConfig and the CustomResourceDefinitions of a mesh, and a summary of both. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import conversion_webhook_crds, crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import missing_keys
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import MESH_CONFIGS, preset_part
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import is_one_of, read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import desired_init_image, desired_sidecar_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import default_sidecar_images
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_leftovers import is_conversion_of, mesh_crds_left_behind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import VITAL_KEYS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def mesh_config_summary(mesh: Mesh) -> dict[str, Any] | None:
    """Return what people ask about a MeshConfig first; None when there is none."""
    if mesh.mesh_config is None:
        return None
    spec, environment = mesh.mesh_config_spec, mesh.injector_environment
    traffic, sidecar, observability = (spec.get(part) or {} for part in ("traffic", "sidecar", "observability"))
    return {
        "name": mesh.product.mesh_config_name,
        "sidecar_class": sidecar.get("sidecarClass", ""),
        "sidecar_image": desired_sidecar_image(spec, environment, mesh.product) or "",
        "init_image": desired_init_image(spec, environment, mesh.product) or "",
        "sidecar_log_level": sidecar.get("logLevel", ""),
        "interception_mode": traffic.get("interceptionMode", ""),
        "permissive_mode": bool(traffic.get("enablePermissiveTrafficPolicyMode")),
        "egress": bool(traffic.get("enableEgress")),
        "log_level": observability.get("osmLogLevel", ""),
        "preset_known": mesh.preset_spec is not None,
        "gaps": missing_keys(mesh),
    }


def crd_rows(mesh: Mesh, observed: Observed) -> list[dict[str, Any]]:
    """Return the CRDs that the mesh's version installs, and those that carry its product's label."""
    known = {crd.name for crd in crds_of(mesh.product, mesh.bootstrap_version) or ()}
    crds = observed.crds or {}
    names = sorted(name for name, crd in crds.items() if name in known or _is_labelled(crd, mesh))
    return [
        {
            "name": name,
            "versions": [*crds[name].versions],
            "storage": crds[name].storage,
            "conversion": crds[name].conversion,
        }
        for name in names
    ]


def _is_labelled(crd: CustomResource, mesh: Mesh) -> bool:
    return crd.labels.get("app.kubernetes.io/name") == mesh.product.app_name


def configuration_findings(mesh: Mesh, observed: Observed) -> list[Finding]:
    """Judge the MeshConfig and the CRDs."""
    return [*_mesh_config(mesh, observed), *_crds(mesh, observed)]


def _mesh_config(mesh: Mesh, observed: Observed) -> Iterator[Finding]:
    ref = mesh.mesh_config_ref
    if mesh.mesh_config is None:
        if mesh.deployments and MESH_CONFIGS not in observed.unknown:
            yield Finding(
                "error",
                "mesh-config-missing",
                ref,
                "there is no MeshConfig",
                "the control plane has no configuration; new pods get a sidecar from built-in defaults, or none",
                f"look at {mesh.product.bootstrap}, which makes it from the preset when it starts",
            )
        return
    if mesh.preset_spec is None and preset_part(mesh.namespace) not in observed.unknown:
        yield Finding(
            "warning",
            "preset-missing",
            ObjectRef("ConfigMap", mesh.product.preset_config_map, mesh.namespace),
            "the preset MeshConfig of the installed version is missing or not readable",
            "keys that the live MeshConfig lacks cannot be told",
            "run helm upgrade with the chart of the release: the preset belongs to it",
        )
    absent = missing_keys(mesh)
    vital = [path for path in absent if path in VITAL_KEYS]
    for path in vital:
        code, why = VITAL_KEYS[path]
        yield Finding(
            "error",
            code,
            ref,
            f"{path} is missing",
            why,
            "complete the MeshConfig by running the upgrade to the same version again, or mesh_config",
        )
    others = [path for path in absent if path not in vital]
    if others:
        yield Finding(
            "warning",
            "mesh-config-incomplete",
            ref,
            f"missing keys of the version's own preset: {', '.join(others)}",
            "a newer control plane fills an existing MeshConfig with nothing: the features behind these keys are off",
            "complete the MeshConfig by running the upgrade to the same version again, or mesh_config",
        )
    yield from _sidecar_image(mesh)


def _sidecar_image(mesh: Mesh) -> Iterator[Finding]:
    pinned = desired_sidecar_image(mesh.mesh_config_spec, {}, mesh.product)
    if pinned and is_one_of(read_image(pinned), default_sidecar_images(mesh.product, before=mesh.bootstrap_version)):
        yield Finding(
            "warning",
            "sidecar-image-stale",
            mesh.mesh_config_ref,
            f"new pods get {pinned}, the default of an earlier release than {mesh.bootstrap_version}",
            "the image was written into the MeshConfig when the mesh was installed, and an upgrade with helm does not move it",
            "run the upgrade to the same version again, or set the image with mesh_config",
        )


def _crds(mesh: Mesh, observed: Observed) -> Iterator[Finding]:
    if observed.crds is None:
        return
    expected = crds_of(mesh.product, mesh.bootstrap_version)
    crds = observed.crds
    if expected is not None and mesh.deployments:
        yield from _against_version(mesh, observed, {crd.name: crd.served for crd in expected}, crds)
    may_convert = conversion_webhook_crds(mesh.product, mesh.bootstrap_version)
    for crd in crds.values():
        if is_conversion_of(crd, mesh):
            yield _conversion(mesh, crd, crd.name in may_convert)


def _against_version(
    mesh: Mesh, observed: Observed, expected: dict[str, tuple[str, ...]], crds: Mapping[str, CustomResource]
) -> Iterator[Finding]:
    remedy = f"restart {mesh.product.bootstrap}, which installs them when it starts"
    missing = [name for name in expected if name not in crds]
    if missing:
        yield Finding(
            "error",
            "crd-missing",
            mesh.ref,
            f"version {mesh.bootstrap_version} needs {', '.join(missing)}",
            "the controller and the injector wait for every one of them, or fail",
            remedy,
        )
    old = [name for name, served in expected.items() if name in crds and not {*served} <= {*crds[name].versions}]
    if old:
        yield Finding(
            "error",
            "crd-outdated",
            ObjectRef("CustomResourceDefinition", old[0]),
            f"{', '.join(old)} do not serve the versions that {mesh.bootstrap_version} uses",
            "the control plane cannot read its policies",
            remedy,
        )
    bare = [name for name in expected if name in crds and not crds[name].labels]
    if bare:
        yield Finding(
            "error",
            "crd-without-labels",
            ObjectRef("CustomResourceDefinition", bare[0]),
            f"{', '.join(bare)} have no labels at all",
            f"{mesh.product.bootstrap} writes into the labels of an existing CRD and crashes when there are none (a nil map)",
            f"kubectl label crd {' '.join(bare)} app.kubernetes.io/name={mesh.product.app_name}",
        )
    extra = mesh_crds_left_behind(mesh, observed)
    if extra:
        yield Finding(
            "info",
            "crd-left-behind",
            ObjectRef("CustomResourceDefinition", extra[0]),
            f"version {mesh.bootstrap_version} does not know {', '.join(extra)}",
            "an earlier version installed them, and an upgrade does not remove them",
            "nothing; deleting a CRD deletes all its objects",
        )


def _conversion(mesh: Mesh, crd: CustomResource, expected: bool) -> Finding:
    namespace, name = crd.conversion_service
    alive = mesh.endpoints is None or mesh.endpoints.get(name, 0) > 0
    severity: Severity = "error" if not alive else "info" if expected else "warning"
    state = "" if alive else " which has no ready endpoint"
    return Finding(
        severity,
        "crd-conversion-webhook",
        ObjectRef("CustomResourceDefinition", crd.name),
        f"its versions are converted by Service {namespace}/{name}{',' if state else ''}{state}",
        "when that service is gone its objects can be neither read nor deleted, and a namespace that holds one never ends",
        "nothing while the control plane runs; versions from 1.2 on take the webhook away"
        if expected and alive
        else f"""kubectl patch crd {crd.name} --type merge -p '{{"spec":{{"conversion":{{"strategy":"None","webhook":null}}}}}}'""",
    )
