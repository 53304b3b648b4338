# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_namespace killed in the middle and run again, and while requests fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from failures import assert_told
from faults.front import ApiFront
from faults.request import Request
from faults.rules import Fault, Rule, reset, slow, status
from mesh_clusters import Mesh, MeshCluster, Result
from namespace_cases import SCRAPE, Namespaces, row
from run_module import finish_module
from write_gate import WriteGate

LEASE = "/apis/coordination.k8s.io/v1/namespaces/osm-system/leases/meshops-mesh-namespace-osm"
RECORD = "/api/v1/namespaces/osm-system/configmaps/meshops-mesh-namespace-osm"
WANTED = {"monitored-by": "osm", "sidecar-injection": "enabled", "metrics": "enabled"}
# What a restart, an overload or a broken connection looks like: trying again helps.
PASSING = (status(429, retry_after=1), status(500), status(503), reset(), reset(committed=True), slow(0.5))


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


@pytest.fixture
def six(namespaces: Namespaces) -> list[str]:
    """Six namespaces, the third of which has pods with sidecars already."""
    joined = {"monitored-by": "osm", "sidecar-injection": "enabled"}
    names = [namespaces.make(joined if number == 2 else {}) for number in range(6)]
    namespaces.deploy(names[2], 2)
    return names


def kill(process: subprocess.Popen[str]) -> None:
    """End it at once, and wait until it has ended."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def forget_the_dead(namespaces: Namespaces) -> None:
    """Let the Lease that a run has left expire after a second of being watched."""
    if namespaces.cluster.api.exists(LEASE):
        patch = json.dumps({"spec": {"leaseDurationSeconds": 1}})
        namespaces.cluster.kubectl("patch", "lease", LEASE.rpartition("/")[2], "-n", "osm-system", "--type=merge", "-p", patch)


def proven(namespaces: Namespaces, names: list[str], result: Result, *, lease_may_stay: bool = False) -> None:
    """All is as it was asked for, and nothing of the runs is left."""
    assert not result.get("failed"), result
    assert [namespaces.keys(name) for name in names] == [WANTED] * len(names)
    assert namespaces.scraped(names[2]) == [SCRAPE, SCRAPE]
    assert lease_may_stay or not namespaces.cluster.api.exists(LEASE)
    assert not namespaces.cluster.api.exists(RECORD)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("resource", "method", "nth"),
    [
        ("leases", "POST", 1),
        ("configmaps", "PATCH", 1),
        ("namespaces", "PATCH", 1),
        ("namespaces", "PATCH", 4),
        ("pods", "PATCH", 1),
        ("configmaps", "DELETE", 1),
    ],
    ids=str,
)
def test_the_second_run_does_only_what_the_killed_one_has_not(
    namespaces: Namespaces, six: list[str], resource: str, method: str, nth: int, committed: bool
) -> None:
    approved = namespaces.run(*six, metrics="enabled", check=True)["plan"]["id"]
    mark = namespaces.cluster.mark()
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: (write.resource, write.method) == (resource, method), nth=nth, committed=committed)
        process = namespaces.start(
            *six, metrics="enabled", max_parallel_requests=1, expected_plan_id=approved, kubeconfig=str(gate.kubeconfig)
        )
        held.wait()
        kill(process)
        held.drop()
    forget_the_dead(namespaces)
    result = namespaces.run(*six, metrics="enabled", expected_plan_id=approved)
    # A Lease that is left when the record is gone is nobody's business: it has expired when somebody looks at it.
    proven(namespaces, six, result, lease_may_stay=committed and method == "DELETE")
    writes = [(event.resource, event.name) for event in namespaces.cluster.writes_since(mark, user_agent="meshops")]
    patched = [name for kind, name in writes if kind in ("namespaces", "pods")]
    assert len(patched) == len(set(patched)) == len(six) + 2, "nothing is written twice"


def test_a_second_run_is_refused_and_names_the_first(namespaces: Namespaces) -> None:
    first, second = namespaces.make(), namespaces.make()
    with WriteGate(namespaces.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "namespaces")
        process = namespaces.start(first, kubeconfig=str(gate.kubeconfig))
        held.wait()
        holder = namespaces.mesh.get(LEASE)["spec"]["holderIdentity"]
        assert_told(namespaces.run(second), "Another run is working on this target", holder, cluster=namespaces.cluster)
        assert namespaces.keys(second) == {}
        held.release()
        assert finish_module(process)["changed"] is True
    assert namespaces.run(second)["changed"] is True


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_overcome(namespaces: Namespaces, six: list[str], fault: Fault) -> None:
    """At the second and the fifth namespace, at a pod, at the record, and at some reads."""
    with ApiFront(namespaces.cluster) as front:
        rules = [
            Rule(
                fault,
                lambda request: request.method == "PATCH" and request.resource == "namespaces",
                first=2,
                every=3,
                times=2,
                once_each=True,
            ),
            Rule(fault, lambda request: request.method == "PATCH" and request.resource == "pods", once_each=True),
            Rule(fault, lambda request: request.writes and request.resource == "configmaps", times=2, once_each=True),
            Rule(fault, is_read, first=3, every=4, times=4, once_each=True),
        ]
        front.add(*rules)
        result = namespaces.run(*six, metrics="enabled", kubeconfig=str(front.kubeconfig))
    proven(namespaces, six, result)
    assert [rule.hit for rule in rules if not rule.hit] == []
    assert {step["outcome"] for step in result["steps"]} == {"done"}


def is_read(request: Request) -> bool:
    return request.method == "GET" and not request.watch


def test_a_namespace_that_is_created_is_not_created_twice(namespaces: Namespaces) -> None:
    """The answer is lost after the server has made it."""
    namespaces.made.append("lost-and-found")
    with ApiFront(namespaces.cluster) as front:
        rule = Rule(reset(committed=True), lambda request: request.method == "POST" and request.resource == "namespaces")
        front.add(rule)
        result = namespaces.run("lost-and-found", create=True, kubeconfig=str(front.kubeconfig))
    assert len(rule.hit) == 1
    assert row(result, "lost-and-found")["created"] is True, result.get("msg")
    assert namespaces.keys("lost-and-found") == {"monitored-by": "osm", "sidecar-injection": "enabled"}


def test_what_does_not_pass_is_told_and_the_rest_is_done_by_running_again(namespaces: Namespaces, six: list[str]) -> None:
    broken = six[3]
    with ApiFront(namespaces.cluster) as front:
        front.add(Rule(status(500), lambda request: request.method == "PATCH" and request.name == broken, times=None))
        result = namespaces.run(*six, metrics="enabled", request_timeout=3, kubeconfig=str(front.kubeconfig))
    assert_told(result, f"Namespace {broken}", "InternalError", cluster=None)
    outcomes = {step["id"]: step["outcome"] for step in result["steps"]}
    assert outcomes[f"patch:Namespace/{broken}"] == "failed"
    assert "done" in outcomes.values()
    assert result["changed"] is True
    proven(namespaces, six, namespaces.run(*six, metrics="enabled"))


def test_permission_that_is_taken_away_in_the_middle(namespaces: Namespaces, six: list[str]) -> None:
    with ApiFront(namespaces.cluster) as front:
        front.add(Rule(status(403), lambda request: request.method == "PATCH" and request.resource == "namespaces", first=3, times=None))
        result = namespaces.run(*six, metrics="enabled", max_parallel_requests=1, kubeconfig=str(front.kubeconfig))
    assert_told(result, "forbidden")
    assert [step["outcome"] for step in result["steps"]].count("done") == 2
    proven(namespaces, six, namespaces.run(*six, metrics="enabled"))
