# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in makes of upgrades and of what follows them: as seen, osm-edge 1.2.3 to 1.3.9 with the published charts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from charts.repository import ChartRepository
from mesh_by_hand import (
    CONFIG,
    CRDS,
    DEPLOYMENTS,
    MESH,
    NEW,
    SIDECAR,
    VALIDATOR,
    WEBHOOK,
    Manifest,
    containers,
    crash,
    create,
    creates,
    enrol,
    init_containers,
    pod,
    standin_log,
    version_label,
    wait,
)
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options
from standins.osm_family.crds import Crd, serves


def test_upgrade_as_seen(fresh_cluster: Callable[[Options], Cluster]) -> None:
    cluster = fresh_cluster(Options(mesh="osm-edge=1.2.3"))
    api = cluster.api
    app = enrol(cluster, "app", sidecar_injection="enabled")
    create(cluster, pod("before", app))

    # The first attempt fails on the immutable selector, with two of three components already new.
    with pytest.raises(SandboxError, match=r'cannot patch "osm-controller".*spec\.selector.*field is immutable'):
        cluster.helm("upgrade", "osm", NEW, *MESH)
    assert [release["status"] for release in yaml.safe_load(cluster.helm("history", "osm", *MESH, "-o", "yaml"))] == ["deployed", "failed"]
    versions = {name: version_label(cluster, f"{DEPLOYMENTS}/osm-{name}") for name in ("bootstrap", "controller", "injector")}
    assert versions == {"bootstrap": "1.3.9", "controller": "1.2.3", "injector": "1.3.9"}
    # The new injector is not ready before the new definitions are there: until then the old one serves.
    assert init_containers(create(cluster, pod("meanwhile", app))) == {"osm-init": "flomesh/osm-edge-sidecar-init:1.2.3"}
    wait("the new definitions", lambda: len(api.get(CRDS)["items"]) == 19)
    split = wait("TrafficSplit v1alpha4", lambda: _served(cluster, "trafficsplits.split.smi-spec.io", "v1alpha4"))
    assert split["metadata"]["labels"]["openservicemesh.io/reconcile"] == "false"

    # With the Deployment orphaned the same upgrade succeeds; the old pod keeps serving, and stays.
    (old,) = api.get("/api/v1/namespaces/osm-system/pods?labelSelector=app%3Dosm-controller")["items"]
    cluster.kubectl("delete", "deployment", "osm-controller", *MESH, "--cascade=orphan")
    cluster.helm("upgrade", "osm", NEW, *MESH)
    cluster.kubectl("rollout", "status", "deployment", "osm-controller", *MESH, "--timeout=60s")
    wait("both controllers behind the Service", lambda: len(_endpoints(cluster, "osm-controller")) == 2)
    assert old["status"]["podIP"] in _endpoints(cluster, "osm-controller")
    sets = api.get("/apis/apps/v1/namespaces/osm-system/replicasets?labelSelector=app%3Dosm-controller")["items"]
    assert sorted(item["spec"]["replicas"] for item in sets) == [1, 1]
    orphan = next(item for item in sets if "ownerReferences" not in item["metadata"])
    assert orphan["metadata"]["name"] == old["metadata"]["ownerReferences"][0]["name"]

    # What the upgrade does not do.
    spec = api.get(CONFIG)["spec"]
    assert "interceptionMode" not in spec["traffic"]
    assert "pluginChains" not in spec
    assert spec["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == SIDECAR
    assert [version_label(cluster, path) for path in (WEBHOOK, VALIDATOR)] == ["1.2.3", "1.2.3"]
    wait("the validator to know plugins", lambda: "plugin.flomesh.io" in json.dumps(api.get(VALIDATOR)["webhooks"]))

    # New pods are not intercepted until the MeshConfig says how; the sidecar stays at the old Pipy.
    bare = wait("the new injector", lambda: creates(cluster, pod("bare", app)))
    assert (containers(bare)["sidecar"], init_containers(bare)) == (SIDECAR, {})
    mode = {"spec": {"traffic": {"interceptionMode": "iptables"}}}
    cluster.kubectl("patch", "meshconfig", "osm-mesh-config", *MESH, "--type=merge", "-p", json.dumps(mode))
    intercepted = create(cluster, pod("intercepted", app))
    assert init_containers(intercepted) == {"osm-init": "flomesh/osm-edge-sidecar-init:1.3.9"}

    # Rolling back fails on the same selector. The old bootstrap cannot take a stored version away again and crashes.
    with pytest.raises(SandboxError, match=r"spec\.selector.*field is immutable"):
        cluster.helm("rollback", "osm", "1", *MESH)
    versions = {name: version_label(cluster, f"{DEPLOYMENTS}/osm-{name}") for name in ("bootstrap", "controller", "injector")}
    assert versions == {"bootstrap": "1.2.3", "controller": "1.3.9", "injector": "1.2.3"}
    statuses = [release["status"] for release in yaml.safe_load(cluster.helm("history", "osm", *MESH, "-o", "yaml"))]
    assert statuses == ["superseded", "failed", "superseded", "failed"]
    _crashing, log = crash(cluster, "osm-bootstrap")
    assert log["message"] == "Error updating conversion webhook configuration for crd : trafficsplits.split.smi-spec.io"
    assert "missing from spec.versions" in log["error"]


def test_mesh_that_was_upgraded_once_already(fresh_cluster: Callable[[Options], Cluster]) -> None:
    cluster = fresh_cluster(Options())
    cluster.standin.start()
    with ChartRepository(["osm-edge-1.2.0", "osm-edge-1.2.3"]) as repository:
        for command, version in (("install", "1.2.0"), ("upgrade", "1.2.3")):
            arguments = (command, "osm", "osm-edge", "--repo", repository.url, "--version", version, *MESH)
            cluster.helm(*arguments, *(("--create-namespace",) if command == "install" else ()))
            wait("the validator, which comes last", lambda: cluster.api.exists(VALIDATOR))
    cluster.kubectl("rollout", "status", "deployment", "osm-controller", *MESH, "--timeout=60s")
    assert [version_label(cluster, path) for path in (f"{DEPLOYMENTS}/osm-controller", WEBHOOK)] == ["1.2.3", "1.2.0"]
    app = enrol(cluster, "app", sidecar_injection="enabled")
    created = wait("the new injector", lambda: creates(cluster, pod("web", app)))
    assert containers(created)["sidecar"] == "flomesh/pipy:0.70.0-2"
    assert init_containers(created) == {"osm-init": "flomesh/osm-edge-sidecar-init:1.2.3"}


def test_uninstall_after_an_upgrade_leaves_the_webhooks(fresh_cluster: Callable[[Options], Cluster]) -> None:
    cluster = fresh_cluster(Options(mesh="osm-edge=1.2.3"))
    cluster.kubectl("delete", "deployment", "osm-controller", *MESH, "--cascade=orphan")
    cluster.helm("upgrade", "osm", NEW, *MESH)
    wait("the new injector", lambda: _served(cluster, "trafficsplits.split.smi-spec.io", "v1alpha4"))

    cluster.helm("uninstall", "osm", *MESH)

    wait("the MeshConfig to go", lambda: not cluster.api.exists(CONFIG))
    secret = "/api/v1/namespaces/osm-system/secrets/osm-ca-bundle"
    wait("the hook to be through", lambda: "cleanup hook: done" in standin_log(cluster))
    assert not cluster.api.exists(secret)
    # The hook looks for the new version's label, and it was never written.
    assert cluster.api.exists(WEBHOOK)
    assert cluster.api.exists(VALIDATOR)
    reset = cluster.api.get(f"{CRDS}/meshconfigs.config.openservicemesh.io")
    assert "openservicemesh.io/reconcile" not in reset["metadata"]["labels"]


def _served(cluster: Cluster, name: str, version: str) -> Manifest | None:
    found: Manifest = cluster.api.get(f"{CRDS}/{name}")
    return found if any(entry["name"] == version for entry in found["spec"]["versions"]) else None


def _endpoints(cluster: Cluster, service: str) -> set[str]:
    slices = cluster.api.get(
        f"/apis/discovery.k8s.io/v1/namespaces/osm-system/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
    )
    return {address for item in slices["items"] for endpoint in item["endpoints"] or [] for address in endpoint["addresses"]}


def test_a_definition_that_was_just_created_is_not_served_yet() -> None:
    """Nobody has looked at it: the API server answers with conditions that are null."""
    crd = Crd("EgressGateway", "egressgateways", "policy.flomesh.io", ("v1alpha1",))
    created: Manifest = {"spec": {"versions": [{"name": "v1alpha1", "served": True}]}, "status": {"conditions": None}}
    assert not serves(created, crd)
    assert serves({**created, "status": {"conditions": [{"type": "Established", "status": "True"}]}}, crd)
