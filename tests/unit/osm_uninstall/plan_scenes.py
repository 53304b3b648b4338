# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories of a cluster with mesh ``osm`` in ``osm-system``, and a model of what the steps of a plan do to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CLUSTERROLE,
    CONFIGMAP,
    CRD,
    DEPLOYMENT,
    JOB,
    MESHCONFIG,
    MUTATING_WEBHOOK,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    STATEFULSET,
    VALIDATING_WEBHOOK,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import (
    Artefact,
    Enrolled,
    Inventory,
    Owner,
    Subject,
    UninstallRequest,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_fate import decide
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_plan import plan_phase
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import sidecar_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import PhasePlan, Plan
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step, step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Leftover, PodFacts, Task, Verdict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan

HOME = "osm-system"
OTHER = "blue-system/blue"
ROOT_CERTIFICATE = Kind("config.openservicemesh.io/v1alpha2", "MeshRootCertificate", "meshrootcertificates")
PHASES = (
    phases.UNBLOCK,
    phases.SIDECARS,
    phases.STOP,
    phases.CONVERSION,
    phases.RELEASE,
    phases.ARTEFACTS,
    phases.USER_RESOURCES,
    phases.CUSTOM_RESOURCES,
    phases.NAMESPACE,
    phases.DEFINITIONS,
)
# The type that stands for each word in these tests.
KINDS: dict[str, Kind] = {
    "control-plane-deployment": DEPLOYMENT,
    "optional-deployment": DEPLOYMENT,
    "daemon-set": Kind("apps/v1", "DaemonSet", "daemonsets"),
    "service": SERVICE,
    "rbac": CLUSTERROLE,
    "config-map": CONFIGMAP,
    "autoscaler": Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    "disruption-budget": Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    "helm-release": SECRET,
    "helm-record": SECRET,
    "hook": JOB,
    "mutating-webhook": MUTATING_WEBHOOK,
    "validating-webhook": VALIDATING_WEBHOOK,
    "conversion-webhook": CRD,
    "mesh-config": MESHCONFIG,
    "root-certificate": ROOT_CERTIFICATE,
    "ca-secret": SECRET,
    "bootstrap-secrets": SECRET,
    "enrolled-namespace": NAMESPACE,
    "pod-template-annotation": DEPLOYMENT,
    "sidecar": POD,
    "osm-crd": CRD,
    "smi-crd": CRD,
    "custom-resources": Kind("policy.openservicemesh.io/v1alpha1", "Egress", "egresses"),
    "old-deployment": DEPLOYMENT,
    "user-resource": STATEFULSET,
    "namespace": NAMESPACE,
}
# Things of many objects are called after the namespace or the definition that they are in.
_GROUPS = {"helm-release": "HelmRelease", "bootstrap-secrets": "Namespace", "sidecar": "Namespace", "custom-resources": CRD.kind}


def artefact(what: str, name: str = "", owner: Owner = "named", *, place: str = HOME, kind: Kind | None = None, **more: Any) -> Artefact:
    """One thing; ``more`` are fields of it."""
    known = kind or KINDS[what]
    shown = _GROUPS.get(what, known.kind)
    inside = (known.namespaced and shown == known.kind) or shown == "HelmRelease"
    ref = ObjectRef(shown, name or f"{what}-1", place if inside else "")
    defaults = {"uid": f"uid-{what}-{ref.name}", "resource_version": "7", **more}
    return Artefact(ref, known, what, owner, "it was found by the test", **defaults)


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    """A Deployment of the control plane."""
    metadata = {"name": name, "namespace": HOME, "uid": f"uid-control-plane-deployment-{name}", "resourceVersion": "7"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}}


def release(items: Iterable[Artefact] = (), *, more: Iterable[dict[str, Any]] = (), status: str = "deployed") -> Release:
    """The mesh's release with these objects in its manifest."""
    documents = [_manifest(item) for item in items]
    text = "\n---\n".join(map(json.dumps, [*documents, *more]))
    return Release("osm", HOME, 1, status, "osm-edge", "1.3.9", "1.3.9", {}, {}, text, "", "", "", {})


def _manifest(item: Artefact) -> dict[str, Any]:
    metadata = {"name": item.ref.name, "labels": {"app.kubernetes.io/name": "openservicemesh.io"}}
    if item.ref.namespace:
        metadata["namespace"] = item.ref.namespace
    return {"apiVersion": item.kind.api_version, "kind": item.ref.kind, "metadata": metadata}


COMPONENTS = tuple(artefact("control-plane-deployment", name) for name in OSM_EDGE.deployments)
RELEASE = artefact("helm-release", "osm")
RECORD = artefact("helm-record", "sh.helm.release.v1.osm.v1")
CONFIG = artefact("mesh-config", "osm-mesh-config")
HOME_NAMESPACE = artefact("namespace", HOME)


