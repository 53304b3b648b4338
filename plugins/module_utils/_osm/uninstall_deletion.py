# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete one object and see it gone; what stays is told with what holds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Conflict, Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import held
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]
GONE_ALREADY = "was gone already"
_INTERVAL = 0.2


class Patience:
    """How long nothing may happen: ``left`` is asked with the present state, and says whether to go on waiting for another one."""

    def __init__(self, deadline: Deadline, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = deadline
        self._state: object = None
        self._since = time.monotonic()

    def left(self, state: object) -> bool:
        """Return whether the state has changed within the time, and the deadline is not over."""
        if state != self._state:
            self._state = state
            self.renew()
        return not self._deadline.expired and time.monotonic() - self._since < self.seconds

    @property
    def over(self) -> str:
        """Why there is no waiting any more, for the end of a sentence."""
        if self._deadline.expired:
            return f"the timeout of {self._deadline.seconds:g} s is over"
        return f"nothing has changed for {self.seconds:g} s"

    def renew(self) -> None:
        """Begin anew: something was done that needs time."""
        self._since = time.monotonic()


def delete_object(api: Api, kind: Kind, ref: ObjectRef, uid: str, deadline: Deadline, patience: float) -> str:
    """Delete exactly the object with this ``uid`` (empty: the one that is there now), wait until it is gone, and return a message.

    Raises WriteConflict when another one has its name by now, and StepFailed with its finalizers when it does not go.
    """
    uid = uid or uid_of(api, kind, ref)
    if not uid or not mark_deleted(api, kind, ref, uid):
        return GONE_ALREADY
    wait_until_gone(api, kind, ref, uid, Patience(deadline, patience))
    return ""


def mark_deleted(api: Api, kind: Kind, ref: ObjectRef, uid: str) -> bool:
    """Send the deletion; return False when the object was gone already. One that is being deleted already needs no other deletion."""
    try:
        return api.delete(kind, ref.name, ref.namespace or None, uid=uid)
    except Conflict:
        # Older API servers answer so for a namespace that is terminating.
        found = present(api, kind, ref)
        if found is None:
            return False
        if found["metadata"]["uid"] != uid or not found["metadata"].get("deletionTimestamp"):
            raise
        return True


def wait_until_gone(
    api: Api, kind: Kind, ref: ObjectRef, uid: str, patience: Patience, explain: Callable[[], tuple[str, str]] | None = None
) -> None:
    """Wait until the object with this ``uid`` is gone; raises StepFailed.

    ``explain`` returns (why, what to do) where the object's metadata does not tell all.
    """
    while True:
        try:
            found = present(api, kind, ref)
        except Forbidden:
            # Who may delete need not be allowed to look; the proof reads lists.
            return
        if found is None or found["metadata"]["uid"] != uid:
            return
        stuck = held(found)
        if not patience.left(stuck):
            why, remedy = explain() if explain is not None else ("", "")
            by = str(stuck) if stuck else f"{ref} is still there, and nothing in it says why"
            raise StepFailed(
                f"{ref} was deleted and does not go",
                object=ref,
                why="; ".join(filter(None, (by, why, patience.over))),
                state="it is marked for deletion and goes as soon as nothing holds it; nothing that others hold is released by force",
                next="; ".join(filter(None, (*(stuck.remedies if stuck else ()), remedy, "then run the same command again"))),
            )
        time.sleep(_INTERVAL)


def present(api: Api, kind: Kind, ref: ObjectRef) -> Object | None:
    """Return the metadata of an object, or None."""
    return api.get_or_none(kind, ref.name, ref.namespace or None, metadata_only=True)


def uid_of(api: Api, kind: Kind, ref: ObjectRef) -> str:
    """Return the uid of the object that is there now, empty when there is none."""
    found = present(api, kind, ref)
    return str(found["metadata"]["uid"]) if found is not None else ""
