# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_info on a real mesh: sound, damaged on purpose, half upgraded, uninstalled badly; and with bad input."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from run_module import run_module
from sandboxlib import paths
from sandboxlib.audit import Event
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.loopback import free_port
from sandboxlib.options import Options

Result = dict[str, Any]
AGENT = "meshops.lifecycle/"
READ = ["get", "list"]
# As the module's documentation has it.
DOCUMENTED_RULES: list[Result] = [
    {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods", "services", "secrets", "serviceaccounts"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["namespaces", "secrets", "configmaps", "services", "pods/log"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets", "replicasets"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles", "clusterrolebindings"], "verbs": ["list"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        "verbs": ["list"],
    },
    {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": READ},
    {"apiGroups": ["config.openservicemesh.io", "config.flomesh.io"], "resources": ["meshconfigs"], "verbs": ["list"]},
]
ESSENTIAL_RULES: list[Result] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": READ},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
]


@pytest.fixture(scope="module")
def mesh(sandbox_home: Path) -> Iterator[Cluster]:
    """A mesh whose release, name and namespace all differ from the defaults of the others; tests put back what they damage."""
    cluster = Cluster("mesh-info", sandbox_home)
    try:
        cluster.up(Options(mesh="osm-edge=1.2.3", apps="bookstore"))
        yield cluster
    finally:
        cluster.down()


def info(cluster: Cluster, **options: Any) -> Result:
    result = run_module("mesh_info", {"kubeconfig": str(cluster.kubeconfig), **options})
    assert not result.get("failed"), result
    return result


def refused(cluster: Cluster, **options: Any) -> Result:
    result = run_module("mesh_info", {"kubeconfig": str(cluster.kubeconfig), **options})
    assert result["failed"] is True
    return result


def codes(result: Result, severity: str = "") -> set[str]:
    found = [*result["findings"], *(finding for each in result["meshes"] for finding in each["findings"])]
    return {finding["code"] for finding in found if severity in ("", finding["severity"])}


def eventually(cluster: Cluster, done: Callable[[Result], bool]) -> Result:
    """Controllers need a moment until the cluster shows what was done to it."""
    deadline = time.monotonic() + 30
    while True:
        result = info(cluster)
        if done(result):
            return result
        assert time.monotonic() < deadline, json.dumps(result["meshes"], indent=1)
        time.sleep(0.5)


def allow(cluster: Cluster, user: str, rules: Sequence[Result]) -> str:
    """Return the kubeconfig of a user who may do exactly this."""
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": [*rules]}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
    }
    for item in (role, binding):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(item))
    last = rules[-1]
    resource = ".".join(filter(None, (last["resources"][0], last["apiGroups"][0])))
    deadline = time.monotonic() + 10
    # The API server learns of a new binding a moment later.
    while not _may(cluster, user, last["verbs"][0], resource):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return str(cluster.kubeconfig_for(user))


def _may(cluster: Cluster, user: str, verb: str, resource: str) -> bool:
    try:
        return cluster.kubectl("auth", "can-i", verb, resource, "--all-namespaces", "--as", user).strip() == "yes"
    except SandboxError:
        return False


def requests(cluster: Cluster, mark: int) -> list[Event]:
    return [event for event in cluster.audit_since(mark) if event.user_agent.startswith(AGENT)]


# A sound mesh


def test_sound_mesh(mesh: Cluster) -> None:
    result = info(mesh)
    assert result["changed"] is False
    assert result["cluster"] == {"server": mesh.server, "uid": mesh.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]}
    assert [(each["product"], each["name"], each["namespace"]) for each in result["meshes"]] == [("osm-edge", "osm", "osm-system")]
    found = result["meshes"][0]
    assert found["version"] == "1.2.3"
    assert found["versions"]["control_plane"] == {"osm-bootstrap": "1.2.3", "osm-controller": "1.2.3", "osm-injector": "1.2.3"}
    assert (found["versions"]["chart"], found["release"]["status"], found["release"]["revision"]) == ("1.2.3", "deployed", 1)
    assert found["rolled_out"] is True
    assert all(component["available"] == component["desired"] == 1 for component in found["components"])
    assert found["mesh_config"]["sidecar_image"] == "flomesh/pipy:0.70.0-46"
    assert found["mesh_config"]["gaps"] == []
    assert [(hook["alive"], hook["ca_bundle"], hook["version"]) for hook in found["webhooks"]] == [(True, True, "1.2.3")] * 2
    assert len(found["crds"]) == 13
    assert {crd["conversion"] for crd in found["crds"]} == {"None"}
    assert found["ca_secret"] is True
    # The fixture has one namespace that is enrolled and ignored.
    assert codes(result) == {"namespace-ignored"}
    assert result["summary"] == {"meshes": 1, "errors": 0, "warnings": 1, "infos": 0}


