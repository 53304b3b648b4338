# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_uninstall killed in each of its phases and run again: the next run goes on, and in the end everything is gone once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from cluster_look import look
from failures import assert_told, unchanged
from faults.request import Request
from mesh_clusters import MeshCluster, told
from uninstall_cases import (
    ALL,
    EVERYTHING,
    OLDEST,
    SEEN,
    VAULT,
    Plane,
    done,
    forget_the_dead,
    left,
    of_others,
    record_name,
    reset_to_all_at_once,
    start,
    uninstall,
)
from write_gate import WriteGate

EVERY_PHASE = {**EVERYTHING, "mesh_name": "osm", "confirm": "osm", "user_resources": [VAULT]}
OURS = record_name(OLDEST)


class Write(NamedTuple):
    """A write of a run, by the phase that it is the first of."""

    phase: str
    matches: Callable[[Request], bool]

    def __str__(self) -> str:
        return self.phase


def _is(method: str, resource: str, name: str = "", namespace: str = "", *, helm: bool = False) -> Callable[[Request], bool]:
    def matches(request: Request) -> bool:
        same = (request.method, request.resource, request.helm) == (method, resource, helm)
        return same and name in ("", request.name) and namespace in ("", request.namespace) and request.writes

    return matches


def _stops(request: Request) -> bool:
    return request.writes and request.method in ("PATCH", "PUT") and request.resource == "deployments" and request.namespace == "osm-system"


WRITES = (
    Write("record", _is("PATCH", "configmaps", OURS)),
    Write("unblock", _is("DELETE", "mutatingwebhookconfigurations", "osm-webhook-osm-before")),
    Write("un-enrolment", _is("PATCH", "namespaces")),
    Write("rollout", _is("PATCH", "deployments", namespace="shop")),
    Write("stop", _stops),
    Write("conversion", _is("PATCH", "customresourcedefinitions")),
    Write("release", _is("DELETE", "deployments", helm=True)),
    Write("artefacts", _is("DELETE", "mutatingwebhookconfigurations", "osm-webhook-osm")),
    Write("user-resources", _is("DELETE", "configmaps", "vault")),
    Write("custom-resources", _is("DELETE", "traffictargets")),
    Write("namespace", _is("DELETE", "namespaces", "osm-system")),
    Write("definitions", _is("DELETE", "customresourcedefinitions")),
    Write("dropping-the-record", _is("DELETE", "configmaps", OURS)),
)


def chains() -> list[list[tuple[Write, bool]]]:
    """Which writes a mesh is killed at one after the other, and whether they were made: each with a mesh of its own, or all in turn."""
    if ALL:
        return [[(write, committed)] for write in WRITES for committed in (False, True)]
    return [[(write, number % 2 == 1) for number, write in enumerate(WRITES)]]


def name_of(chain: list[tuple[Write, bool]]) -> str:
    """What a case is called."""
    return "each-phase" if len(chain) > 1 else f"{chain[0][0]}-{'after' if chain[0][1] else 'before'}"


@pytest.mark.parametrize("chain", chains(), ids=name_of)
def test_what_was_killed_is_finished_by_running_it_again(mesh_cluster: MeshCluster, chain: list[tuple[Write, bool]]) -> None:
    cluster = reset_to_all_at_once(mesh_cluster)
    plane = Plane(mesh_cluster, OLDEST)
    before = look(cluster)
    for write, committed in chain:
        with WriteGate(cluster) as gate:
            held = gate.hold(write.matches, committed=committed)
            process = start(mesh_cluster, kubeconfig=str(gate.kubeconfig), **EVERY_PHASE)
            held.wait()
            if write.phase == "stop":
                assert_told(uninstall(mesh_cluster, **EVERY_PHASE), "Another run", f"/{process.pid}/")
            process.kill()
            process.communicate()
            held.drop()
        forget_the_dead(mesh_cluster)
    result = uninstall(mesh_cluster, **EVERY_PHASE)
    done(result)
    with unchanged(cluster):
        again = uninstall(mesh_cluster, **EVERY_PHASE)
    assert (again.get("failed"), again["changed"]) == (None, False), told(again)
    after = look(cluster)
    assert left(mesh_cluster, SEEN.things) == []
    assert of_others(before, after, SEEN, *plane.names) == ["configmaps/quiet/vault"]
    assert not cluster.api.exists(f"/api/v1/namespaces/default/configmaps/{OURS}")
