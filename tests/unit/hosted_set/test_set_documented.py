# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about the format says all of it, and its commands do what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import ROOT

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import index_from
from ansible_collections.meshops.lifecycle.tests.unit.hosted_set.sets import ENCODED, ITEMS, KEY, index_of, write_set

PAGE = (ROOT / "docs" / "backup-set.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """Return the one code block of the page that has a text in it."""
    (found,) = [code for code in re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL) if containing in code]
    return str(found)


def codes() -> Iterator[str]:
    """Yield the codes of findings and refusals in the sources."""
    for name in ("set_faults", "set_verify", "set_snapshot", "set_destination"):
        source = (ROOT / "plugins" / "module_utils" / "_hosted" / f"{name}.py").read_text(encoding="utf-8")
        prefixes = "set|not|format|other|index|encryption|key|file|path|no|mode|snapshot|restored|dest"
        yield from re.findall(rf'"((?:{prefixes})(?:-[a-z]+)+)"', source)


def test_every_code_is_on_the_page_and_no_other() -> None:
    rows = re.findall(r"^\| (`[a-z-]+-[a-z-]+`(?:, `[a-z-]+`)*) \|", PAGE, flags=re.MULTILINE)
    assert {code for row in rows for code in re.findall(r"[a-z-]+", row)} == set(codes())


def test_every_field_is_on_the_page() -> None:
    example = json.loads(block("json", '"format"'))
    assert [*example] == [*index_of("x").as_dict()]
    assert index_from(example).as_dict() == example
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ", PAGE.partition("| field |")[2].partition("##")[0], flags=re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"[a-z_]+", row)] == [*example]


@pytest.mark.parametrize("line", [0, 1])
def test_a_set_is_checked_by_hand(tmp_path: Path, line: int) -> None:
    path = write_set(tmp_path, None)
    command = ["sh", "-c", block("sh", "sha256sum").splitlines()[line].replace("python3", sys.executable)]
    assert subprocess.run(command, cwd=path, check=False, capture_output=True).returncode == 0
    damaged = path / ("index.json" if line == 0 else "objects/clusters/secrets/pull-secret.json")
    damaged.write_bytes(damaged.read_bytes().replace(b"pull", b"push"))
    assert subprocess.run(command, cwd=path, check=False, capture_output=True).returncode != 0


def test_a_file_is_decrypted_by_hand(tmp_path: Path) -> None:
    (tmp_path / "backup.key").write_text(f"{KEY.secret.hex()}\n")
    path = write_set(tmp_path / "sets", KEY)
    (tmp_path / "decrypt.py").write_text(block("python", "AESGCM"))
    command = [sys.executable, "decrypt.py", "backup.key", str(path), "objects/clusters/secrets/pull-secret.json.enc"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert ENCODED in shown
    assert json.loads(shown)["kind"] == ITEMS[1].object["kind"]
    (path / "index.json").write_bytes((path / "index.json").read_bytes() + b"\n")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1
