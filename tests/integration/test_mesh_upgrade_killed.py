# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_upgrade killed at each of its writes and run again; two runs at once; Helm at work on the release meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from mesh_clusters import MeshCluster, eventually, succeeds
from release_secrets import read_release, secret_name, set_status, write_release
from run_module import finish_module
from sandboxlib.processes import started
from upgrade_cases import (
    ALL,
    BEFORE,
    BETWEEN,
    DIRECTIONS,
    DROP_LEASE,
    DROP_RECORD,
    LEASE,
    NAMESPACE,
    ORPHAN,
    UP,
    Direction,
    Write,
    chosen,
    do_not_wait_for_the_dead,
    proven,
)
from write_gate import WriteGate


class Kills(NamedTuple):
    """One run after the other is killed at this write: when it was made (``committed``) or before it is."""

    direction: Direction
    write: Write
    committed: tuple[bool, ...]

    def __str__(self) -> str:
        return f"{' and then '.join('after' if committed else 'before' for committed in self.committed)} {self.write}"


def all_kills(direction: Direction) -> list[Kills]:
    """At every write before and after, each with a mesh of its own; or before and then after in one, at some of helm's only."""
    if ALL:
        return [Kills(direction, write, (committed,)) for write in direction.writes for committed in (False, True)]
    twice = [*(write for write in direction.own if write != DROP_LEASE), *chosen(direction.helm, 6)]
    # With all done but that, there is no second run that would come to it.
    last = [Kills(direction, DROP_LEASE, (committed,)) for committed in (False, True)]
    return [*(Kills(direction, write, (False, True)) for write in twice), *last]


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh at 1.2.3 in which a user has changed something."""
    UP.reset(mesh_cluster)
    return mesh_cluster


@pytest.fixture
def gate(mesh: MeshCluster) -> Iterator[WriteGate]:
    with WriteGate(mesh.cluster) as gate:
        yield gate


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
def test_the_writes_at_which_runs_are_killed_are_all_that_there_are(mesh_cluster: MeshCluster, direction: Direction) -> None:
    direction.reset(mesh_cluster)
    with WriteGate(mesh_cluster.cluster) as gate:
        result = mesh_cluster.upgrade(kubeconfig=str(gate.kubeconfig), **direction.options_on(mesh_cluster))
    found = [request for request in gate.writes if not (request.method == "PUT" and request.resource == "leases")]
    unknown = [str(request) for request in found if sum(write.matches(request) for write in direction.writes) != 1]
    assert unknown == []
    assert [str(write) for write in direction.writes if sum(map(write.matches, found)) != 1] == []
    proven(mesh_cluster, direction, result, BEFORE)


@pytest.mark.parametrize(("direction", "kills"), [(kills.direction, kills) for each in DIRECTIONS for kills in all_kills(each)], ids=str)
def test_what_was_killed_is_finished_by_running_it_again(mesh_cluster: MeshCluster, direction: Direction, kills: Kills) -> None:
    direction.reset(mesh_cluster)
    options = direction.options_on(mesh_cluster)
    with WriteGate(mesh_cluster.cluster) as gate:
        for committed in kills.committed:
            held = gate.hold(kills.write.matches, committed=committed)
            process = mesh_cluster.start_upgrade(kubeconfig=str(gate.kubeconfig), **options)
            held.wait()
            helm = children(process.pid)
            assert bool(helm) is kills.write.helm
            kill_only(process)
            # Its request is still held: it must not wait for the answer.
            eventually(partial(all_ended, helm), "helm did not end with the module", 10)
            held.drop()
            do_not_wait_for_the_dead(mesh_cluster)
    succeeds(lambda: mesh_cluster.patch_mesh_config(BETWEEN))
    done = mesh_cluster.upgrade(**options)
    # A Lease that is left when the record is gone is nobody's business: it has expired when somebody looks at it.
    proven(mesh_cluster, direction, done, BEFORE, BETWEEN, lease_may_stay=kills.write in (DROP_RECORD, DROP_LEASE))


def test_a_killed_run_is_finished_with_the_approved_plan_when_its_lease_has_expired(mesh: MeshCluster, gate: WriteGate) -> None:
    approved = mesh.upgrade(check=True)["plan"]["id"]
    held = gate.hold(ORPHAN.matches, committed=True)
    process = mesh.start_upgrade(kubeconfig=str(gate.kubeconfig), expected_plan_id=approved)
    held.wait()
    kill_only(process)
    held.drop()
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, UP, mesh.upgrade(expected_plan_id=approved), BEFORE, BETWEEN)


def test_a_second_run_is_refused_and_names_the_first(mesh: MeshCluster, gate: WriteGate) -> None:
    held = gate.hold(ORPHAN.matches)
    first = mesh.start_upgrade(kubeconfig=str(gate.kubeconfig))
    held.wait()
    mark = mesh.cluster.mark()
    holder = mesh.get(LEASE)["spec"]["holderIdentity"]
    second = mesh.upgrade()
    assert second["failed"]
    assert second["msg"].startswith("Another run is working on this target")
    assert holder in second["why"]
    assert f"/{first.pid}/" in holder
    writes = [str(event) for event in mesh.cluster.writes_since(mark) if event.resource != "leases"]
    assert writes == []
    held.release()
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, UP, finish_module(first), BEFORE, BETWEEN)


def test_a_young_operation_of_somebody_else_is_waited_for_and_then_refused(mesh: MeshCluster) -> None:
    begin_foreign_upgrade(mesh, timedelta(seconds=1))
    mark, began = mesh.cluster.mark(), time.monotonic()
    # On a busy machine the module begins seconds later; what is as old as the timeout by then is taken for dead.
    result = mesh.upgrade(timeout=20)
    assert result["failed"]
    assert "pending-upgrade" in result["msg"] + result["why"]
    assert time.monotonic() - began > 5
    assert mesh.cluster.writes_since(mark) == []


def test_an_old_operation_of_somebody_else_is_given_up(mesh: MeshCluster) -> None:
    begin_foreign_upgrade(mesh, timedelta(hours=1))
    result = mesh.upgrade()
    assert next(step["id"] for step in result["steps"]) == f"mark_failed:Secret/{NAMESPACE}/sh.helm.release.v1.osm.v2"
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, UP, result, BEFORE, BETWEEN)


def test_the_upgrade_goes_on_when_somebody_elses_operation_has_ended(mesh: MeshCluster, tmp_path: Path) -> None:
    begin_foreign_upgrade(mesh, timedelta(seconds=1))
    progress = tmp_path / "progress.jsonl"
    progress.touch(mode=0o600)
    process = mesh.start_upgrade(tmpdir=tmp_path, timeout=100)
    eventually(lambda: "waiting" in progress.read_text(), "the module did not say that it waits")
    set_status(mesh, NAMESPACE, secret_name(1), "superseded")
    set_status(mesh, NAMESPACE, secret_name(2), "deployed")
    result = finish_module(process)
    succeeds(lambda: mesh.patch_mesh_config(BETWEEN))
    proven(mesh, UP, result, BEFORE, BETWEEN)


def begin_foreign_upgrade(mesh: MeshCluster, age: timedelta) -> None:
    """Leave what a helm leaves that is at work since ``age``, or died then: a pending second revision of the same chart."""
    release = read_release(mesh, NAMESPACE, secret_name(1))
    release["version"] = 2
    release["info"].update(status="pending-upgrade", description="Preparing upgrade")
    release["info"]["last_deployed"] = (datetime.now(UTC) - age).isoformat()
    write_release(mesh, NAMESPACE, release)


def children(module: int) -> list[int]:
    """The processes that the module has started."""
    return [pid for pid, parent in parents().items() if parent == module]


def parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def all_ended(pids: list[int]) -> bool:
    return not any(started(pid) for pid in pids)


def kill_only(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
