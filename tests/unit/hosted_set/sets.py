# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small backup sets, with a canary where a real one has Secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import INDEX, is_run_id, new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import files_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_snapshot import SnapshotSeen
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import Verification
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION

CANARY = "canary-in-a-secret"
ENCODED = base64.b64encode(CANARY.encode()).decode()
KEY = Key(bytes(range(32)))
OTHER_KEY = Key(bytes(range(1, 33)))
NOW = datetime(2026, 11, 21, 23, 15, tzinfo=UTC)
BUCKET = "backups"
SHA = "ab" * 32


class Item(NamedTuple):
    """As ``collecting.Item``."""

    path: str
    object: dict[str, Any]
    removed: dict[str, Any]
    evidence: bool = False


ITEMS = (
    Item(
        "clusters/hostedclusters.hypershift.openshift.io/prod.json",
        {"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedCluster", "metadata": {"name": "prod", "namespace": "clusters"}},
        {"metadata": {"uid": "1234", "resourceVersion": "7"}, "status": {"conditions": [{"type": "Available", "status": "True"}]}},
    ),
    Item(
        "clusters/secrets/pull-secret.json",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull-secret", "namespace": "clusters"}, "data": {"key": ENCODED}},
        {"metadata": {"uid": "1235"}},
    ),
    Item(
        "_cluster/namespaces/clusters-prod.json",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clusters-prod"}},
        {},
        evidence=True,
    ),
)


def snapshot_of(run_id: str) -> dict[str, Any]:
    """Return what an index says of a snapshot."""
    return {"bucket": BUCKET, "key": f"hosted/{run_id}/etcd.db", "version_id": "", "size": 4096, "sha256": SHA, "checksum": "c2hh"}


def index_of(run_id: str, **changes: Any) -> Index:
    """Return an index without files."""
    fields: dict[str, Any] = {
        "run_id": run_id,
        "tool_version": VERSION,
        "created": "2026-11-21T23:15:00Z",
        "mode": "online",
        "hosted_cluster": {"namespace": "clusters", "name": "prod"},
        "snapshot": snapshot_of(run_id),
    }
    return Index(**{**fields, **changes})


def write_set(dest: Path, key: Key | None, items: Sequence[Item] = ITEMS, **changes: Any) -> Path:
    """Write a whole set; returns its directory."""
    run_id = new_run_id("prod", NOW)
    with SetWriter(str(dest), run_id, key, hosted_cluster="clusters/prod") as writer:
        writer.note(bucket=BUCKET, key=f"hosted/{run_id}/etcd.db")
        writer.write_files(files_of(items))
        return Path(writer.finish(index_of(run_id, **changes)))


def sets_in(dest: Path) -> set[str]:
    """Return the names of what looks like a set in a directory."""
    return {path.name for path in dest.iterdir() if is_run_id(path.name) and (path / INDEX).exists()}


def whole_snapshot(bucket: str, key: str, version_id: str) -> SnapshotSeen | None:
    """See the snapshot that every index here names."""
    return SnapshotSeen(4096, SHA, "c2hh") if bucket == BUCKET and key.endswith("/etcd.db") and not version_id else None


def codes(verification: Verification) -> list[tuple[str, str]]:
    """Return severity and code of all findings."""
    return [(finding.severity, finding.code) for finding in verification.findings]


def errors(verification: Verification) -> set[str]:
    """Return the codes of errors."""
    return {finding.code for finding in verification.findings if finding.severity == "error"}


def content(directory: Path) -> Mapping[str, bytes]:
    """Return all files below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
