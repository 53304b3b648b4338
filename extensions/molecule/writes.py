# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was written to a sandbox cluster, by the API server's audit log.

usage: writes.py CLUSTER [MARK]        prints the writes since MARK as JSON; without it, the present position
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "sandbox"))

from sandboxlib.cluster import Cluster


def main() -> None:
    cluster = Cluster(sys.argv[1])
    if len(sys.argv) == 2:
        sys.stdout.write(f"{cluster.mark()}\n")
        return
    writes = cluster.writes_since(int(sys.argv[2]))
    told = [f"{event.verb} {event.resource} {event.namespace}/{event.name} by {event.user_agent}" for event in writes]
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
