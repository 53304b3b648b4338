# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a workload has replaced its pods: the rollout status of each kind, and what became of the mark that began it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import FIELD_MANAGER
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout, replicas, rollout_status

Object = Mapping[str, Any]

# Phase of a DeploymentConfig's ReplicationController: New, Pending, Running, Complete or Failed.
RC_PHASE = "openshift.io/deployment.phase"
_KUBERNETES = ("Deployment", "StatefulSet", "DaemonSet")
_DEFAULT_GRACE = 30


def template_token(workload: Object) -> str:
    """Return the annotation TOKEN of a workload's pod template, or the empty string."""
    metadata = ((workload.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(TOKEN, ""))


def mark_lost(workload: Object, mark: str) -> str:
    """Say what became of the mark that began the replacement, when it is not there any more; else the empty string.

    There is no mark where somebody else's change replaces the pods.
    """
    kind = workload.get("kind")
    if kind in _KUBERNETES and mark and template_token(workload) != mark:
        return f"the annotation {TOKEN} of its pod template is not ours any more"
    if kind == "Rollout":
        spec = workload.get("spec") or {}
        if "T" in mark and str(spec.get("restartAt") or "") != mark:
            return "its spec.restartAt is not ours any more"
    return ""


def status_of(workload: Object, mark: str, controllers: Mapping[str, Object]) -> Rollout:
    """Return how far a workload is; ``controllers`` are the namespace's ReplicationControllers by name (for a DeploymentConfig)."""
    kind, spec = workload.get("kind"), workload.get("spec") or {}
    if spec.get("paused") and kind == "Deployment":
        return Rollout("failed", "it was paused")
    if kind in _KUBERNETES:
        return rollout_status(workload)
    if kind == "DeploymentConfig":
        return _deployment_config(workload, mark, controllers)
    return _rollout(workload, mark)


def counts_of(workload: Object) -> Replicas:
    """Return the pod counts of any kind that has them in its status."""
    if workload.get("kind") == "DaemonSet":
        return replicas(workload)
    status = workload.get("status") or {}
    desired = (workload.get("spec") or {}).get("replicas")
    numbers = (int(status.get(name) or 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return Replicas(1 if desired is None else int(desired), *numbers)


def desired_pods(workload: Object) -> int | None:
    """Return how many pods a workload wants, None when its kind does not say."""
    if workload.get("kind") == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled") or 0)
    wanted = (workload.get("spec") or {}).get("replicas")
    return None if wanted is None else int(wanted)


def quiet_seconds(workload: Object) -> float:
    """Return how long nothing may be seen to change although all is well: pods end slowly, or must be ready for a while."""
    spec = workload.get("spec") or {}
    grace = ((spec.get("template") or {}).get("spec") or {}).get("terminationGracePeriodSeconds")
    slow = max(0, int(_DEFAULT_GRACE if grace is None else grace) - _DEFAULT_GRACE)
    return float(slow + int(spec.get("minReadySeconds") or 0))


def exhausted_budget(workload: Object, budgets: Iterable[Object]) -> str:
    """Return the name of the PodDisruptionBudget of these that selects the workload's pods and allows no disruption, or nothing."""
    labels = (((workload.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {}
    for budget in budgets:
        selector = (budget.get("spec") or {}).get("selector") or {}
        # Those with expressions are not told by name; their evictions wait all the same.
        chosen = selector.get("matchLabels") and not selector.get("matchExpressions") and selector["matchLabels"].items() <= labels.items()
        if chosen and not (budget.get("status") or {}).get("disruptionsAllowed"):
            return str(budget["metadata"]["name"])
    return ""


def partition_of(workload: Object) -> int:
    """Return the ordinal below which a StatefulSet keeps its pods, 0 for all other workloads."""
    if workload.get("kind") != "StatefulSet":
        return 0
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def stamp_of(workload: Object) -> str:
    """Return when we have written to a workload last, on the API server's clock; the empty string when that is not recorded."""
    times = [str(entry.get("time") or "") for entry in _entries(workload) if entry.get("manager") == FIELD_MANAGER]
    return max(times, default="")


def writers(workload: Object, stamp: str) -> str:
    """Say who may have taken our field away: who has written since ``stamp``, else whose the pod template is.

    Who only takes a field away gets no entry in managedFields (kubernetes apimachinery managedfields/internal/managedfieldsupdater.go:
    an update that takes no field leaves no trace).
    """
    others = [entry for entry in _entries(workload) if not entry.get("subresource") and entry.get("manager") != FIELD_MANAGER]
    since = sorted({str(entry["manager"]) for entry in others if stamp and str(entry.get("time") or "") >= stamp})
    if since:
        return f"{' and '.join(since)} changed the workload since"
    owners = sorted({str(entry["manager"]) for entry in others if "f:template" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})})
    told = "the API server does not record who takes a field away"
    return f"{told}; its pod template is written by {' and '.join(owners)}" if owners else told


def _entries(workload: Object) -> Sequence[Object]:
    return workload["metadata"].get("managedFields") or ()


def _deployment_config(config: Object, mark: str, controllers: Mapping[str, Object]) -> Rollout:
    """Source: openshift/oc pkg/helpers/originpolymorphichelpers/rollout_status.go."""
    name, latest = config["metadata"]["name"], int((config.get("status") or {}).get("latestVersion") or 0)
    if latest < int(mark or 0):
        return Rollout("waiting", f"Waiting for version {mark} of {name} to be made...")
    controller = controllers.get(f"{name}-{latest}")
    if controller is None:
        return Rollout("waiting", f"Waiting for {name}-{latest} to be made...")
    phase = str((controller["metadata"].get("annotations") or {}).get(RC_PHASE, ""))
    if phase == "Failed":
        return Rollout("failed", f'replication controller "{name}-{latest}" has failed progressing')
    if phase == "Complete":
        return Rollout("done", f'replication controller "{name}-{latest}" successfully rolled out')
    count = counts_of(config)
    return Rollout("waiting", f"Waiting for {name}-{latest}: {count.available} of {count.desired} replicas are available...")


def _rollout(rollout: Object, mark: str) -> Rollout:
    """An Argo Rollout has restarted when all its pods are newer. Source: argoproj/argo-rollouts rollout/restart.go."""
    status, count = rollout.get("status") or {}, counts_of(rollout)
    if str(status.get("restartedAt") or "") != mark and "T" in mark:
        return Rollout("waiting", "Waiting for its pods to be restarted...")
    if count.available < count.desired:
        return Rollout("waiting", f"Waiting for its pods: {count.available} of {count.desired} are available...")
    return Rollout("done", "its pods are restarted")
