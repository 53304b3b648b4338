# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_namespace under the ClusterRoles of docs/rbac: they are enough, they have nothing to spare, and without one nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mesh_clusters import Mesh, MeshCluster
from namespace_cases import SCRAPE, Namespaces, row
from run_module import run_module
from test_rbac import granted, roles, used, user_with, without

PLANNER = ("planner-mesh_info", "planner-mesh_namespace")
APPLIER = (*PLANNER, "applier-mesh_namespace")


@pytest.fixture(scope="module")
def new_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """One mesh for all tests of this file."""
    mesh_cluster.reset(Mesh("1.3.9"))
    return mesh_cluster


@pytest.fixture
def namespaces(new_mesh: MeshCluster) -> Iterator[Namespaces]:
    """Namespaces that are removed after the test."""
    found = Namespaces(new_mesh)
    yield found
    found.clean()


def run(kubeconfig: str, *names: str, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module as another user."""
    return run_module("mesh_namespace", {"kubeconfig": kubeconfig, "namespaces": list(names), **options}, check=check)


def test_a_planner_sees_the_plan_and_writes_nothing(namespaces: Namespaces) -> None:
    name = namespaces.make()
    namespaces.deploy(name)
    kubeconfig = user_with(namespaces.cluster, "namespace-planner", roles(PLANNER))
    mark = namespaces.cluster.mark()
    result = run(kubeconfig, name, metrics="enabled", check=True)
    assert result.get("msg", "") == ""
    assert row(result, name)["pods_to_restart"] == 1
    assert "this user may not patch namespaces" in result["steps"][0]["message"]
    assert "apply-needs-permissions" in [finding["code"] for finding in result["findings"]]
    assert namespaces.cluster.writes_since(mark, user="namespace-planner") == []


def test_an_applier_applies_with_nothing_to_spare(namespaces: Namespaces) -> None:
    name = namespaces.make()
    namespaces.made.append("made-by-applier")
    kubeconfig = user_with(namespaces.cluster, "namespace-applier", roles(APPLIER))
    mark = namespaces.cluster.mark()
    for options in ({}, {"metrics": "enabled"}, {"state": "ignored"}, {"state": "absent"}):
        result = run(kubeconfig, name, **options)
        assert result.get("msg", "") == ""
        if not options:
            namespaces.deploy(name)
    assert namespaces.keys(name) == {}
    assert run(kubeconfig, "made-by-applier", create=True)["changed"] is True
    spare = granted(roles(APPLIER)) - used(namespaces.cluster.audit_since(mark), "namespace-applier")
    expected = {
        ("list", "", "events"),  # read only when a component is not ready, as are logs
        ("get", "", "pods/log"),
        ("create", "", "configmaps"),  # server-side apply is logged as patch, and needs both
        ("update", "coordination.k8s.io", "leases"),  # renewed only by a run that takes longer
    }
    assert {rule for rule in spare if rule[1] != "config.flomesh.io"} <= expected


@pytest.mark.parametrize(
    ("verb", "resource", "options"),
    [
        ("patch", "namespaces", {}),
        ("create", "namespaces", {"create": True}),
        ("patch", "pods", {"metrics": "enabled"}),
        ("create", "leases", {}),
        ("delete", "configmaps", {}),
    ],
)
def test_without_a_permission_nothing_is_written(namespaces: Namespaces, verb: str, resource: str, options: dict[str, Any]) -> None:
    name = namespaces.make({"monitored-by": "osm", "sidecar-injection": "enabled"})
    namespaces.deploy(name)
    namespaces.cluster.kubectl("annotate", "namespace", name, "openservicemesh.io/sidecar-injection-")
    user = f"namespace-no-{verb}-{resource}"
    kubeconfig = user_with(namespaces.cluster, user, without(roles(APPLIER), verb, resource))
    names = (name, "never-made") if options.get("create") else (name,)
    mark = namespaces.cluster.mark()
    result = run(kubeconfig, *names, **options)
    assert result["failed"] is True
    assert f"{verb} {resource}" in result["msg"]
    assert namespaces.cluster.writes_since(mark, user=user) == []


def test_a_team_may_enrol_its_own_namespaces(namespaces: Namespaces) -> None:
    """By a RoleBinding in each: a request for a namespace is authorized in that namespace."""
    own, other = namespaces.make(), namespaces.make()
    documents = [item for item in roles(APPLIER) if item["metadata"]["name"] != "meshops-mesh-namespace-applier"]
    kubeconfig = user_with(namespaces.cluster, "team", documents)
    rules = [{"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["patch"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "enrol", "namespace": own}, "rules": rules}
    namespaces.cluster.kubectl("create", "-f", "-", stdin=json.dumps(role))
    namespaces.cluster.kubectl("create", "rolebinding", "enrol", "-n", own, "--role=enrol", "--user=team")
    refused = run(kubeconfig, own, other)
    assert f"patch namespaces {other} in namespace {other}" in refused["msg"]
    assert f"patch namespaces {own}" not in refused["msg"]
    assert run(kubeconfig, own, metrics="enabled")["changed"] is True
    namespaces.deploy(own)
    pod = namespaces.pods(own)[0]["metadata"]["name"]
    namespaces.cluster.kubectl("annotate", "pod", pod, "-n", own, "prometheus.io/scrape-")
    assert run(kubeconfig, own, metrics="enabled")["changed"] is True
    assert namespaces.scraped(own) == [SCRAPE]


def test_pods_that_may_not_be_read_are_told(namespaces: Namespaces) -> None:
    name = namespaces.make()
    kubeconfig = user_with(namespaces.cluster, "namespace-no-pods", without(roles(APPLIER), "list", "pods"))
    result = run(kubeconfig, name)
    assert result["changed"] is True, result.get("msg")
    assert (row(result, name)["pods_to_restart"], result["summary"]["pods_to_restart"]) == (None, None)
    assert "pods-not-read" in [finding["code"] for finding in result["findings"]]
    refused = run(kubeconfig, name, metrics="enabled")
    assert [refusal["code"] for refusal in refused["refusals"]] == ["pods-not-readable"]
    assert "list pods" in refused["why"]
