# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many objects a definition has, and what is said when nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    Call,
    Forbidden,
    KubeError,
    ServerFailure,
    Throttled,
    Unreachable,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_counting import count, reader, why_unread
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import crd

KIND = Kind("policy.openservicemesh.io/v1alpha1", "Egress", "egresses")
CALL = Call("list", "egresses in all namespaces", KIND.path(), "https://cluster")
SERVICE = {"clientConfig": {"service": {"namespace": "osm-system", "name": "osm-bootstrap"}}}
PLAIN = custom_resource(crd("egresses.policy.openservicemesh.io", "v1alpha1"))
CONVERTED = custom_resource(crd("egresses.policy.openservicemesh.io", "v1alpha1", conversion={"strategy": "Webhook", "webhook": SERVICE}))


class Answers:
    """The two requests that counting makes, answered with one page and with a whole list."""

    def __init__(self, page: dict[str, Any], total: int = 0) -> None:
        self.page, self.total = page, total
        self.seconds: float | None = None

    def raw_get(self, _path: str, **_query: str) -> dict[str, Any]:
        return self.page

    def list(self, _kind: Kind, **_how: Any) -> Iterator[dict[str, Any]]:
        return iter([{}] * self.total)

    def within(self, seconds: float) -> Answers:
        self.seconds = seconds
        return self


@pytest.mark.parametrize(
    ("page", "total", "expected"),
    [
        ({"metadata": {}, "items": []}, 0, 0),
        ({"metadata": {}}, 0, 0),
        ({"metadata": {}, "items": [{}]}, 0, 1),
        ({"metadata": {"continue": "x", "remainingItemCount": 41}, "items": [{}]}, 0, 42),
        ({"metadata": {"continue": "x"}, "items": [{}]}, 7, 7),
    ],
)
def test_counting_reads_one_object_where_the_server_says_how_many_are_left(page: dict[str, Any], total: int, expected: int) -> None:
    assert count(cast(Api, Answers(page, total)), KIND) == expected


def test_what_nobody_converts_gets_little_time() -> None:
    answers = Answers({})
    reader(cast(Api, answers), PLAIN)
    assert answers.seconds is None
    reader(cast(Api, answers), CONVERTED)
    assert answers.seconds is not None


def test_why_objects_could_not_be_read() -> None:
    denied = 'egresses is forbidden: User "a" cannot list resource "egresses" in API group "policy.openservicemesh.io" at the cluster scope'
    assert why_unread(Forbidden(CALL, status=403, message=denied), PLAIN).startswith("not allowed to list egresses")
    failures: list[KubeError] = [
        ServerFailure(CALL, status=500, message="conversion webhook for x failed"),
        Throttled(CALL, status=429, message="storage is (re)initializing"),
        Unreachable(CALL, reason="timed out"),
    ]
    assert all("converted by Service osm-system/osm-bootstrap" in why_unread(error, CONVERTED) for error in failures)
    # Of others a lost connection is no property of the definition.
    assert [bool(why_unread(error, PLAIN)) for error in failures] == [True, True, False]
