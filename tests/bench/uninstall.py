# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking many namespaces out of a mesh: found, un-enrolled, and restarted at a pace, with mesh_uninstall and with kubectl in a loop.

The documented commands are one process per namespace: one that shows its pods, and one that patches it (``osm namespace remove``, which
is a read and a patch; here ``kubectl patch``, which only patches).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import large_cluster
from measuring import Candidate, Measurement, once
from sandboxlib import binaries
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options
from sandboxlib.rollouts import wait_for_rollouts

HERE = Path(__file__).resolve().parent
MODULE = "ansible_collections.meshops.lifecycle.plugins.modules.mesh_uninstall"
VERSION = "1.3.9"
WORKLOADS_EACH, PACE = 5, 1200
# So many namespaces are done in the slow way.
_SAMPLED = 20
_LABEL, _ANNOTATION = "openservicemesh.io/monitored-by", "openservicemesh.io/sidecar-injection"
Object = dict[str, Any]
Say = Callable[[str], None]


class Uninstalled(NamedTuple):
    """``found`` and ``unenrolled`` are of mesh_uninstall, ``find_each`` and ``unenrol_each`` what kubectl takes for one namespace.

    ``requests`` are those of the paced run by verb and resource, of ``restarts`` seconds for ``pods`` pods.
    """

    found: Measurement
    unenrolled: Measurement
    empty: Measurement
    find_each: float
    unenrol_each: float
    restarts: float
    pods: int
    requests: dict[str, dict[str, int]]


def uninstall(home: Path, runs: int, say: Say, namespaces: int) -> Uninstalled:
    """Measure on a mesh with its stand-in: first with workloads that have no pods, so that nothing is restarted, then with their pods."""
    cluster = Cluster("bench-uninstall", home)
    cluster.up(Options(mesh=f"osm-edge={VERSION}"), say)
    try:
        bench = _Bench(cluster, [f"team-{number:03}" for number in range(namespaces)])
        say(f"creating {namespaces} namespaces with {WORKLOADS_EACH} workloads each")
        bench.fill()
        say(f"taking them out of the mesh, {runs} times")
        unenrolled, empty, requests = bench.unenrol(runs)
        find_each, unenrol_each = bench.loop()
        bench.enrol()
        say("starting their pods")
        bench.scale_up()
        say(f"finding them, {runs} times")
        found, finding = bench.find(runs)
        pods = namespaces * WORKLOADS_EACH
        say(f"restarting {pods} pods, {PACE} a minute")
        restarts, restarting = bench.restart(pods)
        counted = {"find (check mode)": finding, "un-enrol": requests, "un-enrol and restart": restarting}
        return Uninstalled(found, unenrolled, empty, find_each, unenrol_each, restarts, pods, counted)
    finally:
        cluster.down()