def pod(place: str = "shop", name: str = "web-1") -> PodFacts:
    """A pod with a sidecar of the mesh."""
    return PodFacts(
        place, name, f"uid-{place}-{name}", None, "", "", "Running", ready=True, deleting=False, mirror=False, verdict=Verdict("unexpected")
    )


def task(place: str = "shop", name: str = "web") -> Task:
    """A workload with a sidecar to lose."""
    ref = ObjectRef("Deployment", name, place)
    return Task(step_id("rollout", ref), ref, DEPLOYMENT, "rollout", 1, "still has a sidecar", f"uid-{place}-{name}", "7", "t")


def bare(place: str = "shop", name: str = "debug") -> Leftover:
    """A pod that nobody would create again."""
    return Leftover("bare-pod", ObjectRef("Pod", name, place), 1, "it has no controller", "delete it")


def enrolled(name: str = "shop") -> Enrolled:
    """A namespace of the mesh."""
    labels = {OSM_EDGE.monitored_by_label: None}
    return Enrolled(name, f"uid-{name}", "7", labels, {OSM_EDGE.injection_annotation: None})


def neighbour(title: str = OTHER) -> Mesh:
    """Another mesh with a control plane."""
    place, dummy, name = title.partition("/")
    return Mesh(OSM_EDGE, name, place, deployments=(deployment("osm-controller"),))


def inventory(
    *artefacts: Artefact,
    request: UninstallRequest | None = None,
    others: Sequence[Mesh] = (),
    alive: bool = True,
    helm: Release | None = None,
    namespaces: Sequence[Enrolled] = (),
    tasks: Sequence[Task] = (),
    leftovers: Sequence[Leftover] = (),
    egress: bool = True,
    **more: Any,
) -> Inventory:
    """What was found; ``alive`` adds a control plane, ``helm`` its release; each task and leftover has a pod with a sidecar."""
    items = (*artefacts, *COMPONENTS) if alive else artefacts
    items = (*items, RELEASE, RECORD) if helm is not None else items
    marks = {OSM_EDGE.monitored_by_label: "osm"}
    facts = {item.name: NamespaceFacts(item.name, marks, {}, terminating=False, uid=item.uid) for item in namespaces}
    mesh = Mesh(
        OSM_EDGE,
        "osm",
        HOME,
        deployments=tuple(deployment(item.ref.name) for item in COMPONENTS) if alive else (),
        release_ref=ReleaseRef("osm", HOME) if helm is not None else None,
        release=helm,
        mesh_config={"metadata": {}, "spec": {"traffic": {"enableEgress": egress}}},
    )
    pods = [pod(item.object.namespace, f"{item.object.name}-1") for item in tasks]
    pods += [pod(item.object.namespace, item.object.name) for item in leftovers]
    fields: dict[str, Any] = {
        "subject": Subject("osm", HOME, OSM_EDGE, "1.3.9", mesh, mesh.release_ref, "osm-ca-bundle"),
        "enrolled": tuple(namespaces),
        "scope": Scope(pods=tuple(pods)),
        "sidecars": RefreshPlan(tasks=tuple(tasks), leftovers=tuple(leftovers)),
        "namespace_exists": any(item.what == "namespace" for item in items),
        **more,
    }
    return Inventory(
        Observed("https://server", (mesh, *others), facts),
        request or UninstallRequest(mesh_name="osm", confirm="osm"),
        artefacts=items,
        **fields,
    )


def with_subject(found: Inventory, **changes: Any) -> Inventory:
    """The same cluster, and another idea of which mesh is meant."""
    subject = found.subject or Subject("osm", HOME, OSM_EDGE)
    return replace(found, subject=replace(subject, **changes))


def whole_plan(found: Inventory) -> Plan:
    """All phases planned on one inventory, as the procedure does it."""
    return Plan("mesh_uninstall", f"{HOME}/osm", tuple(PhasePlan(name, tuple(steps_of(name, found))) for name in PHASES))


def steps_of(phase: str, found: Inventory) -> list[Step]:
    """The steps of any phase."""
    return sidecar_steps(found) if phase == phases.SIDECARS else plan_phase(phase, found)


def ids(found: Inventory, *names: str) -> list[str]:
    """The ids of all steps, or of those of some phases, in order."""
    return [step.id for name in names or PHASES for step in steps_of(name, found)]


