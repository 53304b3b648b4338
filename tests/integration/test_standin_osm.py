# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for a mesh's pods does to the API what the real pods were seen to do.

What was seen: osm-edge 1.2.3 and 1.3.9, their published charts, real osm-bootstrap and osm-injector, an API server 1.34.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mesh_by_hand import (
    CONFIG,
    CRDS,
    MESH,
    SIDECAR,
    VALIDATOR,
    WEBHOOK,
    Manifest,
    bootstrap_secrets,
    containers,
    create,
    creates,
    enrol,
    init_containers,
    pod,
    wait,
)
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options


@pytest.fixture(scope="module")
def mesh(sandbox_home: Path) -> Iterator[Cluster]:
    """A cluster with an osm-edge 1.2.3 mesh, which the tests of this module only add namespaces to."""
    cluster = Cluster("standin", sandbox_home)
    try:
        cluster.up(Options(mesh="osm-edge=1.2.3"))
        yield cluster
    finally:
        cluster.down()


# What an installation leaves


def test_definitions(mesh: Cluster) -> None:
    items = {item["metadata"]["name"]: item for item in mesh.api.get(CRDS)["items"]}
    assert len(items) == 13
    for item in items.values():
        assert item["metadata"]["labels"] == {"app.kubernetes.io/name": "openservicemesh.io", "openservicemesh.io/reconcile": "false"}
        assert item["spec"]["conversion"] == {"strategy": "None"}
    versions = items["meshconfigs.config.openservicemesh.io"]["spec"]["versions"]
    assert [(entry["name"], entry["storage"], entry.get("deprecated", False)) for entry in versions] == [
        ("v1alpha2", True, False), ("v1alpha1", False, True),
    ]  # fmt: skip


