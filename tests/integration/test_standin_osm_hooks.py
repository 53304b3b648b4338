# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chart's hooks when they fail or hang, and the reconciler: what a test can make of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mesh_by_hand import CRDS, MESH, NEW, WEBHOOK, wait
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

_OLD = NEW.replace("1.3.9", "1.2.3")
_JOBS = "/apis/batch/v1/namespaces/osm-system/jobs"


def test_hooks_that_fail_or_hang(fresh_cluster: Callable[[Options], Cluster]) -> None:
    """osm-edge v1.3.9 charts/osm/templates/{preinstall,cleanup}-hook.yaml; helm v3 pkg/action/uninstall.go (the record goes anyway)."""
    cluster = fresh_cluster(Options(nodes=1))

    def install(value: str) -> None:
        cluster.helm("install", "osm", _OLD, *MESH, "--create-namespace", "--timeout", "3s", "--set", f"osm.image.name.{value}")

    with pytest.raises(SandboxError, match=r"(?s)failed pre-install: .*(BackoffLimitExceeded|Job failed)"):
        install("osmPreinstall=osm-edge-preinstall-failing")
    (job,) = cluster.api.get(_JOBS)["items"]
    assert (job["metadata"]["name"], job["status"]["failed"]) == ("osm-preinstall", 1)
    cluster.helm("uninstall", "osm", *MESH, "--no-hooks")
    with pytest.raises(SandboxError, match=r"(?s)failed pre-install: .*(timed out|context deadline exceeded)"):
        install("osmPreinstall=osm-edge-preinstall-hanging")
    cluster.helm("uninstall", "osm", *MESH, "--no-hooks")

    install("osmCRDs=osm-edge-crds-hanging")
    with pytest.raises(SandboxError, match=r"timed out|context deadline exceeded"):
        cluster.helm("uninstall", "osm", *MESH, "--timeout", "2s")
    jobs = {item["metadata"]["name"]: item["status"] for item in cluster.api.get(_JOBS)["items"]}
    assert jobs["osm-cleanup"]["active"] == 1
    with pytest.raises(SandboxError, match="release: not found"):
        cluster.helm("status", "osm", *MESH)


def test_reconciler(fresh_cluster: Callable[[Options], Cluster]) -> None:
    """osm-edge v1.3.9 pkg/reconciler: what is labelled comes back while the programs run, and only then."""
    cluster = fresh_cluster(Options(nodes=1))
    cluster.standin.start()
    cluster.helm("install", "osm", _OLD, *MESH, "--create-namespace", "--set", "osm.enableReconciler=true")
    for name in ("bootstrap", "injector", "controller"):
        cluster.kubectl("rollout", "status", "deployment", f"osm-{name}", *MESH, "--timeout=60s")
    definition = f"{CRDS}/retries.policy.openservicemesh.io"
    before, webhook = cluster.api.get(definition), cluster.api.get(WEBHOOK)
    assert before["metadata"]["labels"]["openservicemesh.io/reconcile"] == "true"

    change = json.dumps([{"op": "replace", "path": "/spec/names/shortNames", "value": ["other"]}])
    cluster.kubectl("patch", "crd", "retries.policy.openservicemesh.io", "--type=json", "-p", change)
    wait("the change to be reverted", lambda: cluster.api.get(definition)["spec"] == before["spec"])
    cluster.kubectl("delete", "crd", "retries.policy.openservicemesh.io", "--wait=false")
    wait("the definition to come back", lambda: _another(cluster, definition, before["metadata"]["uid"]))
    ignore = json.dumps([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}])
    cluster.kubectl("patch", "mutatingwebhookconfiguration", "osm-webhook-osm", "--type=json", "-p", ignore)
    wait("the policy to be reverted", lambda: cluster.api.get(WEBHOOK)["webhooks"] == webhook["webhooks"])
    cluster.kubectl("delete", "mutatingwebhookconfiguration", "osm-webhook-osm")
    wait("the webhook to come back", lambda: _another(cluster, WEBHOOK, webhook["metadata"]["uid"]))

    cluster.kubectl("scale", "deployment", "osm-injector", *MESH, "--replicas=0")
    cluster.kubectl("wait", "pod", *MESH, "-l", "app=osm-injector", "--for=delete", "--timeout=30s")
    cluster.kubectl("delete", "mutatingwebhookconfiguration", "osm-webhook-osm")
    assert not cluster.api.exists(WEBHOOK)


def _another(cluster: Cluster, path: str, uid: str) -> bool:
    """Whether there is an object again, and not the one that was deleted."""
    return cluster.api.exists(path) and cluster.api.get(path)["metadata"]["uid"] != uid
