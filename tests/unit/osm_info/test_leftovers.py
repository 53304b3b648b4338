# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of earlier versions, hooks and meshes that are gone is told, and nothing that belongs to a mesh that is there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.leftovers import (
    HookObject,
    Leftovers,
    hook_object,
    mounted_secrets,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    NOW,
    crd,
    crds,
    deployment,
    evidence,
    healthy,
    observed,
    webhook,
)

Row = dict[str, Any]
HOOK = {"helm.sh/hook": "post-delete", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
CLEANUP = (
    HookObject("ClusterRole", "osm-cleanup", ""),
    HookObject("ClusterRoleBinding", "osm-cleanup", ""),
    HookObject("Job", "osm-cleanup", "osm-system", "failed"),
    HookObject("ServiceAccount", "osm-cleanup", "osm-system"),
)


def findings(found: Evidence, code: str = "", **how: Any) -> list[Row]:
    result = report(observed(found, **how), now=NOW)
    told = [*result["findings"], *(finding for mesh in result["meshes"] for finding in mesh["findings"])]
    return [finding for finding in told if code in ("", finding["code"])]


def one(found: Evidence, code: str, **how: Any) -> Row:
    (finding,) = findings(found, code, **how)
    return finding


# Reduction


def test_objects_of_hooks_are_told_by_name_and_annotation() -> None:
    def item(kind: str, name: str, annotations: Row, **fields: Any) -> Row:
        return {"kind": kind, "metadata": {"name": name, "namespace": "osm-system", "annotations": annotations}, **fields}

    failed = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert hook_object(item("Job", "osm-cleanup", HOOK, **failed)) == HookObject("Job", "osm-cleanup", "osm-system", "failed")
    assert hook_object(item("Job", "osm-cleanup", HOOK, status={"active": 1})) == HookObject("Job", "osm-cleanup", "osm-system", "running")
    preinstall = item("ServiceAccount", "a-b-preinstall", {"helm.sh/hook": "pre-install"})
    reduced = hook_object(preinstall)
    assert reduced == HookObject("ServiceAccount", "a-b-preinstall", "osm-system")
    assert reduced.release == "a-b"
    # The release's own role, and somebody's object of a similar name.
    assert hook_object(item("ClusterRole", "osm", {})) is None
    assert hook_object(item("Job", "osm-cleanup", {})) is None


def test_secrets_that_a_pod_mounts() -> None:
    volumes = [{"name": "a", "secret": {"secretName": "sidecar-bootstrap-config-1"}}, {"name": "b", "emptyDir": {}}]
    pod = {"metadata": {"namespace": "shop"}, "spec": {"volumes": volumes}}
    assert mounted_secrets(pod) == [("shop", "sidecar-bootstrap-config-1")]
    assert mounted_secrets({"metadata": {"namespace": "shop"}, "spec": {}}) == []


# Hooks


def test_what_a_failed_cleanup_left_is_one_finding_with_its_commands() -> None:
    finding = one(evidence(definitions=crds("1.3.9")), "hook-left-behind", leftovers=Leftovers(hooks=CLEANUP))
    assert finding["object"] == {"kind": "Job", "namespace": "osm-system", "name": "osm-cleanup"}
    assert "its Job failed" in finding["what"]
    assert "kubectl delete job,serviceaccount -n osm-system osm-cleanup" in finding["remedy"]
    assert "kubectl delete clusterrole,clusterrolebinding osm-cleanup" in finding["remedy"]


def test_a_hook_that_helm_waits_for_is_no_leftover() -> None:
    found = healthy()
    found.revisions = [info._replace(status="uninstalling") for info in found.revisions]
    running = tuple(item._replace(state="running") if item.kind == "Job" else item for item in CLEANUP)
    told = findings(found, leftovers=Leftovers(hooks=running))
    codes = {item["code"] for item in told}
    assert "hook-running" in codes
    assert "hook-left-behind" not in codes
    failed = findings(found, leftovers=Leftovers(hooks=CLEANUP))
    assert "hook-left-behind" in {item["code"] for item in failed}


def test_refused_installation() -> None:
    hooks = (HookObject("ClusterRole", "blue-preinstall", ""), HookObject("Job", "blue-preinstall", "blue", "failed"))
    assert "only one" in one(healthy(), "hook-left-behind", leftovers=Leftovers(hooks=hooks))["why"]


# Bootstrap Secrets


def test_orphaned_bootstrap_secrets_are_counted() -> None:
    places = {f"team-{number}": number for number in range(1, 13)}
    finding = one(healthy(), "bootstrap-secrets-orphaned", leftovers=Leftovers(secrets=100, orphaned_secrets=places))
    assert finding["what"].startswith("78 bootstrap Secrets")
    assert "team-12 (12)" in finding["what"]
    assert "and 4 more" in finding["what"]


def test_leftovers_in_the_result() -> None:
    result = report(observed(healthy(), leftovers=Leftovers(9, {"shop": 2}, CLEANUP[:1])), now=NOW)
    hooks = [{"kind": "ClusterRole", "name": "osm-cleanup", "namespace": "", "state": ""}]
    assert result["leftovers"] == {"bootstrap_secrets": 9, "orphaned_bootstrap_secrets": 2, "hooks": hooks}
    unread = report(observed(healthy(), leftovers=Leftovers()), now=NOW)["leftovers"]
    assert (unread["bootstrap_secrets"], unread["orphaned_bootstrap_secrets"]) == (None, None)


# Webhooks that lead to no mesh


STRAY = webhook(mesh="gone", clientConfig={"service": {"namespace": "old", "name": "renamed-injector"}, "caBundle": "Y2E="})


@pytest.mark.parametrize(
    ("services", "severity", "words"),
    [
        ({("old", "renamed-injector"): -1}, "error", "which does not exist"),
        ({("old", "renamed-injector"): 0}, "error", "which has no ready endpoint"),
        ({}, "warning", "which is of no mesh"),
    ],
)
def test_webhook_that_leads_to_no_mesh(services: dict[tuple[str, str], int], severity: str, words: str) -> None:
    found = healthy()
    found.webhooks += evidence(webhooks=[STRAY]).webhooks
    finding = one(found, "webhook-of-absent-mesh", leftovers=Leftovers(services=services))
    assert (finding["severity"], finding["object"]["name"]) == (severity, "osm-webhook-gone")
    assert "of mesh gone" in finding["what"]
    assert words in finding["what"]
    assert finding["remedy"] == "kubectl delete mutatingwebhookconfiguration osm-webhook-gone"


def test_webhook_that_somebody_serves_is_his() -> None:
    found = healthy()
    found.webhooks += evidence(webhooks=[STRAY]).webhooks
    assert findings(found, "webhook-of-absent-mesh", leftovers=Leftovers(services={("old", "renamed-injector"): 1})) == []


def test_configuration_that_is_empty_is_no_matter() -> None:
    empty = webhook(mesh="fsm")
    empty["webhooks"] = []
    found = healthy()
    found.webhooks += evidence(webhooks=[empty]).webhooks
    assert findings(found) == []


def test_webhook_that_lost_its_labels() -> None:
    bare = webhook(version="1.3.9")
    del bare["metadata"]["labels"]["app.kubernetes.io/instance"], bare["metadata"]["labels"]["app"]
    finding = one(healthy(webhooks=[bare, webhook("ValidatingWebhookConfiguration", version="1.3.9")]), "webhook-without-labels")
    assert "app.kubernetes.io/instance, app" in finding["what"]
    assert finding["remedy"].endswith("app.kubernetes.io/instance=osm app.kubernetes.io/version=1.3.9 app=osm-injector")


def test_webhooks_that_helm_manages_need_no_labels() -> None:
    helm = webhook(version="1.2.3")
    helm["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    assert findings(healthy(webhooks=[helm, webhook("ValidatingWebhookConfiguration", version="1.3.9")])) == []


# Definitions


def conversion(namespace: str) -> Row:
    return {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"namespace": namespace, "name": "osm-bootstrap"}}}}


