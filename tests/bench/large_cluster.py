# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fill a sandbox cluster with namespaces and pods that nobody runs: bare pods that no scheduler takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from raw_lists import connection

MESH = "osm"
_THREADS = 8


def fill(kubeconfig: Path, numbers: Iterable[int], pods_each: int) -> None:
    """Create the namespaces, in them the pods, and enrol the namespaces last: a pod of an enrolled one would pass the injector."""
    names = [f"team-{number:03}" for number in numbers]
    send(kubeconfig, [("POST", "/api/v1/namespaces", _namespace(name)) for name in names])
    # The pods' service account is made by a controller, which may come later than the pod.
    send(kubeconfig, [("POST", f"/api/v1/namespaces/{name}/serviceaccounts", _service_account()) for name in names])
    send(kubeconfig, [("POST", f"/api/v1/namespaces/{name}/pods", pod) for name in names for pod in _pods(name, pods_each)])
    send(kubeconfig, [("PATCH", f"/api/v1/namespaces/{name}", _enrolment()) for name in names])


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _service_account() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}


def _enrolment() -> dict[str, Any]:
    labels = {"openservicemesh.io/monitored-by": MESH}
    return {"metadata": {"labels": labels, "annotations": {"openservicemesh.io/sidecar-injection": "enabled"}}}


def _pods(namespace: str, number: int) -> Iterator[dict[str, Any]]:
    """Yield pods as the injector of osm-edge 1.2.3 leaves them, of the size that pods have in life."""
    for index in range(number):
        workload = f"service-{index % 5}"
        environment = [{"name": f"SETTING_{key}", "value": f"value of setting {key}"} for key in range(12)]
        app = {"name": "app", "image": "registry.example.com/app:1.0", "env": environment, "ports": [{"containerPort": 8080}]}
        sidecar = {
            "name": "sidecar",
            "image": "flomesh/pipy:0.70.0-46",
            "env": [{"name": "MESH_NAME", "value": MESH}, {"name": "POD_NAMESPACE", "value": namespace}],
        }
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{workload}-{index}",
                "labels": {"app": workload, "osm-proxy-uuid": f"00000000-0000-4000-8000-{index:012}"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "name": f"{workload}-5d4f8c7b6d",
                        "uid": "11111111-1111-4111-8111-111111111111",
                    }
                ],
            },
            "spec": {
                "schedulerName": "none",
                "serviceAccountName": "app",
                "automountServiceAccountToken": False,
                "initContainers": [{"name": "osm-init", "image": "flomesh/osm-edge-sidecar-init:1.2.3"}],
                "containers": [app, sidecar],
                "volumes": [{"name": "sidecar-bootstrap-config-volume", "secret": {"secretName": f"sidecar-bootstrap-config-{index}"}}],
            },
        }


def send(kubeconfig: Path, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Send requests over a few connections; raises RuntimeError for the first that is refused."""

    def worker(share: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        server = connection(kubeconfig)
        for method, path, body in share:
            content = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
            server.request(method, path, json.dumps(body), {"Content-Type": content, "User-Agent": "bench"})
            answer = server.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        server.close()

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(worker, [requests[start::_THREADS] for start in range(_THREADS)]))


if __name__ == "__main__":
    fill(Path(sys.argv[1]), range(int(sys.argv[2])), int(sys.argv[3]))