def test_mesh_config_comes_from_the_preset_through_the_go_type(mesh: Cluster) -> None:
    found = mesh.api.get(CONFIG)
    assert "kubectl.kubernetes.io/last-applied-configuration" in found["metadata"]["annotations"]
    assert not found["metadata"].get("labels")
    sidecar = found["spec"]["sidecar"]
    # Zero values are dropped, fields without omitempty appear, the definition adds its defaults.
    assert "sidecarImage" not in sidecar
    assert "maxDataPlaneConnections" not in sidecar
    assert sidecar["sidecarDrivers"][0] == {
        "sidecarName": "pipy", "sidecarImage": SIDECAR, "proxyServerPort": 6060, "sidecarDisabledMTLS": False,
    }  # fmt: skip
    assert sidecar["tlsMinProtocolVersion"] == "TLSv1_2"
    assert found["spec"]["traffic"]["outboundIPRangeExclusionList"] == []
    assert "interceptionMode" not in found["spec"]["traffic"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"traffic": {"outboundPortExclusionList": [70000]}}, "should be less than or equal to 65535"),
        ({"traffic": {"outboundIPRangeExclusionList": ["10.0.0.0"]}}, "should match"),
        ({"sidecar": {"logLevel": "loud"}}, "Unsupported value"),
        # The shipped file has the level `off` without quotes, so that the word itself is no allowed value.
        ({"sidecar": {"logLevel": "off"}}, "Unsupported value"),
        ({"certificate": {"certKeyBitSize": None}}, "certKeyBitSize: Required value"),
    ],
)
def test_mesh_config_schema_refuses(mesh: Cluster, patch: Manifest, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        mesh.kubectl("patch", "meshconfig", "osm-mesh-config", *MESH, "--type=merge", "--dry-run=server", "-p", json.dumps({"spec": patch}))


def test_mesh_config_schema_drops_what_this_version_does_not_know(mesh: Cluster) -> None:
    patch = {"spec": {"traffic": {"interceptionMode": "iptables", "useHTTPSIngress": True}}}
    arguments = ("patch", "meshconfig", "osm-mesh-config", *MESH, "--type=merge", "--dry-run=server", "-o", "json", "-p", json.dumps(patch))
    assert not json.loads(mesh.kubectl(*arguments))["spec"]["traffic"].keys() & patch["spec"]["traffic"].keys()


def test_webhooks(mesh: Cluster) -> None:
    for path, app, service, port in ((WEBHOOK, "osm-injector", "osm-injector", 9090), (VALIDATOR, "osm-controller", "osm-validator", 9093)):
        found = mesh.api.get(path)
        assert found["metadata"]["labels"] == {
            "app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm",
            "app.kubernetes.io/version": "1.2.3", "app": app,
        }  # fmt: skip
        (webhook,) = found["webhooks"]
        assert (webhook["failurePolicy"], webhook["matchPolicy"], webhook["sideEffects"]) == ("Fail", "Exact", "NoneOnDryRun")
        reference = webhook["clientConfig"]["service"]
        assert (reference["namespace"], reference["name"], reference["port"]) == ("osm-system", service, port)
        ca = mesh.api.get("/api/v1/namespaces/osm-system/secrets/osm-ca-bundle")
        assert webhook["clientConfig"]["caBundle"] == ca["data"]["ca.crt"]
        assert ca["data"].keys() == {"ca.crt", "private.key"}
        assert "app.kubernetes.io/instance" not in ca["metadata"]["labels"]
    assert mesh.api.get(WEBHOOK)["webhooks"][0]["timeoutSeconds"] == 20


# Who is injected, and what with


def test_injected_pod(mesh: Cluster) -> None:
    namespace = enrol(mesh, "injected", sidecar_injection="enabled")
    created = create(mesh, pod("web", namespace))
    assert containers(created) == {"app": "app:1", "sidecar": SIDECAR}
    assert init_containers(created) == {"osm-init": "flomesh/osm-edge-sidecar-init:1.2.3"}
    sidecar = created["spec"]["containers"][1]
    assert [port["name"] for port in sidecar["ports"]] == ["proxy-admin", "proxy-inbound", "proxy-metrics"]
    assert {"name": "MESH_NAME", "value": "osm"} in sidecar["env"]
    proxy = created["metadata"]["labels"]["osm-proxy-uuid"]
    volumes = {entry["name"]: entry.get("secret", {}).get("secretName") for entry in created["spec"]["volumes"]}
    assert volumes["sidecar-bootstrap-config-volume"] == f"sidecar-bootstrap-config-{proxy}"
    assert "2/2" in wait("two ready containers", lambda: "2/2" in (shown := mesh.kubectl("get", "pods", "-n", namespace)) and shown)


def test_bootstrap_secret_goes_with_its_pod(mesh: Cluster) -> None:
    namespace = enrol(mesh, "owned", sidecar_injection="enabled")
    created = create(mesh, pod("web", namespace))
    (secret,) = bootstrap_secrets(mesh, namespace)
    assert secret["metadata"]["labels"]["app.kubernetes.io/instance"] == "osm"
    wait("the controller to add the owner", lambda: "ownerReferences" in bootstrap_secrets(mesh, namespace)[0]["metadata"])
    (owner,) = bootstrap_secrets(mesh, namespace)[0]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", created["metadata"]["uid"])
    mesh.kubectl("delete", "pod", "web", "-n", namespace)
    wait("the Secret to go", lambda: not bootstrap_secrets(mesh, namespace))


@pytest.mark.parametrize(
    ("namespace_annotation", "pod_annotation", "injected"),
    [("enabled", None, True), ("Yes", None, True), ("enabled", "disabled", False), ("disabled", None, False), ("disabled", "TRUE", True),
     (None, "enabled", True), (None, None, False)],
)  # fmt: skip
def test_annotations_decide(mesh: Cluster, namespace_annotation: str | None, pod_annotation: str | None, injected: bool) -> None:
    given = {} if namespace_annotation is None else {"sidecar_injection": namespace_annotation}
    namespace = enrol(mesh, f"case-{namespace_annotation}-{pod_annotation}".lower(), **given)
    annotations = {} if pod_annotation is None else {"openservicemesh.io/sidecar-injection": pod_annotation}
    assert ("sidecar" in containers(create(mesh, pod("web", namespace, annotations=annotations)))) is injected


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"sidecar-injection": "maybe"}, 'Invalid annotation value for key "openservicemesh.io/sidecar-injection": maybe'),
        ({"outbound-port-exclusion-list": "80,x"}, "Invalid port value 'x'"),
        ({"inbound-port-exclusion-list": "0"}, "Invalid port value '0'"),
        ({"outbound-ip-range-exclusion-list": "10.0.0.0"}, r"Invalid IP range '10\.0\.0\.0'"),
    ],
)
def test_invalid_annotations_deny_the_pod(mesh: Cluster, annotation: dict[str, str], message: str) -> None:
    namespace = enrol(mesh, "denied", sidecar_injection="enabled")
    wrong = pod("web", namespace, annotations={f"openservicemesh.io/{key}": value for key, value in annotation.items()})
    with pytest.raises(SandboxError, match=rf'admission webhook "osm-inject\.k8s\.io" denied the request: {message}'):
        create(mesh, wrong)
    assert not bootstrap_secrets(mesh, namespace)


def test_invalid_annotation_of_the_namespace_denies_even_decided_pods(mesh: Cluster) -> None:
    namespace = enrol(mesh, "muddled", sidecar_injection="perhaps")
    with pytest.raises(SandboxError, match=r"denied the request: Invalid annotation value .* perhaps"):
        create(mesh, pod("web", namespace, annotations={"openservicemesh.io/sidecar-injection": "enabled"}))


def test_host_network_is_never_injected(mesh: Cluster) -> None:
    namespace = enrol(mesh, "host-network", sidecar_injection="enabled")
    assert containers(create(mesh, pod("agent", namespace, hostNetwork=True))) == {"app": "app:1"}


