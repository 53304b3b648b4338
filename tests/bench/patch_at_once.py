# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fastest that a restart can be: all Deployments of some namespaces patched at once from threads, then one watch until they have
rolled out. Nothing is paced, proven or stopped.

usage: patch_at_once.py KUBECONFIG WORD THREADS LABEL
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from raw_lists import connection

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import rollout_status

_HEADERS = {"Content-Type": "application/merge-patch+json", "Accept": "application/json"}
_ALL = "/apis/apps/v1/deployments"


def patch(kubeconfig: Path, word: str, paths: Sequence[str]) -> None:
    """Patch these Deployments, one after the other."""
    server = connection(kubeconfig)
    body = json.dumps({"spec": {"template": {"metadata": {"annotations": {"restarted": word}}}}})
    for path in paths:
        server.request("PATCH", path, body, _HEADERS)
        answer = server.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {text!r}")
    server.close()


def deployments(kubeconfig: Path, label: str) -> dict[str, Any]:
    """Return the list of the Deployments with this label."""
    server = connection(kubeconfig)
    server.request("GET", f"{_ALL}?labelSelector={label}")
    found: dict[str, Any] = json.loads(server.getresponse().read())
    server.close()
    return found


def events(kubeconfig: Path, label: str, version: str) -> Iterator[dict[str, Any]]:
    """Yield the Deployments as they change."""
    server = connection(kubeconfig)
    server.request("GET", f"{_ALL}?labelSelector={label}&watch=true&resourceVersion={version}")
    for line in server.getresponse():
        yield json.loads(line)["object"]


def main() -> None:
    """Restart them and wait."""
    kubeconfig, word, threads, label = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    before = deployments(kubeconfig, label)
    paths = [f"/apis/apps/v1/namespaces/{item['metadata']['namespace']}/deployments/{item['metadata']['name']}" for item in before["items"]]
    with ThreadPoolExecutor(threads) as pool:
        for _share in pool.map(lambda start: patch(kubeconfig, word, paths[start::threads]), range(threads)):
            pass
    waiting = {item["metadata"]["uid"] for item in before["items"]}
    for item in events(kubeconfig, label, before["metadata"]["resourceVersion"]):
        restarted = item["spec"]["template"]["metadata"].get("annotations", {}).get("restarted") == word
        if restarted and rollout_status({**item, "kind": "Deployment"}).done:
            waiting.discard(item["metadata"]["uid"])
        if not waiting:
            break
    print(f"restarted {len(paths)}")


if __name__ == "__main__":
    main()
