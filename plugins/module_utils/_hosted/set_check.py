# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a set that is there: on disk or in a bucket, without any cluster."""

from __future__ import annotations

import os
import re
import time
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.objects import list_keys, read_object, stored, stream_object
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Key, load_key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import INDEX
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_snapshot import ByContent, ByMetadata, SnapshotCheck
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import BucketSet, DirectorySet, SetStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import Verification, verify_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import NotProven, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_ADDRESS = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<prefix>.+?)/?")
_TOLD = 5
NOT_AT_ALL = "none"
_SNAPSHOT_FIELDS = ("bucket", "key", "version_id", "size", "sha256", "revision", "total_keys")


def check_set(module: LifecycleModule) -> dict[str, Any]:
    """Verify the set that the module's options name and return what was found; raises NotProven for one that is not whole."""
    started, params = time.monotonic(), module.params
    aws = Aws(params, name=module.name)
    look = params["snapshot_check"]
    # Without a look at the snapshot a set on disk needs no AWS.
    if look != NOT_AT_ALL or params["set"].startswith("s3:"):
        module.protect_values(aws.secrets)
    key_file = (params["encryption"] or {}).get("key_file")
    key = load_key(key_file) if key_file else None
    store = store_of(params["set"], aws)
    found = verify(store, key, aws, look)
    path = store.where if isinstance(store, DirectorySet) else ""
    told: dict[str, Any] = {
        "changed": False,
        "verified": found.ok,
        "findings": [finding.as_dict() for finding in found.findings],
        "duration": round(time.monotonic() - started, 3),
    }
    if found.index is not None:
        told |= {
            "set": set_result(found.index, path, "" if path else store.where),
            "snapshot": {name: found.index.snapshot.get(name) for name in _SNAPSHOT_FIELDS},
            "index": found.index.as_dict(),
        }
    if not found.ok:
        wrong = [finding for finding in found.findings if finding.severity == "error"]
        raise NotProven(
            f"The backup set {store.where} is not whole: {wrong[0].what}",
            object=ObjectRef("BackupSet", store.where),
            why="; ".join(f"{finding.object}: {finding.what}" for finding in wrong[:_TOLD])
            + (f"; and {len(wrong) - _TOLD} more, see findings" if len(wrong) > _TOLD else ""),
            state="nothing was changed",
            next="; ".join(dict.fromkeys(finding.remedy for finding in wrong)),
            details=told,
        )
    return told


def verify(store: SetStore, key: Key | None, aws: Aws, snapshot_check: str = "metadata") -> Verification:
    """Look at all of a set, and at its snapshot's ``metadata`` or ``content`` (``none``: not at all)."""
    seen = partial(stored, aws)
    check: SnapshotCheck | None = ByMetadata(seen)
    if snapshot_check == "content":
        check = ByContent(seen, partial(stream_object, aws))
    elif snapshot_check == NOT_AT_ALL:
        check = None
    return verify_set(store, key, check)


def store_of(place: str, aws: Aws) -> SetStore:
    """Return the set in a directory, or of an address s3://BUCKET/[PREFIX/]RUN-ID. Raises Refused for an address that is none."""
    if not place.startswith("s3:"):
        # As an option of type path would be, which an address is not.
        return DirectorySet(os.path.expanduser(os.path.expandvars(place)))
    found = _ADDRESS.fullmatch(place)
    if found is None:
        raise Refused(
            f"{place} is not the address of a backup set",
            why="it has no bucket, or no run id",
            state="nothing was read",
            next="give s3://BUCKET/PREFIX/RUN-ID, as set.uploaded_to of the backup says it",
        )
    bucket = found["bucket"]
    return BucketSet(bucket, found["prefix"], partial(list_keys, aws, bucket), partial(read_object, aws, bucket))


def set_result(index: Index, path: str, uploaded_to: str) -> dict[str, Any]:
    """Return where a set is, and how large it is without its snapshot."""
    return {
        "run_id": index.run_id,
        "path": path,
        "index": f"{path}/{INDEX}" if path else "",
        "files": len(index.objects) + 2 if path or uploaded_to else 0,
        "bytes": sum(entry.size for entry in index.objects),
        "uploaded_to": uploaded_to,
    }
