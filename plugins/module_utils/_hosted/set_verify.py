# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checking a backup set, from disk or S3, without a cluster: what was done to it since it was written is an error that names the file."""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_faults import Faults
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import (
    FORMAT,
    FORMAT_VERSION,
    Entry,
    Index,
    index_from,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import METHOD, Cipher, Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import (
    DIGEST,
    INDEX,
    MAC,
    OBJECTS,
    SNAPSHOT,
    partial_name,
    path_fault,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import sha256_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_snapshot import SnapshotCheck, snapshot_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import SetStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

_READING = 8


@dataclass(frozen=True)
class Verification:
    """What a check of a set found; ``index`` is None when there is none that can be understood."""

    index: Index | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the set is as it was written, and of use: no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


def verify_set(store: SetStore, key: Key | None, snapshot_check: SnapshotCheck | None) -> Verification:
    """Check a set. Everything that is wrong is a finding; nothing is raised but for a missing Python library.

    Without a key the files are compared with the index, and the index with its checksum: damage is found, but not who changes both.
    With the key nothing can be changed unnoticed.
    """
    faults = Faults(store.where)
    name = ""
    try:
        names = store.names()
        if INDEX not in names:
            return Verification(None, (faults.incomplete(anything=bool(names)),))
        name = INDEX
        content = store.read(INDEX)
    except LifecycleError as error:
        return Verification(None, (faults.unreadable(name, error),))
    index, findings = _understood(faults, content)
    if index is None:
        return Verification(None, tuple(findings))
    cipher = Cipher(key, index.run_id) if key is not None and index.method == METHOD else None
    findings = [*_authenticity(faults, store, index, content, names, key, cipher)]
    # What is not authentic is not opened.
    opener = cipher if not findings else None
    findings += _place(faults, store.where, index)
    findings += _listing(faults, store.where, index, names)
    findings += _contents(faults, store, index, names, opener)
    try:
        findings += faults.exposed(store.exposed(), encrypted=bool(index.method))
    except LifecycleError as error:
        findings.append(faults.unreadable("", error))
    findings += snapshot_findings(index.snapshot, snapshot_check)
    findings += faults.told(index, VERSION)
    return Verification(index, tuple(findings))


def _understood(faults: Faults, content: bytes) -> tuple[Index | None, list[Finding]]:
    try:
        data: Any = json.loads(content)
    except ValueError:
        return None, [faults.not_json()]
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return None, [faults.not_ours(data.get("format") if isinstance(data, dict) else "")]
    version = data.get("format_version")
    # True is 1 for Python.
    if isinstance(version, bool) or not isinstance(version, int) or version != FORMAT_VERSION:
        return None, [faults.format(data.get("format_version"), data.get("tool_version"))]
    try:
        return index_from(data), []
    except ValueError as error:
        return None, [faults.not_index(str(error))]


def _authenticity(
    faults: Faults, store: SetStore, index: Index, content: bytes, names: Sequence[str], key: Key | None, cipher: Cipher | None
) -> Iterator[Finding]:
    if index.method not in ("", METHOD):
        yield faults.encryption_unknown(index.method)
        return
    if index.method and key is None:
        yield faults.key_missing(index)
        return
    if not index.method and key is not None:
        yield faults.not_encrypted()
    name = authenticator(index)
    try:
        found = store.read(name)
    except LifecycleError as error:
        # Whether it is there is said with the other files. A link or a pipe in its place proves nothing.
        if name in names:
            yield faults.unreadable(name, error)
        return
    expected = f"{cipher.mac(content)}\n" if cipher is not None else f"{sha256_of(content)}  {INDEX}\n"
    if hmac.compare_digest(found, expected.encode()):
        return
    if key is not None and cipher is not None and index.encryption.get("key_id") != key.id:
        yield faults.key_wrong(index, key.id)
    else:
        yield faults.index_edited(name)


def authenticator(index: Index) -> str:
    """Return the name of the file that proves the index."""
    return MAC if index.method else DIGEST


def _place(faults: Faults, where: str, index: Index) -> Iterator[Finding]:
    name = where.rpartition("/")[2]
    if name == partial_name(index.run_id):
        yield faults.partial()
    elif name != index.run_id:
        yield faults.renamed(index)


def _listing(faults: Faults, where: str, index: Index, names: Sequence[str]) -> Iterator[Finding]:
    own = authenticator(index)
    if own not in names:
        yield faults.missing(own, f"it proves {INDEX}")
    for path, number in Counter(entry.path for entry in index.objects).items():
        if number > 1:
            yield faults.file("file-listed-twice", path, f"is in the index {number} times", "one file has one checksum")
    snapshot = f"s3://{index.snapshot.get('bucket')}/{index.snapshot.get('key')}"
    known = {INDEX, own, *(entry.path for entry in index.objects)}
    for name in names:
        # The snapshot is beside an uploaded set; a bucket that was copied has a copy of it.
        if name in known or f"{where}/{name}" == snapshot:
            continue
        yield faults.snapshot_elsewhere(name, snapshot) if name == SNAPSHOT and where.startswith("s3://") else faults.extra(name)
    if not any(entry.kind == "HostedCluster" and entry.path.startswith(f"{OBJECTS}/") and not entry.evidence for entry in index.objects):
        yield faults.no_hosted_cluster()


def _contents(faults: Faults, store: SetStore, index: Index, names: Sequence[str], opener: Cipher | None) -> list[Finding]:
    present = frozenset(names)
    with ThreadPoolExecutor(_READING) as pool:
        checks = [pool.submit(_content, faults, store, entry, present, opener) for entry in index.objects]
        return [finding for check in checks for finding in check.result()]


def _content(faults: Faults, store: SetStore, entry: Entry, present: frozenset[str], opener: Cipher | None) -> list[Finding]:
    # The index of a set without a key is anybody's: it must not lead out of the set.
    fault = path_fault(entry.path)
    if fault:
        return [faults.file("path-not-allowed", repr(entry.path), "is in the index", fault)]
    if entry.path not in present:
        return [faults.missing(entry.path)]
    try:
        stored = store.read(entry.path)
    except LifecycleError as error:
        return [faults.unreadable(entry.path, error)]
    if len(stored) != entry.size:
        return [faults.file("file-edited", entry.path, "was changed", f"it has {len(stored)} bytes, the index says {entry.size}")]
    if sha256_of(stored) != entry.sha256:
        return [faults.file("file-edited", entry.path, "was changed", "its sha256 is not that in the index")]
    if opener is not None:
        try:
            opener.unseal(entry.path, stored)
        except ValueError:
            return [faults.file("file-not-decrypted", entry.path, "cannot be decrypted", "it was written for another set, or is damaged")]
    return []
