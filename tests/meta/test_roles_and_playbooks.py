# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every role and playbook is documented and run by a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from documented import COLLECTION, ROOT, playbooks, roles

SCENARIOS = ROOT / "extensions" / "molecule"


def scenario_texts(scenario: str = "*") -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(SCENARIOS.glob(f"{scenario}/*.yml"))]


@pytest.mark.parametrize("role", roles())
def test_role_has_readme(role: str) -> None:
    assert f"{COLLECTION}.{role}" in (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("role", roles())
def test_role_documents_every_variable(role: str) -> None:
    """Each option is described, and has the role's name as prefix; each default belongs to an option."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    options = specs["main"]["options"]
    assert [name for name, option in options.items() if not option.get("description")] == []
    assert [name for name in options if not name.startswith(f"{role}_")] == []
    defaults = ROOT / "roles" / role / "defaults" / "main.yml"
    declared = set(yaml.safe_load(defaults.read_text(encoding="utf-8")) or {}) if defaults.exists() else set()
    assert declared - set(options) == set()


@pytest.mark.parametrize("role", roles())
def test_role_has_scenario(role: str) -> None:
    """A scenario of the role's name checks, converges and verifies."""
    for step in ("molecule.yml", "side_effect.yml", "converge.yml", "verify.yml"):
        assert (SCENARIOS / role / step).is_file(), step
    group = yaml.safe_load((SCENARIOS / "inventory.yml").read_text(encoding="utf-8"))["all"]["children"][role]
    assert group["hosts"]


@pytest.mark.parametrize("playbook", playbooks())
def test_playbook_is_run(playbook: str) -> None:
    """By a scenario or by an integration test, by path or by full name."""
    tests = [path.read_text(encoding="utf-8") for path in Path(ROOT / "tests" / "integration").rglob("*.py")]
    used = re.compile(rf"playbooks/{playbook}\.yml|\b{re.escape(COLLECTION)}\.{playbook}\b")
    assert any(used.search(text) for text in scenario_texts() + tests)
