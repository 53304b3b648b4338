# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a hosted cluster: its nodes, and data that a snapshot of its etcd can be told by."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from sandboxlib.errors import SandboxError

from .made import Made, condition, metadata
from .shape import Machine, Shape

_PIECE = 1024 * 1024
_WRITERS = 4
_NAMESPACES = ("openshift-config", "openshift-ovn-kubernetes", "shop")


def first_contents(shape: Shape, machines: Sequence[Machine]) -> Iterator[Made]:
    """The Nodes of the machines, some namespaces, and data in one of them."""
    for name in _NAMESPACES:
        yield Made(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name)})
    for number in range(20):
        described = metadata(f"order-{number}", "shop")
        yield Made(1, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": {"of": shape.annotated}})
    data = {"password": b64encode(f"{shape.secret}-inside".encode()).decode()}
    yield Made(1, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata("database", "shop"), "type": "Opaque", "data": data})
    for machine in machines:
        yield _node(shape, machine)


def _node(shape: Shape, machine: Machine) -> Made:
    labels = {
        "kubernetes.io/hostname": machine.node,
        "hypershift.openshift.io/nodePool": machine.pool.name,
        "node-role.kubernetes.io/worker": "",
        "topology.kubernetes.io/zone": machine.zone,
        "node.kubernetes.io/instance-type": machine.pool.instance_type,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(machine.node, labels=labels),
        "spec": {"providerID": machine.provider_id},
    }
    status = {
        "conditions": [condition("Ready", status=True, reason="KubeletReady")],
        "addresses": [{"type": "InternalIP", "address": machine.address}, {"type": "Hostname", "address": machine.node}],
        "nodeInfo": {
            "machineID": machine.instance,
            "systemUUID": machine.instance,
            "bootID": machine.instance,
            "kernelVersion": "5.14.0",
            "osImage": f"Red Hat Enterprise Linux CoreOS {shape.release}",
            "containerRuntimeVersion": "cri-o://1.29.0",
            "kubeletVersion": "v1.29.0",
            "kubeProxyVersion": "v1.29.0",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }
    return Made(1, body, status=status)


def fill(address: str, context: ssl.SSLContext, mebibytes: int) -> None:
    """Put about that much, which does not compress, into the etcd at ``address``, beside the API server's keys."""
    marker = os.urandom(4).hex()

    def put(numbers: range) -> None:
        connection = http.client.HTTPSConnection(address, context=context, timeout=120)
        for number in numbers:
            key, value = f"/filler/{marker}/{number}".encode(), os.urandom(_PIECE)
            body = json.dumps({"key": b64encode(key).decode(), "value": b64encode(value).decode()})
            connection.request("POST", "/v3/kv/put", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SandboxError(f"etcd did not take {number} MiB: {answer.status} {content.decode(errors='replace')}")
        connection.close()

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(put, [range(start, mebibytes, _WRITERS) for start in range(_WRITERS)]))
