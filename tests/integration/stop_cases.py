# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module must not do when it stops a hosted cluster: write in check mode, copy too early, and show a secret."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backup_cases import Backups, contents_of, forms, sets_in, unfinished_in
from failures import assert_told
from stopped_clusters import path, pod_that_stays
from written import Writes

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter


def is_planned_without_a_write(backups: Backups, **options: Any) -> str:
    """Not even what a dead run has left is cleared; returns the plan's id."""
    shape = backups.hosted.shape
    run_id = new_run_id(shape.name, datetime(2026, 11, 21, tzinfo=UTC))
    with SetWriter(str(backups.dest), run_id, None, hosted_cluster=shape.annotated) as dead:
        dead.write("objects/half", b"{}")
    left, writes = contents_of(backups.dest), Writes(backups.hosted, backups.aws)
    planned = backups.run(check=True, **options)
    assert (planned.get("msg", ""), planned["plan"]["risk"]) == ("", "disruptive"), planned.get("msg")
    assert writes.nothing()
    assert (contents_of(backups.dest), len(left)) == (left, 2), "what a dead run has left was touched"
    assert "clear" in {step["action"] for phase in planned["plan"]["phases"] for step in phase["steps"]}
    assert planned["diff"]
    assert no_secret_in(backups, json.dumps(planned))
    return str(planned["plan"]["id"])


def is_not_copied_while_an_api_server_is_there(backups: Backups, tmp_path: Path, **options: Any) -> None:
    """Etcd's data change as long as one of them runs. What such a run has shown and left on the clusters has no secret in it."""
    there, writes = backups.snapshots(), Writes(backups.hosted, backups.aws)
    directory = tmp_path / "module"
    directory.mkdir()
    progress = directory / "progress.jsonl"
    progress.touch()
    with pod_that_stays(backups.hosted, "kube-apiserver") as pod:
        process = backups.start(tmpdir=directory, stop_timeout=2, **options)
        stdout, stderr = process.communicate(timeout=300)
    result = json.loads(stdout.splitlines()[-1])
    assert_told(result, pod, "example.com/hold", "nothing was copied")
    copied = [command for command in writes.commands() if {"snapshot", "cat"} & {*command}]
    left = (backups.snapshots() - there, backups.uploads(), sets_in(backups.dest), unfinished_in(backups.dest))
    assert (copied, left) == ([], (set(), 0, [], [])), (copied, left)
    # The admin kubeconfig was opened for the marker; the record of the run and its Lease are still there.
    cluster, shape = backups.hosted.bed.cluster, backups.hosted.shape
    kept = cluster.kubectl("get", "configmap,lease", "-n", shape.control_plane_namespace, "-o", "json")
    recorded = cluster.api.get(path(shape, "HostedCluster", shape.name))["metadata"]["annotations"][PRIOR_ANNOTATION]
    assert f"meshops-hosted-cluster-backup-{shape.name}" in kept
    assert result["resume_commands"]
    assert no_secret_in(backups, stdout, stderr, progress.read_text(), recorded, kept)


def no_secret_in(backups: Backups, *shown: str) -> bool:
    """Whether there is neither a canary in it, nor a key of the hosted cluster's administrator, nor one of AWS."""
    key = json.loads(backups.hosted.real.kubeconfig.read_text())["users"][0]["user"]["client-key-data"]
    secrets = (backups.hosted.shape.secret, "PRIVATE KEY", key, base64.b64decode(key).decode(), backups.aws.user.secret)
    found = [form for secret in secrets for form in forms(secret) for text in shown if form in text]
    assert found == [], found
    return True
