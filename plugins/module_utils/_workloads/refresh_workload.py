# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw owners of pods reduced to what decides how they replace them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DAEMONSET, DEPLOYMENT, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.controllers import ARGO_ROLLOUT, DEPLOYMENT_CONFIG
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Object, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout, replicas, rollout_status

REVISION = "deployment.kubernetes.io/revision"
# What no pod carries: the pods of the present template were not created yet.
NO_REVISION = "(none)"
_GENERATION = "deprecated.daemonset.template.generation"


def workload(item: Object, kind: Kind, newest: str = "", template: Object | None = None) -> Workload:
    """Reduce a raw Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Argo Rollout or DeploymentConfig.

    ``newest`` is the ``pod-template-hash`` of a Deployment's newest ReplicaSet, which the Deployment itself does not tell.
    ``template`` stands in for an own one (an Argo Rollout may refer to a Deployment's).
    """
    metadata, spec = item["metadata"], item.get("spec") or {}
    own = template or spec.get("template") or {}
    found = Workload(
        ref=ObjectRef(kind.kind, metadata["name"], metadata["namespace"]),
        kind=kind,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        template={**own, "metadata": {**(own.get("metadata") or {}), "namespace": metadata["namespace"]}},
        token=((own.get("metadata") or {}).get("annotations") or {}).get(TOKEN, ""),
        counts=_replicas(item),
    )
    add = _DETAILS.get(kind)
    return add(found, item, newest) if add is not None else found


def _deployment(found: Workload, item: Object, newest: str) -> Workload:
    spec = item["spec"]
    status = rollout_status(item)
    condition = _progressing(item)
    # The condition outlives a later pod that is not ready: the rollout itself was finished.
    if _observed(item) and condition.get("reason") == "NewReplicaSetAvailable" and not spec.get("paused"):
        status = Rollout("done", status.message)
    return found._replace(
        revision=(newest or NO_REVISION) if _observed(item) else "",
        strategy=(spec.get("strategy") or {}).get("type", "RollingUpdate"),
        paused=bool(spec.get("paused")),
        rollout=status,
    )


def _stateful_set(found: Workload, item: Object, _newest: str) -> Workload:
    spec, status = item["spec"], item.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type", "RollingUpdate")
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    rollout = rollout_status(item) if kind == "RollingUpdate" else Rollout("done", "")
    update = status.get("updateRevision", "")
    # The controller makes them equal when all pods of the new revision were ready (stateful_set_utils.go completeRollingUpdate).
    if _observed(item) and update and update == status.get("currentRevision"):
        rollout = Rollout("done", rollout.message)
    return found._replace(
        revision=update if _observed(item) else "",
        strategy=kind,
        partition=first + partition if partition and kind == "RollingUpdate" else 0,
        rollout=rollout,
    )


def _daemon_set(found: Workload, item: Object, _newest: str) -> Workload:
    kind = (item["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    generation = (item["metadata"].get("annotations") or {}).get(_GENERATION, "")
    return found._replace(
        revision=generation if _observed(item) else "",
        strategy=kind,
        rollout=rollout_status(item) if kind == "RollingUpdate" else Rollout("done", ""),
    )


def _argo_rollout(found: Workload, item: Object, _newest: str) -> Workload:
    """``token`` is the time of the last restart that was asked for (argo-rollouts rollout/restart.go)."""
    asked = str((item.get("spec") or {}).get("restartAt") or "")
    done = str((item.get("status") or {}).get("restartedAt") or "")
    waiting = Rollout("waiting", f"pods older than {asked} are being replaced")
    return found._replace(token=asked, rollout=waiting if asked and asked != done else Rollout("done", ""))


def _deployment_config(found: Workload, item: Object, _newest: str) -> Workload:
    """``revision`` is the name of the newest ReplicationController (openshift/oc pkg/cli/rollout/latest.go)."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    return found._replace(
        token="",
        revision=f"{found.ref.name}-{status['latestVersion']}" if status.get("latestVersion") and _observed(item) else "",
        strategy=(spec.get("strategy") or {}).get("type", "Rolling"),
        paused=bool(spec.get("paused")),
        rollout=_deployment_config_rollout(item, found.counts),
    )


def _deployment_config_rollout(item: Object, counts: Replicas) -> Rollout:
    reason = _progressing(item).get("reason", "")
    if reason == "NewReplicationControllerAvailable" and _observed(item):
        return Rollout("done", "the newest rollout is complete")
    if reason in ("ProgressDeadlineExceeded", "RolloutCancelled"):
        return Rollout("failed", f"the newest rollout has ended with {reason}")
    if _observed(item) and not reason and counts.updated >= counts.desired and counts.available >= counts.desired:
        return Rollout("done", "all replicas are updated and available")
    return Rollout("waiting", f"{counts.updated} out of {counts.desired} new replicas have been updated")


_DETAILS: dict[Kind, Callable[[Workload, Object, str], Workload]] = {
    DEPLOYMENT: _deployment,
    STATEFULSET: _stateful_set,
    DAEMONSET: _daemon_set,
    ARGO_ROLLOUT: _argo_rollout,
    DEPLOYMENT_CONFIG: _deployment_config,
}


def _replicas(item: Object) -> Replicas:
    """Return the counts; kinds with the fields of a Deployment have its names for them."""
    return replicas(item)


def _observed(item: Object) -> bool:
    """Whether the controller has seen the present specification."""
    status = item.get("status") or {}
    seen = status.get("observedGeneration")
    # Argo Rollouts before 1.0 write a hash here.
    return not isinstance(seen, int) or seen >= int(item["metadata"].get("generation") or 0)


def _progressing(item: Object) -> Mapping[str, Any]:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition.get("type") == "Progressing"), {})
