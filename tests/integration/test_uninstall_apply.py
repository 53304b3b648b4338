# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes of an uninstallation, one by one, against a real API server, its controllers and helm."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from failures import unchanged
from faults.front import ApiFront
from faults.rules import Rule, reset
from mesh_clusters import Mesh, MeshCluster, eventually
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from workload_objects import job

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import HelmFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AdmissionDenied
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CONFIGMAP,
    CRD,
    DEPLOYMENT,
    JOB,
    MESHCONFIG,
    NAMESPACE,
    POD,
    SECRET,
    VALIDATING_WEBHOOK,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import list_releases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed, ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_apply import UninstallWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options

Object = dict[str, Any]
# It converts its MeshConfig by a webhook of its bootstrap.
OLD = Mesh(version="1.1.3")
PLACE = "osm-system"
RETRY = Kind("policy.openservicemesh.io/v1alpha1", "Retry", "retries")
RETRIES = "retries.policy.openservicemesh.io"
MESHCONFIGS = "meshconfigs.config.openservicemesh.io"
# For what never ends.
IMPATIENT = 1.0
API_SERVICE_PATH = "/apis/apiregistration.k8s.io/v1/apiservices"


@dataclass
class Caller:
    """What a module is for ``connect``."""

    params: Mapping[str, Any]
    tmpdir: str
    name: str = field(default="test_uninstall_apply")


@dataclass
class Work:
    """A writer on a cluster; ``api`` is its connection, which the test uses to look and to make things."""

    cluster: Cluster
    directory: Path
    api: Api
    artefacts: tuple[Artefact, ...] = ()

    def writer(self, helm: str = "helm", api: Api | None = None, patience: float = 60.0) -> UninstallWriter:
        program = Helm(str(binary("helm", helm)), kubeconfig_path=str(self.cluster.kubeconfig), directory=str(self.directory))
        writer = UninstallWriter(api or self.api, program, Deadline(120), Progress())
        request = UninstallRequest(refresh=Options(state="absent", stall_timeout=patience))
        subject = Subject("osm", PLACE, OSM_EDGE, release=ReleaseRef("osm", PLACE))
        writer.see(Inventory(Observed("", (), {}), request, subject, self.artefacts))
        return writer

    def step(self, action: str, kind: Kind, name: str, namespace: str = "", **fields: Any) -> Step:
        """A step on the object as it is now."""
        metadata = self.api.get(kind, name, namespace or None)["metadata"]
        asked = Permission("delete", kind.group, kind.plural, namespace, name)
        known = {"uid": metadata["uid"], "resource_version": metadata["resourceVersion"], "permissions": (asked,), **fields}
        return Step(action, ObjectRef(kind.kind, name, namespace), "a test wants it", **known)

    def connected(self, kubeconfig: Path) -> Api:
        return connect(Caller({"kubeconfig": str(kubeconfig)}, str(self.directory)), explicit=True).api

    def namespace(self) -> str:
        name = f"apply-{uuid.uuid4().hex[:8]}"
        self.api.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def retry(self, name: str, namespace: str, **metadata: Any) -> Object:
        spec = {
            "source": {"kind": "ServiceAccount", "name": "a", "namespace": namespace},
            "destinations": [],
            "retryPolicy": {"retryOn": "5xx"},
        }
        body = {"apiVersion": RETRY.api_version, "kind": "Retry", "metadata": {"name": name, "namespace": namespace, **metadata}}
        return self.api.create(RETRY, {**body, "spec": spec})

    def release(self, kind: Kind, name: str, namespace: str) -> None:
        """Take the finalizers away, as their controller would."""
        self.api.patch(kind, name, {"metadata": {"finalizers": None}}, namespace)


