# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hosted cluster looks like: its names, pools and machines, from which all objects follow."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

ZONES = "abc"


@dataclass(frozen=True)
class Pool:
    """A NodePool with ``machines`` machines. With ``autoscaling`` (min, max) it wants no number of its own."""

    name: str
    machines: int = 2
    autoscaling: tuple[int, int] | None = None
    upgrade: str = "Replace"
    auto_repair: bool = True
    instance_type: str = "m5.large"
    old_templates: int = 1
    config: tuple[str, ...] = ()
    tuning: tuple[str, ...] = ()


class Machine(NamedTuple):
    """One machine; ``name`` is that of its Machine and its AWSMachine, ``instance`` its EC2 instance."""

    name: str
    pool: Pool
    zone: str
    instance: str
    address: str

    @property
    def provider_id(self) -> str:
        """As Machine, AWSMachine and Node say it."""
        return f"aws:///{self.zone}/{self.instance}"

    @property
    def node(self) -> str:
        """The name of its Node."""
        return f"ip-{self.address.replace('.', '-')}.{self.zone[:-1]}.compute.internal"


@dataclass(frozen=True)
class Shape:
    """A hosted cluster as a test wants it.

    ``control_plane=False`` leaves out everything but what is in the namespace of the HostedCluster. ``replicas`` are those
    of single Deployments, where they are not what the availability says. ``restored_from`` is the URL of the snapshot that
    it was made from. ``secret`` is in the value of every Secret, to be looked for where it must not be.
    """

    name: str
    namespace: str = "clusters"
    pools: tuple[Pool, ...] = ()
    availability: str = "HighlyAvailable"
    region: str = "us-east-2"
    domain: str = "hosted.example.com"
    endpoint_access: str = "PublicAndPrivate"
    release: str = "4.16.21"
    restored_from: str = ""
    etcd_shards: int = 1
    control_plane: bool = True
    external_dns: bool = True
    replicas: Mapping[str, int] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    secret: str = "canary"
    cluster_api_version: str = "v1beta1"
    oidc_bucket: str = "hosted-oidc"

    @property
    def control_plane_namespace(self) -> str:
        """As HyperShift makes it (hypershift-operator/controllers/manifests/manifests.go): dots become dashes, here only."""
        return f"{self.namespace}-{self.name.replace('.', '-')}"

    @property
    def infra_id(self) -> str:
        """The infrastructure's id, which is the name of the Cluster, too."""
        return f"{self.name.replace('.', '-')[:40]}-{self.digest('infra', length=5)}"

    @property
    def cluster_id(self) -> str:
        """The cluster's UUID."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.{self.namespace}.sandbox"))

    @property
    def issuer(self) -> str:
        """The issuer of its service account tokens."""
        return f"https://{self.oidc_bucket}.s3.{self.region}.amazonaws.com/{self.infra_id}"

    @property
    def members(self) -> int:
        """How many etcd members it has."""
        return 3 if self.availability == "HighlyAvailable" else 1

    @property
    def annotated(self) -> str:
        """What the annotation ``hypershift.openshift.io/cluster`` says."""
        return f"{self.namespace}/{self.name}"

    def hostname(self, service: str) -> str:
        """The published name of a service, as the command line of HyperShift would choose it."""
        return f"{service}-{self.name.replace('.', '-')}.{self.domain}"

    def digest(self, *parts: str, length: int = 8) -> str:
        """A short name part that depends on this cluster and ``parts``, the same in every run."""
        text = "\0".join((self.namespace, self.name, *parts))
        return hashlib.sha256(text.encode()).hexdigest()[:length]

    @cached_property
    def _machines(self) -> tuple[Machine, ...]:
        machines: list[Machine] = []
        for pool in self.pools:
            for _number in range(pool.machines):
                number = len(machines)
                name = f"{machine_set_name(self, pool)}-{self.digest(pool.name, str(number), length=5)}"
                zone = f"{self.region}{ZONES[number % len(ZONES)]}"
                address = f"10.{int(self.digest('net', length=2), 16)}.{number // 250}.{number % 250 + 4}"
                machines.append(Machine(name, pool, zone, f"i-{self.digest('instance', str(number), length=17)}", address))
        return tuple(machines)

    def machines(self, instances: Mapping[str, str] | None = None) -> list[Machine]:
        """The machines; ``instances`` are the ids of their EC2 instances by the name of the machine, where they have some."""
        known = instances or {}
        return [machine._replace(instance=known.get(machine.name, machine.instance)) for machine in self._machines]


def machine_set_name(shape: Shape, pool: Pool) -> str:
    """The pool's own name when it is upgraded in place, else one that its MachineDeployment has made up."""
    return pool.name if pool.upgrade == "InPlace" else f"{pool.name}-{shape.digest('set', pool.name, length=5)}"


def template_name(shape: Shape, pool: Pool, age: int = 0) -> str:
    """The name of the pool's AWSMachineTemplate: with a hash of its content; ``age`` 1 is the one before."""
    return f"{pool.name}-{shape.digest('template', pool.name, str(age))}"


def user_data_name(shape: Shape, pool: Pool) -> str:
    """The name of the Secret that its machines boot from."""
    return f"user-data-{pool.name}-{shape.digest('config', pool.name)}"


def token_name(shape: Shape, pool: Pool) -> str:
    """The name of the Secret that ignition asks for."""
    return f"token-{pool.name}-{shape.digest('config', pool.name)}"


def shape_of_size(name: str, machines: int, pools: int = 2, **options: object) -> Shape:
    """A cluster with that many machines in that many pools, the last one scaled automatically and the first one larger."""
    share, rest = divmod(machines, pools)
    made = [Pool(f"{name.replace('.', '-')}-{chr(97 + index)}", share + (rest if index == 0 else 0)) for index in range(pools)]
    if pools > 1:
        last = made[-1]
        made[-1] = Pool(last.name, last.machines, autoscaling=(last.machines, last.machines + 3))
    return Shape(name, pools=tuple(made), **options)  # type: ignore[arg-type]


def neighbours(shape: Shape) -> list[Shape]:
    """Clusters whose names are easily taken for that of ``shape``, in its namespace and in others; all but one are small wholes.

    The last one would share its control-plane namespace, so that it has none (and its operator would be stuck).
    """
    longer = Shape(f"{shape.name}2", shape.namespace, (Pool(f"{shape.name}2-a", 1),), availability="SingleReplica")
    dashed = Shape(f"{shape.name}-eu", shape.namespace, (Pool(f"{shape.name}-eu-a", 1),), availability="SingleReplica")
    dotted = Shape(f"{shape.name}.v2", shape.namespace, (Pool(f"{shape.name}-v2-a", 1),), availability="SingleReplica")
    other = Shape(shape.name, f"{shape.namespace}-eu", (Pool(f"{shape.name}-a", 1),), availability="SingleReplica")
    clash = Shape(f"{shape.name}-v2", shape.namespace, (Pool(f"{shape.name}-v2-b", 0),), control_plane=False)
    return [longer, dashed, dotted, other, clash]
