# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paging, retries and lost answers, against a server that does what the test says."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from typing import Any

import pytest
import urllib3

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api, holds
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AlreadyExists,
    Conflict,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    ServerFailure,
    Throttled,
    Unreachable,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import BUILT_IN, CONFIGMAP, DEPLOYMENT, LEASE, NAMESPACE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Transport

from .conftest import Reply, Request, ScriptedServer, failure

BODY = {"metadata": {"name": "a", "namespace": "ns"}, "data": {"k": "v"}}
STORED = {**BODY, "metadata": {**BODY["metadata"], "uid": "u1", "resourceVersion": "7"}}
UNAVAILABLE = failure(503, "ServiceUnavailable", "the server is currently unable to handle the request")
LOST = Reply(lost=True)


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"}}


def page(names: str, token: str = "") -> Reply:
    return Reply(body={"metadata": {"continue": token}, "items": [pod(name) for name in names]})


def names(server: ScriptedServer, **options: Any) -> list[str]:
    return [item["metadata"]["name"] for item in server.api().list(POD, **options)]


def test_paths() -> None:
    assert POD.path() == "/api/v1/pods"
    assert POD.path("ns") == "/api/v1/namespaces/ns/pods"
    assert DEPLOYMENT.path("ns", "a", "scale") == "/apis/apps/v1/namespaces/ns/deployments/a/scale"
    assert NAMESPACE.path(None, "a b") == "/api/v1/namespaces/a%20b"
    assert NAMESPACE.path("ignored", "a") == "/api/v1/namespaces/a"
    assert (LEASE.group, POD.group) == ("coordination.k8s.io", "")
    assert BUILT_IN["apps/v1", "Deployment"] is DEPLOYMENT
    with pytest.raises(ValueError, match="namespace is needed"):
        POD.path(None, "a")


def test_a_list_is_read_in_pages(server: ScriptedServer) -> None:
    server.script(page("ab", "t1"), page("c"))
    assert names(server, namespace="ns", label_selector="app=x", limit=2) == ["a", "b", "c"]
    assert [request.query for request in server.requests] == [
        {"labelSelector": "app=x", "limit": "2"},
        {"labelSelector": "app=x", "limit": "2", "continue": "t1"},
    ]


def test_an_expired_list_starts_over_without_repeating_an_object(server: ScriptedServer) -> None:
    server.script(page("ab", "t1"), failure(410, "Expired", "the provided continue parameter is too old"), page("bx", "t2"), page("cd"))
    assert names(server) == ["a", "b", "x", "c", "d"]


def test_a_list_that_keeps_expiring_is_read_at_once_in_the_end(server: ScriptedServer) -> None:
    expired = failure(410, "Expired", "too old")
    server.script(page("a", "t"), expired, page("a", "t"), expired, page("abc"))
    assert names(server) == ["a", "b", "c"]
    assert "limit" not in server.requests[-1].query
    server.script(page("a", "t"), expired, page("a", "t"), expired, expired)
    with pytest.raises(Gone):
        names(server)


def test_metadata_only_lists_ask_for_it_and_keep_the_kind(server: ScriptedServer) -> None:
    partial = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", **pod("a")}
    server.script(Reply(body={"metadata": {}, "items": [partial]}))
    (item,) = server.api().list(POD, metadata_only=True)
    assert (item["apiVersion"], item["kind"]) == ("v1", "Pod")
    assert "as=PartialObjectMetadataList" in server.requests[0].headers["accept"]


def test_compressed_answers_are_read(server: ScriptedServer) -> None:
    server.script(Reply(body=gzip.compress(json.dumps(STORED).encode()), headers={"Content-Encoding": "gzip"}))
    assert server.api().get(CONFIGMAP, "a", "ns")["data"] == {"k": "v"}
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    "first",
    [failure(500, "InternalError", "etcdserver: leader changed"), failure(502, "", ""), UNAVAILABLE, failure(504, "Timeout", ""), LOST],
)
def test_reads_are_repeated(server: ScriptedServer, first: Reply) -> None:
    server.script(first, Reply(body=STORED))
    assert server.api().get(CONFIGMAP, "a", "ns")["metadata"]["uid"] == "u1"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_refusals_are_not_repeated(server: ScriptedServer, status: int) -> None:
    server.script(failure(status, "", "no"))
    with pytest.raises(KubeError) as refused:
        server.api().get(CONFIGMAP, "a", "ns")
    assert refused.value.status == status
    assert len(server.requests) == 1


def test_retry_after_is_honoured(server: ScriptedServer) -> None:
    throttled = failure(429, "TooManyRequests", "slow down")
    throttled.headers["Retry-After"] = "1"
    server.script(throttled, Reply(body=STORED))
    started = time.monotonic()
    server.api().create(CONFIGMAP, BODY)
    assert 1.0 <= time.monotonic() - started < 3.0
    throttled.headers["Retry-After"] = "60"
    server.script(throttled)
    started = time.monotonic()
    with pytest.raises(Throttled):
        server.api(request_timeout=2).get(CONFIGMAP, "a", "ns")
    # A wait that does not fit into the time is not begun.
    assert time.monotonic() - started < 1.0


