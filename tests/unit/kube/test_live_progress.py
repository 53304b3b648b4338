# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress: what a module appends is shown by the controller, rarely, safely, and without any effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.plugin_utils._live_progress import Tail, text_of

from .conftest import Reply, ScriptedServer


def record(text: str) -> bytes:
    return json.dumps({"time": 0, "text": text}).encode()


def test_texts_are_safe_for_a_terminal() -> None:
    assert text_of(record("step 1 of 2")) == "step 1 of 2"
    assert text_of(record("\x1b[31mred\x1b[0m\r\nfake: ok=1\x07\u2028x\u202ey")) == "[31mred [0m fake: ok=1 x y"
    assert len(text_of(record("x" * 10_000))) == 200
    for line in (b"", b"{", b"[]", b"{}", b'"text"', b"\xff", b"null"):
        assert text_of(line) == ""


def test_the_newest_line_wins_and_the_last_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.touch(mode=0o600)
    shown: list[tuple[float, str]] = []
    tail = Tail(str(path), lambda text: shown.append((time.monotonic(), text)))
    progress = Progress(str(tmp_path))
    for number in range(30):
        progress.line(f"step {number}")
        time.sleep(0.05)
    progress.line("the end")
    tail.stop()
    assert shown[-1][1] == "the end"
    # 1.5 s of steps, one line per second, and the last one.
    assert 2 <= len(shown) <= 4
    assert all(later[0] - earlier[0] >= 0.95 for earlier, later in pairwise(shown[:-1]))


def test_a_reader_that_fails_stops_quietly(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_bytes(record("a") + b"\n" + b"x" * 300_000)

    def broken(text: str) -> None:
        raise OSError(text)

    tail = Tail(str(path), broken)
    tail.stop()


def test_nothing_is_written_when_nobody_reads(tmp_path: Path) -> None:
    Progress(str(tmp_path)).line("lost")
    assert list(tmp_path.iterdir()) == []


PLAYBOOK = """
- hosts: east
  gather_facts: false
  tasks:
    - PROBE_MODULE:
        host: SERVER
        api_key: the-api-key
      register: probed
    - ansible.builtin.debug:
        msg: "leftover={{ probed.directory is exists }} mode={{ probed.mode }}"
"""
PROBE = """
import os, time
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import lifecycle_spec, run


def main(module):
    path = os.path.join(module.tmpdir, "progress.jsonl")
    mode = oct(os.stat(path).st_mode & 0o777) if os.path.exists(path) else "none"
    module.progress.line("begun \\x1b[2J")
    time.sleep(1.6)
    module.progress.line("half done")
    time.sleep(1.2)
    module.progress.line("done")
    return {"changed": False, "directory": module.tmpdir, "mode": mode, "uid": module.connection.uid}


run(main, lifecycle_spec(), explicit=True)
"""


@pytest.fixture
def project(tmp_path: Path, server: ScriptedServer) -> Path:
    """A playbook with a module and an action plugin like ours beside it."""
    server.answer = lambda request: Reply(body={"metadata": {"name": "kube-system", "uid": "uid-1"}})
    action = Path(__file__).parents[3] / "plugins" / "action" / "mesh_info.py"
    for directory, content in (("library", PROBE), ("action_plugins", action.read_text())):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "mesh_probe.py").write_text(content)
    playbook = PLAYBOOK.replace("SERVER", server.url).replace("PROBE_MODULE", "mesh_probe")
    (tmp_path / "play.yml").write_text(playbook)
    (tmp_path / "hosts").write_text(f"east ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    return tmp_path


def play(project: Path, **environment: str) -> str:
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", "hosts", "play.yml"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("K8S_AUTH_")}
    settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(project / "local"), "ANSIBLE_REMOTE_TEMP": str(project / "remote")}
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, env={**clean, **settings, **environment}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_a_playbook_shows_progress_while_the_module_runs(project: Path, pipelining: str) -> None:
    output = play(project, ANSIBLE_PIPELINING=pipelining)
    lines = [line for line in output.splitlines() if line.startswith("[east] ")]
    assert lines == ["[east] begun [2J", "[east] half done", "[east] done"]
    assert output.index("[east] done") < output.index("ok: [east]")
    assert "leftover=False mode=0o600" in output
    assert "the-api-key" not in output


def test_async_runs_without_progress(project: Path) -> None:
    play_file = project / "play.yml"
    play_file.write_text(
        play_file.read_text().replace("      register: probed\n", "      register: probed\n      async: 60\n      poll: 1\n")
    )
    output = play(project, ANSIBLE_ASYNC_DIR=str(project / "async"))
    assert "[east] half done" not in output
    assert "mode=none" in output


def test_a_module_that_crashes_does_not_show_its_options(project: Path) -> None:
    module = project / "library" / "mesh_probe.py"
    module.write_text(module.read_text().replace('module.progress.line("half done")', 'raise RuntimeError("broken")'))
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-vvv", "-i", "hosts", "play.yml"]
    environment = {**os.environ, "ANSIBLE_REMOTE_TEMP": str(project / "remote")}
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode != 0
    assert "broken" in done.stdout
    assert "the-api-key" not in done.stdout
