# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods a refresh has to replace, and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import PodFacts, State
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import parse, restart_id

_MISSING = "has no sidecar, new pods get one"
_UNEXPECTED = "has a sidecar, new pods get none"
_STALE = "has another sidecar than new pods get"
_CONFIGURATION = "was started with another configuration of the sidecar"
_ABSENT = "still has a sidecar"
_OLDER = "was started before this restart"


class Need(NamedTuple):
    """What pods are measured by.

    ``fingerprint`` is what the tokens of pods are compared with; empty where pods cannot be expected to have one. ``restart`` is the id
    of a restart that has a name, ``began`` the time after which pods were created since a restart without a name began.
    """

    state: State
    fingerprint: str = ""
    restart: str = ""
    began: str = ""


def need_of(state: State, token: str, began: str, fingerprint: str = "") -> Need:
    """Return the need that options state, for pods whose template has this fingerprint."""
    return Need(state, fingerprint, restart_id(token), began)


def reason_to_replace(pod: PodFacts, need: Need) -> str:
    """Say why a pod has to be replaced; empty when it may stay."""
    if need.state == "absent":
        return _ABSENT if pod.verdict.has_sidecar else ""
    if need.state == "restarted":
        return _OLDER if pod.verdict.has_sidecar and not _restarted(pod, need) else ""
    return _not_current(pod, need)


def _restarted(pod: PodFacts, need: Need) -> bool:
    if need.restart:
        return bool(pod.token) and parse(pod.token).restart == need.restart
    # Timestamps of one API server in its one format compare as texts.
    return bool(need.began) and pod.created > need.began


def _not_current(pod: PodFacts, need: Need) -> str:
    state, reason = pod.verdict
    if state == "stale":
        return reason or _STALE
    if state == "missing":
        return reason or _MISSING
    if state == "unexpected":
        return reason or _UNEXPECTED
    # Pods that were never restarted by a refresh are taken for what they look like.
    if state == "current" and need.fingerprint and pod.token and parse(pod.token).fingerprint != need.fingerprint:
        return _CONFIGURATION
    return ""


def summary(reasons: Iterable[str]) -> str:
    """Return the most frequent reason, with how many others there are."""
    counted = Counter(reasons).most_common()
    more = len(counted) - 1
    return counted[0][0] + (f" (and {more} other reason{'' if more == 1 else 's'})" if more else "")