def test_namespaces_and_pods_are_those_of_the_cluster(mesh: Cluster) -> None:
    found = info(mesh)["meshes"][0]
    namespaces = mesh.api.get("/api/v1/namespaces?labelSelector=openservicemesh.io/monitored-by%3Dosm")["items"]
    names = [item["metadata"]["name"] for item in namespaces]
    pods = [pod for pod in mesh.api.get("/api/v1/pods")["items"] if pod["metadata"]["namespace"] in names]
    injected = [pod for pod in pods if any(container["name"] == "sidecar" for container in pod["spec"]["containers"])]
    assert [row["name"] for row in found["namespaces"]] == names
    assert [row["name"] for row in found["namespaces"] if row["ignored"]] == ["legacy"]
    assert sum(row["pods"] for row in found["namespaces"]) == found["data_plane"]["pods"] == len(pods)
    assert found["data_plane"]["injected"] == found["data_plane"]["current"] == len(injected) > 0


def test_changes_nothing_in_either_mode(mesh: Cluster) -> None:
    mark = mesh.mark()
    live = run_module("mesh_info", {"kubeconfig": str(mesh.kubeconfig)})
    check = run_module("mesh_info", {"kubeconfig": str(mesh.kubeconfig)}, check=True, diff=True)
    assert mesh.writes_since(mark, user_agent=AGENT) == []
    assert live["meshes"] == check["meshes"]
    assert {event.verb for event in requests(mesh, mark)} <= {"get", "list"}


def test_without_the_data_plane(mesh: Cluster) -> None:
    mark = mesh.mark()
    found = info(mesh, data_plane=False)["meshes"][0]
    assert found["data_plane"] is None
    assert "pods" not in found["namespaces"][0]
    assert [event.uri for event in requests(mesh, mark) if event.resource == "pods" and not event.namespace] == []


def test_secrets_are_read_by_metadata_except_the_newest_record(mesh: Cluster) -> None:
    mark = mesh.mark()
    result = info(mesh)
    read = [event.name for event in requests(mesh, mark) if event.resource == "secrets" and event.verb == "get"]
    assert sorted(read) == ["osm-ca-bundle", "sh.helm.release.v1.osm.v1"]
    private_key = mesh.api.get("/api/v1/namespaces/osm-system/secrets/osm-ca-bundle")["data"]["private.key"]
    assert private_key not in json.dumps(result)


# Bad input and missing permissions


def test_unknown_mesh_names_the_meshes_that_exist(mesh: Cluster) -> None:
    result = refused(mesh, mesh_name="osmm")
    assert "There is no mesh named osmm" in result["msg"]
    assert "osm in namespace osm-system (osm-edge 1.2.3)" in result["why"]
    assert result["next"] == "did you mean osm?"
    assert [each["name"] for each in result["meshes"]] == ["osm"]
    assert refused(mesh, mesh_namespace="elsewhere")["msg"].startswith("There is no mesh in namespace elsewhere")


def test_unreachable_server() -> None:
    address = f"https://127.0.0.1:{free_port()}"
    result = run_module("mesh_info", {"host": address, "api_key": "x", "validate_certs": False, "request_timeout": 5})
    assert result["failed"] is True
    assert address in result["msg"]
    assert "connection refused" in result["msg"]
    assert result["cluster"]["server"] == address


def test_credentials_that_are_not_accepted(mesh: Cluster) -> None:
    result = run_module("mesh_info", {"host": mesh.server, "api_key": "not-a-token", "validate_certs": False})
    assert result["failed"] is True
    assert result["http_status"] == 401
    assert "credentials" in result["next"]
    assert "not-a-token" not in json.dumps(result)


def test_wrong_cluster(mesh: Cluster) -> None:
    mark = mesh.mark()
    result = refused(mesh, expected_cluster="00000000-0000-0000-0000-000000000000")
    assert "00000000-0000-0000-0000-000000000000" in json.dumps(result)
    assert len(requests(mesh, mark)) == 1


