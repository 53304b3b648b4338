# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of hosted_cluster_backup that copies a snapshot: every byte is counted and hashed, and what is stored is looked at again."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import upload_stream
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_snapshot import Snapshot, snapshot_stream
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

NAME = "bench"


class Caller:
    """As much of a module as a connection needs."""

    def __init__(self, params: dict[str, Any], tmpdir: str) -> None:
        self.params, self.tmpdir, self.name = params, tmpdir, NAME


def main() -> None:
    """Usage: backup_own_copy.py KUBECONFIG NAMESPACE POD PATH SIZE SHA256 BUCKET KEY; prints how much memory (MiB) copying has added."""
    kubeconfig, namespace, pod, path, size, sha256, bucket, key = sys.argv[1:]
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    snapshot = Snapshot(pod, path, int(size), sha256, 0, 0, 0, 0, "")
    with tempfile.TemporaryDirectory() as directory:
        pods = PodExec(connect(Caller({"kubeconfig": kubeconfig}, directory), explicit=True))
        with snapshot_stream(pods, namespace, snapshot, Deadline(3600)) as chunks:
            upload_stream(Aws({}, name=NAME), chunks, bucket, key, sha256=sha256, size=snapshot.size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"grown_mib": (peak - start) / 1024}))


if __name__ == "__main__":
    main()
