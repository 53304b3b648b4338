# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows the objects of one path, over lost connections, restarts of the API server and expired positions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from .api import METADATA_ONLY, Api, ApiError, Object, Unreachable

_WATCH_SECONDS = 300
_RETRY_SECONDS = 0.5


class Watch(threading.Thread):
    """Calls ``changed`` for each object that is new or different, and ``gone`` for each that was deleted.

    One call after the other, in this thread, which ends soon after ``running`` says no. ``listed`` is set when everything that was
    there at the start has been told.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        selector: str,
        changed: Callable[[Object], None],
        gone: Callable[[Object], None],
        say: Callable[[str], None],
        *,
        metadata_only: bool = False,
        running: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(name=f"watch {path}", daemon=True)
        self._api, self._path, self._selector = api, path, selector
        self._changed, self._gone, self._say = changed, gone, say
        self._metadata_only, self._running = metadata_only, running
        self._known: dict[str, Object] = {}
        self.listed = threading.Event()

    def run(self) -> None:
        while self._running():
            try:
                position = self._list()
                self.listed.set()
                while self._running():
                    position = self._follow(position)
            except (Unreachable, ApiError) as error:
                self._say(f"{self._path}: {error}; starting over")
                time.sleep(_RETRY_SECONDS)

    def _list(self) -> str:
        listing = self._api.request("GET", self._path, query={"labelSelector": self._selector}, accept=self._accept("List"))
        items = {item["metadata"]["uid"]: item for item in listing["items"] or []}
        for uid in self._known.keys() - items.keys():
            self._gone(self._known.pop(uid))
        for uid, item in items.items():
            if uid not in self._known or _version(self._known[uid]) != _version(item):
                self._known[uid] = item
                self._changed(item)
        return str(listing["metadata"]["resourceVersion"])

    def _follow(self, position: str) -> str:
        query: Mapping[str, str] = {
            "watch": "true",
            "labelSelector": self._selector,
            "resourceVersion": position,
            "timeoutSeconds": str(_WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        for event in self._api.stream(self._path, query, self._accept("")):
            item = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(item.get("code", 500), item.get("reason", ""), item.get("message", ""))
            position = _version(item)
            if event["type"] in ("ADDED", "MODIFIED"):
                self._known[item["metadata"]["uid"]] = item
                self._changed(item)
            elif event["type"] == "DELETED":
                self._known.pop(item["metadata"]["uid"], None)
                self._gone(item)
        return position

    def _accept(self, suffix: str) -> str:
        return METADATA_ONLY.format(suffix) if self._metadata_only else "application/json"


def _version(item: Object) -> str:
    return str(item["metadata"]["resourceVersion"])