def test_the_documented_role_is_enough(mesh: Cluster) -> None:
    kubeconfig = allow(mesh, "mesh-reader", DOCUMENTED_RULES)
    mark = mesh.mark()
    result = run_module("mesh_info", {"kubeconfig": kubeconfig})
    assert not result.get("failed"), result
    assert result["meshes"] == info(mesh)["meshes"]
    assert [str(event) for event in requests(mesh, mark) if event.code == 403] == []


def test_parts_that_may_not_be_read_are_unknown(mesh: Cluster) -> None:
    result = run_module("mesh_info", {"kubeconfig": allow(mesh, "mesh-visitor", ESSENTIAL_RULES)})
    assert not result.get("failed"), result
    found = result["meshes"][0]
    assert (found["name"], found["version"], found["data_plane"], found["mesh_config"], found["ca_secret"]) == (
        "osm",
        "1.2.3",
        None,
        None,
        None,
    )
    assert found["release"] == {"name": "osm", "namespace": "osm-system", "revision": None, "status": "", "chart": "", "updated": ""}
    told = {finding["what"] for finding in result["findings"] if finding["code"] == "not-readable"}
    assert "data plane: not allowed to list pods cluster-wide" in told
    assert "Helm releases: not allowed to list secrets in namespace osm-system" in told
    assert "CRDs: not allowed to list customresourcedefinitions.apiextensions.k8s.io cluster-wide" in told
    # Nothing is called missing that was only not seen.
    assert codes(result, "error") == set()