def test_conversion_by_a_control_plane_that_is_gone() -> None:
    converted = crd("meshconfigs.config.openservicemesh.io", "v1alpha2", conversion=conversion("old"))
    gone = Leftovers(services={("old", "osm-bootstrap"): -1})
    finding = one(evidence(definitions=[converted]), "crd-conversion-webhook", leftovers=gone)
    assert finding["severity"] == "error"
    assert '"strategy":"None","webhook":null' in finding["remedy"]
    beside = one(healthy(definitions=[converted, *crds("1.3.9")[1:]]), "crd-conversion-webhook", leftovers=gone)
    assert beside["severity"] == "error"


def test_definitions_without_a_mesh() -> None:
    finding = one(evidence(definitions=crds("1.2.3")), "crd-of-absent-mesh")
    assert finding["what"].startswith("13 definitions")
    beside_fsm = evidence(
        deployments=[deployment(name, "1.5.1", product=FSM, mesh="fsm", namespace="fsm-system") for name in FSM.deployments],
        definitions=crds("1.2.3"),
    )
    # FSM uses those of SMI, and only those.
    assert one(beside_fsm, "crd-of-absent-mesh")["what"].startswith("9 definitions")


def test_definition_of_1_1_after_the_upgrade() -> None:
    old = crd("multiclusterservices.config.openservicemesh.io", "v1alpha2", "v1alpha1")
    assert "multiclusterservices" in one(healthy(definitions=[*crds("1.3.9"), old]), "crd-left-behind")["what"]


def test_definition_that_another_mesh_still_uses_is_not_left_behind() -> None:
    both = [deployment("osm-controller", "1.2.3", mesh="red", namespace="red"), *healthy().deployments]
    multicluster = crds("1.3.9")
    assert findings(healthy(deployments=both, definitions=multicluster), "crd-left-behind") == []


# Deployments and revisions


@pytest.mark.parametrize(
    ("version", "names", "left"), [("1.3.9", ["jaeger"], 1), ("1.1.1", ["jaeger"], 0), ("1.1.1", ["jaeger", "osm-jaeger"], 1)]
)
def test_jaeger_of_1_1(version: str, names: list[str], left: int) -> None:
    core = [deployment(name, version) for name in ("osm-bootstrap", "osm-controller", "osm-injector", *names)]
    told = findings(evidence(deployments=core), "deployment-left-behind")
    assert len(told) == left
    if told:
        assert told[0]["remedy"].endswith("kubectl delete deployment -n osm-system jaeger")


def test_revisions_that_did_not_end() -> None:
    found = healthy()
    (deployed,) = found.revisions
    history = [("failed", 1), ("pending-upgrade", 2), ("deployed", 3)]
    found.revisions = [ReleaseInfo(deployed.name, deployed.namespace, number, status, NOW, f"v{number}") for status, number in history]
    assert "1 (failed), 2 (pending-upgrade)" in one(found, "release-revisions-left")["what"]
