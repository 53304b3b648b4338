# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API client, the connection and helm against a real API server; its audit log is the witness."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandboxlib import binaries
from sandboxlib.cluster import Cluster

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import read_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import (
    ChartNotFound,
    FieldConflict,
    HelmError,
    ImmutableField,
    KubeVersionMismatch,
    ReleaseNotFound,
    ReleasePending,
    RepositoryUnreachable,
    SchemaViolation,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api, PatchType
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection, connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AdmissionDenied,
    AlreadyExists,
    Conflict,
    FieldManagerConflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unreachable,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, CRD, DEPLOYMENT, NAMESPACE, NODE, SECRET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import list_releases, read_release, secret_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

WHO_AM_I = Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)


@dataclass
class Caller:
    """What a module is for ``connect``."""

    params: Mapping[str, Any]
    tmpdir: str
    name: str = field(default="test_kube_api")


def connection_to(directory: Path, **params: Any) -> Connection:
    directory.mkdir(exist_ok=True)
    return connect(Caller(params, str(directory)), explicit=True)


@pytest.fixture
def connection(api_cluster: Cluster, tmp_path: Path) -> Connection:
    return connection_to(tmp_path / "module", kubeconfig=str(api_cluster.kubeconfig))


@pytest.fixture
def api(connection: Connection) -> Api:
    return connection.api


@pytest.fixture
def place(api: Api) -> str:
    """A new namespace; on a cluster without controllers it cannot be deleted again, and is left."""
    name = f"kube-api-{uuid.uuid4().hex[:8]}"
    api.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def test_no_request_is_sent_and_no_file_left_in_tmp_before_the_first_call(api_cluster: Cluster, tmp_path: Path) -> None:
    mark, before = api_cluster.mark(), set(os.listdir(os.environ["TMPDIR"]))
    connection = connection_to(tmp_path / "module", kubeconfig=str(api_cluster.kubeconfig))
    api_cluster.kubectl("get", "--raw", "/version")
    assert [event.uri for event in api_cluster.audit_since(mark)] == ["/version"]
    assert set(os.listdir(os.environ["TMPDIR"])) == before
    assert connection.version == json.loads(api_cluster.kubectl("get", "--raw", "/version"))["gitVersion"].removeprefix("v")


def test_objects_are_created_read_listed_and_deleted(api: Api, api_cluster: Cluster, place: str) -> None:
    mark = api_cluster.mark()
    created = api.map(lambda number: api.create(CONFIGMAP, config_map(f"item-{number}", place, n=str(number))), range(7))
    assert [item["metadata"]["name"] for item in created] == [f"item-{number}" for number in range(7)]
    with pytest.raises(AlreadyExists):
        api.create(CONFIGMAP, config_map("item-0", place))
    listed = list(api.list(CONFIGMAP, place, field_selector="metadata.name!=kube-root-ca.crt", limit=3))
    assert sorted(item["data"]["n"] for item in listed) == [str(number) for number in range(7)]
    assert {(item["apiVersion"], item["kind"]) for item in listed} == {("v1", "ConfigMap")}
    light = list(api.list(CONFIGMAP, place, metadata_only=True))
    assert {item["kind"] for item in light} == {"ConfigMap"}
    assert not any("data" in item for item in light)
    assert api.delete(CONFIGMAP, "item-3", place) is True
    assert api.delete(CONFIGMAP, "item-3", place) is False
    assert api.get_or_none(CONFIGMAP, "item-3", place) is None
    with pytest.raises(NotFound) as missing:
        api.get(CONFIGMAP, "item-3", place)
    assert f"Cannot get ConfigMap {place}/item-3 on {api.server}" in str(missing.value)
    events = [event for event in api_cluster.audit_since(mark) if event.namespace == place]
    assert {event.user_agent for event in events} == {"meshops.lifecycle/0.1.0 test_kube_api"}
    assert len([event for event in events if event.verb == "list"]) == 3 + 1


