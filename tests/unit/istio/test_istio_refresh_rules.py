# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Istio says about pods, for a refresh."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.refresh_rules import IstioRules, istio_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import SidecarRules
from ansible_collections.meshops.lifecycle.tests.unit.istio.raw_istio import HUB, NAMESPACES, injector, installation, namespace, pod, rules
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, ScriptedServer, failure

Object = dict[str, Any]
NOW, CANARY, OLD = f"{HUB}/proxyv2:1.30.0", f"{HUB}/proxyv2:1.31.0", f"{HUB}/proxyv2:1.29.9"
INJECT = "sidecar.istio.io/inject"


def test_what_it_serves() -> None:
    found: SidecarRules = rules()
    assert (found.target, found.namespace) == ("istio-system/istio", "istio-system")
    chosen = [name for name, labels in NAMESPACES.items() if found.selects(namespace(name, labels))]
    # Pods of a namespace without labels may ask for a sidecar by their own.
    assert chosen == ["shop", "canary", "tagged", "plain"]


@pytest.mark.parametrize(
    ("raw", "state", "reason"),
    [
        (pod(image=NOW), "current", ""),
        (pod(image=NOW, native=True), "current", ""),
        (pod(image=OLD), "stale", f"runs {OLD}, new pods get {NOW}"),
        (pod(image=OLD, native=True), "stale", f"runs {OLD}, new pods get {NOW}"),
        (pod(image=CANARY), "stale", f"runs {CANARY}, new pods get {NOW}"),
        (pod(image=f"{NOW}-distroless"), "stale", f"runs {NOW}-distroless, new pods get {NOW}"),
        (pod(image=f"{HUB}/proxyv2@sha256:0a"), "stale", f"runs {HUB}/proxyv2@sha256:0a, new pods get {NOW}"),
        (pod(image=NOW, revision="1-31"), "stale", "was injected by revision 1-31, new pods by default"),
        (pod(image=NOW, revision=""), "current", ""),
        (pod("canary", image=NOW), "stale", "was injected by revision default, new pods by 1-31"),
        (pod("canary", image=CANARY, revision="1-31"), "current", ""),
        (pod("tagged", image=CANARY, revision="1-31"), "current", ""),
        (pod(), "missing", ""),
        (pod("plain"), "outside", ""),
        (pod("plain", labels={INJECT: "true"}), "missing", ""),
        (pod("plain", image=NOW, labels={INJECT: "true"}), "current", ""),
        (pod("plain", image=NOW), "unexpected", ""),
        (pod("off", image=NOW), "unexpected", ""),
        (pod("lost", image=OLD, revision="1-29"), "unexpected", ""),
        (pod(labels={INJECT: "false"}), "outside", ""),
        (pod(image=NOW, labels={INJECT: "false"}), "unexpected", ""),
        (pod(hostNetwork=True), "outside", ""),
        (pod("istio-system", image=OLD), "outside", ""),
        (pod("kube-system"), "outside", ""),
        (pod("created-meanwhile"), "outside", ""),
        # A gateway that istioctl installed, a waypoint: nobody injected them.
        (pod("plain", image=OLD, injected=False, labels={INJECT: "false"}), "outside", ""),
        (pod(image=OLD, injected=False), "stale", "has a container istio-proxy that was not injected"),
        (pod(image=f"{NOW}-debug", annotations={"sidecar.istio.io/proxyImageType": "debug"}), "current", ""),
        (pod(image="own.test/p:1", annotations={"sidecar.istio.io/proxyImage": "own.test/p:1"}), "current", ""),
        (pod(annotations={"inject.istio.io/templates": "grpc-simple"}), "outside", ""),
    ],
)
def test_verdicts(raw: Object, state: str, reason: str) -> None:
    found = rules()
    assert found.judge(raw) == (state, reason)
    assert found.judge(copy.deepcopy(raw)) == (state, reason)


def test_a_restartable_init_container_only() -> None:
    raw = pod(image=NOW, native=True)
    del raw["spec"]["initContainers"][0]["restartPolicy"]
    assert rules().judge(raw).state == "missing"


def test_asm_counts() -> None:
    def image(counter: int) -> str:
        return f"gcr.io/gke-release/asm/proxyv2:1.5.10-asm.{counter}"

    found = rules(injector(version="1.5.10-asm.9", values={"hub": "gcr.io/gke-release/asm"}))
    assert found.judge(pod(image=image(9), revision="")).state == "current"
    assert found.judge(pod(image=image(10), revision="")).state == "stale"


def test_an_unknown_configuration_makes_nothing_stale() -> None:
    server_less = rules(injector(values={"hub": ""}))
    raw = pod(image=OLD, annotations={"proxy.istio.io/overrides": "{}"})
    assert server_less.judge(raw) == ("current", "")


