# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of hosted clusters that are stopped share: how one is, the commands that bring it back, and a pod that does not go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosted.bed import Hosted
from hosted.shape import Shape
from hosted.writing import collection
from sandboxlib import binaries

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import MARKER

Object = dict[str, Any]
_HYPERSHIFT = "hypershift.openshift.io/v1beta1"


def path(shape: Shape, kind: str, name: str = "") -> str:
    """Where an object of a hosted cluster is."""
    versions = {"Cluster": f"cluster.x-k8s.io/{shape.cluster_api_version}", "Deployment": "apps/v1", "Pod": "v1"}
    namespace = shape.control_plane_namespace if kind in versions else shape.namespace
    below = collection(versions.get(kind, _HYPERSHIFT), kind, namespace)
    return f"{below}/{name}" if name else below


def look(hosted: Hosted) -> Object:
    """All that stopping may change: specs, annotations, and the marker."""
    api, shape = hosted.bed.cluster.api, hosted.shape
    found = [api.get(path(shape, "HostedCluster", shape.name)), api.get(path(shape, "Cluster", shape.infra_id))]
    found += [api.get(path(shape, "NodePool", pool.name)) for pool in shape.pools] + api.get(path(shape, "Deployment"))["items"]
    described = {f"{item.get('kind', 'Deployment')}/{item['metadata']['name']}": (item["spec"], annotations_of(item)) for item in found}
    return {**described, "marker": marker(hosted)}


def annotations_of(item: Object) -> Object:
    """An object's annotations without those of the Deployment controller."""
    found = item["metadata"].get("annotations") or {}
    return {key: value for key, value in found.items() if not key.startswith("deployment.kubernetes.io/")}


def marker(hosted: Hosted) -> str:
    """What the marker in the hosted cluster says, "" without one."""
    return inside(hosted, "get", "configmap", "-n", "default", MARKER, "--ignore-not-found", "-o", "jsonpath={.data.from}")


def inside(hosted: Hosted, *arguments: str) -> str:
    """Run kubectl in the hosted cluster."""
    return hosted.bed.cluster.kubectl("--kubeconfig", str(hosted.real.kubeconfig), *arguments)


def run_commands(hosted: Hosted, commands: Sequence[str], directory: Path) -> None:
    """Run commands as they are given, in a shell that stops at the first that fails; they leave nothing in ``directory``."""
    kubectl = binaries.binary("kubectl").parent
    environment = {**hosted.bed.cluster.environment(), "PATH": f"{kubectl}:{os.environ['PATH']}"}
    directory.mkdir(exist_ok=True)
    script = "\n".join(["set -eu", *commands])
    done = subprocess.run(["sh", "-c", script], cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert not any(directory.iterdir())


@contextmanager
def pod_that_stays(hosted: Hosted, app: str) -> Iterator[str]:
    """A pod with a finalizer, which therefore does not go; its name."""
    shape = hosted.shape
    pods = hosted.bed.cluster.api.get(path(shape, "Pod"))["items"]
    name, *_others = (str(pod["metadata"]["name"]) for pod in pods if pod["metadata"]["labels"].get("app") == app)
    with hosted.bed.writer() as writer:
        writer.patch(path(shape, "Pod", name), {"metadata": {"finalizers": ["example.com/hold"]}})
        try:
            yield name
        finally:
            writer.patch(path(shape, "Pod", name), {"metadata": {"finalizers": None}})
