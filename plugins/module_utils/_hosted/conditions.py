# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the conditions of a HostedCluster and its NodePools are when all is well, and what they are. Pure.

The expected values are those of openshift/hypershift support/conditions/conditions.go ExpectedHCConditions and
ExpectedNodePoolConditions. Older operators lack some, so a condition that is missing is not reported, which is no failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import api_hostname
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import mapping, metadata_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_redaction import without_access

Object = dict[str, Any]

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
RECONCILIATION_ACTIVE = "ReconciliationActive"
RESTORED = "HostedClusterRestoredFromBackup"
_HOSTED_CLUSTER_TRUE = (
    "Available",
    "InfrastructureReady",
    "KubeAPIServerAvailable",
    "IgnitionEndpointAvailable",
    "EtcdAvailable",
    "ValidReleaseInfo",
    "ValidConfiguration",
    "SupportedHostedCluster",
    "ClusterVersionSucceeding",
    "ClusterVersionAvailable",
    "ClusterVersionReleaseAccepted",
    RECONCILIATION_ACTIVE,
    "ReconciliationSucceeded",
    "ConfigOperatorReconciliationSucceeded",
    "ValidHostedControlPlaneConfiguration",
    "ValidReleaseImage",
    "PlatformCredentialsFound",
    "DataPlaneConnectionAvailable",
    "ControlPlaneConnectionAvailable",
)
_HOSTED_CLUSTER_AWS = ("ValidOIDCConfiguration", "ValidAWSIdentityProvider", "AWSDefaultSecurityGroupCreated")
_HOSTED_CLUSTER_PRIVATE = ("AWSEndpointAvailable", "AWSEndpointServiceAvailable")
_HOSTED_CLUSTER_FALSE = ("Progressing", "Degraded", "ClusterVersionProgressing")
_NODE_POOL_TRUE = (
    "Ready",
    "ValidReleaseImage",
    "ValidGeneratedPayload",
    "ValidMachineConfig",
    "ValidTuningConfig",
    "AllMachinesReady",
    "AllNodesHealthy",
    RECONCILIATION_ACTIVE,
    "ReachedIgnitionEndpoint",
    "UpdateManagementEnabled",
    "ValidArchPlatform",
    "SupportedVersionSkew",
)
_NODE_POOL_AWS = ("AWSSecurityGroupAvailable", "ValidPlatformImage")
UPDATING = ("UpdatingVersion", "UpdatingConfig", "UpdatingPlatformMachineTemplate")


@dataclass(frozen=True)
class Condition:
    """One condition. ``expected`` is "" where no value is expected; ``stale``: it was observed before the spec was last changed."""

    type: str
    status: str
    expected: str
    reason: str
    message: str
    since: str
    stale: bool

    @property
    def wrong(self) -> bool:
        """Whether it is not what it is when all is well. Where Unknown is expected, there is nothing to be known and True is as good."""
        if not self.expected or self.status == self.expected:
            return False
        return not (self.expected == UNKNOWN and self.status == TRUE)

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "type": self.type,
            "status": self.status,
            "expected": self.expected or None,
            "reason": self.reason,
            "message": self.message,
            "since": self.since,
            "stale": self.stale,
        }


@dataclass(frozen=True)
class Conditions:
    """The conditions of one object, and which of those that are expected it does not report."""

    found: tuple[Condition, ...]
    missing: tuple[str, ...]

    @property
    def wrong(self) -> tuple[Condition, ...]:
        """Those that are not as expected."""
        return tuple(condition for condition in self.found if condition.wrong)

    @property
    def stale(self) -> tuple[Condition, ...]:
        """Those that are expected, and tell of an earlier spec."""
        return tuple(condition for condition in self.found if condition.stale and condition.expected)

    def status_of(self, kind: str) -> str:
        """Return the status of a condition, "" when it is not reported."""
        return next((condition.status for condition in self.found if condition.type == kind), "")

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry: what is as expected by number, everything else by name."""
        expected = [condition for condition in self.found if condition.expected]
        return {
            "as_expected": len([condition for condition in expected if not condition.wrong]),
            "not_as_expected": [condition.as_dict() for condition in self.wrong],
            "not_reported": list(self.missing),
            "stale": [condition.type for condition in self.stale],
            "others": {condition.type: condition.status for condition in self.found if not condition.expected},
        }


def hosted_cluster_conditions(hosted_cluster: Object, *, paused: bool) -> Conditions:
    """Judge the conditions of a HostedCluster; while it is ``paused`` its operator reports that nothing is reconciled."""
    return _judged(hosted_cluster, dict(_expected_of_hosted_cluster(hosted_cluster, paused)))


def node_pool_conditions(node_pool: Object, *, paused: bool) -> Conditions:
    """Judge the conditions of a NodePool."""
    return _judged(node_pool, dict(_expected_of_node_pool(node_pool, paused)))


def _expected_of_hosted_cluster(hosted_cluster: Object, paused: bool) -> Iterator[tuple[str, str]]:
    platform = mapping(hosted_cluster, "spec", "platform")
    encryption = mapping(hosted_cluster, "spec", "secretEncryption")
    yield from ((name, TRUE) for name in _HOSTED_CLUSTER_TRUE)
    if platform.get("type") == "AWS":
        yield from ((name, TRUE) for name in _HOSTED_CLUSTER_AWS)
        if mapping(platform, "aws").get("endpointAccess") in ("Private", "PublicAndPrivate"):
            yield from ((name, TRUE) for name in _HOSTED_CLUSTER_PRIVATE)
        yield "ValidAWSKMSConfig", TRUE if encryption.get("type") == "kms" else UNKNOWN
    yield "ExternalDNSReachable", TRUE if api_hostname(hosted_cluster) else UNKNOWN
    yield from ((name, FALSE) for name in _HOSTED_CLUSTER_FALSE)
    if paused:
        yield RECONCILIATION_ACTIVE, FALSE


def _expected_of_node_pool(node_pool: Object, paused: bool) -> Iterator[tuple[str, str]]:
    spec = mapping(node_pool, "spec")
    yield from ((name, TRUE) for name in _NODE_POOL_TRUE)
    if mapping(spec, "platform").get("type") == "AWS":
        yield from ((name, TRUE) for name in _NODE_POOL_AWS)
    yield from ((name, FALSE) for name in UPDATING)
    yield "AutoscalingEnabled", TRUE if "autoScaling" in spec else FALSE
    yield "AutorepairEnabled", TRUE if mapping(spec, "management").get("autoRepair") else FALSE
    if paused:
        yield RECONCILIATION_ACTIVE, FALSE


def _judged(item: Object, expected: Mapping[str, str]) -> Conditions:
    generation = metadata_of(item).get("generation")
    reported = [entry for entry in mapping(item, "status").get("conditions") or () if entry.get("type")]
    found = tuple(
        Condition(
            type=str(entry["type"]),
            status=str(entry.get("status") or UNKNOWN),
            expected=expected.get(str(entry["type"]), ""),
            reason=str(entry.get("reason") or ""),
            message=without_access(str(entry.get("message") or "")),
            since=str(entry.get("lastTransitionTime") or ""),
            # 0 is what the field is when its writer does not know it.
            stale=bool(entry.get("observedGeneration")) and generation is not None and entry["observedGeneration"] != generation,
        )
        for entry in reported
    )
    known = {condition.type for condition in found}
    # Where Unknown is expected, not to be reported says the same.
    missing = tuple(name for name, status in expected.items() if name not in known and status != UNKNOWN)
    return Conditions(found, missing)
