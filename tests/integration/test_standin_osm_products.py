# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other members of the family that the stand-in plays: osm-edge 1.1, upstream OSM 1.2, FSM 1.5."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mesh_by_hand import CONFIG, CRDS, MESH, NEW, WEBHOOK, containers, crash, create, enrol, init_containers, pod, version_label, wait
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

FreshCluster = Callable[[Options], Cluster]
_DEFINITION = "meshconfigs.config.openservicemesh.io"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_edge_1_1_converts_and_cannot_go_to_1_3_directly(fresh_cluster: FreshCluster) -> None:
    """osm-edge v1.1.0 pkg/crdconversion/crdconversion.go, charts/osm (init-osm-bootstrap); v1.3.9 ``ensureMeshConfig`` (seen)."""
    cluster = fresh_cluster(Options(mesh="osm-edge=1.1.3"))
    definitions = {item["metadata"]["name"]: item for item in cluster.api.get(CRDS)["items"]}
    assert len(definitions) == 10
    assert "multiclusterservices.config.openservicemesh.io" in definitions
    assert all(item["metadata"]["labels"] == {"app.kubernetes.io/name": "openservicemesh.io"} for item in definitions.values())
    strategies = {name: item["spec"]["conversion"]["strategy"] for name, item in definitions.items()}
    assert [name for name, strategy in strategies.items() if strategy == "Webhook"] == [_DEFINITION]
    service = definitions[_DEFINITION]["spec"]["conversion"]["webhook"]["clientConfig"]["service"]
    assert service == {"namespace": "osm-system", "name": "osm-bootstrap", "port": 9443, "path": "/convert/meshconfig"}

    older = CONFIG.replace("v1alpha2", "v1alpha1")
    assert cluster.api.get(older)["apiVersion"] == "config.openservicemesh.io/v1alpha1"
    assert _LAST_APPLIED not in cluster.api.get(CONFIG)["metadata"].get("annotations", {})
    created = create(cluster, pod("web", enrol(cluster, "app", sidecar_injection="enabled")))
    assert containers(created)["sidecar"] == "flomesh/pipy:0.50.0-25"
    assert init_containers(created) == {"osm-init": "flomesh/osm-edge-sidecar-init:1.1.1"}

    # 1.1 refreshes the label with the version, which later releases do not.
    version = json.dumps([{"op": "replace", "path": "/spec/template/spec/containers/0/args/5", "value": "1.1.9"}])
    cluster.kubectl("patch", "deployment", "osm-injector", *MESH, "--type=json", "-p", version)
    wait("the webhook's new label", lambda: version_label(cluster, WEBHOOK) == "1.1.9")

    with pytest.raises(SandboxError, match=r"spec\.selector.*field is immutable"):
        cluster.helm("upgrade", "osm", NEW, *MESH, "--reset-values")
    name, log = crash(cluster, "osm-bootstrap")
    assert log["message"] == "Error setting up default MeshConfig osm-mesh-config from ConfigMap preset-mesh-config"
    assert 'spec.traffic.interceptionMode: Unsupported value: ""' in log["error"]
    assert cluster.api.get(f"{CRDS}/{_DEFINITION}")["spec"]["conversion"] == {"strategy": "None"}
    # The old bootstrap is not replaced by one that is never ready.
    ready = cluster.kubectl("get", "pods", *MESH, "-l", "app=osm-bootstrap", "--no-headers").splitlines()
    assert sorted(line.split()[1] for line in ready) == ["0/1", "1/1"], name


def test_upstream_injects_envoy(fresh_cluster: FreshCluster) -> None:
    """osm v1.2.4 pkg/injector/envoy_container.go, pkg/injector/health_probes.go, cmd/osm-bootstrap/crds/."""
    cluster = fresh_cluster(Options(mesh="osm=1.2.4"))
    assert len(cluster.api.get(CRDS)["items"]) == 10
    sidecar = cluster.api.get(CONFIG)["spec"]["sidecar"]
    assert not sidecar.keys() & {"sidecarClass", "sidecarImage", "sidecarDrivers", "envoyImage"}
    assert version_label(cluster, WEBHOOK) == "v1.2.4"

    probe = {"livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}}}
    created = create(cluster, pod("web", enrol(cluster, "app", sidecar_injection="enabled"), container=probe))
    assert containers(created)["envoy"].startswith("envoyproxy/envoy-distroless:v1.22.2")
    assert init_containers(created).keys() == {"osm-init"}
    app, envoy = created["spec"]["containers"]
    assert "MESH_NAME" not in {entry["name"] for entry in envoy["env"]}
    assert (app["livenessProbe"]["httpGet"]["path"], app["livenessProbe"]["httpGet"]["port"]) == ("/osm-liveness-probe", 15901)
    name = f"envoy-bootstrap-config-{created['metadata']['labels']['osm-proxy-uuid']}"
    assert name in {entry.get("secret", {}).get("secretName") for entry in created["spec"]["volumes"]}
    secret = f"/api/v1/namespaces/app/secrets/{name}"
    wait("the controller to add the owner", lambda: "ownerReferences" in cluster.api.get(secret)["metadata"])


def test_fsm(fresh_cluster: FreshCluster) -> None:
    """fsm v1.5.1 pkg/constants/constants.go, cmd/fsm-bootstrap/fsm-bootstrap.go (guard against missing labels)."""
    cluster = fresh_cluster(Options(mesh="fsm=1.5.1"))
    definitions = {item["metadata"]["name"]: item for item in cluster.api.get(CRDS)["items"]}
    expected = {"serviceexports.multicluster.flomesh.io", "trafficsplits.split.smi-spec.io", "gateways.gateway.networking.k8s.io"}
    assert expected <= definitions.keys()
    assert {item["metadata"]["labels"]["app.kubernetes.io/name"] for item in definitions.values()} == {"flomesh.io"}
    config = cluster.api.get("/apis/config.flomesh.io/v1alpha3/namespaces/fsm-system/meshconfigs/fsm-mesh-config")
    assert config["spec"]["traffic"]["interceptionMode"] == "PodLevel"
    webhook = cluster.api.get(WEBHOOK.replace("osm-webhook-osm", "fsm-webhook-fsm"))["webhooks"][0]
    assert (webhook["name"], webhook["clientConfig"]["service"]["name"]) == ("fsm-inject.k8s.io", "fsm-injector")

    namespace = enrol(cluster, "app", mesh="fsm", domain="flomesh.io", sidecar_injection="enabled")
    created = create(cluster, pod("web", namespace))
    assert containers(created)["sidecar"] == "flomesh/pipy:1.5.10"
    assert init_containers(created) == {"fsm-init": "flomesh/fsm-sidecar-init:1.5.1"}
    assert "fsm-proxy-uuid" in created["metadata"]["labels"]

    # What crashes the bootstrap of osm-edge does not crash this one.
    name = "tcproutes.specs.smi-spec.io"
    cluster.kubectl("label", "crd", name, "app.kubernetes.io/name-", "flomesh.io/reconcile-")
    cluster.kubectl("rollout", "restart", "deployment", "fsm-bootstrap", "-n", "fsm-system")
    cluster.kubectl("rollout", "status", "deployment", "fsm-bootstrap", "-n", "fsm-system", "--timeout=60s")
    assert cluster.api.get(f"{CRDS}/{name}")["metadata"]["labels"] == {"flomesh.io/reconcile": "false"}
