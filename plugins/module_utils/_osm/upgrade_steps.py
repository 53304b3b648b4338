# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of an upgrade, phase by phase: pure functions from what was read to what is to be done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import LiveObject, UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step

VERSION_LABEL = "app.kubernetes.io/version"


def control_plane_steps(state: UpgradeState) -> list[Step]:
    """Free the release when it is stuck, orphan what Helm cannot patch, then upgrade through Helm."""
    if state.helm is None or not helm_upgrade_needed(state):
        return []
    before = [*_unstick_release(state), *_orphan_deployments(state)]
    return [*before, _helm_upgrade(state, tuple(step.id for step in before))]


def helm_upgrade_needed(state: UpgradeState) -> bool:
    """Whether the release differs from what is wanted, or objects that its chart brings are missing."""
    helm, target = state.helm, state.target
    if helm is None:
        return False
    live = {workload.ref.name for workload in state.workloads}
    rendered = {name for name, _manifest in rendered_deployments(state)}
    return (
        helm.status != "deployed"
        or (helm.chart_name, helm.chart_version, helm.templates_digest) != (target.name, target.version, target.templates_digest)
        or helm.values != target.values
        or not rendered <= live
    )


def rendered_deployments(state: UpgradeState) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, manifest) of each Deployment of the target chart that lives in the mesh's namespace."""
    for manifest in state.target.manifests:
        metadata = manifest.get("metadata") or {}
        if manifest.get("kind") == "Deployment" and metadata.get("namespace", state.namespace) == state.namespace:
            yield str(metadata["name"]), manifest


def selector_changes(state: UpgradeState) -> list[tuple[LiveObject, Mapping[str, Any], Mapping[str, Any]]]:
    """Return (live Deployment, live selector, rendered selector) where they differ: apps/v1 selectors are immutable.

    osm-edge 1.3 adds ``codebase: ""`` to the selector of osm-controller (osm-edge commit 1022c1e5).
    """
    live = {workload.ref.name: workload for workload in state.workloads}
    changes = []
    for name, manifest in rendered_deployments(state):
        if name in live:
            old, new = live[name].fields["spec"]["selector"], manifest["spec"]["selector"]
            if old != new:
                changes.append((live[name], old, new))
    return changes


def _unstick_release(state: UpgradeState) -> Iterator[Step]:
    helm = state.helm
    if helm is None or helm.pending_since is None:
        return
    yield Step(
        "mark_failed",
        ObjectRef("Secret", f"sh.helm.release.v1.{helm.name}.v{helm.revision}", helm.namespace),
        why=f"Helm refuses to work on a release that is {helm.status}; the process that began this revision is gone",
        desired={"status": "failed"},
        simulated="the record is Helm's own and only rewritten when it is applied",
        permissions=(Permission("get", "", "secrets", helm.namespace), Permission("patch", "", "secrets", helm.namespace)),
    )


def _orphan_deployments(state: UpgradeState) -> Iterator[Step]:
    for live, old, new in selector_changes(state):
        yield Step(
            "orphan",
            live.ref,
            why=f"its selector changes from {_labels(old)} to {_labels(new)}, which the API server refuses; the pods stay and serve",
            risk="disruptive",
            desired={"selector": new},
            uid=live.uid,
            resource_version=live.resource_version,
            permissions=(Permission("delete", "apps", "deployments", live.ref.namespace, live.ref.name),),
        )


def _helm_upgrade(state: UpgradeState, needs: tuple[str, ...]) -> Step:
    helm, target = state.helm, state.target
    if helm is None:
        raise ValueError("a mesh without a release is refused before it is planned")
    return Step(
        "helm_upgrade",
        ObjectRef("Release", helm.name, helm.namespace),
        why=_why_helm(state),
        risk="disruptive",
        desired={
            "chart": target.name,
            "version": target.version,
            "templates": target.templates_digest,
            "values": hashlib.sha256(json.dumps(target.values, sort_keys=True).encode()).hexdigest(),
        },
        before={"chart": f"{helm.chart_name}-{helm.chart_version}", "status": helm.status, "values": helm.values},
        after={"chart": f"{target.name}-{target.version}", "status": "deployed", "values": target.values},
        needs=needs,
        simulated="Helm renders and validates the chart on the controller; its writes are not sent to the server in check mode",
        permissions=target.permissions,
    )


