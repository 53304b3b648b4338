# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor of enrolling namespaces: one PATCH each over kept connections from threads, decoded from JSON, and nothing else.

usage: raw_patches.py KUBECONFIG VALUE THREADS NAMESPACES
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from raw_lists import connection

_HEADERS = {"Content-Type": "application/merge-patch+json", "Accept": "application/json"}


def name_of(number: int) -> str:
    """The name of a namespace of this benchmark."""
    return f"enrol-{number:04}"


def patch(kubeconfig: Path, names: Sequence[str], value: str) -> int:
    """Patch these namespaces, one after the other; returns how many."""
    server = connection(kubeconfig)
    metadata = {"labels": {"openservicemesh.io/monitored-by": "osm"}, "annotations": {"openservicemesh.io/sidecar-injection": value}}
    body = json.dumps({"metadata": metadata})
    for name in names:
        server.request("PATCH", f"/api/v1/namespaces/{name}?fieldManager=bench", body, _HEADERS)
        answer = server.getresponse()
        stored = json.loads(answer.read())
        if answer.status != 200 or stored["metadata"]["annotations"]["openservicemesh.io/sidecar-injection"] != value:
            raise RuntimeError(f"{name}: {stored}")
    server.close()
    return len(names)


if __name__ == "__main__":
    threads, number = int(sys.argv[3]), int(sys.argv[4])
    shares = [[name_of(each) for each in range(start, number, threads)] for start in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(lambda share: patch(Path(sys.argv[1]), share, sys.argv[2]), shares))
    print(f"patched {done}")
