# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's table of what a mesh leaves says what the collection's own data say, row by row."""

from __future__ import annotations

import re

from documented import ROOT

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_table import TABLE

GUIDE = ROOT / "docs" / "uninstall.md"
COLUMNS = ["what", "", "documented", "how it is found", "when it is removed", "when it stays"]


def rows_of_guide() -> list[list[str]]:
    """The rows of the table in their order, without its head; raises LookupError when there is no such table."""
    tables = re.findall(r"(?:^\|.*\n)+", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for table in tables:
        rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in table.splitlines()]
        if rows[0][0] == COLUMNS[0] and rows[0][-1] == COLUMNS[-1]:
            return rows[2:]
    raise LookupError(f"{GUIDE} has no table with the columns {COLUMNS}")


def test_the_guide_has_the_rows_of_the_data() -> None:
    told = [cells[: len(COLUMNS) - 1] for cells in rows_of_guide()]
    known = [[f"`{row.what}`", row.title, "yes" if row.documented else "no", row.found_by, row.removed] for row in TABLE]
    assert told == known


def test_the_guide_says_of_each_when_it_stays() -> None:
    assert [cells[0] for cells in rows_of_guide() if len(cells) != len(COLUMNS) or not cells[-1]] == []
