# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_preflight against a real API server: what it finds, that it only reads, how often, with which permissions, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from failures import assert_told, unchanged
from mesh_clusters import Mesh, MeshCluster
from run_module import run_module
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError

Result = dict[str, Any]
RBAC = Path(__file__).resolve().parents[2] / "docs" / "rbac"
OFFENDERS = (Path(__file__).parent / "preflight_offenders.yaml").read_text(encoding="utf-8")
NEW_MESH = Mesh("1.3.9")

# What is wrong in preflight_offenders.yaml, on a mesh as its chart installs it.
EXPECTED = {
    ("error", "called-by-api-server", "Service", "tools", "hooks"),
    ("error", "exposed-without-ingress-backend", "Service", "shop", "cart"),
    ("error", "invalid-annotation", "Deployment", "tools", "operator"),
    ("error", "invalid-annotation", "Namespace", "", "tools"),
    ("error", "istio-injection", "Namespace", "", "tools"),
    ("error", "pod-security-enforced", "Namespace", "", "shop"),
    ("error", "reserved-port", "Deployment", "shop", "cart"),
    ("error", "reserved-user", "Deployment", "shop", "cart"),
    ("error", "two-meshes", "Namespace", "", "tools"),
    ("error", "windows-pod-without-image", "Pod", "shop", "shell"),
    ("warning", "app-protocol-case", "Service", "shop", "cart"),
    ("warning", "app-protocol-unsupported", "Service", "shop", "cart"),
    ("warning", "host-network", "DaemonSet", "tools", "agent"),
    ("warning", "invalid-sidecar-resource", "Namespace", "", "tools"),
    ("warning", "job-never-completes", "CronJob", "tools", "nightly"),
    ("warning", "non-root-without-user", "Deployment", "shop", "cart"),
    ("warning", "protocol-misread", "Service", "shop", "cart"),
    ("warning", "reserved-target-port", "Service", "shop", "peers"),
    ("warning", "sidecar-in-template", "StatefulSet", "tools", "by-hand"),
    ("info", "callers-not-known", "Mesh", "osm-system", "osm"),
    ("info", "headless-service", "Service", "shop", "peers"),
    ("info", "not-intercepted", "Service", "shop", "cart"),
    ("info", "opted-out", "Job", "tools", "import"),
    ("info", "pod-security-told", "Namespace", "", "shop"),
    ("info", "protocol-guessed", "Service", "shop", "cart"),
}


