# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where no backup set is written, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_destination import destination_refusals, prepare_destination
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Run under another umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path | str) -> int:
    """Return the permission bits."""
    return os.stat(path).st_mode & 0o7777


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_it_is_made_for_its_owner_alone(tmp_path: Path, mask: int) -> None:
    dest = tmp_path / "sets"
    with umask(mask):
        assert destination_refusals(str(dest), 1) == []
        assert not dest.exists()
        assert prepare_destination(str(dest), 1) == str(dest)
    assert mode(dest) == 0o700
    assert prepare_destination(f"{dest}/") == str(dest)


def code(dest: Path, needed: int = 0, files: int = 0) -> str:
    """Return the one code that dest is refused with, which is also what preparing it says."""
    (found,) = destination_refusals(str(dest), needed, files)
    with pytest.raises(Refused) as told:
        prepare_destination(str(dest), needed, files)
    assert [item["code"] for item in told.value.details["refusals"]] == [found.code]
    assert all((found.what, found.why, found.state, found.next))
    return found.code


def test_what_is_not_a_directory_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    (tmp_path / "sets").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "sets")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert code(tmp_path / "file") == "dest-not-directory"
    assert code(tmp_path / "link") == "dest-is-link"
    assert code(tmp_path / "loop") == "dest-is-link"
    assert code(tmp_path / "no" / "such") == "dest-parent-missing"
    assert code(tmp_path / "file" / "sets") == "dest-unreadable"
    with patch.object(os, "geteuid", return_value=os.geteuid() + 1):
        assert code(tmp_path / "sets") == "dest-not-ours"
    with patch.object(os, "access", return_value=False):
        assert code(tmp_path / "sets") == "dest-not-writable"
        assert code(tmp_path / "new") == "dest-not-writable"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("bits", [0o750, 0o701, 0o720, 0o777])
def test_one_that_others_may_enter_is_refused(tmp_path: Path, bits: int) -> None:
    dest = tmp_path / "sets"
    dest.mkdir()
    dest.chmod(bits)
    assert code(dest) == "dest-open"
    assert mode(dest) == bits


def test_a_full_disk_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    dest = tmp_path / "sets"
    free = os.statvfs(tmp_path)
    needed = free.f_bavail * free.f_frsize + 2**60
    (found,) = destination_refusals(str(dest), needed)
    assert found.code == "dest-full"
    assert "TiB" in found.why
    assert "are free" in found.state
    assert "make room for" in found.next
    assert code(dest, needed) == "dest-full"
    if free.f_files:
        assert code(dest, 0, free.f_files + 1) == "dest-full"
    assert not dest.exists()
