# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands in etcd's pods answer, as data. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_commands import (
    AUTHORITIES,
    CERTIFICATE,
    DATA,
    ETCDCTL,
    ETCDUTL,
    KEY,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_room import KEPT_PERCENT, ON_THE_NODE
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import PLACES, Tools

# etcd api/etcdserverpb/rpc.proto, AlarmType
_ALARMS = {1: "NOSPACE", 2: "CORRUPT"}
# Our own, etcdctl's and those of the written procedures: snapshot.db, and /tmp/snapshot of etcd-init.sh.
_SNAPSHOT = re.compile(r"\.db(\.part)?$|snapshot")


class NotUnderstood(ValueError):
    """An answer that is not of the form that etcd's programs give it."""


class Health(NamedTuple):
    """What a member says of itself when it is asked for a key: only a quorum can answer that."""

    healthy: bool
    error: str


class Status(NamedTuple):
    """What a member says of itself alone; ids are in hexadecimal, as etcdctl shows them, and "" for no leader."""

    member_id: str
    cluster_id: str
    leader_id: str
    version: str
    revision: int
    db_size: int
    db_in_use: int


def files(listing: bytes) -> tuple[Tools, tuple[str, ...]]:
    """Return what there is and the paths of old snapshots, of the answer to ``FILES``: files first, then each directory's."""
    found: set[str] = set()
    snapshots: list[str] = []
    directory = ""
    for line in listing.decode("utf-8", "replace").splitlines():
        if line.removesuffix(":") in (*PLACES, DATA) and line.endswith(":"):
            directory = line.removesuffix(":")
        elif line and not directory:
            found.add(line)
        elif line and not line.endswith("/") and _SNAPSHOT.search(line):
            snapshots.append(f"{directory}/{line}")
    authority = next((path for path in AUTHORITIES if path in found), "")
    return Tools(authority, {CERTIFICATE, KEY} <= found, ETCDCTL in found, ETCDUTL in found), tuple(snapshots)


def room(table: bytes, *, read_only_root: bool) -> dict[str, int]:
    """Return the bytes by directory that a file may take, of the answer to ``ROOM``; of what is on a root that cannot be written, none.

    What is on the node's own disk leaves free what the kubelet wants to be free: it ends pods before that is used up.
    """
    free: dict[str, int] = {}
    for line in table.decode("utf-8", "replace").splitlines():
        fields = line.split()
        if len(fields) == 5 and fields[0] in PLACES and fields[1].isdecimal() and fields[2].isdecimal():
            name, size, available, kind, mounted = fields[0], int(fields[1]), int(fields[2]), fields[3], fields[4]
            kept = 0 if name not in ON_THE_NODE or kind == "tmpfs" else size * KEPT_PERCENT // 100
            free[name] = 0 if read_only_root and mounted == "/" else max(0, available - kept)
    return free


def status(answer: bytes) -> Status:
    """Return the status of the one endpoint; raises NotUnderstood."""
    found = _first(answer, "Status")
    header = _mapping(found.get("header"))
    size = _number(found, "dbSize")
    return Status(
        member_id=_hexadecimal(header.get("member_id")),
        cluster_id=_hexadecimal(header.get("cluster_id")),
        leader_id=_hexadecimal(found.get("leader")),
        version=str(found.get("version") or ""),
        revision=_number(header, "revision"),
        db_size=size,
        db_in_use=_number(found, "dbSizeInUse") or size,
    )


def health(answer: bytes) -> Health:
    """Return whether the one endpoint is healthy, and why not; raises NotUnderstood."""
    entries = _json(answer)
    entry = entries[0] if isinstance(entries, list) and entries else None
    if not isinstance(entry, dict) or "health" not in entry:
        raise NotUnderstood("no health of an endpoint")
    return Health(entry["health"] is True, str(entry.get("error") or ""))


def members(answer: bytes) -> dict[str, str]:
    """Return the names of the members by their ids; a member that has not started yet has none."""
    return {_hexadecimal(item.get("ID")): str(item.get("name") or "") for item in _items(answer, "members")}


def alarms(answer: bytes, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the alarms of all members, for instance ``NOSPACE of etcd-1``; ``names`` are the members' by their ids."""
    found = []
    for item in _items(answer, "alarms"):
        member_id = _hexadecimal(item.get("memberID"))
        found.append(f"{_ALARMS.get(_number(item, 'alarm'), 'UNKNOWN')} of {names.get(member_id) or member_id}")
    return tuple(found)


def snapshot(answer: bytes) -> dict[str, Any]:
    """Return what ``snapshot status`` says: ``hash``, ``revision``, ``totalKey``, ``totalSize`` as numbers, ``version``."""
    found = _json(answer)
    if not isinstance(found, dict) or "totalKey" not in found:
        raise NotUnderstood("no status of a snapshot")
    numbers = {key: _number(found, key) for key in ("hash", "revision", "totalKey", "totalSize")}
    return {**numbers, "version": str(found.get("version") or "")}


def complaint(stderr: str) -> str:
    """Return what etcd's programs say in words, their last sentence: before it they log JSON, and reasons that are none."""
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("{")]
    return lines[-1].removeprefix("Error: ").strip()[:500] if lines else ""


def _items(answer: bytes, key: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of an answer; Go leaves empty ones out."""
    found = _json(answer)
    if not isinstance(found, dict):
        raise NotUnderstood(f"no {key}")
    return [_mapping(item) for item in found.get(key) or ()]


def _first(answer: bytes, key: str) -> Mapping[str, Any]:
    entries = _json(answer)
    entry = entries[0] if isinstance(entries, list) and entries else None
    if not isinstance(entry, dict) or not isinstance(entry.get(key), dict):
        raise NotUnderstood("no status of an endpoint")
    found: Mapping[str, Any] = entry[key]
    return found


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError as error:
        shown = " ".join(answer.decode("utf-8", "replace").split())[:200]
        raise NotUnderstood(f"not JSON: {shown}" if shown else "nothing") from error


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Mapping[str, Any], key: str) -> int:
    found = value.get(key, 0)
    return found if isinstance(found, int) else 0


def _hexadecimal(value: object) -> str:
    return f"{value:x}" if isinstance(value, int) and value else ""
