# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs a mesh of the OSM family: the stand-in for its pods, then its chart with helm."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from charts.repository import product_and_version, releases, write_chart

from .errors import SandboxError
from .options import Options
from .rollouts import wait_for_rollouts

if TYPE_CHECKING:
    from .cluster import Cluster

_INSTALL_SECONDS = 60.0
# The key of the chart's values that holds everything, per product.
_VALUES_ROOT = {"osm-edge": "osm", "osm": "osm", "fsm": "fsm"}


def release(mesh: str) -> str:
    """The release that ``PRODUCT=VERSION`` names, as "PRODUCT-VERSION"; SandboxError names what there is."""
    known = {"=".join(product_and_version(name)): name for name in releases()}
    if mesh not in known:
        raise SandboxError(f"--mesh {mesh}: there is no such chart, only {', '.join(known)}")
    return known[mesh]


def install(cluster: Cluster, options: Options, say: Callable[[str], None]) -> None:
    """Install the mesh (release name = mesh name) and wait until it injects."""
    chart = release(options.mesh)
    product = product_and_version(chart)[0]
    name, namespace = options.mesh_name, options.mesh_namespace
    cluster.standin.start()
    with tempfile.TemporaryDirectory() as scratch:
        cluster.helm(
            "install",
            name,
            str(write_chart(chart, Path(scratch))),
            "--namespace",
            namespace,
            "--create-namespace",
            "--set",
            f"{_VALUES_ROOT[product]}.meshName={name}",
        )
    _wait_for_bootstrap(cluster, product, name, namespace)
    wait_for_rollouts(cluster.api, [namespace])
    say(f"mesh {name} ({options.mesh}) is installed in {namespace}")


def _wait_for_bootstrap(cluster: Cluster, product: str, name: str, namespace: str) -> None:
    """Wait for what the mesh's own pods make: the MeshConfig, and webhooks that have a CA to be trusted by."""
    config = "config.flomesh.io/v1alpha3" if product == "fsm" else "config.openservicemesh.io/v1alpha2"
    prefix = "fsm" if product == "fsm" else "osm"
    admission = "/apis/admissionregistration.k8s.io/v1"
    wanted = {
        "MeshConfig": f"/apis/{config}/namespaces/{namespace}/meshconfigs/{prefix}-mesh-config",
        "injector webhook": f"{admission}/mutatingwebhookconfigurations/{prefix}-webhook-{name}",
        "validator webhook": f"{admission}/validatingwebhookconfigurations/{prefix}-validator-mesh-{name}",
    }
    api, deadline = cluster.api, time.monotonic() + _INSTALL_SECONDS
    while True:
        missing = [what for what, path in wanted.items() if not api.exists(path) or not _trusted(api.get(path))]
        if not missing:
            return
        if not cluster.standin.alive or time.monotonic() > deadline:
            raise SandboxError(f"the mesh was installed, but its stand-in did not make: {', '.join(missing)}")
        time.sleep(0.1)


def _trusted(item: dict[str, object]) -> bool:
    """Whether every webhook of a configuration has a CA bundle (anything else has no webhooks)."""
    webhooks = item.get("webhooks", [])
    return isinstance(webhooks, list) and all(webhook["clientConfig"].get("caBundle") for webhook in webhooks)
