# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ClusterRoles of docs/rbac are enough, and without one of their permissions nothing is written.

One cluster for all; the upgrade, which changes the mesh for good, comes last.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from run_module import run_module
from sandboxlib import binaries, paths

if TYPE_CHECKING:
    from sandboxlib.audit import Event
    from sandboxlib.cluster import Cluster

RBAC = Path(__file__).resolve().parents[2] / "docs" / "rbac"
NAMESPACE = "osm-system"
INFO = ("planner-mesh_info",)
INFO_CLUSTER = (*INFO, "planner-mesh_info-cluster")
CONFIG_PLANNER = (*INFO, "planner-mesh_config")
CONFIG_APPLIER = (*CONFIG_PLANNER, "applier-mesh_config")
UPGRADE_PLANNER = (*INFO, "planner-mesh_upgrade")
UPGRADE_APPLIER = (*UPGRADE_PLANNER, "applier-mesh_upgrade")
UPGRADE_BACK = (*UPGRADE_APPLIER, "applier-mesh_upgrade-definitions")
# Of the modules that are run under their roles in test files of their own: test_mesh_namespace_rbac.py, test_mesh_preflight.py,
# test_sidecar_refresh_rbac.py, test_mesh_uninstall_rbac.py, test_hosted_cluster_info.py and test_hosted_backup_rbac.py.
ELSEWHERE = (
    "planner-mesh_namespace",
    "applier-mesh_namespace",
    "planner-mesh_preflight",
    "planner-sidecar_refresh",
    "applier-sidecar_refresh",
    "planner-mesh_uninstall",
    "applier-mesh_uninstall",
    "planner-hosted_cluster_info",
    "planner-hosted_cluster_backup",
    "applier-hosted_cluster_backup",
)
# Where a role is bound, by how its name ends; all others are for the whole cluster.
PLACES = {"namespace": NAMESPACE, "records": "default"}
Rules = set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """A mesh that can be upgraded, without applications."""
    from sandboxlib.cluster import Cluster
    from sandboxlib.options import Options

    found = Cluster("rbac", sandbox_home)
    try:
        found.up(Options(mesh="osm-edge=1.2.3"))
        yield found
    finally:
        found.down()


def roles(files: Iterable[str]) -> list[dict[str, Any]]:
    """The ClusterRoles in the files (names without suffix) of docs/rbac."""
    documents = [yaml.safe_load((RBAC / f"{name}.yaml").read_text(encoding="utf-8")) for name in files]
    return [role for document in documents for role in document.get("items", [document])]


def granted(documents: Iterable[dict[str, Any]]) -> Rules:
    """(verb, group, resource) of everything that the roles allow."""
    rules = [rule for role in documents for rule in role["rules"]]
    return {found for rule in rules for found in product(rule["verbs"], rule["apiGroups"], rule["resources"])}


def without(documents: list[dict[str, Any]], verb: str, resource: str) -> list[dict[str, Any]]:
    """The roles less one verb on one resource; LookupError when they do not grant it."""
    less = copy.deepcopy(documents)
    taken = 0
    for role in less:
        for rule in list(role["rules"]):
            if resource in rule["resources"] and verb in rule["verbs"]:
                role["rules"].append({**rule, "resources": [resource], "verbs": [kept for kept in rule["verbs"] if kept != verb]})
                rule["resources"] = [kept for kept in rule["resources"] if kept != resource]
                taken += 1
        role["rules"] = [rule for rule in role["rules"] if rule["resources"] and rule["verbs"]]
    if not taken:
        raise LookupError(f"docs/rbac does not grant {verb} {resource}")
    return less


def user_with(cluster: Cluster, name: str, documents: list[dict[str, Any]]) -> str:
    """Give a new user exactly these roles, bound as docs/rbac.md says, and return the path of their kubeconfig."""
    objects: list[dict[str, Any]] = []
    for role in documents:
        role_name = f"{role['metadata']['name']}-{name}"
        bound_in = PLACES.get(role["metadata"]["name"].rpartition("-")[2])
        binding, place = ("RoleBinding", {"namespace": bound_in}) if bound_in else ("ClusterRoleBinding", {})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
        objects.append({**role, "metadata": {"name": role_name}})
        objects.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": binding,
                "metadata": {"name": role_name, **place},
                "roleRef": reference,
                "subjects": [subject],
            }
        )
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(cluster.kubeconfig_for(name))


