# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosted_cluster_backup under the ClusterRoles of docs/rbac: they are enough, nothing is to spare, and what is missing is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hosted.aws import Aws
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import shape_of_size
from hosted.writing import Refused, Writer
from hosted_clusters import ManagementCluster
from run_module import run_module
from test_rbac import granted, roles, used, without

BUCKET = "rbac-backups"
PROD = shape_of_size("guarded", 2, pools=1, availability="SingleReplica")
PLANNER = ("planner-hosted_cluster_backup",)
APPLIER = (*PLANNER, "applier-hosted_cluster_backup")
# Where a role is bound, by how its name ends; the first one is for the whole cluster.
PLACES = {
    "backup-hosted-clusters": PROD.namespace,
    "applier-hosted-clusters": PROD.namespace,
    "control-plane": PROD.control_plane_namespace,
    "hypershift": "hypershift",
    "kube-public": "kube-public",
}
# Granted and not always used: an older API server does not ask for create, a Lease is renewed only by a run that takes longer, server-side
# apply is logged as patch, and an object is read by itself only when somebody else has just written it.
SPARE = {
    ("create", "", "pods/exec"),
    ("update", "coordination.k8s.io", "leases"),
    ("create", "", "configmaps"),
    ("get", "hypershift.openshift.io", "nodepools"),
    ("get", "cluster.x-k8s.io", "clusters"),
    ("get", "apps", "deployments"),
}


@pytest.fixture
def aws(management_cluster: ManagementCluster) -> Aws:
    """Running, with a bucket for backups."""
    management_cluster.bucket(BUCKET)
    return management_cluster.aws


@pytest.fixture(scope="module")
def prod(management_cluster: ManagementCluster) -> Hosted:
    """A small cluster with a real etcd, the same for all tests: bindings of users are writes to its namespaces, and do not matter."""
    return management_cluster.hosted(PROD, real=Image())


def user_with(hosted: Hosted, name: str, documents: list[dict[str, Any]]) -> str:
    """Give a new user exactly these roles, bound as docs/rbac.md says, and return the path of their kubeconfig."""
    objects: list[dict[str, Any]] = []
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
    for role in documents:
        role_name = f"{role['metadata']['name']}-{name}"
        place = next((namespace for ending, namespace in PLACES.items() if role["metadata"]["name"].endswith(ending)), "")
        objects.append({**role, "metadata": {"name": role_name}})
        objects.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding" if place else "ClusterRoleBinding",
                "metadata": {"name": role_name, **({"namespace": place} if place else {})},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name},
                "subjects": [subject],
            }
        )
    hosted.bed.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(hosted.bed.cluster.kubeconfig_for(name))


def back_up(aws: Aws, kubeconfig: str, dest: Path, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module as the user of ``kubeconfig``."""
    given = {"source": {"kubeconfig": kubeconfig}, "name": PROD.name, "dest": str(dest), "bucket": BUCKET, "region": PROD.region, **options}
    return run_module("hosted_cluster_backup", given, check=check, env=aws.environment())


def codes(result: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in result["findings"]}


def test_a_planner_backs_up_online_with_nothing_to_spare(prod: Hosted, aws: Aws, tmp_path: Path) -> None:
    cluster = prod.bed.cluster
    kubeconfig = user_with(prod, "backup-planner", roles(PLANNER))
    mark = cluster.mark()
    planned = back_up(aws, kubeconfig, tmp_path / "sets", check=True)
    assert planned.get("msg", "") == ""
    assert not codes(planned) & {"not-readable", "annotations-not-readable", "apply-needs-permissions"}
    done = back_up(aws, kubeconfig, tmp_path / "sets")
    assert (done.get("msg", ""), done["changed"], done["verified"]) == ("", True, True)
    events = cluster.audit_since(mark)
    assert cluster.writes_since(mark) == []
    assert [event for event in events if event.user == "backup-planner" and event.code == 403] == []
    assert granted(roles(PLANNER)) - used(events, "backup-planner") - SPARE == set()


@pytest.mark.parametrize(("verb", "resource"), [("get", "pods/exec"), ("list", "awsmachines"), ("list", "nodepools")])
def test_what_a_planner_lacks_is_named(prod: Hosted, aws: Aws, tmp_path: Path, verb: str, resource: str) -> None:
    user = f"backup-no-{verb}-{resource.replace('/', '-')}"
    kubeconfig = user_with(prod, user, without(roles(PLANNER), verb, resource))
    result = back_up(aws, kubeconfig, tmp_path / "sets")
    assert result["failed"] is True
    # In our words, or in the API server's.
    assert re.search(rf'\b{verb} (resource )?"?{resource}\b', f"{result['msg']} {result['why']}")
    assert [*(tmp_path / "sets").glob("*")] == []


def take_no_config_maps(hosted: Hosted) -> None:
    """Let the hosted cluster's own API refuse what it would have to ask a webhook for that is not there, and wait until it does."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    webhook = {
        "name": "dead.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    api_version, kind = "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
    with hosted.real.writer() as writer:
        body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "dead"}, "webhooks": [webhook]}
        writer.request("POST", f"/apis/{api_version}/validatingwebhookconfigurations", body)

        def refuses(_writer: Writer) -> bool:
            try:
                writer.request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", {"metadata": {"name": "taken"}})
            except Refused as error:
                return error.status == 500
            return False

        hosted.bed.wait("the webhook to count", refuses)


def test_an_applier_stops_it(prod: Hosted, aws: Aws, tmp_path: Path) -> None:
    """Last, as it changes the cluster; a planner sees that more is needed, and writes nothing. No cluster stays up for its marker."""
    take_no_config_maps(prod)
    cluster = prod.bed.cluster
    mark = cluster.mark()
    kubeconfig = user_with(prod, "stop-planner", roles(PLANNER))
    planned = back_up(aws, kubeconfig, tmp_path / "sets", check=True, mode="quiesce")
    assert codes(planned) >= {"apply-needs-permissions", "marker-not-written"}
    refused = back_up(aws, kubeconfig, tmp_path / "sets", mode="quiesce")
    assert "patch hostedclusters" in refused["msg"]
    assert cluster.writes_since(mark, user="stop-planner") == []

    kubeconfig = user_with(prod, "stop-applier", roles(APPLIER))
    done = back_up(aws, kubeconfig, tmp_path / "sets", mode="quiesce")
    assert (done.get("msg", ""), done["changed"]) == ("", True)
    assert done["resume_commands"]
    assert "marker-not-written" in codes(done) & codes(done["index"])
    events = cluster.audit_since(mark)
    assert [event for event in events if event.user == "stop-applier" and event.code == 403] == []
    own = granted(roles(("applier-hosted_cluster_backup",)))
    assert own - used(events, "stop-applier") - SPARE == set()