@pytest.mark.parametrize(
    ("patch_type", "body"),
    [
        ("merge", {"data": {"n": "2"}}),
        ("strategic", {"data": {"n": "2"}}),
        ("json", [{"op": "replace", "path": "/data/n", "value": "2"}]),
    ],
)
def test_a_patch_of_a_changed_or_replaced_object_is_a_conflict(api: Api, place: str, patch_type: PatchType, body: Any) -> None:
    stored = api.create(CONFIGMAP, config_map("patched", place, n="1"))["metadata"]
    old = stored["resourceVersion"]
    current = api.patch(CONFIGMAP, "patched", {"data": {"other": "x"}}, place)["metadata"]["resourceVersion"]
    for precondition in ({"resource_version": old}, {"uid": str(uuid.uuid4())}, {"uid": str(uuid.uuid4()), "resource_version": current}):
        with pytest.raises(Conflict):
            api.patch(CONFIGMAP, "patched", body, place, patch_type=patch_type, **precondition)
    assert api.get(CONFIGMAP, "patched", place)["data"] == {"n": "1", "other": "x"}
    done = api.patch(CONFIGMAP, "patched", body, place, patch_type=patch_type, uid=stored["uid"], resource_version=current)
    assert done["data"] == {"n": "2", "other": "x"}


def test_replace_and_delete_honour_their_preconditions(api: Api, place: str) -> None:
    first = api.create(CONFIGMAP, config_map("one", place, n="1"))
    second = api.replace(CONFIGMAP, {**first, "data": {"n": "2"}})
    with pytest.raises(Conflict):
        api.replace(CONFIGMAP, {**first, "data": {"n": "3"}})
    with pytest.raises(Conflict):
        api.delete(CONFIGMAP, "one", place, uid=str(uuid.uuid4()))
    with pytest.raises(Conflict):
        api.delete(CONFIGMAP, "one", place, resource_version=first["metadata"]["resourceVersion"])
    assert api.get(CONFIGMAP, "one", place)["data"] == {"n": "2"}
    assert api.delete(CONFIGMAP, "one", place, uid=second["metadata"]["uid"], resource_version=second["metadata"]["resourceVersion"])


