# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of backups of hosted clusters share: the module with its options, and what must be nowhere."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from faults.front import ApiFront
from faults.request import Request
from hosted.aws import Aws, Credentials
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import Pool, Shape
from hosted_clusters import ManagementCluster
from run_module import Module, finish_module, start_module

NAME = "hosted_cluster_backup"
PROD = Shape(
    "prod",
    namespace="whole",
    pools=(Pool("prod-a", 2, config=("kubelet-a",)), Pool("prod-b", 1, autoscaling=(1, 4), upgrade="InPlace")),
    secret="canary-of-prod",
)
SMALL = Shape("small", pools=(Pool("small-a", 1), Pool("small-b", 1)), availability="SingleReplica", secret="canary-of-small")
IMAGE = Image(tmp_size="128m", data_size="128m")
# With the API server's own keys, two parts of 8 MiB.
_MEBIBYTES = 12
_filled: WeakSet[Hosted] = WeakSet()


@dataclass(frozen=True)
class Backups:
    """Backups of one hosted cluster into one directory and one bucket."""

    hosted: Hosted
    aws: Aws
    dest: Path
    bucket: str

    @property
    def options(self) -> dict[str, Any]:
        """The module's options."""
        shape = self.hosted.shape
        return {
            "source": {"kubeconfig": str(self.hosted.bed.cluster.kubeconfig)},
            "name": shape.name,
            "namespace": shape.namespace,
            "dest": str(self.dest),
            "bucket": self.bucket,
            "region": shape.region,
        }

    def start(
        self,
        *,
        credentials: Credentials | None = None,
        tmpdir: Path | None = None,
        check: bool = False,
        front: Path | None = None,
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        **options: Any,
    ) -> Module:
        """Begin one; ``front`` is the kubeconfig of a front of the API server."""
        given = {**self.options, **({"source": {"kubeconfig": str(front)}} if front else {}), **options}
        environment = {**self.aws.environment(credentials), **(env or {})}
        return start_module(NAME, given, check=check, diff=True, env=environment, tmpdir=tmpdir, within=within)

    def run(self, **options: Any) -> dict[str, Any]:
        """Make one and return the result; the options are those of ``start``."""
        return finish_module(self.start(**options))

    def verify(self, place: str | Path, **options: Any) -> dict[str, Any]:
        """Verify a set that is there."""
        given = {"verify_set": True, "set": str(place), "region": self.hosted.shape.region, **options}
        return finish_module(start_module(NAME, given, env=self.aws.environment()))

    def snapshots(self) -> set[str]:
        """All that is in the bucket, by key."""
        found = self.aws.client("s3").list_objects_v2(Bucket=self.bucket)
        return {item["Key"] for item in found.get("Contents") or ()}

    def nothing_left(self) -> bool:
        """Whether there is nothing of a backup: no set, no part of one, no object, no upload, no file in a pod."""
        there = (sets_in(self.dest), unfinished_in(self.dest), self.snapshots(), self.uploads(), self.left_in_pods())
        assert there == ([], [], set(), 0, []), there
        return True

    def uploads(self) -> int:
        """How many uploads were begun and neither completed nor given up."""
        return len(self.aws.client("s3").list_multipart_uploads(Bucket=self.bucket).get("Uploads") or ())

    def left_in_pods(self) -> list[str]:
        """Temporary files in the etcd pods."""
        namespace = self.hosted.shape.control_plane_namespace
        found: list[str] = []
        for member in range(self.hosted.shape.members):
            command = ("exec", "-n", namespace, f"etcd-{member}", "-c", "etcd", "--", "ls", "-A", "/tmp", "/var/lib")
            listed = self.hosted.bed.cluster.kubectl(*command).split()
            found += [f"etcd-{member}:{name}" for name in listed if "meshops" in name]
        return found


def small(management_cluster: ManagementCluster) -> Hosted:
    """A cluster with one real etcd member, whose snapshot has more than one part."""
    hosted = management_cluster.hosted(SMALL, real=IMAGE)
    if hosted not in _filled:
        hosted.fill(_MEBIBYTES)
        _filled.add(hosted)
    return hosted


def runs(*words: str) -> Callable[[Request], bool]:
    """Whether a request runs a command in a pod that has these words."""

    def matches(request: Request) -> bool:
        return set(words) <= set(request.command)

    return matches


def after_the_upload(front: ApiFront) -> Callable[[Request], bool]:
    """Whether a request is one that comes when the temporary file in the pod has been removed."""
    since = len(front.requests)

    def matches(request: Request) -> bool:
        return not request.command and any("rm" in earlier.command for earlier in front.requests[since:])

    return matches


def eventually(what: str, holds: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.1)


def sets_in(dest: Path) -> list[Path]:
    """The directories in ``dest`` that look like whole sets."""
    return sorted(path for path in dest.iterdir() if not path.name.startswith(".")) if dest.exists() else []


def unfinished_in(dest: Path) -> list[str]:
    """What unfinished runs have left in ``dest``."""
    return sorted(path.name for path in dest.iterdir() if path.name.startswith(".")) if dest.exists() else []


def contents_of(directory: Path) -> Mapping[str, str]:
    """The checksum of each file below ``directory``."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def forms(secret: str) -> Iterator[str]:
    """A secret as it may turn up: as it is, or in base64 wherever it begins."""
    yield secret
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + secret.encode()).decode()
        yield encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
