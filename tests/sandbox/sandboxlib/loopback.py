# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and ports: each cluster owns one 127.N.0.0/16, of which Services get the lower half.

The kernel is the registry of taken networks: a cluster's etcd listens on a fixed port of its network, so a network is
free exactly when that port can be bound. That holds across state directories and users, and ends with the process.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from .errors import SandboxError

_NETWORKS = range(64, 128)
_CLAIM_PORT = 21379  # below the ephemeral range, so that no outgoing connection happens to hold it


@dataclass(frozen=True)
class Network:
    """127.``octet``.0.0/16."""

    octet: int

    @property
    def service_range(self) -> str:
        return f"127.{self.octet}.0.0/17"

    @property
    def kubernetes_service(self) -> str:
        """The cluster IP of Service default/kubernetes: always the first of the range."""
        return f"127.{self.octet}.0.1"

    @property
    def etcd_client(self) -> str:
        """Where etcd answers; the upper half of the network, where no Service gets an address."""
        return f"127.{self.octet}.255.254:{_CLAIM_PORT}"

    @property
    def etcd_peer(self) -> str:
        return f"127.{self.octet}.255.254:{_CLAIM_PORT + 1}"

    @property
    def free(self) -> bool:
        return all(_can_bind(address) for address in (self.etcd_client, self.etcd_peer))


def free_network() -> Network:
    """A network that is free now; whoever then fails to bind its etcd port lost the race and asks again."""
    for octet in random.sample(_NETWORKS, len(_NETWORKS)):
        network = Network(octet)
        if network.free:
            return network
    raise SandboxError(
        f"no free loopback network: port {_CLAIM_PORT} is taken in all of 127.{_NETWORKS[0]}.0.0/16 to "
        f"127.{_NETWORKS[-1]}.0.0/16. Put clusters down (sandbox down --all), or end what listens on that port."
    )


def _can_bind(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Go's listeners set this too: a port in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now. Clashes are rare and show when the component starts."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