def test_release_is_found_by_a_user_who_may_read_secrets_only_there(mesh: Cluster) -> None:
    kubeconfig = allow(mesh, "mesh-local", ESSENTIAL_RULES)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "mesh-local", "namespace": "osm-system"}}
    rules = {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": READ}]}
    mesh.kubectl("apply", "-f", "-", stdin=json.dumps(role | rules))
    mesh.kubectl("-n", "osm-system", "create", "rolebinding", "mesh-local", "--role=mesh-local", "--user=mesh-local")
    result = run_module("mesh_info", {"kubeconfig": kubeconfig})
    assert result["meshes"][0]["release"]["status"] == "deployed"
    assert not any("Helm releases" in finding["what"] for finding in result["findings"])


def test_a_damaged_release_record_of_somebody_else_is_told_and_no_obstacle(mesh: Cluster) -> None:
    secret = {
        "metadata": {"name": "sh.helm.release.v1.bad.v1", "labels": {"owner": "helm", "name": "bad", "status": "deployed", "version": "1"}},
        "type": "helm.sh/release.v1",
        "data": {"release": "bm90IGEgcmVsZWFzZQ=="},
    }
    mesh.api.request("POST", "/api/v1/namespaces/osm-system/secrets", secret)
    try:
        result = info(mesh)
    finally:
        mesh.api.request("DELETE", "/api/v1/namespaces/osm-system/secrets/sh.helm.release.v1.bad.v1")
    assert not result.get("failed"), result
    (found,) = result["meshes"]
    assert found["release"]["status"] == "deployed"
    assert any("bad revision 1 cannot be read" in finding["what"] for finding in result["findings"])


def test_essential_permission_that_is_missing_is_named(mesh: Cluster) -> None:
    kubeconfig = allow(mesh, "mesh-stranger", ESSENTIAL_RULES[:1])
    result = run_module("mesh_info", {"kubeconfig": kubeconfig})
    assert result["failed"] is True
    assert "grant mesh-stranger the permission to list deployments.apps cluster-wide" in result["next"]


# What the nodes have left, images, the reconciler


def test_capacity(mesh: Cluster) -> None:
    capacity = info(mesh)["meshes"][0]["capacity"]
    nodes = mesh.api.get("/api/v1/nodes")["items"]
    assert (capacity["checked"], capacity["nodes"], capacity["surge"]["pods"], capacity["surge"]["fits"]) == (True, len(nodes), 3, True)
    assert capacity["free"]["cpu"] > capacity["surge"]["cpu"] > 1
    assert info(mesh, data_plane=False)["meshes"][0]["capacity"] is None


def test_image_of_another_version_than_the_chart(mesh: Cluster) -> None:
    images = ["osm-controller=flomesh/osm-edge-controller:1.2.2", "osm-pipy-repo=mirror.example.com/pipy-repo:9"]
    mesh.kubectl("-n", "osm-system", "set", "image", "deployment/osm-controller", *images)
    try:
        found = info(mesh)["meshes"][0]
        told = {finding["code"]: finding for finding in found["findings"]}
        controller = next(item for item in found["components"] if item["name"] == "osm-controller")
        assert (controller["version"], controller["chart_version"]) == ("1.2.2", "1.2.3")
        assert told["component-image-mismatch"]["object"]["name"] == "osm-controller"
        assert "osm-pipy-repo runs mirror.example.com/pipy-repo:9 instead of" in told["image-not-of-release"]["what"]
        assert "osm.pipyRepoImage=mirror.example.com/pipy-repo:9" in told["image-not-of-release"]["remedy"]
        assert "component-versions-differ" in told
    finally:
        mesh.kubectl("-n", "osm-system", "rollout", "undo", "deployment", "osm-controller")
    eventually(mesh, lambda seen: codes(seen) == {"namespace-ignored"})


def test_reconciler(mesh: Cluster) -> None:
    assert info(mesh)["meshes"][0]["reconciler"] == {"enabled": False, "components": [], "crds": 0, "webhooks": 0}

    def switch(state: str) -> None:
        chart = str(paths.CHARTS / "osm-edge-1.2.3")
        mesh.helm("upgrade", "osm", chart, "-n", "osm-system", "--reuse-values", "--set", f"osm.enableReconciler={state}")

    switch("true")
    try:
        result = eventually(mesh, lambda seen: seen["meshes"][0]["rolled_out"] and seen["meshes"][0]["reconciler"]["crds"] == 13)
        assert result["meshes"][0]["reconciler"]["components"] == ["osm-bootstrap", "osm-controller", "osm-injector"]
        assert "reconciler-enabled" in codes(result, "info")
    finally:
        switch("false")
    off = eventually(mesh, lambda seen: seen["meshes"][0]["rolled_out"] and not seen["meshes"][0]["reconciler"]["crds"])
    assert off["meshes"][0]["reconciler"]["enabled"] is False


# Leftovers


def test_bootstrap_secret_that_nothing_uses(mesh: Cluster) -> None:
    before = info(mesh)
    injected = before["meshes"][0]["data_plane"]["injected"]
    assert (before["leftovers"]["bootstrap_secrets"], before["leftovers"]["orphaned_bootstrap_secrets"]) == (injected, 0)
    labels = {"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm"}
    secret = {"metadata": {"name": "sidecar-bootstrap-config-0", "labels": labels}}
    path = "/api/v1/namespaces/bookstore/secrets"
    mesh.api.request("POST", path, secret)
    try:
        result = info(mesh)
    finally:
        mesh.api.request("DELETE", f"{path}/sidecar-bootstrap-config-0")
    assert (result["leftovers"]["bootstrap_secrets"], result["leftovers"]["orphaned_bootstrap_secrets"]) == (injected + 1, 1)
    (finding,) = [item for item in result["findings"] if item["code"] == "bootstrap-secrets-orphaned"]
    assert finding["object"]["name"] == "bookstore"
    assert info(mesh, data_plane=False)["leftovers"]["bootstrap_secrets"] is None


def test_what_a_hook_left(mesh: Cluster) -> None:
    """An installation that was broken off: the hook's objects are those of the chart."""
    chart = str(paths.CHARTS / "osm-edge-1.2.3")
    hook = mesh.helm("template", "blue", chart, "-n", "osm-system", "--show-only", "templates/preinstall-hook.yaml")
    mesh.kubectl("apply", "-f", "-", stdin=hook)
    try:
        result = info(mesh)
        kinds = {item["kind"] for item in result["leftovers"]["hooks"]}
        assert kinds == {"ClusterRole", "ClusterRoleBinding", "Job", "ServiceAccount"}
        (finding,) = [item for item in result["findings"] if item["code"] == "hook-left-behind"]
        assert finding["object"] == {"kind": "Job", "namespace": "osm-system", "name": "blue-preinstall"}
        for command in finding["remedy"].split("; "):
            mesh.kubectl(*command.split()[1:])
    finally:
        mesh.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=hook)
    assert info(mesh)["leftovers"]["hooks"] == []


