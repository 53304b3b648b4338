# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster with a real Istio that is put back to what it was, and what tests of a refresh do on it.

def test_x(istio_cluster: IstioCluster) -> None:
    istio_cluster.reset("1.30.0")
    istio_cluster.namespace("shop")
    istio_cluster.apply(deployment("web", "shop", 3))
    istio_cluster.upgrade("1.31.0")             # the pods keep their 1.30.0
    istio_cluster.refresh(...)
    assert istio_cluster.proxies("shop") == ["1.31.0"] * 3
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kept_states import KeptStates
from run_module import run_module, start_module
from sandboxlib.cluster import Cluster
from sandboxlib.istio import Istio
from sandboxlib.options import Options
from sandboxlib.rollouts import wait_for_rollouts
from workload_objects import Object
from workload_objects import namespace as namespace_object

Result = dict[str, Any]
NEW = "1.31.0"
OLD = "1.30.0"


@dataclass
class IstioCluster:
    """One cluster and what was kept of its states: nothing installed, and each Istio that a test asked for."""

    cluster: Cluster
    _states: KeptStates = field(init=False)
    _state: object = None
    _since: int = -1

    def __post_init__(self) -> None:
        self._states = KeptStates(self.cluster)

    def reset(self, version: str = OLD, *, native_sidecars: bool = False) -> Cluster:
        """Return the cluster with exactly this Istio, freshly installed, and no applications."""
        wanted = (version, native_sidecars)
        if self._since >= 0 and wanted == self._state and self._untouched():
            return self.cluster
        if wanted in self._states:
            self._states.restore(wanted)
        else:
            self._empty()
            self.istio.install(version, native_sidecars=native_sidecars)
            self._states.keep(wanted)
        self.istio.start_all()
        self._state, self._since = wanted, self.cluster.mark()
        return self.cluster

    def _empty(self) -> None:
        if None in self._states:
            self._states.restore(None)
        else:
            self.cluster.up(Options())
            self._states.keep(None)

    def _untouched(self) -> bool:
        return not self.cluster.dead_components() and not self.cluster.writes_since(self._since)

    # The control plane

    @property
    def istio(self) -> Istio:
        """The control plane: ``stop``, ``start``, ``install`` of a second revision, ``istioctl``."""
        return self.cluster.istio

    def upgrade(self, version: str = NEW) -> None:
        """Change the version of the control plane; sidecars that are there stay as they are."""
        self.istio.upgrade(version)

    # Applications

    def namespace(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a namespace, by default one that is injected by the default revision, and return its name."""
        self.apply(namespace_object(name, {"istio-injection": "enabled"} if labels is None else labels), wait=False)
        return name

    def apply(self, *objects: Object, wait: bool = True) -> None:
        """Create or change objects; unless told otherwise, wait until everything in their namespaces is ready."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(listed))
        if wait:
            self.settled(*sorted({item["metadata"]["namespace"] for item in objects if "namespace" in item["metadata"]}))

    def settled(self, *namespaces: str) -> None:
        """Wait until every workload and every pod of the namespaces is ready."""
        wait_for_rollouts(self.cluster.api, namespaces)

    def get(self, path: str) -> Result:
        """The object at this path of the API, by a user whose requests do not count."""
        found: Result = self.cluster.api.get(path)
        return found

    def pods(self, namespace: str, app: str = "") -> list[Result]:
        """The pods of a namespace that nobody has deleted, of one application or all, by name."""
        selector = f"?labelSelector=app%3D{app}" if app else ""
        items: list[Result] = self.get(f"/api/v1/namespaces/{namespace}/pods{selector}")["items"]
        return sorted(
            (item for item in items if "deletionTimestamp" not in item["metadata"]), key=lambda item: str(item["metadata"]["name"])
        )

    def proxies(self, namespace: str, app: str = "") -> list[str]:
        """The version of every pod's proxy, sorted; "" for a pod without one."""
        return sorted(proxy_version(pod) for pod in self.pods(namespace, app))

    # Modules

    def options(self, **options: Any) -> dict[str, Any]:
        """Options of a module on this cluster: its connection, and ``options``."""
        return {"kubeconfig": str(self.cluster.kubeconfig), **options}

    def refresh(self, *, check: bool = False, diff: bool = False, **options: Any) -> Result:
        """Run ``sidecar_refresh`` to its end."""
        return run_module("sidecar_refresh", self.options(**options), check=check, diff=diff)

    def start_refresh(self, *, tmpdir: Path | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start ``sidecar_refresh`` and return its process; ``tmpdir`` is where it finds ``progress.jsonl``."""
        return start_module("sidecar_refresh", self.options(**options), tmpdir=tmpdir)


def proxy_version(pod: Result) -> str:
    """The tag of the image of the pod's proxy, native sidecar or not; "" when it has none."""
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    return next((str(item["image"]).rpartition(":")[2] for item in containers if item["name"] == "istio-proxy"), "")
