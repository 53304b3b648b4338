# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace behind a scripted API server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import Reply, Request, failure

Object = dict[str, Any]
NAMESPACE = "/api/v1/namespaces/osm-system"


class Namespace:
    """Answers lists with these objects and logs with these texts; what is in ``denied`` (pods, log, …) is forbidden."""

    def __init__(
        self,
        *,
        deployments: Sequence[Object] = (),
        replica_sets: Sequence[Object] = (),
        pods: Sequence[Object] = (),
        events: Sequence[Object] = (),
        logs: Mapping[str, str] | None = None,
        denied: Sequence[str] = (),
    ) -> None:
        self.lists = {"deployments": deployments, "replicasets": replica_sets, "pods": pods, "events": events}
        self.logs = dict(logs or {})
        self.denied = {*denied}

    def __call__(self, request: Request) -> Reply:
        last = request.path.rpartition("/")[2]
        if last in self.denied:
            verb, resource = ("get", "pods/log") if last == "log" else ("list", last)
            message = f'forbidden: User "u" cannot {verb} resource "{resource}" in API group "" in the namespace "osm-system"'
            return failure(403, "Forbidden", message)
        if last == "log":
            key = f"{request.path.split('/')[-2]}/{request.query['container']}" + ("/previous" if "previous" in request.query else "")
            if key not in self.logs:
                return failure(400, "BadRequest", f"container in pod is waiting to start: {key}")
            return Reply(200, self.logs[key].encode())
        if last in self.lists:
            items = [{**item, "metadata": {"uid": f"uid-{last}-{at}", **item["metadata"]}} for at, item in enumerate(self.lists[last])]
            return Reply(200, {"metadata": {}, "items": items})
        return failure(404, "NotFound", f"{request.path} not found")
