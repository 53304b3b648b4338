# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of mesh_namespace do to namespaces and pods, as a user with kubectl and as a user of the module."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Mapping
from typing import Any

from mesh_clusters import MeshCluster, Result, eventually
from run_module import run_module, start_module

SCRAPE = {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}


class Namespaces:
    """Namespaces that one test has made; ``domain`` is that of the product's keys."""

    def __init__(self, mesh: MeshCluster, domain: str = "openservicemesh.io") -> None:
        self.mesh = mesh
        self.cluster = mesh.cluster
        self.domain = domain
        self.made: list[str] = []

    # The module

    def run(self, *names: str, check: bool = False, diff: bool = False, **options: Any) -> Result:
        """Run it on these namespaces."""
        return run_module("mesh_namespace", self.options(*names, **options), check=check, diff=diff)

    def start(self, *names: str, **options: Any) -> subprocess.Popen[str]:
        """Start it and return its process."""
        return start_module("mesh_namespace", self.options(*names, **options))

    def options(self, *names: str, **options: Any) -> Result:
        """Its options."""
        return self.mesh.options(namespaces=list(names), **options)

    # The cluster

    def make(self, keys: Mapping[str, str | None] | None = None, labels: Mapping[str, str] | None = None, *, name: str = "") -> str:
        """Create a namespace with these of the family's keys (``monitored-by``, ``ignore``, ``sidecar-injection``, ``metrics``)."""
        name = name or f"app-{uuid.uuid4().hex[:8]}"
        given = {f"{self.domain}/{key}": value for key, value in (keys or {}).items()}
        metadata = {
            "name": name,
            "labels": {**(labels or {}), **{key: value for key, value in given.items() if key.endswith(("/monitored-by", "/ignore"))}},
            "annotations": {key: value for key, value in given.items() if not key.endswith(("/monitored-by", "/ignore"))},
        }
        self.cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
        self.made.append(name)
        return name

    def keys(self, name: str) -> dict[str, str]:
        """The family's labels and annotations of a namespace, without their domain."""
        metadata = self.mesh.get(f"/api/v1/namespaces/{name}")["metadata"]
        pairs = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        return {key.partition("/")[2]: value for key, value in pairs.items() if key.partition("/")[0] == self.domain}

    def deploy(self, namespace: str, replicas: int = 1, *, name: str = "web", annotations: Mapping[str, str] | None = None) -> None:
        """Create a Deployment and wait until its pods are ready."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels, "annotations": dict(annotations or {})},
            "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1"}]},
        }
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        }
        self.cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))
        self.cluster.kubectl("rollout", "status", "deployment", name, "-n", namespace, "--timeout=60s")

    def restart(self, namespace: str, name: str = "web") -> None:
        """Restart it and wait until only new pods are left."""
        self.cluster.kubectl("rollout", "restart", "deployment", name, "-n", namespace)
        self.cluster.kubectl("rollout", "status", "deployment", name, "-n", namespace, "--timeout=60s")
        eventually(lambda: not any("deletionTimestamp" in pod["metadata"] for pod in self.pods(namespace)), "old pods stay")

    def pods(self, namespace: str) -> list[Result]:
        """Its pods."""
        found: list[Result] = self.mesh.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return found

    def scraped(self, namespace: str) -> list[dict[str, str]]:
        """The annotations for Prometheus of each of its pods."""
        return [
            {key: value for key, value in pod["metadata"].get("annotations", {}).items() if key.startswith("prometheus.io/")}
            for pod in self.pods(namespace)
        ]

    def clean(self) -> None:
        """Delete what the test has made."""
        if self.made:
            self.cluster.kubectl("delete", "namespace", *self.made, "--wait=false", "--ignore-not-found")


def row(result: Result, name: str) -> Result:
    """What a result says about one namespace."""
    found: Result = next(item for item in result["namespaces"] if item["name"] == name)
    return found