def test_ignored_namespaces_never_reach_the_injector(mesh: Cluster) -> None:
    namespace = enrol(mesh, "ignored", sidecar_injection="perhaps")
    mesh.kubectl("label", "namespace", namespace, "openservicemesh.io/ignore=whatever")
    assert containers(create(mesh, pod("web", namespace))) == {"app": "app:1"}


def test_dry_run_stores_nothing(mesh: Cluster) -> None:
    namespace = enrol(mesh, "dry-run", sidecar_injection="enabled")
    assert "sidecar" in containers(create(mesh, pod("web", namespace), "--dry-run=server"))
    assert not bootstrap_secrets(mesh, namespace)


def test_probes_and_metrics(mesh: Cluster) -> None:
    namespace = enrol(mesh, "probed", sidecar_injection="enabled", metrics="enabled")
    probes = {
        "livenessProbe": {"httpGet": {"path": "/alive", "port": "web"}},
        "readinessProbe": {"tcpSocket": {"port": 8080}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }
    created = create(mesh, pod("web", namespace, container=probes))
    assert list(containers(created)) == ["app", "osm-healthcheck", "sidecar"]
    app = created["spec"]["containers"][0]
    assert (app["livenessProbe"]["httpGet"]["port"], app["livenessProbe"]["httpGet"]["path"]) == (15901, "/osm-healthcheck")
    assert {"name": "Original-Http-Path", "value": "/alive"} in app["livenessProbe"]["httpGet"]["httpHeaders"]
    assert app["readinessProbe"]["httpGet"]["port"] == 15904
    assert app["startupProbe"]["exec"] == {"command": ["true"]}
    assert created["metadata"]["annotations"]["prometheus.io/port"] == "15010"


def test_the_validator_answers(mesh: Cluster) -> None:
    namespace = enrol(mesh, "policies")
    target = {
        "apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget", "metadata": {"name": "target", "namespace": namespace},
        "spec": {"destination": {"kind": "ServiceAccount", "name": "a", "namespace": "elsewhere"}, "sources": []},
    }  # fmt: skip
    with pytest.raises(SandboxError, match=r'admission webhook "osm-validator\.k8s\.io" denied'):
        create(mesh, target)
    target["spec"]["destination"]["namespace"] = namespace
    assert create(mesh, target)["kind"] == "TrafficTarget"


# Faults


def test_a_dead_injector_refuses_all_pods_of_monitored_namespaces(mesh: Cluster) -> None:
    namespace = enrol(mesh, "dead-injector", sidecar_injection="disabled")
    mesh.standin.stop()
    try:
        with pytest.raises(SandboxError, match=r'failed calling webhook "osm-inject\.k8s\.io": .* connection refused'):
            create(mesh, pod("web", namespace))
    finally:
        mesh.standin.start()
    assert create(mesh, pod("web", namespace))


def test_secrets_of_a_time_without_controller_are_made_up_for(mesh: Cluster) -> None:
    namespace = enrol(mesh, "without-controller", sidecar_injection="enabled")
    mesh.kubectl("scale", "deployment", "osm-controller", *MESH, "--replicas=0")
    controllers = "/api/v1/namespaces/osm-system/pods?labelSelector=app%3Dosm-controller"
    wait("the controller to go", lambda: not mesh.api.get(controllers)["items"])
    create(mesh, pod("web", namespace))
    time.sleep(1.5)
    assert "ownerReferences" not in bootstrap_secrets(mesh, namespace)[0]["metadata"]
    mesh.kubectl("scale", "deployment", "osm-controller", *MESH, "--replicas=1")
    wait("the owner to be added", lambda: "ownerReferences" in bootstrap_secrets(mesh, namespace)[0]["metadata"])


def test_it_survives_the_api_server(mesh: Cluster) -> None:
    namespace = enrol(mesh, "after-restart", sidecar_injection="enabled")
    mesh.restart("kube-apiserver")
    assert mesh.standin.alive
    assert "sidecar" in containers(create(mesh, pod("web", namespace)))
    # It watches again, too: a new injector pod takes over.
    mesh.kubectl("rollout", "restart", "deployment", "osm-injector", *MESH)
    mesh.kubectl("rollout", "status", "deployment", "osm-injector", *MESH, "--timeout=60s")
    wait("the new injector", lambda: creates(mesh, pod("another", namespace)))


def test_definitions_without_labels_crash_the_bootstrap(mesh: Cluster) -> None:
    name = "tcproutes.specs.smi-spec.io"
    mesh.kubectl("label", "crd", name, "app.kubernetes.io/name-", "openservicemesh.io/reconcile-")
    mesh.kubectl("rollout", "restart", "deployment", "osm-bootstrap", *MESH)
    wait("the crash loop", lambda: "CrashLoopBackOff" in mesh.kubectl("get", "pods", *MESH, "-l", "app=osm-bootstrap"))
    mesh.kubectl("label", "crd", name, "app.kubernetes.io/name=openservicemesh.io")
    mesh.kubectl("rollout", "status", "deployment", "osm-bootstrap", *MESH, "--timeout=60s")
