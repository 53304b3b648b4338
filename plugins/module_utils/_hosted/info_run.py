# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosted_cluster_info does: one hosted cluster in full, or all of a management cluster in brief."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_brief import brief_report, read_brief
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_facts import DNS, INSTANCES
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_findings import ordered
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_reading import HostedReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_report import cluster_report
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_surroundings import operator_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import ExternalDns, Management, Workload, read_management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import OPERATOR_NAMESPACE, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_NAMESPACE = "clusters"


def look(module: LifecycleModule) -> dict[str, Any]:
    """Read what the options ask for, and return the result. Raises Refused for a hosted cluster that is not there, and KubeError."""
    started = time.monotonic()
    now = datetime.now(UTC)
    found = _one(module, now) if module.params["name"] else _all(module, now)
    connection = module.connection
    return {**found, "cluster": {"server": connection.server, "uid": connection.uid}, "duration": round(time.monotonic() - started, 3)}


def _one(module: LifecycleModule, now: datetime) -> dict[str, Any]:
    options = module.params
    aws = Aws(options, name=module.name)
    if {INSTANCES, DNS} & {*options["include"]}:
        # Without credentials the parts that need them are not read, and tell why.
        with contextlib.suppress(LifecycleError):
            module.protect_values(aws.secrets)
    target = Target(options["namespace"] or _NAMESPACE, options["name"])
    module.progress.line(f"reading hosted cluster {target.annotated}")
    reader = HostedReader(module.connection, aws, options["zone_id"], module.tmpdir, module.name, module.protect_values)
    facts = reader.read(target, options["include"])
    return _result([cluster_report(facts, now, machines=options["machines"])], facts.management, [], brief=False)


def _all(module: LifecycleModule, now: datetime) -> dict[str, Any]:
    api, namespace = module.connection.api, module.params["namespace"]
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="management") as beside:
        management = beside.submit(read_management, api)
        inventories = read_brief(api, namespace)
        found = management.result()
    missing = [] if inventories is not None else [_without_types(module.connection.server)]
    return _result([brief_report(inventory, found, now) for inventory in inventories or ()], found, missing, brief=True)


def _result(clusters: list[dict[str, Any]], management: Management, more: Iterable[Finding], *, brief: bool) -> dict[str, Any]:
    findings = [finding.as_dict() for finding in ordered([*more, *operator_findings(management), *_unread(management)])]
    counted = Counter(finding["severity"] for part in (findings, *(cluster["findings"] for cluster in clusters)) for finding in part)
    return {
        "changed": False,
        "brief": brief,
        "hosted_clusters": clusters,
        "management": management_report(management),
        "findings": findings,
        "summary": {
            "hosted_clusters": len(clusters),
            "errors": counted["error"],
            "warnings": counted["warning"],
            "infos": counted["info"],
        },
    }


def management_report(management: Management) -> dict[str, Any]:
    """Return the management cluster's own part of the result."""
    return {
        "operator": None if management.operator is None else _workload(management.operator),
        "external_dns": None if management.external_dns is None else _external_dns(management.external_dns),
        "oidc_buckets": [bucket._asdict() for bucket in management.oidc_buckets],
    }


def _workload(workload: Workload) -> dict[str, Any]:
    return {"image": workload.image, "replicas": workload.replicas, "ready": workload.ready}


def _external_dns(found: ExternalDns) -> dict[str, Any]:
    return {
        **_workload(found.workload),
        "provider": found.provider,
        "owner_id": found.owner_id,
        "domains": list(found.domains),
        "policy": found.policy,
        "deletes": found.deletes,
        "registry": found.registry,
        "txt_prefix": found.txt_prefix,
        "txt_suffix": found.txt_suffix,
        "zone_type": found.zone_type,
        "sources": list(found.sources),
        "interval": found.interval,
        "cache_interval": found.cache_interval,
    }


def _unread(management: Management) -> Iterable[Finding]:
    unreadable: Mapping[str, str] = management.unreadable
    for what, why in sorted(unreadable.items()):
        yield Finding(
            "warning",
            "part-not-read",
            ObjectRef("Namespace", OPERATOR_NAMESPACE),
            f"{what}: {why}",
            "this part of the report is unknown, not empty",
            "grant the permission (docs/rbac.md has the ClusterRole), or ignore this part",
        )


def _without_types(server: str) -> Finding:
    return Finding(
        "warning",
        "hypershift-missing",
        ObjectRef("Cluster", server),
        "the type HostedCluster does not exist here",
        "HyperShift is not installed: this is no management cluster",
        "check that the connection is to the management cluster, not to a hosted cluster",
    )