def upgrade(kubeconfig: str, *, check: bool = False, version: str = "1.3.9", **more: Any) -> dict[str, Any]:
    options = {
        "kubeconfig": kubeconfig,
        "chart_ref": str(paths.CHARTS / f"osm-edge-{version}"),
        "binary_path": str(binaries.binary("helm")),
        **more,
    }
    return run_module("mesh_upgrade", options, check=check)


def edit(kubeconfig: str, spec: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    return run_module("mesh_config", {"kubeconfig": kubeconfig, "spec": spec}, check=check)


def used(events: Iterable[Event], user: str) -> Rules:
    """(verb, group, resource) of everything that ``user`` asked for; what every user may do is left out."""
    return {
        (event.verb, event.group, event.resource)
        for event in events
        if event.user == user and event.resource and event.group != "authorization.k8s.io"
    }


def test_every_role_is_bound_somewhere() -> None:
    """The files of docs/rbac are those that are tested, and docs/rbac.md names each of them and of their roles."""
    files = sorted(path.stem for path in RBAC.glob("*.yaml"))
    assert files == sorted({*INFO_CLUSTER, *CONFIG_APPLIER, *UPGRADE_BACK, *ELSEWHERE})
    text = (RBAC.parent / "rbac.md").read_text(encoding="utf-8")
    assert [name for name in files if f"rbac/{name}.yaml" not in text] == []
    assert [role["metadata"]["name"] for role in roles(files) if f"`{role['metadata']['name']}`" not in text] == []


def test_mesh_info(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "looker", roles(INFO_CLUSTER))
    mark = cluster.mark()
    result = run_module("mesh_info", {"kubeconfig": kubeconfig})
    assert [(mesh["name"], mesh["versions"]["chart"]) for mesh in result["meshes"]] == [("osm", "1.2.3")]
    findings = [*result["findings"], *result["meshes"][0]["findings"]]
    assert [finding for finding in findings if finding["code"] == "not-readable"] == []
    # One refusal is expected: Secrets of all namespaces are asked for first, then those of the mesh's.
    refused = {(event.verb, event.resource) for event in cluster.audit_since(mark) if event.user == "looker" and event.code == 403}
    assert refused == {("list", "secrets")}
    assert cluster.writes_since(mark, user="looker") == []


def test_mesh_info_tells_what_it_may_not_read(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "blindfolded", without(roles(INFO), "list", "pods"))
    result = run_module("mesh_info", {"kubeconfig": kubeconfig})
    findings = [*result["findings"], *result["meshes"][0]["findings"]]
    assert any("list pods" in finding["what"] for finding in findings if finding["code"] == "not-readable")


def test_mesh_config_is_planned(cluster: Cluster) -> None:
    """A planner sees the plan, and that applying it needs more; nothing is written."""
    kubeconfig = user_with(cluster, "config-planner", roles(CONFIG_PLANNER))
    mark = cluster.mark()
    result = edit(kubeconfig, {"sidecar": {"logLevel": "warn"}}, check=True)
    assert result.get("msg", "") == ""
    assert [step["outcome"] for step in result["steps"]] == ["would_do"]
    assert "apply-needs-permissions" in [finding["code"] for finding in result["findings"]]
    assert cluster.writes_since(mark, user="config-planner") == []


def test_mesh_config_is_applied_with_nothing_to_spare(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "config-applier", roles(CONFIG_APPLIER))
    mark = cluster.mark()
    assert edit(kubeconfig, {"sidecar": {"logLevel": "info"}})["changed"] is True
    assert edit(kubeconfig, {"sidecar": {"logLevel": "info"}})["changed"] is False
    spare = granted(roles(CONFIG_APPLIER)) - used(cluster.audit_since(mark), "config-applier")
    expected = {
        ("list", "", "pods"),  # data_plane of mesh_info
        ("list", "", "events"),  # read only when a component is not ready, as are logs
        ("get", "", "pods/log"),
        ("create", "", "configmaps"),  # server-side apply is logged as patch, and needs both
        ("update", "coordination.k8s.io", "leases"),  # renewed only by a run that takes longer
    }
    assert {rule for rule in spare if rule[1] != "config.flomesh.io"} <= expected


@pytest.mark.parametrize(("verb", "resource"), [("patch", "meshconfigs"), ("create", "leases"), ("delete", "configmaps")])
def test_mesh_config_is_refused_before_the_first_write(cluster: Cluster, verb: str, resource: str) -> None:
    user = f"config-no-{verb}-{resource}"
    kubeconfig = user_with(cluster, user, without(roles(CONFIG_APPLIER), verb, resource))
    mark = cluster.mark()
    result = edit(kubeconfig, {"sidecar": {"logLevel": "debug"}})
    assert result["failed"] is True
    assert f"{verb} {resource}" in result["msg"]
    assert cluster.writes_since(mark, user=user) == []


def test_mesh_upgrade_is_planned(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "upgrade-planner", roles(UPGRADE_PLANNER))
    mark = cluster.mark()
    result = upgrade(kubeconfig, check=True)
    assert result.get("msg", "") == ""
    assert {step["outcome"] for step in result["steps"]} == {"would_do"}
    assert result["plan"]["risk"] == "disruptive"
    assert "apply-needs-permissions" in [finding["code"] for finding in result["findings"]]
    assert cluster.writes_since(mark, user="upgrade-planner") == []


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("delete", "deployments"),
        ("delete", "replicasets"),
        ("patch", "meshconfigs"),
        ("patch", "mutatingwebhookconfigurations"),
        ("update", "secrets"),
        ("patch", "clusterroles"),
        ("escalate", "clusterroles"),
        ("bind", "clusterroles"),
    ],
)
def test_mesh_upgrade_is_refused_before_the_first_write(cluster: Cluster, verb: str, resource: str) -> None:
    user = f"upgrade-no-{verb}-{resource}"
    kubeconfig = user_with(cluster, user, without(roles(UPGRADE_APPLIER), verb, resource))
    mark = cluster.mark()
    result = upgrade(kubeconfig)
    assert result["failed"] is True
    assert f"{verb} {resource}" in result["msg"]
    assert cluster.writes_since(mark, user=user) == []


