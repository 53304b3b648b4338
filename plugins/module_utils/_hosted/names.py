# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of a hosted cluster: its namespaces, and the annotations and labels that HyperShift and Cluster API put on its objects.

Read in openshift/hypershift: hypershift-operator/controllers/manifests/manifests.go (namespace), api/hypershift/v1beta1 (keys).
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

HYPERSHIFT = "hypershift.openshift.io"

# On objects of the control-plane namespace.
CLUSTER_ANNOTATION = f"{HYPERSHIFT}/cluster"  # NAMESPACE/NAME of the HostedCluster
NODE_POOL_ANNOTATION = f"{HYPERSHIFT}/nodePool"  # NAMESPACE/NAME of the NodePool
CLUSTER_NAME_LABEL = "cluster.x-k8s.io/cluster-name"  # the infrastructure's id, not the name of the HostedCluster
MANAGED_BY_ANNOTATION = "cluster.x-k8s.io/managed-by"
PAUSED_ANNOTATION = "cluster.x-k8s.io/paused"
COMPONENT_LABEL = f"{HYPERSHIFT}/control-plane-component"
HOSTED_CONTROL_PLANE_LABEL = f"{HYPERSHIFT}/hosted-control-plane"

# On the HostedCluster.
CLEANUP_ANNOTATION = f"{HYPERSHIFT}/cleanup-cloud-resources"
DISABLE_MACHINES_ANNOTATION = f"{HYPERSHIFT}/disable-machine-management"
RESTORED_ANNOTATION = f"{HYPERSHIFT}/restored-from-backup"
# On what a HostedCluster refers to: REFERENCED_PREFIX + the name of the HostedCluster.
REFERENCED_PREFIX = f"referenced-resource.{HYPERSHIFT}/"
HOSTNAME_ANNOTATION = "external-dns.alpha.kubernetes.io/hostname"

# Ours, on a HostedCluster that was stopped: what everything was before, as JSON.
PRIOR_ANNOTATION = "lifecycle.meshops/before-backup"
# In the hosted cluster, in the namespace default: the management cluster that it came from (the procedure's own name for it).
MARKER = "mgmt-parent-cluster"

OPERATOR_NAMESPACE = "hypershift"
ETCD = "etcd"


class Target(NamedTuple):
    """A hosted cluster, by the namespace and the name of its HostedCluster."""

    namespace: str
    name: str

    @property
    def control_plane_namespace(self) -> str:
        """Where its control plane is. Dots of the name become dashes; several hosted clusters may come to the same, so that what is
        there must be checked by CLUSTER_ANNOTATION."""
        return f"{self.namespace}-{self.name.replace('.', '-')}"

    @property
    def annotated(self) -> str:
        """As CLUSTER_ANNOTATION names it."""
        return f"{self.namespace}/{self.name}"

    @property
    def ref(self) -> ObjectRef:
        """Its HostedCluster."""
        return ObjectRef("HostedCluster", self.name, self.namespace)

    @property
    def admin_kubeconfig(self) -> str:
        """The Secret with the administrator's kubeconfig, in its namespace, where the status does not say another name."""
        return f"{self.name}-admin-kubeconfig"
