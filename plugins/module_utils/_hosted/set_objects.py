# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a set that hold objects: made of what was collected, and read again. Pure, but for the reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Entry, Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import METHOD, OVERHEAD, Cipher, Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import OBJECTS, REMOVED, SEALED
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import SetStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# A block of most file systems, and the directory entry and inode that go with a file.
_BLOCK = 4096


class CollectedItem(Protocol):
    """An object as it was collected (``collecting.Item``): cleaned, and what cleaning took away."""

    @property
    def path(self) -> str:
        """NAMESPACE/PLURAL.GROUP/NAME.json, short enough for a file; _cluster for the namespace of what has none."""

    @property
    def object(self) -> Mapping[str, Any]:
        """What a restore creates."""

    @property
    def removed(self) -> Mapping[str, Any]:
        """What cleaning took away; empty when nothing."""

    @property
    def evidence(self) -> bool:
        """Whether a restore only looks at it."""


class Stored(NamedTuple):
    """A collected object that was read from a set; ``path`` is that of its file below ``objects``."""

    path: str
    object: dict[str, Any]
    removed: dict[str, Any]
    evidence: bool


class NewFile(NamedTuple):
    """A file of a set before it is encrypted."""

    path: str
    data: bytes
    kind: str
    evidence: bool


def files_of(items: Iterable[CollectedItem]) -> tuple[NewFile, ...]:
    """Return the files of the objects: each below ``objects``, and what cleaning took away at the same path below ``removed``."""
    files: list[NewFile] = []
    for item in items:
        kind = str(item.object.get("kind") or "")
        files.append(NewFile(f"{OBJECTS}/{item.path}", _text(item.object), kind, item.evidence))
        if item.removed:
            files.append(NewFile(f"{REMOVED}/{item.path}", _text(item.removed), kind, item.evidence))
    return tuple(files)


def planned_entries(files: Iterable[NewFile], *, encrypted: bool) -> tuple[Entry, ...]:
    """Return what the index would say of the files; an encrypted one has another checksum each time, so none is told."""
    if encrypted:
        return tuple(Entry(file.path + SEALED, "", len(file.data) + OVERHEAD, file.kind, file.evidence) for file in files)
    return tuple(Entry(file.path, sha256_of(file.data), len(file.data), file.kind, file.evidence) for file in files)


def needed_bytes(files: Sequence[NewFile]) -> int:
    """Return how much room on a disk the files need: whole blocks, one more for each file's entry, index and journal."""
    blocks = sum(-(-(len(file.data) + OVERHEAD) // _BLOCK) + 1 for file in files)
    # A line of the index per file, and all that it has besides.
    return blocks * _BLOCK + 512 * len(files) + 2**20


def read_items(store: SetStore, index: Index, key: Key | None) -> tuple[Stored, ...]:
    """Read the objects of a set that was verified. ``collecting.original(item.object, item.removed)`` is what was in the cluster.

    Raises Refused without the key of an encrypted set, LifecycleError when a file cannot be read or is not what was written.
    """
    opener = opener_of(index, key)
    wanted = {entry.path.removesuffix(SEALED): entry for entry in index.objects}
    read = {path: _document(store, entry, opener) for path, entry in wanted.items()}
    return tuple(
        Stored(path.removeprefix(f"{OBJECTS}/"), data, read.get(REMOVED + path.removeprefix(OBJECTS), {}), wanted[path].evidence)
        for path, data in read.items()
        if path.startswith(f"{OBJECTS}/")
    )


def opener_of(index: Index, key: Key | None) -> Cipher | None:
    """Return what opens the set's files; None for a set that is not encrypted. Refused without the key of one that is."""
    if not index.method:
        return None
    if key is None:
        raise Refused(
            f"Backup set {index.run_id} cannot be opened",
            object=ObjectRef("BackupSet", index.run_id),
            why=f"it is encrypted ({METHOD}, key {index.encryption.get('key_id')})",
            next="set encryption.key_file to the file of that key",
        )
    return Cipher(key, index.run_id)


def sha256_of(data: bytes) -> str:
    """Return the checksum in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _text(data: Mapping[str, Any]) -> bytes:
    """As people can read it, and kubectl; JSON, because writing YAML takes a second of CPU for a cluster of 500 machines."""
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _document(store: SetStore, entry: Entry, opener: Cipher | None) -> dict[str, Any]:
    data = store.read(entry.path)
    if sha256_of(data) != entry.sha256:
        raise _damaged(store, entry, "its checksum is not that in the index")
    try:
        document = json.loads(opener.unseal(entry.path, data) if opener else data)
    except json.JSONDecodeError:
        # Not with the parser's error: that holds the whole text, which may be a Secret's.
        raise _damaged(store, entry, "it is not JSON") from None
    except ValueError:
        raise _damaged(store, entry, "it cannot be decrypted") from None
    if not isinstance(document, dict):
        raise _damaged(store, entry, "it holds no object")
    return document


def _damaged(store: SetStore, entry: Entry, why: str) -> LifecycleError:
    path = f"{store.where}/{entry.path}"
    return LifecycleError(
        f"{path} is damaged", object=ObjectRef("File", path), why=why, next="check the set with verify_set, use another copy"
    )
