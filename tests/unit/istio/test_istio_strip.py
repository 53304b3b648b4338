# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pod as it was before Istio injected it; tests/integration/test_istio_rules.py does the same with the real injector."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.uninjected_pod import without_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.tests.unit.istio.raw_istio import pod

Object = dict[str, Any]
STATUS = "sidecar.istio.io/status"


def stripped(raw: Object) -> Object:
    before = copy.deepcopy(raw)
    found = without_sidecar(raw)
    assert raw == before
    return found


def environment(**values: Any) -> list[Object]:
    return [{"name": name, "value": value if isinstance(value, str) else json.dumps(value)} for name, value in values.items()]


def injected(containers: list[Object], annotations: Object | None = None, labels: Object | None = None, **values: Any) -> Object:
    proxy = {"name": "istio-proxy", "image": "x/proxyv2:1", "env": environment(**values)}
    status = {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "volumes": ["istio-data"], "imagePullSecrets": ["pull"]}
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"security.istio.io/tlsMode": "istio", **(labels or {})},
            "annotations": {STATUS: json.dumps(status), "istio.io/rev": "default", **(annotations or {})},
        },
        "spec": {
            "containers": [*containers, proxy],
            "initContainers": [{"name": "prepare", "image": "a"}, {"name": "istio-init", "image": "x/proxyv2:1"}],
            "volumes": [{"name": "data"}, {"name": "istio-data"}],
            "imagePullSecrets": [{"name": "mine"}, {"name": "pull"}],
        },
    }


def test_named_parts() -> None:
    mounts = [{"name": "data", "mountPath": "/d"}, {"name": "istio-data", "mountPath": "/i"}]
    found = stripped(injected([{"name": "app", "image": "a", "volumeMounts": mounts}]))
    assert found == {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "containers": [{"name": "app", "image": "a", "volumeMounts": mounts[:1]}],
            "initContainers": [{"name": "prepare", "image": "a"}],
            "volumes": [{"name": "data"}],
            "imagePullSecrets": [{"name": "mine"}],
        },
    }


@pytest.mark.parametrize("status", ["", "{}", '{"containers": null, "initContainers": null}', "damaged"])
def test_a_status_that_says_nothing(status: str) -> None:
    raw = injected([{"name": "app", "image": "a"}])
    raw["metadata"]["annotations"][STATUS] = status
    found = stripped(raw)
    assert [item["name"] for item in found["spec"]["containers"]] == ["app"]
    assert [item["name"] for item in found["spec"]["initContainers"]] == ["prepare"]
    assert [item["name"] for item in found["spec"]["volumes"]] == ["data"]


def test_native_sidecar() -> None:
    raw = pod(image="x/proxyv2:1", native=True)
    assert stripped(raw)["spec"] == {"containers": [{"name": "app", "image": "web:1"}]}


ORIGINALS = {
    "/app-health/app-1/readyz": {"httpGet": {"path": "/r", "port": 80, "scheme": "HTTPS"}, "timeoutSeconds": 3},
    "/app-health/app-1/livez": {"tcpSocket": {"port": 80}},
    "/app-health/app-1/startupz": {"grpc": {"port": 90, "service": None}},
    "/app-lifecycle/app-1/prestopz": {"httpGet": {"path": "/stop", "port": 80}},
}


def rewritten(key: str) -> Object:
    return {"httpGet": {"path": key, "port": 15020, "scheme": "HTTP"}, "periodSeconds": 7}


def test_probes() -> None:
    names = ("readinessProbe", "livenessProbe", "startupProbe")
    probes = {name: rewritten(key) for name, key in zip(names, ORIGINALS, strict=False)}
    handlers = {"preStop": rewritten("/app-lifecycle/app-1/prestopz"), "postStart": {"exec": {"command": ["true"]}}}
    container = {"name": "app-1", "image": "a", **probes, "lifecycle": handlers}
    (found,) = stripped(injected([container], ISTIO_KUBE_APP_PROBERS=ORIGINALS))["spec"]["containers"]
    assert found["readinessProbe"] == {"httpGet": {"path": "/r", "port": 80, "scheme": "HTTPS"}, "periodSeconds": 7}
    assert found["livenessProbe"] == {"tcpSocket": {"port": 80}, "periodSeconds": 7}
    assert found["startupProbe"] == {"grpc": {"port": 90, "service": None}, "periodSeconds": 7}
    assert found["lifecycle"]["preStop"] == {"httpGet": {"path": "/stop", "port": 80}, "periodSeconds": 7}
    assert found["lifecycle"]["postStart"] == {"exec": {"command": ["true"]}}


