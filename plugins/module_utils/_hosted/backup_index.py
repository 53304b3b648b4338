# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of a backup, from what was read and done. Pure; there is no secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import Item
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import hosted_cluster_conditions
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import pause_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    label,
    mapping,
    name_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior, prior_of, stopped_by
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_index import Entry, Index
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding


@dataclass(frozen=True)
class Run:
    """What is known of a run only: its id, when it began (RFC 3339), the management cluster, durations in seconds by step.

    ``kubernetes`` is the version of the management cluster's API server. ``snapshot`` and ``entries`` are empty in check mode.
    """

    run_id: str
    created: str
    cluster: Mapping[str, str]
    kubernetes: str
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    entries: Sequence[Entry] = ()
    findings: Sequence[Finding] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    encryption: Mapping[str, Any] = field(default_factory=dict)


def index_of(state: BackupState, run: Run) -> Index:
    """Return the index; in check mode it has the paths of the objects without sizes and checksums."""
    inventory = state.inventory
    # Of a cluster that was stopped, what it was before: that is what a restore has to bring back.
    prior = prior_of(inventory) if state.request.quiesce else stopped_by(inventory)
    paused = pause_of(inventory.hosted_cluster, datetime.fromisoformat(run.created)).paused
    entries = run.entries or tuple(_planned(item) for item in state.collected.items)
    return Index(
        run_id=run.run_id,
        tool_version=VERSION,
        created=run.created,
        mode="quiesce" if state.request.quiesce else "online",
        cluster=run.cluster,
        hosted_cluster=_identity(inventory, prior),
        versions=_versions(state, run),
        replicas={**_replicas(inventory), **(prior.replicas if prior is not None else {})},
        conditions=[item.as_dict() for item in hosted_cluster_conditions(inventory.hosted_cluster, paused=paused).found],
        node_pools=[_node_pool(pool, prior) for pool in inventory.node_pools],
        machines=[row._asdict() for row in state.collected.instances],
        owners=[edge._asdict() for edge in state.collected.owners],
        dns=_dns(state),
        snapshot=run.snapshot,
        objects=entries,
        left_out=[item._asdict() for item in state.collected.left_out],
        findings=[finding.as_dict() for finding in run.findings],
        durations={name: round(seconds, 3) for name, seconds in run.durations.items()},
        encryption=run.encryption,
        restored_from=bool(_storage(inventory).get("restoreSnapshotURL")),
    )


def _planned(item: Item) -> Entry:
    return Entry(item.path, "", 0, str(item.object.get("kind") or ""), item.evidence)


def _storage(inventory: Inventory) -> dict[str, Any]:
    return mapping(inventory.hosted_cluster, "spec", "etcd", "managed", "storage")


def _replicas(inventory: Inventory) -> dict[str, int]:
    return {name_of(item): replicas_of(item) for item in (*inventory.deployments, *inventory.stateful_sets)}


def _identity(inventory: Inventory, prior: Prior | None) -> dict[str, Any]:
    spec, target = inventory.spec, inventory.target
    endpoint = mapping(inventory.hosted_cluster, "status", "controlPlaneEndpoint")
    return {
        "namespace": target.namespace,
        "name": target.name,
        "control_plane_namespace": target.control_plane_namespace,
        "infra_id": inventory.infra_id,
        "cluster_id": str(spec.get("clusterID") or ""),
        "issuer": str(spec.get("issuerURL") or ""),
        "api_url": f"https://{endpoint['host']}:{endpoint.get('port', 443)}" if endpoint.get("host") else "",
        "release": str(mapping(spec, "release").get("image") or ""),
        "availability": str(spec.get("controllerAvailabilityPolicy") or ""),
        "platform": str(mapping(spec, "platform").get("type") or ""),
        "region": str(mapping(spec, "platform", "aws").get("region") or ""),
        "endpoint_access": str(mapping(spec, "platform", "aws").get("endpointAccess") or ""),
        "paused_until": prior.paused_until if prior is not None else spec.get("pausedUntil"),
    }


def _versions(state: BackupState, run: Run) -> dict[str, Any]:
    history = mapping(state.inventory.hosted_cluster, "status", "version").get("history") or []
    completed = [entry.get("version") for entry in history if entry.get("state") == "Completed"]
    operator = state.management.operator
    return {
        "kubernetes": run.kubernetes,
        "hosted_cluster": str(completed[0]) if completed else "",
        "operator_image": operator.image if operator else "",
        "etcd": sorted({member.version for member in state.etcd.members if member.version}),
        "api": dict(state.inventory.versions),
    }


def _node_pool(pool: dict[str, Any], prior: Prior | None) -> dict[str, Any]:
    spec, name = mapping(pool, "spec"), name_of(pool)
    known = prior is not None and name in prior.node_pools
    return {
        "name": name,
        "replicas": spec.get("replicas"),
        "autoscaling": mapping(spec, "autoScaling") or None,
        "current": mapping(pool, "status").get("replicas"),
        "upgrade_type": mapping(spec, "management").get("upgradeType"),
        "auto_repair": bool(mapping(spec, "management").get("autoRepair")),
        "paused_until": prior.node_pools[name] if prior is not None and known else spec.get("pausedUntil"),
        "release": str(mapping(spec, "release").get("image") or ""),
        "infra": label(pool, f"{HYPERSHIFT}/auto-created-for-infra"),
    }


def _dns(state: BackupState) -> dict[str, Any]:
    external = state.management.external_dns
    return {
        "hostnames": [hostname.name for hostname in hostnames(state.inventory)],
        "owner_id": external.owner_id if external else "",
        "domains": list(external.domains) if external else [],
        "policy": external.policy if external else "",
        "txt_suffix": external.txt_suffix if external else "",
        "txt_prefix": external.txt_prefix if external else "",
        "oidc_buckets": list(state.management.oidc_bucket_names),
    }