def test_apply_is_repeatable_and_does_not_take_over_fields_of_others(api: Api, api_cluster: Cluster, place: str) -> None:
    first = api.apply(CONFIGMAP, config_map("own", place, n="1"))
    again = api.apply(CONFIGMAP, config_map("own", place, n="1"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    manifest = json.dumps(config_map("own", place, n="theirs"))
    api_cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
    with pytest.raises(FieldManagerConflict) as refused:
        api.apply(CONFIGMAP, config_map("own", place, n="1"))
    assert "kubectl" in str(refused.value)
    assert api.get(CONFIGMAP, "own", place)["data"] == {"n": "theirs"}


def test_a_dry_run_writes_nothing(api: Api, api_cluster: Cluster, place: str) -> None:
    stored = api.create(CONFIGMAP, config_map("dry", place, n="1"))
    mark = api_cluster.mark()
    assert api.create(CONFIGMAP, config_map("other", place), dry_run=True)["metadata"]["uid"]
    assert api.patch(CONFIGMAP, "dry", {"data": {"n": "2"}}, place, dry_run=True)["data"] == {"n": "2"}
    assert api.apply(CONFIGMAP, config_map("other", place, n="2"), dry_run=True)["data"] == {"n": "2"}
    assert api.replace(CONFIGMAP, {**stored, "data": {}}, dry_run=True)["metadata"]["name"] == "dry"
    assert api.delete(CONFIGMAP, "dry", place, dry_run=True) is True
    assert missing_permissions(api, [Permission("get", "", "pods", place)]) == []
    assert len(api_cluster.audit_since(mark)) >= 6
    assert api_cluster.writes_since(mark) == []
    assert api.get(CONFIGMAP, "dry", place)["data"] == {"n": "1"}


def test_strict_writes_name_unknown_fields(api: Api, place: str) -> None:
    body = {**config_map("strict", place), "unknwon": 1}
    with pytest.raises(Invalid) as refused:
        api.create(CONFIGMAP, body, strict=True)
    assert "unknwon" in str(refused.value)
    assert api.get_or_none(CONFIGMAP, "strict", place) is None


def test_a_kind_that_is_not_built_in_is_asked_for_once(api: Api, api_cluster: Cluster) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"}
    body = {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {"group": group, "names": names, "scope": "Cluster", "versions": [version]},
    }
    api.create(CRD, body)
    api_cluster.kubectl("wait", "--for=condition=Established", f"crd/gadgets.{group}")
    mark = api_cluster.mark()
    assert api.kind_for(f"{group}/v1", "Gadget") == Kind(f"{group}/v1", "Gadget", "gadgets", namespaced=False)
    assert api.kind_for(f"{group}/v1", "Gadget") is not None
    assert api.kind_for(f"{group}/v1", "Gizmo") is None
    assert api.kind_for(f"nothing.{group}/v1", "Gizmo") is None
    assert api.kind_for("apps/v1", "Deployment") == DEPLOYMENT
    # What kubectl was still waiting for may end after the mark.
    assert len([event for event in api_cluster.audit_since(mark) if "test_kube_api" in event.user_agent]) == 3
    assert list(api.list(Kind(f"{group}/v1", "Gadget", "gadgets", namespaced=False))) == []
    with pytest.raises(NotFound):
        list(api.list(Kind(f"nothing.{group}/v1", "Gizmo", "gizmos")))


def refused_admission(api: Api, body: Mapping[str, Any]) -> AdmissionDenied:
    """How a create is refused, as soon as the API server knows the new rule (it takes it a moment)."""
    deadline = Deadline(30)
    while not deadline.expired:
        try:
            api.create(CONFIGMAP, body)
        except AdmissionDenied as error:
            return error
        api.delete(CONFIGMAP, body["metadata"]["name"], body["metadata"]["namespace"])
        deadline.sleep(0.2)
    pytest.fail("the new rule is not in force after 30 s")


def test_an_admission_policy_is_named(api: Api, api_cluster: Cluster, place: str) -> None:
    name = f"no-forbidden-{place}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            },
            "validations": [{"expression": "object.metadata.name != 'forbidden'", "message": "not this name"}],
        },
    }
    binding = {
        "apiVersion": policy["apiVersion"],
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    api_cluster.kubectl("apply", "-f", "-", stdin=f"{json.dumps(policy)}\n---\n{json.dumps(binding)}")
    refused = refused_admission(api, config_map("forbidden", place))
    assert (refused.webhook, refused.unavailable) == (name, False)
    assert "not this name" in str(refused)
    assert name in refused.next


def test_a_dead_webhook_is_named(api: Api, place: str) -> None:
    name = f"dead.{place}.example.com"
    webhook = {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
    }
    kind = Kind("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False)
    api.create(kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "webhooks": [webhook]})
    refused = refused_admission(api, config_map("blocked", place))
    assert (refused.webhook, refused.unavailable, refused.status) == (name, True, 500)
    assert "pods behind its service" in refused.next


def test_missing_permissions_are_named_all_at_once(api: Api, api_cluster: Cluster, tmp_path: Path, place: str) -> None:
    user = f"planner-{place}"
    api_cluster.kubectl("create", "role", "reader", "-n", place, "--verb=get,list", "--resource=configmaps")
    api_cluster.kubectl("create", "rolebinding", "reader", "-n", place, "--role=reader", f"--user={user}")
    planner = connection_to(tmp_path / "planner", kubeconfig=str(api_cluster.kubeconfig_for(user)))
    wanted = [
        Permission("get", "", "configmaps", place),
        Permission("patch", "", "configmaps", place),
        Permission("patch", "apps", "deployments", place, "osm-controller"),
        Permission("patch", "", "configmaps", place),
        Permission("list", "", "nodes"),
        Permission("update", "apps", "deployments", place, subresource="scale"),
    ]
    mark = api_cluster.mark()
    missing = missing_permissions(planner.api, wanted)
    assert [str(permission) for permission in missing] == [
        f"patch configmaps in namespace {place}",
        f"patch deployments.apps osm-controller in namespace {place}",
        "list nodes (cluster-wide)",
        f"update deployments/scale.apps in namespace {place}",
    ]
    assert len(api_cluster.audit_since(mark)) == 5
    assert api_cluster.writes_since(mark) == []
    assert missing_permissions(api, wanted) == []
    with pytest.raises(Forbidden) as refused:
        list(planner.api.list(NODE))
    assert refused.value.missing == "list nodes cluster-wide"
    assert f"grant {user} the permission to list nodes cluster-wide" in refused.value.next


def test_refused_credentials(api_cluster: Cluster, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(base64.b64decode(_cluster_of(api_cluster)["certificate-authority-data"]))
    stranger = connection_to(tmp_path / "module", host=api_cluster.server, api_key="not-a-token-of-this-cluster", ca_cert=str(ca))
    with pytest.raises(Unauthorized) as refused:
        stranger.api.get(NAMESPACE, "default")
    assert "not-a-token" not in str(refused.value)
    assert "renew the token" in refused.value.next


def test_an_untrusted_certificate_and_a_dead_address(api_cluster: Cluster, tmp_path: Path) -> None:
    untrusted = connection_to(tmp_path / "a", host=api_cluster.server, api_key="irrelevant")
    with pytest.raises(Unreachable) as refused:
        untrusted.api.get(NAMESPACE, "default")
    assert "certificate is not trusted" in str(refused.value)
    dead = connection_to(tmp_path / "b", host="https://127.0.0.1:1", api_key="irrelevant")
    with pytest.raises(Unreachable) as unreachable:
        dead.api.get(NAMESPACE, "default")
    assert "connection refused" in str(unreachable.value).lower()
    assert "https://127.0.0.1:1" in str(unreachable.value)


def test_the_expected_cluster_is_checked_first(api_cluster: Cluster, tmp_path: Path, connection: Connection) -> None:
    kubeconfig = str(api_cluster.kubeconfig)
    mark = api_cluster.mark()
    with pytest.raises(Refused) as refused:
        connection_to(tmp_path / "a", kubeconfig=kubeconfig, expected_cluster="0b5cd8c7-0000-4000-8000-000000000000")
    assert len(api_cluster.audit_since(mark)) == 1
    for word in (connection.uid, "0b5cd8c7-0000-4000-8000-000000000000", api_cluster.server):
        assert word in str(refused.value)
    assert connection_to(tmp_path / "b", kubeconfig=kubeconfig, expected_cluster=connection.uid).uid == connection.uid


@pytest.mark.parametrize("inline", [False, True])
def test_the_private_kubeconfig_is_the_connection(api_cluster: Cluster, tmp_path: Path, inline: bool) -> None:
    source = yaml.safe_load(api_cluster.kubeconfig.read_text())
    given = source if inline else str(api_cluster.kubeconfig)
    as_groups = {"impersonate_user": "jane", "impersonate_groups": ["system:masters", "testers"]}
    connection = connection_to(tmp_path / "module", kubeconfig=given, context=source["current-context"], **as_groups)
    path = Path(connection.kubeconfig_path)
    assert path.stat().st_mode & 0o777 == 0o600
    body = {"apiVersion": WHO_AM_I.api_version, "kind": WHO_AM_I.kind}
    ours = connection.api.review(WHO_AM_I, body)["status"]["userInfo"]
    command = [str(binaries.binary("kubectl")), "--kubeconfig", str(path), "auth", "whoami", "-o", "json"]
    environment = {**api_cluster.environment(), "KUBECONFIG": "/nonexistent"}
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)["status"]["userInfo"]
    assert ours["username"] == theirs["username"] == "jane"
    assert sorted(ours["groups"]) == sorted(theirs["groups"]) == ["system:authenticated", "system:masters", "testers"]
    key = base64.b64decode(source["users"][0]["user"]["client-key-data"]).decode()
    assert key in connection.secrets


def _cluster_of(cluster: Cluster) -> dict[str, str]:
    source: dict[str, str] = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    return source


# Helm


@pytest.fixture(params=["helm-3.14", "helm", "helm-4"])
def helm_program(request: pytest.FixtureRequest) -> str:
    """The oldest helm that is supported, the one of the sandbox, and the newest."""
    return str(binaries.binary("helm", request.param))


@pytest.fixture
def helm(helm_program: str, api_cluster: Cluster, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helm:
    for name, value in api_cluster.environment().items():
        if name.startswith("HELM_"):
            monkeypatch.setenv(name, value)
    # What would lead helm astray must not.
    for name in ("HELM_KUBEAPISERVER", "HELM_NAMESPACE", "HELM_KUBETOKEN", "KUBECONFIG"):
        monkeypatch.setenv(name, "https://127.0.0.1:1")
    scratch = tmp_path / "helm"
    scratch.mkdir()
    return Helm(helm_program, kubeconfig_path=connection.kubeconfig_path, directory=str(scratch))


@pytest.fixture
def installed(helm_program: str, api_cluster: Cluster, chart: str, place: str) -> str:
    """Release ``demo`` of the chart, made by the same helm; returns its namespace."""
    command = [helm_program, "install", "demo", chart, "-n", place, "--set", "level=info"]
    subprocess.run(command, check=True, capture_output=True, env=api_cluster.environment())
    return place


@pytest.fixture
def chart(tmp_path: Path) -> str:
    """A chart with a Deployment whose selector follows a value, and a schema."""
    top = tmp_path / "fixture"
    (top / "templates").mkdir(parents=True)
    (top / "Chart.yaml").write_text("{apiVersion: v2, name: fixture, version: 1.2.3, appVersion: v9, kubeVersion: '>=1.22.0-0'}\n")
    (top / "values.yaml").write_text("{selector: one, level: info}\n")
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"selector": {"type": "string"}, "level": {"enum": ["info", "off"]}},
    }
    (top / "values.schema.json").write_text(json.dumps(schema))
    labels = "{app: fixture, choice: {{ .Values.selector | quote }}}"
    (top / "templates" / "all.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: fixture}, data: {level: {{ .Values.level | quote }}}}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fixture}\nspec:\n"
        f"  selector: {{matchLabels: {labels}}}\n"
        f"  template: {{metadata: {{labels: {labels}}}, spec: {{containers: [{{name: main, image: example.invalid/main}}]}}}}\n"
    )
    return str(top)