def test_the_time_for_one_call_is_bounded(server: ScriptedServer) -> None:
    server.answer = lambda request: UNAVAILABLE
    started = time.monotonic()
    with pytest.raises(ServerFailure) as failed:
        server.api(request_timeout=2).get(CONFIGMAP, "a", "ns")
    assert time.monotonic() - started < 2.5
    assert failed.value.details["attempts"] == len(server.requests) > 2


def test_a_server_that_never_answers_ends_the_call_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = Api(Transport(url, urllib3.PoolManager()), request_timeout=1.0)
        started = time.monotonic()
        with pytest.raises(Unreachable) as failed:
            api.get(NAMESPACE, "a")
        assert time.monotonic() - started < 2.0
        assert url in str(failed.value)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(Unreachable) as failed:
        Api(Transport(f"http://127.0.0.1:{port}", urllib3.PoolManager()), request_timeout=30).get(NAMESPACE, "a")
    assert "connection refused" in str(failed.value)
    assert failed.value.uncertain is False
    # A stranger gets three tries, not the whole time.
    assert time.monotonic() - started < 5.0


def test_a_create_whose_answer_was_lost_is_looked_for(server: ScriptedServer) -> None:
    server.script(LOST, Reply(body=STORED))
    assert server.api().create(CONFIGMAP, BODY, "ns")["metadata"]["uid"] == "u1"
    assert [request.method for request in server.requests] == ["POST", "GET"]


def test_a_create_that_was_lost_before_it_was_done_is_sent_again(server: ScriptedServer) -> None:
    server.script(UNAVAILABLE, failure(404, "NotFound", "no"), Reply(201, STORED))
    server.api().create(CONFIGMAP, BODY, "ns")
    assert [request.method for request in server.requests] == ["POST", "GET", "POST"]


def test_a_dry_run_of_a_create_is_sent_again(server: ScriptedServer) -> None:
    server.script(LOST, UNAVAILABLE, Reply(201, STORED))
    server.api().create(CONFIGMAP, BODY, "ns", dry_run=True)
    assert [request.method for request in server.requests] == ["POST", "POST", "POST"]


def test_a_create_that_somebody_else_was_faster_with_is_refused(server: ScriptedServer) -> None:
    theirs = {**STORED, "data": {"k": "theirs"}}
    server.script(LOST, Reply(body=theirs))
    with pytest.raises(AlreadyExists):
        server.api().create(CONFIGMAP, BODY, "ns")
    assert [request.method for request in server.requests] == ["POST", "GET"]


def test_a_create_is_not_sent_again_when_it_was_refused(server: ScriptedServer) -> None:
    server.script(failure(422, "Invalid", "no"))
    with pytest.raises(Invalid):
        server.api().create(CONFIGMAP, BODY, "ns")
    assert len(server.requests) == 1


def test_a_delete_whose_answer_was_lost_is_ours(server: ScriptedServer) -> None:
    server.script(LOST, failure(404, "NotFound", "gone"))
    assert server.api().delete(CONFIGMAP, "a", "ns", uid="u1") is True
    assert server.requests[1].body["preconditions"] == {"uid": "u1"}
    server.script(failure(404, "NotFound", "gone"))
    assert server.api().delete(CONFIGMAP, "a", "ns") is False


@pytest.mark.parametrize("conditions", [{"uid": "u1"}, {"resource_version": "7"}, {"dry_run": True}])
def test_patches_with_a_precondition_are_repeated(server: ScriptedServer, conditions: dict[str, Any]) -> None:
    server.script(LOST, Reply(body=STORED))
    server.api().patch(CONFIGMAP, "a", {"data": {"k": "v"}}, "ns", **conditions)
    assert len(server.requests) == 2


def test_patches_without_a_precondition_are_sent_once_when_it_may_have_been_done(server: ScriptedServer) -> None:
    for first in (LOST, UNAVAILABLE):
        server.requests.clear()
        server.script(first)
        with pytest.raises(KubeError) as failed:
            server.api().patch(CONFIGMAP, "a", {"data": {"k": "v"}}, "ns")
        assert failed.value.uncertain is True
        assert len(server.requests) == 1
    server.script(failure(429, "TooManyRequests", "not done"), Reply(body=STORED))
    server.api().patch(CONFIGMAP, "a", {"data": {"k": "v"}}, "ns")


def test_patch_bodies_carry_their_preconditions(server: ScriptedServer) -> None:
    server.answer = lambda request: Reply(body=STORED)
    api = server.api()
    given = {"metadata": {"labels": {"x": "y"}}}
    api.patch(CONFIGMAP, "a", given, "ns", uid="u1", resource_version="7")
    api.patch(CONFIGMAP, "a", [{"op": "remove", "path": "/data/k"}], "ns", patch_type="json", uid="u1")
    api.patch(CONFIGMAP, "a", given, "ns", patch_type="strategic", strict=True, dry_run=True)
    merge, operations, strategic = server.requests
    assert merge.body == {"metadata": {"labels": {"x": "y"}, "uid": "u1", "resourceVersion": "7"}}
    assert given == {"metadata": {"labels": {"x": "y"}}}
    assert operations.body == [{"op": "test", "path": "/metadata/uid", "value": "u1"}, {"op": "remove", "path": "/data/k"}]
    assert strategic.query == {"fieldManager": "meshops.lifecycle", "dryRun": "All", "fieldValidation": "Strict"}
    assert [request.headers["content-type"] for request in server.requests] == [
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
    ]


