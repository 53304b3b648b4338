# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of a backup set can find, in words. Pure. docs/backup-set.md lists the codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import FORMAT, FORMAT_VERSION, Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import INDEX
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import Exposed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_ANOTHER = "do not restore from it: use another copy, or another set"


class Faults:
    """Findings about one set; ``where`` is its place, and the beginning of the name of each file."""

    def __init__(self, where: str) -> None:
        self._where = where

    def file(self, code: str, name: str, what: str, why: str, remedy: str = _ANOTHER, severity: Any = "error") -> Finding:
        """Return a finding about one file: ``what`` follows its name."""
        return Finding(severity, code, ObjectRef("File", f"{self._where}/{name}"), f"{name} {what}", why, remedy)

    def whole(self, code: str, what: str, why: str, remedy: str = _ANOTHER, severity: Any = "error") -> Finding:
        """Return a finding about the set."""
        return Finding(severity, code, ObjectRef("BackupSet", self._where), what, why, remedy)

    def unreadable(self, name: str, error: LifecycleError) -> Finding:
        """A file, or (no name) all of it, cannot be read."""
        if name:
            return self.file("file-unreadable", name, "cannot be read", error.why or str(error), error.next or _ANOTHER)
        return self.whole(
            "set-unreadable", f"{self._where} cannot be read", error.why or str(error), error.next or "correct the option set"
        )

    def incomplete(self, *, anything: bool) -> Finding:
        """There is no index."""
        if not anything:
            return self.whole("set-missing", f"nothing is at {self._where}", "it is empty, or does not exist", "correct the option set")
        why = "it is written last: this is what a run that was stopped has left, or no backup set"
        return self.whole(
            "set-incomplete", f"{self._where} has no {INDEX}", why, "use another set; a later backup cleans up what a killed one left"
        )

    def partial(self) -> Finding:
        """The directory still has the name of a set that is being written."""
        why = "the set gets its name when all of it is on the disk"
        return self.whole("set-incomplete", f"{self._where} is a set that was not finished", why, "use another set")

    def renamed(self, index: Index) -> Finding:
        """The place has another name than the set."""
        why = f"its index says that it is {index.run_id}"
        return self.whole(
            "set-renamed", f"{self._where} was renamed", why, f"make sure that it is the one you want: {_described(index)}", "warning"
        )

    def not_json(self) -> Finding:
        """The index cannot be parsed."""
        return self.file("index-damaged", INDEX, "is damaged", "it is not JSON")

    def not_index(self, why: str) -> Finding:
        """The index is no index."""
        return self.file("index-damaged", INDEX, "is damaged", why)

    def not_ours(self, found: object) -> Finding:
        """The format is another one."""
        return self.file(
            "not-a-backup-set",
            INDEX,
            f"is not that of a backup set (format {str(found)[:80]!r})",
            f"that would be {FORMAT}",
            "correct the option set",
        )

    def format(self, found: object, made_by: object) -> Finding:
        """The format has another version, newer or older."""
        newer = isinstance(found, bool) or not isinstance(found, int) or found > FORMAT_VERSION
        what = f"has format version {str(found)[:20]}, made by meshops.lifecycle {str(made_by)[:40]}"
        why = f"this version reads format version {FORMAT_VERSION}"
        remedy = "use that version of the collection, or a newer one" if newer else "use the version of the collection that made it"
        return self.file("format-newer" if newer else "format-older", INDEX, what, why, remedy)

    def not_encrypted(self) -> Finding:
        """A key was given for a set that has none."""
        why = "whoever can write there could have put it in the place of an encrypted one"
        return self.whole(
            "set-not-encrypted",
            f"{self._where} is not encrypted, and a key was given",
            why,
            "leave encryption out if this set was made without",
        )

    def encryption_unknown(self, method: str) -> Finding:
        """No such method."""
        return self.file("encryption-unknown", INDEX, f"names the encryption {method[:40]!r}", "this version does not know it")

    def key_missing(self, index: Index) -> Finding:
        """It is encrypted, and no key was given."""
        why = f"without the key nothing shows that the set is authentic, or can be opened (key {index.encryption.get('key_id')})"
        return self.whole("key-missing", f"{self._where} is encrypted, and no key was given", why, "set encryption.key_file")

    def key_wrong(self, index: Index, given: str) -> Finding:
        """It was made with another key."""
        why = f"it was made with key {index.encryption.get('key_id')}, this one is {given}"
        return self.whole("key-wrong", f"the key is not that of {self._where}", why, "set encryption.key_file to the file of that key")

    def index_edited(self, against: str) -> Finding:
        """The index and what proves it do not fit."""
        return self.file("index-edited", INDEX, "was changed", f"it does not fit {against}")

    def missing(self, name: str, why: str = "the index names it") -> Finding:
        """A file is not there."""
        return self.file("file-missing", name, "is missing", why)

    def extra(self, name: str) -> Finding:
        """A file is there that should not be."""
        return self.file(
            "file-extra", name, "does not belong to the set", "the index does not name it", "find out who put it there, and move it away"
        )

    def snapshot_elsewhere(self, name: str, named: str) -> Finding:
        """A snapshot is beside the set, and the index names another place."""
        why = f"the one that was looked at is {named}; this one may be a copy of it"
        return self.file(
            "snapshot-elsewhere", name, "is beside the set, and is not what its index names", why, "compare their checksums", "warning"
        )

    def exposed(self, found: Sequence[Exposed], *, encrypted: bool) -> list[Finding]:
        """Others may get at files: of one that is not encrypted, at Secrets."""
        why = "who may write there can damage the set" if encrypted else "the set holds Secrets"
        severity = "warning" if encrypted else "error"
        remedy = f"chmod -R go= {self._where}"
        return [
            self.file("mode-too-open", item.path or ".", f"is open to others (mode {item.mode:04o})", why, remedy, severity)
            for item in found
        ]

    def no_hosted_cluster(self) -> Finding:
        """There is nothing to restore."""
        return self.file("no-hosted-cluster", INDEX, "names no HostedCluster", "nothing can be restored of such a set")

    def told(self, index: Index, tool_version: str) -> list[Finding]:
        """What is good to know of a set that may be in order."""
        found: list[Finding] = []
        if index.tool_version != tool_version:
            what = f"the set was made by meshops.lifecycle {index.tool_version}, this is {tool_version}"
            found.append(self.whole("other-tool-version", what, f"the format is the same ({FORMAT_VERSION})", "nothing", "info"))
        if index.restored_from:
            why = "its HostedCluster names the snapshot of then; a restore puts this set's in its place"
            found.append(self.whole("restored-source", "the hosted cluster was itself restored from a snapshot", why, "nothing", "info"))
        return found


def _described(index: Index) -> str:
    cluster = index.hosted_cluster
    return f"{cluster.get('namespace')}/{cluster.get('name')} of {index.created}"
