# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A management cluster with AWS for backups that are measured."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hosted.aws import Aws
from hosted.bed import Bed
from measuring import Measurement
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options

MODULE = "ansible_collections.meshops.lifecycle.plugins.modules.hosted_cluster_backup"
BUCKET = "bench-backups"
Say = Callable[[str], None]


@contextlib.contextmanager
def management(home: Path, name: str, say: Say) -> Iterator[tuple[Bed, Aws]]:
    """A management cluster, and AWS with a bucket that keeps no versions: what plays S3 would keep them in memory."""
    cluster = Cluster(name, home)
    cluster.up(Options(hosted="-"), say)
    try:
        bed, aws = Bed(cluster), Aws(cluster)
        bed.install()
        aws.start()
        aws.create_bucket(BUCKET)
        aws.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        yield bed, aws
    finally:
        cluster.down()


def median(name: str, usages: Sequence[Mapping[str, float]]) -> Measurement:
    seconds, cpu, peak = (statistics.median(usage[key] for usage in usages) for key in ("seconds", "cpu_seconds", "peak_mib"))
    return Measurement(name, seconds, cpu, peak)
