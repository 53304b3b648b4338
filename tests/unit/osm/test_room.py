# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes have left, read along with the data plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NODE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_room import RoomDiscovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer, failure
from ansible_collections.meshops.lifecycle.tests.unit.workloads import capacity_objects

EMPTY = Reply(200, {"metadata": {}, "items": []})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def read(server: ScriptedServer) -> Room:
    discovery = RoomDiscovery(server.api())
    discovery.read()
    return discovery.read_room()


def test_pods_are_read_once_page_by_page(server: ScriptedServer) -> None:
    ended = capacity_objects.pod("osm-bootstrap", "n1", "1", phase="Succeeded")
    pages = {
        "": ([capacity_objects.pod("osm-injector", "n1", "500m"), ended], "more"),
        "more": ([capacity_objects.pod("reviews", "n1", "100m")], ""),
    }

    def answer(request: Request) -> Reply:
        if request.path == NODE.path():
            return Reply(200, {"metadata": {}, "items": [capacity_objects.node("n1")]})
        if request.path == POD.path():
            items, token = pages[request.query.get("continue", "")]
            return Reply(200, {"metadata": {"continue": token}, "items": items})
        return EMPTY

    server.answer = answer
    room = read(server)
    assert room.nodes[0].free.cpu == 1400
    assert [pod.name for pod in room.own] == ["osm-injector-1"]
    asked = [request.path for request in server.requests if request.path in (NODE.path(), POD.path())]
    assert asked == [POD.path(), POD.path(), NODE.path()]


@pytest.mark.parametrize("resource", ["nodes", "pods"])
def test_a_missing_permission_is_told(server: ScriptedServer, resource: str) -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith(f"/{resource}"):
            message = f'{resource} is forbidden: User "u" cannot list resource "{resource}" in API group "" at the cluster scope'
            return failure(403, "Forbidden", message)
        return EMPTY

    server.answer = answer
    room = read(server)
    assert (room.unread, room.nodes) == (f"list {resource} cluster-wide", ())
