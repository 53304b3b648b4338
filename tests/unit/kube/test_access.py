# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many questions it takes to know what a caller may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer

NAMESPACES = [f"shop-{number}" for number in range(20)]
PATCHES = [Permission("patch", "apps", "deployments", namespace) for namespace in NAMESPACES]
EVICT = Permission("create", "", "pods", "shop-0", subresource="eviction")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def asked(server: ScriptedServer, allowed: Callable[[dict[str, Any]], bool], *wanted: Permission) -> list[Permission]:
    """Return the missing ones of ``wanted`` when ``allowed`` says what each review is answered."""

    def answer(request: Request) -> Reply:
        return Reply(201, {**request.body, "status": {"allowed": allowed(request.body["spec"]["resourceAttributes"])}})

    server.answer = answer
    return missing_permissions(server.api(), wanted)


def test_who_may_do_it_everywhere_is_asked_once(server: ScriptedServer) -> None:
    missing = asked(server, lambda review: review["resource"] == "deployments", *PATCHES, EVICT)
    assert missing == [EVICT]
    assert len(server.requests) == 2


def test_who_may_not_do_it_everywhere_is_asked_for_each(server: ScriptedServer) -> None:
    missing = asked(server, lambda review: review.get("namespace", "shop-7") != "shop-7", *PATCHES)
    assert missing == [PATCHES[7]]
    assert len(server.requests) == len(NAMESPACES) + 1


def test_few_objects_are_not_asked_about_everywhere(server: ScriptedServer) -> None:
    assert asked(server, lambda review: "namespace" in review, *PATCHES[:3], PATCHES[0]) == []
    assert len(server.requests) == 3