def test_a_rollback_that_would_not_be_allowed_is_refused_before_the_first_write(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "upgrade-no-way-back", roles(UPGRADE_APPLIER))
    mark = cluster.mark()
    result = upgrade(kubeconfig, rollback_on_failure=True)
    assert result["failed"] is True
    assert "update trafficsplits.split.smi-spec.io" in result["msg"]
    assert cluster.writes_since(mark, user="upgrade-no-way-back") == []


def test_mesh_upgrade_is_applied(cluster: Cluster) -> None:
    kubeconfig = user_with(cluster, "upgrade-applier", roles(UPGRADE_APPLIER))
    mark = cluster.mark()
    result = upgrade(kubeconfig)
    assert result.get("msg", "") == ""
    assert result["changed"] is True
    assert [step for step in result["steps"] if step["outcome"] != "done"] == []
    refused = {(event.verb, event.resource) for event in cluster.audit_since(mark) if event.user == "upgrade-applier" and event.code == 403}
    # Secrets of other namespaces, and nodes, which are for planner-mesh_info-cluster.yaml: known to be unknown.
    assert refused == {("list", "secrets"), ("list", "nodes")}
    again = upgrade(kubeconfig)
    assert again.get("msg", "") == ""
    assert (again["changed"], again["steps"]) == (False, [])


def test_mesh_upgrade_goes_back(cluster: Cluster) -> None:
    """After the test before, the mesh is at 1.3.9."""
    less = user_with(cluster, "upgrade-only", roles(UPGRADE_APPLIER))
    refused = upgrade(less, version="1.2.3", allow_downgrade=True)
    assert refused["failed"] is True
    assert "update customresourcedefinitions.apiextensions.k8s.io" in refused["msg"]
    result = upgrade(user_with(cluster, "upgrade-back", roles(UPGRADE_BACK)), version="1.2.3", allow_downgrade=True)
    assert result.get("msg", "") == ""
    assert [step for step in result["steps"] if step["outcome"] != "done"] == []