def applied(found: Inventory, step: Step, hidden: dict[str, int] | None = None) -> Inventory:
    """The cluster as a step leaves it; ``hidden`` has the number of objects of definitions that can be counted without their conversion."""
    ref, items = step.object, found.artefacts
    if step.action == "unenrol":
        left = tuple(item for item in found.enrolled if item.name != ref.name)
        return replace(found, enrolled=left, artefacts=_without(items, ref, "enrolled-namespace"))
    if step.action == "rollout":
        return _restarted(found, ref)
    if step.action == "stop":
        return _stopped(found, ref.name)
    if step.action == "strip_conversion":
        count = (hidden or {}).get(ref.name, 0)
        counted = (replace(item, count=count, unknown="") if item.ref == ref and item.count is None else item for item in items)
        kept = _without(counted, ref, "conversion-webhook")
        return replace(found, artefacts=tuple(item for item in kept if item.what != "custom-resources" or item.count != 0))
    if step.action == "uninstall":
        return _uninstalled(found)
    if step.action == "delete_secrets":
        here = (item for item in items if (item.ref, item.what) == (ref, "bootstrap-secrets"))
        gone = [item for item in here if decide(item, found).goes]
        return replace(found, artefacts=tuple(item for item in items if item not in gone))
    if step.action == "delete_objects":
        plural = ref.name.partition(".")[0]
        rest = (item for item in _without(items, ref, "custom-resources") if item.what == "custom-resources" or item.kind.plural != plural)
        return replace(found, artefacts=tuple(replace(item, count=0) if item.ref == ref else item for item in rest))
    if step.action in ("delete", "await") and ref.kind == "Namespace" and ref.name == HOME:
        outside = tuple(item for item in items if item.ref.namespace != HOME and item.ref != ref)
        return replace(found, artefacts=outside, namespace_exists=False, namespace_terminating=False, content=())
    if step.action == "delete" and ref.kind in ("MeshConfig", "MeshRootCertificate"):
        return _less_one(found, step)
    if step.action == "delete":
        return replace(found, artefacts=tuple(item for item in items if item.ref != ref or item.kind.group != _group(step)))
    raise AssertionError(f"no step of an uninstallation: {step.id}")


def _less_one(found: Inventory, step: Step) -> Inventory:
    """One object of a definition is gone."""
    name = next(f"{item.resource}.{item.group}" for item in step.permissions)
    rest = (item for item in found.artefacts if item.ref != step.object)
    counted = (replace(item, count=max(0, item.count - 1)) if item.ref.name == name and item.count is not None else item for item in rest)
    return replace(found, artefacts=tuple(item for item in counted if item.what != "custom-resources" or item.count != 0))


def _group(step: Step) -> str:
    return next(item.group for item in step.permissions if item.verb == "delete")


def _without(items: Iterable[Artefact], ref: ObjectRef, what: str) -> tuple[Artefact, ...]:
    return tuple(item for item in items if (item.ref, item.what) != (ref, what))


def _restarted(found: Inventory, ref: ObjectRef) -> Inventory:
    plan = found.sidecars or RefreshPlan()
    tasks = tuple(item for item in plan.tasks if item.object != ref)
    pods = tuple(item for item in found.scope.pods if (item.namespace, item.name) != (ref.namespace, f"{ref.name}-1"))
    places = {item.namespace for item in pods}
    left = tuple(item for item in found.artefacts if item.what != "sidecar" or item.owner != "named" or item.ref.name in places)
    return replace(found, sidecars=replace(plan, tasks=tasks), scope=replace(found.scope, pods=pods), artefacts=left)


def _stopped(found: Inventory, name: str) -> Inventory:
    subject = found.subject
    if subject is None or subject.mesh is None:
        return found
    deployments = [item if item["metadata"]["name"] != name else deployment(name, 0) for item in subject.mesh.deployments]
    return _with_mesh(found, replace(subject.mesh, deployments=tuple(deployments)))


def _uninstalled(found: Inventory) -> Inventory:
    subject = found.subject
    if subject is None or subject.mesh is None or subject.mesh.release is None:
        return found
    gone = {(item["kind"], item["metadata"]["name"]) for item in map(json.loads, subject.mesh.release.manifest.split("\n---\n"))}
    rest = [item for item in found.artefacts if (item.ref.kind, item.ref.name) not in gone and item not in (RELEASE, RECORD)]
    left = tuple(item for item in subject.mesh.deployments if ("Deployment", item["metadata"]["name"]) not in gone)
    after = _with_mesh(found, replace(subject.mesh, release=None, release_ref=None, deployments=left))
    return replace(after, artefacts=tuple(rest))


def _with_mesh(found: Inventory, mesh: Mesh) -> Inventory:
    subject = found.subject
    if subject is None:
        return found
    seen = replace(found.observed, meshes=(mesh, *found.others))
    return replace(found, subject=replace(subject, mesh=mesh), observed=seen)
