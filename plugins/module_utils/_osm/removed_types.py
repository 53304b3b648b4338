# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types in a manifest that the API server does not have: Helm stops at the first one. Pure, but for the question what the server has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

Object = Mapping[str, Any]


class Removed(NamedTuple):
    """In which Kubernetes version a type went, and what took its place (empty when nothing did)."""

    since: str
    successor: str


# kubernetes.io/docs/reference/using-api/deprecation-guide: what charts of these years name.
_REMOVED: dict[tuple[str, str], Removed] = {
    ("policy/v1beta1", "PodDisruptionBudget"): Removed("1.25", "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): Removed("1.25", ""),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): Removed("1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): Removed("1.26", "autoscaling/v2"),
    ("batch/v1beta1", "CronJob"): Removed("1.25", "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Removed("1.25", "discovery.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): Removed("1.22", "apiextensions.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"): Removed("1.22", "admissionregistration.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration"): Removed("1.22", "admissionregistration.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): Removed("1.22", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): Removed("1.22", "networking.k8s.io/v1"),
}
# The values of all charts of the family that bring such an object: charts/*/templates/*-{hpa,pod-disruption-budget}.yaml.
_SWITCHES = {"HorizontalPodAutoscaler": ("-hpa", "autoScale.enable"), "PodDisruptionBudget": ("-pdb", "enablePodDisruptionBudget")}


def unknown_types(
    kind_for: Callable[[str, str], Kind | None], manifests: Sequence[Object], namespace: str, *, recorded: bool = False
) -> Iterator[Refusal]:
    """Yield a refusal for each object of a type that the server does not have; ``kind_for`` answers None for such a type.

    ``recorded``: these are the manifests of the release as it is. helm pkg/action/upgrade.go builds the objects of both manifests: "unable
    to build kubernetes objects from current release manifest".
    """
    for item in manifests:
        api_version, kind = str(item.get("apiVersion")), str(item.get("kind"))
        if kind_for(api_version, kind) is None:
            metadata = item.get("metadata") or {}
            ref = ObjectRef(kind, str(metadata.get("name")), str(metadata.get("namespace") or namespace))
            removed = _REMOVED.get((api_version, kind))
            gone = f" (removed in Kubernetes {removed.since})" if removed else ""
            where = " in the release's record" if recorded else ""
            yield Refusal(
                "unknown-type",
                ref,
                f"{ref} is a {kind} of {api_version}{where}, which this API server does not have{gone}",
                "Helm would stop with 'resource mapping not found', after osm-controller was orphaned",
                "nothing was written; the mesh keeps running as it is",
                _of_record(removed) if recorded else _of_chart(ref, removed),
            )


def _of_record(removed: Removed | None) -> str:
    becomes = f" to {removed.successor}" if removed and removed.successor else ""
    return (
        f"rewrite the type in the record of the release{becomes} (helm plugin mapkubeapis: helm mapkubeapis RELEASE -n NAMESPACE; it "
        "changes nothing but the record), then run again; an object that the new chart does not have any more is removed unless it is "
        "annotated with helm.sh/resource-policy=keep"
    )


def _of_chart(ref: ObjectRef, removed: Removed | None) -> str:
    suffix, value = _SWITCHES.get(ref.kind, ("", ""))
    workload = ref.name.removesuffix(suffix)
    component = _component(workload)
    if not value or not component:
        return "turn off what needs it in the chart's values, or take a chart that knows the newer type"
    api_version = f" of {removed.successor}" if removed and removed.successor else ""
    return (
        f"set {component}.{value} to false (the chart has no newer type) and create a {ref.kind}{api_version} for Deployment {workload} by "
        "hand, under another name"
    )


def _component(workload: str) -> str:
    """Return the values of a workload: ``osm.osmController``, ``fsm.fsmController``, ``osm.injector``; empty when there are none."""
    root, dummy, name = workload.partition("-")
    component = {"controller": f"{root}Controller", "injector": "injector"}.get(name)
    return f"{root}.{component}" if component and root in ("osm", "fsm") else ""
