# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evicts one pod: what the API server answers, in five words.

Source: kubernetes pkg/registry/core/pod/storage/eviction.go, kubectl pkg/drain/drain.go.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    BudgetExhausted,
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD

# How long to wait before an eviction is tried again, as kubectl drain does.
RETRY_SECONDS = 5.0
_MORE_THAN_ONE = "more than one PodDisruptionBudget"


class Eviction(NamedTuple):
    """``evicted``: it goes. ``gone``: it (or the pod with this uid) was not there any more. ``budget``: not now, ``text`` is the name of
    the PodDisruptionBudget. ``unknown``: the answer was lost, look again. ``refused``: ``text`` says why and ``remedy`` what to do."""

    answer: Literal["evicted", "gone", "budget", "unknown", "refused"]
    text: str = ""
    remedy: str = ""
    code: str = ""


def evict(api: Api, namespace: str, name: str, uid: str) -> Eviction:
    """Ask for the eviction of the pod with this uid; raises nothing that belongs to this one pod (only Unauthorized and the like)."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    }
    try:
        api.post(POD, name, namespace, "eviction", body)
    except BudgetExhausted as error:
        return Eviction("budget", error.budget or "(unnamed)")
    except (NotFound, Conflict):
        return Eviction("gone")
    except Forbidden as error:
        if any(cause.get("reason") == "NamespaceTerminating" for cause in error.status_details.get("causes") or ()):
            return Eviction("evicted")
        return Eviction("refused", str(error), error.next, "write-refused")
    except KubeError as error:
        if _MORE_THAN_ONE in error.message:
            remedy = f"leave one PodDisruptionBudget that selects the pod (kubectl get pdb -n {namespace}), then run the same command again"
            return Eviction(
                "refused", f"more than one PodDisruptionBudget selects pod {name}: it can never be evicted", remedy, "budgets-overlap"
            )
        if error.uncertain:
            return Eviction("unknown", str(error))
        return Eviction("refused", str(error), error.next, "write-refused")
    return Eviction("evicted")
