# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrolling many namespaces: with a loop of kubernetes.core, with raw PATCHes from threads, one after the other, and with mesh_namespace.

A namespace that is as it is wanted is not written, so each round wants the other value of the annotation for injection.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import large_cluster
from faults.front import ApiFront
from measuring import Candidate, Measurement, once
from raw_patches import name_of
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

HERE = Path(__file__).resolve().parent
MODULE = "ansible_collections.meshops.lifecycle.plugins.modules.mesh_namespace"
LATENCY = 0.02
_VALUES = ("enabled", "disabled")
# So many namespaces are enrolled by the slow ways; the difference between two numbers is what more of them take.
_FEW, _MORE = 5, 25
_SEQUENTIAL = 200
Say = Callable[[str], None]


class Enrolled(NamedTuple):
    """``loop_seconds`` is what the loop would take for all, ``each`` what it takes for one more namespace. ``front`` are the measurements
    with latency in front of the API server, without the start of a module; ``requests`` and ``writes`` are those of a second run."""

    floor: list[Measurement]
    playbook: Measurement
    loop_each: float
    loop_seconds: float
    module_seconds: float
    sequential_seconds: float
    requests: dict[int, int]
    writes: int


def enrol(home: Path, runs: int, say: Say, number: int) -> Enrolled:
    """Measure on an API server without controllers: nobody else is at work."""
    cluster = Cluster("bench-enrol", home)
    cluster.up(Options(api_only=True), say)
    try:
        say(f"creating {number} namespaces")
        _fill(cluster, number)
        environment = {**os.environ, **cluster.environment(), "ANSIBLE_LOCALHOST_WARNING": "false"}
        bench = _Bench(cluster, environment, number)
        say(f"measuring raw PATCHes, an empty module and mesh_namespace, {runs} times each")
        floor = bench.in_turns([bench.raw, bench.empty, bench.module], runs)
        say("measuring playbooks")
        (playbook,) = bench.in_turns([bench.playbook], runs)
        few, more = (bench.in_turns([lambda value, many=many: bench.loop(value, many)], 1)[0].seconds for many in (_FEW, _MORE))
        each = (more - few) / (_MORE - _FEW)
        say(f"measuring with {LATENCY * 1000:.0f} ms of latency")
        with ApiFront(cluster, latency=LATENCY) as front:
            slow = _Bench(cluster, environment, number, front.kubeconfig)
            module, one = slow.in_turns([slow.module, slow.one_client], runs)
            # What starts the module and finds nothing to do has the latency of its reads as well, so an empty one is taken off.
            empty, python = slow.in_turns([slow.empty, slow.no_client], runs)
        sequential = (one.seconds - python.seconds) / _SEQUENTIAL * number
        requests, writes = bench.second_runs()
        return Enrolled(
            floor=floor,
            playbook=playbook,
            loop_each=each,
            loop_seconds=few + each * (number - _FEW),
            module_seconds=module.seconds - empty.seconds,
            sequential_seconds=sequential,
            requests=requests,
            writes=writes,
        )
    finally:
        cluster.down()


