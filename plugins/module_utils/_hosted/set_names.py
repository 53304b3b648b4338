# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names in a backup set: of the set itself, of its files, and what may be a name at all. Pure, but for the random part of a run id."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Final

INDEX: Final = "index.json"
# One of the two goes with the index: a checksum, or what only the holder of the key can make.
DIGEST: Final = "index.json.sha256"
MAC: Final = "index.json.hmac"
# The snapshot's name beside an uploaded set.
SNAPSHOT: Final = "etcd.db"
# At the end of the name of an encrypted file.
SEALED: Final = ".enc"
OBJECTS: Final = "objects"
REMOVED: Final = "removed"

_RUN_ID = re.compile(r"[a-z0-9][-a-z0-9.]*-\d{8}T\d{6}Z-[0-9a-f]{6}")
# How long the end of a run id is (-20261121T231500Z-1f3a9c), and how much of the name is before it.
_STAMP = 24
_NAME = 200


def new_run_id(name: str, now: datetime) -> str:
    """Return a name for a backup of the hosted cluster ``name``: ``prod-20261121T231500Z-1f3a9c``; no two are the same."""
    return f"{name[:_NAME]}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def is_run_id(text: str) -> bool:
    """Return whether ``text`` is the name of a backup set: nothing else in a directory of sets is ever touched."""
    return _RUN_ID.fullmatch(text) is not None


def is_run_of(run_id: str, name: str) -> bool:
    """Return whether a run id was made for a hosted cluster of this name (in any namespace); ``prod`` is not ``prod-2``."""
    return is_run_id(run_id) and run_id[:-_STAMP] == name[:_NAME]


def partial_name(run_id: str) -> str:
    """Return the name of the directory while the set is not whole."""
    return f".{run_id}.partial"


def journal_name(run_id: str) -> str:
    """Return the name of the run's journal, beside its directory."""
    return f".{run_id}.journal"


def run_id_of(name: str, ending: str) -> str:
    """Return the run id in ``.RUNID.partial`` or ``.RUNID.journal``; "" for any other name."""
    run_id = name.removeprefix(".").removesuffix(ending)
    return run_id if name == f".{run_id}{ending}" and is_run_id(run_id) else ""


def path_fault(path: str) -> str:
    """Return why ``path`` may not be the path of a file in a set ("" when it may): it would lead out of it, or be hidden in it."""
    if not path or path.startswith("/"):
        return "it is not relative"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "it leads elsewhere"
    if any(ord(character) < 32 or character in "\\\x7f" for character in path):
        return "it has a character that no name has"
    if path.startswith("."):
        return "it is hidden"
    return ""
