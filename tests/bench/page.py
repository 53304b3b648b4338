# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers as text: for the terminal, and for docs/benchmarks.md."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from measuring import Measurement
from sandboxlib.binary_sets import HELM_VERSION, KUBERNETES_VERSION

_HEAD = ("", "seconds", "CPU seconds", "peak MiB")
BEGIN, END = "<!-- begin of what make bench writes -->", "<!-- end of what make bench writes -->"


def table(measurements: Sequence[Measurement], against: str, base: Sequence[Measurement]) -> list[str]:
    """Return a Markdown table; the last columns are ratios to the sum of ``base``, called ``against``."""
    seconds, cpu_seconds = sum(item.seconds for item in base), sum(item.cpu_seconds for item in base)
    rows = [(*_HEAD, f"seconds ÷ {against}", "CPU ÷")]
    for item in measurements:
        rows.append((*_numbers(item), f"{item.seconds / seconds:.2f}", f"{item.cpu_seconds / cpu_seconds:.2f}"))
    return grid(rows)


def table_per_host(measurements: Sequence[Measurement], hosts: int) -> list[str]:
    """Return a Markdown table; the last column is what one host costs."""
    rows = [(*_HEAD, "CPU seconds per cluster")]
    return grid([*rows, *((*_numbers(item), f"{item.cpu_seconds / hosts:.2f}") for item in measurements)])


def _numbers(item: Measurement) -> tuple[str, ...]:
    return item.name, f"{item.seconds:.2f}", f"{item.cpu_seconds:.2f}", f"{item.peak_mib:.0f}"


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; the first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]]


def machine() -> str:
    """Return what the numbers depend on, without naming the machine."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        memory = int(stream.readline().split()[1]) / 1024 / 1024
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "kubernetes"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"load {os.getloadavg()[1]:.1f} over the last five minutes, "
        f"Python {platform.python_version()}, {versions}, Kubernetes {KUBERNETES_VERSION}, Helm {HELM_VERSION}"
    )


def write(page: Path, lines: Sequence[str]) -> None:
    """Replace what is between the two marks in ``page``; ValueError when it does not have them."""
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _old, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{page} has no place for the numbers ({BEGIN} … {END})")
    page.write_text("\n".join([before + BEGIN, "", *lines, "", END + after.rstrip("\n"), ""]), encoding="utf-8")
