# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deadline that one call shares, and the live progress that never disturbs it."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress


def lines_of(directory: Path) -> list[str]:
    """Return the texts that were written."""
    return [json.loads(line)["text"] for line in (directory / "progress.jsonl").read_text().splitlines()]


def test_a_deadline_passes() -> None:
    deadline = Deadline(0.05)
    assert 0 < deadline.remaining() <= 0.05
    assert not deadline.sleep(10)
    assert deadline.expired
    assert deadline.remaining() == 0.0


def test_a_short_sleep_leaves_time() -> None:
    started = time.monotonic()
    assert Deadline(10).sleep(0.01)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_in_the_past_is_over(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.expired
    assert not deadline.sleep(1)


def test_progress_needs_a_reader(tmp_path: Path) -> None:
    Progress(str(tmp_path)).line("nobody reads")
    Progress().line("nobody reads")
    assert list(tmp_path.iterdir()) == []


def test_each_line_is_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "progress.jsonl").touch()
    progress = Progress(str(tmp_path))
    before = time.time()
    progress.line('two\nlines and a "quote" and \udcff')
    progress.line("second")
    assert lines_of(tmp_path) == ['two\nlines and a "quote" and \udcff', "second"]
    first = json.loads((tmp_path / "progress.jsonl").read_text().splitlines()[0])
    assert before <= first["time"] <= time.time()


def test_who_waits_is_not_told_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now: list[float] = []
    monkeypatch.setattr(time, "monotonic", now.pop)
    (tmp_path / "progress.jsonl").touch()
    progress = Progress(str(tmp_path))
    for seconds, text in ((0, "waiting"), (1, "waiting"), (9, "waiting"), (11, "waiting"), (12, "done"), (12, "waiting")):
        now.append(100.0 + seconds)
        progress.line(text)
    assert lines_of(tmp_path) == ["waiting", "waiting", "done", "waiting"]


def test_lines_of_several_threads_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "progress.jsonl").touch()
    progress = Progress(str(tmp_path))

    def write(name: int) -> None:
        for number in range(50):
            progress.line(f"{name} {number} {'x' * 500}")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lines_of(tmp_path)) == sorted(f"{name} {number} {'x' * 500}" for name in range(4) for number in range(50))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "victim"
    target.touch()
    (tmp_path / "progress.jsonl").symlink_to(target)
    Progress(str(tmp_path)).line("text")
    assert target.read_text() == ""


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    file.touch()
    progress = Progress(str(tmp_path))
    progress.line("first")
    file.unlink()
    progress.line("second")
    progress.line("third")
    assert not file.exists()


def test_a_full_disk_is_no_failure() -> None:
    class Full(Progress):
        def __init__(self) -> None:
            super().__init__("unused")
            self._path = "/dev/full"

    assert os.path.exists("/dev/full")
    Full().line("does not fit")
