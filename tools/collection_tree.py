# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy a checkout to ``ansible_collections/meshops/lifecycle`` in the cache, where its full name resolves.

ansible-test refuses a checkout that lies elsewhere, and a symbolic link to it as well (it resolves the link first).
Only files that changed are copied, each replaced in one step, so that a run in progress never reads half a file.

usage: collection_tree.py CHECKOUT        prints the path of the copy
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


def cache_directory() -> Path:
    """The directory of everything that is made outside the checkout; the same rule as in tools/python."""
    named = os.environ.get("MESHOPS_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshops-lifecycle"


def files_of(checkout: Path) -> list[str]:
    """Relative paths of the tracked files and of the new ones that are not ignored, as far as they exist."""
    listed = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in sorted(set(listed.split("\0"))) if name and os.path.lexists(checkout / name)]


def same(source: Path, copy: Path) -> bool:
    """Whether ``copy`` was made from this state of ``source``: size, permissions and modification time are kept when copying."""
    try:
        there = copy.lstat()
    except OSError:
        return False
    here = source.lstat()
    return (here.st_mtime_ns, here.st_size, here.st_mode) == (there.st_mtime_ns, there.st_size, there.st_mode)


def copy_file(source: Path, copy: Path) -> None:
    """Put ``source`` (a file or a symbolic link) at ``copy`` in one step."""
    if copy.is_dir() and not copy.is_symlink():
        shutil.rmtree(copy)
    for parent in copy.parents:
        if parent.is_dir() and not parent.is_symlink():
            break
        parent.unlink(missing_ok=True)
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = copy.with_name(f".{copy.name}.partial")
    partial.unlink(missing_ok=True)
    shutil.copy2(source, partial, follow_symlinks=False)
    os.replace(partial, copy)


def remove_file(root: Path, name: str) -> None:
    """Remove ``root/name`` and the directories that it leaves with nothing but byte code."""
    path = root / name
    if path.is_symlink() or path.is_file():
        path.unlink()
    for parent in path.parents:
        if parent == root or not parent.is_dir():
            break
        if [entry.name for entry in parent.iterdir() if entry.name != "__pycache__"]:
            break
        shutil.rmtree(parent)


def synchronise(checkout: Path, collection: Path, manifest: Path) -> None:
    """Make ``collection`` hold exactly the files of ``checkout``; ``manifest`` names those that an earlier call put there."""
    names = files_of(checkout)
    before = manifest.read_text(encoding="utf-8").split("\0") if manifest.exists() else []
    for name in set(before) - set(names) - {""}:
        remove_file(collection, name)
    # Written before the copies are made: what an interrupted call leaves behind is still known to the next one.
    if before != names:
        manifest.write_text("\0".join(sorted(set(before) | set(names))), encoding="utf-8")
    for name in names:
        if not same(checkout / name, collection / name):
            copy_file(checkout / name, collection / name)
    if before != names:
        manifest.write_text("\0".join(names), encoding="utf-8")


def link(target: Path, name: Path) -> None:
    """Make ``name`` a symbolic link to ``target``."""
    if name.is_symlink() and Path(os.readlink(name)) == target:
        return
    name.parent.mkdir(parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def main() -> None:
    checkout = Path(sys.argv[1])
    key = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    # One tree per environment (see tools/python): kubernetes.core differs between them.
    pins = os.environ.get("MESHOPS_REQUIREMENTS")
    root = cache_directory() / f"tree-{key}-{sys.version_info.major}.{sys.version_info.minor}{f'-{pins}' if pins else ''}"
    collections = root / "ansible_collections"
    collection = collections / "meshops" / "lifecycle"
    collection.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        synchronise(checkout, collection, root / "manifest")
        link(Path(sysconfig.get_path("purelib")) / "ansible_collections" / "kubernetes" / "core", collections / "kubernetes" / "core")
        if not (collection / ".git").exists():
            # ansible-test and ansible-lint ask git which files there are and which are ignored.
            subprocess.run(["git", "init", "--quiet", str(collection)], check=True)
    print(collection)


if __name__ == "__main__":
    main()
