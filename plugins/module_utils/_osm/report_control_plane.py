# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about what runs a mesh: its components and its Helm release. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import release_value
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.components import Component, components, missing_components
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import RELEASES
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import release_of_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_images import image_findings, is_mismatch
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# Helm's own default timeout: a younger pending release is most likely being worked on.
_PENDING_SECONDS = 300.0


def control_plane_findings(mesh: Mesh, observed: Observed, now: float) -> list[Finding]:
    """Judge components and release; ``now`` is in seconds since the epoch."""
    running = components(mesh)
    return [*_components(mesh, running), *image_findings(mesh, running), *_release(mesh, observed, now)]


def _components(mesh: Mesh, running: list[Component]) -> Iterator[Finding]:
    missing = missing_components(mesh)
    if len(missing) == len(mesh.product.deployments):
        yield Finding(
            "error",
            "control-plane-missing",
            mesh.ref,
            f"none of the Deployments {', '.join(missing)} exists",
            "only parts of the mesh are left: an interrupted installation or uninstallation, or Deployments deleted by hand",
            "install the mesh again with its chart, or remove what is left",
        )
    elif missing:
        yield Finding(
            "error",
            "component-missing",
            ObjectRef("Deployment", missing[0], mesh.namespace),
            f"missing: {', '.join(missing)}",
            "the control plane does not work without it; an upgrade that was interrupted leaves this behind",
            "run the upgrade again (it goes on from there), or run helm upgrade with the chart of the release",
        )
    yield from (_not_rolled_out(component) for component in running if not component.rollout.done)
    yield from _versions(mesh, running)
    if mesh.ca_secret is False and mesh.deployments and _keeps_own_ca(mesh):
        yield Finding(
            "error",
            "ca-secret-missing",
            ObjectRef("Secret", mesh.product.ca_secret, mesh.namespace),
            "the Secret with the mesh's root certificate does not exist",
            f"the next start of {mesh.product.controller} makes another, and sidecars with certificates of the two do not trust each other",
            "restore it from a backup, or restart the control plane and then all workloads of the mesh",
        )
    for item in mesh.replica_sets:
        if not item.owner_uid:
            yield Finding(
                "warning",
                "orphaned-replica-set",
                ObjectRef("ReplicaSet", item.name, mesh.namespace),
                f"no Deployment owns it, and it runs {item.replicas} pods",
                f"old pods of {item.app} go on serving beside the new ones: an upgrade that orphaned the Deployment was not finished",
                f"run the upgrade again, or: kubectl delete replicaset -n {mesh.namespace} {item.name}",
            )


def _keeps_own_ca(mesh: Mesh) -> bool:
    """Whether the CA lies in the Secret with the default name: Vault and cert-manager keep it elsewhere."""
    if mesh.release is None:
        return False
    provider = release_value(mesh.release, mesh.product, "certificateProvider") or {}
    secret = release_value(mesh.release, mesh.product, "caBundleSecretName") or mesh.product.ca_secret
    return provider.get("kind", "tresor") == "tresor" and secret == mesh.product.ca_secret


def _not_rolled_out(component: Component) -> Finding:
    serves = component.replicas.available > 0
    remedies = dict.fromkeys(trouble.remedy for trouble in component.troubles)
    return Finding(
        "warning" if serves else "error",
        "component-not-rolled-out",
        component.ref,
        component.message,
        "the newest version of it does not run completely" if serves else "no pod of it is available",
        "; ".join(remedies) or f"look at its pods: kubectl describe pod -n {component.ref.namespace} -l app={component.ref.name}",
    )


def _versions(mesh: Mesh, running: list[Component]) -> Iterator[Finding]:
    own = {
        component.ref.name: component.version
        for component in running
        if component.ref.name in mesh.product.deployments and component.version
    }
    if len(set(own.values())) > 1:
        yield Finding(
            "error",
            "component-versions-differ",
            mesh.ref,
            ", ".join(f"{name} is {version}" for name, version in own.items()),
            "a helm upgrade that fails half-way (immutable selector, quota) leaves the control plane in two versions",
            "run the upgrade again: it goes on from there",
        )
    release = mesh.release
    if release is None or not own:
        return
    known = release_of_chart(mesh.product, release.chart_version)
    expected = known.image_tag if known is not None else release.app_version.removeprefix("v")
    # A component whose image does not fit its own command line has a finding of its own.
    told = {name for name in own if is_mismatch(mesh, name)}
    others = {name: version for name, version in own.items() if expected and name not in told and _plain(version) != expected}
    if others:
        yield Finding(
            "warning",
            "release-version-mismatch",
            mesh.ref,
            f"chart {release.chart_name} {release.chart_version} brings images {expected}, but {_listed_versions(others)}",
            "a chart passes parameters that an image of another version may not know, which ends in a crash loop",
            "let the chart choose the image tag (values osm.image), or finish the upgrade",
        )


def _plain(version: str) -> str:
    return version.removeprefix("v")


def _listed_versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} runs {version}" for name, version in versions.items())


def _release(mesh: Mesh, observed: Observed, now: float) -> Iterator[Finding]:
    if mesh.release_history:
        yield from _release_status(mesh, mesh.release_history[-1], now)
        return
    if RELEASES in observed.unknown or not mesh.deployments:
        return
    named = mesh.release_ref
    name = named.name if named is not None else mesh.name
    yield Finding(
        "error",
        "release-missing",
        ObjectRef("HelmRelease", name, named.namespace if named is not None else mesh.namespace),
        "the Deployments exist, but Helm has no record of a release" + (" that they are annotated with" if named is not None else ""),
        "without its record the mesh can neither be upgraded nor uninstalled with Helm",
        "look for it (helm list --all --all-namespaces); restore the Secret sh.helm.release.v1.… from a backup, or adopt the objects",
    )


def _release_status(mesh: Mesh, newest: ReleaseInfo, now: float) -> Iterator[Finding]:
    ref = ObjectRef("HelmRelease", newest.name, newest.namespace)
    age = max(0.0, now - newest.modified) if newest.modified else None
    since = f" for {_duration(age)}" if age is not None else ""
    described = f": {mesh.release.description}" if mesh.release is not None and mesh.release.description else ""
    if newest.status == "failed":
        yield Finding(
            "error",
            "release-failed",
            ref,
            f"revision {newest.revision} has been failed{since}{described}",
            "objects may be of two versions, and Helm compares the next upgrade with this revision",
            "run the upgrade again; the reason of the failure is in the description",
        )
    elif newest.status in PENDING:
        young = age is not None and age < _PENDING_SECONDS
        yield Finding(
            "warning" if young else "error",
            "release-pending",
            ref,
            f"revision {newest.revision} has been {newest.status}{since}",
            "Helm refuses every other operation meanwhile (another operation is in progress)",
            "wait for it to end" if young else "its process is most likely gone: run the upgrade again, which recovers the release",
        )
    elif newest.status != "deployed":
        yield Finding(
            "warning",
            "release-not-deployed",
            ref,
            f"revision {newest.revision} is {newest.status}{since}",
            "the release is being removed, or Helm was interrupted",
            f"look at it: helm history {newest.name} -n {newest.namespace}",
        )


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min" if minutes else f"{int(seconds)} s"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
