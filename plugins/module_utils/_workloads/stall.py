# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a workload stands still, and why: what its pods, its conditions and the Events say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import EVENT, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.attempt import Attempt
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import troubles
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice, Trouble
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.workload_pods import pods_of

Object = Mapping[str, Any]

# A reason comes on top of a failure that is told in any case, so nobody waits long for it.
_SECONDS = 10.0
_ADVICE = Advice(images="the image in its template")
_TOLD = 2


class Reason(NamedTuple):
    """Why it stands still and what to do about it; both are empty when nothing is known."""

    why: str = ""
    remedy: str = ""


def overdue(attempt: Attempt, now: float, *, wait_timeout: float, stall_timeout: float) -> str:
    """Return ``timeout`` or ``stalled`` for an attempt that has had its time, else the empty string.

    An attempt that waits for a budget does not stall: that is what budgets are for. It has its time all the same.
    """
    if now - attempt.since >= wait_timeout:
        return "timeout"
    if not attempt.budget and now - attempt.changed >= stall_timeout + attempt.quiet:
        return "stalled"
    return ""


def reason(api: Api, attempt: Attempt) -> Reason:
    """Look for the reason: four reads at most. Raises nothing."""
    try:
        return _reason(api.within(_SECONDS), attempt)
    except KubeError:
        return Reason()


def _reason(api: Api, attempt: Attempt) -> Reason:
    task = attempt.task
    live = api.get_or_none(task.kind, task.object.name, task.object.namespace)
    if live is None:
        return Reason()
    bare = task.kind == POD
    pods = attempt.pods_for_diagnosis([live] if bare else pods_of(api, [live])[live["metadata"]["uid"]])
    events = _quietly(lambda: api.list(EVENT, task.object.namespace, field_selector="type=Warning"))
    return tell(troubles([] if bare else [live], pods, _about(events, task.object.kind, task.object.name, pods), advice=_ADVICE))


def tell(found: Sequence[Trouble]) -> Reason:
    """Put troubles into words; what they say of charts is about templates here."""
    # That a deadline has passed is no reason.
    known = [trouble for trouble in found if trouble.cause != "progress-deadline"] or [*found]
    if not known:
        return Reason()
    same = [trouble for trouble in known if trouble.cause == known[0].cause]
    others = f" (and {len(same) - 1} more pods alike)" if len(same) > 1 else ""
    texts = [f"{known[0]}{others}", *(str(trouble) for trouble in known if trouble.cause != known[0].cause)][:_TOLD]
    return Reason("; ".join(texts), _of_template(known[0].remedy))


def _of_template(remedy: str) -> str:
    text = remedy.replace("the chart's ServiceAccount is missing: let Helm write it again, or ", "its ServiceAccount is missing: ")
    return text.replace("in the chart values", "in its template").replace("the chart values", "its template")


def _about(events: Iterable[Object], kind: str, name: str, pods: Sequence[Object]) -> list[Object]:
    """Return the Events about these pods and their workload: a namespace has those of its neighbours too."""
    names = {pod["metadata"]["name"] for pod in pods}
    found = []
    for event in events:
        about = event.get("involvedObject") or {}
        if about.get("name") in names if about.get("kind") == "Pod" else (about.get("kind"), about.get("name")) == (kind, name):
            found.append(event)
    return found


def _quietly(read: Callable[[], Iterable[Object]]) -> list[Object]:
    try:
        return [*read()]
    except KubeError:
        return []
