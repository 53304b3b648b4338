# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is to be thought of a hosted cluster, and whether it can be moved as it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import Conditions
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import etcd_findings, etcd_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_facts import ETCD, NODES, PARTS, Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_machines import Machines, machine_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_names import dns_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pools import Pool, pool_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_findings import inventory_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.obstacles import obstacles
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import stopped_by
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_refusals import quiesce_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# The rows of the machines tell these together with what else is wrong with the same machines.
_TOLD_OF_MACHINES = frozenset({"machine-without-node", "aws-machine-without-machine"})
# What is told of any backup, and of a move as well, in other words.
_TOLD_TWICE = frozenset({"control-plane-namespace-shared", "restored-before"})
_ORDER = {"error": 0, "warning": 1, "info": 2}
# Without these nobody knows whether a cluster has control plane and nodes; names and instances are looked at when that is asked for.
_ESSENTIAL = frozenset({ETCD, NODES})
_VITAL = frozenset({"Available", "Degraded", "EtcdAvailable", "InfrastructureReady", "KubeAPIServerAvailable", "ValidOIDCConfiguration"})


def cluster_findings(facts: Facts, conditions: Conditions, pools: tuple[Pool, ...], machines: Machines, now: datetime) -> list[Finding]:
    """Return what was noticed about one hosted cluster that was read in full, the most severe first, each once."""
    inventory, management = facts.inventory, facts.management
    found = [
        *from_refusals(inventory_refusals(inventory)),
        *(finding for finding in inventory_findings(inventory) if finding.code not in _TOLD_OF_MACHINES),
        *from_refusals(quiesce_refusals(inventory)),
        *_of_etcd(facts),
        *condition_findings(inventory, conditions),
        *pool_findings(inventory, pools),
        *machine_findings(inventory, machines),
        *dns_findings(inventory, hostnames(inventory), management, facts.records),
        *obstacles(inventory, management, now),
        *_unread(facts),
    ]
    return ordered(found)


def ordered(found: Iterable[Finding]) -> list[Finding]:
    """Return findings, the most severe first, each once."""
    first: dict[tuple[str, ObjectRef, str], Finding] = {}
    for finding in found:
        first.setdefault((finding.code, finding.object, "" if finding.code in _TOLD_TWICE else finding.what), finding)
    return sorted(first.values(), key=lambda finding: _ORDER[finding.severity])


def from_refusals(refusals: Iterable[Refusal]) -> Iterator[Finding]:
    """Yield what a backup or a move is refused for, as findings."""
    for refusal in refusals:
        yield Finding("error", refusal.code, refusal.object, refusal.what, refusal.why, refusal.next)


def verdict(found: Iterable[Finding], checked: Mapping[str, bool]) -> dict[str, Any]:
    """Return whether the cluster can be moved as it is: no with an error, unknown where something essential was not looked at."""
    told = [*found]
    unchecked = [part for part in PARTS if not checked.get(part)]
    errors = list(dict.fromkeys(finding.code for finding in told if finding.severity == "error"))
    return {
        "verdict": "no" if errors else "unknown" if _ESSENTIAL & {*unchecked} else "yes",
        "obstacles": errors,
        "cautions": list(dict.fromkeys(finding.code for finding in told if finding.severity == "warning")),
        "unchecked": unchecked,
    }


def condition_findings(inventory: Inventory, conditions: Conditions) -> Iterator[Finding]:
    """Yield which conditions of the HostedCluster are not as they are when all is well; of a stopped one, only to be known."""
    target = inventory.target
    stopped = stopped_by(inventory) is not None
    for condition in conditions.wrong:
        severity: Severity = "error" if condition.type in _VITAL else "warning"
        yield Finding(
            "info" if stopped else severity,
            "hosted-cluster-condition",
            target.ref,
            f"{condition.type} is {condition.status} and not {condition.expected}: "
            f"{': '.join(part for part in (condition.reason, condition.message) if part) or 'no reason is given'}",
            "that is not how a hosted cluster is when all is well"
            + (" (observed before its spec was last changed)" if condition.stale else ""),
            f"kubectl describe hostedcluster -n {target.namespace} {target.name}",
        )
    if conditions.stale:
        yield Finding(
            "info" if stopped else "warning",
            "conditions-stale",
            target.ref,
            f"{len(conditions.stale)} conditions were observed before the spec was last changed, {conditions.stale[0].type} for one",
            "its operator has not looked at it since: it is paused, busy, or does not run",
            "wait, or look at the operator; what these conditions say may no longer be so",
        )
    history = mapping(inventory.hosted_cluster, "status", "version").get("history") or [{}]
    if history[0].get("state") == "Partial":
        yield Finding(
            "error",
            "upgrade-in-progress",
            target.ref,
            f"its control plane is on the way to {history[0].get('version') or history[0].get('image')}",
            "what is backed up or moved now is neither the one version nor the other",
            "wait until the upgrade is done",
        )


def _of_etcd(facts: Facts) -> Iterator[Finding]:
    inventory, etcd = facts.inventory, facts.etcd
    if etcd is None or inventory.etcd is None:
        return
    replicas = replicas_of(inventory.etcd)
    yield from from_refusals(etcd_refusals(inventory.target, replicas, etcd))
    yield from etcd_findings(inventory.target, replicas, etcd)


def _unread(facts: Facts) -> Iterator[Finding]:
    target = facts.inventory.target
    for part, why in sorted(facts.unread.items()):
        unreachable = part == NODES
        yield Finding(
            "warning",
            "hosted-cluster-not-read" if unreachable else "part-not-read",
            target.ref,
            f"{part}: {why}",
            "this part of the report is unknown, not empty",
            "see to it that the API of the hosted cluster is reached from here, with the kubeconfig in its Secret"
            if unreachable
            else "grant the permission (docs/rbac.md has the ClusterRole), give credentials, or ignore this part",
        )
