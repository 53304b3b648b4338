# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node pools of a hosted cluster: how many machines each wants, has and has ready, and whether it is being rolled. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import (
    TRUE,
    UPDATING,
    Conditions,
    node_pool_conditions,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import Pause, pause_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    annotation,
    mapping,
    metadata_of,
    name_of,
    ref_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import NODE_POOL_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = dict[str, Any]

_REPLACE = "Replace"


@dataclass(frozen=True)
class Pool:
    """A NodePool. ``desired`` is None when an autoscaler decides and its decision was not read, ``ready`` when that was not."""

    ref: ObjectRef
    desired: int | None
    current: int
    ready: int | None
    autoscaling: dict[str, Any] | None
    upgrade_type: str
    auto_repair: bool
    instance_type: str
    version: str
    pause: Pause
    conditions: Conditions
    being_deleted: bool
    rolling: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "name": self.ref.name,
            "desired": self.desired,
            "current": self.current,
            "ready": self.ready,
            "autoscaling": self.autoscaling,
            "upgrade_type": self.upgrade_type,
            "auto_repair": self.auto_repair,
            "instance_type": self.instance_type,
            "version": self.version,
            "paused": self.pause.as_dict(),
            "conditions": self.conditions.as_dict(),
            "being_deleted": self.being_deleted,
            "rolling": list(self.rolling),
        }


def pools(inventory: Inventory, now: datetime) -> tuple[Pool, ...]:
    """Return the node pools; ``now`` is aware."""
    return tuple(_pool(inventory, item, now) for item in inventory.node_pools)


def pool_findings(inventory: Inventory, found: tuple[Pool, ...]) -> Iterator[Finding]:
    """Yield what was noticed about them."""
    for pool in found:
        if pool.rolling:
            yield Finding(
                "error",
                "node-pool-updating",
                pool.ref,
                f"its machines are being replaced or changed: {'; '.join(pool.rolling)}",
                "machines come and go meanwhile, and a backup or move would have some of them twice or not at all",
                "wait until it is done",
            )
        wanted = pool.current if pool.desired is None else pool.desired
        ready = pool.current if pool.ready is None else pool.ready
        if not pool.rolling and (pool.current != wanted or ready < wanted):
            yield Finding(
                "warning",
                "node-pool-incomplete",
                pool.ref,
                f"wants {wanted} machines, has {pool.current}, {ready} of them ready",
                "what is missing before a move is missing after it",
                f"kubectl get nodepool -n {pool.ref.namespace} {pool.ref.name} -o yaml shows its conditions",
            )
        for condition in pool.conditions.wrong:
            if condition.type not in UPDATING:
                yield Finding(
                    "warning",
                    "node-pool-condition",
                    pool.ref,
                    f"{condition.type} is {condition.status} and not {condition.expected}: "
                    f"{': '.join(part for part in (condition.reason, condition.message) if part) or 'no reason is given'}",
                    "that is not how a node pool is when all is well"
                    + (" (observed before its spec was last changed)" if condition.stale else ""),
                    f"kubectl describe nodepool -n {pool.ref.namespace} {pool.ref.name}",
                )
    yield from _of_health_checks(inventory)


def _pool(inventory: Inventory, item: Object, now: datetime) -> Pool:
    spec, status, pause = mapping(item, "spec"), mapping(item, "status"), pause_of(item, now)
    autoscaling = mapping(spec, "autoScaling") or None
    conditions = node_pool_conditions(item, paused=pause.paused)
    owner = _replicated(inventory, item)
    desired = spec.get("replicas") if autoscaling is None else (replicas_of(owner) if owner else None)
    return Pool(
        ref=ref_of(item),
        desired=None if desired is None and autoscaling else int(desired or 0),
        current=int(status.get("replicas") or 0),
        ready=None if owner is None else int(mapping(owner, "status").get("readyReplicas") or 0),
        autoscaling=autoscaling,
        upgrade_type=str(mapping(spec, "management").get("upgradeType") or ""),
        auto_repair=bool(mapping(spec, "management").get("autoRepair")),
        instance_type=str(mapping(spec, "platform", "aws").get("instanceType") or ""),
        version=str(status.get("version") or ""),
        pause=pause,
        conditions=conditions,
        being_deleted=bool(metadata_of(item).get("deletionTimestamp")),
        rolling=tuple(_rolling(inventory, item, conditions)),
    )


def _replicated(inventory: Inventory, pool: Object) -> Object | None:
    """Return the MachineDeployment of a pool, or its MachineSet when it is upgraded in place; both are named as the pool is."""
    plural = "machinedeployments" if mapping(pool, "spec", "management").get("upgradeType", _REPLACE) == _REPLACE else "machinesets"
    return next((item for item in inventory.of(plural) if name_of(item) == name_of(pool) and _is_of(item, pool)), None)


def _is_of(item: Object, pool: Object) -> bool:
    return annotation(item, NODE_POOL_ANNOTATION) == f"{metadata_of(pool).get('namespace')}/{name_of(pool)}"


def _rolling(inventory: Inventory, pool: Object, conditions: Conditions) -> Iterator[str]:
    """Yield what shows that machines of a pool are on their way to another version, configuration or template."""
    for kind in UPDATING:
        if conditions.status_of(kind) == TRUE:
            yield f"{kind} is True"
    deployment = next((item for item in inventory.of("machinedeployments") if _is_of(item, pool)), None)
    if deployment is not None:
        status = mapping(deployment, "status")
        # v1beta1 and v1beta2 of Cluster API.
        updated = status.get("updatedReplicas", status.get("upToDateReplicas"))
        if updated is not None and int(updated) < replicas_of(deployment):
            yield f"{updated} of {replicas_of(deployment)} machines are up to date"
    working = [name_of(item) for item in inventory.of("machinesets") if _is_of(item, pool) and replicas_of(item)]
    if len(working) > 1:
        yield f"MachineSets {' and '.join(working)} have machines"


def _of_health_checks(inventory: Inventory) -> Iterator[Finding]:
    checks = inventory.of("machinehealthchecks")
    if checks:
        reckless = [name_of(item) for item in checks if _most_unhealthy(item) == "100%"]
        yield Finding(
            "warning" if reckless else "info",
            "auto-repair",
            ObjectRef("MachineHealthCheck", (reckless or [name_of(checks[0])])[0], inventory.target.control_plane_namespace),
            f"machines whose nodes are not ready are deleted, by {', '.join(map(name_of, checks))}"
            + (f"; {', '.join(reckless)} would delete all of them at once" if reckless else ""),
            "nodes are not ready for a while when their control plane goes somewhere else, and a paused NodePool does not stop this",
            "a move must pause the Cluster here, and begin there with a long machine-health-check-timeout or without autoRepair",
        )


def _most_unhealthy(check: Object) -> str:
    """As v1beta1 and v1beta2 of Cluster API say it."""
    spec = mapping(check, "spec")
    return str(spec.get("maxUnhealthy", mapping(spec, "remediation", "triggerIf").get("unhealthyLessThanOrEqualTo", "")))