def test_templates() -> None:
    found = rules()
    assert found.injects(pod())
    assert found.injects(pod("plain", labels={INJECT: "true"}))
    assert not found.injects(pod("plain"))
    assert not found.injects(pod("istio-system", labels={INJECT: "true"}))
    assert found.denies(pod()) == ""
    assert "nonsense" in found.denies(pod(annotations={"inject.istio.io/templates": "nonsense"}))
    assert found.denies(pod("plain", annotations={"inject.istio.io/templates": "nonsense"})) == ""


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (pod(), False),
        (pod(image="auto", injected=False), False),
        (pod("plain", image="auto", injected=False), False),
        # Settings of its own for an injected proxy.
        (pod(image="own.test/p:1", injected=False), False),
        # istioctl kube-inject.
        (pod(image=OLD), True),
        (pod("plain", image=OLD), True),
        # A gateway of its own.
        (pod("plain", image=OLD, injected=False), True),
    ],
)
def test_written_in(template: Object, written: bool) -> None:
    assert rules().written_in(template) is written


def test_fingerprint() -> None:
    template = pod()
    one = rules().fingerprint(template)
    assert len(one) == 16
    assert one == rules().fingerprint(copy.deepcopy(template))
    assert one == rules().fingerprint(pod(labels={"app": "other"}))
    others = [
        rules(injector(version="1.31.0")).fingerprint(template),
        rules(injector(values={"proxy": {"logLevel": "debug"}})).fingerprint(template),
        rules(injector(values={"hub": "mirror.test"})).fingerprint(template),
        rules(injector(native="true")).fingerprint(template),
        rules(injector(mesh={"defaultConfig": {"concurrency": 1}})).fingerprint(template),
        rules().fingerprint(pod(annotations={"sidecar.istio.io/proxyImageType": "debug"})),
        rules().fingerprint(pod("canary")),
        rules().fingerprint(pod("plain")),
    ]
    assert len({one, *others}) == len(others) + 1
    # A namespace that goes from a revision to its tag gets nothing else.
    assert rules().fingerprint(pod("canary")) == rules().fingerprint(pod("tagged"))
    settings = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"concurrency": 2}}
    assert rules(injector(configs=[settings])).fingerprint(template) != one
    elsewhere = {**settings, "metadata": {"name": "a", "namespace": "plain"}}
    assert rules(injector(configs=[elsewhere])).fingerprint(template) == one


PODS = st.builds(
    pod,
    st.sampled_from([*NAMESPACES]),
    image=st.sampled_from(["", NOW, CANARY, OLD]),
    revision=st.sampled_from(["", "default", "1-31"]),
    native=st.booleans(),
    injected=st.booleans(),
    labels=st.dictionaries(st.sampled_from([INJECT, "istio.io/rev", "app"]), st.sampled_from(["true", "false", "1-31", "default"])),
    annotations=st.dictionaries(st.just(INJECT), st.sampled_from(["true", "false"])),
    hostNetwork=st.booleans(),
)


@given(st.lists(PODS, max_size=6))
def test_remembered_verdicts_are_those_of_each_pod(pods: list[Object]) -> None:
    together = rules()
    assert [together.judge(raw) for raw in pods] == [rules().judge(raw) for raw in pods]


@given(PODS)
def test_verdicts_agree_with_predictions(raw: Object) -> None:
    found = rules()
    state = found.judge(raw).state
    assert (state in ("current", "stale", "missing")) == found.injects(raw)


class ApiOfShop:
    """Answers a dry run with ``stored``, and everything else that ``alive`` reads."""

    def __init__(self, stored: Callable[[Object], Reply] | None = None, *, endpoints: int | None = 1, available: int = 1) -> None:
        self.stored = stored or (lambda sent: Reply(201, {**sent, "spec": pod(image=NOW)["spec"], "metadata": pod(image=NOW)["metadata"]}))
        self.endpoints = endpoints
        self.available = available

    def __call__(self, request: Request) -> Reply:
        last = request.path.rpartition("/")[2]
        if request.method == "POST":
            return self.stored(request.body) if request.query.get("dryRun") == "All" else failure(500, "InternalError", "not a dry run")
        if last == "endpointslices":
            name = request.query["labelSelector"].partition("=")[2]
            endpoints = [{"conditions": {"ready": at < (self.endpoints or 0)}} for at in range(2)]
            labels = {"kubernetes.io/service-name": name}
            return Reply(200, {"items": [{"metadata": {"name": name, "labels": labels}, "endpoints": endpoints}]})
        if "services" in request.path and self.endpoints is not None:
            return Reply(200, {"metadata": {"name": last}})
        if "deployments" in request.path:
            return Reply(200, {"metadata": {"name": last}, "status": {"availableReplicas": self.available}})
        return failure(404, "NotFound", f"{request.path} not found")


