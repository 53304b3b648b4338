# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is predicted about new pods is what the real injector does to them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from istio_clusters import NEW, OLD, IstioCluster
from sandboxlib.cluster import Cluster
from workload_objects import bare_pod
from workload_objects import namespace as namespace_object

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.discovery import find_istio
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.refresh_rules import IstioRules, istio_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.sidecars import proxy_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.uninjected_pod import without_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AdmissionDenied
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CONFIGMAP,
    DEPLOYMENT,
    MUTATING_WEBHOOK,
    NAMESPACE,
    POD,
    Kind,
)

Object = dict[str, Any]
CANARY = "1-31"
TAG = "stable"
NAMESPACE_LABELS: list[dict[str, str]] = [
    dict(pair for pair in pairs if pair[1])
    for pairs in itertools.product(
        [("istio-injection", value) for value in ("", "enabled", "disabled")],
        [("istio.io/rev", value) for value in ("", "default", CANARY, TAG, "gone")],
    )
]
POD_LABELS: list[dict[str, str]] = [
    dict(pair for pair in pairs if pair[1])
    for pairs in itertools.product(
        [("sidecar.istio.io/inject", value) for value in ("", "true", "false", "yes")],
        [("istio.io/rev", value) for value in ("", "default", CANARY, TAG)],
    )
]
PROXY_CONFIG = Kind("networking.istio.io/v1beta1", "ProxyConfig", "proxyconfigs")


class Caller:
    """What a module is for ``connect``."""

    name = "test_istio_rules"

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.params = {"kubeconfig": str(cluster.kubeconfig)}
        self.tmpdir = str(directory)


@pytest.fixture
def connected(tmp_path: Path) -> Callable[[IstioCluster], Api]:
    return lambda cluster: connect(Caller(cluster.cluster, tmp_path), explicit=True).api


def created(api: Api, pod: Object) -> Object:
    """What the API server makes of a new pod, on a dry run."""
    return api.create(POD, pod, pod["metadata"]["namespace"], dry_run=True)


def wrong_predictions(api: Api, rules: IstioRules, pods: list[Object]) -> list[str]:
    """Where what the API server would store is not what the rules say; empty when every pod is as predicted."""
    with ThreadPoolExecutor(8) as pool:
        stored = [*pool.map(lambda pod: created(api, pod), pods)]
    wrong = []
    for pod, result in zip(pods, stored, strict=True):
        proxy, said = proxy_of(result), rules.injects(pod)
        verdict = rules.judge(result)
        right = said is (proxy is not None) and verdict.state == ("current" if said else "outside")
        if not right:
            wrong.append(f"{pod['metadata']}: predicted {said}, got {proxy}, judged {verdict}")
    return wrong


def matrix(api: Api) -> list[Object]:
    """A pod with each of POD_LABELS in a namespace with each of NAMESPACE_LABELS."""
    pods = []
    for at, labels in enumerate(NAMESPACE_LABELS):
        api.create(NAMESPACE, namespace_object(f"labels-{at}", labels))
        pods += [bare_pod(f"pod-{number}", f"labels-{at}", labels=own) for number, own in enumerate(POD_LABELS)]
    return pods