@pytest.fixture(scope="module")
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh of osm-edge 1.1; the last test of this file uninstalls it."""
    mesh_cluster.reset(OLD)
    return mesh_cluster


@pytest.fixture
def work(mesh: MeshCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    for name, value in mesh.environment.items():
        monkeypatch.setenv(name, value)
    api = connect(Caller({"kubeconfig": str(mesh.cluster.kubeconfig)}, str(tmp_path)), explicit=True).api
    return Work(mesh.cluster, tmp_path, api)


# Single objects


def test_exactly_the_planned_object_is_deleted_and_seen_gone(work: Work) -> None:
    place = work.namespace()
    writer = work.writer()
    body = config_map("a", place)
    work.api.create(CONFIGMAP, body)
    step = work.step("delete", CONFIGMAP, "a", place)
    with unchanged(work.cluster):
        writer.dry_run(step)
    assert writer.apply(step) == ""
    assert writer.apply(step) == "was gone already"
    work.api.create(CONFIGMAP, body)
    with pytest.raises(WriteConflict):
        writer.apply(step)
    work.api.create(CONFIGMAP, config_map("held", place, finalizers=["example.com/hold"]))
    with pytest.raises(StepFailed, match=rf"ConfigMap {place}/held is held by example.com/hold \(set by meshops.lifecycle\)") as stuck:
        work.writer(patience=IMPATIENT).apply(work.step("delete", CONFIGMAP, "held", place))
    assert "the controller of example.com has to take it away" in stuck.value.next
    work.release(CONFIGMAP, "held", place)


@pytest.mark.parametrize("helm", ["helm", "helm-4"])
def test_a_webhook_that_refuses_everything_is_named(work: Work, helm: str) -> None:
    place = work.namespace()
    writer = work.writer(helm)
    chart = tiny_chart(work.directory)
    work.cluster.helm("install", "tiny", chart, "-n", place, of=helm)
    step = work.step("delete", CONFIGMAP, "tiny", place)
    release = Step("uninstall", ObjectRef("HelmRelease", "tiny", place), "a test wants it")
    with refusing_webhook(work, place):
        with pytest.raises(AdmissionDenied, match=r"no\.example\.com") as refused:
            writer.apply(step)
        assert "no.example.com" in refused.value.next
        with pytest.raises(AdmissionDenied, match=r"no\.example\.com"):
            writer.dry_run(step)
        with pytest.raises(HelmFailed, match=r"(?s)Helm cannot uninstall release tiny.*no\.example\.com") as failed:
            writer.apply(release)
        assert str(failed.value.object) in (f"ConfigMap {place}/tiny", f"ConfigMap {place}/other")
        assert failed.value.details["webhook"] == "no.example.com"
    # Helm has marked it as uninstalling: that is no hindrance.
    assert [info.status for info in list_releases(work.api, place, "tiny")] == ["uninstalling"]
    assert writer.apply(release) == ""
    assert list_releases(work.api, place, "tiny") == []
    assert work.api.get_or_none(CONFIGMAP, "tiny", place) is None


@pytest.mark.parametrize("helm", ["helm-3.14", "helm-4"])
def test_a_release_is_uninstalled_without_its_hook_by_every_helm(work: Work, helm: str) -> None:
    place = work.namespace()
    work.cluster.helm("install", "tiny", tiny_chart(work.directory), "-n", place, of=helm)
    writer = work.writer(helm)
    step = Step("uninstall", ObjectRef("HelmRelease", "tiny", place), "a test wants it")
    with unchanged(work.cluster):
        writer.dry_run(step)
    assert writer.apply(step) == ""
    writer.settle()
    assert list_releases(work.api, place) == []
    assert work.api.get_or_none(CONFIGMAP, "tiny", place) is None
    assert list(work.api.list(JOB, place)) == []
    assert writer.apply(step) == "was gone already"


def test_a_release_with_a_type_that_the_server_lacks(work: Work) -> None:
    """Helm stops before it deletes anything: seen with 3.14, 3.21 and 4.3."""
    place = work.namespace()
    chart = tiny_chart(work.directory)
    work.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(widget_definition()))
    (Path(chart) / "templates" / "widget.yaml").write_text("{apiVersion: example.com/v1, kind: Widget, metadata: {name: tiny}}\n")
    eventually(lambda: _installs(work.cluster, chart, place), "the widget's type is not served")
    work.cluster.kubectl("delete", "crd", "widgets.example.com")
    eventually(lambda: not work.cluster.api.exists("/apis/example.com/v1"), "the widget's type is still served")
    # Of the same name, and not of the release.
    work.api.delete(CONFIGMAP, "other", place)
    work.api.create(CONFIGMAP, config_map("other", place))
    told = work.writer().apply(Step("uninstall", ObjectRef("HelmRelease", "tiny", place), "a test wants it"))
    assert told == "without helm, which stops at types that this API server does not have: Widget"
    assert list_releases(work.api, place) == []
    assert work.api.get_or_none(CONFIGMAP, "tiny", place) is None
    assert work.api.get_or_none(CONFIGMAP, "other", place) is not None


def test_bootstrap_secrets_that_no_pod_mounts(work: Work) -> None:
    place = work.namespace()
    eventually(lambda: work.api.get_or_none(Kind("v1", "ServiceAccount", "serviceaccounts"), "default", place), "no service account")
    for name, mesh in (("mounted", "osm"), ("free", "osm"), ("of-others", "other"), ("of-nobody", "ghost")):
        labels = {"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": mesh}
        metadata = {"name": f"{OSM_EDGE.bootstrap_secret_prefix}{name}", "namespace": place, "labels": labels}
        work.api.create(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    volume = {"name": "b", "secret": {"secretName": f"{OSM_EDGE.bootstrap_secret_prefix}mounted"}}
    pod = {"containers": [{"name": "app", "image": "app:1"}], "volumes": [volume]}
    work.api.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user", "namespace": place}, "spec": pod})
    step = Step("delete_secrets", ObjectRef("Namespace", place), "a test wants it")
    mine = Artefact(step.object, SECRET, "bootstrap-secrets", "named", "label", count=2, state={"orphaned": 1, "meshes": ["osm"]})
    # Leftovers of others were not asked for.
    ghosts = replace(mine, owner="unclaimed", count=1, state={"orphaned": 1, "meshes": ["ghost"]})
    work.artefacts = (mine, ghosts)
    writer = work.writer()
    with unchanged(work.cluster):
        writer.dry_run(step)
    assert writer.apply(step) == "1 Secrets deleted"
    assert _left(work, place) == {"mounted", "of-others", "of-nobody"}


# Custom resources


def test_custom_resources_go_and_what_holds_one_is_told(work: Work) -> None:
    place = work.namespace()
    work.api.map(lambda number: work.retry(f"r{number:03}", place), range(130))
    work.retry("slow", place, finalizers=["example.com/hold"])
    step = work.step("delete_objects", CRD, RETRIES)
    with ApiFront(work.cluster) as front:
        lost = Rule(reset(committed=True), lambda request: request.method == "DELETE" and request.name.startswith("r00"), times=3, every=2)
        front.add(lost)
        writer_api = work.connected(front.kubeconfig)
        with unchanged(work.cluster):
            work.writer(api=writer_api).dry_run(step)
        impatient = work.writer(api=writer_api, patience=IMPATIENT)
        with pytest.raises(StepFailed, match=r"1 objects of retries\.policy\.openservicemesh\.io were deleted and do not go") as stuck:
            impatient.apply(step)
        assert len(lost.hit) == 3
    assert stuck.value.why.startswith(f"Retry {place}/slow is held by example.com/hold")
    assert "example.com has to take it away" in stuck.value.next
    assert "131 objects are deleted" in stuck.value.state
    assert [item["metadata"]["name"] for item in work.api.list(RETRY)] == ["slow"]
    # The definition would wait for the same object.
    with pytest.raises(StepFailed, match=f"CustomResourceDefinition {RETRIES} was deleted and does not go.*Retry {place}/slow is held"):
        work.writer(patience=IMPATIENT).apply(work.step("delete", CRD, RETRIES))
    work.release(RETRY, "slow", place)
    eventually(lambda: work.api.get_or_none(CRD, RETRIES) is None, "the definition does not go")
    assert work.writer().apply(step) == "the definition is gone, and its objects with it"


# Namespaces


def test_a_namespace_that_is_held(work: Work) -> None:
    place = work.namespace()
    work.api.create(CONFIGMAP, config_map("a", place, finalizers=["example.com/hold"]))
    step = work.step("delete", NAMESPACE, place)
    with unchanged(work.cluster):
        work.writer().dry_run(step)
    work.api.delete(NAMESPACE, place)
    eventually(lambda: "NamespaceFinalizersRemaining" in _true(work, place), "its controller does not say why")
    with pytest.raises(StepFailed, match=f"{place} stays in Terminating: ConfigMap {place}/a is held by example.com/hold") as stuck:
        work.writer(patience=IMPATIENT).apply(step)
    assert [blocker["cause"] for blocker in stuck.value.details["blockers"]] == ["finalizers"]
    work.release(CONFIGMAP, "a", place)
    waiting = work.step("await", NAMESPACE, place, writes=False)
    assert work.writer().apply(waiting) == ""
    assert work.writer().apply(step) == "was gone already"


def test_a_namespace_whose_objects_a_dead_service_converts(work: Work) -> None:
    """openservicemesh/osm issue 4466: the conversion is ours to repair, when its Service is in the namespace that goes."""
    place = work.namespace()
    definition = two_versions()
    work.api.create(CRD, definition)
    kind = Kind("policy.openservicemesh.io/v1alpha1", "AccessCert", "accesscerts")
    metadata = {"name": "a", "namespace": place}
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    eventually(lambda: _served(work, kind, place), "the definition is not served")
    work.api.create(kind, body)
    dead = {"namespace": place, "name": "osm-bootstrap", "port": 9443, "path": "/convert/x"}
    webhook = {"clientConfig": {"service": dead}, "conversionReviewVersions": ["v1"]}
    name = definition["metadata"]["name"]
    work.api.patch(CRD, name, {"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}})
    assert work.writer().apply(work.step("delete", NAMESPACE, place)) == f"took the dead conversion webhook out of {name}"
    assert work.api.get(CRD, name)["spec"]["conversion"] == {"strategy": "None"}
    assert work.api.get_or_none(NAMESPACE, place) is None
    assert work.writer().apply(work.step("delete", CRD, name)) == ""


def test_a_namespace_that_waits_for_a_dead_aggregated_api(work: Work) -> None:
    """openservicemesh/osm issue 1880: told, not repaired, it is somebody else's."""
    place = work.namespace()
    spec: Object = {"service": {"namespace": place, "name": "nothing"}, "group": "dead.example.com", "version": "v1"}
    spec |= {"groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True}
    name = "v1.dead.example.com"
    body = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}, "spec": spec}
    work.cluster.api.request("POST", API_SERVICE_PATH, body)
    try:
        work.api.delete(NAMESPACE, place)
        eventually(lambda: "NamespaceDeletionDiscoveryFailure" in _true(work, place), "its controller does not say why")
        with pytest.raises(StepFailed, match=f"stays in Terminating: APIService {name}.*does not answer") as stuck:
            work.writer(patience=IMPATIENT).apply(work.step("delete", NAMESPACE, place))
        assert f"kubectl delete apiservice {name}" in stuck.value.next
    finally:
        work.cluster.api.request("DELETE", f"{API_SERVICE_PATH}/{name}")
    assert work.writer().apply(work.step("await", NAMESPACE, place, writes=False)) == ""


