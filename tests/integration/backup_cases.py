# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of backups of hosted clusters share: the module with its options, and what must be nowhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hosted.aws import Aws, Credentials
from hosted.bed import Hosted
from run_module import Module, finish_module, start_module

NAME = "hosted_cluster_backup"


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

    def start(self, *, credentials: Credentials | None = None, tmpdir: Path | None = None, check: bool = False, **options: Any) -> Module:
        """Begin one."""
        return start_module(NAME, {**self.options, **options}, check=check, diff=True, env=self.aws.environment(credentials), tmpdir=tmpdir)

    def run(self, *, credentials: Credentials | None = None, check: bool = False, **options: Any) -> dict[str, Any]:
        """Make one and return the result."""
        return finish_module(self.start(credentials=credentials, check=check, **options))

    def verify(self, place: str | Path, **options: Any) -> dict[str, Any]:
        """Verify a set that is there."""
        given = {"verify_set": True, "set": str(place), "region": self.hosted.shape.region, **options}
        return finish_module(start_module(NAME, given, env=self.aws.environment()))

    def snapshots(self) -> set[str]:
        """All that is in the bucket, by key."""
        found = self.aws.client("s3").list_objects_v2(Bucket=self.bucket)
        return {item["Key"] for item in found.get("Contents") or ()}

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
