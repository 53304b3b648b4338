# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that a mesh is to be taken out of: what is enrolled in it, what a hand or another tool has left of it, and the proof."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import workload_objects as objects
from cluster_look import Look, Thing, look
from failures import assert_told, unchanged
from mesh_clusters import Mesh, MeshCluster, Result, eventually, install, told
from run_module import Module, run_module, start_module
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.rollouts import wait_for_rollouts
from uninstall_neighbours import Neighbours, is_of_others

# MESHOPS_ALL_FAULTS=1 in the environment chooses every case of the tests of faults and kills, instead of a fixed selection.
ALL = os.environ.get("MESHOPS_ALL_FAULTS", "0") not in ("", "0")
EDGE = Mesh("1.3.9")
OLDEST = Mesh("1.1.3")
UPSTREAM = Mesh("1.2.4", product="osm")
FSM = Mesh("1.5.1", name="fsm", release="fsm", namespace="fsm-system", product="fsm")
SECOND = Mesh("1.3.9", name="second", release="second", namespace="second-mesh", values="osm: {enforceSingleMesh: false}")
# A mesh that is gone without anything left, whoever may have used it.
EVERYTHING: Result = {
    "delete_cluster_wide_resources": ["all"],
    "delete_custom_resources": True,
    "delete_namespace": "force",
    "edit_pod_templates": True,
    "bare_pods": "recreate",
}
# The vault of all_at_once.
VAULT: Result = {"api_version": "v1", "kind": "ConfigMap", "name": "vault", "namespace": "quiet"}
SEEN = Neighbours("all at once")
RECORDS = "default"
_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_SIDECARS = ("sidecar", "envoy")
# Less than a test waits for a module, so that the module itself tells what it waits for.
_SECONDS = 150


def record_name(mesh: Mesh) -> str:
    """The name of the Lease and of the ConfigMap that a run keeps in the namespace ``default``."""
    return f"meshops-mesh-uninstall-{mesh.name}"


# The module


def options(mesh: MeshCluster, **more: Any) -> Result:
    """Options of the module, as fast as it can."""
    return mesh.options(**{"binary_path": str(binary("helm")), "pods_per_minute": 0, "timeout": _SECONDS, **more})


def uninstall(mesh: MeshCluster, *, check: bool = False, diff: bool = False, **more: Any) -> Result:
    """Run the module to its end."""
    return run_module("mesh_uninstall", options(mesh, **more), check=check, diff=diff, env=mesh.environment)


def start(mesh: MeshCluster, tmpdir: Path | None = None, **more: Any) -> Module:
    """Start the module."""
    return start_module("mesh_uninstall", options(mesh, **more), env=mesh.environment, tmpdir=tmpdir)


# What is enrolled