# A control plane, from its end to the last record


def test_a_control_plane_is_stopped_before_its_conversion_is_taken_out(work: Work) -> None:
    api, cluster = work.api, work.cluster
    writer, impatient = work.writer(), work.writer(patience=IMPATIENT)
    before = api.get(CRD, MESHCONFIGS)
    assert before["spec"]["conversion"]["strategy"] == "Webhook"
    api.create(JOB, job("osm-cleanup", PLACE))
    eventually(lambda: _pods(work, "osm-cleanup"), "the hook's Job has no pod")
    held = _pods(work, "osm-controller")[0]["metadata"]["name"]
    api.patch(POD, held, {"metadata": {"finalizers": ["example.com/hold"]}}, PLACE)

    steps = [work.step("stop", DEPLOYMENT, name, PLACE) for name in OSM_EDGE.deployments]
    steps.append(work.step("delete", JOB, "osm-cleanup", PLACE))
    with unchanged(cluster):
        for step in steps:
            writer.dry_run(step)
    for step in steps:
        writer.apply(step)
    apps = (*OSM_EDGE.deployments, "osm-cleanup")
    eventually(lambda: [pod["metadata"]["name"] for app in apps for pod in _pods(work, app)] == [held], "more than one pod stays", 60)
    with pytest.raises(StepFailed, match=f"1 pods of the control plane do not go: Pod {PLACE}/{held} is held by example.com/hold") as stuck:
        impatient.after_stop(_allowed)
    assert "nothing else was removed" in stuck.value.state
    work.release(POD, held, PLACE)
    writer.after_stop(_allowed)
    assert [*_pods(work, "osm-controller"), *_pods(work, "osm-cleanup")] == []

    cluster.kubectl("scale", "deployment", "osm-bootstrap", "-n", PLACE, "--replicas=1")
    eventually(lambda: _pods(work, "osm-bootstrap"), "it is not scaled up")
    with pytest.raises(StepFailed, match=rf"Deployment {PLACE}/osm-bootstrap wants 1 \(set by kubectl\)"):
        impatient.after_stop(_allowed)
    writer.apply(work.step("stop", DEPLOYMENT, "osm-bootstrap", PLACE))
    writer.after_stop(_allowed)

    strip = work.step("strip_conversion", CRD, MESHCONFIGS)
    with unchanged(cluster):
        writer.dry_run(strip)
    writer.apply(strip)
    with pytest.raises(WriteConflict):
        writer.apply(strip)
    after = api.get(CRD, MESHCONFIGS)
    assert after["spec"] == {**before["spec"], "conversion": {"strategy": "None"}}
    assert after["metadata"].get("labels") == before["metadata"].get("labels")

    assert writer.apply(Step("uninstall", ObjectRef("HelmRelease", "osm", PLACE), "a test wants it")) == ""
    writer.settle()
    assert list(api.list(DEPLOYMENT, PLACE)) == []
    assert list_releases(api, PLACE) == []
    config = next(iter(api.list(MESHCONFIG, PLACE)))
    assert writer.apply(work.step("delete", MESHCONFIG, config["metadata"]["name"], PLACE)) == ""
    assert work.writer().apply(work.step("delete", NAMESPACE, PLACE)) == ""
    assert api.get_or_none(NAMESPACE, PLACE) is None


