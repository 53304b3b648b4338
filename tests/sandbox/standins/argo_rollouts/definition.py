# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kind Rollout. The real definition (argo-rollouts manifests/crds/rollout-crd.yaml) spells out the whole pod; this one takes any."""

from __future__ import annotations

from osm_family.api import Object

GROUP = "argoproj.io"
ROLLOUTS = f"/apis/{GROUP}/v1alpha1/rollouts"


def definition() -> Object:
    """The CustomResourceDefinition; the subresources are those of the real one."""
    anything: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {**anything, "properties": {"replicas": {"type": "integer"}, "restartAt": {"type": "string", "format": "date-time"}}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": anything}}},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"rollouts.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "rollouts", "singular": "rollout", "kind": "Rollout", "shortNames": ["ro"]},
            "versions": [version],
        },
    }
