# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the nodes of a cluster have left."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NODE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room, Tally

# Pods that have ended hold nothing: they are not even sent.
_HOLDING = "status.phase!=Succeeded,status.phase!=Failed"


def read_room(api: Api, namespaces: Collection[str] = ()) -> Room:
    """Read nodes and pods of the whole cluster, page by page; the pods of ``namespaces`` are kept one by one.

    Without the permission the room says so (``unread``). Raises KubeError for other failures.
    """
    tally = Tally(namespaces)
    try:
        nodes = [_reduced(node) for node in api.list(NODE)]
        for pod in api.list(POD, field_selector=_HOLDING):
            tally.add(pod)
    except Forbidden as error:
        return Room(unread=error.missing or error.why)
    return tally.room(nodes)


def _reduced(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node without the list of its images, which is most of it."""
    node.get("status", {}).pop("images", None)
    return node
