# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What around a hosted cluster would stop its move, or make it dangerous: other tools, neighbours, PrivateLink, the operator. Pure.

The hazards are those of the code of openshift/hypershift (hypershift-operator/controllers/hostedcluster/hostedcluster_controller.go
``reconcileAWSOIDCDocuments``, internal/platform/aws; control-plane-operator/controllers/awsprivatelink).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    mapping,
    metadata_of,
    name_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management, issuer_bucket
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import (
    OPERATOR_NAMESPACE,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.writers import Tool, Writer, writers
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

OIDC_FINALIZER = "hypershift.io/aws-oidc-discovery"


def surroundings(inventory: Inventory, management: Management) -> Iterator[Finding]:
    """Yield what was noticed there."""
    yield from _of_writers(inventory)
    yield from _of_issuer(inventory, management)
    yield from _of_neighbours(inventory)
    yield from _of_private_link(inventory)


def _of_writers(inventory: Inventory) -> Iterator[Finding]:
    by_tool: dict[Tool, list[Writer]] = {}
    for writer in writers(inventory):
        by_tool.setdefault(writer.tool, []).append(writer)
    for tool, found in by_tool.items():
        first = next((writer for writer in found if writer.continuous), found[0])
        others = f", and {len(found) - 1} more of its objects" if len(found) > 1 else ""
        yield Finding(
            "error" if first.continuous else "info",
            "written-by-another-tool",
            first.object,
            f"{tool.name} writes it ({first.evidence}){others}",
            "it takes back what a move writes, and makes the object again when it is deleted"
            if first.continuous
            else "the next time that somebody uses it, it writes again what was moved away",
            tool.pause,
        )


def _of_issuer(inventory: Inventory, management: Management) -> Iterator[Finding]:
    target = inventory.target
    if OIDC_FINALIZER in (metadata_of(inventory.hosted_cluster).get("finalizers") or ()):
        yield Finding(
            "info",
            "issuer-documents-owned",
            target.ref,
            f"finalizer {OIDC_FINALIZER}: its operator deletes the issuer's documents from the bucket with the HostedCluster",
            "without them no pod of the cluster gets credentials of AWS, wherever its control plane is",
            "take this finalizer off before the HostedCluster is deleted here after a move, never otherwise",
        )
    bucket, buckets = issuer_bucket(str(inventory.spec.get("issuerURL") or "")), management.oidc_bucket_names
    if bucket and buckets and bucket not in buckets:
        yield Finding(
            "warning",
            "issuer-in-another-bucket",
            target.ref,
            f"its issuer is {inventory.spec.get('issuerURL')}, the operator's bucket is {', '.join(buckets)}",
            "nobody renews the issuer's documents; they last as long as that bucket",
            "keep that bucket, whatever becomes of the management cluster that it was made for",
        )


def _of_neighbours(inventory: Inventory) -> Iterator[Finding]:
    target = inventory.target
    same = [each for each in inventory.neighbours if each.control_plane_namespace == target.control_plane_namespace]
    beside = [each.name for each in inventory.neighbours if each.namespace == target.namespace]
    if same:
        yield Finding(
            "error",
            "control-plane-namespace-shared",
            ObjectRef("Namespace", target.control_plane_namespace),
            f"{target.annotated} and {', '.join(each.annotated for each in same)} have the same control-plane namespace",
            "their objects cannot be told apart, and only one of them can work",
            "give the one that has no control plane another name: delete it and create it again",
        )
    if beside:
        yield Finding(
            "info",
            "namespace-shared",
            ObjectRef("Namespace", target.namespace),
            f"other hosted clusters are in it: {', '.join(sorted(beside))}",
            "a procedure that deletes this namespace deletes them all",
            "never delete the namespace to remove one of them",
        )


def _of_private_link(inventory: Inventory) -> Iterator[Finding]:
    services = inventory.of("awsendpointservices")
    if services:
        endpoints = [str(mapping(item, "status").get("endpointID") or "no endpoint") for item in services]
        yield Finding(
            "warning",
            "private-link",
            inventory.target.ref,
            f"PrivateLink: {', '.join(f'{name_of(item)} ({end})' for item, end in zip(services, endpoints, strict=True))}",
            "security group and names in hypershift.local are the same for the new control plane: two operators would fight for them",
            "stop control-plane-operator here before the cluster is resumed elsewhere; nodes go over when the old endpoint is gone",
        )


def operator_findings(management: Management) -> Iterator[Finding]:
    """Yield what is wrong with the operator, for all hosted clusters at once."""
    operator = management.operator
    ref = ObjectRef("Deployment", "operator", OPERATOR_NAMESPACE)
    if operator is None and "operator" not in management.unreadable:
        yield Finding(
            "warning",
            "operator-missing",
            ref,
            "there is no operator of HyperShift",
            "nothing keeps the hosted clusters; a move away is the only thing that goes on",
            "install it again, or find out where it went",
        )
    elif operator is not None and operator.ready == 0:
        yield Finding(
            "warning",
            "operator-not-running",
            ref,
            f"{operator.ready} of {operator.replicas} pods are ready",
            "nothing keeps the hosted clusters, and no condition is brought up to date",
            f"kubectl describe pods -n {OPERATOR_NAMESPACE}",
        )