class _Bench:
    """The candidates; each takes the value that the annotation is to have."""

    def __init__(self, cluster: Cluster, environment: Mapping[str, str], number: int, kubeconfig: Path | None = None) -> None:
        self._cluster = cluster
        self._environment = environment
        self._number = number
        self._kubeconfig = str(kubeconfig or cluster.kubeconfig)
        self._round = 0

    def in_turns(self, candidates: Sequence[Callable[[str], Candidate]], runs: int) -> list[Measurement]:
        """Return medians; a round that is not counted warms caches."""
        found: list[list[dict[str, float]]] = [[] for _candidate in candidates]
        for number in range(runs + 1):
            for index, candidate in enumerate(candidates):
                value = self._level()
                usage, _output = once(candidate(value), self._environment)
                if number:
                    found[index].append(usage)
        return [
            Measurement(
                candidate("").name, *(statistics.median(one[key] for one in usages) for key in ("seconds", "cpu_seconds", "peak_mib"))
            )
            for candidate, usages in zip(candidates, found, strict=True)
        ]

    def _level(self) -> str:
        """Give all namespaces one value, and return the other one."""
        self._round += 1
        now, wanted = _VALUES[self._round % 2], _VALUES[(self._round + 1) % 2]
        argv = [sys.executable, str(HERE / "raw_patches.py"), str(self._cluster.kubeconfig), now, "16", str(self._number)]
        once(Candidate("level", argv, expect="patched"), self._environment)
        return wanted

    def raw(self, value: str) -> Candidate:
        return self._patches("raw PATCHes from 16 threads", value, 16, self._number)

    def one_client(self, value: str) -> Candidate:
        return self._patches("one client, one after the other", value, 1, _SEQUENTIAL)

    def no_client(self, value: str) -> Candidate:
        return self._patches("a client that does nothing", value, 1, 0)

    def _patches(self, name: str, value: str, threads: int, number: int) -> Candidate:
        argv = [sys.executable, str(HERE / "raw_patches.py"), self._kubeconfig, value, str(threads), str(number)]
        return Candidate(name, argv, expect=f"patched {number}")

    def empty(self, value: str) -> Candidate:
        del value
        argv = [sys.executable, str(HERE / "empty_module.py")]
        return Candidate("empty module of kubernetes.core", argv, self._options("empty"), '"changed": false')

    def module(self, value: str) -> Candidate:
        options = self._options("mesh_namespace", selector="bench=enrol", injection=value)
        return Candidate("mesh_namespace", [sys.executable, "-m", MODULE], options, f'"changed": {self._number}')

    def playbook(self, value: str) -> Candidate:
        extra = {"bench_kubeconfig": self._kubeconfig, "bench_injection": value}
        return Candidate(
            "mesh_namespace, whole playbook", [*_playbook("enrol_mesh_namespace.yml"), "-e", json.dumps(extra)], expect="changed=1 "
        )

    def loop(self, value: str, number: int) -> Candidate:
        extra = {"bench_kubeconfig": self._kubeconfig, "bench_injection": value, "bench_names": [name_of(each) for each in range(number)]}
        return Candidate(
            f"kubernetes.core.k8s, {number}", [*_playbook("enrol_kubernetes_core.yml"), "-e", json.dumps(extra)], expect="changed=1 "
        )

    def _options(self, name: str, **options: Any) -> str:
        return json.dumps({"ANSIBLE_MODULE_ARGS": {"kubeconfig": self._kubeconfig, **options, "_ansible_module_name": name}})

    def second_runs(self) -> tuple[dict[int, int], int]:
        """Return how many requests a run makes that finds nothing to do, by the number of namespaces, and how many of them write."""
        value = self._level()
        once(self.module(value), self._environment)
        requests: dict[int, int] = {}
        writes = 0
        for number in (self._number // 10, self._number):
            selector = "bench=enrol" if number == self._number else "tenth=yes"
            options = self._options("mesh_namespace", selector=selector, injection=value)
            mark = self._cluster.mark()
            once(Candidate("again", [sys.executable, "-m", MODULE], options, '"changed": false'), self._environment)
            ours = [event for event in self._cluster.audit_since(mark) if event.user_agent.startswith("meshops.lifecycle/")]
            requests[number] = len(ours)
            writes += len(self._cluster.writes_since(mark, user_agent="meshops.lifecycle/"))
        return requests, writes


def _playbook(file: str) -> list[str]:
    return ["ansible-playbook", str(HERE / file), "-i", "localhost,", "-e", "ansible_python_interpreter={{ansible_playbook_python}}"]


def _fill(cluster: Cluster, number: int) -> None:
    """Create the namespaces, and of a mesh what it is found by."""
    labels = {"app": "osm-controller", "app.kubernetes.io/name": "openservicemesh.io", "meshName": "osm"}
    containers = [{"name": "osm-controller", "image": "flomesh/osm-edge-controller:1.3.9"}]
    spec = {
        "selector": {"matchLabels": {"app": "osm-controller"}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    metadata = {"name": "osm-controller", "namespace": "osm-system", "labels": labels}
    namespaces = [{"name": "osm-system"}]
    for each in range(number):
        namespaces.append({"name": name_of(each), "labels": {"bench": "enrol", **({"tenth": "yes"} if each < number // 10 else {})}})
    large_cluster.send(
        cluster.kubeconfig,
        [("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": item}) for item in namespaces],
    )
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    large_cluster.send(cluster.kubeconfig, [("POST", "/apis/apps/v1/namespaces/osm-system/deployments", deployment)])