def test_webhooks_without_labels_and_of_a_mesh_that_is_gone(mesh: Cluster) -> None:
    mesh.kubectl("label", "mutatingwebhookconfiguration", "osm-webhook-osm", "app.kubernetes.io/name-", "app.kubernetes.io/instance-")
    labels = {"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "gone", "app": "osm-injector"}
    stray = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "osm-validator-mesh-gone", "labels": labels},
        "webhooks": [
            {
                "name": "osm-validator.k8s.io",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"service": {"namespace": "gone", "name": "validator-of-old"}},
                "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["nothings"], "operations": ["CREATE"]}],
            }
        ],
    }
    mesh.kubectl("apply", "-f", "-", stdin=json.dumps(stray))
    try:
        result = info(mesh)
        assert "webhook-missing" not in codes(result)
        unlabelled = next(item for item in result["meshes"][0]["findings"] if item["code"] == "webhook-without-labels")
        mesh.kubectl(*unlabelled["remedy"].split()[1:])
        (finding,) = [item for item in result["findings"] if item["code"] == "webhook-of-absent-mesh"]
        assert (finding["severity"], finding["object"]["name"]) == ("error", "osm-validator-mesh-gone")
        assert "gone/validator-of-old, which does not exist" in finding["what"]
        mesh.kubectl(*finding["remedy"].split()[1:])
    finally:
        mesh.kubectl("delete", "validatingwebhookconfiguration", "osm-validator-mesh-gone", "--ignore-not-found")
    assert codes(info(mesh)) == {"namespace-ignored"}


