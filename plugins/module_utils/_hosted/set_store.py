# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a finished backup set is read from: a directory, or a bucket."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_files import file_system_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class Exposed(NamedTuple):
    """A file or directory that others than its owner may read or change."""

    path: str
    mode: int


class SetStore(Protocol):
    """Read access to one set. ``where`` is how people call the place: a path, or ``s3://BUCKET/PREFIX/RUNID``."""

    @property
    def where(self) -> str:
        """The place, without a slash at its end."""

    def names(self) -> Sequence[str]:
        """Return the paths of all files in it, sorted, whatever they are. LifecycleError when it cannot be read at all."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes as they are stored. LifecycleError when it is not there or cannot be read."""

    def exposed(self) -> Sequence[Exposed]:
        """Return what others may read or change; a bucket's rights are looked at elsewhere."""


class DirectorySet:
    """A set in a directory."""

    def __init__(self, path: str) -> None:
        """``path`` is the set's own directory, ``DEST/RUNID``."""
        self.where = os.path.abspath(path)

    def names(self) -> Sequence[str]:
        """Return the paths of all files below the directory; a symbolic link is one, wherever it leads."""
        found: list[str] = []
        for directory, directories, names in os.walk(self.where, onerror=_raise):
            links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
            found += [os.path.relpath(os.path.join(directory, name), self.where) for name in (*names, *links)]
        return sorted(found)

    def read(self, name: str) -> bytes:
        """Return a file's bytes; a symbolic link, a device or a pipe is not read."""
        path = os.path.join(self.where, name)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise LifecycleError(f"{path} cannot be read", object=ObjectRef("File", path), why="it is not a regular file")
                with open(handle, "rb", closefd=False) as stream:
                    return stream.read()
            finally:
                os.close(handle)
        except OSError as error:
            raise file_system_error(error, "cannot be read", path) from error

    def exposed(self) -> Sequence[Exposed]:
        """Return the directory, its directories and files whose mode lets others in."""
        found = [Exposed("", _mode(self.where))]
        for directory, directories, names in os.walk(self.where):
            paths = [os.path.join(directory, name) for name in (*directories, *names)]
            # The mode of a symbolic link means nothing.
            found += [Exposed(os.path.relpath(path, self.where), _mode(path)) for path in paths if not os.path.islink(path)]
        return [item for item in found if item.mode & 0o077]


class BucketSet:
    """A set in a bucket, read by functions that are given: of all keys below ``prefix``, and of one object."""

    def __init__(self, bucket: str, prefix: str, keys: Callable[[str], Iterable[str]], read: Callable[[str], bytes]) -> None:
        """``prefix`` is ``[PREFIX/]RUNID``; ``keys`` gets it with a slash at its end and ``read`` a whole key."""
        self._prefix = prefix.strip("/") + "/"
        self._keys = keys
        self._read = read
        self.where = f"s3://{bucket}/{self._prefix}".rstrip("/")

    def names(self) -> Sequence[str]:
        """Return the keys without the prefix."""
        return sorted(key.removeprefix(self._prefix) for key in self._keys(self._prefix))

    def read(self, name: str) -> bytes:
        """Return an object's bytes."""
        return self._read(self._prefix + name)

    def exposed(self) -> Sequence[Exposed]:
        """Nothing: who may read a bucket is not said by its objects."""
        return ()


def _raise(error: OSError) -> None:
    raise file_system_error(error, "cannot be read", str(error.filename)) from error


def _mode(path: str) -> int:
    try:
        return stat.S_IMODE(os.lstat(path).st_mode)
    except OSError as error:
        raise file_system_error(error, "cannot be read", path) from error
