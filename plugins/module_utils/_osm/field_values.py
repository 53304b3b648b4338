# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When two values of a field mean the same to the API server: quantities, empty values, and defaults that it fills in.

Source: kubernetes v1.34 ``pkg/apis/{core,apps,autoscaling}/v1/defaults.go``; what Go leaves out of JSON (``omitempty``) comes back absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import quantity

# A field's place: keys from the object's root, an element of a list by the value of its key.
Path = tuple[str, ...]

_QUANTITY_FIELDS = frozenset({"sizeLimit", "divisor", "averageValue"})
_RESOURCE_LISTS = frozenset({"requests", "limits"})

# What the server fills in where a manifest says nothing, by the last key of the path.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    # pods
    "restartPolicy": ("Always",),
    "dnsPolicy": ("ClusterFirst",),
    "schedulerName": ("default-scheduler",),
    "terminationGracePeriodSeconds": (30,),
    "enableServiceLinks": (True,),
    "defaultMode": (420,),
    # containers; which policy depends on the tag that the image had at first
    "imagePullPolicy": ("IfNotPresent", "Always"),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "protocol": ("TCP",),
    "scheme": ("HTTP",),
    "path": ("/",),
    "timeoutSeconds": (1,),
    "periodSeconds": (10,),
    "successThreshold": (1,),
    "failureThreshold": (3,),
    "apiVersion": ("v1",),
    "divisor": ("0", 0),
    # Deployments and DaemonSets
    "replicas": (1,),
    "type": ("RollingUpdate", "ClusterIP"),
    "maxSurge": ("25%", 0),
    "maxUnavailable": ("25%", 1),
    "revisionHistoryLimit": (10,),
    "progressDeadlineSeconds": (600,),
    # Services
    "sessionAffinity": ("None",),
    "internalTrafficPolicy": ("Cluster",),
    "externalTrafficPolicy": ("Cluster",),
    "ipFamilyPolicy": ("SingleStack",),
    "allocateLoadBalancerNodePorts": (True,),
    # HorizontalPodAutoscalers
    "minReplicas": (1,),
}
# Whatever these hold, the server or a controller put it there (or it repeats another field).
_ASSIGNED = frozenset(
    {
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "nodePort",
        "healthCheckNodePort",
        "targetPort",
        "serviceAccount",
        "creationTimestamp",
        "app.kubernetes.io/managed-by",
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "kubectl.kubernetes.io/last-applied-configuration",
        # Says when it was restarted, not how it is to be.
        "kubectl.kubernetes.io/restartedAt",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
    }
)


def same(path: Path, one: Any, other: Any) -> bool:
    """Whether two values of the field at ``path`` mean the same; None is a field that is absent."""
    if _empty(one) and _empty(other):
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_same_entry((*path, str(key)), one.get(key), other.get(key)) for key in {**one, **other})
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same((*path, "[]"), *pair) for pair in zip(one, other, strict=True))
    if _is_quantity(path) and not isinstance(one, bool) and not isinstance(other, bool):
        return bool(_amount(one) == _amount(other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _same_entry(path: Path, one: Any, other: Any) -> bool:
    if one is None or other is None:
        return is_default(path, other if one is None else one)
    return same(path, one, other)


def is_default(path: Path, value: Any) -> bool:
    """Whether the server itself puts ``value`` at ``path`` when a manifest leaves it out."""
    if _empty(value) or path[-1] in _ASSIGNED:
        return True
    if isinstance(value, Mapping):
        return all(is_default((*path, str(key)), item) for key, item in value.items())
    return any(isinstance(value, bool) == isinstance(default, bool) and value == default for default in _DEFAULTS.get(path[-1], ()))


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_empty, value.values()))
    return value is None or value is False or (isinstance(value, (str, list)) and not value)


def _is_quantity(path: Path) -> bool:
    return path[-1] in _QUANTITY_FIELDS or (len(path) > 1 and path[-2] in _RESOURCE_LISTS)


def _amount(value: Any) -> Any:
    """Return a quantity as a number, so that ``0.5`` and ``500m`` are the same."""
    try:
        return quantity(value)
    except ValueError:
        return value
