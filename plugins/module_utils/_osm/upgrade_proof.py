# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true after an upgrade, read from a fresh observation."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_steps import (
    VERSION_LABEL,
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
    for step in [*control_plane_steps(state), *mesh_config_steps(state), *finish_steps(state)]:
        yield Finding("error", "step-left", step.object, f"still to do: {step.action}", step.why, "run the same command again")


def _workloads(state: UpgradeState) -> Iterator[Finding]:
    live = {workload.ref.name: workload for workload in state.workloads}
    for name, manifest in rendered_deployments(state):
        workload = live.get(name)
        if workload is None:
            continue  # told by _steps_left: Helm has to bring it back
        status = rollout_status(workload.fields)
        if not status.done:
            yield Finding(
                "error",
                "not-rolled-out",
                workload.ref,
                f"the rollout is not complete: {status.message}",
                "the control plane is not wholly on the new version",
                f"look at its pods (kubectl describe pod -n {state.namespace} -l app={name}), then run the same command again",
            )
        wanted = ((manifest.get("metadata") or {}).get("labels") or {}).get(VERSION_LABEL)
        found = ((workload.fields.get("metadata") or {}).get("labels") or {}).get(VERSION_LABEL)
        if wanted and wanted != found:
            yield Finding(
                "error",
                "wrong-version",
                workload.ref,
                f"its version label is {found}, the chart says {wanted}",
                "Helm did not update it",
                "run the same command again; if it stays, look for who else writes this object",
            )


def _mesh_config(state: UpgradeState) -> Iterator[Finding]:
    if state.mesh_config is None:
        yield Finding(
            "error",
            "no-mesh-config",
            ObjectRef("MeshConfig", state.product.mesh_config_name, state.namespace),
            "there is no MeshConfig",
            "the injector and the controller cannot work without it",
            f"look at {state.product.bootstrap}, which creates it from {state.product.preset_config_map}",
        )


def _webhooks(state: UpgradeState) -> Iterator[Finding]:
    for webhook in state.webhooks:
        for service in webhook.fields["services"]:
            if not state.endpoints.get(service):
                yield Finding(
                    "error",
                    "webhook-dead",
                    webhook.ref,
                    f"it calls service {service}, which has no ready endpoint",
                    "with failurePolicy Fail no pod can be created in the namespaces of the mesh",
                    f"look at the pods behind it (kubectl get pods -n {state.namespace}), then run the same command again",
                )
    if not any(webhook.ref.kind.startswith("Mutating") for webhook in state.webhooks):
        yield Finding(
            "error",
            "no-webhook",
            ObjectRef("MutatingWebhookConfiguration", state.product.mutating_webhook(state.mesh_name)),
            "there is no injection webhook",
            "new pods get no sidecar",
            f"look at {state.product.injector}, which creates it",
        )
