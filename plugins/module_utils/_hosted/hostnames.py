# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of a hosted cluster are in a public DNS zone: those of its spec, and those that external-dns finds at its Services. Pure.

Read in openshift/hypershift: ``spec.services`` of the HostedCluster, and ``--label-filter`` of external-dns (private Routes and Services
are left out).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, annotation, label, mapping, ref_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HOSTNAME_ANNOTATION, HYPERSHIFT

Object = dict[str, Any]

VISIBILITY_LABEL = f"{HYPERSHIFT}/route-visibility"
API_SERVER = "APIServer"


class Hostname(NamedTuple):
    """A name without its last dot, in lower case. ``service`` is HyperShift's word, "" where only an object says it."""

    name: str
    service: str
    told_by: str


def hostnames(inventory: Inventory) -> tuple[Hostname, ...]:
    """Return the published names, each once, those of the HostedCluster's spec first."""
    found: dict[str, Hostname] = {}
    for hostname in (*service_hostnames(inventory.hosted_cluster), *_annotated(inventory)):
        found.setdefault(hostname.name, hostname)
    return tuple(found.values())


def service_hostnames(hosted_cluster: Object) -> Iterator[Hostname]:
    """Yield the names that the HostedCluster's spec gives to its services."""
    for entry in mapping(hosted_cluster, "spec").get("services") or ():
        strategy = mapping(entry, "servicePublishingStrategy")
        for way in ("route", "loadBalancer"):
            name = mapping(strategy, way).get("hostname")
            if name:
                yield Hostname(normalised(str(name)), str(entry.get("service") or ""), str(ref_of(hosted_cluster)))


def api_hostname(hosted_cluster: Object) -> str:
    """Return the published name of the API server, "" where it has none of its own: then its address changes with its load balancer."""
    return next((hostname.name for hostname in service_hostnames(hosted_cluster) if hostname.service == API_SERVER), "")


def normalised(name: str) -> str:
    """Return a DNS name as it is compared."""
    return name.strip().rstrip(".").lower()


def _annotated(inventory: Inventory) -> Iterator[Hostname]:
    for item in (*inventory.services, *inventory.routes):
        if label(item, VISIBILITY_LABEL) == "private":
            continue
        for name in annotation(item, HOSTNAME_ANNOTATION).split(","):
            if name.strip():
                yield Hostname(normalised(name), "", str(ref_of(item)))