def test_a_release_is_upgraded_read_and_rolled_back(
    helm: Helm, api: Api, api_cluster: Cluster, chart: str, installed: str, connection: Connection
) -> None:
    place = installed
    helm.upgrade("demo", chart, place, {"level": "off"}, deadline=Deadline(60), description="by test", max_history=5)
    revisions = list_releases(api, place, "demo")
    assert [(info.revision, info.status) for info in revisions] == [(1, "superseded"), (2, "deployed")]
    assert revisions[-1].modified > 0
    release = read_release(api, place, "demo", 2)
    assert (release.chart_name, release.chart_version, release.app_version, release.description) == ("fixture", "1.2.3", "v9", "by test")
    assert (release.values, release.chart_values) == ({"level": "off"}, {"selector": "one", "level": "info"})
    assert 'level: "off"' in release.manifest
    assert release.values == json.loads(api_cluster.helm("get", "values", "demo", "-n", place, "-o", "json"))
    helm.rollback("demo", 1, place, deadline=Deadline(60))
    assert read_release(api, place, "demo", 3).values == {"level": "info"}
    assert api.get(CONFIGMAP, "fixture", place)["data"] == {"level": "info"}
    rendered = helm.template("demo", chart, place, {"level": "off"}, kube_version=connection.version, deadline=Deadline(60))
    assert [(item["kind"], item["metadata"]["name"]) for item in rendered] == [("ConfigMap", "fixture"), ("Deployment", "fixture")]


