# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/onboard.yml on a fleet: what it leaves, what it refuses before the first write, when it stops, the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workload_objects as objects
import yaml
from fleet import Fleet, another_cluster, freeze, thaw
from fleet import fleet as new_fleet
from mesh_clusters import Mesh, MeshCluster, eventually
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = "meshops.lifecycle.onboard"
NEWER = Mesh(version="1.3.9", apps=True)
MONITORED_BY = "openservicemesh.io/monitored-by"


def routes(name: str, namespace: str) -> dict[str, Any]:
    """A policy."""
    return {
        "apiVersion": "specs.smi-spec.io/v1alpha4",
        "kind": "HTTPRouteGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"matches": [{"name": "all", "pathRegex": ".*", "methods": ["*"]}]},
    }


@pytest.fixture
def fleet(tmp_path: Path, mesh_cluster: MeshCluster) -> Iterator[Fleet]:
    """No hosts yet. The mesh of ``mesh_cluster`` is at 1.3.9 and has the bookstore; namespace ``outside`` is not in it."""
    mesh_cluster.reset(NEWER)
    variables = {"mesh_onboard_namespaces": ["outside"], "sidecar_refresh_pods_per_minute": 0}
    with new_fleet(tmp_path, PLAYBOOK, "mesh_onboard", mesh_cluster.environment, **variables) as empty:
        yield empty


@pytest.fixture(scope="module")
def second_cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """Another cluster with the bookstore."""
    with another_cluster(sandbox_home, Options(mesh="osm-edge=1.3.9", apps="bookstore")) as cluster:
        yield cluster


