# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of an upgrade, phase by phase: pure functions from what was read to what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import secret_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.definitions import (
    definition_findings,
    definition_refusals,
    definition_steps,
    way_back_permissions,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import ACTION, ROLLBACK, helm_intent
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_object import merge_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_schema import validate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Change
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.shown_values import shown_values
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.unknown_fields import VITAL_KEYS, bootstrap_rolled_out, has_path, knows
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status

RESTART = "restart"
VERSION_LABEL = "app.kubernetes.io/version"


def definition_phase(state: UpgradeState) -> list[Step]:
    """Make the definitions acceptable to the bootstrap that is going to start, or that cannot because of them."""
    return definition_steps(state.mesh.product, state.target.app_version, state.definitions) if _bootstrap_starts(state) else []


def definition_problems(state: UpgradeState) -> list[Refusal]:
    """Return the definitions that keep the target's bootstrap from starting and that no step can change."""
    return definition_refusals(state.mesh.product, state.target.app_version, state.definitions)


def definition_remarks(state: UpgradeState) -> list[Finding]:
    """Return what there is to know about the definitions that the target's bootstrap overwrites or leaves alone."""
    if not _bootstrap_starts(state):
        return []
    return definition_findings(state.mesh.product, state.base_version, state.target.app_version, state.definitions)


def _bootstrap_starts(state: UpgradeState) -> bool:
    live = state.mesh.deployment(state.mesh.product.bootstrap)
    return helm_upgrade_needed(state) or live is None or not rollout_status(live).done


def control_plane_steps(state: UpgradeState) -> list[Step]:
    """Free the release when it is stuck, orphan what Helm cannot patch, then upgrade through Helm."""
    if not helm_upgrade_needed(state):
        return []
    before = [*_unstick_release(state), *_orphan_deployments(state)]
    return [*before, _helm_upgrade(state, tuple(step.id for step in before))]


def helm_upgrade_needed(state: UpgradeState) -> bool:
    """Whether the release differs from what is wanted, or Deployments that its chart brings are missing."""
    helm, target = state.helm, state.target
    return (
        helm.status != "deployed"
        or (helm.chart_name, helm.chart_version, helm.templates_digest) != (target.name, target.version, target.templates_digest)
        or helm.values != target.values
        or any(state.mesh.deployment(name) is None for name, _manifest in rendered_deployments(state))
    )


def rendered_deployments(state: UpgradeState) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, manifest) of each Deployment of the target chart that lives in the mesh's namespace."""
    for manifest in state.target.manifests:
        metadata = manifest.get("metadata") or {}
        if manifest.get("kind") == "Deployment" and metadata.get("namespace", state.mesh.namespace) == state.mesh.namespace:
            yield str(metadata["name"]), manifest