@pytest.fixture(scope="module")
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh, and beside it namespaces that are not enrolled."""
    cluster = mesh_cluster.reset(NEW_MESH)
    cluster.kubectl("apply", "-f", "-", stdin=OFFENDERS)
    return mesh_cluster


def check(mesh: MeshCluster, *, check: bool = False, **options: Any) -> Result:
    return run_module("mesh_preflight", mesh.options(**options), check=check)


def found(result: Result) -> set[tuple[str, ...]]:
    return {
        (item["severity"], item["code"], *(item["object"][part] for part in ("kind", "namespace", "name"))) for item in result["findings"]
    }


def codes(result: Result, name: str = "") -> set[str]:
    return {item["code"] for item in result["findings"] if name in ("", item["object"]["name"])}


# What is found


def test_what_is_wrong_is_found(mesh: MeshCluster) -> None:
    result = check(mesh, namespaces=["shop", "tools"], fail_on="never")
    assert "failed" not in result, result.get("msg")
    assert found(result) == EXPECTED
    severities = [item["severity"] for item in result["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    counted = {f"{severity}s": severities.count(severity) for severity in ("error", "warning", "info")}
    # The Deployment listens on two reserved ports.
    assert len(severities) == len(EXPECTED) + 1
    assert result["summary"] == {
        "mesh": "osm",
        "mesh_namespace": "osm-system",
        "product": "osm-edge",
        "version": "1.3.9",
        "permissive": True,
        "namespaces": 2,
        "workloads": 7,
        "injected_workloads": 5,
        **counted,
    }
    row = {"kind": "Deployment", "namespace": "tools", "name": "operator", "service_account": "operator"}
    assert result["api_server"]["workloads"] == [{**row, "allowed_by": "traffic.enableEgress"}]
    kubernetes = mesh.get("/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    assert (result["api_server"]["service_ips"], result["api_server"]["port"]) == ([f"{kubernetes}/32"], 443)


def test_a_sound_namespace(mesh: MeshCluster) -> None:
    result = check(mesh, namespaces=["sound"], fail_on="warning")
    assert "failed" not in result, result.get("msg")
    assert codes(result) == {"callers-not-known"}
    assert result["changed"] is False
    assert result["order"] == ["sound"]


def test_it_only_reads(mesh: MeshCluster) -> None:
    mark = mesh.cluster.mark()
    with unchanged(mesh.cluster):
        assert found(check(mesh, namespaces=["shop", "tools"], fail_on="never")) == EXPECTED
        assert found(check(mesh, namespaces=["shop", "tools"], fail_on="never", check=True)) == EXPECTED
    ours = [event for event in mesh.cluster.audit_since(mark) if "mesh_preflight" in event.user_agent]
    assert {event.verb for event in ours} <= {"get", "list"}
    assert ours != []


def test_failing_tells_all_the_same(mesh: MeshCluster) -> None:
    result = check(mesh, namespaces=["shop", "tools"])
    assert_told(result, "11 errors", "Service tools/hooks", "called-by-api-server", "fail_on is error", cluster=mesh.cluster)
    assert found(result) == EXPECTED
    assert result["summary"]["errors"] == 11
    assert result["api_server"]["port"] == 443
    assert result["order"] == ["shop", "tools"]
    warned = check(mesh, selector="tier=sound", fail_on="warning")
    assert "failed" not in warned
    # Names and selector together.
    both = check(mesh, namespaces=["sound"], selector="tier=apps", fail_on="never")
    assert both["summary"]["namespaces"] == 3
    assert found(both) >= EXPECTED - {("info", "callers-not-known", "Mesh", "osm-system", "osm")}


# That it is true


@pytest.fixture
def enrolled(mesh: MeshCluster) -> Iterator[Cluster]:
    """The namespace shop, enrolled as the command line of the mesh does it."""
    cluster = mesh.cluster
    cluster.kubectl("label", "namespace", "shop", "openservicemesh.io/monitored-by=osm")
    cluster.kubectl("annotate", "namespace", "shop", "openservicemesh.io/sidecar-injection=enabled")
    yield cluster
    cluster.kubectl("label", "namespace", "shop", "openservicemesh.io/monitored-by-")
    cluster.kubectl("annotate", "namespace", "shop", "openservicemesh.io/sidecar-injection-")


def refusal(cluster: Cluster, annotations: dict[str, str]) -> str:
    """What the API server says when a pod of this kind is created in shop (a dry run)."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "shop", "annotations": annotations},
        "spec": {"containers": [{"name": "probe", "image": "probe:1"}]},
    }
    try:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    except SandboxError as error:
        return str(error)
    return ""


def test_pod_security_and_the_injector_do_refuse(enrolled: Cluster) -> None:
    """What the findings say will happen, from the API server's own mouth."""
    assert "NET_ADMIN" in refusal(enrolled, {})
    assert "Invalid port value" in refusal(enrolled, {"openservicemesh.io/outbound-port-exclusion-list": "none"})
    assert refusal(enrolled, {"openservicemesh.io/sidecar-injection": "disabled"}) == ""


@pytest.mark.usefixtures("enrolled")
def test_enrolled_or_not_makes_no_difference(mesh: MeshCluster) -> None:
    enrolled_shop = {item for item in found(check(mesh, fail_on="never")) if item[2] != "Mesh"}
    assert enrolled_shop == {item for item in EXPECTED if item[3] == "shop" or item[4] == "shop"}


