# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory that backup sets are written to: what it must be, and how much room it must have."""

from __future__ import annotations

import os
import stat

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_files import file_system_error, make_directory
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

_ANOTHER = "choose another dest"


def destination_refusals(dest: str, needed: int, files: int = 0) -> list[Refusal]:
    """Return why no set of ``needed`` bytes in ``files`` files may be written below ``dest``. Creates nothing.

    A dest that does not exist is made by the run, its parent is not: it may be a mount that is missing.
    """
    path = os.path.abspath(dest)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return _parent_refusals(path, needed, files)
    except OSError as error:
        return [_unreadable(path, error)]
    refusals = _kind_refusals(path, status)
    return refusals or [*_access_refusals(path, status), *_room_refusals(path, path, needed, files)]


def prepare_destination(dest: str, needed: int = 0, files: int = 0) -> str:
    """Return the absolute path of ``dest``, created with mode 0700 when it was absent. Refused as ``destination_refusals`` says."""
    path = os.path.abspath(dest)
    found = destination_refusals(path, needed, files)
    if not found and not os.path.lexists(path):
        try:
            make_directory(path)
        except FileExistsError:
            # Another run was faster; what it made is looked at like anything else.
            found = destination_refusals(path, needed, files)
        except OSError as error:
            raise file_system_error(error, "cannot be created", path) from error
    if found:
        raise refused(f"Writing a backup set to {path}", found)
    return path


def _parent_refusals(path: str, needed: int, files: int) -> list[Refusal]:
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        return [
            _refusal(
                "dest-parent-missing", path, "the directory that dest would be in does not exist", parent, f"mkdir -p {parent}, or mount it"
            )
        ]
    found = _room_refusals(path, parent, needed, files)
    # Of a file system that is mounted read-only the rights are not what is wrong.
    if not os.access(parent, os.W_OK | os.X_OK) and not any(refusal.code == "dest-not-writable" for refusal in found):
        return [
            _refusal(
                "dest-not-writable", path, "this user may not create it", f"{parent} is not writable", f"correct the rights of {parent}"
            )
        ]
    return found


def _kind_refusals(path: str, status: os.stat_result) -> list[Refusal]:
    if stat.S_ISLNK(status.st_mode):
        return [
            _refusal(
                "dest-is-link",
                path,
                "it is a symbolic link, which somebody may lead elsewhere",
                "a symbolic link",
                "give the directory itself",
            )
        ]
    if not stat.S_ISDIR(status.st_mode):
        return [_refusal("dest-not-directory", path, "it is not a directory", "a file", _ANOTHER)]
    return []


def _access_refusals(path: str, status: os.stat_result) -> list[Refusal]:
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        owner = f"owner uid {status.st_uid}, this user is uid {os.geteuid()}"
        return [_refusal("dest-not-ours", path, "it belongs to somebody else, who could read and change the sets", owner, _ANOTHER)]
    if mode & 0o077:
        why = "others may go into it, and the sets hold Secrets"
        return [_refusal("dest-open", path, why, f"mode {mode:04o}", f"chmod 700 {path}")]
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return [
            _refusal(
                "dest-not-writable",
                path,
                "this user may not write there",
                f"mode {mode:04o}",
                f"chmod 700 {path}; is it mounted read-only?",
            )
        ]
    return []


def _room_refusals(path: str, existing: str, needed: int, files: int) -> list[Refusal]:
    try:
        system = os.statvfs(existing)
    except OSError as error:
        return [_unreadable(path, error)]
    free, inodes = system.f_bavail * system.f_frsize, system.f_favail
    if system.f_flag & os.ST_RDONLY:
        return [
            _refusal("dest-not-writable", path, "its file system is mounted read-only", "read-only", f"mount it for writing, or {_ANOTHER}")
        ]
    if free < needed:
        why = f"the set needs {size_text(needed)}"
        return [
            _refusal("dest-full", path, why, f"{size_text(free)} are free", f"make room for {size_text(needed - free)} more, or {_ANOTHER}")
        ]
    # File systems without a table of inodes say 0 of 0.
    if system.f_files and inodes < files:
        why = f"the set has {files} files"
        return [_refusal("dest-full", path, why, f"{inodes} inodes are free", f"remove files there, or {_ANOTHER}")]
    return []


def size_text(size: int) -> str:
    """Return bytes as people read them: ``1.5 MiB``."""
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def _unreadable(path: str, error: OSError) -> Refusal:
    told = file_system_error(error, "cannot be read", path)
    return _refusal("dest-unreadable", path, told.why, "unknown", told.next)


def _refusal(code: str, path: str, why: str, state: str, next: str) -> Refusal:
    return Refusal(code, ObjectRef("Directory", path), f"backup sets cannot be written to {path}", why, state, next)
