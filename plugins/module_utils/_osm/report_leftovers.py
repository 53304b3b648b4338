# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about what earlier versions, uninstallations and hooks left behind. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crd_users import is_used
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import HookObject, Leftovers
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource, Mesh, Observed, Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_data_plane import names
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# Deployments of osm-edge 1.1 that later charts do not have: jaeger became osm-jaeger, the gateway went.
_LAST_IN_1_1 = ("jaeger", "osm-multicluster-gateway")


def leftovers_summary(leftovers: Leftovers | None) -> dict[str, Any]:
    """Return the public form: counts, and the names of what hooks left."""
    found = leftovers or Leftovers()
    orphaned = found.orphaned_secrets
    return {
        "bootstrap_secrets": found.secrets,
        "orphaned_bootstrap_secrets": None if orphaned is None else sum(orphaned.values()),
        "hooks": [{"kind": item.kind, "name": item.name, "namespace": item.namespace, "state": item.state} for item in found.hooks],
    }


def mesh_leftovers(mesh: Mesh) -> list[Finding]:
    """Judge what earlier versions of a mesh that is there left beside it."""
    return [*_old_deployments(mesh), *_old_revisions(mesh)]


def cluster_leftovers(observed: Observed) -> list[Finding]:
    """Judge what belongs to no mesh any more."""
    findings = [*_stray_webhooks(observed), *_conversions(observed), *_unused_crds(observed)]
    if observed.leftovers is not None:
        findings += [*_hooks(observed, observed.leftovers), *_secrets(observed.leftovers)]
    return findings


def _old_deployments(mesh: Mesh) -> Iterator[Finding]:
    version = parse(mesh.bootstrap_version)
    newer = mesh.product is OSM_EDGE and version is not None and (version.major, version.minor) >= (1, 2)
    for name in _LAST_IN_1_1:
        twice = name == "jaeger" and mesh.deployment(f"{mesh.product.name_prefix}-jaeger") is not None
        if mesh.deployment(name) is not None and (newer or twice):
            beside = f", beside {mesh.product.name_prefix}-jaeger" if twice else ""
            yield Finding(
                "warning",
                "deployment-left-behind",
                ObjectRef("Deployment", name, mesh.namespace),
                f"the chart of {mesh.version or 'this version'} has no such Deployment{beside}",
                "version 1.1 had it, and an upgrade that did not end, or was not done by Helm, left it; nobody updates it any more",
                f"when nothing uses it: kubectl delete deployment -n {mesh.namespace} {name}",
            )


def _old_revisions(mesh: Mesh) -> Iterator[Finding]:
    """Revisions that never ended, below one that did: Helm looks at the newest only."""
    stuck = [info for info in mesh.release_history[:-1] if info.status in PENDING or info.status == "failed"]
    if stuck:
        described = ", ".join(f"{info.revision} ({info.status})" for info in stuck)
        yield Finding(
            "info",
            "release-revisions-left",
            ObjectRef("HelmRelease", stuck[0].name, stuck[0].namespace),
            f"earlier revisions did not end well: {described}",
            "they do no harm: Helm goes on from the newest one, and keeps ten by default",
            f"nothing; helm history {stuck[0].name} -n {stuck[0].namespace} has their descriptions",
        )


def _stray_webhooks(observed: Observed) -> Iterator[Finding]:
    services = observed.leftovers.services if observed.leftovers is not None else {}
    for hook in observed.stray_webhooks:
        if not hook.services and not hook.fails_closed:
            continue  # FSM's chart has configurations that are empty until its controller fills them
        known = [services[place, name] for place, name, dummy in hook.services if (place, name) in services]
        if known and min(known) > 0:
            continue  # somebody serves it
        yield _stray(hook, min(known) if known else None)


def _stray(hook: Webhook, endpoints: int | None) -> Finding:
    where = ", ".join(f"{place}/{name}" for place, name, dummy in hook.services) or "a URL"
    state = {None: "which is of no mesh", -1: "which does not exist"}.get(endpoints, "which has no ready endpoint")
    whose = f" of mesh {hook.mesh_name}" if hook.mesh_name else ""
    return Finding(
        "error" if hook.fails_closed and endpoints is not None else "warning",
        "webhook-of-absent-mesh",
        hook.ref,
        f"it was made by a control plane{whose} and leads to {where}, {state}",
        "what it catches cannot be created or changed (failurePolicy Fail)" if hook.fails_closed else "it does nothing any more",
        f"kubectl delete {hook.ref.kind.lower()} {hook.ref.name}",
    )


def is_conversion_of(crd: CustomResource, mesh: Mesh) -> bool:
    """Whether a definition's conversion webhook leads to that mesh's control plane."""
    namespace, name = crd.conversion_service
    return crd.conversion == "Webhook" and namespace == mesh.namespace and name in mesh.product.services


