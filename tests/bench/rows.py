# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: each function returns measurements that belong side by side."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import fleet
import large_cluster
from measuring import Candidate, Measurement, once, side_by_side
from sandboxlib import binaries, paths
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

HERE = Path(__file__).resolve().parent
MODULES = "ansible_collections.meshops.lifecycle.plugins.modules"
BEFORE, AFTER = "1.2.3", "1.3.9"
Say = Callable[[str], None]


class Requests(NamedTuple):
    """How many requests a run of each module made."""

    namespaces: int
    pods: int
    mesh_info: int
    mesh_upgrade: int


def no_op(home: Path, runs: int, say: Say) -> list[Measurement]:
    """A mesh that is at its target: found and proven with kubernetes.core, and with mesh_upgrade; whole runs of ansible-playbook."""
    cluster = Cluster("bench-no-op", home)
    cluster.up(Options(mesh=f"osm-edge={AFTER}", apps="bookstore"), say)
    try:
        extra = {
            "bench_kubeconfig": str(cluster.kubeconfig),
            "bench_chart": str(paths.CHARTS / f"osm-edge-{AFTER}"),
            "bench_helm": str(binaries.binary("helm")),
            "bench_version": AFTER,
        }
        candidates = [
            Candidate(name, [*_playbook(file), "-e", json.dumps(extra)], expect="changed=0 ")
            for name, file in (("kubernetes.core, 8 modules", "no_op_kubernetes_core.yml"), ("mesh_upgrade", "no_op_mesh_upgrade.yml"))
        ]
        say(f"measuring {len(candidates)} playbooks, {runs} times each")
        return side_by_side(candidates, runs, {**os.environ, **cluster.environment(), "ANSIBLE_LOCALHOST_WARNING": "false"})
    finally:
        cluster.down()


def scale(home: Path, runs: int, say: Say, namespaces: int, pods_each: int) -> tuple[list[Measurement], list[Requests]]:
    """A cluster with many pods: the LISTs that nobody can do without, an empty module, and the modules that report and plan.

    Their requests are counted twice: with a tenth of the namespaces, and with all.
    """
    cluster = Cluster("bench-scale", home)
    cluster.up(Options(mesh=f"osm-edge={BEFORE}"), say)
    try:
        # Nobody is to collect pods whose ReplicaSet does not exist, and nothing else is to work meanwhile.
        cluster.stop("kube-controller-manager")
        kubeconfig = {"kubeconfig": str(cluster.kubeconfig)}
        chart = {"chart_ref": str(paths.CHARTS / f"osm-edge-{AFTER}"), "binary_path": str(binaries.binary("helm"))}

        def modules(pods: int) -> list[Candidate]:
            return [
                _module("mesh_info", kubeconfig, expect=f'"injected": {pods}'),
                _module("mesh_upgrade", {**kubeconfig, **chart}, check=True, expect=f'"stale_pods": {pods}'),
            ]

        few = max(1, namespaces // 10)
        environment = {**os.environ, **cluster.environment()}
        requests: list[Requests] = []
        for already, number in ((0, few), (few, namespaces)):
            say(f"creating namespaces up to {number} with {pods_each} pods each")
            large_cluster.fill(cluster.kubeconfig, range(already, number), pods_each)
            pods = number * pods_each
            counts = [_requests(cluster, candidate, environment) for candidate in modules(pods)]
            requests.append(Requests(number, pods, *counts))
        candidates = [
            Candidate("raw paged LISTs", [sys.executable, str(HERE / "raw_lists.py"), str(cluster.kubeconfig)], expect="/api/v1/pods"),
            Candidate(
                "empty module of kubernetes.core",
                [sys.executable, str(HERE / "empty_module.py")],
                _options("empty", kubeconfig),
                '"changed": false',
            ),
            *modules(namespaces * pods_each),
        ]
        say(f"measuring {len(candidates)} commands, {runs} times each")
        return side_by_side(candidates, runs, environment), requests
    finally:
        cluster.down()


def _requests(cluster: Cluster, candidate: Candidate, environment: Mapping[str, str]) -> int:
    """Return how many requests of ours a command makes, by the API server's audit log."""
    mark = cluster.mark()
    once(candidate, environment)
    return sum(event.user_agent.startswith("meshops.lifecycle/") for event in cluster.audit_since(mark))


def fleet_plan(home: Path, runs: int, say: Say, number: int) -> list[Measurement]:
    """Many clusters from one controller: the playbook that plans their upgrade, and next to it a module that does nothing."""
    model = Cluster("bench-fleet", home)
    model.up(Options(mesh=f"osm-edge={BEFORE}"), say)
    try:
        objects = fleet.mesh_objects(model)
    finally:
        model.down()
    clusters = fleet.start(home, number, objects, say)
    try:
        hosts = home / "inventory.json"
        hosts.write_text(json.dumps(fleet.inventory(clusters)), encoding="utf-8")
        extra = {
            "mesh_upgrade_chart_ref": str(paths.CHARTS / f"osm-edge-{AFTER}"),
            "mesh_upgrade_binary_path": str(binaries.binary("helm")),
        }
        candidates = [
            Candidate("ansible.builtin.ping", ["ansible-playbook", str(HERE / "ping.yml"), "-i", str(hosts)], expect="failed=0 "),
            Candidate(
                "upgrade playbook, check mode",
                ["ansible-playbook", "meshops.lifecycle.upgrade", "-i", str(hosts), "--check", "-e", json.dumps(extra)],
                expect="failed=0 ",
            ),
        ]
        say(f"measuring {len(candidates)} playbooks, {runs} times each")
        environment = {**os.environ, **clusters[0].environment()}
        return side_by_side(candidates, runs, environment)
    finally:
        fleet.stop(clusters)


def _playbook(file: str) -> list[str]:
    return ["ansible-playbook", str(HERE / file), "-i", "localhost,", "-e", "ansible_python_interpreter={{ansible_playbook_python}}"]


def _module(name: str, options: Mapping[str, Any], *, expect: str, check: bool = False) -> Candidate:
    title = f"{name}, check mode" if check else name
    return Candidate(title, [sys.executable, "-m", f"{MODULES}.{name}"], _options(name, options, check=check), expect)


def _options(name: str, options: Mapping[str, Any], *, check: bool = False) -> str:
    internal = {"_ansible_check_mode": check, "_ansible_module_name": name}
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **internal}})