# What the tests make and look at


def config_map(name: str, place: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": place, **metadata}}


def _allowed() -> None:
    """A guard that always allows to write."""


def _pods(work: Work, app: str) -> list[Object]:
    return list(work.api.list(POD, PLACE, label_selector=f"app={app}"))


def _left(work: Work, place: str) -> set[str]:
    names = (item["metadata"]["name"] for item in work.api.list(SECRET, place))
    return {name.removeprefix(OSM_EDGE.bootstrap_secret_prefix) for name in names}


def _true(work: Work, place: str) -> set[str]:
    """The conditions of a namespace that are true."""
    conditions = work.api.get(NAMESPACE, place)["status"].get("conditions") or ()
    return {item["type"] for item in conditions if item["status"] == "True"}


def _served(work: Work, kind: Kind, place: str) -> bool:
    return (
        subprocess.run(
            [str(binary("kubectl")), "--kubeconfig", str(work.cluster.kubeconfig), "get", "--raw", kind.path(place)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


def _installs(cluster: Cluster, chart: str, place: str) -> bool:
    command = [str(binary("helm")), "install", "tiny", chart, "-n", place]
    return subprocess.run(command, capture_output=True, check=False, env=cluster.environment()).returncode == 0


def tiny_chart(directory: Path) -> str:
    """A chart with two ConfigMaps and a post-delete hook that never ends."""
    top = directory / "tiny"
    (top / "templates").mkdir(parents=True)
    (top / "Chart.yaml").write_text("{apiVersion: v2, name: tiny, version: 1.0.0}\n")
    hook = job("tiny-cleanup", "unset")
    hook["metadata"] = {"name": "tiny-cleanup", "annotations": {"helm.sh/hook": "post-delete"}}
    (top / "templates" / "hook.yaml").write_text(json.dumps(hook))
    for name in ("tiny", "other"):
        (top / "templates" / f"{name}.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
    return str(top)


@contextmanager
def refusing_webhook(work: Work, place: str) -> Iterator[None]:
    """A webhook that refuses every deletion of ConfigMaps in a namespace: nobody answers, and it fails closed."""

    def refuses() -> bool:
        try:
            work.api.within(2.0).delete(CONFIGMAP, "tiny", place, dry_run=True)
        except AdmissionDenied:
            return True
        return False

    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]}
    webhook = {
        "name": "no.example.com",
        "clientConfig": {"service": {"namespace": place, "name": "nothing"}},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
    }
    body = {"apiVersion": VALIDATING_WEBHOOK.api_version, "kind": VALIDATING_WEBHOOK.kind, "metadata": {"name": "refusing"}}
    work.api.create(VALIDATING_WEBHOOK, {**body, "webhooks": [webhook]})
    try:
        eventually(refuses, "the webhook has no effect")
        yield
    finally:
        work.api.delete(VALIDATING_WEBHOOK, "refusing")
        eventually(lambda: not refuses(), "the webhook keeps its effect")


def two_versions() -> Object:
    """A definition of the family that stores another version than the preferred one, so that reading takes a conversion."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": "v1alpha1", "served": True, "storage": True, "schema": schema},
        {"name": "v1alpha2", "served": True, "storage": False, "schema": schema},
    ]
    names = {"kind": "AccessCert", "plural": "accesscerts", "singular": "accesscert"}
    spec = {"group": "policy.openservicemesh.io", "names": names, "scope": "Namespaced", "versions": versions}
    metadata = {"name": "accesscerts.policy.openservicemesh.io"}
    return {"apiVersion": CRD.api_version, "kind": CRD.kind, "metadata": metadata, "spec": spec}


def widget_definition() -> Object:
    """A definition that is there when a chart is installed, and not any more when it is uninstalled."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget"}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    return {"apiVersion": CRD.api_version, "kind": CRD.kind, "metadata": {"name": "widgets.example.com"}, "spec": spec}