def test_definition_that_is_converted_by_nobody(mesh: Cluster) -> None:
    """What a cleanup hook that failed leaves of 1.1 (osm#4466)."""
    name = "httproutegroups.specs.smi-spec.io"
    service = {"namespace": "gone", "name": "osm-bootstrap", "path": "/convert"}
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
    mesh.kubectl(
        "patch", "crd", name, "--type=merge", "-p", json.dumps({"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}})
    )
    finding = next(item for item in info(mesh)["findings"] if item["code"] == "crd-conversion-webhook")
    assert (finding["severity"], finding["object"]["name"]) == ("error", name)
    # The remedy is a command that works.
    mesh.kubectl("patch", "crd", name, "--type=merge", "-p", finding["remedy"].partition(" -p ")[2].strip("'"))
    assert codes(info(mesh)) == {"namespace-ignored"}


# Damage


def test_dead_injector(mesh: Cluster) -> None:
    mesh.kubectl("-n", "osm-system", "scale", "deployment", "osm-injector", "--replicas=0")
    try:
        result = eventually(mesh, lambda seen: "webhook-dangling" in codes(seen))
        finding = next(item for item in result["meshes"][0]["findings"] if item["code"] == "webhook-dangling")
        assert finding["severity"] == "error"
        assert finding["object"]["name"] == "osm-webhook-osm"
        assert "no pod can be created in 5 enrolled namespaces" in finding["why"]
    finally:
        mesh.kubectl("-n", "osm-system", "scale", "deployment", "osm-injector", "--replicas=1")
    assert "webhook-dangling" not in codes(eventually(mesh, lambda seen: seen["meshes"][0]["rolled_out"]))


def test_component_whose_image_cannot_run(mesh: Cluster) -> None:
    """A rollout that cannot go on: no node is large enough for the new pod."""
    huge = json.dumps([{"op": "add", "path": "/spec/template/spec/containers/0/resources", "value": {"requests": {"cpu": "10000"}}}])
    mesh.kubectl("-n", "osm-system", "patch", "deployment", "osm-bootstrap", "--type=json", "-p", huge)
    try:
        found = eventually(mesh, lambda seen: "nsufficient cpu" in json.dumps(seen))["meshes"][0]
        assert found["rolled_out"] is False
        finding = next(item for item in found["findings"] if item["code"] == "component-not-rolled-out")
        assert finding["severity"] == "warning"
        assert "1 old replicas are pending termination" in finding["what"]
        assert "nsufficient cpu" in finding["what"]
        (trouble,) = next(item for item in found["components"] if item["name"] == "osm-bootstrap")["diagnosis"]
        assert (trouble["cause"], trouble["object"]["kind"]) == ("insufficient-cpu", "Pod")
        assert trouble["remedy"] == finding["remedy"]
        assert "osm.osmBootstrap.resource.requests" in trouble["remedy"]
    finally:
        mesh.kubectl("-n", "osm-system", "rollout", "undo", "deployment", "osm-bootstrap")
    eventually(mesh, lambda seen: seen["meshes"][0]["rolled_out"])


def test_component_that_does_not_know_a_parameter_of_its_chart(mesh: Cluster) -> None:
    """The injector of 1.1 with the command line of chart 1.2: it says so in its log and crashes in a loop."""
    mesh.kubectl("-n", "osm-system", "set", "image", "deployment/osm-injector", "osm-injector=flomesh/osm-edge-injector:1.1.1")
    try:
        found = eventually(mesh, lambda seen: "cli-mismatch" in json.dumps(seen["meshes"][0]["components"]))["meshes"][0]
        injector = next(item for item in found["components"] if item["name"] == "osm-injector")
        (trouble,) = [item for item in injector["diagnosis"] if item["cause"] == "cli-mismatch"]
        assert "unknown flag: --" in trouble["message"]
        assert "osm.image.tag" in trouble["remedy"]
        mismatch = next(item for item in found["findings"] if item["code"] == "component-image-mismatch")
        assert (mismatch["severity"], mismatch["object"]["name"]) == ("error", "osm-injector")
    finally:
        mesh.kubectl("-n", "osm-system", "rollout", "undo", "deployment", "osm-injector")
    eventually(mesh, lambda seen: codes(seen) == {"namespace-ignored"})


def test_a_sound_mesh_costs_no_diagnosis(mesh: Cluster) -> None:
    mark = mesh.mark()
    info(mesh)
    assert [str(event) for event in requests(mesh, mark) if event.resource in ("events", "pods/log")] == []


def test_controller_that_was_orphaned(mesh: Cluster) -> None:
    """The state in which an upgrade may be killed: the mesh must still be found, with its release."""
    deployment = mesh.kubectl("-n", "osm-system", "get", "deployment", "osm-controller", "-o", "json")
    mesh.kubectl("-n", "osm-system", "delete", "deployment", "osm-controller", "--cascade=orphan")
    try:
        result = eventually(mesh, lambda seen: "orphaned-replica-set" in codes(seen))
        found = result["meshes"][0]
        assert (found["name"], found["version"], found["release"]["name"], found["rolled_out"]) == ("osm", "1.2.3", "osm", False)
        assert "component-missing" in codes(result, "error")
    finally:
        mesh.kubectl("apply", "-f", "-", stdin=json.dumps(_again(json.loads(deployment))))
    eventually(mesh, lambda seen: codes(seen) == {"namespace-ignored"})


def _again(item: Result) -> Result:
    """What has to be sent to make an object again."""
    kept = {key: item["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept, "spec": item["spec"]}


def test_pods_and_namespaces_that_are_not_as_they_should_be(mesh: Cluster) -> None:
    def annotate(value: str) -> None:
        mesh.kubectl("annotate", "namespace", "outside", "--overwrite", f"openservicemesh.io/sidecar-injection{value}")

    mesh.kubectl("label", "namespace", "outside", "openservicemesh.io/monitored-by=osm")
    try:
        assert "injection-not-set" in codes(info(mesh), "info")
        annotate("=enabled")
        result = info(mesh)
        assert "sidecar-missing" in codes(result)
        assert result["meshes"][0]["data_plane"]["expected_but_missing"] > 0
        annotate("=on")
        assert "injection-annotation-invalid" in codes(info(mesh), "error")
        mesh.kubectl("label", "namespace", "outside", "--overwrite", "openservicemesh.io/monitored-by=ghost")
        assert "namespace-of-absent-mesh" in codes(info(mesh))
    finally:
        mesh.kubectl("label", "namespace", "outside", "openservicemesh.io/monitored-by-")
        annotate("-")
    assert codes(info(mesh)) == {"namespace-ignored"}


def test_sidecars_of_an_older_image(mesh: Cluster) -> None:
    drivers = mesh.api.get("/apis/config.openservicemesh.io/v1alpha2/namespaces/osm-system/meshconfigs/osm-mesh-config")["spec"]["sidecar"]

    def set_image(image: str) -> None:
        patch = {"spec": {"sidecar": {"sidecarImage": image, "sidecarDrivers": drivers["sidecarDrivers"]}}}
        mesh.kubectl("-n", "osm-system", "patch", "meshconfig", "osm-mesh-config", "--type=merge", "-p", json.dumps(patch))

    set_image("registry.example.org/flomesh/pipy:0.70.0-2")
    try:
        found = info(mesh)["meshes"][0]
        assert found["data_plane"]["stale"] == found["data_plane"]["injected"]
        reason = "runs flomesh/pipy:0.70.0-46, new pods get registry.example.org/flomesh/pipy:0.70.0-2"
        assert found["data_plane"]["stale_reasons"] == {reason: found["data_plane"]["stale"]}
        assert {"sidecar-stale", "sidecar-image-stale"} <= {item["code"] for item in found["findings"]}
    finally:
        set_image("")
    assert codes(info(mesh)) == {"namespace-ignored"}


def test_upgrade_that_failed_half_way_and_uninstallation_that_left_things(mesh: Cluster) -> None:
    """What plain helm makes of an upgrade to 1.3 and of an uninstallation without its hook. The last test: nothing is put back."""
    with pytest.raises(SandboxError, match="field is immutable"):
        mesh.helm("upgrade", "osm", str(paths.CHARTS / "osm-edge-1.3.9"), "-n", "osm-system", "--reset-then-reuse-values")
    # The old injector serves until the new one is ready.
    result = eventually(mesh, lambda seen: len(seen["meshes"][0]["crds"]) == 19 and seen["meshes"][0]["rolled_out"])
    found = result["meshes"][0]
    assert found["versions"]["control_plane"] == {"osm-bootstrap": "1.3.9", "osm-controller": "1.2.3", "osm-injector": "1.3.9"}
    assert (found["version"], found["versions"]["chart"], found["release"]["status"]) == ("1.2.3", "1.3.9", "failed")
    errors = {"component-versions-differ", "release-failed", "interception-mode-missing", "plugin-chains-missing"}
    assert errors <= codes(result, "error")
    assert {"webhook-version-label", "release-version-mismatch", "sidecar-stale"} <= codes(result, "warning")

    mesh.kubectl("-n", "bookstore", "rollout", "restart", "deployment")
    restarted = eventually(mesh, lambda seen: seen["meshes"][0]["data_plane"]["without_interception"] > 0)
    finding = next(item for item in restarted["meshes"][0]["findings"] if item["code"] == "pods-without-interception")
    assert finding["object"] == {"kind": "Namespace", "namespace": "", "name": "bookstore"}

    mesh.helm("uninstall", "osm", "-n", "osm-system", "--no-hooks")
    left = eventually(mesh, lambda seen: not seen["meshes"][0]["components"])
    assert (left["meshes"][0]["name"], left["meshes"][0]["release"]) == ("osm", None)
    assert {"control-plane-missing", "webhook-dangling"} <= codes(left, "error")


# Scale


def test_requests_grow_with_pages(fresh_cluster: Callable[[Options], Cluster]) -> None:
    """1,100 pods in 60 namespaces cost two requests more than none: pages of 500."""
    api_cluster = fresh_cluster(Options(api_only=True))
    empty = api_cluster.mark()
    assert info(api_cluster)["meshes"] == []
    before = len(requests(api_cluster, empty))
    api, spaces = api_cluster.api, [f"scale-{number}" for number in range(60)]

    def make(space: str) -> None:
        labels = {"openservicemesh.io/monitored-by": "osm"}
        api.request("POST", "/api/v1/namespaces", {"metadata": {"name": space, "labels": labels}})
        # Nobody makes the default one here, and no pod is admitted without.
        api.request("POST", f"/api/v1/namespaces/{space}/serviceaccounts", {"metadata": {"name": "default"}})

    def fill(number: int) -> None:
        spec = {"automountServiceAccountToken": False, "containers": [{"name": "app", "image": "app:1"}]}
        api.request("POST", f"/api/v1/namespaces/{spaces[number % 60]}/pods", {"metadata": {"name": f"pod-{number}"}, "spec": spec})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, spaces))
        list(pool.map(fill, range(1100)))
    mark = api_cluster.mark()
    result = info(api_cluster)
    lists = [event for event in requests(api_cluster, mark) if event.resource == "pods"]
    assert len(lists) == 3
    assert len(requests(api_cluster, mark)) == before + 2
    assert "namespace-of-absent-mesh" in codes(result)
    assert "and 52 more" in result["findings"][0]["what"]