class Plane:
    """The namespaces of a mesh: one as most are, one that is ignored, one in which only a pod template asks for injection."""

    def __init__(self, mesh: MeshCluster, of: Mesh, prefix: str = "") -> None:
        self.mesh = mesh
        self.of = of
        self.shop, self.quiet, self.opted = self.names = tuple(f"{prefix}{name}" for name in ("shop", "quiet", "opted"))
        self.domain = "flomesh.io" if of.product == "fsm" else "openservicemesh.io"

    def make(self, *, bare: bool = True) -> Plane:
        """Create everything, and wait until the pods are ready and each owns its bootstrap Secret."""
        create(self.mesh, *self._namespaces())
        more = [objects.bare_pod("debug", self.shop)] if bare else []
        create(self.mesh, *self._workloads(), *more, *self._custom_resources(), self._orphan())
        wait_for_rollouts(self.mesh.cluster.api, self.names)
        with_sidecar = 5 + len(more)
        eventually(lambda: len(self.owned_secrets()) == with_sidecar, f"not every pod of {self.shop} has its sidecar and its Secret", 60)
        return self

    def _namespaces(self) -> list[Result]:
        monitored = {f"{self.domain}/monitored-by": self.of.name}
        injected = {f"{self.domain}/sidecar-injection": "enabled"}
        return [
            objects.namespace(self.shop, {**monitored, "team": "a"}, {**injected, f"{self.domain}/metrics": "enabled", "note": "theirs"}),
            objects.namespace(self.quiet, {**monitored, f"{self.domain}/ignore": "true"}, injected),
            objects.namespace(self.opted, monitored),
        ]

    def _workloads(self) -> list[Result]:
        return [
            objects.deployment("web", self.shop, 2),
            objects.deployment("api", self.shop),
            objects.stateful_set("db", self.shop),
            objects.deployment("legacy", self.quiet),
            objects.deployment("solo", self.opted, annotations={f"{self.domain}/sidecar-injection": "enabled", "note": "theirs"}),
        ]

    def _custom_resources(self) -> list[Result]:
        group = "policy.flomesh.io" if self.of.product == "fsm" else "policy.openservicemesh.io"
        egress = {"apiVersion": f"{group}/v1alpha1", "kind": "Egress", "metadata": {"name": "out", "namespace": self.shop}, "spec": {}}
        target = {
            "apiVersion": "access.smi-spec.io/v1alpha3",
            "kind": "TrafficTarget",
            "metadata": {"name": "in", "namespace": self.shop},
            "spec": {"destination": {"kind": "ServiceAccount", "name": "default", "namespace": self.shop}, "sources": []},
        }
        return [egress, target]

    def _orphan(self) -> Result:
        """The bootstrap Secret of a pod that was never admitted."""
        prefix = "envoy" if self.of.product == "osm" else "sidecar"
        labels = {
            "app.kubernetes.io/name": self.domain,
            "app.kubernetes.io/instance": self.of.name,
            "app.kubernetes.io/version": self.of.version,
        }
        metadata = {"name": f"{prefix}-bootstrap-config-{uuid.uuid4()}", "namespace": self.shop, "labels": labels}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}

    def owned_secrets(self) -> list[str]:
        """The bootstrap Secrets that a pod owns."""
        found: list[str] = []
        for namespace in self.names:
            items = self.mesh.get(f"/api/v1/namespaces/{namespace}/secrets")["items"]
            found += [item["metadata"]["name"] for item in items if item["metadata"].get("ownerReferences")]
        return found

    def keys(self) -> dict[str, list[str]]:
        """The family's labels and annotations that each namespace has."""
        found = {}
        for name in self.names:
            metadata = self.mesh.get(f"/api/v1/namespaces/{name}")["metadata"]
            keys = [*metadata.get("labels", {}), *metadata.get("annotations", {})]
            found[name] = [key for key in keys if key.startswith(self.domain)]
        return found

    def sidecars(self) -> list[str]:
        """The pods that have one."""
        return [name for namespace in self.names for name in sidecars(self.mesh.cluster, namespace)]


def sidecars(cluster: Cluster, namespace: str) -> list[str]:
    """The pods of a namespace that have a sidecar and are not being deleted."""
    pods = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [
        f"{namespace}/{pod['metadata']['name']}"
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and any(item["name"] in _SIDECARS for item in pod["spec"]["containers"])
    ]


# What others have left


def reconciled(mesh: MeshCluster) -> None:
    """Turn the reconciler on: what is deleted or changed comes back while the control plane runs."""
    _upgrade(mesh, mesh.mesh, "osm.enableReconciler=true")
    wait_for_rollouts(mesh.cluster.api, [mesh.mesh.namespace])
    labelled = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=openservicemesh.io%2Freconcile%3Dtrue"
    eventually(lambda: len(mesh.get(labelled)["items"]) >= 13, "the definitions are not reconciled", 60)


def upgraded(mesh: MeshCluster, version: str) -> None:
    """Upgrade with helm, as a hand does it: the webhooks keep the label of the version before."""
    of = mesh.mesh
    mesh.cluster.helm("upgrade", of.release, str(mesh.chart(version)), "-n", of.namespace, "--reset-values")
    wait_for_rollouts(mesh.cluster.api, [of.namespace])
    eventually(lambda: "meshrootcertificates.config.openservicemesh.io" in names(mesh, _CRDS), "the new definitions did not come", 60)


def uninstalled_by_helm(mesh: MeshCluster, *arguments: str) -> None:
    """``helm uninstall``; a hook that fails or does not end is its failure, and the release is gone anyway."""
    of = mesh.mesh
    try:
        mesh.cluster.helm("uninstall", of.release, "-n", of.namespace, *arguments)
    except SandboxError as error:
        if not hook_image(mesh).partition(":")[0].endswith(("-hanging", "-failing")):
            raise error
    programs = f"/api/v1/namespaces/{of.namespace}/pods?labelSelector=app"
    eventually(lambda: not mesh.get(programs)["items"], "the programs did not end", 60)


def with_a_hook_that(mesh: MeshCluster, what: str) -> None:
    """Let the cleanup hook's image be one that ``fails`` or ``hangs``."""
    marker = {"fails": "failing", "hangs": "hanging"}[what]
    _upgrade(mesh, mesh.mesh, f"osm.image.name.osmCRDs=osm-edge-crds-{marker}")


