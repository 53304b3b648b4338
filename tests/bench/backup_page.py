# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of backups, as sections of docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

import backup_many
import backup_objects
import backup_snapshot
import page
from backup_bed import Say

_MEBIBYTE = 1024 * 1024


def snapshot(home: Path, runs: int, say: Say, mebibytes: int) -> list[str]:
    """Measure and return the section."""
    found = backup_snapshot.snapshot(home, runs, say, mebibytes)
    size = found.size / _MEBIBYTE
    speeds = [("", "MiB a second", "speed ÷ raw", "MiB of memory above the start")]
    for item, grown in zip((found.raw, found.own), found.grown, strict=True):
        speeds.append((item.name, f"{size / item.seconds:.1f}", f"{found.raw.seconds / item.seconds:.2f}", f"{grown:.0f}"))
    steps = ", ".join(f"{seconds:.1f} s for {step}" for step, seconds in found.durations.items())
    return [
        f"### A snapshot of {size:,.0f} MiB from its pod to S3",
        "",
        f"Processes (without Ansible around them), median of {runs}; the last row is one run, whose snapshot etcd has yet to write.",
        "",
        *page.table([found.raw, found.own, found.module], "raw stream", [found.raw]),
        "",
        *page.grid(speeds),
        "",
        f"Steps of the whole backup: {steps}.",
        "",
    ]


def objects(home: Path, runs: int, say: Say, machines: int) -> list[str]:
    """Measure and return the section."""
    found = backup_objects.objects(home, runs, say, machines)
    rows = [("", "seconds", "CPU seconds", "seconds ÷ hosted_cluster_backup", "CPU ÷")]
    for name, times in ((found.own.name, 0), (f"kubectl get -o yaml, {found.number:,} times (extrapolated)", found.number)):
        item = found.each if times else found.own
        seconds, cpu = item.seconds * (times or 1), item.cpu_seconds * (times or 1)
        ratios = (f"{seconds / found.own.seconds:.0f}", f"{cpu / found.own.cpu_seconds:.0f}")
        rows.append((name, f"{seconds:,.2f}", f"{cpu:,.2f}", *ratios))
    return [
        f"### {found.number:,} objects of a hosted cluster with {backup_objects.POOLS} pools and {found.machines} machines",
        "",
        (
            f"Processes (without Ansible around them), median of {runs}, peak {found.own.peak_mib:.0f} MiB; kubectl takes "
            f"{found.each.seconds:.2f} s for one object, the mean of {found.sampled}."
        ),
        "",
        *page.grid(rows),
        "",
    ]


def backups(home: Path, runs: int, say: Say, clusters: int) -> list[str]:
    """Measure and return the section."""
    found = backup_many.backups(home, runs, say, clusters)
    return [
        f"### {clusters} hosted clusters of one management cluster backed up in one run",
        "",
        f"Whole runs of ansible-playbook with their modules (not the API servers), median of {runs}, eight forks; one etcd member each.",
        "",
        *page.table_per_host(found.found, clusters),
        "",
        (
            f"Requests of one run, per hosted cluster: {found.requests:.1f} to the API server, {found.execs:.1f} of which run a command in "
            f"a pod (planning included), and {found.requests_of_aws:.1f} to S3."
        ),
        "",
    ]
