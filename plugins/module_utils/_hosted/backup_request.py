# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup is asked to do, from the options of the module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused

# What S3 takes in keys without having to be escaped in an address.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9!_.*'()/-]*")
SNAPSHOT_FILE = "etcd.db"


@dataclass(frozen=True)
class BackupRequest:
    """``prefix`` has no slash at either end; ``key_file`` is empty without encryption; ``stop_timeout`` is in seconds."""

    target: Target
    quiesce: bool
    dest: str
    bucket: str
    prefix: str = ""
    kms_key_id: str = ""
    key_file: str = ""
    upload_set: bool = False
    management_cluster_name: str = ""
    stop_timeout: int = 300

    def key(self, run_id: str, file: str = SNAPSHOT_FILE) -> str:
        """Return the key of a file of the run's set in the bucket."""
        return "/".join(part for part in (self.prefix, run_id, file) if part)

    def address(self, run_id: str) -> str:
        """Return where a run's set is in the bucket."""
        return f"s3://{self.bucket}/{'/'.join(part for part in (self.prefix, run_id) if part)}"


def backup_request(params: Mapping[str, Any]) -> BackupRequest:
    """Return the request in a module's parameters; raises Refused for what makes no sense."""
    prefix, key_file = str(params["prefix"] or "").strip("/"), str((params["encryption"] or {}).get("key_file") or "")
    if not _PLAIN_KEY.fullmatch(prefix) or "//" in prefix or ".." in prefix.split("/"):
        raise _invalid(
            f"prefix {prefix!r} is no good beginning of keys",
            "in the address of the snapshot other characters become three, of at most 1024, and tools read // and .. in their own ways",
            "use letters, digits, and - _ . / between words",
        )
    if params["upload_set"] and not key_file:
        raise _invalid(
            "upload_set needs encryption.key_file",
            "the set has the secrets of the hosted cluster, which do not leave this machine in clear",
            "make a key (openssl rand -hex 32), keep it where the sets are not, and give its file",
        )
    if params["stop_timeout"] < 1:
        raise _invalid(f"stop_timeout must be at least 1, got {params['stop_timeout']}", "it is a time in seconds", "leave it out for 300")
    return BackupRequest(
        target=Target(params["namespace"], params["name"]),
        quiesce=params["mode"] == "quiesce",
        dest=params["dest"],
        bucket=params["bucket"],
        prefix=prefix,
        kms_key_id=params["kms_key_id"] or "",
        key_file=key_file,
        upload_set=params["upload_set"],
        management_cluster_name=params["management_cluster_name"] or "",
        stop_timeout=params["stop_timeout"],
    )


def _invalid(what: str, why: str, advice: str) -> Refused:
    return Refused(what, why=why, state="nothing was written", next=advice)
