# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every code of a refusal, a finding or a leftover is explained in the guides: a reader who meets one must find it there."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest
from documented import ROOT

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_steps import EDIT, SCRAPED, UNENROL
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_leftovers import CODES as LEFTOVERS

SOURCES = sorted((ROOT / "plugins" / "module_utils").glob("_*/*.py"))
# What an uninstallation says is in its own guide, also where another procedure has the same word for something like it.
UNINSTALLATION = [path for path in SOURCES if path.parent.name == "_osm" and path.name.startswith("uninstall")]
# Codes that are made of another word: of what stays, and of the writes before a workload.
OF_SIDECARS = {SCRAPED, *(f"{action.replace('_', '-')}-failed" for action in (UNENROL, EDIT))}
# Where a constructor takes the code; the other names are functions that hand one on.
POSITIONS = {"Finding": 1, "Refusal": 0, "Obstacle": 0}
VITAL_KEYS = "VITAL_KEYS"


def codes_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (what, code) of each finding and refusal that a file can make; a code that is a parameter is looked for where it is given."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in POSITIONS:
                for code in _literals(node.args[POSITIONS[name]]):
                    yield name, code
    for maker in _makers(tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == maker.name:
                at = [argument.arg for argument in maker.args.args if argument.arg != "self"].index("code")
                for code in _literals(node.args[at]):
                    yield "Finding", code
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(item, ast.Name) and item.id == VITAL_KEYS for item in node.targets):
            for code, _effect in ast.literal_eval(node.value).values():
                yield "Finding", code


def _makers(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield the functions that take a code and make a finding of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "code" in [argument.arg for argument in node.args.args]:
            yield node


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def all_codes() -> list[str]:
    """All codes, each once; raises LookupError when there are none, so that the test does not pass for want of cases."""
    return _some(SOURCES, LEFTOVERS | OF_SIDECARS)


def codes_of_uninstallation() -> list[str]:
    """Those that an uninstallation has beside the codes of a refresh; raises LookupError when there are none."""
    return _some(UNINSTALLATION, OF_SIDECARS)


def _some(sources: Iterable[Path], more: Collection[str]) -> list[str]:
    codes = {code for path in sources for _what, code in codes_of(path)}
    if not codes:
        raise LookupError("no finding and no refusal was found in the sources")
    return sorted(codes | {*more})


@pytest.mark.parametrize("code", all_codes())
def test_a_code_is_explained_in_the_guides(code: str) -> None:
    assert _has_row(code, (ROOT / "docs").glob("*.md")), f"no table of docs/*.md has a row for `{code}`"


@pytest.mark.parametrize("code", codes_of_uninstallation())
def test_a_code_of_an_uninstallation_is_explained_in_its_guide(code: str) -> None:
    assert _has_row(code, [ROOT / "docs" / "uninstall.md"]), f"no table of docs/uninstall.md has a row for `{code}`"


def _has_row(code: str, documents: Iterable[Path]) -> bool:
    lines = (line for path in documents for line in path.read_text(encoding="utf-8").splitlines())
    # Codes that say the same of different things share a row.
    return any(line.startswith("| `") and f"`{code}`" in line.split(" | ")[0] for line in lines)


def test_codes_of_each_shape_are_found() -> None:
    """A literal, one of two, one that a function takes, one of a table, one of a leftover, one of an obstacle, one made of another word."""
    shapes = {"downgrade", "edit-lost", "mirrored-sidecar-image", "sidecar-stale", "plugin-chains-missing", "bare-pod"}
    shapes |= {"user-resource-protected", "unenrol-failed"}
    assert shapes <= {*all_codes()}