def hook_image(mesh: MeshCluster) -> str:
    """The image of the cleanup hook's Job, empty when there is none."""
    jobs = mesh.get(f"/apis/batch/v1/namespaces/{mesh.mesh.namespace}/jobs")["items"]
    return "".join(job["spec"]["template"]["spec"]["containers"][0]["image"] for job in jobs)


def _upgrade(mesh: MeshCluster, of: Mesh, value: str) -> None:
    chart = str(mesh.chart(of.version, of.product))
    mesh.cluster.helm("upgrade", of.release, chart, "-n", of.namespace, "--reuse-values", "--set", value)


def beside(mesh: MeshCluster, *others: Mesh) -> None:
    """Install more meshes."""
    for other in others:
        install(mesh.cluster, other)


def stored_as_before(mesh: MeshCluster) -> None:
    """A MeshConfig that is stored in the version of a mesh of long ago, as it is where nobody has written it since."""
    name = "meshconfigs.config.openservicemesh.io"
    for version in ("v1alpha1", "v1alpha2"):
        definition = mesh.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        for entry in definition["spec"]["versions"]:
            entry["storage"] = entry["name"] == version
        patch = {"spec": {"versions": definition["spec"]["versions"]}}
        mesh.cluster.kubectl("patch", "crd", name, "--type=merge", "-p", json.dumps(patch))
        if version == "v1alpha1":
            eventually(lambda: _stored_old(mesh), "no MeshConfig could be stored in v1alpha1", 60)


def _stored_old(mesh: MeshCluster) -> bool:
    metadata = {"name": "of-long-ago", "namespace": mesh.mesh.namespace}
    body = {"apiVersion": "config.openservicemesh.io/v1alpha1", "kind": "MeshConfig", "metadata": metadata, "spec": {}}
    try:
        mesh.cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))
    except SandboxError:
        return False
    return True


def names(mesh: MeshCluster, resource: str) -> list[str]:
    """The names of cluster-wide objects."""
    return mesh.cluster.kubectl("get", resource, "-o", "jsonpath={.items[*].metadata.name}").split()


def forget_the_dead(mesh: MeshCluster, of: Mesh | None = None) -> None:
    """Let the Lease that a killed run has left be one that expires after a second of being watched."""
    name = record_name(of or mesh.mesh)
    if mesh.cluster.api.exists(f"/apis/coordination.k8s.io/v1/namespaces/{RECORDS}/leases/{name}"):
        patch = json.dumps({"spec": {"leaseDurationSeconds": 1}})
        mesh.cluster.kubectl("patch", "lease", name, "-n", RECORDS, "--type=merge", "-p", patch)


def all_at_once(mesh: MeshCluster) -> None:
    """A mesh of the oldest version that every phase has something to do for, with a webhook of yesterday that refuses some pods."""
    stored_as_before(mesh)
    Plane(mesh, OLDEST).make()
    SEEN.make(mesh.cluster)
    labels = {"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm", "app": "osm-injector"}
    entry = {
        "name": "osm-inject.k8s.io",
        "clientConfig": {"service": {"namespace": "osm-system", "name": "osm-injector-before", "port": 9090}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"openservicemesh.io/monitored-by": "osm", "team": "of-yesterday"}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    dangling = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "osm-webhook-osm-before", "labels": labels},
        "webhooks": [entry],
    }
    vault = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vault", "namespace": "quiet"}}
    create(mesh, dangling, vault)


def reset_to_all_at_once(mesh: MeshCluster) -> Cluster:
    """Put the cluster to ``all_at_once``, and wait until its programs, which were started again, serve: what is planned depends on them."""
    cluster = mesh.reset_prepared(OLDEST, "all at once", all_at_once)
    settled(mesh, "shop")
    return cluster


def settled(mesh: MeshCluster, enrolled: str) -> None:
    """Wait until the mesh converts its MeshConfig (where it does) and injects into this namespace."""
    probe = json.dumps(objects.bare_pod("probe", enrolled))

    def serves() -> bool:
        try:
            mesh.cluster.kubectl("get", "meshconfigs.v1alpha1.config.openservicemesh.io", "-n", mesh.mesh.namespace)
            created = json.loads(mesh.cluster.kubectl("create", "-f", "-", "--dry-run=server", "-o", "json", stdin=probe))
        except SandboxError:
            return False
        return any(item["name"] in _SIDECARS for item in created["spec"]["containers"])

    eventually(serves, "the mesh does not serve again", 60)
    wait_for_rollouts(mesh.cluster.api, [mesh.mesh.namespace, enrolled])