def selector_changes(state: UpgradeState) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return (live Deployment, rendered selector) where they differ: apps/v1 selectors are immutable.

    osm-edge 1.3 adds ``codebase: ""`` to the selector of osm-controller (osm-edge commit 1022c1e5).
    """
    changes = []
    for name, manifest in rendered_deployments(state):
        live, wanted = state.mesh.deployment(name), manifest["spec"]["selector"]
        if live is not None and live["spec"]["selector"] != wanted:
            changes.append((live, wanted))
    return changes


def _free_release(namespace: str) -> tuple[Permission, ...]:
    """What marking a pending revision as failed takes."""
    return tuple(Permission(verb, "", "secrets", namespace) for verb in ("get", "patch"))


def _unstick_release(state: UpgradeState) -> Iterator[Step]:
    helm = state.helm
    if helm.pending_since is None or helm.ours:
        return  # what a killed run of ours left is part of its own step, so that its approved plan is resumed
    yield Step(
        "mark_failed",
        ObjectRef("Secret", secret_name(helm.name, helm.revision), helm.namespace),
        why=f"Helm refuses to work on a release that is {helm.status}; the process that began this revision is gone",
        desired={"status": "failed"},
        simulated="the record is Helm's own and only rewritten when it is applied",
        permissions=_free_release(helm.namespace),
    )


def _orphan_deployments(state: UpgradeState) -> Iterator[Step]:
    for live, wanted in selector_changes(state):
        metadata = live["metadata"]
        ref = ObjectRef("Deployment", metadata["name"], metadata["namespace"])
        yield Step(
            "orphan",
            ref,
            why=f"its selector changes to {_labels(wanted)} and is immutable; its pods stay and serve",
            risk="disruptive",
            desired={"selector": wanted},
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            permissions=(Permission("delete", "apps", "deployments", ref.namespace, ref.name),),
        )


def _helm_upgrade(state: UpgradeState, needs: tuple[str, ...]) -> Step:
    helm, target = state.helm, state.target
    return Step(
        ROLLBACK if target.revision else ACTION,
        ObjectRef("Release", helm.name, helm.namespace),
        why=_why_helm(state),
        risk="disruptive",
        desired=helm_intent(target.name, target.version, target.templates_digest, target.values),
        before={
            "chart": f"{helm.chart_name}-{helm.chart_version}",
            "status": helm.status,
            "values": shown_values(helm.values, target.plain_values, "unchanged" if helm.values == target.values else "before"),
        },
        after={
            "chart": f"{target.name}-{target.version}",
            "status": "deployed",
            "values": shown_values(target.values, target.plain_values, "unchanged" if helm.values == target.values else "after"),
        },
        needs=needs,
        simulated="Helm renders and validates the chart on the controller; its writes are not sent to the server in check mode",
        permissions=(*target.permissions, *(_free_release(helm.namespace) if helm.ours else ()), *_way_back(state)),
    )


def _way_back(state: UpgradeState) -> tuple[Permission, ...]:
    if not state.comes_back:
        return ()
    return way_back_permissions(state.mesh.product, state.base_version, state.target.app_version)


def _why_helm(state: UpgradeState) -> str:
    helm, target = state.helm, state.target
    if target.revision:
        return f"back to revision {target.revision} ({target.name} {target.version})"
    if helm.chart_version != target.version:
        return f"{target.name} {helm.chart_version} → {target.version}"
    if helm.status != "deployed":
        return f"revision {helm.revision} is {helm.status}"
    if helm.values != target.values:
        return "the values differ from the release's"
    if helm.templates_digest != target.templates_digest:
        return "same version, other templates"
    return "Deployments of the chart are missing"


def bootstrap_steps(state: UpgradeState) -> list[Step]:
    """Start the bootstrap anew when an older one has put its definition over the newer: it writes its own only when it starts.

    Helm does not: after a downgrade that failed the pod of the newer version may never have been replaced.
    """
    mesh, schema = state.mesh, state.mesh_config_schema
    name = mesh.product.bootstrap
    live = mesh.deployment(name)
    if schema is None or live is None or not bootstrap_rolled_out(mesh, state.target.app_version):
        return []
    lost = [path for path in VITAL_KEYS if has_path(state.target.preset_spec, path) and not knows(schema, path)]
    if not lost:
        return []
    return [
        Step(
            RESTART,
            ObjectRef("Deployment", name, mesh.namespace),
            why=f"an older bootstrap has put its own MeshConfig definition there, which does not know {', '.join(lost)}",
            risk="none",
            desired={"restarted": True},
            uid=live["metadata"]["uid"],
            permissions=(Permission("patch", "apps", "deployments", mesh.namespace, name),),
        )
    ]


def mesh_config_steps(state: UpgradeState) -> list[Step]:
    """Complete the MeshConfig with one patch."""
    mesh, merge = state.mesh, state.merge
    if mesh.mesh_config is None:
        return [*_complete_new_mesh_config(state)]
    if merge is None or not merge.changes:
        return []
    metadata, ref = mesh.mesh_config["metadata"], mesh.mesh_config_ref
    return [
        Step(
            "patch",
            ref,
            why=_why_patch(merge.changes),
            desired={"spec": merge_patch(mesh.mesh_config_spec, merge.spec)},
            before={"spec": mesh.mesh_config_spec},
            after={"spec": merge.spec},
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            simulated=_not_judged(state, merge.spec),
            permissions=(Permission("patch", mesh.product.mesh_config_group, "meshconfigs", ref.namespace, ref.name),),
        )
    ]


def _not_judged(state: UpgradeState, spec: Mapping[str, Any]) -> str:
    """Return why the server cannot judge the MeshConfig yet; the definition may still be the old one when Helm is done already."""
    if control_plane_steps(state):
        return "the CRD of the new version, which knows the new fields, comes with it"
    problems = validate(spec, state.mesh_config_schema, partial=True) if state.mesh_config_schema is not None else []
    unknown = any(problem.what == "unknown field" for problem in problems)
    return f"{state.mesh.product.bootstrap} has not brought the CRD that knows the new fields yet" if unknown else ""


def _complete_new_mesh_config(state: UpgradeState) -> Iterator[Step]:
    """There is none: the new osm-bootstrap makes one of the preset, without the fields that Go's typed client drops."""
    if control_plane_steps(state):
        mesh, ref = state.mesh, state.mesh.mesh_config_ref
        yield Step(
            "patch",
            ref,
            why=f"there is none: {mesh.product.bootstrap} creates it from the chart's preset, and what that leaves out is added",
            desired={"spec": dict(state.target.preset_spec)},
            before={},
            after={"spec": dict(state.target.preset_spec)},
            simulated="it does not exist yet",
            permissions=(Permission("patch", mesh.product.mesh_config_group, "meshconfigs", ref.namespace, ref.name),),
        )


