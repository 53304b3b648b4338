# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Egress policies for the Kubernetes API: which account one lets out, and what one looks like. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account, ApiServer, Object

# TLS to the API server is passed on as it is (osm-edge v1.3.9 pkg/catalog/egress.go GetEgressTrafficPolicy).
_PROTOCOLS = ("https", "tcp", "tcp-server-first")


def within(address: str, ranges: Iterable[Any]) -> bool:
    """Whether one of the ranges (CIDR) has the address; what is no range has none."""
    ip = ipaddress.ip_address(address)
    for text in ranges:
        try:
            network = ipaddress.ip_network(str(text).strip(), strict=False)
        except ValueError:
            continue
        if ip.version == network.version and ip in network:
            return True
    return False


def lets_out(egress: Object, account: Account, api_server: ApiServer) -> bool:
    """Whether an Egress lets the account's pods reach the Service of the Kubernetes API."""
    spec = egress.get("spec") or {}
    sources = [
        (source.get("namespace"), source.get("name")) for source in spec.get("sources") or () if source.get("kind") == "ServiceAccount"
    ]
    if (account.namespace, account.name) not in sources:
        return False
    ports = [port for port in spec.get("ports") or () if str(port.get("protocol", "")).lower() in _PROTOCOLS]
    if api_server.port not in [port.get("number") for port in ports]:
        return False
    ranges = spec.get("ipAddresses") or ()
    if not ranges:
        # With names only, TLS is told by its server name; clients in a cluster ask for this one.
        return not spec.get("hosts") or "kubernetes.default.svc" in spec["hosts"]
    return all(within(ip, ranges) for ip in api_server.service_ips)


def as_ranges(addresses: Iterable[str]) -> Sequence[str]:
    """Return addresses as ranges of one address each."""
    return [str(ipaddress.ip_network(address)) for address in addresses]