# Policies


@pytest.fixture
def strict(mesh: MeshCluster) -> Iterator[MeshCluster]:
    """Permissive mode and egress are off."""
    mesh.patch_mesh_config({"traffic": {"enablePermissiveTrafficPolicyMode": False, "enableEgress": False}})
    yield mesh
    mesh.patch_mesh_config({"traffic": {"enablePermissiveTrafficPolicyMode": True, "enableEgress": True}})


def traffic_target(source: str, destination: str) -> Result:
    (client, client_name), (server, server_name) = source.split("/"), destination.split("/")
    account = {"kind": "ServiceAccount"}
    return {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": f"{client}-{client_name}", "namespace": server},
        "spec": {
            "destination": {**account, "name": server_name, "namespace": server},
            "sources": [{**account, "name": client_name, "namespace": client}],
            "rules": [{"kind": "TCPRoute", "name": "all"}],
        },
    }


POLICIES: list[Result] = [
    traffic_target("tools/operator", "shop/default"),
    {
        "apiVersion": "policy.openservicemesh.io/v1alpha1",
        "kind": "IngressBackend",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "backends": [{"name": "cart", "port": {"number": number, "protocol": "http"}} for number in (8080, 3306, 81, 82)],
            "sources": [{"kind": "IPRange", "name": "192.0.2.0/24"}],
        },
    },
    {
        "apiVersion": "split.smi-spec.io/v1alpha2",
        "kind": "TrafficSplit",
        "metadata": {"name": "split", "namespace": "shop"},
        "spec": {"service": "root", "backends": [{"service": "cart", "weight": 100}]},
    },
]


def egress(address: str) -> Result:
    return {
        "apiVersion": "policy.openservicemesh.io/v1alpha1",
        "kind": "Egress",
        "metadata": {"name": "api", "namespace": "tools"},
        "spec": {
            "sources": [{"kind": "ServiceAccount", "name": "operator", "namespace": "tools"}],
            "ipAddresses": [address],
            "ports": [{"number": 443, "protocol": "https"}],
        },
    }


def test_policies_that_are_there_and_policies_that_will_be(strict: MeshCluster) -> None:
    scope: dict[str, Any] = {"namespaces": ["shop", "tools"], "fail_on": "never"}
    bare = check(strict, **scope)
    denied = {(row["namespace"], row["service_account"], row["direction"]) for row in bare["denied_without_policies"]}
    assert denied == {
        ("shop", "default", "inbound"),
        ("shop", "default", "outbound"),
        ("tools", "default", "outbound"),
        ("tools", "operator", "inbound"),
        ("tools", "operator", "outbound"),
    }
    assert codes(bare, "operator") == {"invalid-annotation", "api-server-access", "inbound-denied", "outbound-denied"}
    policies = [*POLICIES, egress(bare["api_server"]["service_ips"][0])]
    announced = check(strict, policies=policies, **scope)
    strict.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(policies))
    try:
        real = check(strict, **scope)
    finally:
        strict.cluster.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(policies))
    assert found(announced) == found(real)
    assert announced["denied_without_policies"] == real["denied_without_policies"]
    assert real["order"] == announced["order"] == ["tools", "shop"]
    assert codes(real, "operator") == {"invalid-annotation", "inbound-denied"}
    assert {"exposed-without-ingress-backend", "traffic-split-root-selector"} & codes(real) == {"traffic-split-root-selector"}
    assert real["api_server"]["workloads"][0]["allowed_by"] == "Egress tools/api"


# Other APIs


