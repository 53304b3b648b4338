# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade while requests fail: what passes is overcome, what does not is told, and running it again ends well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import pytest
from failures import assert_told
from faults.front import ApiFront
from faults.request import Request
from faults.rules import Fault, Rule, reset, slow, status
from mesh_clusters import MeshCluster, Result, eventually, succeeds
from release_secrets import secret_name
from run_module import finish_module
from upgrade_cases import (
    ALL,
    BEFORE,
    BETWEEN,
    DIRECTIONS,
    DROP_LEASE,
    LABEL,
    NAMESPACE,
    ORPHAN,
    PATCH_MESH_CONFIG,
    REMOVE,
    UP,
    Direction,
    Write,
    chosen,
    do_not_wait_for_the_dead,
    proven,
)
from write_gate import WriteGate

# What a restart, an overload or a broken connection looks like: trying again helps.
PASSING = (status(429, retry_after=1), status(500), status(503), reset(), reset(committed=True), slow(0.5))
# Of a cluster that is not next door, in seconds.
LATENCY = 0.01
# Helm sends nothing twice when it is answered like this.
AT_HELM = (status(500), reset(), reset(committed=True))
KINDS = {
    "leases": "Lease",
    "configmaps": "ConfigMap",
    "deployments": "Deployment",
    "meshconfigs": "MeshConfig",
    "replicasets": "ReplicaSet",
    "customresourcedefinitions": "CustomResourceDefinition",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}


class Case(NamedTuple):
    """A fault at one write of an upgrade."""

    direction: Direction
    write: Write
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at {self.write}"


@pytest.fixture
def front(mesh_cluster: MeshCluster, direction: Direction) -> Iterator[ApiFront]:
    """A front of a cluster with the mesh to begin with, in which a user has changed something."""
    direction.reset(mesh_cluster)
    with ApiFront(mesh_cluster.cluster, latency=LATENCY) as front:
        yield front


def is_read(request: Request) -> bool:
    """Whether the module asks for something, or whether something would be accepted."""
    return not request.helm and not request.writes


def upgrade(mesh: MeshCluster, direction: Direction, front: ApiFront, **options: object) -> Result:
    return mesh.upgrade(kubeconfig=str(front.kubeconfig), **direction.options_on(mesh, **options))


def ends_well(mesh: MeshCluster, direction: Direction, **tolerated: bool) -> None:
    """A user changes something after the run that failed, and the next run finishes its work."""
    do_not_wait_for_the_dead(mesh)
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, direction, mesh.upgrade(**direction.options_on(mesh)), BEFORE, BETWEEN, **tolerated)


def told_at(result: Result, writes: Sequence[Write]) -> None:
    """The failure names the object of the write that failed, or of one of them."""
    assert_told(result)
    told = result["object"]
    assert [write for write in writes if KINDS[write.resource] == told["kind"] and fnmatchcase(told["name"], write.name)], told


# What passes is overcome


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
@pytest.mark.parametrize("turn", range(len(PASSING)) if ALL else (4,))
def test_what_passes_is_overcome_at_every_write_and_at_many_reads(
    mesh_cluster: MeshCluster, direction: Direction, front: ApiFront, turn: int
) -> None:
    """The faults take turns over the writes; with all turns every fault comes to every write."""
    faults = [PASSING[(turn + number) % len(PASSING)] for number in range(len(direction.own))]
    writes = [Rule(fault, write.matches) for fault, write in zip(faults, direction.own, strict=True)]
    reads = [Rule(fault, is_read, first=20 + 9 * number, once_each=True) for number, fault in enumerate(PASSING)]
    front.add(*writes, *reads)
    result = upgrade(mesh_cluster, direction, front)
    assert not result.get("failed"), result
    assert [str(write) for write, rule in zip(direction.own, writes, strict=True) if not rule.hit] == []
    assert [str(rule.fault) for rule in reads if not rule.hit] == []
    proven(mesh_cluster, direction, result, BEFORE)
    # A write that was carried out although its answer was lost is told as done, too.
    assert {step["outcome"] for step in result["steps"] if not step["id"].startswith("delete:")} == {"done"}


# Helm is not retried


def helm_cases(direction: Direction) -> list[Case]:
    """Every fault at every write of helm, or a selection in which the faults take turns."""
    return [*chosen([Case(direction, write, fault) for write in direction.helm for fault in AT_HELM], 10)]


@pytest.mark.parametrize(("direction", "case"), [(case.direction, case) for each in DIRECTIONS for case in helm_cases(each)], ids=str)
def test_what_helm_leaves_half_done_is_told_and_finished_by_running_again(
    mesh_cluster: MeshCluster, direction: Direction, front: ApiFront, case: Case
) -> None:
    rule = Rule(case.fault, case.write.matches)
    front.add(rule)
    result = upgrade(mesh_cluster, direction, front)
    assert len(rule.hit) == 1
    if result.get("failed"):
        assert_told(result, "Helm cannot upgrade release osm")
        assert result["object"]["name"]
        assert result["changed"] is True
    ends_well(mesh_cluster, direction)


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
def test_helm_that_cannot_read_has_changed_nothing_that_matters(mesh_cluster: MeshCluster, direction: Direction, front: ApiFront) -> None:
    front.add(Rule(status(500), lambda request: request.helm and request.method == "GET" and request.resource == "secrets"))
    result = upgrade(mesh_cluster, direction, front)
    assert_told(result, "Helm cannot upgrade release osm", "InternalError")
    assert not mesh_cluster.cluster.api.exists(f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret_name(2)}")
    ends_well(mesh_cluster, direction)


# The way back


