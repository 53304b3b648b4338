# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup set does not have in it, and why: said in the set itself, so that nobody finds out when it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.selection import NOT_RESTORED_TYPES

_BY_OPERATOR = "the control plane operator makes them again"


class LeftOut(NamedTuple):
    """Something that is not in the set; ``number`` is how many there are, 0 where they cannot be counted from here."""

    what: str
    why: str
    number: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results and the index carry."""
        return self._asdict()


def left_out(inventory: Inventory) -> Iterator[LeftOut]:
    """Yield what is left out of any set of this hosted cluster, whatever its Secrets are."""
    yield from _data(inventory)
    yield from _aws(inventory)
    yield from _made_again(inventory)
    if inventory.neighbours:
        yield LeftOut(
            "other hosted clusters of the same namespace, with their node pools",
            "a set is of one hosted cluster",
            len([other for other in inventory.neighbours if other.namespace == inventory.target.namespace]),
        )


def left_secrets(by_type: Mapping[str, int]) -> Iterator[LeftOut]:
    """Yield the Secrets of the control-plane namespace that are left out for their type; ``by_type`` is how many there are."""
    for kind, why in NOT_RESTORED_TYPES.items():
        if by_type.get(kind):
            yield LeftOut(f"Secrets of type {kind} of the control-plane namespace", why, by_type[kind])


def _data(inventory: Inventory) -> Iterator[LeftOut]:
    etcd = inventory.etcd
    yield LeftOut(
        "the volumes of etcd (PersistentVolumeClaims data-etcd-N)",
        "the snapshot has what is in them, and an old volume would keep the snapshot from being restored",
        replicas_of(etcd) if etcd is not None else 0,
    )
    yield LeftOut(
        "the data in persistent volumes of the hosted cluster",
        "they are EBS volumes and other storage of their own; the snapshot of etcd has only the objects that lead to them",
    )
    yield LeftOut(
        "the disks of the workers",
        "the EC2 instances go on running: what a restore needs of them is their ids",
        len(inventory.of("awsmachines")),
    )


def _aws(inventory: Inventory) -> Iterator[LeftOut]:
    aws = mapping(inventory.spec, "platform", "aws")
    yield LeftOut(
        "DNS records",
        "external-dns of a management cluster publishes them; names and owner are in the index",
        len(hostnames(inventory)),
    )
    roles = [value for value in mapping(aws, "rolesRef").values() if value]
    yield LeftOut("IAM roles and the identity provider", "they are in the AWS account, and stay", len(roles))
    yield LeftOut(
        "the issuer's documents (OIDC discovery and keys)",
        f"they are in the bucket behind {inventory.spec.get('issuerURL') or 'the issuer'}; the key that they publish is in the set",
    )
    yield LeftOut(
        "load balancers, VPC endpoints and their security groups",
        "those of the control plane are made again with it, those of the hosted cluster's own services stay",
        len(inventory.of("awsendpointservices")),
    )
    yield LeftOut("the VPC, subnets and other infrastructure", "it is in the AWS account, and stays; its ids are in the set")
    if mapping(inventory.spec, "secretEncryption").get("type") == "kms":
        yield LeftOut(
            "the KMS key that Secrets in etcd are encrypted with",
            "it never leaves AWS: without it, and a role that may use it, the restored Secrets cannot be read",
        )
    if mapping(inventory.spec, "autoNode"):
        yield LeftOut("instances that Karpenter has made", "they have no Machine, and the set has only what Machines lead to")


def _made_again(inventory: Inventory) -> Iterator[LeftOut]:
    workloads = (*inventory.deployments, *inventory.stateful_sets)
    yield LeftOut(
        "Deployments, StatefulSets, Services and Routes of the control plane",
        f"{_BY_OPERATOR}; replicas, images and the StatefulSet of etcd are in the set as evidence",
        len(workloads) + len(inventory.services) + len(inventory.routes),
    )
    yield LeftOut("pods of the control plane", "their workloads make them", len(inventory.pods))
    yield LeftOut("ConfigMaps of the control-plane namespace", f"{_BY_OPERATOR} of the HostedCluster and of what it refers to")
    yield LeftOut("ServiceAccounts, Roles, RoleBindings and NetworkPolicies of the control-plane namespace", _BY_OPERATOR)
    yield LeftOut(
        "anything else that somebody put into the control-plane namespace",
        "nothing of the hosted cluster refers to it",
    )
