# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an uninstallation finds of a mesh on a real API server: installed, after Helm took its part away, and when nothing is left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import yaml
from mesh_by_hand import create, enrol, pod, wait
from mesh_clusters import MeshCluster
from sandboxlib.cluster import Cluster

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_reading import read_inventory

PLACE = "osm-system"
EGRESS, ROUTES = "egresses.policy.openservicemesh.io", "tcproutes.specs.smi-spec.io"
# With the removal of sidecars and the contents of one namespace; a larger cluster takes pages, not more lists.
MOST_REQUESTS = 150


class Caller(NamedTuple):
    """What a module is to a connection."""

    params: Mapping[str, Any]
    tmpdir: str
    name: str = "test_uninstall_reading"


def read(cluster: Cluster, directory: Path, **request: Any) -> Inventory:
    api = connect(Caller({"kubeconfig": str(cluster.kubeconfig)}, str(directory)), explicit=True).api
    return read_inventory(api, UninstallRequest(**request), None)


def named(inventory: Inventory) -> dict[str, Artefact]:
    return {f"{each.what} {each.ref}": each for each in inventory.of("named")}


def test_a_mesh_until_nothing_is_left_of_it(mesh_cluster: MeshCluster, tmp_path: Path) -> None:
    cluster = mesh_cluster.reset()
    enrol(cluster, "shop", sidecar_injection="enabled")
    create(cluster, pod("web", "shop"))
    cluster.kubectl("create", "configmap", "mine", "-n", PLACE)
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(_egress("shop")))

    mark = cluster.mark()
    found = read(cluster, tmp_path, delete_namespace="empty")
    requests = [event for event in cluster.audit_since(mark) if event.user_agent.startswith("meshops")]
    _check_installed(found, cluster)
    assert 0 < len(requests) <= MOST_REQUESTS
    assert {event.verb for event in requests} <= {"get", "list"}
    lists = [event for event in requests if event.verb == "list"]
    assert [event.uri for event in lists if "limit" not in parse_qs(urlsplit(event.uri).query)] == []

    cluster.helm("uninstall", "osm", "-n", PLACE, "--no-hooks")
    _check_after_helm(read(cluster, tmp_path, mesh_name="osm"))

    _make_unconvertible(cluster)
    _check_unconvertible(read(cluster, tmp_path, mesh_name="osm"))
    _remove_the_rest(cluster)
    _check_nothing(read(cluster, tmp_path), read(cluster, tmp_path, mesh_name="osm"))


def _egress(namespace: str) -> dict[str, Any]:
    source = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    spec = {"sources": [source], "hosts": ["example.com"], "ports": [{"number": 443, "protocol": "https"}]}
    return {
        "apiVersion": "policy.openservicemesh.io/v1alpha1",
        "kind": "Egress",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": spec,
    }


def _check_installed(found: Inventory, cluster: Cluster) -> None:
    assert found.unread == {}
    assert found.subject is not None
    assert (found.subject.name, found.subject.namespace, found.subject.version) == ("osm", PLACE, "1.2.3")
    own = named(found)
    refs = {(each.ref.kind, each.ref.name) for each in own.values()}
    manifest = yaml.safe_load_all(cluster.helm("get", "manifest", "osm", "-n", PLACE))
    assert {(item["kind"], item["metadata"]["name"]) for item in manifest if item} - refs == set()
    made = {"mutating-webhook", "validating-webhook", "mesh-config", "ca-secret", "helm-release", "helm-record"}
    assert made | {"bootstrap-secrets", "sidecar", "enrolled-namespace", "namespace"} <= {each.what for each in own.values()}
    assert all(each.uid for each in own.values() if each.what not in ("bootstrap-secrets", "sidecar"))
    assert own["bootstrap-secrets Namespace shop"].count == own["sidecar Namespace shop"].count == 1
    assert [str(ref) for ref in found.content] == [f"ConfigMap {PLACE}/mine"]
    assert (found.namespace_exists, found.namespace_terminating) == (True, False)
    unclaimed = {each.ref.name: each.count for each in found.of("unclaimed") if each.what in ("osm-crd", "smi-crd")}
    assert unclaimed.keys() == {each.name for each in crds_of(OSM_EDGE, "1.2.3") or ()}
    assert {name: count for name, count in unclaimed.items() if count} == {EGRESS: 1, "meshconfigs.config.openservicemesh.io": 1}


