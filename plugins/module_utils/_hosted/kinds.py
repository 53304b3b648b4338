# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource types of hosted clusters. Bare names would be ambiguous: a management cluster on OpenShift has Machines of its own."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind

_HYPERSHIFT = "hypershift.openshift.io/v1beta1"
HOSTED_CLUSTER = Kind(_HYPERSHIFT, "HostedCluster", "hostedclusters")
NODE_POOL = Kind(_HYPERSHIFT, "NodePool", "nodepools")
HOSTED_CONTROL_PLANE = Kind(_HYPERSHIFT, "HostedControlPlane", "hostedcontrolplanes")
ENDPOINT_SERVICE = Kind(_HYPERSHIFT, "AWSEndpointService", "awsendpointservices")
CONTROL_PLANE_COMPONENT = Kind(_HYPERSHIFT, "ControlPlaneComponent", "controlplanecomponents")

CLUSTER_API_GROUP = "cluster.x-k8s.io"
# Both are served by current operators, only the first by older ones (cmd/install/assets/assets.go).
CLUSTER_API_VERSIONS = ("v1beta1", "v1beta2")
_PLURALS = {
    "Cluster": "clusters",
    "MachineDeployment": "machinedeployments",
    "MachineSet": "machinesets",
    "Machine": "machines",
    "MachineHealthCheck": "machinehealthchecks",
}

_AWS = "infrastructure.cluster.x-k8s.io/v1beta2"
AWS_CLUSTER = Kind(_AWS, "AWSCluster", "awsclusters")
AWS_MACHINE_TEMPLATE = Kind(_AWS, "AWSMachineTemplate", "awsmachinetemplates")
AWS_MACHINE = Kind(_AWS, "AWSMachine", "awsmachines")

ROUTE = Kind("route.openshift.io/v1", "Route", "routes")


def cluster_api(kind: str, version: str) -> Kind:
    """Return a type of Cluster API (``Cluster``, ``Machine`` …) in the ``version`` that was chosen; KeyError for any other name."""
    return Kind(f"{CLUSTER_API_GROUP}/{version}", kind, _PLURALS[kind])