def test_who_is_injected_and_by_which_revision(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.istio.install(NEW, revision=CANARY)
    istio_cluster.istio.istioctl("tag", "set", TAG, "--revision", CANARY)
    api = connected(istio_cluster)
    pods = matrix(api)
    installation = find_istio(api)
    assert installation is not None
    assert {plane.revision: str(plane.version) for plane in installation.control_planes.values()} == {"default": OLD, CANARY: NEW}
    assert installation.tags == {"default": "default", TAG: CANARY}
    rules = istio_rules(api, installation=installation)
    assert wrong_predictions(api, rules, pods) == []
    # The matrix has all three: neither, the default revision, and the other one.
    images = {str(proxy.image).rpartition(":")[2] if (proxy := proxy_of(created(api, pod))) else "" for pod in pods[::3]}
    assert images == {"", OLD, NEW}


def test_everything_is_injected_by_default(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.istio.install(OLD, "--set", "values.sidecarInjectorWebhook.enableNamespacesByDefault=true")
    api = connected(istio_cluster)
    pods = [pod for pod in matrix(api) if not {CANARY, TAG} & {*pod["metadata"].get("labels", {}).values()}]
    assert wrong_predictions(api, istio_rules(api), pods) == []
    assert istio_rules(api).injects(bare_pod("x", "labels-0"))


SELECTORS = "values.sidecarInjectorWebhook.{}InjectSelector[0].matchLabels.mood={}"


@pytest.mark.parametrize("policy", ["enabled", "disabled"])
def test_policy_and_selectors_of_the_injector(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api], policy: str) -> None:
    istio_cluster.reset(OLD)
    settings = [f"values.global.proxy.autoInject={policy}", SELECTORS.format("never", "sad"), SELECTORS.format("always", "happy")]
    istio_cluster.istio.install(OLD, *(part for setting in settings for part in ("--set", setting)))
    istio_cluster.namespace("shop")
    api = connected(istio_cluster)
    pods = [
        bare_pod(f"pod-{at}", "shop", labels=dict(labels), annotations=dict(annotations), pod=spec)
        for at, (labels, annotations, spec) in enumerate(
            itertools.product(
                [{}, {"mood": "sad"}, {"mood": "happy"}, {"sidecar.istio.io/inject": "true"}, {"sidecar.istio.io/inject": "false"}],
                [{}, {"sidecar.istio.io/inject": "true"}, {"sidecar.istio.io/inject": "false"}, {"sidecar.istio.io/inject": "on"}],
                [{}, {"hostNetwork": True}],
            )
        )
    ]
    assert wrong_predictions(api, istio_rules(api), pods) == []


def test_image_of_new_pods(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.istio.install(
        OLD, "--set", "values.global.hub=mirror.test:5000/istio", "--set", "meshConfig.defaultConfig.image.imageType=distroless"
    )
    istio_cluster.namespace("shop")
    istio_cluster.namespace("debugged")
    api = connected(istio_cluster)
    for name, spec in (("all", {"image": {"imageType": "debug"}}), ("some", {"selector": {"matchLabels": {"app": "pod-0"}}})):
        body = {"apiVersion": PROXY_CONFIG.api_version, "kind": "ProxyConfig", "metadata": {"name": name, "namespace": "debugged"}}
        image = {"imageType": "default"} if name == "some" else {}
        api.create(PROXY_CONFIG, {**body, "spec": {**spec, **({"image": image} if image else {})}})
    annotations = [
        {},
        {"sidecar.istio.io/proxyImage": "other.test/proxy:1"},
        {"sidecar.istio.io/proxyImage": "other"},
        {"sidecar.istio.io/proxyImageType": "debug"},
        {"sidecar.istio.io/proxyImageType": "default"},
        {"proxy.istio.io/config": '{"image": {"imageType": "debug"}}'},
        {"inject.istio.io/templates": "grpc-simple"},
        {"inject.istio.io/templates": "gateway"},
    ]
    own = {"name": "istio-proxy", "image": "auto"}
    specs: list[Object] = [{}, {"containers": [{"name": "app", "image": "web:1"}, own]}]
    specs.append({"containers": [{"name": "app", "image": "web:1"}, {**own, "image": "own.test/proxy:2"}]})
    pods = [
        {**bare_pod(f"pod-{at}", place, annotations=dict(given)), "spec": copy.deepcopy(spec or bare_pod("x", place)["spec"])}
        for place in ("shop", "debugged")
        for at, (given, spec) in enumerate(itertools.product(annotations, specs))
    ]
    rules = istio_rules(api)
    proxyless = [pod for pod in pods if "grpc-simple" in str(pod)]
    others = [pod for pod in pods if pod not in proxyless]
    assert wrong_predictions(api, rules, others) == []
    assert not any(map(rules.injects, proxyless))
    assert not any(map(rules.written_in, others))


def test_stripping_takes_away_what_the_real_injector_adds(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    for native in (False, True):
        istio_cluster.reset(OLD, native_sidecars=native)
        istio_cluster.namespace("shop")
        istio_cluster.namespace("plain", {})
        api = connected(istio_cluster)
        probes = {
            "readinessProbe": {"httpGet": {"port": 8080, "path": "/ready", "httpHeaders": [{"name": "X-A", "value": "b"}]}},
            "livenessProbe": {"tcpSocket": {"port": 8080}},
            "startupProbe": {"grpc": {"port": 9090}},
            "lifecycle": {"preStop": {"httpGet": {"port": 8080, "path": "/stop", "scheme": "HTTPS"}}},
        }
        spec = {
            "containers": [{"name": "app-1", "image": "web:1", **probes}, {"name": "other", "image": "web:1"}],
            "initContainers": [{"name": "prepare", "image": "web:1"}],
            "volumes": [{"name": "data", "emptyDir": {}}],
        }
        scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/m", "mine": "1"}
        for given in ({}, scraped):
            injected, plain = (created(api, {**bare_pod("web", place, annotations=given), "spec": spec}) for place in ("shop", "plain"))
            assert proxy_of(injected) is not None
            assert proxy_of(plain) is None
            assert comparable(without_sidecar(injected)) == comparable(plain)


def comparable(pod: Object) -> Object:
    """A pod without what is new each time: names of token volumes, and the server's own metadata."""
    metadata, spec = pod["metadata"], copy.deepcopy(pod["spec"])
    spec["volumes"] = [item for item in spec.get("volumes", []) if not item["name"].startswith("kube-api-access-")]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        container["volumeMounts"] = [item for item in container.get("volumeMounts", []) if not item["name"].startswith("kube-api-access-")]
    return {"labels": metadata.get("labels", {}), "annotations": metadata.get("annotations", {}), "spec": spec}


def test_the_injector_is_proven(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.namespace("shop")
    istio_cluster.namespace("lost", {"istio.io/rev": "gone"})
    api = connected(istio_cluster)
    shop, lost = bare_pod("web", "shop"), bare_pod("web", "lost")

    def codes(*templates: Object) -> list[str]:
        rules = istio_rules(api)
        for template in templates:
            rules.injects(template)
        return [refusal.code for refusal in rules.alive()]

    mark = istio_cluster.cluster.mark()
    assert codes(shop) == []
    assert codes(shop, lost) == ["injector-webhook-missing"]
    assert codes() == ["injector-webhook-missing"]
    assert not istio_cluster.cluster.writes_since(mark)

    istio_cluster.istio.stop()
    assert codes(shop) == ["injector-no-answer"]
    istio_cluster.istio.start()

    hooks = [item["metadata"]["name"] for item in api.list(MUTATING_WEBHOOK) if "istio" in item["metadata"]["name"]]
    broken = api.get(CONFIGMAP, "istio-sidecar-injector", "istio-system")
    api.patch(CONFIGMAP, "istio-sidecar-injector", {"data": {"values": "{"}}, "istio-system")
    assert codes(shop) == ["injector-configuration-missing"]
    api.patch(CONFIGMAP, "istio-sidecar-injector", {"data": broken["data"]}, "istio-system")

    api.patch(DEPLOYMENT, "istiod", {"spec": {"replicas": 0}}, "istio-system")
    istio_cluster.cluster.kubectl("-n", "istio-system", "wait", "--for=delete", "pod", "-l", "app=istiod", "--timeout=60s")
    assert codes(shop) == ["injector-down"]
    for name in hooks:
        api.delete(MUTATING_WEBHOOK, name)
    assert codes(shop) == ["injector-webhook-missing"]


def test_a_mirror_that_another_webhook_puts_in_is_what_new_pods_get(
    istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]
) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.namespace("shop")
    api = connected(istio_cluster)
    stored = created(api, bare_pod("web", "shop"))
    proxy = proxy_of(stored)
    assert proxy is not None
    elsewhere = copy.deepcopy(stored)
    for container in elsewhere["spec"]["containers"]:
        container["image"] = container["image"].replace("docker.io/istio", "mirror.test/istio")
    # Nobody rewrites images here: what runs in another place is not what new pods get.
    assert istio_rules(api).judge(elsewhere) == ("stale", f"runs mirror.test/istio/proxyv2:{OLD}, new pods get {proxy.image}")


def test_an_unknown_template_is_denied(istio_cluster: IstioCluster, connected: Callable[[IstioCluster], Api]) -> None:
    istio_cluster.reset(OLD)
    istio_cluster.namespace("shop")
    api = connected(istio_cluster)
    pod = bare_pod("web", "shop", annotations={"inject.istio.io/templates": "nonsense"})
    with pytest.raises(AdmissionDenied):
        created(api, pod)
    assert "nonsense" in istio_rules(api).denies(pod)
    assert not istio_rules(api).denies(bare_pod("web", "shop"))
