# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to subresources: an eviction that a budget does not allow is an answer, being throttled is not."""

from __future__ import annotations

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import BudgetExhausted, NotFound, ServerFailure, Throttled
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD

from .conftest import Reply, ScriptedServer, failure

EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a", "namespace": "ns"}}
# As Kubernetes 1.34 sends it.
CAUSE = {"reason": "DisruptionBudget", "message": "The disruption budget keep-db needs 2 healthy pods and has 2 currently"}
FULL = failure(
    429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", causes=[CAUSE], retryAfterSeconds=10
)
FULL.headers["Retry-After"] = "10"


def test_a_subresource_is_posted(server: ScriptedServer) -> None:
    server.script(Reply(201, {"kind": "Status", "status": "Success"}))
    assert server.api().post(POD, "a", "ns", "eviction", EVICTION)["status"] == "Success"
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/v1/namespaces/ns/pods/a/eviction", EVICTION)


def test_a_budget_is_an_answer_and_not_asked_again(server: ScriptedServer) -> None:
    server.script(FULL)
    with pytest.raises(BudgetExhausted) as caught:
        server.api().post(POD, "a", "ns", "eviction", EVICTION)
    assert caught.value.budget == "keep-db"
    assert "Cannot create eviction of Pod ns/a" in caught.value.msg
    assert len(server.requests) == 1


def test_a_budget_that_is_not_named_has_no_name(server: ScriptedServer) -> None:
    server.script(failure(429, "TooManyRequests", "Cannot evict pod", causes=[{"reason": "DisruptionBudget", "message": "busy"}]))
    with pytest.raises(BudgetExhausted) as caught:
        server.api().post(POD, "a", "ns", "eviction", EVICTION)
    assert caught.value.budget == ""


def test_a_throttled_request_is_sent_again(server: ScriptedServer) -> None:
    throttled = failure(429, "TooManyRequests", "too many requests")
    throttled.headers["Retry-After"] = "0"
    server.script(throttled, Reply(201, {"status": "Success"}))
    server.api().post(POD, "a", "ns", "eviction", EVICTION)
    assert len(server.requests) == 2


def test_throttling_until_the_end_is_no_budget(server: ScriptedServer) -> None:
    server.answer = lambda request: failure(429, "TooManyRequests", "too many requests")
    with pytest.raises(Throttled):
        server.api(request_timeout=0.3).post(POD, "a", "ns", "eviction", EVICTION)


@pytest.mark.parametrize(
    ("reply", "error"), [(failure(500, "InternalError", "broken"), ServerFailure), (failure(404, "NotFound", "a"), NotFound)]
)
def test_a_post_that_may_have_been_done_is_not_repeated(server: ScriptedServer, reply: Reply, error: type[Exception]) -> None:
    server.script(reply)
    with pytest.raises(error):
        server.api().post(POD, "a", "ns", "eviction", EVICTION)
    assert len(server.requests) == 1