def containers(cluster: Cluster, namespace: str) -> list[set[str]]:
    """The names of the containers of each pod that is not being deleted."""
    pods: list[dict[str, Any]] = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [{each["name"] for each in pod["spec"]["containers"]} for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def test_in_and_out_again(fleet: Fleet, mesh_cluster: MeshCluster, tmp_path: Path) -> None:
    cluster = mesh_cluster.cluster
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "a.yml").write_text(yaml.safe_dump_all([routes("first", "outside"), routes("later", "fresh")]), encoding="utf-8")
    fleet.add(
        "one",
        cluster.kubeconfig,
        mesh_onboard_namespaces=["outside", "fresh"],
        mesh_onboard_create=True,
        mesh_onboard_policies=[str(policies)],
        mesh_onboard_api_server_access="exclude_ip",
    )
    mark = cluster.mark()
    checked = fleet.run("--check", "--diff", playbook=str(ROOT / "playbooks" / "onboard.yml"))
    assert (checked.code, checked.outcomes) == (0, {"one": "planned"})
    assert cluster.writes_since(mark) == []
    assert checked.clusters["one"]["what"] == "2 of 2 namespaces to enrol, 1 pods to refresh"
    assert {step["outcome"] for step in checked.clusters["one"]["steps"]} == {"would_do"}

    done = fleet.run()
    assert (done.code, done.outcomes) == (0, {"one": "changed"})
    assert done.clusters["one"]["what"] == "2 of 2 namespaces enrolled, 1 pods refreshed"
    assert [names & {"sidecar"} for names in containers(cluster, "outside")] == [{"sidecar"}]
    assert mesh_cluster.get("/api/v1/namespaces/fresh")["metadata"]["labels"][MONITORED_BY] == "osm"
    assert mesh_cluster.get("/apis/specs.smi-spec.io/v1alpha4/namespaces/fresh/httproutegroups/later")["spec"]["matches"]
    service = mesh_cluster.get("/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    assert f"{service}/32" in mesh_cluster.mesh_config["traffic"]["outboundIPRangeExclusionList"]
    # The list is one for the whole mesh; whose pods are behind now is told.
    others = mesh_cluster.get("/api/v1/pods")["items"]
    behind = [
        pod
        for pod in others
        if pod["metadata"]["namespace"] != "outside" and "sidecar" in (each["name"] for each in pod["spec"]["containers"])
    ]
    (finding,) = [each for each in done.clusters["one"]["findings"] if each["code"] == "outdated-elsewhere"]
    assert finding["what"] == (f"{len(behind)} pods of other namespaces of the mesh keep the earlier traffic.outboundIPRangeExclusionList")
    assert finding["remedy"] == "ansible-playbook meshops.lifecycle.refresh -i INVENTORY --limit one"
    assert finding["what"] in done.output

    mark = cluster.mark()
    again = fleet.run()
    assert (again.code, again.outcomes) == (0, {"one": "unchanged"})
    assert cluster.writes_since(mark) == []

    out = fleet.run("-e", "mesh_onboard_state=absent")
    assert (out.code, out.outcomes) == (0, {"one": "changed"})
    assert out.clusters["one"]["what"] == "2 of 2 namespaces taken out, 1 pods refreshed"
    assert [names & {"sidecar"} for names in containers(cluster, "outside")] == [set()]
    assert MONITORED_BY not in mesh_cluster.get("/api/v1/namespaces/outside")["metadata"]["labels"]


def test_an_egress_for_those_who_need_one(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.cluster
    mesh_cluster.patch_mesh_config({"traffic": {"enableEgress": False}, "featureFlags": {"enableEgressPolicy": False}})
    cluster.kubectl("create", "rolebinding", "website", "-n", "outside", "--clusterrole=view", "--serviceaccount=outside:website")
    fleet.add("one", cluster.kubeconfig, mesh_onboard_api_server_access="egress")
    done = fleet.run()
    assert (done.code, done.outcomes) == (0, {"one": "changed"})
    assert mesh_cluster.mesh_config["featureFlags"]["enableEgressPolicy"] is True
    egress = mesh_cluster.get("/apis/policy.openservicemesh.io/v1alpha1/namespaces/outside/egresses/kubernetes-api-website")
    service = mesh_cluster.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
    assert egress["spec"] == {
        "sources": [{"kind": "ServiceAccount", "name": "website", "namespace": "outside"}],
        "ipAddresses": [f"{service['clusterIP']}/32"],
        "ports": [{"number": 443, "protocol": "https"}],
    }


def test_what_is_refused_is_refused_before_the_first_write(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.cluster
    cluster.kubectl("label", "namespace", "default", f"{MONITORED_BY}=osm")
    client = {"service_account": "website", "namespace": "outside"}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "typo": ({"mesh_onboard_namespaces": ["outsid"]}, "did you mean outside"),
        "nothing": ({"mesh_onboard_namespaces": []}, "must name something"),
        "elsewhere": ({"mesh_onboard_policies": [routes("x", "bookstore")]}, "HTTPRouteGroup bookstore/x (given as a variable) is for"),
        "no-file": ({"mesh_onboard_policies": ["no/such/file.yml"]}, "there is no file or directory no/such/file.yml"),
        # What only the API server knows.
        "invalid": ({"mesh_onboard_policies": [routes("Not_A_Name", "outside")]}, "a lowercase RFC 1123 subdomain"),
        "in-mesh": (
            {"mesh_onboard_api_server_access": "egress", "mesh_onboard_api_server_clients": [client]},
            "namespace default has the Service kubernetes and is part of a mesh",
        ),
    }
    for host, (variables, _why) in cases.items():
        fleet.add(host, cluster.kubeconfig, **variables)
    mark = cluster.mark()
    run = fleet.run()
    assert run.code == 2
    assert cluster.writes_since(mark) == []
    # Whoever names nothing has no plan.
    assert run.outcomes == {**dict.fromkeys(cases, "refused"), "nothing": "unplanned"}
    for host, (_variables, why) in cases.items():
        assert why in f"{run.clusters[host]['reason']}. {run.clusters[host]['next']}", host


def test_findings_stop_it_until_they_are_accepted(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.cluster
    patch = '{"spec": {"template": {"spec": {"securityContext": {"runAsUser": 1500}}}}}'
    cluster.kubectl("patch", "deployment", "website", "-n", "outside", "--type=merge", "-p", patch)
    fleet.add("one", cluster.kubeconfig)
    mark = cluster.mark()
    stopped = fleet.run("--check")
    one = stopped.clusters["one"]
    assert (stopped.code, one["outcome"], cluster.writes_since(mark)) == (2, "refused", [])
    (code,) = {finding["code"] for finding in one["findings"] if finding["severity"] == "error"}
    assert f'mesh_onboard_accept: ["{code}"]' in one["reason"]
    accepted = fleet.run("--check", "-e", f'{{"mesh_onboard_accept": ["{code}"]}}')
    assert (accepted.code, accepted.outcomes) == (0, {"one": "planned"})


def test_pods_that_cannot_be_replaced_make_it_fail(fleet: Fleet, mesh_cluster: MeshCluster) -> None:
    cluster = mesh_cluster.cluster
    cluster.kubectl("run", "debug", "-n", "outside", "--image=example.com/shell:1")
    # A Job ends by itself.
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(objects.job("batch", "outside")))
    eventually(lambda: len(containers(cluster, "outside")) == 3, "the Job has no pod", 60)
    fleet.add("one", cluster.kubeconfig)
    late = fleet.run("-e", "sidecar_refresh_until=2020-01-01T00:00:00+00:00")
    one = late.clusters["one"]
    assert (late.code, one["outcome"], one["changed"]) == (2, "failed", True)
    assert one["what"] == "1 of 1 namespaces enrolled, 0 pods refreshed"
    assert "the time is over until which workloads may be begun" in one["reason"]
    assert one["next"] == "run again with a later until"
    assert {step["id"].partition(":")[0]: step["outcome"] for step in one["steps"]} == {"patch": "done", "rollout": "not_run"}
    assert one["duration"] > 0

    failed = fleet.run()
    one = failed.clusters["one"]
    assert (failed.code, one["outcome"], one["changed"]) == (2, "failed", True)
    assert "Pod outside/debug" in one["reason"]
    assert "Job outside/batch" not in one["reason"]
    assert "sidecar_refresh_bare_pods" in one["reason"]
    assert [group["code"] for group in one["leftovers"]] == ["bare-pod", "job"]
    told = fleet.run("-e", "mesh_onboard_leftovers=report")
    assert (told.code, told.outcomes) == (0, {"one": "unchanged"})
    cluster.kubectl("delete", "pod", "debug", "-n", "outside")
    done = fleet.run()
    assert (done.code, done.outcomes) == (0, {"one": "unchanged"})
    assert [group["code"] for group in done.clusters["one"]["leftovers"]] == ["job"]


def test_a_failure_halts_later_batches_and_the_printed_command_goes_on(
    fleet: Fleet, mesh_cluster: MeshCluster, second_cluster: Cluster
) -> None:
    freeze(mesh_cluster.cluster)
    fleet.add("first", mesh_cluster.cluster.kubeconfig)
    fleet.add("second", second_cluster.kubeconfig)
    mark = second_cluster.mark()
    halted = fleet.run()
    assert halted.code == 2
    assert halted.outcomes == {"first": "failed", "second": "not_reached"}
    assert "change freeze until Monday" in halted.clusters["first"]["reason"]
    assert second_cluster.writes_since(mark) == []

    thaw(mesh_cluster.cluster)
    resumed = fleet.command(halted.command)
    assert resumed.code == 0
    assert resumed.outcomes == {"first": "changed", "second": "changed"}