def test_helm_refusals_have_types(helm: Helm, helm_program: str, api: Api, chart: str, installed: str) -> None:
    place = installed
    with pytest.raises(SchemaViolation) as violation:
        helm.upgrade("demo", chart, place, {"level": "loud", "unknwon": 1}, deadline=Deadline(60))
    assert len(violation.value.errors) == 2
    assert any("unknwon" in line for line in violation.value.errors)
    assert any("level" in line for line in violation.value.errors)
    with pytest.raises(ReleaseNotFound):
        helm.upgrade("absent", chart, place, {}, deadline=Deadline(60))
    with pytest.raises(KubeVersionMismatch):
        helm.template("demo", chart, place, {}, kube_version="1.20.0", deadline=Deadline(60))
    with pytest.raises(ImmutableField) as immutable:
        helm.upgrade("demo", chart, place, {"selector": "two"}, deadline=Deadline(60))
    assert str(immutable.value.object) == f"Deployment {place}/fixture"
    assert immutable.value.field == "spec.selector"
    pending = secret_name("demo", 2)
    stored = api.get(SECRET, pending, place)
    # Helm believes the label, then the release itself: both say that another helm is at work.
    packed = base64.b64decode(base64.b64decode(stored["data"]["release"]))
    api.patch(SECRET, pending, {"metadata": {"labels": {"status": "pending-upgrade"}}, "data": {"release": _pending(packed)}}, place)
    assert list_releases(api, place, "demo")[-1].status == "pending-upgrade"
    with pytest.raises(ReleasePending):
        helm.upgrade("demo", chart, place, {}, deadline=Deadline(60))
    with pytest.raises(HelmError) as failed:
        Helm(helm_program, kubeconfig_path="/nonexistent", directory=str(Path(chart).parent)).upgrade(
            "demo", chart, place, {}, deadline=Deadline(60)
        )
    assert failed.value.why