class _Bench:
    def __init__(self, cluster: Cluster, names: Sequence[str]) -> None:
        self._cluster = cluster
        self._names = names
        self._environment = {**os.environ, **cluster.environment()}

    def fill(self) -> None:
        """Create the namespaces, enrolled, and Deployments without pods."""
        self._send([("POST", "/api/v1/namespaces", _namespace(name)) for name in self._names])
        made = [(name, f"web-{number}") for name in self._names for number in range(WORKLOADS_EACH)]
        self._send([("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment(name)) for namespace, name in made])

    def enrol(self) -> None:
        """Put all of them into the mesh again."""
        marks = {key: _namespace("")["metadata"][key] for key in ("labels", "annotations")}
        self._send([("PATCH", f"/api/v1/namespaces/{name}", {"metadata": marks}) for name in self._names])

    def scale_up(self) -> None:
        """Let every Deployment have one pod, and wait until all are ready."""
        paths = [f"/apis/apps/v1/namespaces/{name}/deployments/web-{number}" for name in self._names for number in range(WORKLOADS_EACH)]
        self._send([("PATCH", path, {"spec": {"replicas": 1}}) for path in paths])
        wait_for_rollouts(self._cluster.api, self._names)

    def unenrol(self, runs: int) -> tuple[Measurement, Measurement, dict[str, int]]:
        """Return what it takes to un-enrol all, what a module takes that does nothing, and the requests; a first round is not counted."""
        usages: list[tuple[dict[str, float], dict[str, float]]] = []
        requests: dict[str, int] = {}
        for _number in range(runs + 1):
            self.enrol()
            mark = self._cluster.mark()
            usage, _output = once(self._module("mesh_uninstall, un-enrolment", phases=["sidecars"]), self._environment)
            requests = self._requests(mark)
            usages.append((usage, once(self._empty(), self._environment)[0]))
        counted = usages[1:]
        return (
            _median("mesh_uninstall, un-enrolment", [one for one, _empty in counted]),
            _median("empty module of kubernetes.core", [empty for _one, empty in counted]),
            requests,
        )

    def find(self, runs: int) -> tuple[Measurement, dict[str, int]]:
        """Return what it takes to find and plan everything."""
        candidate = self._module("mesh_uninstall, check mode", check=True)
        mark = self._cluster.mark()
        once(candidate, self._environment)
        requests = self._requests(mark)
        return _median(candidate.name, [once(candidate, self._environment)[0] for _number in range(runs)]), requests

    def restart(self, pods: int) -> tuple[float, dict[str, int]]:
        """Return the seconds of a run at the pace, start of the module included, and its requests."""
        candidate = self._module("mesh_uninstall", phases=["sidecars"], pods_per_minute=PACE, max_parallel_workloads=50)
        mark = self._cluster.mark()
        usage, output = once(candidate, self._environment)
        done = json.loads(output)["summary"]
        if done["pods"] != pods:
            raise RuntimeError(f"it restarted {done['pods']} pods of {pods}")
        return usage["seconds"], self._requests(mark)

    def loop(self) -> tuple[float, float]:
        """Return the seconds that kubectl takes to show the pods of one namespace, and to take one out of the mesh."""
        sample = self._names[:_SAMPLED]
        patch = json.dumps({"metadata": {"labels": {_LABEL: None}, "annotations": {_ANNOTATION: None}}})
        commands: tuple[Callable[[str], Sequence[str]], ...] = (
            lambda name: ("get", "pods", "-n", name, "-o", "json"),
            lambda name: ("patch", "namespace", name, "--type=merge", "-p", patch),
        )
        self.enrol()
        taken = []
        for command in commands:
            started = time.monotonic()
            for name in sample:
                self._cluster.kubectl(*command(name))
            taken.append((time.monotonic() - started) / len(sample))
        return taken[0], taken[1]

    def _module(self, name: str, *, check: bool = False, **options: Any) -> Candidate:
        given = {
            "kubeconfig": str(self._cluster.kubeconfig),
            "binary_path": str(binaries.binary("helm")),
            "mesh_name": "osm",
            "confirm": "osm",
            **options,
        }
        internal = {"_ansible_check_mode": check, "_ansible_module_name": "mesh_uninstall"}
        return Candidate(
            name, [sys.executable, "-m", MODULE], json.dumps({"ANSIBLE_MODULE_ARGS": {**given, **internal}}), '"changed": true'
        )

    def _empty(self) -> Candidate:
        options = {"ANSIBLE_MODULE_ARGS": {"kubeconfig": str(self._cluster.kubeconfig), "_ansible_module_name": "empty"}}
        return Candidate("empty", [sys.executable, str(HERE / "empty_module.py")], json.dumps(options), '"changed": false')

    def _requests(self, mark: int) -> dict[str, int]:
        """The requests of ours since the mark, by what they do."""
        ours = [event for event in self._cluster.audit_since(mark) if event.user_agent.startswith("meshops.lifecycle/")]
        counts = Counter("writes of namespaces" if event.write and event.resource == "namespaces" else _kind(event.write) for event in ours)
        return {"all": len(ours), **counts}

    def _send(self, requests: Sequence[tuple[str, str, Object]]) -> None:
        large_cluster.send(self._cluster.kubeconfig, requests)


def _kind(write: bool) -> str:
    return "other writes" if write else "reads"


def _median(name: str, usages: Sequence[Mapping[str, float]]) -> Measurement:
    seconds, cpu, peak = (statistics.median(usage[key] for usage in usages) for key in ("seconds", "cpu_seconds", "peak_mib"))
    return Measurement(name, seconds, cpu, peak)


def _namespace(name: str) -> Object:
    metadata = {"name": name, "labels": {_LABEL: "osm"}, "annotations": {_ANNOTATION: "enabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _deployment(name: str) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