def create(mesh: MeshCluster, *items: Result) -> None:
    """Create objects with kubectl."""
    mesh.cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*items]}))


# The proof


def planned(mesh: MeshCluster, **more: Any) -> Result:
    """Plan without a confirmation: nothing is written, and the plan is the same each time."""
    with unchanged(mesh.cluster):
        first = uninstall(mesh, check=True, **more)
    assert not first.get("failed"), told(first)
    return first


def done(result: Result) -> Result:
    """The run ended well, and every step was done."""
    assert not result.get("failed"), told(result)
    assert {step["id"]: step["outcome"] for step in result["steps"] if step["outcome"] not in ("done", "unchanged")} == {}
    assert [item for item in result["artefacts"] if item["outcome"] in ("failed", "to_remove")] == []
    return result


def gone(mesh: MeshCluster, of: Mesh, *planes: Plane, others: bool = False, **more: Any) -> tuple[Look, Look]:
    """Plan, uninstall with that plan, and again; returns what the cluster held before and after.

    Asserts that the plan came true, that the namespaces are free, and that there is nothing left to do. With ``others`` in the cluster the
    name is unknown then, which may be a mistake.
    """
    before = look(mesh.cluster)
    plan = planned(mesh, mesh_name=of.name, **more)["plan"]
    done(uninstall(mesh, mesh_name=of.name, confirm=of.name, expected_plan_id=plan["id"], **more))
    for plane in planes:
        assert plane.keys() == {name: [] for name in plane.names}
    with unchanged(mesh.cluster):
        again = uninstall(mesh, mesh_name=of.name, confirm=of.name, **more)
    if others:
        assert_told(again, f"no mesh named {of.name}", cluster=mesh.cluster)
    else:
        assert (again.get("failed"), again["changed"], again["steps"]) == (None, False, []), told(again) or again
    return before, look(mesh.cluster)


def left(mesh: MeshCluster, allowed: Iterable[Thing]) -> list[str]:
    """Whatever of the family is in the cluster and is not allowed, when it has come to rest: garbage is collected in its own time."""
    kept = set(allowed)
    found: list[str] = []

    def rests() -> bool:
        seen = look(mesh.cluster)
        found[:] = sorted(str(thing) for thing in seen.family() - kept if not is_of_others(thing, seen.objects[thing]))
        return not found

    try:
        eventually(rests, "", 20)
    except AssertionError:
        return found
    return []


def definitions(found: Look, *suffixes: str) -> set[Thing]:
    """The definitions whose names end so, their API services, and their objects."""
    crds = {thing for thing in found.of(_CRDS) if thing.name.endswith(suffixes or ("",))}
    groups = {thing.name.partition(".")[2] for thing in crds}
    names_of = {thing.name for thing in crds}
    services = {thing for thing in found.of("apiservices.apiregistration.k8s.io") if thing.name.partition(".")[2] in groups}
    return crds | services | {thing for thing in found.objects if thing.resource in names_of}


def empty_namespace(name: str) -> set[Thing]:
    """A namespace that was kept, and what every namespace has."""
    return {Thing("namespaces", "", name), Thing("configmaps", name, "kube-root-ca.crt"), Thing("serviceaccounts", name, "default")}


def untouched(before: Look, after: Look, things: Iterable[Thing]) -> list[str]:
    """Those of these things that are gone, or not as they were."""
    return sorted(map(str, (after.gone(before) | after.changed(before)) & set(things)))


def of_others(before: Look, after: Look, mine: Neighbours, *namespaces: str) -> list[str]:
    """What was not of the family and is gone or changed, besides what the owners of restarted pods do in these namespaces."""
    restarted = {"pods", "replicasets.apps", "controllerrevisions.apps", "endpointslices.discovery.k8s.io", "endpoints"}
    workloads = {"deployments.apps", "statefulsets.apps", "daemonsets.apps"}
    leases = {thing for thing in before.of("leases.coordination.k8s.io") if thing.namespace.startswith("kube-")}
    found = [
        str(thing)
        for thing in (after.gone(before) | after.changed(before)) - before.family(history=True) - leases
        if not (thing.namespace in namespaces and thing.resource in restarted | workloads)
    ]
    return sorted(found + mine.touched(before, after))


def outcomes(result: Mapping[str, Any]) -> dict[str, str]:
    """The outcome of each step by its id."""
    return {step["id"]: step["outcome"] for step in result["steps"]}
