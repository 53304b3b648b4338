# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing the pods of many workloads: with sidecar_refresh, all at once, and with kubectl one after the other."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from measuring import Candidate, Measurement, once
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options
from sandboxlib.rollouts import wait_for_rollouts

HERE = Path(__file__).resolve().parent
MODULE = "ansible_collections.meshops.lifecycle.plugins.modules.sidecar_refresh"
VERSION = "1.3.9"
REPLICAS, START_SECONDS = 5, 5
_NAMESPACES, _THREADS = 10, 16
_LABEL = "bench=roll"
Object = dict[str, Any]
Say = Callable[[str], None]


class Rolled(NamedTuple):
    """``ways``: all at once, and sidecar_refresh. ``each`` is what kubectl takes for one workload, ``loop_seconds`` for all."""

    ways: list[Measurement]
    each: float
    loop_seconds: float


def roll(home: Path, runs: int, say: Say, workloads: int, sampled: int) -> Rolled:
    """Measure on a mesh whose pods need some seconds; ``sampled`` workloads are restarted with kubectl, one after the other."""
    cluster = Cluster("bench-refresh-roll", home)
    cluster.up(Options(mesh=f"osm-edge={VERSION}", pod_start_seconds=START_SECONDS), say)
    try:
        say(f"deploying {workloads} workloads with {REPLICAS} pods each")
        names = _deploy(cluster, workloads)
        environment = {**os.environ, **cluster.environment()}
        found: list[list[dict[str, float]]] = [[], []]
        for number in range(runs):
            for index, way in enumerate((_at_once, _refresh)):
                say(f"{way.__name__.strip('_')}, run {number + 1} of {runs}")
                found[index].append(once(way(cluster, f"word-{number}", workloads), environment)[0])
        say(f"restarting {sampled} workloads with kubectl")
        started = time.monotonic()
        for namespace, name in names[:: max(1, workloads // sampled)][:sampled]:
            cluster.kubectl("rollout", "restart", "deployment", name, "-n", namespace)
            cluster.kubectl("rollout", "status", "deployment", name, "-n", namespace)
        each = (time.monotonic() - started) / sampled
        ways = [_median(name, usages) for name, usages in zip(("all patched at once, one watch", "sidecar_refresh"), found, strict=True)]
        return Rolled(ways, each, each * workloads)
    finally:
        cluster.down()


def _at_once(cluster: Cluster, word: str, workloads: int) -> Candidate:
    script = [sys.executable, str(HERE / "patch_at_once.py"), str(cluster.kubeconfig), word, str(_THREADS), _LABEL]
    return Candidate("all at once", script, expect=f"restarted {workloads}")


def _refresh(cluster: Cluster, word: str, workloads: int) -> Candidate:
    options = {
        "kubeconfig": str(cluster.kubeconfig),
        "state": "restarted",
        "token": word,
        "pods_per_minute": 0,
        "max_parallel_workloads": workloads,
        "max_parallel_requests": _THREADS,
    }
    arguments = {**options, "_ansible_module_name": "sidecar_refresh"}
    return Candidate(
        "sidecar_refresh",
        [sys.executable, "-m", MODULE],
        json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        f'"refreshed_workloads": {workloads}',
    )


def _median(name: str, usages: list[dict[str, float]]) -> Measurement:
    seconds, cpu, peak = (statistics.median(usage[key] for usage in usages) for key in ("seconds", "cpu_seconds", "peak_mib"))
    return Measurement(name, seconds, cpu, peak)


def _deploy(cluster: Cluster, workloads: int) -> list[tuple[str, str]]:
    """Create enrolled namespaces and the workloads, wait until all are ready, and return (namespace, name) of each."""
    names = [(f"roll-{number % _NAMESPACES}", f"web-{number:03}") for number in range(workloads)]
    spaces = list(dict.fromkeys(namespace for namespace, _name in names))
    _apply(cluster, [_namespace(name) for name in spaces])
    _apply(cluster, [_deployment(namespace, name) for namespace, name in names])
    wait_for_rollouts(cluster.api, spaces)
    return names


def _apply(cluster: Cluster, items: list[Object]) -> None:
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def _namespace(name: str) -> Object:
    metadata = {
        "name": name,
        "labels": {"openservicemesh.io/monitored-by": "osm"},
        "annotations": {"openservicemesh.io/sidecar-injection": "enabled"},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _deployment(namespace: str, name: str) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
    key, value = _LABEL.split("=")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {key: value}},
        "spec": {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template},
    }