def definition(plural: str, kind: str, group: str, version: str, scope: str = "Namespaced") -> Result:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": group,
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": scope,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def test_gateway_api_and_openshift(mesh: MeshCluster) -> None:
    """Their definitions, with the few fields that matter; only an older version of HTTPRoute is served."""
    definitions = [
        definition("httproutes", "HTTPRoute", "gateway.networking.k8s.io", "v1beta1"),
        definition("routes", "Route", "route.openshift.io", "v1"),
        definition("securitycontextconstraints", "SecurityContextConstraints", "security.openshift.io", "v1", "Cluster"),
    ]
    objects: list[Result] = [
        {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "parentRefs": [{"name": "gateway"}],
                "rules": [{"backendRefs": [{"name": "client", "namespace": "sound", "port": 80}]}],
            },
        },
        {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "metadata": {"name": "web", "namespace": "sound"},
            "spec": {"to": {"kind": "Service", "name": "client"}},
        },
        {
            "apiVersion": "security.openshift.io/v1",
            "kind": "SecurityContextConstraints",
            "metadata": {"name": "privileged"},
            "allowPrivilegedContainer": True,
            "runAsUser": {"type": "RunAsAny"},
        },
    ]
    cluster = mesh.cluster
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(definitions))
    try:
        cluster.kubectl("wait", "--for=condition=Established", *(f"crd/{item['metadata']['name']}" for item in definitions))
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        result = check(mesh, namespaces=["sound"], fail_on="never")
        bind = ("create", "rolebinding", "scc", "-n", "sound", "--serviceaccount=sound:client")
        cluster.kubectl(*bind, "--clusterrole=system:openshift:scc:privileged")
        bound = check(mesh, namespaces=["sound"], fail_on="never")
    finally:
        cluster.kubectl("delete", "rolebinding", "scc", "-n", "sound", "--ignore-not-found")
        cluster.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(definitions))
    expected = {"exposed-without-ingress-backend", "init-container-not-privileged", "no-privileged-scc", "callers-not-known"}
    assert codes(result) == expected
    assert codes(bound) == expected - {"no-privileged-scc"}
    exposed = next(item for item in result["findings"] if item["code"] == "exposed-without-ingress-backend")
    assert "HTTPRoute default/web, Route sound/web" in exposed["what"]


# What it may read


def roles() -> list[Result]:
    documents = [yaml.safe_load((RBAC / f"planner-{name}.yaml").read_text(encoding="utf-8")) for name in ("mesh_info", "mesh_preflight")]
    return [role for document in documents for role in document.get("items", [document])]


def user_with(mesh: MeshCluster, user: str, granted: list[Result]) -> str:
    """The kubeconfig of a user who has exactly these roles, bound as their comments say."""
    objects: list[Result] = []
    for role in granted:
        name = f"{role['metadata']['name']}-{user}"
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        local = role["metadata"]["name"].endswith("-namespace")
        about = {"name": name, **({"namespace": "osm-system"} if local else {})}
        binding = {"apiVersion": role["apiVersion"], "kind": "RoleBinding" if local else "ClusterRoleBinding", "metadata": about}
        objects += [{**role, "metadata": {"name": name}}, {**binding, "roleRef": reference, "subjects": [subject]}]
    mesh.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(mesh.cluster.kubeconfig_for(user))


def test_the_role_of_a_planner_is_enough(mesh: MeshCluster) -> None:
    kubeconfig = user_with(mesh, "preflight", roles())
    for options in ({"namespaces": ["shop", "tools"]}, {"selector": "tier"}):
        result = run_module("mesh_preflight", {"kubeconfig": kubeconfig, "fail_on": "never", **options})
        assert "failed" not in result, result.get("msg")
        assert found(result) >= EXPECTED - {("info", "callers-not-known", "Mesh", "osm-system", "osm")}
        assert "not-checked" not in codes(result)


