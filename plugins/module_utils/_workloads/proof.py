# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the pods of a workload are what they were replaced for: READY alone is never the proof. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import SidecarRules, State, Verdict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import is_ready

Object = Mapping[str, Any]

_ENDED = ("Succeeded", "Failed")
_NAMED = 3


class Proof(NamedTuple):
    """``proven``, ``waiting`` (time may help) or ``wrong``; ``pods`` are the good ones, ``code`` names what is wrong."""

    state: Literal["proven", "waiting", "wrong"]
    message: str = ""
    pods: int = 0
    code: str = ""


def prove(pods: Iterable[Object], rules: SidecarRules, state: State, is_new: Callable[[Object], bool]) -> Proof:
    """Judge the raw pods of one workload.

    Pods that are deleted or have ended are passed over. A pod of the earlier template is waited for, and so is one that is not ready;
    a new one with the wrong sidecar, or without one, is wrong at once.
    """
    old, unready, good = [], [], 0
    wrong: list[tuple[str, Verdict]] = []
    for pod in pods:
        if not lives(pod):
            continue
        name = str(pod["metadata"]["name"])
        if not is_new(pod):
            old.append(name)
            continue
        verdict = rules.judge(pod)
        if not right(verdict, state):
            wrong.append((name, verdict))
        elif not is_ready(pod):
            unready.append(name)
        else:
            good += 1
    if wrong:
        return Proof("wrong", f"{_names([name for name, _verdict in wrong])}: {_said(wrong[0][1])}", good, wrong_code(wrong[0][1], state))
    if old:
        return Proof("waiting", f"pods of the earlier template are still there: {_names(old)}", good)
    if unready:
        return Proof("waiting", f"not ready: {_names(unready)}", good)
    return Proof("proven", pods=good)


def right(verdict: Verdict, state: State) -> bool:
    """Whether a pod that was replaced may look like this."""
    return not verdict.has_sidecar if state == "absent" else verdict.state in ("current", "outside")


def wrong_code(verdict: Verdict, state: State) -> str:
    """Return the word for what is wrong with a new pod."""
    if state == "absent":
        return "still-injected"
    return {"missing": "created-without-sidecar", "stale": "created-with-other-sidecar"}.get(verdict.state, "created-with-sidecar")


def lives(pod: Object) -> bool:
    """Whether a pod counts: it is not being deleted, and has not ended (evicted by its node, shut down)."""
    return not pod["metadata"].get("deletionTimestamp") and (pod.get("status") or {}).get("phase") not in _ENDED


def controller_uid(item: Object) -> str:
    """Return the uid of what owns an object, or the empty string."""
    owner: Object = next((ref for ref in item["metadata"].get("ownerReferences") or () if ref.get("controller")), {})
    return str(owner.get("uid", ""))


def _said(verdict: Verdict) -> str:
    return verdict.reason or {"missing": "it has no sidecar", "unexpected": "it has a sidecar"}.get(verdict.state, verdict.state)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
