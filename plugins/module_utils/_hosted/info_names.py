# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who keeps the names of a hosted cluster in DNS, and whether they can be handed over to another management cluster. Pure.

How HyperShift starts external-dns: openshift/hypershift cmd/install/assets/hypershift_operator.go. That a record whose TXT record
names another owner is left alone without a word: kubernetes-sigs/external-dns plan/plan.go, registry/txt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import API_SERVER, Hostname
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import ExternalDns, Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import OPERATOR_NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_EXTERNAL_DNS = ObjectRef("Deployment", "external-dns", OPERATOR_NAMESPACE)


class Record(Protocol):
    """What a DNS zone has for a name (``NameState`` of the AWS room)."""

    @property
    def name(self) -> str:
        """The name that was looked for."""

    @property
    def state(self) -> str:
        """``absent``, ``owned``, ``foreign``, ``unowned`` or ``txt-only``."""

    @property
    def owner(self) -> str:
        """The owner that its TXT record names."""

    @property
    def target(self) -> str:
        """Where it leads."""


def dns_rows(names: Sequence[Hostname], records: Sequence[Record] | None) -> list[dict[str, Any]]:
    """Return one row for each published name; what was not looked up is None."""
    known = {record.name: record for record in records or ()}
    rows = []
    for hostname in names:
        record = known.get(hostname.name)
        rows.append(
            {
                "name": hostname.name,
                "service": hostname.service,
                "told_by": hostname.told_by,
                "state": None if record is None else record.state,
                "owner": None if record is None else record.owner,
                "target": None if record is None else record.target,
            }
        )
    return rows


def dns_findings(
    inventory: Inventory, names: Sequence[Hostname], management: Management, records: Sequence[Record] | None
) -> Iterator[Finding]:
    """Yield what would stop the names from being handed over."""
    private = mapping(inventory.spec, "platform", "aws").get("endpointAccess") == "Private"
    if not any(hostname.service == API_SERVER for hostname in names):
        yield Finding(
            "info" if private else "error",
            "no-external-hostname",
            inventory.target.ref,
            "its API server has no hostname of its own in spec.services",
            "all ways to it are inside of hypershift.local, which moves with its endpoints"
            if private
            else "its address is that of a load balancer, which is another one elsewhere: nodes and users would not find it",
            "nothing" if private else "services are immutable: such a cluster cannot be moved, only built anew with hostnames",
        )
    if names and "external-dns" not in management.unreadable:
        yield from _of_external_dns(names, management.external_dns)
    for record in records or ():
        yield from _of_record(record)


def _of_external_dns(names: Sequence[Hostname], external_dns: ExternalDns | None) -> Iterator[Finding]:
    if external_dns is None:
        yield Finding(
            "error",
            "external-dns-missing",
            _EXTERNAL_DNS,
            f"there is no external-dns, and the cluster has published names: {', '.join(hostname.name for hostname in names)}",
            "nobody takes the records away here, so that the next management cluster's external-dns leaves them as they are",
            "find out who keeps these records, and have them changed by hand with the move",
        )
        return
    if external_dns.workload.ready == 0:
        yield Finding(
            "error",
            "external-dns-not-running",
            _EXTERNAL_DNS,
            f"{external_dns.workload.ready} of {external_dns.workload.replicas} pods are ready",
            "records are neither made nor taken away while it does not run",
            f"kubectl describe pods -n {OPERATOR_NAMESPACE}",
        )
    if not external_dns.deletes:
        yield Finding(
            "error",
            "external-dns-keeps-records",
            _EXTERNAL_DNS,
            f"it is started with --policy={external_dns.policy}",
            "it never deletes a record, and the next management cluster's external-dns does not touch one that has another owner",
            "start it with --policy=sync for the move, or have records and TXT records deleted by hand",
        )
    if external_dns.provider and external_dns.provider != "aws":
        yield Finding(
            "warning",
            "external-dns-provider",
            _EXTERNAL_DNS,
            f"it is started with --provider={external_dns.provider}",
            "only Route 53 is looked into",
            "look at the records of the published names with the tools of that provider",
        )
    if external_dns.registry != "txt":
        yield Finding(
            "warning",
            "external-dns-registry",
            _EXTERNAL_DNS,
            f"it is started with --registry={external_dns.registry}",
            "without TXT records nobody can tell whose a record is, and another external-dns may change it",
            "start it with --registry=txt and an owner id of its own",
        )
    elif external_dns.owner_id == "default":
        yield Finding(
            "warning",
            "external-dns-owner",
            _EXTERNAL_DNS,
            "its --txt-owner-id is default, or not given",
            "another external-dns without an owner id of its own takes these records for its own, and deletes them",
            "give each external-dns an owner id of its own",
        )
    outside = [hostname.name for hostname in names if not external_dns.covers(hostname.name)]
    if outside:
        yield Finding(
            "error",
            "external-dns-domain",
            _EXTERNAL_DNS,
            f"names outside of its --domain-filter ({', '.join(external_dns.domains)}): {', '.join(outside)}",
            "it does not look after these names: their records do not go with the control plane",
            "add the domain to its filter, or have these records changed by hand with the move",
        )


def _of_record(record: Record) -> Iterator[Finding]:
    state, ref = record.state, ObjectRef("DNSRecord", record.name)
    if state == "absent":
        yield Finding(
            "warning",
            "record-missing",
            ref,
            "the zone has no record of this name",
            "nobody finds this service by its name",
            f"kubectl logs -n {OPERATOR_NAMESPACE} deployment/external-dns; is it the right zone?",
        )
    elif state == "txt-only":
        yield Finding(
            "warning",
            "record-without-target",
            ref,
            f"the zone has only the TXT record of this name, with owner {record.owner or 'unknown'}",
            "it keeps every external-dns with another owner id from making the record",
            "delete the TXT record when nobody is about to make the record again",
        )
    elif state in ("foreign", "unowned"):
        yield Finding(
            "error",
            "record-of-another-owner" if state == "foreign" else "record-without-owner",
            ref,
            f"its TXT record names the owner {record.owner}"
            if state == "foreign"
            else "it has no TXT record: it was made by hand or by another tool",
            "the external-dns of this management cluster does not touch it, and will not take it away",
            "find out who keeps it; was the cluster moved from there, or is it an earlier one of the same name?",
        )
