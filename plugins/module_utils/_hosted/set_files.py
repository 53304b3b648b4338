# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories that only their owner may read, whatever the umask; nothing is ever followed or overwritten."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from typing import Final

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WORDS: Final = {
    errno.ENOSPC: ("the file system is full", "make room, or choose another dest"),
    errno.EDQUOT: ("the quota of this user is used up", "make room, or choose another dest"),
    errno.EROFS: ("the file system is mounted read-only", "mount it for writing, or choose another dest"),
    errno.EACCES: ("this user has no permission", "correct owner and mode"),
    errno.EPERM: ("this user has no permission", "correct owner and mode"),
    errno.EIO: ("the disk has failed to read or write", "look at the kernel's log; do not use this disk for backups"),
    errno.ELOOP: ("it is a symbolic link, and none is followed", "remove the link"),
    errno.EEXIST: ("it exists already, and nothing is overwritten", "look at what it is"),
    errno.ENOENT: ("it does not exist", "correct the path"),
    errno.ENOTDIR: ("a part of its path is not a directory", "correct the path"),
    errno.ENAMETOOLONG: ("its name is too long for this file system", "choose a dest on another file system"),
    errno.ESTALE: ("the network file system has lost it", "mount it again"),
    errno.ENOLCK: ("this file system has no locks", "choose a dest on another file system, or mount it with locks"),
    errno.EOPNOTSUPP: ("this file system has no locks", "choose a dest on another file system, or mount it with locks"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n)"),
}


def file_system_error(error: OSError, what: str, path: str) -> LifecycleError:
    """Return the error of a file system in words: ``file_system_error(error, "cannot be written", path)``."""
    why, remedy = _WORDS.get(error.errno or 0, (error.strerror or str(error), "look at the file system"))
    return LifecycleError(f"{path} {what}", object=ObjectRef("File", path), why=why, next=remedy, details={"errno": error.errno})


def open_new(path: str, flags: int) -> int:
    """Create a file of mode 0600 and return its descriptor. OSError when there is anything of that name."""
    handle = os.open(path, flags | _NEW, 0o600)
    # The umask may have taken bits away.
    os.fchmod(handle, 0o600)
    return handle


def write_new(path: str, data: bytes) -> None:
    """Create a file with ``data``, mode 0600. Not yet safe from a power cut: see ``sync``."""
    handle = open_new(path, os.O_WRONLY)
    try:
        write_all(handle, data)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all of ``data``: one call may write a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def make_directory(path: str) -> None:
    """Create a directory of mode 0700. OSError when there is anything of that name."""
    os.mkdir(path, 0o700)
    os.chmod(path, 0o700)


def sync(path: str) -> None:
    """Wait until a file's content, or a directory's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Iterable[str], directory: str) -> None:
    """Wait until files and directories, all below ``directory``, are on the disk. OSError when one cannot be written.

    With one call for the file system where there is one (Linux, syncfs(2)): for thousands of files that takes a tenth of a second
    instead of many seconds. It tells of errors since Linux 5.8.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _sync_file_system(handle):
            return
    finally:
        os.close(handle)
    for path in paths:
        sync(path)


def _sync_file_system(handle: int) -> bool:
    """Return False where the C library does not have it."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    if syncfs(handle) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True
