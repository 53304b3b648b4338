# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show every module and role with ansible-doc, and check the syntax of every playbook, in one ansible process per kind.

usage: tools/in-tree python tools/check_documentation.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COLLECTION = "meshops.lifecycle"
# ansible-core 2.21 warns about a collection inside itself.
_NOT_OURS = ("ansible/_internal/ansible_collections/",)


def documented(kind: str, names: list[str]) -> list[str]:
    """Problems of ``names`` (plugins of one ``kind``): those that ansible-doc cannot show, or shows with a warning."""
    full_names = [f"{COLLECTION}.{name}" for name in names]
    if not full_names:
        return []
    shown = subprocess.run(["ansible-doc", "--json", "-t", kind, *full_names], check=False, capture_output=True, text=True)
    if shown.returncode:
        return [f"ansible-doc -t {kind}: {shown.stderr.strip()}"]
    absent = set(full_names) - set(json.loads(shown.stdout))
    problems = [f"ansible-doc -t {kind} does not show {name}" for name in sorted(absent)]
    told = (line for line in shown.stderr.splitlines() if line.strip())
    return problems + [f"ansible-doc -t {kind}: {line}" for line in told if not any(part in line for part in _NOT_OURS)]


def playable(playbooks: list[Path]) -> list[str]:
    """Problems that ``ansible-playbook --syntax-check`` finds in ``playbooks``."""
    if not playbooks:
        return []
    checked = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", "localhost,", *map(str, playbooks)], check=False, capture_output=True, text=True
    )
    return [f"ansible-playbook --syntax-check: {checked.stdout}{checked.stderr}".strip()] if checked.returncode else []


def main() -> int:
    modules = sorted(path.stem for path in Path("plugins/modules").glob("*.py") if path.stem != "__init__")
    roles = sorted(path.name for path in Path("roles").glob("*") if path.is_dir())
    playbooks = sorted(Path("playbooks").glob("*.yml"))
    problems = [*documented("module", modules), *documented("role", roles), *playable(playbooks)]
    print("\n".join(problems) or f"{len(modules)} modules, {len(roles)} roles, {len(playbooks)} playbooks are in order")
    return 1 if problems or not modules else 0


if __name__ == "__main__":
    sys.exit(main())