@pytest.mark.parametrize("write", chosen(UP.helm, 20), ids=str)
def test_what_fails_at_helm_is_taken_back_and_may_be_tried_again(mesh_cluster: MeshCluster, write: Write) -> None:
    UP.reset(mesh_cluster)
    before = mesh_cluster.mesh_config
    with ApiFront(mesh_cluster.cluster) as front:
        front.add(Rule(status(500), write.matches))
        result = upgrade(mesh_cluster, UP, front, rollback_on_failure=True)
    assert_told(result, "rolled back to 1.2.3")
    assert result["rollback"]["proven"] is True
    assert mesh_cluster.mesh_config == before
    ends_well(mesh_cluster, UP)


def test_what_fails_at_a_step_is_taken_back_each_time(mesh_cluster: MeshCluster) -> None:
    """One failure after the other on the same mesh, without a reset in between: what a way back leaves is what the next one starts with."""
    UP.reset(mesh_cluster)
    before = mesh_cluster.mesh_config
    with ApiFront(mesh_cluster.cluster) as front:
        # What is cleaned up is cleaned up at the same time: one of it stands for both.
        for write in (ORPHAN, PATCH_MESH_CONFIG, REMOVE, *(LABEL[:1] if ALL else ())):
            rule = Rule(status(403), write.matches)
            front.add(rule)
            result = upgrade(mesh_cluster, UP, front, rollback_on_failure=True)
            assert rule.hit, f"{write} did not come"
            assert_told(result, "rolled back to 1.2.3")
            assert result["rollback"]["proven"] is True, str(write)
            assert mesh_cluster.mesh_config == before, str(write)
    ends_well(mesh_cluster, UP)


def test_a_way_back_that_fails_too_is_told_and_the_way_forward_still_open(mesh_cluster: MeshCluster) -> None:
    UP.reset(mesh_cluster)
    with ApiFront(mesh_cluster.cluster) as front:
        rule = Rule(status(500), UP.helm[0].matches, times=None)
        front.add(rule)
        result = upgrade(mesh_cluster, UP, front, rollback_on_failure=True)
    assert len(rule.hit) == 2
    assert_told(result, "Helm cannot upgrade release osm", "the rollback failed", "Helm cannot roll back release osm")
    assert result["rollback"]["proven"] is False
    ends_well(mesh_cluster, UP)


# What does not pass is told


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
@pytest.mark.parametrize("fault", (status(403), status(503)) if ALL else (status(403),), ids=str)
def test_refused_at_one_write_after_the_other_it_goes_on_each_time(
    mesh_cluster: MeshCluster, direction: Direction, front: ApiFront, fault: Fault
) -> None:
    for writes in direction.turns:
        rules = [Rule(fault, write.matches, times=None) for write in writes]
        front.clear()
        front.add(*rules)
        result = upgrade(mesh_cluster, direction, front, request_timeout=2)
        assert all(rule.hit for rule in rules), f"{', '.join(map(str, writes))}: did not come"
        if writes == (DROP_LEASE,):
            # All is done and proven; a Lease that stays has expired when somebody looks at it.
            assert not result.get("failed"), result
        else:
            told_at(result, writes)
            assert result["http_status"] == int(str(fault))
    ends_well(mesh_cluster, direction, lease_may_stay=True)


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
def test_credentials_that_expire_again_and_again_only_cost_another_run(
    mesh_cluster: MeshCluster, direction: Direction, front: ApiFront
) -> None:
    """From one write on, everything is answered with 401: also the deletion of the Lease, and all that helm asks."""
    for write in [write for write in chosen(direction.writes, 6) if write != DROP_LEASE]:
        expired: list[bool] = []
        front.clear()
        front.add(Rule(status(401), from_then_on(write, expired), times=None))
        result = upgrade(mesh_cluster, direction, front)
        assert expired, f"{write} did not come"
        assert_told(result, "Unauthorized")
        do_not_wait_for_the_dead(mesh_cluster)
    ends_well(mesh_cluster, direction)


def from_then_on(write: Write, happened: list[bool]) -> Callable[[Request], bool]:
    def matches(request: Request) -> bool:
        if write.matches(request):
            happened.append(True)
        return bool(happened)

    return matches


# The API server goes away and comes back


def restart_cases(direction: Direction) -> list[tuple[Direction, Write, bool]]:
    if ALL:
        return [(direction, write, committed) for write in direction.writes for committed in (False, True)]
    return [(direction, ORPHAN, False), (direction, PATCH_MESH_CONFIG, True)]


@pytest.mark.parametrize(("direction", "write", "committed"), [case for each in DIRECTIONS for case in restart_cases(each)], ids=str)
def test_the_api_server_is_restarted_in_the_middle(mesh_cluster: MeshCluster, direction: Direction, write: Write, committed: bool) -> None:
    direction.reset(mesh_cluster)
    with WriteGate(mesh_cluster.cluster) as gate:
        held = gate.hold(write.matches, committed=committed)
        process = mesh_cluster.start_upgrade(kubeconfig=str(gate.kubeconfig), **direction.options_on(mesh_cluster))
        held.wait()
        mesh_cluster.cluster.restart("kube-apiserver")
        held.release()
        result = finish_module(process)
    if result.get("failed"):
        assert_told(result)
    ends_well(mesh_cluster, direction)


def test_the_api_server_dies_while_helm_is_at_work(mesh_cluster: MeshCluster) -> None:
    UP.reset(mesh_cluster)
    cluster = mesh_cluster.cluster
    process = mesh_cluster.start_upgrade(**UP.options_on(mesh_cluster))
    eventually(lambda: cluster.api.exists(f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret_name(2)}"), "helm did not begin")
    cluster.process("kube-apiserver").signal(9)
    cluster.restart("kube-apiserver")
    result = finish_module(process)
    if result.get("failed"):
        assert_told(result)
    ends_well(mesh_cluster, UP)