def _conversions(observed: Observed) -> Iterator[Finding]:
    """Conversion webhooks of the family's definitions that lead to no mesh."""
    services = observed.leftovers.services if observed.leftovers is not None else {}
    for crd in (observed.crds or {}).values():
        if crd.conversion != "Webhook" or any(is_conversion_of(crd, mesh) for mesh in observed.meshes):
            continue
        namespace, name = crd.conversion_service
        endpoints = services.get(crd.conversion_service)
        if endpoints is not None and endpoints > 0:
            continue
        state = {None: "which is of no mesh", -1: "which does not exist"}.get(endpoints, "which has no ready endpoint")
        yield Finding(
            "warning" if endpoints is None else "error",
            "crd-conversion-webhook",
            ObjectRef("CustomResourceDefinition", crd.name),
            f"its versions are converted by Service {namespace}/{name}, {state}",
            "its objects can be neither read in another version nor deleted, and a namespace that holds one never ends",
            f"""kubectl patch crd {crd.name} --type merge -p '{{"spec":{{"conversion":{{"strategy":"None","webhook":null}}}}}}'""",
        )


def _unused_crds(observed: Observed) -> Iterator[Finding]:
    """Definitions of a product that has no mesh here; those of a mesh's own earlier versions are told with the mesh."""
    crds = observed.crds or {}
    own = {mesh.product.app_name for mesh in observed.meshes}
    unused = sorted(
        name
        for name, crd in crds.items()
        if crd.labels.get("app.kubernetes.io/name") not in own and not any(is_used(crd, mesh) for mesh in observed.meshes)
    )
    if unused:
        yield Finding(
            "info",
            "crd-of-absent-mesh",
            ObjectRef("CustomResourceDefinition", unused[0]),
            f"{len(unused)} definitions of the family that no mesh of this cluster uses: {names(unused)}",
            "an uninstallation leaves them on purpose: deleting one deletes all its objects",
            "nothing; delete them only when none has objects any more and no mesh will come back",
        )


def _hooks(observed: Observed, leftovers: Leftovers) -> Iterator[Finding]:
    by_name: dict[str, list[HookObject]] = {}
    for item in leftovers.hooks:
        by_name.setdefault(item.name, []).append(item)
    status = {mesh.release_history[-1].name: mesh.release_history[-1].status for mesh in observed.meshes if mesh.release_history}
    for name, found in by_name.items():
        job = next((item for item in found if item.kind == "Job"), None)
        ref = next((ObjectRef(item.kind, item.name, item.namespace) for item in ([job] if job else found)), ObjectRef("Job", name))
        kinds = ", ".join(item.kind for item in found)
        if status.get(found[0].release) in ("uninstalling", "pending-install") and (job is None or job.state == "running"):
            yield Finding(
                "info",
                "hook-running",
                ref,
                f"Helm waits for the hook {name} ({kinds})",
                "helm uninstall waits for its cleanup hook without limit, helm install for its preinstall hook as long as its timeout says",
                f"when it does not end, look at its pod: kubectl describe pod -n {ref.namespace} -l job-name={name}",
            )
        else:
            yield _hook_left(ref, name, found, job)


def _hook_left(ref: ObjectRef, name: str, found: list[HookObject], job: HookObject | None) -> Finding:
    cleanup = name.endswith("-cleanup")
    ended = f", its Job {'failed' if job.state == 'failed' else 'is ' + job.state}" if job is not None else ""
    local = [item for item in found if item.namespace]
    wide = [item for item in found if not item.namespace]
    commands = [f"kubectl delete {','.join(item.kind.lower() for item in local)} -n {local[0].namespace} {name}"] if local else []
    commands += [f"kubectl delete {','.join(item.kind.lower() for item in wide)} {name}"] if wide else []
    return Finding(
        "warning",
        "hook-left-behind",
        ref,
        f"{', '.join(item.kind for item in found)} of the hook {name}{ended}",
        "the clean-up of an uninstallation did not end: MeshConfig, CA Secret and webhooks may be left, and Helm has no release any more"
        if cleanup
        else "an installation was refused or broken off: another mesh that must be the only one, or an image that cannot be pulled",
        "; ".join(commands),
    )


def _secrets(leftovers: Leftovers) -> Iterator[Finding]:
    orphaned = leftovers.orphaned_secrets
    if orphaned:
        places = sorted(orphaned, key=lambda place: (-orphaned[place], place))
        described = names([f"{place} ({orphaned[place]})" for place in places])
        yield Finding(
            "info",
            "bootstrap-secrets-orphaned",
            ObjectRef("Namespace", places[0]),
            f"{sum(orphaned.values())} bootstrap Secrets that no pod mounts and no pod owns: {described}",
            "the injector makes one per pod, and the controller has the pod own it: those of pods that were refused, or made while the"
            " controller was away, are never removed",
            f"delete those that no pod mounts: kubectl get secret -n {places[0]} -l app.kubernetes.io/name shows them",
        )


def mesh_crds_left_behind(mesh: Mesh, observed: Observed) -> list[str]:
    """Return the definitions with this product's label that neither this mesh's version nor another mesh knows."""
    expected = crds_of(mesh.product, mesh.bootstrap_version)
    if expected is None:
        return []
    own = {crd.name for crd in expected}
    return sorted(
        name
        for name, crd in (observed.crds or {}).items()
        if name not in own
        and crd.labels.get("app.kubernetes.io/name") == mesh.product.app_name
        and not any(is_used(crd, other) for other in observed.meshes if other is not mesh)
    )
