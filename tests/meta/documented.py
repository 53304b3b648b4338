# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection holds and documents, as data, for tests that go through all of it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

import yaml

COLLECTION = "meshops.lifecycle"
ROOT = Path(__file__).resolve().parents[2]


def modules() -> list[str]:
    """Names of all modules; raises LookupError when there are none, so that no test passes for want of cases."""
    return _some("module", sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__"))


def roles() -> list[str]:
    """Names of all roles; raises LookupError when there are none."""
    return _some("role", sorted(path.name for path in (ROOT / "roles").glob("*") if path.is_dir()))


def playbooks() -> list[str]:
    """Names of all playbooks, without the suffix; raises LookupError when there are none."""
    return _some("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if not path.stem.endswith(".meta")))


def _some(what: str, names: list[str]) -> list[str]:
    if not names:
        raise LookupError(f"the collection has no {what}")
    return names


def module_text(module: str, variable: str) -> str:
    """The text of DOCUMENTATION, EXAMPLES or RETURN in the source of ``module``, without importing it."""
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == variable for target in node.targets):
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{module} has no {variable}")


class Example(NamedTuple):
    """One task or play of a module's EXAMPLES; ``id`` is what its test is named by: MODULE-NUMBER, counted from 0."""

    module: str
    number: int
    content: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.module}-{self.number}"


def examples(module: str) -> list[Example]:
    """The EXAMPLES of ``module``, in order; raises LookupError when there are none."""
    content = yaml.safe_load(module_text(module, "EXAMPLES")) or []
    if not content:
        raise LookupError(f"{module} has no EXAMPLES")
    return [Example(module, number, entry) for number, entry in enumerate(content)]