def test_a_json_patch_whose_test_failed_is_a_conflict_only_if_the_object_is_another(server: ScriptedServer) -> None:
    vague = failure(422, "Invalid", "the server rejected our request due to an error in our request")
    operations = [{"op": "remove", "path": "/data/absent"}]
    server.script(vague, Reply(body=STORED))
    with pytest.raises(Conflict):
        server.api().patch(CONFIGMAP, "a", operations, "ns", patch_type="json", uid="another")
    server.script(vague, Reply(body=STORED))
    with pytest.raises(Invalid):
        server.api().patch(CONFIGMAP, "a", operations, "ns", patch_type="json", uid="u1", resource_version="7")


def test_apply_says_who_and_does_not_force(server: ScriptedServer) -> None:
    server.script(LOST, Reply(body=STORED))
    server.api().apply(CONFIGMAP, {"apiVersion": "v1", "kind": "ConfigMap", **BODY})
    assert server.requests[1].query == {"fieldManager": "meshops.lifecycle", "force": "false"}
    assert server.requests[1].path == "/api/v1/namespaces/ns/configmaps/a"


def test_a_dead_webhook_is_tried_three_times(server: ScriptedServer) -> None:
    server.answer = lambda request: failure(500, "InternalError", 'failed calling webhook "x": connection refused')
    with pytest.raises(KubeError):
        server.api().create(CONFIGMAP, BODY, "ns")
    assert len(server.requests) == 3


def test_a_dead_conversion_webhook_is_tried_three_times(server: ScriptedServer) -> None:
    server.answer = lambda request: failure(500, "InternalError", 'conversion webhook for a.io/v1, Kind=A failed: service "b" not found')
    with pytest.raises(KubeError):
        list(server.api().list(CONFIGMAP, "ns"))
    assert len(server.requests) == 3


def test_an_answer_that_is_not_json(server: ScriptedServer) -> None:
    server.script(Reply(body=b"<html>login</html>"))
    with pytest.raises(KubeError) as failed:
        server.api().get(NAMESPACE, "a")
    assert "address of an API server" in str(failed.value)
    server.script(Reply(302, b"", {"Location": "http://127.0.0.1:1/login"}))
    with pytest.raises(KubeError) as redirected:
        server.api().get(NAMESPACE, "a")
    assert redirected.value.status == 302


def test_text_is_read_as_it_is(server: ScriptedServer) -> None:
    server.script(Reply(body=b"line 1\nline 2\n"))
    assert server.api().raw_text("/api/v1/namespaces/ns/pods/a/log", container="main", tailLines="2") == "line 1\nline 2\n"
    assert server.requests[0].query == {"container": "main", "tailLines": "2"}


def test_an_unknown_kind_is_asked_for_once(server: ScriptedServer) -> None:
    resources = [
        {"name": "gadgets", "kind": "Gadget", "namespaced": True},
        {"name": "gadgets/status", "kind": "Gadget", "namespaced": True},
    ]
    server.script(Reply(body={"resources": resources}), failure(404, "NotFound", "no"))
    api = server.api()
    found = api.kind_for("example.com/v1", "Gadget")
    assert found is not None
    assert found.path("ns", "a") == "/apis/example.com/v1/namespaces/ns/gadgets/a"
    assert api.kind_for("example.com/v1", "Gadget") is found
    assert api.kind_for("absent.com/v1", "Gadget") is None
    assert api.kind_for("absent.com/v1", "Gadget") is None
    assert len(server.requests) == 2


def test_many_calls_are_bounded_ordered_and_all_ended(server: ScriptedServer) -> None:
    active, most, lock = 0, 0, threading.Lock()
    api = server.api(parallel=3)

    def answer(request: Request) -> Reply:
        return failure(404, "NotFound", "no") if request.path.endswith("/3") else Reply(body=STORED)

    server.answer = answer

    def call(number: int) -> int:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        time.sleep(0.02)
        try:
            api.get(CONFIGMAP, str(number), "ns")
        finally:
            with lock:
                active -= 1
        return number * 2

    assert list(api.map(call, [5, 4, 6, 7, 8])) == [10, 8, 12, 14, 16]
    assert most == 3
    server.requests.clear()
    with pytest.raises(NotFound):
        api.map(call, range(8))
    assert len(server.requests) == 8
    assert list(api.map(call, [])) == []


def test_what_holds_what() -> None:
    assert holds({"a": 1, "b": {"c": [1, {"d": 2, "e": 3}]}}, {"b": {"c": [1, {"d": 2}]}})
    assert not holds({"a": [1, 2]}, {"a": [1]})
    assert not holds({"a": 1}, {"a": 1, "b": None})
    assert not holds("x", {"a": 1})
