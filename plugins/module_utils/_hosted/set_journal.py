# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has made outside its set, so that a later run can clean up after one that was killed.

The journal is ``DEST/.RUNID.journal``, beside the directory that the set grows in: it is there before that directory and goes after the
set has its final name, so no kill leaves a directory that nobody knows. The run that lives holds a lock on it (flock); the kernel takes
the lock from a killed one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_files import file_system_error, open_new, sync, write_all
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import (
    INDEX,
    is_run_id,
    is_run_of,
    journal_name,
    partial_name,
    run_id_of,
)


@dataclass(frozen=True)
class DeadRun:
    """A run that ended without ending its set. ``noted`` is what it noted; where notes have the same name, the last one.

    ``finished``: it was killed after its set was whole; what belongs to the set (its snapshot in S3) must stay.
    """

    dest: str
    run_id: str
    noted: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False

    def is_of(self, target: Target) -> bool:
        """Return whether it was a backup of this hosted cluster. One that noted nothing yet is told by its name."""
        told = self.noted.get("hosted_cluster")
        return told == target.annotated if told else is_run_of(self.run_id, target.name)


class Journal:
    """The journal of a run that lives."""

    def __init__(self, dest: str, run_id: str) -> None:
        """Create and lock it. LifecycleError when the file system does not let."""
        self._path = os.path.join(dest, journal_name(run_id))
        self._handle = -1
        try:
            self._handle = self._created()
            sync(dest)
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError):
                raise
            raise file_system_error(error, "cannot be created", self._path) from error

    def _created(self) -> int:
        while True:
            handle = open_new(self._path, os.O_RDWR | os.O_APPEND)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                os.close(handle)
                raise
            if os.fstat(handle).st_nlink:
                return handle
            # Another run took it for a dead one's between the two calls, and removed it.
            os.close(handle)

    def note(self, **what: Any) -> None:
        """Add JSON values under names; they are on the disk when this returns. No secrets: it is a file for later runs and people."""
        try:
            write_all(self._handle, (json.dumps(what) + "\n").encode())
            os.fsync(self._handle)
        except OSError as error:
            raise file_system_error(error, "cannot be written", self._path) from error

    def close(self) -> None:
        """Give up the lock; a journal that is still there is then that of a dead run."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def dead_runs(dest: str) -> list[DeadRun]:
    """Return the runs into ``dest`` that were killed, oldest name first; none when there is no such directory. Changes nothing."""
    path = os.path.abspath(dest)
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise file_system_error(error, "cannot be read", path) from error
    found = {run_id_of(name, ending) for name in names for ending in (".journal", ".partial")}
    return [dead for run_id in sorted(found - {""}) for dead in _dead(path, run_id)]


def remove_dead(run: DeadRun) -> bool:
    """Remove what a dead run left in ``dest``, after what it noted was cleaned up: its partial directory and its journal, nothing else.

    Returns False, and removes nothing, when the run is alive after all. A set that was finished stays.
    """
    if not is_run_id(run.run_id):
        raise ValueError(f"{run.run_id} is no run id")
    handle = _locked(os.path.join(run.dest, journal_name(run.run_id)))
    if handle is None:
        return False
    try:
        remove_left(run.dest, run.run_id)
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def remove_left(dest: str, run_id: str) -> None:
    """Remove the partial directory and the journal of a run whose lock the caller holds."""
    partial, journal = os.path.join(dest, partial_name(run_id)), os.path.join(dest, journal_name(run_id))
    try:
        if os.path.isdir(partial) and not os.path.islink(partial):
            shutil.rmtree(partial)
        # The journal last: a clean-up that is killed is gone on with.
        if os.path.lexists(journal):
            os.unlink(journal)
    except OSError as error:
        raise file_system_error(error, "cannot be removed", str(error.filename or partial)) from error


def _dead(dest: str, run_id: str) -> list[DeadRun]:
    handle = _locked(os.path.join(dest, journal_name(run_id)))
    if handle is None:
        return []
    noted: dict[str, Any] = {}
    if handle >= 0:
        with open(handle, "rb") as stream:
            noted = _noted(stream.read())
    elif not os.path.lexists(os.path.join(dest, partial_name(run_id))):
        # It ended between the two looks.
        return []
    return [DeadRun(dest, run_id, noted, os.path.lexists(os.path.join(dest, run_id, INDEX)))]


def _locked(path: str) -> int | None:
    """Return a descriptor that holds the lock, -1 when there is no journal, None when a run that lives has it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise file_system_error(error, "cannot be read", path) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError as error:
        os.close(handle)
        raise file_system_error(error, "cannot be locked", path) from error
    return handle


def _noted(content: bytes) -> dict[str, Any]:
    noted: dict[str, Any] = {}
    for line in content.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            # The line that the run was killed in: what it would have told had not begun.
            continue
        if isinstance(told, dict):
            noted.update(told)
    return noted
