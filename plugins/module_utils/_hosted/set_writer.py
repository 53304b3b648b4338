# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing a backup set so that nothing half-finished looks whole: in a hidden directory, the index last, then one rename."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_destination import prepare_destination, size_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_files import (
    file_system_error,
    make_directory,
    sync,
    sync_all,
    write_new,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Entry, Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import Journal, remove_left
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import METHOD, Cipher, Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import (
    DIGEST,
    INDEX,
    MAC,
    SEALED,
    is_run_id,
    partial_name,
    path_fault,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import NewFile, sha256_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


class SetWriter:
    """One set in the making; a context manager that holds the run's lock.

    Left by an exception, or without ``finish``, it leaves everything as it is: a later run finds a dead run and cleans up after it.
    A caller that has cleaned up itself says so with ``discard``.
    """

    def __init__(self, dest: str, run_id: str, key: Key | None, *, hosted_cluster: str = "", needed: int = 0, files: int = 0) -> None:
        """``hosted_cluster`` is its NAMESPACE/NAME, for the journal; ``needed`` bytes must be free, and ``files`` inodes."""
        if not is_run_id(run_id):
            raise ValueError(f"{run_id} is no run id")
        self._dest, self._needed, self._number = os.path.abspath(dest), needed, files
        self._run_id, self._hosted_cluster = run_id, hosted_cluster
        self._cipher = Cipher(key, run_id) if key else None
        self._key_id = key.id if key else ""
        self._entries: list[Entry] = []
        self._directories: set[str] = set()
        self._journal: Journal | None = None
        self._index: Index | None = None
        self._leaves = False

    @property
    def path(self) -> str:
        """Where the set is when it is whole."""
        return os.path.join(self._dest, self._run_id)

    @property
    def finished(self) -> bool:
        """Whether the set has its name, as it has when ``finish`` fails after that."""
        return self._index is not None

    @property
    def index(self) -> Index:
        """The index as it was written. LifecycleError before ``finish``."""
        if self._index is None:
            raise LifecycleError(f"Backup set {self._run_id} has no index", why="it is not finished")
        return self._index

    def __enter__(self) -> Self:
        """Make dest (0700) when it is absent, the journal, and the directory that the set grows in. Refused when dest is not fit."""
        prepare_destination(self._dest, self._needed, self._number)
        self._journal = Journal(self._dest, self._run_id)
        try:
            self._journal.note(run_id=self._run_id, hosted_cluster=self._hosted_cluster, pid=os.getpid(), host=os.uname().nodename)
            self._guarded(self._partial, "cannot be created", make_directory, self._partial)
        except BaseException:
            self._journal.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the lock; the journal of a set that is whole goes, unless it was to stay."""
        if self._journal is None:
            return
        try:
            if self._index is not None and kind is None and not self._leaves:
                remove_left(self._dest, self._run_id)
        finally:
            self._journal.close()

    def note(self, **what: Any) -> None:
        """Note in the journal what is about to be made outside (bucket, key, pod, directory …), for the clean-up after a kill."""
        self._open().note(**what)

    def write(self, path: str, data: bytes, *, kind: str = "", evidence: bool = False) -> None:
        """Write one file; encrypted, and then ``.enc`` at the end of its name, when the set has a key."""
        fault = path_fault(path)
        if fault:
            raise LifecycleError(f"{path!r} cannot be the name of a file in a backup set", why=fault)
        self._open()
        name = path + SEALED if self._cipher else path
        stored = self._cipher.seal(name, data) if self._cipher else data
        self._store(name, stored)
        self._entries.append(Entry(name, sha256_of(stored), len(stored), kind, evidence))

    def write_files(self, files: Iterable[NewFile]) -> None:
        """Write files that were made before (``files_of``)."""
        for file in files:
            self.write(file.path, file.data, kind=file.kind, evidence=file.evidence)

    def finish(self, index: Index) -> str:
        """Write the index and give the set its name; returns its path. The index's files and encryption are filled in here."""
        encryption = {"method": METHOD, "key_id": self._key_id} if self._cipher else {"method": ""}
        whole = replace(index, run_id=self._run_id, objects=tuple(self._entries), encryption=encryption)
        content = whole.as_json()
        if os.path.lexists(self.path):
            raise LifecycleError(f"{self.path} exists already", why="an older set is never touched", next="run the backup again")
        # A killed controller must not leave an index of files that were only in memory: they are on the disk first.
        if self._cipher:
            self._store(MAC, f"{self._cipher.mac(content)}\n".encode())
        else:
            self._store(DIGEST, f"{sha256_of(content)}  {INDEX}\n".encode())
        self._sync_all()
        self._store(INDEX, content)
        for path in (os.path.join(self._partial, INDEX), self._partial):
            self._guarded(path, "cannot be written", sync, path)
        self._guarded(self.path, "cannot be given its name", os.rename, self._partial, self.path)
        self._index = whole
        try:
            sync(self._dest)
        except OSError as error:
            told = file_system_error(error, "cannot be written", self._dest)
            told.state = f"{self.path} has all of its files; should this machine fail now, its name may be lost"
            raise told from error
        return self.path

    def leave_journal(self) -> None:
        """Have the journal stay in any case: something that it names is left outside, and the next run tries to remove that."""
        self._leaves = True

    def discard(self) -> None:
        """Remove the unfinished set and its journal: what was noted is cleaned up. A finished set only loses its journal."""
        journal = self._open()
        remove_left(self._dest, self._run_id)
        self._journal = None
        journal.close()

    @property
    def _partial(self) -> str:
        return os.path.join(self._dest, partial_name(self._run_id))

    def _open(self) -> Journal:
        if self._journal is None:
            raise LifecycleError(f"Backup set {self._run_id} is not being written")
        return self._journal

    def _store(self, name: str, data: bytes) -> None:
        self._make_directories(os.path.dirname(name))
        path = os.path.join(self._partial, name)
        try:
            write_new(path, data)
        except OSError as error:
            told = file_system_error(error, f"cannot be written ({size_text(len(data))})", path)
            told.state = f"the set is not finished; {self._partial} is not a backup set"
            raise told from error

    def _make_directories(self, directory: str) -> None:
        if not directory or directory in self._directories:
            return
        self._make_directories(os.path.dirname(directory))
        path = os.path.join(self._partial, directory)
        self._guarded(path, "cannot be created", make_directory, path)
        self._directories.add(directory)

    def _sync_all(self) -> None:
        names = [*self._directories, *(entry.path for entry in self._entries), MAC if self._cipher else DIGEST]
        paths = [os.path.join(self._partial, name) for name in names]
        self._guarded(self._partial, "cannot be written", sync_all, paths, self._partial)

    @staticmethod
    def _guarded(path: str, what: str, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            raise file_system_error(error, what, path) from error
