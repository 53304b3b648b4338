# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files around the code agree with each other."""

from __future__ import annotations

import re

import pytest
import yaml
from documented import ROOT


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_execution_environment_needs_what_the_modules_need() -> None:
    environment = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8"))
    assert requirements(environment["dependencies"]["python"]) == requirements("requirements.txt")


def test_run_time_requirements_are_locked_for_development() -> None:
    locked = {line.partition("==")[0].lower() for line in requirements("requirements/dev.txt") if "==" in line}
    assert {re.split(r"[<>=]", line)[0].lower() for line in requirements("requirements.txt")} <= locked


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_readme_begins_with_the_two_commands(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    first_code = "".join(re.findall(r"```(?:\w+)?\n(.*?)```", text, flags=re.DOTALL)[:2])
    assert "make demo" in first_code
    assert "make test" in first_code


def test_nothing_is_ignored_by_sanity_tests() -> None:
    assert sorted((ROOT / "tests").rglob("ignore-*.txt")) == []
