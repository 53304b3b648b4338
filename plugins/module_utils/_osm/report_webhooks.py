# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the webhooks of a mesh. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import WEBHOOKS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import INSTANCE_LABEL, VERSION_LABEL
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def webhook_findings(mesh: Mesh, observed: Observed, enrolled: int) -> list[Finding]:
    """Judge the webhooks; ``enrolled`` is the number of namespaces whose pods they catch."""
    return [*_webhooks(mesh, observed, enrolled)]


def _webhooks(mesh: Mesh, observed: Observed, enrolled: int) -> Iterator[Finding]:
    for hook in mesh.webhooks:
        yield from _webhook(mesh, hook, enrolled)
    unread = any(part.startswith(WEBHOOKS) for part in observed.unknown)
    if mesh.deployment(mesh.product.injector) is not None and not unread and not any(_is_injector(hook) for hook in mesh.webhooks):
        yield Finding(
            "error",
            "webhook-missing",
            ObjectRef("MutatingWebhookConfiguration", mesh.product.mutating_webhook(mesh.name)),
            "there is no MutatingWebhookConfiguration for this mesh",
            f"new pods of {enrolled} enrolled namespaces get no sidecar",
            f"look at the injector, which makes it when it starts: kubectl logs -n {mesh.namespace} deployment/{mesh.product.injector}",
        )


def _is_injector(hook: Webhook) -> bool:
    return hook.ref.kind == "MutatingWebhookConfiguration"


def _webhook(mesh: Mesh, hook: Webhook, enrolled: int) -> Iterator[Finding]:
    if hook.endpoints is not None and hook.endpoints < 1:
        names = ", ".join(f"{namespace}/{name}" for namespace, name, dummy in hook.services)
        what = "does not exist" if hook.endpoints < 0 else "has no ready endpoint"
        blocked = (
            f"no pod can be created in {enrolled} enrolled namespaces"
            if _is_injector(hook)
            else "policy objects can be neither created nor changed"
        )
        yield Finding(
            "error",
            "webhook-dangling",
            hook.ref,
            f"its Service {names} {what}",
            f"{blocked} (failurePolicy Fail)" if hook.fails_closed else "new pods get no sidecar (failurePolicy Ignore)",
            f"bring {mesh.product.injector if _is_injector(hook) else mesh.product.controller} back"
            f"; if the mesh is gone for good: kubectl delete {hook.ref.kind.lower()} {hook.ref.name}",
        )
    if not hook.has_ca_bundle:
        yield Finding(
            "error",
            "webhook-without-ca",
            hook.ref,
            "its caBundle is empty",
            "the API server cannot verify the webhook's certificate, so every call fails",
            "restart the component behind it, which writes the bundle when it starts",
        )
    if hook.mesh_name and hook.mesh_name != mesh.name:
        yield Finding(
            "warning",
            "webhook-of-another-mesh",
            hook.ref,
            f"it is labelled for mesh {hook.mesh_name}, but this control plane serves mesh {mesh.name}",
            "a mesh that was renamed by an upgrade without osm.meshName leaves its old webhooks behind, and they still catch pods",
            f"label the namespaces for {mesh.name}, then delete this configuration",
        )
    wanted = _installed_version(mesh)
    if hook.labels.get("app.kubernetes.io/managed-by") == "Helm":
        return  # FSM's chart has webhooks of its own, which Helm keeps up to date and removes
    if not (hook.mesh_name and hook.app and hook.version):
        absent = [key for key, value in ((INSTANCE_LABEL, hook.mesh_name), ("app", hook.app), (VERSION_LABEL, hook.version)) if not value]
        yield Finding(
            "warning",
            "webhook-without-labels",
            hook.ref,
            f"it lacks the labels {', '.join(absent)}",
            "uninstalling the release selects webhooks by these labels and would leave this one behind, blocking pods",
            f"kubectl label {hook.ref.kind.lower()} {hook.ref.name} app.kubernetes.io/name={mesh.product.app_name}"
            f" {INSTANCE_LABEL}={mesh.name} {VERSION_LABEL}={wanted or mesh.version}"
            f" app={mesh.product.injector if _is_injector(hook) else mesh.product.controller}",
        )
    if wanted and hook.version and hook.version != wanted:
        yield Finding(
            "warning",
            "webhook-version-label",
            hook.ref,
            f"its label {VERSION_LABEL} is {hook.version}, the chart's is {wanted}",
            "uninstalling the release selects webhooks by the chart's version and would leave this one behind, blocking pods",
            f"kubectl label {hook.ref.kind.lower()} {hook.ref.name} --overwrite {VERSION_LABEL}={wanted}; mesh_upgrade does it too",
        )


def _installed_version(mesh: Mesh) -> str:
    """Version that the cleanup hook of the release selects by: its chart's ``appVersion`` (charts/osm/templates/cleanup-hook.yaml)."""
    if mesh.release is not None:
        return mesh.release.app_version
    labels = (mesh.deployment(mesh.product.injector) or {}).get("metadata", {}).get("labels") or {}
    return str(labels.get(VERSION_LABEL, ""))