def _check_after_helm(left: Inventory) -> None:
    assert left.subject is not None
    assert left.subject.release is None
    counts = Counter(each.what for each in left.of("named"))
    assert counts == {
        "mutating-webhook": 1,
        "validating-webhook": 1,
        "mesh-config": 1,
        "ca-secret": 1,
        "bootstrap-secrets": 1,
        "sidecar": 1,
        "enrolled-namespace": 1,
        "namespace": 1,
    }
    assert named(left)["mutating-webhook MutatingWebhookConfiguration osm-webhook-osm"].state["endpoints"] == -1


def _make_unconvertible(cluster: Cluster) -> None:
    """Have an object that is stored in another version than the definition's, and a conversion webhook that is gone (osm#4466)."""
    route = {"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": "TCPRoute", "metadata": {"name": "web", "namespace": "shop"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({**route, "spec": {"matches": {"ports": [80]}}}))
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{ROUTES}"
    (version,) = cluster.api.get(path)["spec"]["versions"]
    versions = [{**version, "storage": False}, {**version, "name": "v1alpha5"}]
    service = {"namespace": PLACE, "name": "osm-bootstrap", "path": "/convert", "port": 9443}
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
    patch = {"spec": {"versions": versions, "conversion": {"strategy": "Webhook", "webhook": webhook}}}
    cluster.kubectl("patch", "crd", ROUTES, "--type=merge", "-p", json.dumps(patch))
    # The server begins to serve the new version a moment later.
    wait("the list to fail", lambda: _status(cluster, "/apis/specs.smi-spec.io/v1alpha5/tcproutes") in (429, 500))


def _status(cluster: Cluster, path: str) -> int:
    try:
        cluster.api.get(path)
    except HTTPError as error:
        return error.code
    return 200


def _check_unconvertible(left: Inventory) -> None:
    conversion = named(left)[f"conversion-webhook CustomResourceDefinition {ROUTES}"]
    assert conversion.state == {"service": f"{PLACE}/osm-bootstrap", "endpoints": -1}
    routes = {each.what: each for each in left.of("unclaimed") if each.ref.name == ROUTES}
    assert {each.count for each in routes.values()} == {None}
    assert f"converted by Service {PLACE}/osm-bootstrap" in routes["custom-resources"].unknown


def _remove_the_rest(cluster: Cluster) -> None:
    strip = {"spec": {"conversion": {"strategy": "None", "webhook": None}}}
    cluster.kubectl("patch", "crd", ROUTES, "--type=merge", "-p", json.dumps(strip))
    cluster.kubectl("delete", "mutatingwebhookconfiguration", "osm-webhook-osm")
    cluster.kubectl("delete", "validatingwebhookconfiguration", "osm-validator-mesh-osm")
    cluster.kubectl("delete", "meshconfig", "--all", "-n", PLACE)
    for name in ("shop", PLACE):
        cluster.kubectl("delete", "namespace", name, "--wait=false")
    wait("the namespaces to be gone", lambda: not any(cluster.api.exists(f"/api/v1/namespaces/{name}") for name in ("shop", PLACE)), 120)


def _check_nothing(anything: Inventory, by_name: Inventory) -> None:
    """Definitions are offered all the same, which osm's own command line does not find any more."""
    for found in (anything, by_name):
        assert found.subject is None
        assert (found.of("named"), found.enrolled, found.content) == ([], (), ())
        assert len([each for each in found.of("unclaimed") if each.what in ("osm-crd", "smi-crd")]) == 13
