# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the components of a cluster and waits until it can be worked with."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
from collections.abc import Callable, Sequence

from . import binaries, components, paths, processes
from .api import Api
from .audit import policy
from .certificates import Authority, new_service_account_key, write_private
from .errors import SandboxError
from .layout import Layout
from .options import Options
from .users import ADMIN, PROBE, kubeconfig_for, write_kubeconfig

START_SECONDS = 90.0
_POLL_SECONDS = 0.04
# Collecting garbage at Go's usual rate would be a fifth of what an API server computes when it starts or learns definitions.
_LESS_OFTEN = {"GOGC": "400"}


class AddressTaken(Exception):
    """Another process took an address or port between our look and the component's start: choose again."""


def prepare(layout: Layout) -> None:
    """Write keys, certificates, the audit policy, KWOK's stages and the administrator's kubeconfig."""
    layout.make_directories()
    certificate, key = Authority(layout.pki).server(
        ["127.0.0.1", layout.network.kubernetes_service], ["localhost", "kubernetes", "kubernetes.default.svc"]
    )
    write_private(layout.pki / "apiserver.crt", certificate)
    write_private(layout.pki / "apiserver.key", key)
    new_service_account_key(layout.pki / "service-account.key")
    write_private(layout.directory / "audit-policy.yaml", json.dumps(policy()).encode())
    write_private(layout.audit_log, b"")
    write_kubeconfig(layout, ADMIN, layout.directory / "kubeconfig")
    if not layout.options.api_only:
        _write_stages(layout)


def _write_stages(layout: Layout) -> None:
    """KWOK's stages and ours; pods become ready at once, or after the delay that was asked for."""
    stages = layout.directory / "stages"
    stages.mkdir(exist_ok=True)
    for stage in sorted((binaries.directory("kwok") / "stages").glob("*/*.yaml")):
        shutil.copyfile(stage, stages / stage.name)
    # Ours come second: one of the same name takes the place of KWOK's.
    for stage in sorted(paths.STAGES.glob("*.yaml")):
        shutil.copyfile(stage, stages / stage.name)
    if layout.options.pod_start_seconds:
        ready = stages / "pod-ready.yaml"
        delay = f"  delay:\n    durationMilliseconds: {round(layout.options.pod_start_seconds * 1000)}\n"
        ready.write_text(ready.read_text(encoding="utf-8").replace("  next:\n", f"{delay}  next:\n", 1), encoding="utf-8")


def start(layout: Layout) -> None:
    """Start everything that the options ask for; raises SandboxError naming the component that failed, AddressTaken."""
    start_components(layout, components.API)
    api = Api(kubeconfig_for(layout, PROBE))
    wait(layout, components.API, "the API server to be ready", lambda: api.ready)
    # Made by the API server itself just after it says that it is ready.
    wait(layout, components.API, "namespace default", lambda: api.exists("/api/v1/namespaces/default"))
    if layout.options.api_only:
        return
    start_components(layout, components.CONTROLLERS)
    everything = (*components.API, *components.CONTROLLERS)
    create_nodes(api, layout.options)
    # Pods cannot be created before the controller has made their service account.
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait(layout, everything, "the controllers to work", lambda: api.exists(account))
    wait(layout, everything, "the nodes to be ready", lambda: _nodes_ready(api))


def start_components(layout: Layout, names: Sequence[str]) -> None:
    """Start these components, without waiting for them."""
    for name in names:
        processes.start(components.argv(name, layout), layout.log(name), layout.pid_file(name), {**_LESS_OFTEN, **os.environ})


def wait(layout: Layout, names: Sequence[str], what: str, condition: Callable[[], bool]) -> None:
    """Poll until ``condition`` holds; SandboxError when one of the components ends or time runs out."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        for name in names:
            _check_running(layout, name)
        try:
            if condition():
                return
            reason = "it did not come about"
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            reason = str(error)
        if time.monotonic() > deadline:
            tails = "\n".join(f"--- {name}:\n{processes.log_tail(layout.log(name), 5)}" for name in names)
            raise SandboxError(f"waited {START_SECONDS:.0f} s for {what}: {reason}\n{tails}")
        time.sleep(_POLL_SECONDS)


def _check_running(layout: Layout, name: str) -> None:
    process = processes.Process.load(layout.pid_file(name))
    if process is not None and process.alive:
        return
    tail = processes.log_tail(layout.log(name))
    if "address already in use" in tail:
        raise AddressTaken(name)
    raise SandboxError(f"{name} ended while the cluster was starting. The end of its log:\n{tail}")


def create_nodes(api: Api, options: Options) -> None:
    """Create ``node-0`` ... with the room that was asked for, and the labels that charts select nodes by."""
    capacity = {"cpu": options.node_cpu, "memory": options.node_memory, "ephemeral-storage": "4Ti", "pods": "100k"}
    for index in range(options.nodes):
        name = f"node-{index}"
        labels = {
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/zone": f"zone-{index % 3}",
            "type": "kwok",
        }
        api.request(
            "POST",
            "/api/v1/nodes",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "status": {"allocatable": capacity, "capacity": capacity},
            },
        )


def _nodes_ready(api: Api) -> bool:
    """Whether every node is Ready and without the taint that keeps pods away until the controller has seen that."""
    return all(
        any(item["type"] == "Ready" and item["status"] == "True" for item in node["status"].get("conditions", []))
        and not node["spec"].get("taints")
        for node in api.get("/api/v1/nodes")["items"]
    )