def _why_patch(changes: Sequence[Change]) -> str:
    """Return the changed paths by reason, the most frequent reason first."""
    by_reason: dict[str, list[str]] = {}
    for change in changes:
        by_reason.setdefault(change.why, []).append(change.path)
    reasons = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{reason}: {', '.join(paths)}" for reason, paths in reasons)


def finish_steps(state: UpgradeState) -> list[Step]:
    """Remove the orphaned ReplicaSets and let the webhooks say which version made them."""
    return [*_remove_orphans(state), *_label_webhooks(state)]


def _remove_orphans(state: UpgradeState) -> Iterator[Step]:
    """ReplicaSets of the controllers that no Deployment owns, or that none will own after the orphan step.

    A new Deployment adopts the ReplicaSets that its selector matches: that of 1.2 those of 1.3.
    """
    leaving = {live["metadata"]["uid"] for live, wanted in selector_changes(state) if not _adopts(wanted, live)}
    for found in sorted(state.mesh.replica_sets, key=lambda item: item.name):
        if not found.owner_uid or found.owner_uid in leaving:
            yield Step(
                "delete",
                ObjectRef("ReplicaSet", found.name, state.mesh.namespace),
                why="left by the orphaned Deployment; the new Deployment's pods have taken over",
                risk="disruptive",
                reversible=False,
                desired={"absent": True},
                uid=found.uid,
                simulated="it still belongs to its Deployment" if found.owner_uid else "",
                permissions=(Permission("delete", "apps", "replicasets", state.mesh.namespace),),
            )


def _adopts(selector: Mapping[str, Any], deployment: Mapping[str, Any]) -> bool:
    """Whether ``selector`` matches the pods that a Deployment has made."""
    labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


def _label_webhooks(state: UpgradeState) -> Iterator[Step]:
    version = state.target.app_version
    for webhook in sorted(state.mesh.webhooks, key=lambda item: item.ref):
        if webhook.labels.get(VERSION_LABEL) != version:
            resource = (
                "mutatingwebhookconfigurations" if webhook.ref.kind == "MutatingWebhookConfiguration" else "validatingwebhookconfigurations"
            )
            yield Step(
                "label",
                webhook.ref,
                why=f"{VERSION_LABEL} is stale ({webhook.labels.get(VERSION_LABEL, 'missing')}), and an uninstall selects by it",
                desired={"labels": {VERSION_LABEL: version}},
                before={"labels": webhook.labels},
                after={"labels": {**webhook.labels, VERSION_LABEL: version}},
                uid=webhook.uid,
                resource_version=webhook.resource_version,
                permissions=(Permission("patch", "admissionregistration.k8s.io", resource, "", webhook.ref.name),),
            )


def _labels(selector: Mapping[str, Any]) -> str:
    labels = selector.get("matchLabels") or {}
    return "{" + ", ".join(f"{key}={value or '(empty)'}" for key, value in sorted(labels.items())) + "}"
