# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed at any moment leaves nothing that looks whole, touches no older set, and is found and cleaned up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import dead_runs, remove_dead
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_key import Key
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_names import new_run_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import files_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_store import DirectorySet
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_verify import verify_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import (
    ITEMS,
    KEY,
    NOW,
    content,
    index_of,
    sets_in,
    whole_snapshot,
    write_set,
)

WRITES = ("mkdir", "open", "write", "fsync", "rename", "unlink")


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_after(number: int, *, half: bool) -> Iterator[Callable[[], bool]]:
    """Let ``number`` calls that change the disk happen; no later one does. ``half``: a write is cut in the middle."""
    done = 0

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            if done >= number:
                if half and name == "write" and done == number:
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                done = number + 1
                raise Killed
            done += 1
            return real(*arguments, **options)

        return call

    with ExitStack() as stack:
        for name in WRITES:
            stack.enter_context(patch.object(os, name, counting(name, getattr(os, name))))
        yield lambda: done > number


def run(dest: Path, run_id: str, key: Key | None) -> None:
    """Do as a backup does."""
    with SetWriter(str(dest), run_id, key, hosted_cluster="clusters/prod") as writer:
        writer.note(bucket="b", key="k")
        writer.write_files(files_of(ITEMS))
        writer.finish(index_of(run_id))
        writer.note(upload="hosted/")


def whole(path: Path, key: Key | None) -> bool:
    """Return whether a set verifies."""
    return verify_set(DirectorySet(str(path)), key, whole_snapshot).ok


@pytest.mark.parametrize("half", [False, True], ids=["between", "within"])
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_nothing_half_finished_looks_whole(tmp_path: Path, key: Key | None, half: bool) -> None:
    ends: list[str] = []
    dest = tmp_path / "sets"
    older = write_set(dest, key)
    before = content(older)
    for number in range(1000):
        run_id = new_run_id("prod", NOW)
        with killed_after(number, half=half) as was_killed:
            try:
                run(dest, run_id, key)
            except Killed:
                pass
        partial, final = dest / f".{run_id}.partial", dest / run_id
        assert not whole(partial, key)
        assert sets_in(dest) == {older.name, *([run_id] if final.exists() else [])}
        assert not final.exists() or whole(final, key)
        dead = dead_runs(str(dest))
        assert len(dead) == (dest / f".{run_id}.journal").exists()
        assert [one.finished for one in dead] == [final.exists()] * len(dead)
        assert all(one.noted.get("bucket") == "b" for one in dead if (partial / "objects").exists() or final.exists())
        assert all(remove_dead(one) for one in dead)
        assert set(os.listdir(dest)) == {older.name, *([run_id] if final.exists() else [])}
        assert content(older) == before
        ends.append("whole" if final.exists() else "nothing" if not dead else "dead")
        if not was_killed():
            break
        if final.exists():
            shutil.rmtree(final)
    # Each way to end was seen, in this order, and the last run was not killed.
    assert [*dict.fromkeys(ends)] == ["nothing", "dead", "whole"]
    assert len(ends) > 30


LIVING = """
import sys
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_writer import SetWriter
with SetWriter(sys.argv[1], sys.argv[2], None, hosted_cluster="clusters/prod") as writer:
    writer.note(pod="etcd-1")
    writer.write("objects/a.json", b"a: 1")
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_lives_is_told_from_one_that_was_killed(tmp_path: Path) -> None:
    run_id, dest = new_run_id("prod", NOW), tmp_path / "sets"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", LIVING, str(dest), run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        assert dead_runs(str(dest)) == []
        another = write_set(dest, None)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    (dead,) = dead_runs(str(dest))
    assert (dead.run_id, dead.noted["pod"], dead.noted["hosted_cluster"], dead.finished) == (run_id, "etcd-1", "clusters/prod", False)
    assert remove_dead(dead)
    assert os.listdir(dest) == [another.name]
