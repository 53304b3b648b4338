# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands: real processes that end, hang, shout and lose their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import (
    GRACE_SECONDS,
    CommandFailed,
    CommandNotFound,
    CommandTimedOut,
    run,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

SECRET = "s3cret-value"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def ends_within(pid: int, seconds: float) -> bool:
    deadline = Deadline(seconds)
    while alive(pid):
        if not deadline.sleep(0.05):
            return False
    return True


def written(path: Path) -> int:
    """The number in a file that another process is about to write."""
    deadline = Deadline(10)
    while not (path.exists() and path.read_text().strip()):
        assert deadline.sleep(0.05), f"{path} was not written"
    return int(path.read_text())


def test_output_and_status() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; cat"], deadline=Deadline(10), stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\nin", "err\n")
    assert 0 < done.seconds < 5
    assert run(["sh", "-c", "exit 3"], deadline=Deadline(10), check=False).returncode == 3


def test_arguments_are_no_shell_text(tmp_path: Path) -> None:
    done = run(["printf", "%s|", "$HOME", "a b", "*", "; touch x"], deadline=Deadline(10), cwd=str(tmp_path))
    assert done.stdout == "$HOME|a b|*|; touch x|"
    assert list(tmp_path.iterdir()) == []


def test_the_environment_is_the_one_given() -> None:
    done = run(["env"], deadline=Deadline(10), env={"PATH": os.environ["PATH"], "ONLY": "this"})
    assert "ONLY=this" in done.stdout
    assert "HOME=" not in done.stdout


def test_large_input_and_output() -> None:
    data = os.urandom(3 * 1024 * 1024).hex().encode()
    assert run(["cat"], deadline=Deadline(20), stdin=data).stdout.encode() == data


def test_a_command_that_does_not_read_its_input() -> None:
    assert run(["true"], deadline=Deadline(10), stdin=b"x" * 1024 * 1024).returncode == 0


def test_lines_come_while_the_command_runs() -> None:
    lines: list[tuple[float, str]] = []
    run(
        ["sh", "-c", "echo one; sleep 1; echo two >&2; printf three"],
        deadline=Deadline(10),
        on_line=lambda text: lines.append((time.monotonic(), text)),
    )
    assert sorted(line[1] for line in lines) == ["one", "three", "two"]
    assert lines[-1][0] - lines[0][0] > 0.8


def test_a_failure_tells_why() -> None:
    with pytest.raises(CommandFailed) as failed:
        run(["sh", "-c", "echo it is broken >&2; exit 7"], deadline=Deadline(10))
    assert failed.value.returncode == 7
    assert str(failed.value) == "sh failed (status 7): it is broken"
    assert failed.value.details["stderr"] == "it is broken\n"
    with pytest.raises(CommandFailed, match="ended by SIGKILL"):
        run(["sh", "-c", "kill -9 $$"], deadline=Deadline(10))


def test_there_is_no_such_command(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound) as missing:
        run(["helm-that-is-not-there", "version"], deadline=Deadline(10))
    assert "PATH" in missing.value.why
    assert "install helm-that-is-not-there" in missing.value.next
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(CommandNotFound):
        run([str(plain)], deadline=Deadline(10))
    plain.chmod(0o700)
    with pytest.raises(CommandNotFound, match="cannot be run"):
        run([str(plain)], deadline=Deadline(10))


def test_secrets_do_not_appear() -> None:
    lines: list[str] = []
    script = f"echo token={SECRET} | tee /dev/stderr; exit 1"
    with pytest.raises(CommandFailed) as failed:
        run(["sh", "-c", script], deadline=Deadline(10), mask=[SECRET], on_line=lines.append)
    told = f"{failed.value!r} {failed.value} {failed.value.details} {failed.value.command} {failed.value.stderr} {lines}"
    assert SECRET not in told
    assert "token=********" in failed.value.stderr
    assert len(lines) == 2
    with pytest.raises(CommandTimedOut) as timed_out:
        run(["sh", "-c", f"echo {SECRET} >&2; sleep 30"], deadline=Deadline(0.5), mask=[SECRET])
    assert SECRET not in f"{timed_out.value} {timed_out.value.details}"


def test_a_command_that_hangs_is_asked_to_end() -> None:
    started = time.monotonic()
    with pytest.raises(CommandTimedOut) as timed_out:
        run(["sh", "-c", "trap 'echo bye >&2; exit 0' TERM; echo working >&2; while :; do sleep 0.1; done"], deadline=Deadline(0.5))
    assert 0.4 < time.monotonic() - started < GRACE_SECONDS
    assert "0.5 s were over" in timed_out.value.why
    assert "bye" in timed_out.value.stderr


def test_a_stubborn_command_and_its_children_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "child"
    started = time.monotonic()
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >{pids}; while :; do sleep 0.2; done' & while :; do sleep 0.2; done"
    with pytest.raises(CommandTimedOut):
        run(["sh", "-c", script], deadline=Deadline(1))
    assert time.monotonic() - started < 1 + GRACE_SECONDS + 3
    assert ends_within(written(pids), 2)


def test_a_child_that_keeps_the_output_open_does_not_block() -> None:
    started = time.monotonic()
    done = run(["sh", "-c", "echo done; sleep 60 &"], deadline=Deadline(30))
    assert done.stdout == "done\n"
    assert time.monotonic() - started < 10


def test_endless_output_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(CommandFailed, match="more than 100000 bytes"):
        run(["yes"], deadline=Deadline(30), most_output=100_000)
    assert time.monotonic() - started < 10


def test_a_failing_line_reader_changes_nothing() -> None:
    def broken(text: str) -> None:
        raise ValueError(text)

    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    done = run(["sh", "-c", script], deadline=Deadline(20), on_line=broken)
    assert done.returncode == 0
    assert done.stdout.endswith("line 19999\n")


@pytest.mark.parametrize("death_signal", ["SIGTERM", "SIGKILL"])
def test_the_command_dies_with_its_parent(tmp_path: Path, death_signal: str) -> None:
    pid, last = tmp_path / "pid", tmp_path / "last"
    parent = f"""
import signal
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.process import run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
run(["sh", "-c", "trap 'echo asked >{last}; exit 0' TERM; echo $$ >{pid}; while :; do sleep 0.1; done"],
    deadline=Deadline(60), death_signal=signal.{death_signal})
"""
    process = subprocess.Popen([sys.executable, "-c", parent])
    try:
        child = written(pid)
        assert alive(child)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert ends_within(child, 5)
    assert last.exists() is (death_signal == "SIGTERM")
