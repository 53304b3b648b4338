# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check what no off-the-shelf linter does: licence headers of source files, and words that do not belong in the project.

usage: check_text.py headers|places        (in the collection's tree; prints one line per violation)
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# REUSE-IgnoreStart
HEADER = (
    "# Copyright: (c) 2026, meshops contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
# REUSE-IgnoreEnd
SOURCE_SUFFIXES = {".py", ".sh", ".go"}
# A package is named by its name; which index or mirror serves it is the reader's business. Paths of one machine help nobody else.
# Each pattern is written so that it does not match its own text.
PLACES = {
    "package index or mirror": re.compile(r"\b(?:pypi[.]org|files[.]pythonhosted[.]org|proxy[.]golang[.]org|registry[.]npmjs[.]org)\b"),
    "path of one machine": re.compile(r"(?<![\w./$}~-])/(?:root|work|home/\w+|Users/\w+|farm)/"),
    "unfinished place": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|mark[.](?:ski[p]|xfai[l])\b"),
}


def files() -> Iterator[Path]:
    """Regular files of the collection, as git sees them (not the ignored ones)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    for name in sorted(set(listed.split("\0")) - {""}):
        path = Path(name)
        if path.is_file() and not path.is_symlink():
            yield path


def is_source(path: Path, text: str) -> bool:
    """Whether ``path`` is code: by its suffix, or by a first line that names an interpreter."""
    return path.suffix in SOURCE_SUFFIXES or text.startswith("#!")


def missing_headers(path: Path, text: str) -> Iterator[str]:
    if not text.strip() or not is_source(path, text):
        return
    comment = "//" if path.suffix == ".go" else "#"
    start = text.splitlines()[:8]
    for line in HEADER:
        if comment + line[1:] not in start:
            yield f"{path}:1: header line missing: {comment + line[1:]}"


def places(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in PLACES.items():
            if match := pattern.search(line):
                yield f"{path}:{number}: {what}: {match.group()}"


CHECKS = {"headers": missing_headers, "places": places}


def main() -> int:
    check = CHECKS[sys.argv[1]]
    violations: list[str] = []
    checked = 0
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        checked += 1
        violations += check(path, text)
    print("\n".join(violations) if violations else f"{checked} files are in order")
    return 1 if violations or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
