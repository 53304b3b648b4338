# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one command and print, as JSON, its exit code, seconds, CPU seconds and peak memory in MiB (of it and its children).

Started as a small process of its own: Linux keeps the peak of the process that a program is started from, so one that is
started by a large program seems large itself (ru_maxrss, fs/exec.c exec_mmap).
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Usage: measured.py STDIN STDOUT STDERR COMMAND..."""
    paths, command = sys.argv[1:4], sys.argv[4:]
    started = time.monotonic()
    child = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, paths[0], os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, paths[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, paths[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ],
    )
    _pid, status, usage = os.wait4(child, 0)
    print(
        json.dumps(
            {
                "code": os.waitstatus_to_exitcode(status),
                "seconds": time.monotonic() - started,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_mib": usage.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