def _why_helm(state: UpgradeState) -> str:
    helm, target = state.helm, state.target
    if helm is None or helm.chart_version != target.version:
        return f"{target.name} {helm.chart_version if helm else 'none'} → {target.version}"
    if helm.status != "deployed":
        return f"revision {helm.revision} is {helm.status}"
    if helm.values != target.values:
        return "values differ from the release's"
    if helm.templates_digest != target.templates_digest:
        return "same version, other templates"
    return "objects of the chart are missing"


def mesh_config_steps(state: UpgradeState) -> list[Step]:
    """Complete the MeshConfig with one patch."""
    live, merge = state.mesh_config, state.merge
    if live is None or merge is None or not merge.changes:
        return []
    spec = live.fields["spec"]
    return [
        Step(
            "patch",
            live.ref,
            why="; ".join(f"{change.path}: {change.why}" for change in merge.changes),
            desired={"spec": merge_patch(spec, merge.spec)},
            before={"spec": spec},
            after={"spec": merge.spec},
            uid=live.uid,
            resource_version=live.resource_version,
            simulated="" if not control_plane_steps(state) else "the CRD of the new version, which knows the new fields, comes with it",
            permissions=(Permission("patch", state.product.mesh_config_group, "meshconfigs", live.ref.namespace, live.ref.name),),
        )
    ]


def finish_steps(state: UpgradeState) -> list[Step]:
    """Remove the orphaned ReplicaSets and let the webhooks say which version made them."""
    return [*_remove_orphans(state), *_label_webhooks(state)]


def _remove_orphans(state: UpgradeState) -> Iterator[Step]:
    for orphan in state.orphans:
        yield Step(
            "delete",
            orphan.ref,
            why="left by the orphaned Deployment; its pods are replaced by the new Deployment's",
            risk="disruptive",
            reversible=False,
            desired={"absent": True},
            uid=orphan.uid,
            simulated="" if orphan.fields.get("orphaned") else "it still belongs to its Deployment",
            permissions=(Permission("delete", "apps", "replicasets", orphan.ref.namespace),),
        )


def _label_webhooks(state: UpgradeState) -> Iterator[Step]:
    version = state.target.app_version
    for webhook in state.webhooks:
        labels = webhook.fields["labels"]
        if labels.get(VERSION_LABEL) != version:
            resource = "mutatingwebhookconfigurations" if webhook.ref.kind.startswith("Mutating") else "validatingwebhookconfigurations"
            yield Step(
                "label",
                webhook.ref,
                why="the pods never update it, and the chart's cleanup hook selects by it: a later uninstall would leave the webhook behind",
                desired={"labels": {VERSION_LABEL: version}},
                before={"labels": labels},
                after={"labels": {**labels, VERSION_LABEL: version}},
                uid=webhook.uid,
                resource_version=webhook.resource_version,
                permissions=(Permission("patch", "admissionregistration.k8s.io", resource, "", webhook.ref.name),),
            )


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that makes ``after`` of ``before``; lists are replaced whole."""
    patch: dict[str, Any] = {}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif isinstance(value, Mapping) and isinstance(before[key], Mapping):
            inner = merge_patch(before[key], value)
            if inner:
                patch[key] = inner
        elif value != before[key]:
            patch[key] = value
    patch.update({key: None for key in before if key not in after})
    return patch


def _labels(selector: Mapping[str, Any]) -> str:
    labels = selector.get("matchLabels") or {}
    return "{" + ", ".join(f"{key}={value or '(empty)'}" for key, value in sorted(labels.items())) + "}"