@pytest.mark.parametrize(
    ("resource", "missed"),
    [
        ("jobs", "opted-out"),
        ("ingresses", None),
        ("nodes", None),
        ("clusterrolebindings", None),
        ("ingressbackends", None),
        ("services", "exposed-without-ingress-backend"),
    ],
)
def test_what_may_not_be_read_is_told(mesh: MeshCluster, resource: str, missed: str | None) -> None:
    less = roles()
    for role in less:
        # The namespace of the control plane is read by another role.
        if not role["metadata"]["name"].endswith("-namespace"):
            for rule in role["rules"]:
                rule["resources"] = [kept for kept in rule["resources"] if kept != resource] or ["nothing"]
    user = f"preflight-no-{resource}"
    result = run_module("mesh_preflight", {"kubeconfig": user_with(mesh, user, less), "namespaces": ["shop", "tools"], "fail_on": "never"})
    assert "failed" not in result, result.get("msg")
    told = [item["what"] for item in result["findings"] if item["code"] == "not-checked"]
    assert any(f"list {resource}" in what or f"get {resource}" in what for what in told), told
    assert missed not in codes(result)


def test_without_namespaces_there_is_nothing_to_say(mesh: MeshCluster) -> None:
    kubeconfig = str(mesh.cluster.kubeconfig_for("preflight-nobody"))
    result = run_module("mesh_preflight", {"kubeconfig": kubeconfig, "namespaces": ["shop"]})
    assert result["failed"] is True
    assert "preflight-nobody" in result["msg"]


# What it refuses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"namespaces": ["shopp", "sound"]}, ["shopp", "did you mean shop?"]),
        ({"namespaces": ["nothing-like-it"]}, ["There is no namespace nothing-like-it"]),
        ({"namespaces": [""]}, ["(empty)"]),
        ({"selector": "tier=nobody"}, ["The selector matches no namespace"]),
        ({"namespaces": ["shop"], "mesh_name": "osn"}, ["no mesh named osn", "did you mean osm?"]),
        ({"namespaces": ["shop"], "mesh_namespace": "elsewhere"}, ["elsewhere"]),
        ({}, ["No namespace is enrolled in mesh osm"]),
        ({"namespaces": ["shop"], "policies": [{"kind": "Egress"}]}, ["Element 0 of policies"]),
    ],
)
def test_what_is_refused(mesh: MeshCluster, options: Result, words: list[str]) -> None:
    with unchanged(mesh.cluster):
        assert_told(check(mesh, **options), *words, cluster=mesh.cluster)


def test_a_selector_that_is_none(mesh: MeshCluster) -> None:
    result = check(mesh, selector="a==b==c")
    assert result["failed"] is True
    assert "Traceback" not in json.dumps(result)
    assert "list namespaces" in result["msg"]


@pytest.mark.parametrize("options", [{"fail_on": "info"}, {"state": "absent"}, {"policies": "x"}])
def test_options_that_are_none(mesh: MeshCluster, options: Result) -> None:
    assert check(mesh, namespaces=["shop"], **options)["failed"] is True


# How often it asks: last, because it leaves many namespaces behind


MANY = 300


def test_the_number_of_requests_does_not_grow_with_namespaces(mesh: MeshCluster) -> None:
    cluster = mesh.cluster
    names = [f"many-{number:03}" for number in range(MANY)]
    items: list[Result] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
    ports = [{"name": "web", "port": 80}]
    items += [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": name}, "spec": {"ports": ports}} for name in names
    ]
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    few, many = requests(mesh, ["shop", "tools"]), requests(mesh, names)
    print(f"{few} requests for 2 namespaces, {many} for {MANY}")
    assert many <= 45
    # Each of the few is asked for by itself.
    assert few <= 60


def requests(mesh: MeshCluster, names: list[str]) -> int:
    mark = mesh.cluster.mark()
    result = check(mesh, namespaces=names, fail_on="never")
    assert result["summary"]["namespaces"] == len(names)
    if len(names) == MANY:
        assert [item["code"] for item in result["findings"]].count("protocol-guessed") == MANY
    return sum(1 for event in mesh.cluster.audit_since(mark) if "mesh_preflight" in event.user_agent)
