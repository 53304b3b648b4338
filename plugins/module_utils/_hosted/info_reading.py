# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading one hosted cluster: its management cluster first, then etcd, its own API and AWS side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.instances import instance_states
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.records import records
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_reading import read_etcd
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hosted_api import open_hosted_api
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_facts import DNS, ETCD, INSTANCES, NODES, Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    mapping,
    metadata_of,
    name_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.machine_rows import machine_rows
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management, read_management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import KUBE_APISERVER
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NODE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

Object = dict[str, Any]

_EXEC_SECONDS = 20.0
# One call to a hosted cluster's API, its retries included: the report goes on without it.
_HOSTED_SECONDS = 15.0


class _Part(NamedTuple):
    """What reading one part brought, or ``why`` it did not."""

    value: Any
    why: str = ""


class HostedReader:
    """Reads with one connection to the management cluster; ``aws`` is asked only for the parts that need it.

    ``scratch`` is a private directory, ``name`` the module's, ``protect`` is told the secrets of the hosted cluster's kubeconfig.
    """

    def __init__(
        self, connection: Connection, aws: Aws, zone_id: str | None, scratch: str, name: str, protect: Callable[[Iterable[str]], None]
    ) -> None:
        self._connection, self._aws, self._zone_id = connection, aws, zone_id
        self._scratch, self._name, self._protect = scratch, name, protect

    def read(self, target: Target, include: Collection[str]) -> Facts:
        """Return what there is to know of ``target``; ``include`` are the parts to read besides its management cluster.

        A part that cannot be read is told in ``unread``. Raises Refused when there is no such hosted cluster, and KubeError when its
        management cluster cannot be read.
        """
        api = self._connection.api
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="management") as beside:
            management_cluster = beside.submit(read_management, api)
            inventory = read_inventory(api, target)
            management = management_cluster.result()
        ways: dict[str, Callable[[], Any]] = {
            ETCD: partial(self._etcd, inventory),
            NODES: partial(self._nodes, inventory),
            INSTANCES: partial(self._instances, inventory),
            DNS: partial(self._records, inventory, management),
        }
        wanted = [part for part in ways if part in include]
        with ThreadPoolExecutor(max_workers=len(ways), thread_name_prefix="part") as pool:
            parts = dict(zip(wanted, pool.map(_tried, [ways[part] for part in wanted]), strict=True))
        found = {part: read.value for part, read in parts.items()}
        return Facts(
            inventory,
            management,
            etcd=found.get(ETCD),
            nodes=found.get(NODES),
            instances=found.get(INSTANCES),
            records=found.get(DNS),
            unread={part: read.why for part, read in parts.items() if read.why},
        )

    def _etcd(self, inventory: Inventory) -> Any:
        if inventory.etcd is None:
            raise LifecycleError("there is no StatefulSet etcd in the control-plane namespace")
        return read_etcd(PodExec(self._connection), inventory, timeout=_EXEC_SECONDS)

    def _nodes(self, inventory: Inventory) -> tuple[Object, ...]:
        servers = next((item for item in inventory.deployments if name_of(item) == KUBE_APISERVER), None)
        if servers is not None and not replicas_of(servers):
            raise LifecycleError(f"the hosted cluster's API servers are stopped: Deployment {KUBE_APISERVER} has 0 replicas")
        hosted = open_hosted_api(
            self._connection.api,
            inventory.hosted_cluster,
            inventory.target,
            self._scratch,
            name=self._name,
            request_timeout=_HOSTED_SECONDS,
        )
        self._protect(hosted.secrets)
        return tuple(_reduced(node) for node in hosted.api.list(NODE))

    def _instances(self, inventory: Inventory) -> Any:
        ids = [row.instance_id for row in machine_rows(inventory, None) if row.instance_id]
        region = str(mapping(inventory.spec, "platform", "aws").get("region") or "")
        return instance_states(self._aws, ids, region) if ids else {}

    def _records(self, inventory: Inventory, management: Management) -> Any:
        names = [hostname.name for hostname in hostnames(inventory)]
        told = management.external_dns
        if not names:
            return ()
        if told is None:
            return tuple(records(self._aws, self._zone_id, names))
        marks = {"prefix": told.txt_prefix, "suffix": told.txt_suffix}
        return tuple(records(self._aws, self._zone_id, names, expected_owner=told.owner_id, **marks))


def _tried(read: Callable[[], Any]) -> _Part:
    try:
        return _Part(read())
    except Forbidden as error:
        return _Part(None, f"not allowed to {error.missing}" if error.missing else str(error))
    except LifecycleError as error:
        return _Part(None, str(error))


def _reduced(node: Object) -> Object:
    """Keep of a Node what is asked of it: a thousand whole ones are a hundred megabytes."""
    ready = [entry for entry in mapping(node, "status").get("conditions") or () if entry.get("type") == "Ready"]
    return {
        "metadata": {"name": name_of(node), "uid": metadata_of(node).get("uid")},
        "spec": {key: value for key, value in mapping(node, "spec").items() if key in ("providerID", "unschedulable")},
        "status": {"conditions": ready},
    }