def test_a_probe_that_nobody_kept() -> None:
    raw = injected([{"name": "app", "image": "a", "livenessProbe": rewritten("/app-health/app/livez")}])
    with pytest.raises(LifecycleError, match="livenessProbe of container app cannot be restored"):
        without_sidecar(raw)


def test_own_settings_of_the_proxy_come_back() -> None:
    own = {"containers": [{"name": "istio-proxy", "env": [{"name": "A", "value": "b"}], "resources": {}}]}
    raw = injected([{"name": "app", "image": "a"}], {"proxy.istio.io/overrides": json.dumps(own)})
    found = stripped(raw)
    assert found["spec"]["containers"] == [
        {"name": "app", "image": "a"},
        {"name": "istio-proxy", "image": "auto", "env": [{"name": "A", "value": "b"}]},
    ]
    assert "annotations" not in found["metadata"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"scrape": "true", "path": "/m", "port": "8080"}, {"scrape": "true", "path": "/m", "port": "8080"}),
        ({"scrape": "true", "path": "", "port": ""}, {"scrape": "true"}),
        ({}, {}),
    ],
)
def test_prometheus(before: Object, after: Object) -> None:
    merged = {"prometheus.io/scrape": "true", "prometheus.io/path": "/stats/prometheus", "prometheus.io/port": "15020"}
    values = {"ISTIO_PROMETHEUS_ANNOTATIONS": before} if before else {}
    found = stripped(injected([{"name": "app", "image": "a"}], merged, **values))
    assert found["metadata"].get("annotations", {}) == {f"prometheus.io/{name}": value for name, value in after.items()}


def test_labels_and_annotations() -> None:
    added = {
        "service.istio.io/canonical-name": "web",
        "service.istio.io/canonical-revision": "v1",
        "networking.istio.io/tunnel": "http",
        "topology.istio.io/network": "net",
    }
    own = {"app": "web", "version": "v1"}
    annotations = {"kubectl.kubernetes.io/default-container": "app", "kubectl.kubernetes.io/default-logs-container": "other"}
    raw = injected([{"name": "app", "image": "a"}], annotations, {**added, **own}, ISTIO_META_NETWORK="net")
    found = stripped(raw)
    assert found["metadata"]["labels"] == own
    assert found["metadata"]["annotations"] == {"kubectl.kubernetes.io/default-logs-container": "other"}
    raw = injected([{"name": "app", "image": "a"}], {}, {"app": "web", "service.istio.io/canonical-name": "chosen"})
    assert stripped(raw)["metadata"]["labels"] == {"app": "web", "service.istio.io/canonical-name": "chosen"}


@pytest.mark.parametrize(
    ("networks", "left"),
    [
        ("default/istio-cni", None),
        ("mine, default/istio-cni", "mine"),
        ("istio-cni,mine", "mine"),
        ('[{"name": "mine"}, {"name": "istio-cni", "namespace": "default"}]', '[{"name": "mine"}]'),
        ('[{"name": "istio-cni"}]', None),
        ("mine", "mine"),
    ],
)
def test_networks(networks: str, left: str | None) -> None:
    key = "k8s.v1.cni.cncf.io/networks"
    found = stripped(injected([{"name": "app", "image": "a"}], {key: networks}))
    assert found["metadata"].get("annotations", {}).get(key) == left


def test_group_of_old_releases() -> None:
    raw = injected([{"name": "app", "image": "a"}])
    raw["spec"]["securityContext"] = {"fsGroup": 1337, "runAsUser": 7}
    assert stripped(raw)["spec"]["securityContext"] == {"runAsUser": 7}
    raw["spec"]["securityContext"] = {"fsGroup": 7}
    assert stripped(raw)["spec"]["securityContext"] == {"fsGroup": 7}
