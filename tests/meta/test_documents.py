# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the README and the guides name exists, and the two READMEs say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from documented import ROOT, roles

READMES = ("README.md", "README.ja.md")
DOCUMENTS = [*READMES, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
# [text](target): images and links to elsewhere are left out.
LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_blocks(path: Path) -> list[str]:
    """The code that a reader would copy: without diagrams, without comments."""
    blocks = re.findall(r"```(console|yaml)\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [re.sub(r"\s+#.*", "", text) for _language, text in blocks]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    broken = []
    for target, anchor in LINK.findall(path.read_text(encoding="utf-8")):
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_exist(document: str) -> None:
    """Role variables are in the role's argument_specs, those of the fleet and of the connection in a playbook."""
    text = (ROOT / document).read_text(encoding="utf-8")
    specs = [yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")) for role in roles()]
    options = {name for spec in specs for name in spec["argument_specs"]["main"]["options"]}
    playbooks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").rglob("*.yml"))
    prefixes = "|".join([*roles(), "meshops"])
    named = set(re.findall(rf"(?<![\w/.-])((?:{prefixes})_[a-z][a-z_]+)\b", text))
    assert {name for name in named - options if name not in playbooks} == set()


def test_readmes_say_the_same() -> None:
    english, japanese = (code_blocks(ROOT / readme) for readme in READMES)
    assert english == japanese
    # Tables: the same rows, of which the first cell with code in it names the same.
    rows = [re.findall(r"^\|.*?(`[^`]+`|\d[\d.]+)", (ROOT / readme).read_text(encoding="utf-8"), flags=re.MULTILINE) for readme in READMES]
    assert rows[0] == rows[1]
