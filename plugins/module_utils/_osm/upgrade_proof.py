# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true after an upgrade, read from a fresh observation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import gaps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import VITAL_KEYS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import (
    VERSION_LABEL,
    bootstrap_steps,
    control_plane_steps,
    finish_steps,
    mesh_config_steps,
    rendered_deployments,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status


def unproven(state: UpgradeState) -> list[Finding]:
    """Return everything that is not as it should be; each of severity ``error``."""
    return [*_steps_left(state), *_workloads(state), *_mesh_config(state), *_webhooks(state)]


def _steps_left(state: UpgradeState) -> Iterator[Finding]:
    for step in [*control_plane_steps(state), *bootstrap_steps(state), *mesh_config_steps(state), *finish_steps(state)]:
        yield Finding("error", "step-left", step.object, f"still to do: {step.action}", step.why, "run the same command again")


def _workloads(state: UpgradeState) -> Iterator[Finding]:
    for name, manifest in rendered_deployments(state):
        live = state.mesh.deployment(name)
        if live is None:
            continue  # told by _steps_left: Helm has to bring it back
        ref = ObjectRef("Deployment", name, state.mesh.namespace)
        status = rollout_status(live)
        if not status.done:
            yield Finding(
                "error",
                "not-rolled-out",
                ref,
                f"the rollout is not complete: {status.message}",
                "the control plane is not wholly on the new version",
                f"look at its pods (kubectl describe pod -n {ref.namespace} -l app={name}), then run the same command again",
            )
        yield from _images(ref, live, manifest)
        wanted, found = _version_label(manifest), _version_label(live)
        if wanted and wanted != found:
            yield Finding(
                "error",
                "wrong-version",
                ref,
                f"its version label is {found or 'missing'}, the chart says {wanted}",
                "Helm did not update it, or somebody wrote it back",
                "run the same command again; if it stays, look for who else writes this object",
            )


def _images(ref: ObjectRef, live: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Name and tag must be the chart's; the registry may be another one, because admission policies put a mirror in front."""
    found = {item["name"]: str(item.get("image", "")) for item in _containers(live)}
    for container in _containers(manifest):
        name, wanted = container["name"], str(container.get("image", ""))
        if name in found and _name_and_tag(found[name]) != _name_and_tag(wanted):
            yield Finding(
                "error",
                "wrong-image",
                ref,
                f"container {name} runs {found[name]}, the chart says {wanted}",
                "somebody changed it after Helm, by hand or from a repository that is synchronised to the cluster",
                f"put it back (kubectl set image deployment/{ref.name} {name}={wanted} -n {ref.namespace}) or name the image in values",
            )


def _containers(workload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pod_spec = workload["spec"]["template"]["spec"]
    return [*(pod_spec.get("initContainers") or ()), *pod_spec["containers"]]


def _name_and_tag(image: str) -> str:
    """Return the image without registry, path and digest."""
    return image.rpartition("/")[2].partition("@")[0]


def _version_label(workload: Mapping[str, Any]) -> str:
    return str(((workload.get("metadata") or {}).get("labels") or {}).get(VERSION_LABEL) or "")


def _mesh_config(state: UpgradeState) -> Iterator[Finding]:
    mesh = state.mesh
    if mesh.mesh_config is None:
        yield Finding(
            "error",
            "no-mesh-config",
            mesh.mesh_config_ref,
            "there is no MeshConfig",
            "the injector and the controller cannot work without it",
            f"look at {mesh.product.bootstrap}, which creates it from {mesh.product.preset_config_map}",
        )
        return
    missing = gaps(mesh.mesh_config_spec, state.target.preset_spec)
    for path, (code, effect) in VITAL_KEYS.items():
        if path in missing:
            yield Finding(
                "error",
                code,
                mesh.mesh_config_ref,
                f"{path} is missing",
                f"{effect}; the definition in the cluster drops it when an older {mesh.product.bootstrap} has put its own there, "
                "which that of another mesh does whenever it starts",
                f"upgrade the other meshes of the cluster, then bring the newer definition back (kubectl rollout restart "
                f"deployment/{mesh.product.bootstrap} -n {mesh.namespace}) and run the same command again",
            )


def _webhooks(state: UpgradeState) -> Iterator[Finding]:
    mesh = state.mesh
    for webhook in mesh.webhooks:
        if webhook.endpoints is not None and webhook.endpoints <= 0:
            yield Finding(
                "error",
                "webhook-dead",
                webhook.ref,
                "the service it calls has no ready endpoint" if webhook.endpoints == 0 else "the service it calls does not exist",
                "with failurePolicy Fail no pod can be created in the namespaces of the mesh",
                f"look at the pods behind it (kubectl get pods -n {mesh.namespace}), then run the same command again",
            )
    if not any(webhook.ref.kind == "MutatingWebhookConfiguration" for webhook in mesh.webhooks):
        yield Finding(
            "error",
            "no-webhook",
            ObjectRef("MutatingWebhookConfiguration", mesh.product.mutating_webhook(mesh.name)),
            "there is no injection webhook",
            "new pods get no sidecar",
            f"look at {mesh.product.injector}, which creates it",
        )
