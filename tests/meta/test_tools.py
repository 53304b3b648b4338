# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The development tools do what everybody relies on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documented import ROOT

TOOLS = ROOT / "tools"


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )


def write(path: Path, text: str, *, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


class TestPython:
    def test_refuses_an_old_interpreter(self, tmp_path: Path) -> None:
        old = write(tmp_path / "python3", "#!/bin/sh\necho 3.9\n", mode=0o755)
        done = run(TOOLS / "python", "-V", PYTHON=str(old), MESHOPS_CACHE=str(tmp_path / "cache"))
        assert done.returncode == 1
        assert "is Python 3.9, 3.11 or newer is needed" in done.stderr

    def test_names_a_missing_interpreter(self, tmp_path: Path) -> None:
        done = run(TOOLS / "python", "-V", PYTHON=str(tmp_path / "absent"))
        assert done.returncode == 1
        assert "absent not found: install Python 3.11 or newer" in done.stderr


class TestCollectionTree:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        top = tmp_path / "checkout"
        subprocess.run(["git", "init", "--quiet", str(top)], check=True)
        write(top / ".gitignore", "*.log\n")
        return top

    def copy(self, checkout: Path) -> Path:
        done = run(sys.executable, TOOLS / "collection_tree.py", checkout, MESHOPS_CACHE=str(checkout.parent / "cache"))
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    def test_holds_new_and_changed_files_but_not_ignored_ones(self, checkout: Path) -> None:
        write(checkout / "plugins" / "a.py", "1\n")
        write(checkout / "run", "#!/bin/sh\n", mode=0o755)
        write(checkout / "noise.log", "x")
        collection = self.copy(checkout)
        assert collection.parts[-3:] == ("ansible_collections", "meshops", "lifecycle")
        assert os.access(collection / "run", os.X_OK)
        assert not (collection / "noise.log").exists()
        write(checkout / "plugins" / "a.py", "2\n")
        assert self.copy(checkout) == collection
        assert (collection / "plugins" / "a.py").read_text(encoding="utf-8") == "2\n"

    def test_loses_files_that_vanished_and_keeps_what_tests_wrote(self, checkout: Path) -> None:
        write(checkout / "plugins" / "old" / "b.py", "")
        collection = self.copy(checkout)
        write(collection / "plugins" / "old" / "__pycache__" / "b.pyc", "")
        write(collection / "tests" / "output" / "report", "")
        (checkout / "plugins" / "old" / "b.py").unlink()
        self.copy(checkout)
        assert not (collection / "plugins").exists()
        assert (collection / "tests" / "output" / "report").exists()

    def test_a_file_may_become_a_directory_and_back(self, checkout: Path) -> None:
        write(checkout / "x", "file")
        collection = self.copy(checkout)
        (checkout / "x").unlink()
        write(checkout / "x" / "y", "inside")
        self.copy(checkout)
        assert (collection / "x" / "y").read_text(encoding="utf-8") == "inside"
        (checkout / "x" / "y").unlink()
        (checkout / "x").rmdir()
        write(checkout / "x", "file again")
        self.copy(checkout)
        assert (collection / "x").read_text(encoding="utf-8") == "file again"

    def test_kubernetes_core_is_beside_it(self, checkout: Path) -> None:
        assert (self.copy(checkout).parents[1] / "kubernetes" / "core" / "MANIFEST.json").is_file()


class TestStage:
    @pytest.mark.parametrize(("command", "status"), [("true", 0), ("exit 5", 5)])
    def test_hands_on_the_status_and_records_it(self, tmp_path: Path, command: str, status: int) -> None:
        stages = tmp_path / "stages"
        done = run(TOOLS / "stage", "name", "60", "sh", "-c", command, MESHOPS_STAGES=str(stages))
        assert done.returncode == status
        assert stages.read_text(encoding="utf-8").split("\t")[0] == ("FAILED" if status else "ok")

    def test_ends_a_command_that_hangs(self) -> None:
        done = run(TOOLS / "stage", "name", "1", "sleep", "60", MESHOPS_STAGES="")
        assert done.returncode == 124
        assert "ended after three times its budget" in done.stdout

    def test_gives_a_private_directory_and_removes_it(self) -> None:
        done = run(TOOLS / "stage", "name", "60", "sh", "-c", 'touch "$TMPDIR/file" && echo "directory $TMPDIR"', MESHOPS_STAGES="")
        directory = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("directory "))
        assert Path(directory).name.startswith("meshops.")
        assert not Path(directory).exists()


class TestCheckText:
    def check(self, what: str, top: Path, name: str, text: str) -> tuple[int, str]:
        """Status and output of the check in a repository that holds just this file."""
        subprocess.run(["git", "init", "--quiet", str(top)], check=True)
        write(top / name, text)
        done = run(sys.executable, TOOLS / "check_text.py", what, cwd=top)
        return done.returncode, done.stdout

    # Escaped, so that this file passes the check itself.
    @pytest.mark.parametrize("text", ["cd /\x72oot/x", "see https://py\x70i.org/p", "# TO\x44O: later"])
    def test_finds_what_does_not_belong(self, tmp_path: Path, text: str) -> None:
        status, output = self.check("places", tmp_path, "notes.md", f"first\n{text}\n")
        assert status == 1
        assert output.startswith("notes.md:2: ")

    def test_lets_other_text_pass(self, tmp_path: Path) -> None:
        status, _output = self.check("places", tmp_path, "notes.md", "https://github.com/meshops and ${HOME}/work/here, a/root/b\n")
        assert status == 0

    def test_finds_a_missing_header(self, tmp_path: Path) -> None:
        status, output = self.check("headers", tmp_path, "code.py", "x = 1\n")
        assert status == 1
        assert output.count("header line missing") == 3
