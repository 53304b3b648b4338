# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which objects of the control-plane namespace belong to the hosted cluster, and which Secrets are worth keeping. Pure.

By label, annotation and reference, never by what a name looks like: a Cluster is called after the infrastructure's id, and
an AWSMachineTemplate after its NodePool and a hash, of which old ones stay for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    Object,
    annotation,
    label,
    mapping,
    metadata_of,
    name_of,
    uid_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import CLUSTER_NAME_LABEL, NODE_POOL_ANNOTATION

TEMPLATES = "awsmachinetemplates"
# Kept to be looked at, not to be created again: their controllers make them.
EVIDENCE = ("machinehealthchecks", "awsendpointservices", "controlplanecomponents")
_CLONED_FROM = "cluster.x-k8s.io/cloned-from-name"

# Types of Secrets that mean nothing, or something wrong, in another cluster.
NOT_RESTORED_TYPES = {
    "kubernetes.io/service-account-token": "they are bound to the uids of this cluster's service accounts, and made again",
    "kubernetes.io/dockercfg": "OpenShift makes one for each service account",
    "helm.sh/release.v1": "they are Helm's records about this cluster",
    "bootstrap.kubernetes.io/token": "they let machines join, for a short time, and are made again",
}


def keeps_secret(secret: Object) -> bool:
    """Whether a Secret of the control-plane namespace is stored: signers, keys, tokens of node pools, pull secrets and all the rest.

    By its type: ``kubernetes.io/dockerconfigjson`` is the pull secret, which a look for ``docker`` in the line would drop.
    """
    return str(secret.get("type")) not in NOT_RESTORED_TYPES


def pool_of(inventory: Inventory, item: Object) -> str:
    """Return the name of the NodePool that an object of the control-plane namespace says it is of, "" when it does not."""
    namespace, _slash, name = annotation(item, NODE_POOL_ANNOTATION).partition("/")
    return name if namespace == inventory.target.namespace else ""


def selected(inventory: Inventory) -> Mapping[str, tuple[Object, ...]]:
    """Return the objects of the machine graph and the evidence that belong to the hosted cluster, by plural."""
    machine_graph = {plural: tuple(item for item in inventory.of(plural) if _belongs(inventory, item)) for plural in inventory.objects}
    wanted = {name for name, _who in template_references(inventory)} | {
        annotation(machine, _CLONED_FROM) for machine in machine_graph.get("awsmachines", ())
    }
    pools = {name_of(pool) for pool in inventory.node_pools}
    templates = tuple(item for item in inventory.of(TEMPLATES) if name_of(item) in wanted or pool_of(inventory, item) in pools)
    return {**machine_graph, TEMPLATES: templates}


def unselected(inventory: Inventory) -> Iterator[Object]:
    """Yield what is in the control-plane namespace of the same kinds without belonging to the hosted cluster."""
    chosen = selected(inventory)
    for plural, items in inventory.objects.items():
        names = {name_of(item) for item in chosen[plural]}
        yield from (item for item in items if name_of(item) not in names)


def template_references(inventory: Inventory) -> Iterator[tuple[str, Object]]:
    """Yield the names of the templates that new machines are made of, each with the MachineDeployment or MachineSet that says so."""
    for plural in ("machinedeployments", "machinesets"):
        for item in inventory.of(plural):
            reference = mapping(item, "spec", "template", "spec", "infrastructureRef")
            if reference.get("kind") == "AWSMachineTemplate" and reference.get("name") and _belongs(inventory, item):
                yield str(reference["name"]), item


def _belongs(inventory: Inventory, item: Object) -> bool:
    """Whether an object is of the Cluster that has the name of the infrastructure's id."""
    kind, infra_id = item.get("kind"), inventory.infra_id
    if kind in ("AWSEndpointService", "ControlPlaneComponent"):
        return True
    if kind == "Cluster":
        return name_of(item) == infra_id
    if infra_id in (label(item, CLUSTER_NAME_LABEL), mapping(item, "spec").get("clusterName")):
        return True
    owners = {reference.get("uid") for reference in metadata_of(item).get("ownerReferences") or ()}
    return any(uid_of(cluster) in owners for cluster in inventory.of("clusters") if name_of(cluster) == infra_id)
