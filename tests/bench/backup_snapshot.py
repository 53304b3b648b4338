# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large snapshot from its pod to the bucket: as hosted_cluster_backup copies it, and as a raw stream into boto3's upload."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from backup_bed import BUCKET, MODULE, Say, management, median
from hosted.aws import Aws
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import shape_of_size
from measuring import Candidate, Measurement, once

HERE = Path(__file__).resolve().parent
_SNAPSHOT = "/tmp/bench.db"
_CERTIFICATES = "/etc/etcd/tls"
_MEBIBYTE = 1024 * 1024


class Snapshots(NamedTuple):
    """``raw`` and ``own`` are copies of a snapshot of ``size`` bytes, ``module`` is a whole backup.

    ``grown`` is by how many MiB the memory of each copy has grown from its start to its peak, ``durations`` are of the backup's steps.
    """

    size: int
    raw: Measurement
    own: Measurement
    module: Measurement
    grown: tuple[float, float]
    durations: Mapping[str, float]


def snapshot(home: Path, runs: int, say: Say, mebibytes: int) -> Snapshots:
    """Measure on one real member with that much in it; each round is a raw copy and ours."""
    with management(home, "bench-snapshot", say) as (bed, aws):
        hosted = bed.add(shape_of_size("large", 2, availability="SingleReplica"), real=Image())
        hosted.wait_for_pods()
        say(f"filling its etcd with {mebibytes} MiB")
        hosted.fill(mebibytes)
        bench = _Snapshots(hosted, aws)
        size, sha256 = bench.take()
        candidates = (bench.raw(), bench.own(size, sha256))
        found: list[list[tuple[dict[str, float], float]]] = [[], []]
        say(f"copying {size // _MEBIBYTE} MiB, {runs} times each")
        for number in range(runs):
            # Each is the first of a round in turn.
            for index in (0, 1) if number % 2 else (1, 0):
                found[index].append(bench.copy(candidates[index], size))
        bench.remove()
        say("backing up as a whole")
        module, durations = bench.back_up(home / "sets", size)
        raw, own = (median(candidate.name, [usage for usage, _grown in one]) for candidate, one in zip(candidates, found, strict=True))
        grown = [statistics.median(grown for _usage, grown in one) for one in found]
        return Snapshots(size, raw, own, module, (grown[0], grown[1]), durations)


class _Snapshots:
    def __init__(self, hosted: Hosted, aws: Aws) -> None:
        self._hosted, self._aws = hosted, aws
        self._cluster, self._namespace = hosted.bed.cluster, hosted.shape.control_plane_namespace
        self._environment = {**os.environ, **self._cluster.environment(), **aws.environment()}

    def take(self) -> tuple[int, str]:
        """Have a snapshot in the pod; returns its size and SHA-256."""
        client = f"{_CERTIFICATES}/client/etcd-client"
        secured = ("--endpoints=https://localhost:2379", f"--cacert={_CERTIFICATES}/etcd-ca/ca.crt", f"--cert={client}.crt")
        self._in_pod("etcdctl", *secured, f"--key={client}.key", "--command-timeout=600s", "snapshot", "save", _SNAPSHOT)
        sha256, *_name = self._in_pod("sha256sum", _SNAPSHOT).split()
        return int(self._in_pod("stat", "--format=%s", _SNAPSHOT)), sha256

    def remove(self) -> None:
        self._in_pod("rm", _SNAPSHOT)

    def _in_pod(self, *command: str) -> str:
        return self._cluster.kubectl("exec", "-n", self._namespace, "etcd-0", "-c", "etcd", "--", *command)

    def raw(self) -> Candidate:
        arguments = (str(self._cluster.kubeconfig), self._namespace, "etcd-0", "etcd", _SNAPSHOT, BUCKET, "copy")
        return Candidate("raw stream into boto3", [sys.executable, str(HERE / "backup_raw_copy.py"), *arguments], expect="grown_mib")

    def own(self, size: int, sha256: str) -> Candidate:
        arguments = (str(self._cluster.kubeconfig), self._namespace, "etcd-0", _SNAPSHOT, str(size), sha256, BUCKET, "copy")
        return Candidate("hosted_cluster_backup's copy", [sys.executable, str(HERE / "backup_own_copy.py"), *arguments], expect="grown_mib")

    def copy(self, candidate: Candidate, size: int) -> tuple[dict[str, float], float]:
        """Return what a copy took and by how much its memory has grown; the copy is looked at and removed."""
        usage, output = once(candidate, self._environment)
        self._empty(size)
        return usage, float(json.loads(output)["grown_mib"])

    def back_up(self, dest: Path, size: int) -> tuple[Measurement, Mapping[str, float]]:
        shape = self._hosted.shape
        options = {
            "source": {"kubeconfig": str(self._cluster.kubeconfig)},
            "name": shape.name,
            "namespace": shape.namespace,
            "dest": str(dest),
            "bucket": BUCKET,
            "_ansible_module_name": "hosted_cluster_backup",
        }
        given = json.dumps({"ANSIBLE_MODULE_ARGS": options})
        candidate = Candidate("hosted_cluster_backup as a whole", [sys.executable, "-m", MODULE], given, '"verified": true')
        usage, output = once(candidate, self._environment)
        self._empty(size)
        return median(candidate.name, [usage]), json.loads(output)["index"]["durations"]

    def _empty(self, size: int) -> None:
        """What is stored must be as large as the snapshot; it is kept in memory by what plays S3, so it is removed."""
        s3 = self._aws.client("s3")
        stored = s3.list_objects_v2(Bucket=BUCKET).get("Contents") or []
        # A snapshot that etcd takes again has the same pages, or a few more.
        if len(stored) != 1 or stored[0]["Size"] < size:
            raise RuntimeError(f"in the bucket is {[(item['Key'], item['Size']) for item in stored]}, not {size} bytes")
        s3.delete_object(Bucket=BUCKET, Key=stored[0]["Key"])
