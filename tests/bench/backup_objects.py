# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a large hosted cluster: saved by hosted_cluster_backup, and with one ``kubectl get -o yaml`` for each of them."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backup_bed import Say
from hosted.bed import Bed
from hosted.shape import shape_of_size
from measuring import Candidate, Measurement, once, side_by_side
from sandboxlib import binaries
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

HERE = Path(__file__).resolve().parent
POOLS = 10
_NAMED_BY_NOTHING = "_cluster"
# So many objects are read one by one; for all of them it would be minutes.
_SAMPLED = 30


class Objects(NamedTuple):
    """``own`` saves ``number`` objects of ``machines`` machines, and ``each`` is kubectl for one of them: the mean of ``sampled``."""

    machines: int
    number: int
    sampled: int
    own: Measurement
    each: Measurement


def objects(home: Path, runs: int, say: Say, machines: int) -> Objects:
    """Measure on a cluster with ten pools that has nothing behind its objects."""
    cluster = Cluster("bench-objects", home)
    cluster.up(Options(hosted="-"), say)
    try:
        bed = Bed(cluster)
        bed.install()
        shape = shape_of_size("wide", machines, pools=POOLS)
        say(f"creating a hosted cluster with {POOLS} pools and {machines} machines")
        bed.add(shape).wait_for_pods()
        environment = {**os.environ, **cluster.environment()}
        arguments = (str(cluster.kubeconfig), shape.namespace, shape.name, str(home / "sets"))
        own = Candidate(
            "hosted_cluster_backup's objects", [sys.executable, str(HERE / "backup_own_objects.py"), *arguments], expect=".json"
        )
        paths = json.loads(once(own, environment)[1])
        sample = [paths[number * len(paths) // _SAMPLED] for number in range(min(_SAMPLED, len(paths)))]
        say(f"measuring {len(paths)} objects, {runs} times, and kubectl for {len(sample)} of them")
        (found,) = side_by_side([own], runs, environment)
        return Objects(len(shape.machines()), len(paths), len(sample), found, _kubectl(cluster, sample, environment))
    finally:
        cluster.down()


def _kubectl(cluster: Cluster, paths: Sequence[str], environment: Mapping[str, str]) -> Measurement:
    """Return the mean of one ``kubectl get -o yaml`` for each object; what kubectl keeps of discovery is there before."""
    usages = []
    for path in [paths[0], *paths]:
        namespace, resource, name = PurePosixPath(path).with_suffix("").parts
        place = [] if namespace == _NAMED_BY_NOTHING else ["-n", namespace]
        command = [str(binaries.binary("kubectl")), f"--kubeconfig={cluster.kubeconfig}", "get", *place, f"{resource}/{name}", "-o", "yaml"]
        usages.append(once(Candidate("kubectl get -o yaml", command, expect="kind:"), environment)[0])
    seconds, cpu, peak = (statistics.mean(usage[key] for usage in usages[1:]) for key in ("seconds", "cpu_seconds", "peak_mib"))
    return Measurement("kubectl get -o yaml, one object", seconds, cpu, peak)