def test_what_somebody_else_set_is_set_back_by_every_helm(helm: Helm, api: Api, api_cluster: Cluster, chart: str, installed: str) -> None:
    patch = ["patch", "configmap", "fixture", "-n", installed, "--type=merge", "-p", '{"data":{"level":"mine","own":"kept"}}']
    api_cluster.kubectl(*patch)
    release = read_release(api, installed, "demo", 1)
    assert release.server_side is (helm.version(Deadline(60)) >= (4, 0, 0))
    if release.server_side:
        with pytest.raises(FieldConflict) as conflict:
            helm.upgrade("demo", chart, installed, {"level": "off"}, deadline=Deadline(60))
        assert str(conflict.value.object) == f"ConfigMap {installed}/fixture"
        assert conflict.value.why == f"ConfigMap {installed}/fixture: .data.level belongs to kubectl-patch"
    helm.upgrade("demo", chart, installed, {"level": "off"}, server_side=release.server_side, deadline=Deadline(60))
    assert api.get(CONFIGMAP, "fixture", installed)["data"] == {"level": "off", "own": "kept"}
    api_cluster.kubectl(*patch)
    helm.rollback("demo", 1, installed, server_side=release.server_side, deadline=Deadline(60))
    assert api.get(CONFIGMAP, "fixture", installed)["data"] == {"level": "info", "own": "kept"}


@pytest.fixture
def repository(api_cluster: Cluster, chart: str, tmp_path: Path) -> Iterator[str]:
    """A chart repository on loopback with two versions of the chart."""
    top = tmp_path / "repository"
    top.mkdir()
    for version in ("1.2.3", "1.10.0"):
        api_cluster.helm("package", chart, "--version", version, "-d", str(top))
    api_cluster.helm("repo", "index", str(top))

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(top))

        def log_message(self, *_arguments: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_charts_come_from_a_repository(helm: Helm, repository: str, api_cluster: Cluster) -> None:
    newest = read_chart(helm.pull("fixture", repo=repository, deadline=Deadline(60)))
    assert (newest.name, newest.version) == ("fixture", "1.10.0")
    archive = helm.pull("fixture", repo=repository, version="1.2.3", deadline=Deadline(60))
    chart = read_chart(archive)
    assert (chart.version, chart.values, chart.kube_version) == ("1.2.3", {"selector": "one", "level": "info"}, ">=1.22.0-0")
    assert chart.schema is not None
    assert helm.pull(archive, deadline=Deadline(60)) == archive
    by_url = helm.pull(f"{repository}/fixture-1.2.3.tgz", deadline=Deadline(60))
    assert Path(by_url).read_bytes() == Path(archive).read_bytes()
    assert helm.versions("fixture", repo=repository, deadline=Deadline(60)) == ["1.10.0", "1.2.3"]
    with pytest.raises(ChartNotFound) as missing:
        helm.pull("fixture", repo=repository, version="9.9.9", deadline=Deadline(60))
    assert missing.value.versions == ["1.10.0", "1.2.3"]
    for word in ("fixture 9.9.9", repository, "existing versions: 1.10.0, 1.2.3"):
        assert word in str(missing.value)
    with pytest.raises(ChartNotFound):
        helm.pull("absent", repo=repository, deadline=Deadline(60))
    with pytest.raises(RepositoryUnreachable, match="connection refused"):
        helm.pull("fixture", repo="http://127.0.0.1:1", deadline=Deadline(60))
    with pytest.raises(RepositoryUnreachable):
        helm.pull("oci://127.0.0.1:1/charts/fixture", version="1.2.3", deadline=Deadline(60))
    # The user's own repositories are used, and not written to.
    alias = f"alias-{uuid.uuid4().hex[:6]}"
    api_cluster.helm("repo", "add", alias, repository)
    before = api_cluster.helm("repo", "list", "-o", "json")
    assert read_chart(helm.pull(f"{alias}/fixture", version="~1.2", deadline=Deadline(60))).version == "1.2.3"
    with pytest.raises(ChartNotFound) as unknown:
        helm.pull(f"{alias}/fixture", version="9.9.9", deadline=Deadline(60))
    assert unknown.value.versions == ["1.10.0", "1.2.3"]
    with pytest.raises(ChartNotFound):
        helm.pull("no-such-alias/fixture", deadline=Deadline(60))
    assert api_cluster.helm("repo", "list", "-o", "json") == before


def _pending(packed: bytes) -> str:
    import gzip

    release = json.loads(gzip.decompress(packed))
    release["info"]["status"] = "pending-upgrade"
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


def test_a_damaged_release_is_named(api: Api, place: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"name": secret_name("bad", 1), "namespace": place, "labels": {"owner": "helm", "name": "bad", "version": "1"}},
        "stringData": {"release": "bm90IGEgcmVsZWFzZQ=="},
    }
    api.create(SECRET, body)
    with pytest.raises(LifecycleError) as damaged:
        read_release(api, place, "bad", 1)
    assert f"{place}/bad revision 1 cannot be read" in str(damaged.value)
    assert [info.status for info in list_releases(api, place)] == ["unknown"]
