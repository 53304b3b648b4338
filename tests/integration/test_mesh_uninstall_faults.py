# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_uninstall in a cluster that works against it: what passes is overcome, what does not is told, and running it again ends well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cluster_look import look
from failures import assert_told
from faults.front import ApiFront
from faults.request import Request
from faults.rules import Rule, reset, slow, status
from mesh_clusters import MeshCluster, Result, told
from run_module import finish_module
from uninstall_cases import (
    ALL,
    EVERYTHING,
    OLDEST,
    SEEN,
    VAULT,
    Plane,
    create,
    done,
    forget_the_dead,
    left,
    of_others,
    reset_to_all_at_once,
    start,
    uninstall,
)
from write_gate import WriteGate

WHOLE = {**EVERYTHING, "mesh_name": "osm", "confirm": "osm", "user_resources": [VAULT]}
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/osm-webhook-osm"
# What a restart, an overload or a broken connection looks like: trying again helps.
PASSING = (status(429, retry_after=1), status(500), status(503), reset(), reset(committed=True), slow(0.5))
WRITTEN = (
    "namespaces",
    "deployments",
    "customresourcedefinitions",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "meshconfigs",
    "secrets",
    "egresses",
    "traffictargets",
    "configmaps",
    "leases",
)


@pytest.fixture
def mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh of 1.1 with everything that there can be of it."""
    reset_to_all_at_once(mesh_cluster)
    return mesh_cluster


def ends_well(mesh: MeshCluster) -> None:
    """The next run finishes what the one before has left, and nothing is there any more."""
    forget_the_dead(mesh)
    done(uninstall(mesh, **WHOLE))
    assert left(mesh, SEEN.things) == []


@pytest.mark.parametrize("turn", range(len(PASSING)) if ALL else (4,))
def test_what_passes_is_overcome(mesh: MeshCluster, turn: int) -> None:
    """The faults take turns over the kinds that are written; with all turns every fault comes to every kind."""
    before = look(mesh.cluster)
    faults = [PASSING[(turn + number) % len(PASSING)] for number in range(len(WRITTEN))]
    with ApiFront(mesh.cluster) as front:
        rules = [Rule(fault, _writes(resource)) for fault, resource in zip(faults, WRITTEN, strict=True)]
        reads = [Rule(fault, _is_read, first=15 + 11 * number, once_each=True) for number, fault in enumerate(PASSING)]
        front.add(*rules, *reads)
        result = uninstall(mesh, kubeconfig=str(front.kubeconfig), **WHOLE)
    done(result)
    assert [resource for resource, rule in zip(WRITTEN, rules, strict=True) if not rule.hit] == []
    assert left(mesh, SEEN.things) == []
    assert of_others(before, look(mesh.cluster), SEEN, *Plane(mesh, OLDEST).names) == ["configmaps/quiet/vault"]


def _writes(resource: str) -> Callable[[Request], bool]:
    return lambda request: request.resource == resource and request.writes and not request.helm


def _helm_deletes(resource: str) -> Callable[[Request], bool]:
    return lambda request: request.helm and (request.method, request.resource) == ("DELETE", resource)


def _is_read(request: Request) -> bool:
    return not request.helm and not request.writes and not request.watch


NAME = "kubernetes.io/metadata.name"
REFUSE_ALL = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "guard-of-others"},
    "webhooks": [
        {
            "name": "guard.example.com",
            "clientConfig": {"service": {"namespace": "team-x", "name": "guard"}},
            "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}],
            # As any that its makers have not regretted; nodes have their Leases there.
            "namespaceSelector": {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": ["kube-system", "kube-node-lease"]}]},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
    ],
}


def test_one_fault_after_the_other(mesh: MeshCluster) -> None:
    """On one mesh, without a reset in between: what each has left is what the next run begins with."""
    cluster = mesh.cluster
    # A webhook of others that refuses everything: it is named, and not touched.
    create(mesh, REFUSE_ALL)
    result = uninstall(mesh, **WHOLE)
    assert_told(result, "guard.example.com")
    cluster.kubectl("delete", "validatingwebhookconfiguration", "guard-of-others")

    # The API server is restarted in the middle, and refuses helm then.
    with WriteGate(cluster) as gate:
        rules = [Rule(status(500), _helm_deletes("deployments")), Rule(reset(), _helm_deletes("secrets"))]
        gate.add(*rules)
        held = gate.hold(lambda request: (request.method, request.resource) == ("PATCH", "customresourcedefinitions"), committed=True)
        process = start(mesh, kubeconfig=str(gate.kubeconfig), **WHOLE)
        held.wait()
        cluster.restart("kube-apiserver")
        held.release()
        result = finish_module(process)
    assert rules[0].hit, told(result)
    if result.get("failed"):
        assert_told(result)
    forget_the_dead(mesh)

    # Somebody puts a webhook back each time.
    with put_back(mesh):
        result = uninstall(mesh, **WHOLE)
    assert_told(result, "osm-webhook-osm", "argocd")
    ends_well(mesh)


@contextmanager
def put_back(mesh: MeshCluster) -> Iterator[None]:
    """Let the mutating webhook come back whenever it is gone, as a controller of others does it."""
    kept = mesh.get(WEBHOOK) if mesh.cluster.api.exists(WEBHOOK) else None
    if kept is None:
        kept = {"kind": "MutatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1", "webhooks": [], "metadata": {}}
        kept["metadata"]["labels"] = {
            "app.kubernetes.io/name": "openservicemesh.io",
            "app.kubernetes.io/instance": "osm",
            "app": "osm-injector",
        }
    body = {key: kept[key] for key in ("apiVersion", "kind", "webhooks")}
    body["metadata"] = {"name": "osm-webhook-osm", "labels": kept["metadata"]["labels"]}
    over = threading.Event()

    def controller() -> None:
        while not over.wait(0.05):
            if not mesh.cluster.api.exists(WEBHOOK):
                mesh.cluster.kubectl("create", "-f", "-", "--field-manager=argocd", stdin=json.dumps(body))

    thread = threading.Thread(target=controller)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_does_not_end_is_explained_and_left_to_its_owner(mesh: MeshCluster) -> None:
    """Finalizers of others on a custom resource, and on what keeps a namespace that somebody deleted yesterday."""
    cluster = mesh.cluster
    finalizers = json.dumps({"metadata": {"finalizers": ["backup.example.com/keep"]}})
    cluster.kubectl("patch", "egress", "out", "-n", "shop", "--type=merge", "-p", finalizers)
    result = uninstall(mesh, **{**WHOLE, "timeout": 25, "delete_namespace": "false"})
    assert_told(result, "backup.example.com/keep", "shop", "out")
    forget_the_dead(mesh)
    cluster.kubectl("create", "configmap", "notes", "-n", "osm-system")
    cluster.kubectl("patch", "configmap", "notes", "-n", "osm-system", "--type=merge", "-p", finalizers)
    cluster.kubectl("delete", "namespace", "osm-system", "--wait=false")
    cluster.kubectl("patch", "egress", "out", "-n", "shop", "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')
    result = uninstall(mesh, **{**WHOLE, "timeout": 25})
    assert_told(result, "osm-system", "backup.example.com/keep")
    remaining: Result = mesh.get("/api/v1/namespaces/osm-system/configmaps/notes")
    assert remaining["metadata"]["finalizers"] == ["backup.example.com/keep"], told(result)
    cluster.kubectl(
        "patch", "configmap", "notes", "-n", "osm-system", "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]'
    )
    ends_well(mesh)
