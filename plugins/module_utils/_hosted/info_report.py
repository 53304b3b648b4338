# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosted_cluster_info returns about one hosted cluster: what was read, in public words. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.conditions import hosted_cluster_conditions
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import api_hostname, hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_findings import cluster_findings, verdict
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_machines import judged_machines, machines_summary
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_names import dns_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pause import pause_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_pools import pools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, name_of, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.obstacles import karpenter_signs, restore_url
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import stopped_by
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.writers import field_managers, writers

Object = dict[str, Any]


def cluster_report(facts: Facts, now: datetime, *, machines: bool) -> dict[str, Any]:
    """Return one entry of ``hosted_clusters``; with ``machines`` it has a row for each machine, else only for those that are not whole."""
    inventory = facts.inventory
    pause = pause_of(inventory.hosted_cluster, now)
    conditions = hosted_cluster_conditions(inventory.hosted_cluster, paused=pause.paused)
    found_pools = pools(inventory, now)
    judged = judged_machines(inventory, facts.nodes, facts.instances)
    findings = cluster_findings(facts, conditions, found_pools, judged, now)
    return {
        **summary(inventory, now),
        "conditions": conditions.as_dict(),
        "node_pools": [pool.as_dict() for pool in found_pools],
        "control_plane": _control_plane(inventory),
        "machines": machines_summary(judged, everything=machines),
        "etcd": None if facts.etcd is None else _etcd(inventory, facts.etcd, conditions.status_of("EtcdAvailable")),
        "dns": dns_rows(hostnames(inventory), facts.records),
        "private_link": [_endpoint(item) for item in inventory.of("awsendpointservices")],
        "autonode": karpenter_signs(inventory),
        "writers": [writer.as_dict() for writer in writers(inventory)],
        "field_managers": sorted(field_managers([inventory.hosted_cluster, *inventory.node_pools])),
        "can_move": verdict(findings, facts.parts),
        "findings": [finding.as_dict() for finding in findings],
    }


def summary(inventory: Inventory, now: datetime) -> dict[str, Any]:
    """Return what the HostedCluster itself tells, which is all that a brief look has."""
    target, spec = inventory.target, inventory.spec
    prior, url = stopped_by(inventory), restore_url(inventory.hosted_cluster)
    return {
        "name": target.name,
        "namespace": target.namespace,
        "control_plane_namespace": target.control_plane_namespace,
        "identity": {
            "infra_id": inventory.infra_id,
            "cluster_id": str(spec.get("clusterID") or ""),
            "issuer": str(spec.get("issuerURL") or ""),
            "api_url": api_url(inventory.hosted_cluster),
            "base_domain": str(mapping(spec, "dns").get("baseDomain") or ""),
        },
        "versions": _versions(inventory),
        "platform": {
            "type": str(mapping(spec, "platform").get("type") or ""),
            "region": str(mapping(spec, "platform", "aws").get("region") or ""),
            "endpoint_access": str(mapping(spec, "platform", "aws").get("endpointAccess") or ""),
            "availability": str(spec.get("controllerAvailabilityPolicy") or ""),
        },
        "paused": {**pause_of(inventory.hosted_cluster, now).as_dict(), "cluster_api": _cluster_api_paused(inventory)},
        "stopped": None if prior is None else {"run_id": prior.run_id, "since": prior.time, "replicas": dict(prior.replicas)},
        "restored_from": url or None,
        "neighbours": [neighbour.annotated for neighbour in inventory.neighbours],
    }


def api_url(hosted_cluster: Object) -> str:
    """Return where the API of the hosted cluster is: as the status says, or else as the spec wants it."""
    endpoint = mapping(hosted_cluster, "status", "controlPlaneEndpoint")
    if endpoint.get("host"):
        return f"https://{endpoint['host']}:{endpoint.get('port') or 443}"
    hostname = api_hostname(hosted_cluster)
    return f"https://{hostname}" if hostname else ""


def _versions(inventory: Inventory) -> dict[str, Any]:
    status = mapping(inventory.hosted_cluster, "status", "version")
    history = status.get("history") or []
    done: Object = next((entry for entry in history if entry.get("state") == "Completed"), {})
    return {
        "release_image": str(mapping(inventory.spec, "release").get("image") or ""),
        "version": str(done.get("version") or ""),
        "desired": str(mapping(status, "desired").get("version") or ""),
        "control_plane": None if inventory.control_plane is None else str(mapping(inventory.control_plane, "status").get("version") or ""),
        "apis": dict(inventory.versions),
    }


def _cluster_api_paused(inventory: Inventory) -> bool | None:
    """None: not read. Whether Cluster API leaves all machines alone, whatever their NodePools say."""
    clusters = inventory.of("clusters")
    return bool(mapping(clusters[0], "spec").get("paused")) if clusters else None


def _control_plane(inventory: Inventory) -> dict[str, Any]:
    workloads = (*inventory.deployments, *inventory.stateful_sets)
    rows = {name_of(item): (int(mapping(item, "status").get("readyReplicas") or 0), replicas_of(item)) for item in workloads}
    return {
        "workloads": len(rows),
        "stopped": sorted(name for name, (_ready, wanted) in rows.items() if wanted == 0),
        "not_ready": {name: f"{ready}/{wanted}" for name, (ready, wanted) in sorted(rows.items()) if ready < wanted},
    }


def _etcd(inventory: Inventory, state: EtcdState, condition: str) -> dict[str, Any]:
    return {
        "replicas": replicas_of(inventory.etcd) if inventory.etcd is not None else 0,
        "one_cluster": state.one_cluster,
        "condition": condition,
        "members": [
            {
                "pod": member.pod,
                "member_id": member.member_id,
                "cluster_id": member.cluster_id,
                "name": member.name,
                "version": member.version,
                "leader": member.leader,
                "healthy": member.healthy,
                "db_size": member.db_size,
                "db_in_use": member.db_in_use,
                "revision": member.revision,
                "alarms": list(member.alarms),
                "members_known": len(member.member_ids),
                "error": member.error,
            }
            for member in state.members
        ],
    }


def _endpoint(item: Object) -> dict[str, Any]:
    status = mapping(item, "status")
    return {
        "name": name_of(item),
        "endpoint_id": str(status.get("endpointID") or ""),
        "endpoint_service": str(status.get("endpointServiceName") or ""),
        "names": [str(name) for name in status.get("dnsNames") or ()],
    }
