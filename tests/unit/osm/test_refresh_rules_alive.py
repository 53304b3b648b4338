# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the injector of a mesh is proven able to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.candidates import osm_candidates
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.refresh_rules import osm_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.mesh_candidates import MeshCandidate, family_of
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer, failure
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import healthy, namespace, observed, pod, webhook

Object = dict[str, Any]
IMAGE, INIT = "flomesh/pipy:0.90.3-38", "flomesh/osm-edge-sidecar-init:1.3.9"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def answer(
    hooks: list[Object], stored: Callable[[Object], Reply], *, endpoints: int | None, available: int | None
) -> Callable[[Request], Reply]:
    """What ``alive`` reads: configurations, the Service with this many ready endpoints, the Deployment with this many pods."""

    def reply(request: Request) -> Reply:
        last = request.path.rpartition("/")[2]
        if request.method == "POST":
            return stored(request.body) if request.query.get("dryRun") == "All" else failure(500, "InternalError", "not a dry run")
        if last == "mutatingwebhookconfigurations":
            return Reply(200, {"items": hooks})
        if last == "endpointslices":
            labels = {"kubernetes.io/service-name": "osm-injector"}
            slices = [{"metadata": {"name": "s", "labels": labels}, "endpoints": [{} for dummy in range(endpoints or 0)]}]
            return Reply(200, {"items": slices})
        if "services" in request.path and endpoints is not None:
            return Reply(200, {"metadata": {"name": last}})
        if "deployments" in request.path and available is not None:
            return Reply(200, {"metadata": {"name": last}, "status": {"availableReplicas": available}})
        return failure(404, "NotFound", f"{request.path} not found")

    return reply


def good(_sent: Object) -> Reply:
    return Reply(201, pod(image=IMAGE, init=INIT))


def alive(
    server: ScriptedServer,
    stored: Callable[[Object], Reply] = good,
    *,
    hooks: list[Object] | None = None,
    endpoints: int | None = 1,
    available: int | None = 1,
    **changes: Any,
) -> list[Refusal]:
    configurations = [webhook(sideEffects="NoneOnDryRun")] if hooks is None else hooks
    server.answer = answer(configurations, stored, endpoints=endpoints, available=available)
    seen = observed(healthy(**changes))
    return osm_rules(server.api(), seen.meshes[0], seen).alive()


def tried(server: ScriptedServer) -> list[str]:
    """The namespaces in which pods were tried."""
    return [request.path.split("/")[4] for request in server.requests if request.method == "POST"]


def test_alive(server: ScriptedServer) -> None:
    assert alive(server) == []
    assert tried(server) == ["shop"]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"hooks": []}, ["injector-webhook-missing"]),
        ({"hooks": [webhook(place="elsewhere")]}, ["injector-webhook-missing"]),
        ({"hooks": [webhook(name="other.example.org")]}, ["injector-webhook-missing"]),
        ({"endpoints": 0}, ["injector-down"]),
        ({"endpoints": None}, ["injector-down"]),
        ({"endpoints": 0, "available": 0}, ["injector-down"]),
        ({"available": 0}, ["injector-down"]),
        ({"available": None}, ["injector-down"]),
    ],
)
def test_parts_that_lack(server: ScriptedServer, changes: Object, codes: list[str]) -> None:
    found = alive(server, **changes)
    assert [refusal.code for refusal in found] == codes
    assert all(refusal.next and refusal.state for refusal in found)
    # Nothing is tried on an injector that is not there.
    assert tried(server) == []


def test_no_ca(server: ScriptedServer) -> None:
    hook = webhook(sideEffects="None")
    hook["webhooks"][0]["clientConfig"]["caBundle"] = ""
    (found,) = alive(server, hooks=[hook])
    assert found.code == "injector-ca-missing"


def naked(sent: Object) -> Reply:
    return Reply(201, sent)


def old(_sent: Object) -> Reply:
    return Reply(201, pod(image="flomesh/pipy:0.70.0-46", init=INIT))


def bypassed(_sent: Object) -> Reply:
    return Reply(201, pod(image=IMAGE))


def denied(_sent: Object) -> Reply:
    return failure(400, "BadRequest", 'admission webhook "osm-inject.k8s.io" denied the request: MeshConfig sidecar.sidecarImage not set')


def other_webhook(_sent: Object) -> Reply:
    return failure(400, "BadRequest", 'admission webhook "policy.example.org" denied the request: no')


def not_allowed(_sent: Object) -> Reply:
    return failure(403, "Forbidden", 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "shop"')


@pytest.mark.parametrize(
    ("stored", "code", "what"),
    [
        (naked, "injector-wrong-sidecar", "has no sidecar"),
        (old, "injector-wrong-sidecar", "runs flomesh/pipy:0.70.0-46, new pods get"),
        (bypassed, "injector-wrong-sidecar", "the pod's traffic bypasses the mesh"),
        (denied, "injector-no-answer", "denies it"),
        (other_webhook, "", ""),
        (not_allowed, "", ""),
    ],
)
def test_what_comes_back(server: ScriptedServer, stored: Callable[[Object], Reply], code: str, what: str) -> None:
    found = alive(server, stored)
    assert [refusal.code for refusal in found] == ([code] if code else [])
    assert all(what in refusal.what for refusal in found)


def test_some_namespaces_are_tried(server: ScriptedServer) -> None:
    spaces = [namespace(f"n{at}", mesh="osm", injection="enabled") for at in range(5)]
    ignored = namespace("a-ignored", mesh="osm", injection="enabled")
    ignored["metadata"]["labels"]["openservicemesh.io/ignore"] = ""
    spaces += [namespace("a-off", mesh="osm"), ignored]
    assert alive(server, not_allowed, namespaces=spaces) == []
    assert tried(server) == ["n0", "n1", "n2"]


def test_nothing_is_tried_where_a_dry_run_is_not_allowed(server: ScriptedServer) -> None:
    assert alive(server, naked, hooks=[webhook()]) == []
    assert tried(server) == []


def test_new_pods_would_bypass_the_mesh(server: ScriptedServer) -> None:
    (found,) = alive(server, spec=PRESET_1_2)
    assert (found.code, found.object.kind) == ("injector-wrong-sidecar", "MeshConfig")
    assert "interceptionMode" in found.what


def test_which_meshes_there_are(server: ScriptedServer) -> None:
    items = [{"metadata": {"name": "osm-controller", "namespace": "osm-system", "uid": "1", "labels": {"meshName": "red"}}}]
    items += [{"metadata": {"name": "fsm-controller", "namespace": "fsm-system", "uid": "2", "labels": {}}}]
    server.answer = lambda request: Reply(200, {"items": items})
    found = osm_candidates(server.api())
    assert [candidate.target for candidate in found] == ["osm-system/red", "fsm-system/fsm-controller"]
    assert server.requests[0].query["labelSelector"] == "app in (osm-controller,fsm-controller)"
    assert family_of(found) == "osm"
    istio = MeshCandidate("istio", "istio-system", "istio")
    assert family_of([istio]) == "istio"
    both, none = family_of([istio, *found]), family_of([])
    assert isinstance(both, Refusal)
    assert isinstance(none, Refusal)
    assert (both.code, none.code) == ("several-meshes", "no-mesh")
    assert "osm-system/red" in both.what