def alive(server: ScriptedServer, answer: ApiOfShop, *templates: Object, **changes: Any) -> list[str]:
    server.answer = answer
    found = IstioRules(server.api(), changes.pop("istio", None) or installation(), NAMESPACES)
    for template in templates:
        found.injects(template)
    return [refusal.code for refusal in found.alive()]


def test_alive(server: ScriptedServer) -> None:
    assert alive(server, ApiOfShop(), pod()) == []
    assert [(request.method, request.query.get("dryRun")) for request in server.requests if request.method != "GET"] == [("POST", "All")]


def dead(_sent: Object) -> Reply:
    return failure(500, "InternalError", 'failed calling webhook "namespace.sidecar-injector.istio.io": connection refused')


def denied(_sent: Object) -> Reply:
    return failure(400, "BadRequest", 'admission webhook "namespace.sidecar-injector.istio.io" denied the request: template')


def naked(sent: Object) -> Reply:
    return Reply(201, sent)


def quota(_sent: Object) -> Reply:
    return failure(403, "Forbidden", 'pods "x" is forbidden: exceeded quota')


def stored_as(**changes: Any) -> Callable[[Object], Reply]:
    return lambda sent: Reply(201, pod(**changes))


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (ApiOfShop(endpoints=0), ["injector-down"]),
        (ApiOfShop(endpoints=None), ["injector-down"]),
        (ApiOfShop(naked), ["injector-wrong-sidecar"]),
        (ApiOfShop(stored_as(image=OLD)), ["injector-wrong-sidecar"]),
        (ApiOfShop(stored_as(image=NOW, revision="1-31")), ["injector-wrong-sidecar"]),
        (ApiOfShop(stored_as(image="mirror.test/proxyv2:1.30.0")), []),
        (ApiOfShop(denied), ["injector-no-answer"]),
        (ApiOfShop(quota), []),
    ],
)
def test_not_alive(server: ScriptedServer, answer: ApiOfShop, codes: list[str]) -> None:
    assert alive(server, answer, pod()) == codes


def test_a_dead_webhook_is_told(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.injector_proof._PROBE_SECONDS", 0.5)
    assert alive(server, ApiOfShop(dead), pod()) == ["injector-no-answer"]


def test_labels_that_nobody_serves(server: ScriptedServer) -> None:
    assert alive(server, ApiOfShop(), pod("lost")) == ["injector-webhook-missing"]
    assert alive(server, ApiOfShop(), pod("plain", labels={"istio.io/rev": "1-29"})) == ["injector-webhook-missing"]
    assert alive(server, ApiOfShop(), pod("plain"), pod("off"), pod("lost", labels={INJECT: "false"})) == []
    # Nobody was asked about: all namespaces count.
    assert alive(server, ApiOfShop()) == ["injector-webhook-missing"]


def test_no_dry_run_where_the_webhook_does_not_allow_it(server: ScriptedServer) -> None:
    istio = installation()
    webhooks = [item._replace(hook=item.hook._replace(dry_runs=False)) for item in istio.webhooks]
    assert alive(server, ApiOfShop(naked), pod(), istio=installation(webhooks=webhooks)) == []
    assert [request.method for request in server.requests if request.method == "POST"] == []


def test_without_a_ca_or_a_configuration(server: ScriptedServer) -> None:
    istio = installation()
    webhooks = [item._replace(hook=item.hook._replace(has_ca=False)) for item in istio.webhooks]
    assert alive(server, ApiOfShop(), pod(), istio=installation(webhooks=webhooks)) == ["injector-ca-missing"]
    unknown = replace(injector(), known=False)
    assert alive(server, ApiOfShop(), pod(), istio=installation(unknown)) == ["injector-configuration-missing"]


def test_mirrored_hubs(server: ScriptedServer) -> None:
    mirrored = "mirror.test/istio/proxyv2:1.30.0"
    server.answer = ApiOfShop(stored_as(image=mirrored))
    found = IstioRules(server.api(), installation(), NAMESPACES)
    assert [found.judge(pod(image=mirrored)) for dummy in range(3)] == [("current", "")] * 3
    assert len(server.requests) == 1
    assert found.judge(pod(image=OLD)).state == "stale"
    assert len(server.requests) == 1

    server.answer = ApiOfShop(stored_as(image=NOW))
    found = IstioRules(server.api(), installation(), NAMESPACES)
    assert found.judge(pod(image=mirrored)) == ("stale", f"runs {mirrored}, new pods get {NOW}")

    server.answer = ApiOfShop(quota)
    found = IstioRules(server.api(), installation(), NAMESPACES)
    assert found.judge(pod(image=mirrored)).state == "stale"


def test_no_istio(server: ScriptedServer) -> None:
    server.answer = lambda request: Reply(200, {"items": []})
    with pytest.raises(Refused, match="no Istio"):
        istio_rules(server.api())
